package replica

import (
	"context"
	"testing"

	"krama"
	"krama/seal"
)

// claims has a device write one envelope, truly signed, whose header says what change makes of it.
func (w *world) claims(d *device, c krama.CircleID, change func(*seal.Header)) {
	w.t.Helper()
	h := d.led.header(c, seal.EnvContent)
	change(&h)
	it := seal.Item{Kind: seal.KindCircleRecord, Body: []byte("x")}
	if c == krama.OrgCircle {
		it = seal.Item{Kind: seal.KindHeartbeat}
	}
	w.inject(d, c, h, it)
}

// goesOn checks that colleagues of whoever wrote a false claim send, read, rotate and remove her, and that a person was
// told.
func (w *world) goesOn(bad *device, want AlarmKind, ds ...*device) {
	w.t.Helper()
	t, ctx := w.t, context.Background()
	for i, d := range ds {
		w.contact(d, w.person(d))
		if err := d.Sync(ctx, nil); err != nil {
			t.Fatalf("device %d: %v", i, err)
		}
	}
	w.sync(ds...)
	for i, d := range ds {
		st := d.Status()
		if st.Unsent != 0 || st.Stopped {
			t.Errorf("device %d: unsent %d, stopped %v, alarms %v", i, st.Unsent, st.Stopped, st.Alarms)
		}
		named := false
		for _, a := range st.Alarms {
			named = named || a.What == want && a.Author == bad.led.dev.ID() && !a.Mended
		}
		if !named {
			t.Errorf("device %d: alarms %v, want %s that names its author", i, st.Alarms, want)
		}
		w.again(d)
	}
	w.sync(ds...)
	desk := ds[0]
	for _, c := range []krama.CircleID{krama.OrgCircle, w.outreach(desk)} {
		w.must(desk.Admin().Rotate(ctx, c))
	}
	w.must(desk.Admin().RemoveDevice(ctx, bad.led.dev.ID(), seal.ReasonCloned, nil))
	w.contact(ds[1], w.person(ds[1]))
	w.sync(ds...)
	w.sync(ds...)
	for i, d := range ds {
		for _, a := range d.Status().Alarms {
			if !a.Mended {
				t.Errorf("device %d: once its author is removed an alarm stands: %v", i, a)
			}
		}
		if d.Status().Unsent != 0 || d.shown() != desk.shown() {
			t.Errorf("device %d: unsent %d, shown %d want %d", i, d.Status().Unsent, d.shown(), desk.shown())
		}
	}
}

// TestA14ClaimFarAhead: one envelope, truly signed, that claims a place of the roster that is not there, in any circle.
func TestA14ClaimFarAhead(t *testing.T) {
	for name, far := range map[string]uint64{"1000 ahead": 1000, "one ahead": 1, "as far as it goes": 1<<63 + 1<<62} {
		t.Run(name, func(t *testing.T) {
			w := newSmallWorld(t)
			a, b := w.phone(), w.phone()
			w.sync(w.desk, a, b)
			w.claims(b, w.outreach(b), func(h *seal.Header) { h.Roster.N += far })
			w.goesOn(b, AlarmWithheld, w.desk, a)
		})
	}
	t.Run("in the roster", func(t *testing.T) {
		w := newSmallWorld(t)
		a, b := w.phone(), w.phone()
		w.sync(w.desk, a, b)
		w.claims(b, krama.OrgCircle, func(h *seal.Header) { h.Roster.N += 1000 })
		w.goesOn(b, AlarmFork, w.desk, a)
	})
	t.Run("a thousand of them", func(t *testing.T) {
		w := newSmallWorld(t)
		a, b := w.phone(), w.phone()
		w.sync(w.desk, a, b)
		for i := range uint64(1000) {
			w.claims(b, w.outreach(b), func(h *seal.Header) { h.Roster.N, h.Seq = h.Roster.N+i+1, h.Seq+i })
		}
		calls := 0
		a.wire.gate = func(string) error { calls++; return nil }
		w.sync(a)
		a.wire.gate = nil
		if n := len(a.Status().Alarms); n != 1 || calls > 40 {
			t.Errorf("%d alarms and %d calls for one author's claims", n, calls)
		}
		w.goesOn(b, AlarmWithheld, w.desk, a)
	})
}

// TestA14HonestClaim: the relay keeps an enrolment from a phone and shows it what a colleague wrote after it. Her work
// is there when the roster comes.
func TestA14HonestClaim(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	w.sync(a, b)
	n, head := a.led.roster.Head.N, a.led.roster.Head
	w.phone()
	w.contact(b, w.person(b))
	w.sync(b)
	w.contact(b, w.person(b))
	w.sync(b)
	shown := a.shown()
	a.wire.twist = liar{w.stream(a, krama.KindOrg), func(after uint64, l *seal.Listing) {
		if after >= n {
			l.Head, l.Entries = head, nil
		}
	}}.answer
	w.contact(a, w.person(a))
	w.sync(a)
	if !a.has(AlarmWithheld) || a.shown() != shown+2 || a.Status().Unsent != 0 {
		t.Errorf("alarms %v, shown %d want %d, unsent %d", a.Status().Alarms, a.shown(), shown+2, a.Status().Unsent)
	}
	w.again(a)
	a.wire.twist = nil
	w.sync(a)
	for range 2 {
		for _, al := range a.Status().Alarms {
			if !al.Mended {
				t.Errorf("an alarm stands: %v", al)
			}
		}
		if len(a.all()) != shown+6 {
			t.Errorf("shown %d want %d", len(a.all()), shown+6)
		}
		w.again(a)
		w.sync(a)
	}
}

// TestA14LaterStatementOfOneAdmin: one admin of two says what no version knows: refused. Two say it: everybody waits.
func TestA14LaterStatementOfOneAdmin(t *testing.T) {
	w := newSmallWorld(t)
	second := w.enrol(w.device("desk"), krama.RoleAdmin)
	a := w.phone()
	w.sync(w.desk, second, a)
	body := laterStatement("x.y")
	w.inject(second, krama.OrgCircle, second.led.header(krama.OrgCircle, seal.EnvRoster),
		seal.Item{Kind: seal.KindStatement, Body: body})
	w.contact(a, w.person(a))
	w.sync(a, w.desk)
	if w.desk.Status().Newer || a.Status().Newer || a.Status().Unsent != 0 || !w.desk.has(AlarmUnauthorised) {
		t.Fatalf("newer %v, unsent %d, alarms %v", a.Status().Newer, a.Status().Unsent, w.desk.Status().Alarms)
	}
	w.again(a)
	w.sync(second, w.desk, a)
	it, err := seal.ParseFrame(body, 3)
	w.must(err)
	both := seal.StatementBody(it[0], seal.Cosignature{Device: second.led.dev.ID(), Sig: seal.Cosign(second.led.dev.Sig,
		w.desk.led.roster.Org, it[0])})
	w.inject(w.desk, krama.OrgCircle, w.desk.led.header(krama.OrgCircle, seal.EnvRoster),
		seal.Item{Kind: seal.KindStatement, Body: both})
	if err := a.Sync(context.Background(), nil); krama.KindOf(err) != krama.NotYet || !a.Status().Newer {
		t.Errorf("two admins' later statement: %v", err)
	}
}

// TestOneCircleTroubled: what cannot be read of one circle does not stop the work of the others.
func TestOneCircleTroubled(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	w.sync(a, w.desk)
	w.contact(w.desk, w.person(w.desk))
	for k, c := range w.desk.Kinds() {
		if k == krama.KindOutreach || k == krama.KindOrg {
			continue
		}
		bad := w.desk.led.streams[c].epoch.StreamID()
		w.desk.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
			if c, e := seal.ParseCall(call); e == nil && path == seal.PathList && c.Principal == bad {
				return []byte("garbage"), nil
			}
			return answer, err
		}
		break
	}
	if err := w.desk.Sync(context.Background(), nil); krama.KindOf(err) != krama.Tampered {
		t.Errorf("nobody is told: %v", err)
	}
	if n := w.desk.Status().Unsent; n != 0 {
		t.Errorf("%d unsent in a circle that is well", n)
	}
}

// TestA15FalseHash: one envelope, truly signed, with a false roster or head hash.
func TestA15FalseHash(t *testing.T) {
	for name, change := range map[string]func(*seal.Header){
		"roster":            func(h *seal.Header) { h.Roster.H[0] ^= 1 },
		"head":              func(h *seal.Header) { h.Head.H[0] ^= 1 },
		"a head far ahead":  func(h *seal.Header) { h.Head.N += 1 << 40 },
		"both, at no place": func(h *seal.Header) { h.Head.H, h.Roster.H = [32]byte{}, [32]byte{} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newSmallWorld(t)
			a, b := w.phone(), w.phone()
			w.sync(w.desk, a, b)
			w.claims(b, w.outreach(b), change)
			w.goesOn(b, AlarmFork, w.desk, a)
		})
	}
}

// TestA15TwoMembers: claims of two devices of one member stop nobody; those of two members mean the relay.
func TestA15TwoMembers(t *testing.T) {
	w := newSmallWorld(t)
	a, b, c := w.phone(), w.phone(), w.phone()
	w.sync(w.desk, a, b, c)
	for i, d := range []*device{b, c} {
		w.claims(d, w.outreach(d), func(h *seal.Header) { h.Head.H[0] ^= 1 })
		w.sync(a)
		if got := a.Status().Stopped; got != (i == 1) {
			t.Errorf("after %d members: stopped %v", i+1, got)
		}
	}
	a.mu.Lock()
	a.led.roster.Devices[c.led.dev.ID()].Member = a.led.roster.Devices[b.led.dev.ID()].Member
	a.mu.Unlock()
	if a.Status().Stopped {
		t.Error("two devices of one member stop everybody")
	}
	w.must(w.desk.Admin().RemoveDevice(context.Background(), b.led.dev.ID(), seal.ReasonCloned, nil))
	w.contact(a, w.person(a))
	w.sync(a, w.desk, a)
	if a.Status().Stopped || a.Status().Unsent != 0 {
		t.Errorf("one of the two was removed: %v, unsent %d", a.Status().Alarms, a.Status().Unsent)
	}
}
