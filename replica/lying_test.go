package replica

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// liar twists what a relay answers to PathList for the outreach circle of one device.
type liar struct {
	id    seal.StreamID
	twist func(after uint64, l *seal.Listing)
}

func (l liar) answer(path string, call, answer []byte, err error) ([]byte, error) {
	c, e := seal.ParseCall(call)
	if err != nil || e != nil || path != seal.PathList || c.Principal != l.id {
		return answer, err
	}
	req, _ := seal.ParseList(c.Payload)
	list, _ := seal.ParseListing(answer)
	l.twist(req.After, &list)
	return list.Marshal(), nil
}

func (w *world) stream(d *device, k krama.CircleKind) seal.StreamID {
	c, ok := d.led.circle(k)
	if k == krama.KindOrg {
		c, ok = krama.OrgCircle, true
	}
	if !ok {
		w.t.Fatal("no circle")
	}
	return d.led.streams[c].epoch.StreamID()
}

func (d *device) has(k AlarmKind) bool {
	return slices.ContainsFunc(d.Status().Alarms, func(a Alarm) bool { return a.What == k })
}

// TestLyingRelay gives one phone a relay that lies in one way. Each lie must end in its alarm, and nothing that the
// liar made up may be on the screen.
func TestLyingRelay(t *testing.T) {
	for name, tc := range map[string]struct {
		lie   func(w *world, after uint64, l *seal.Listing)
		alarm AlarmKind
		err   krama.Kind // what Sync says, when it refuses the answer whole
	}{
		"corrupt": {func(w *world, after uint64, l *seal.Listing) {
			if len(l.Entries) > 1 {
				l.Entries[1] = bytes.Clone(l.Entries[1])
				l.Entries[1][200] ^= 1
			}
		}, AlarmTampered, 0},
		"substitute with noise": {func(w *world, after uint64, l *seal.Listing) {
			if len(l.Entries) > 1 {
				l.Entries[1] = make([]byte, 1024)
			}
		}, AlarmMalformed, 0},
		"substitute with a roster envelope": {func(w *world, after uint64, l *seal.Listing) {
			if len(l.Entries) > 1 {
				e, _ := w.store.List(context.Background(), w.stream(w.desk, krama.KindOrg), 2, 1)
				l.Entries[1] = e[0].Body
			}
		}, AlarmTampered, 0},
		"drop one": {func(w *world, after uint64, l *seal.Listing) {
			if len(l.Entries) > 2 {
				l.Entries = append(l.Entries[:1:1], l.Entries[2:]...)
			}
		}, AlarmFork, 0}, // the next one claims a history that has it
		"duplicate one": {func(w *world, after uint64, l *seal.Listing) {
			if len(l.Entries) > 1 {
				l.Entries = slices.Insert(slices.Clone(l.Entries), 1, l.Entries[0])
			}
		}, AlarmTampered, 0},
		"reorder": {func(w *world, after uint64, l *seal.Listing) {
			if len(l.Entries) > 2 {
				l.Entries = slices.Clone(l.Entries)
				slices.Reverse(l.Entries)
			}
		}, AlarmFork, 0},
		"truncate bytes": {func(w *world, after uint64, l *seal.Listing) {
			if len(l.Entries) > 1 {
				l.Entries[1] = l.Entries[1][:600]
			}
		}, AlarmMalformed, 0},
		"an id nobody asked about": {func(w *world, after uint64, l *seal.Listing) {
			if len(l.Entries) > 0 {
				l.Entries = [][]byte{make([]byte, 32)}
			}
		}, "", krama.Tampered},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.phone(), w.phone()
			w.sync(w.desk, a, b)
			s := w.person(a)
			for range 4 {
				w.contact(a, s)
				w.sync(a, w.desk)
			}
			truth := map[krama.RecordID]krama.Contact{}
			for _, e := range w.desk.events {
				if e.Record.Contact != nil {
					truth[e.Record.ID] = *e.Record.Contact
				}
			}
			id := w.stream(b, krama.KindOutreach)
			b.wire.twist = liar{id, func(after uint64, l *seal.Listing) { tc.lie(w, after, l) }}.answer
			err := b.Sync(context.Background(), nil)
			if krama.KindOf(err) != tc.err && (err != nil || tc.err != 0) {
				t.Errorf("sync: got %v want %v", err, tc.err)
			}
			if tc.alarm != "" && !b.has(tc.alarm) {
				t.Errorf("alarms %v want %s", b.Status().Alarms, tc.alarm)
			}
			seen := map[krama.RecordID]int{}
			for _, e := range b.events {
				if e.Record.Contact != nil {
					seen[e.Record.ID]++
					if truth[e.Record.ID] != *e.Record.Contact || seen[e.Record.ID] > 1 {
						t.Error("a wrong or doubled record is on the screen")
					}
				}
			}
			w.reopen(b)
			if tc.alarm != "" && !b.has(tc.alarm) {
				t.Error("the alarm did not survive a restart")
			}
			again := map[krama.RecordID]bool{}
			for _, e := range b.events {
				if e.Record.Contact != nil {
					if truth[e.Record.ID] != *e.Record.Contact || again[e.Record.ID] {
						t.Error("after a restart: a wrong or doubled record")
					}
					again[e.Record.ID] = true
				}
			}
			if len(again) != len(seen) {
				t.Errorf("after a restart: %d records on the screen, before %d", len(again), len(seen))
			}
		})
	}
}

func TestRollbackStopsSending(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	s := w.person(a)
	w.sync(a)
	w.contact(a, s)
	w.sync(a)
	a.wire.twist = liar{w.stream(a, krama.KindOutreach), func(after uint64, l *seal.Listing) {
		l.Head, l.Entries = seal.Head{N: 1}, nil
	}}.answer
	w.contact(a, s)
	a.Sync(context.Background(), nil)
	if !a.has(AlarmRollback) {
		t.Fatalf("alarms %v", a.Status().Alarms)
	}
	before := w.heads(w.stream(a, krama.KindOutreach))
	a.wire.twist = nil
	w.sync(a)
	if w.heads(w.stream(a, krama.KindOutreach)) != before || a.Status().Unsent != 1 {
		t.Error("the phone went on sending into a stream that was rolled back")
	}
}

func (w *world) heads(id seal.StreamID) uint64 {
	s, err := w.store.Stream(context.Background(), id)
	w.must(err)
	return s.Head.N
}

// TestForkIsSeenWhenOneEnvelopeCrosses shows two phones different histories from one point, then lets one envelope
// cross.
func TestForkIsSeenWhenOneEnvelopeCrosses(t *testing.T) {
	w := newWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b)
	// b's side of the fork never shows what a writes next.
	w.contact(a, s)
	w.sync(a)
	id := w.stream(b, krama.KindOutreach)
	hidden, _ := w.store.List(context.Background(), id, 2, 1)
	w.contact(a, s)
	w.sync(a) // this one claims the hidden history
	b.wire.twist = liar{id, func(after uint64, l *seal.Listing) {
		if after == 2 && len(l.Entries) == 2 && bytes.Equal(l.Entries[0], hidden[0].Body) {
			l.Entries = l.Entries[1:]
			c, _ := b.led.circle(krama.KindOutreach) // a careful liar: the head fits what is shown
			l.Head = b.led.streams[c].head.Link(seal.EnvelopeID(l.Entries[0]))
		}
	}}.answer
	b.Sync(context.Background(), nil)
	if !b.has(AlarmFork) {
		t.Errorf("alarms %v want fork", b.Status().Alarms)
	}
}

func TestRewrittenHistoryIsSeen(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	w.person(a)
	w.sync(a)
	a.wire.twist = liar{w.stream(a, krama.KindOutreach), func(after uint64, l *seal.Listing) {
		l.Head.H[0] ^= 1
	}}.answer
	a.Sync(context.Background(), nil)
	if !a.has(AlarmFork) {
		t.Errorf("alarms %v want fork", a.Status().Alarms)
	}
}

// TestOneAuthorWithheld drops one envelope of a batch whose others claim no history that has it.
func TestOneAuthorWithheld(t *testing.T) {
	w := newWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(a)
	for range 1200 {
		w.contact(a, s)
	}
	w.sync(a)
	n := w.heads(w.stream(a, krama.KindOutreach))
	if n < 4 {
		t.Fatalf("%d envelopes are too few", n)
	}
	b.wire.twist = liar{w.stream(b, krama.KindOutreach), func(after uint64, l *seal.Listing) {
		if after == 1 {
			l.Entries = append(l.Entries[:1:1], l.Entries[2:]...)
			l.Head.N--
			l.Head.H = [32]byte{}
		}
	}}.answer
	b.Sync(context.Background(), nil)
	if !b.has(AlarmGap) {
		t.Errorf("alarms %v want gap", b.Status().Alarms)
	}
	for _, e := range b.events {
		if e.Record.Contact != nil && len(b.records()) > 1000 {
			t.Fatal("what follows a gap is on the screen")
		}
	}
}

// TestClonedDevice runs one phone's image twice.
func TestClonedDevice(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	s := w.person(a)
	w.sync(a)
	image := map[string][]byte{vaultFile: bytes.Clone(a.dir.File(vaultFile).Data),
		journalName(1): bytes.Clone(a.dir.File(journalName(1)).Data)}
	clone := &device{dir: a.dir, wire: &wire{h: w.relay}}
	clone.cfg = a.cfg
	clone.cfg.Feed = nil
	w.contact(a, s)
	w.mustSealOnly(a) // sealed, not yet sent
	mine := a.led.sealed[0].wire
	for name, data := range image {
		a.dir.File(name).Data = data
	}
	a.dir.Crash()
	r, err := Unlock(clone.cfg, words)
	w.must(err)
	clone.Replica = r
	w.contact(clone, s)
	w.must(clone.Sync(context.Background(), nil))
	key := a.led.streams[mustCircle(a)].epoch.StreamKey()
	body, _ := seal.NewCall(a.Rand, key, seal.PathAppend, w.relay.Session(), a.Site(),
		a.led.streams[mustCircle(a)].epoch.StreamID(),
		seal.AppendCall{Envelopes: [][]byte{mine}}.Marshal())
	if _, _, err := (&wire{h: w.relay}).Call(context.Background(), seal.PathAppend, body); err != nil {
		t.Fatal(err)
	}
	w.sync(w.desk)
	if !w.desk.has(AlarmEquivocation) {
		t.Errorf("alarms %v want equivocation", w.desk.Status().Alarms)
	}
	if got := len(w.desk.records()); got != 2 {
		t.Errorf("desk shows %d records want 2", got)
	}
}

func mustCircle(d *device) krama.CircleID { c, _ := d.led.circle(krama.KindOutreach); return c }

func (w *world) mustSealOnly(d *device) {
	w.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	w.must(d.sealOutbox())
}

func TestFreezeIsSeen(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	w.sync(w.desk, a)
	w.now = w.now.Add(71 * time.Hour)
	w.sync(a)
	if a.has(AlarmFrozen) {
		t.Error("frozen after 71 hours")
	}
	w.now = w.now.Add(2 * time.Hour)
	w.sync(a)
	if !a.has(AlarmFrozen) {
		t.Error("73 hours without a heartbeat and no word of it")
	}
	w.sync(w.desk, a)
	if a.has(AlarmFrozen) {
		t.Error("frozen although the heartbeat came")
	}
}

// TestRosterWithheld hides a new colleague's enrolment from a phone that receives her work.
func TestRosterWithheld(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	w.sync(a)
	org := w.stream(a, krama.KindOrg)
	n := a.led.roster.Head.N
	b := w.phone()
	w.contact(b, w.person(b))
	w.sync(b)
	shown := a.shown()
	a.wire.twist = liar{org, func(after uint64, l *seal.Listing) {
		l.Head, l.Entries = seal.Head{N: n, H: a.led.roster.Head.H}, nil
	}}.answer
	a.Sync(context.Background(), nil)
	if !a.has(AlarmUnauthorised) || a.shown() != shown {
		t.Errorf("alarms %v, shown %d want %d", a.Status().Alarms, a.shown(), shown)
	}
	a.wire.twist = nil
	w.sync(a)
	if a.shown() != shown+2 {
		t.Errorf("when the roster came: shown %d want %d", a.shown(), shown+2)
	}
	w.reopen(a)
	w.contact(a, w.person(a))
	w.sync(a, w.desk)
	if a.shown() != shown+4 || a.Status().Unsent != 0 {
		t.Errorf("after a restart: shown %d want %d, unsent %d", a.shown(), shown+4, a.Status().Unsent)
	}
}

// TestEnrolmentAgainstALiar swaps what the relay hands over at each step of an enrolment.
func TestEnrolmentAgainstALiar(t *testing.T) {
	ctx := context.Background()
	t.Run("request swapped", func(t *testing.T) {
		w := newWorld(t)
		phone, thief := w.device("phone"), w.device("phone")
		w.must(phone.Newcomer().Introduce(ctx, "relay"))
		w.desk.wire.twist = func(path string, _, answer []byte, err error) ([]byte, error) {
			if path == seal.PathDropGet {
				return heldOf(thief.led.dev.Request().Marshal()), nil
			}
			return answer, err
		}
		if _, err := w.desk.Admin().Invite(ctx, phone.Newcomer().Scan1().String()); krama.KindOf(
			err) != krama.Tampered {
			t.Errorf("got %v", err)
		}
	})
	t.Run("another programme's roster", func(t *testing.T) {
		w, other := newWorld(t), newWorld(t)
		phone := w.device("phone")
		w.must(phone.Newcomer().Introduce(ctx, "relay"))
		inv, err := w.desk.Admin().Invite(ctx, phone.Newcomer().Scan1().String())
		w.must(err)
		w.must(phone.Newcomer().Accept(ctx, inv.Code.String()))
		if ok, err := w.desk.Admin().Enrol(ctx, inv, krama.MemberID{1}, krama.RoleOutreach); !ok || err != nil {
			t.Fatal(ok, err)
		}
		phone.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
			if path == seal.PathList {
				e, _ := other.store.List(ctx, other.stream(other.desk, krama.KindOrg), 0, 1<<20)
				l := seal.Listing{Head: other.desk.led.roster.Head}
				for _, x := range e {
					l.Entries = append(l.Entries, x.Body)
				}
				return l.Marshal(), nil
			}
			return answer, err
		}
		if ok, err := phone.Newcomer().Join(ctx, nil); ok || err == nil {
			t.Errorf("joined another programme: %v", err)
		}
		phone.wire.twist = nil
		if ok, err := phone.Newcomer().Join(ctx, nil); !ok || err != nil {
			t.Errorf("after the lie: %v", err)
		}
	})
	t.Run("an old code", func(t *testing.T) {
		w := newWorld(t)
		phone := w.device("phone")
		w.must(phone.Newcomer().Introduce(ctx, "relay"))
		old, err := w.desk.Admin().Invite(ctx, phone.Newcomer().Scan1().String())
		w.must(err)
		w.must(phone.Newcomer().Accept(ctx, old.Code.String()))
		now, err := w.desk.Admin().Invite(ctx, phone.Newcomer().Scan1().String())
		w.must(err)
		if ok, err := w.desk.Admin().Enrol(ctx, now, krama.MemberID{1}, krama.RoleOutreach); ok || err != nil {
			t.Errorf("a proof for an old code was taken: %v %v", ok, err)
		}
		w.must(phone.Newcomer().Accept(ctx, now.Code.String()))
		if ok, err := w.desk.Admin().Enrol(ctx, now, krama.MemberID{1}, krama.RoleOutreach); !ok || err != nil {
			t.Errorf("%v %v", ok, err)
		}
	})
	t.Run("a worker invites", func(t *testing.T) {
		w := newWorld(t)
		a, phone := w.phone(), w.device("phone")
		w.must(phone.Newcomer().Introduce(ctx, "relay"))
		if _, err := a.Admin().Invite(ctx, phone.Newcomer().Scan1().String()); krama.KindOf(err) != krama.NotAllowed {
			t.Errorf("got %v", err)
		}
	})
	t.Run("crash in each step of the office", func(t *testing.T) {
		for drop := 1; drop < 14; drop++ {
			w := newWorld(t)
			phone := w.device("phone")
			w.must(phone.Newcomer().Introduce(ctx, "relay"))
			inv, err := w.desk.Admin().Invite(ctx, phone.Newcomer().Scan1().String())
			w.must(err)
			w.must(phone.Newcomer().Accept(ctx, inv.Code.String()))
			n := 0
			w.desk.wire.twist = func(_ string, _, answer []byte, err error) ([]byte, error) {
				if n++; n == drop {
					return nil, krama.E("test", krama.Offline, "")
				}
				return answer, err
			}
			w.desk.Admin().Enrol(ctx, inv, krama.MemberID{1}, krama.RoleOutreach)
			w.desk.wire.twist = nil
			w.sync(w.desk)
			if ok, err := w.desk.Admin().Enrol(ctx, inv, krama.MemberID{1}, krama.RoleOutreach); !ok || err != nil {
				t.Errorf("call %d lost, then: %v %v", drop, ok, err)
			}
			if ok, err := phone.Newcomer().Join(ctx, nil); !ok || err != nil {
				t.Errorf("call %d lost, phone: %v %v", drop, ok, err)
			}
			if al := append(phone.Status().Alarms, w.desk.Status().Alarms...); len(al) > 0 {
				t.Errorf("call %d lost raised %v", drop, al)
			}
		}
	})
}

// TestOutsiderWithStreamKey has somebody who holds a circle's keys but no place in the roster write into the stream.
func TestOutsiderWithStreamKey(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	w.sync(a)
	st := a.led.streams[mustCircle(a)]
	thief, _ := seal.NewDevice(a.Rand, "thief")
	wire1, err := st.epoch.Seal(a.Rand, thief, seal.Header{Author: thief.ID(), Kind: seal.EnvContent, Seq: 1,
		Head: st.head, Roster: a.led.roster.Head},
		[]seal.Item{{Kind: seal.KindCircleRecord, Body: []byte("x")}}, nil)
	w.must(err)
	claimed, err := st.epoch.Seal(a.Rand, thief, seal.Header{Author: a.led.dev.ID(), Kind: seal.EnvContent, Seq: 9,
		Head: st.head, Roster: a.led.roster.Head},
		[]seal.Item{{Kind: seal.KindCircleRecord, Body: []byte("x")}}, nil)
	w.must(err)
	_, err = w.store.Append(context.Background(), st.epoch.StreamID(), nil, [][]byte{wire1, claimed}, 1<<30)
	w.must(err)
	w.sync(w.desk)
	if !w.desk.has(AlarmUnauthorised) || !w.desk.has(AlarmForged) {
		t.Errorf("alarms %v want unauthorised and forged", w.desk.Status().Alarms)
	}
}
