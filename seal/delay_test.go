package seal

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"krama"
)

// sayAt says a statement with a time of its author's choice.
func (h *house) sayAt(d *Device, at time.Duration, st *Statement, co ...Cosignature) error {
	h.t.Helper()
	h.at = at
	defer func() { h.at = 0 }()
	return h.say(d, st, co...)
}

// lone is a programme that waits, with a founder and a colleague's device.
func lone(t *testing.T) (h *house, worker *Device) {
	t.Helper()
	h = found(t)
	h.must(h.say(h.founder, h.statement(&DelaySet{})))
	worker, err := h.add(krama.MemberID{2}, krama.RoleOutreach)
	h.must(err)
	h.must(h.say(h.founder, h.statement(&EpochGrant{Device: worker.ID()})))
	return h, worker
}

func pin(n byte) Deed {
	return &ReleasePin{Manifest: q32(n)}
}

// announce announces, at a time, what may be said after another.
func (h *house) announce(d *Device, at, after time.Duration, deed Deed) error {
	h.t.Helper()
	return h.sayAt(d, at, h.statement(&Announce{After: uint64(after.Milliseconds()), What: &Statement{Deed: deed}}))
}

func TestLoneAdminWaits(t *testing.T) {
	h, worker := lone(t)
	const day = Delay
	deny := func(why string, err error, want krama.Kind) {
		t.Helper()
		if err == nil || krama.KindOf(err) != want {
			t.Errorf("%s: got %v, want %v", why, err, want)
		}
	}
	deny("at once", h.sayAt(h.founder, day, h.statement(pin(1))), krama.NotAllowed)
	deny("announced for less than a day", h.announce(h.founder, day, 2*day-1, pin(1)), krama.Invalid)
	deny("announced at the end of time", h.announce(h.founder, 1<<63-1, 0, pin(1)), krama.Invalid)
	deny("announced by a worker", h.announce(worker, day, 2*day, pin(1)), krama.NotAllowed)
	h.must(h.announce(h.founder, day, 2*day, pin(1)))
	deny("announced twice", h.announce(h.founder, day, 2*day, pin(1)), krama.Invalid)
	if l := h.roster.Log[len(h.roster.Log)-2]; l.Type != "announce" || l.What != "release.pin" || l.Refused {
		t.Errorf("the log has %+v", l)
	}
	deny("before its time", h.sayAt(h.founder, 2*day-time.Millisecond, h.statement(pin(1))), krama.NotAllowed)
	deny("something else", h.sayAt(h.founder, 2*day, h.statement(pin(2))), krama.NotAllowed)
	h.must(h.sayAt(h.founder, 2*day, h.statement(pin(1))))
	if h.roster.Release == nil || h.roster.Release.Manifest != q32(1) || len(h.roster.Announcements()) != 0 {
		t.Error("it does not count, or is announced still")
	}
	deny("twice for one announcement", h.sayAt(h.founder, 9*day, h.statement(pin(1))), krama.NotAllowed)

	h.must(h.announce(h.founder, day, 2*day, pin(3)))
	take := &Withdraw{h.roster.Announcements()[0].Deed}
	deny("withdrawn by a worker", h.say(worker, h.statement(take)), krama.NotAllowed)
	st := h.statement(take)
	h.must(h.say(h.founder, st))
	if l := h.roster.Log[len(h.roster.Log)-1]; l.Type != "withdraw" || l.What != "release.pin" {
		t.Errorf("the log has %+v", l)
	}
	deny("withdrawn", h.sayAt(h.founder, 2*day, h.statement(pin(3))), krama.NotAllowed)
	deny("nothing to withdraw", h.say(h.founder, h.statement(&Withdraw{q32(7)})), krama.Invalid)

	// Whoever reads it from the relay, or her own device again after a start, comes to the same.
	again, loaded := NewRoster(h.roster.Org), NewRoster(h.roster.Org)
	for _, wire := range h.log {
		env, _ := h.epoch.Open(wire)
		if again.Apply(env) != nil {
			loaded.Advance(env.ID)
			continue
		}
		it, _ := env.Item(0, nil)
		// a device whose clock stands keeps no later time
		h.must(loaded.Replay(env.Author, env.ID, min(env.TimeMS, 5), it.Body))
	}
	for _, r := range []*Roster{again, loaded} {
		if r.Head != h.roster.Head || r.Release.Manifest != q32(1) || len(r.Announcements()) != 0 {
			t.Error("another reader comes to something else")
		}
	}
}

// TestLoneAdminAlone: what nobody else is there to see waits for nobody, and a programme that never said so does not
// wait.
func TestLoneAdminAlone(t *testing.T) {
	h := found(t)
	h.must(h.say(h.founder, h.statement(&DelaySet{})))
	h.must(h.say(h.founder, h.statement(pin(1))))
	d, err := h.add(krama.MemberID{2}, krama.RoleOutreach)
	h.must(err)
	if err := h.say(h.founder, h.statement(pin(2))); krama.KindOf(err) != krama.NotAllowed || err == nil {
		t.Errorf("with a colleague: %v", err)
	}
	h.must(h.say(h.founder, h.statement(&DeviceRemove{d.ID(), ReasonLost})))
	if err := h.say(h.founder, h.statement(pin(3))); krama.KindOf(err) != krama.NotAllowed || err == nil {
		t.Errorf("with the colleague removed: %v", err)
	}

	h = found(t) // as earlier versions founded
	_, err = h.add(krama.MemberID{2}, krama.RoleOutreach)
	h.must(err)
	h.must(h.say(h.founder, h.statement(pin(1))))
}

// TestLoneAdminAgain removes the second admin, which one may: what two would have signed waits again. What the removed
// one announced nobody says.
func TestLoneAdminAgain(t *testing.T) {
	h, _ := lone(t)
	second := krama.MemberID{3}
	admin := &MemberAdd{second, krama.RoleAdmin}
	if err := h.say(h.founder, h.statement(admin)); krama.KindOf(err) != krama.NotAllowed || err == nil {
		t.Errorf("a second admin at once: %v", err)
	}
	dev, _ := NewDevice(rand.Reader, "test")
	secret := q32(3)
	add := &DeviceAdd{second, dev.Request(), 1, ByScan, secret, dev.Proof(h.roster.Org, secret)}
	h.must(h.announce(h.founder, 0, Delay, admin))
	h.must(h.announce(h.founder, 0, Delay, add))
	h.must(h.announce(h.founder, 0, Delay, pin(1)))
	if err := h.sayAt(h.founder, Delay, h.statement(add)); krama.KindOf(err) != krama.Invalid || err == nil {
		t.Errorf("a device of nobody: %v", err)
	}
	h.must(h.sayAt(h.founder, Delay, h.statement(admin)))
	h.must(h.sayAt(h.founder, Delay, h.statement(add)))
	h.must(h.say(h.founder, h.statement(&EpochGrant{Device: dev.ID()})))
	if err := h.sayAt(h.founder, Delay, h.statement(pin(1))); krama.KindOf(err) != krama.NotAllowed || err == nil {
		t.Errorf("announced by one, and now there are two: %v", err)
	}
	if err := h.announce(dev, 0, Delay, pin(2)); krama.KindOf(err) != krama.NotAllowed || err == nil {
		t.Errorf("announced by one of two: %v", err)
	}
	h.must(h.say(dev, h.statement(&Withdraw{h.roster.Announcements()[0].Deed}))) // the other admin's say
	h.must(h.say(h.founder, h.statement(&DeviceRemove{dev.ID(), ReasonLost})))
	if err := h.sayAt(h.founder, 9*Delay, h.statement(pin(1))); krama.KindOf(err) != krama.NotAllowed || err == nil {
		t.Errorf("one of two removes the other and signs alone: %v", err)
	}

	// A device that is removed announces for nobody.
	h, _ = lone(t)
	other, _ := NewDevice(rand.Reader, "test")
	founder := h.roster.Devices[h.founder.ID()].Member
	mine := &DeviceAdd{founder, other.Request(), 1, ByScan, secret, other.Proof(h.roster.Org, secret)}
	h.must(h.announce(h.founder, 0, Delay, mine))
	h.must(h.sayAt(h.founder, Delay, h.statement(mine)))
	h.must(h.say(h.founder, h.statement(&EpochGrant{Device: other.ID()})))
	h.must(h.announce(h.founder, 0, Delay, pin(1)))
	if err := h.sayAt(other, 2*Delay, h.statement(pin(1))); krama.KindOf(err) != krama.NotAllowed || err == nil {
		t.Errorf("said by another device of the same admin, with another clock: %v", err)
	}
	h.must(h.say(other, h.statement(&DeviceRemove{h.founder.ID(), ReasonTaken})))
	if len(h.roster.Announcements()) != 0 {
		t.Error("a removed device's announcement stands")
	}
	h.must(h.announce(other, 0, Delay, pin(1)))
	h.must(h.sayAt(other, Delay, h.statement(pin(1))))
}

// TestAnnouncedGrant is for whichever epoch is open when its day comes.
func TestAnnouncedGrant(t *testing.T) {
	h := found(t)
	h.must(h.say(h.founder, h.statement(&DelaySet{})))
	c := krama.CircleID{9}
	h.circle(c, krama.RoleAdmin|krama.RoleSafeguarding)
	h.must(h.say(h.founder, h.statement(&MemberAdd{krama.MemberID{2}, krama.RoleSafeguarding})))
	d, _ := NewDevice(rand.Reader, "test")
	secret := q32(3)
	h.must(h.say(h.founder, h.statement(&DeviceAdd{krama.MemberID{2}, d.Request(), 1, ByScan, secret,
		d.Proof(h.roster.Org, secret)})))
	grant := &EpochGrant{Circle: c, Device: d.ID()}
	h.must(h.announce(h.founder, 0, Delay, grant))
	next, _ := NewEpoch(rand.Reader, Context{Org: h.roster.Org, Circle: c, Epoch: 1})
	open := func(devices ...krama.DeviceID) Deed {
		return &EpochOpen{Circle: c, Epoch: 1, EC: next.EC(), GC: next.GC(), Back: make([]byte, 48), Devices: devices}
	}
	if err := h.sayAt(h.founder, Delay, h.statement(open(h.founder.ID(), d.ID()))); krama.KindOf(
		err) != krama.NotAllowed || err == nil {
		t.Errorf("let in by an epoch that nobody announced: %v", err)
	}
	h.must(h.say(h.founder, h.statement(open(h.founder.ID()))))
	a := h.roster.Announcements()[0]
	if err := h.roster.Refuses(grant, h.founder.ID()); krama.KindOf(err) != krama.Invalid || err == nil {
		t.Errorf("a grant for the epoch before: %v", err)
	}
	st := h.statement(h.roster.Again(a))
	h.must(h.roster.Refuses(st.Deed, h.founder.ID()))
	h.must(h.sayAt(h.founder, Delay, st))
	if !h.roster.Latest(c).Keyed[d.ID()] {
		t.Error("not let in")
	}
}

func TestParseDelayed(t *testing.T) {
	nonce, last := make([]byte, 16), u64(9)
	of := func(typ string, f ...[]byte) []byte {
		return enc("roster "+typ, append([][]byte{nonce, last}, f...)...)
	}
	what := of("release.pin", make([]byte, 32), make([]byte, 32), nil)
	deed := make([]byte, 32)
	for name, tc := range map[string]struct {
		b    []byte
		want krama.Kind
	}{
		"a field too many":             {of("delay.set", nil), krama.Invalid},
		"an announcement of nothing":   {of("announce", u64(1)), krama.Invalid},
		"an announcement announced":    {of("announce", u64(1), of("announce", u64(1), what)), krama.Invalid},
		"a removal announced":          {of("announce", u64(1), of("device.remove", nonce, []byte{1})), krama.Invalid},
		"a later version's announced":  {of("announce", u64(1), of("x.y")), krama.NotYet},
		"a withdrawal without a deed":  {of("withdraw", deed[:31]), krama.Invalid},
		"a withdrawal with a reason":   {of("withdraw", deed, deed), krama.Invalid},
		"an announcement cut":          {of("announce", u64(1), what[:len(what)-1]), krama.Invalid},
		"an announcement without time": {of("announce", nil, what), krama.Invalid},
	} {
		if _, err := ParseStatement(tc.b); err == nil || krama.KindOf(err) != tc.want {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	for _, b := range [][]byte{of("delay.set"), of("announce", u64(1), what), of("withdraw", deed)} {
		st, err := ParseStatement(b)
		if err != nil || !slices.Equal(st.Marshal(), b) {
			t.Errorf("%q: %v", b, err)
		}
	}
}
