package replica

import (
	"context"
	"slices"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/seal"
)

// pin is a release that is as good as any other.
func pin(n byte) seal.ReleasePin {
	return seal.ReleasePin{Manifest: [32]byte{n}, Phone: [32]byte{n, 1}, Keys: [][32]byte{{n, 2}}}
}

// pinned is the release that a device's roster shows, 0 for none.
func (d *device) pinned() byte {
	if d.led.roster.Release == nil {
		return 0
	}
	return d.led.roster.Release.Manifest[0]
}

func (w *world) pin(d *device, n byte, want seal.Way) {
	w.t.Helper()
	way, err := d.Admin().PinRelease(context.Background(), pin(n))
	w.must(err)
	if way != want {
		w.t.Fatalf("way %v, want %v", way, want)
	}
}

// secondDesk makes another desk of the lone admin's, which waits a day itself.
func (w *world) secondDesk() *device {
	w.t.Helper()
	ctx := context.Background()
	x := w.device("desk")
	x.Office, x.cfg.Office = true, true
	w.must(x.Newcomer().Introduce(ctx, "relay"))
	inv, err := w.desk.Admin().Invite(ctx, x.Newcomer().Scan1().String())
	w.must(err)
	w.must(x.Newcomer().Accept(ctx, inv.Code.String()))
	me := w.desk.led.roster.Devices[w.desk.led.dev.ID()].Member
	for range 2 { // pressing the button again changes nothing
		if ok, err := w.desk.Admin().Enrol(ctx, inv, me, 0); ok || err != ErrDay {
			w.t.Fatalf("a lone admin's second desk: %v %v", ok, err)
		}
	}
	if ok, err := x.Newcomer().Join(ctx, nil); ok || err != nil {
		w.t.Fatalf("it is in at once: %v %v", ok, err)
	}
	w.tomorrow()
	if ok, err := x.Newcomer().Join(ctx, nil); !ok || err != nil {
		w.t.Fatalf("a day later: %v %v", ok, err)
	}
	return x
}

// TestLoneAdminAnnounces: with one admin, what two must sign is shown to everybody for a day, and then done by her
// desk.
func TestLoneAdminAnnounces(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	w.pin(w.desk, 1, seal.AtOnce) // nobody is there yet
	a := w.phone()
	w.pin(w.desk, 2, seal.AfterDay)
	w.pin(w.desk, 2, seal.AfterDay) // asked twice, announced once
	w.sync(a)
	for _, d := range []*device{a, w.desk} {
		w.again(d)
		got := d.Status().Announced
		if len(got) != 1 || got[0].What.Type != "release.pin" || got[0].Author != w.desk.led.dev.ID() ||
			got[0].After.Sub(w.now) < seal.Delay {
			t.Fatalf("announced: %+v", got)
		}
	}
	w.now = w.now.Add(seal.Delay - time.Hour)
	w.must(w.desk.Admin().Maintain(ctx))
	if w.desk.pinned() != 1 {
		t.Error("done before its day")
	}
	w.now = w.now.Add(2 * time.Hour)
	w.must(w.desk.Admin().Maintain(ctx))
	w.sync(a)
	for i, d := range []*device{a, w.desk} {
		w.again(d)
		if d.pinned() != 2 || len(d.Status().Announced) != 0 {
			t.Errorf("device %d: release %d, announced %v", i, d.pinned(), d.Status().Announced)
		}
	}
	late := w.phone() // whoever comes later reads the same
	if late.pinned() != 2 {
		t.Error("a new phone reads another release")
	}
	w.noAlarm(a, late, w.desk)
}

// TestLoneAdminWithdraws takes announcements back: from another device of hers, never from a worker's.
func TestLoneAdminWithdraws(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	other := w.secondDesk()
	w.pin(w.desk, 2, seal.AfterDay)
	w.sync(a, other)
	id := a.Status().Announced[0].ID
	if err := a.Admin().Withdraw(ctx, id); krama.KindOf(err) != krama.NotAllowed {
		t.Errorf("a worker's phone withdraws: %v", err)
	}
	w.must(other.Admin().Withdraw(ctx, id))
	w.must(other.Admin().Withdraw(ctx, id)) // once is enough
	w.now = w.now.Add(2 * seal.Delay)
	for _, d := range []*device{other, w.desk, a} {
		w.sync(d)
		w.must(d.Admin().Maintain(ctx))
		if d.pinned() != 0 || len(d.Status().Announced) != 0 {
			t.Error("withdrawn, and done or still shown")
		}
	}
	w.noAlarm(a, other, w.desk)

	// A desk that is taken and removed does nothing of what it announced.
	w.pin(w.desk, 3, seal.AfterDay)
	w.must(other.Admin().RemoveDevice(ctx, w.desk.led.dev.ID(), seal.ReasonTaken, nil))
	w.sync(a)
	if len(a.Status().Announced) != 0 {
		t.Error("a removed desk's announcement is shown")
	}
}

// TestLoneAdminCheats has a desk with a changed program say things at once. Every reader refuses them.
func TestLoneAdminCheats(t *testing.T) {
	w := newWorld(t)
	a, b := w.phone(), w.phone()
	w.sync(a, b, w.desk)
	members := func(d *device) (out []krama.MemberID) {
		for m := range d.led.roster.Members {
			out = append(out, m)
		}
		return out
	}
	was := len(members(a))
	m := a.led.roster.Devices[a.led.dev.ID()].Member
	safe := w.desk.Kinds()[krama.KindSafeguarding]
	p := pin(9)
	for name, deed := range map[string]seal.Deed{
		"a new admin":         &seal.MemberAdd{Member: krama.MemberID{77}, Roles: krama.RoleAdmin},
		"a worker made admin": &seal.MemberRole{Member: m, Roles: krama.RoleAdmin},
		"a release":           &p,
		"a circle":            &seal.CircleCreate{Circle: krama.CircleID{5}},
		"a way in":            &seal.EpochGrant{Circle: safe, Device: a.led.dev.ID()},
		"another admin's way": &seal.Announce{After: uint64(w.now.UnixMilli()), What: &seal.Statement{Deed: &p}},
	} {
		w.tell(w.desk, w.body(w.desk, deed))
		w.sync(w.desk, a, b)
		for _, d := range []*device{w.desk, a, b} {
			if d.pinned() != 0 || len(members(d)) != was || d.led.roster.Members[m].Roles != krama.RoleOutreach ||
				d.led.roster.Circles[krama.CircleID{5}] != nil ||
				d.led.roster.Latest(safe).Keyed[a.led.dev.ID()] || len(d.Status().Announced) != 0 ||
				!d.has(AlarmUnauthorised) {
				t.Errorf("%s: believed at once, or nobody is told", name)
			}
		}
	}
}

// TestLoneAdminClockWrongByAYear turns clocks. Nothing is lost, nothing is done early by an honest desk, and what comes
// is either done a day later or said to be impossible with this clock.
func TestLoneAdminClockWrongByAYear(t *testing.T) {
	ctx := context.Background()
	const year = 365 * 24 * time.Hour
	for name, off := range map[string]time.Duration{"ahead": year, "behind": -year} {
		t.Run("the desk's is "+name, func(t *testing.T) {
			w := newSmallWorld(t)
			a := w.phone()
			wrong := off
			w.desk.Now = func() time.Time { return w.now.Add(wrong) }
			if _, err := w.desk.Admin().PinRelease(ctx, pin(2)); err != ErrClock {
				t.Fatalf("with a wrong clock: %v", err)
			}
			if len(w.desk.Status().Announced) != 0 {
				t.Error("announced with a wrong clock")
			}
			wrong = 0
			w.pin(w.desk, 2, seal.AfterDay)
			wrong = off // it jumps while the day runs
			w.sync(w.desk)
			w.must(w.desk.Admin().Maintain(ctx))
			w.sync(a)
			if w.desk.pinned() != 0 || len(a.Status().Announced) != 1 {
				t.Error("a clock that jumped did away with the wait, or with the announcement")
			}
			wrong = 0
			w.tomorrow()
			w.sync(a)
			if a.pinned() != 2 {
				t.Error("not done when the clock was right again")
			}
			w.noAlarm(a)
		})
		t.Run("a phone's is "+name, func(t *testing.T) {
			w := newSmallWorld(t)
			a := w.phone()
			a.cfg.Now = func() time.Time { return w.now.Add(off) }
			w.again(a)
			w.pin(w.desk, 2, seal.AfterDay)
			w.sync(a)
			w.again(a)
			if len(a.Status().Announced) != 1 {
				t.Error("not shown")
			}
			w.tomorrow()
			w.sync(a)
			w.again(a) // what it accepted it accepts from its own file
			w.contact(a, w.person(a))
			w.sync(a, w.desk)
			if a.pinned() != 2 || len(a.Status().Announced) != 0 || a.led.roster.Head != w.desk.led.roster.Head ||
				len(w.desk.all()) != 2 {
				t.Error("it reads another roster than the desk")
			}
			w.noAlarm(w.desk)
		})
	}
	t.Run("everybody's was ahead", func(t *testing.T) { // the relay's too: nobody could tell
		w := newSmallWorld(t)
		a := w.phone()
		w.now = w.now.Add(year)
		w.relay = newRelay(w)
		w.pin(w.desk, 2, seal.AfterDay)
		w.now = w.now.Add(-year)
		w.relay = newRelay(w)
		for _, d := range []*device{a, w.desk} {
			d.wire.h = w.relay
		}
		w.tomorrow()
		w.sync(a)
		if a.pinned() != 0 || len(a.Status().Announced) != 1 {
			t.Fatal("done, or forgotten")
		}
		w.must(w.desk.Admin().Withdraw(ctx, w.desk.Status().Announced[0].ID))
		w.pin(w.desk, 2, seal.AfterDay)
		w.tomorrow()
		w.sync(a)
		if a.pinned() != 2 {
			t.Error("withdrawn and announced again, and not done")
		}
	})
}

// TestLoneAdminAfterASecond removes the second admin, which one may: from then on the one who stays waits.
func TestLoneAdminAfterASecond(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	second := w.enrol(w.device("desk"), krama.RoleCoordinator)
	second.Office, second.cfg.Office = true, true
	m := w.desk.led.roster.Devices[second.led.dev.ID()].Member
	w.must(w.desk.Admin().SetRoles(ctx, m, krama.RoleCoordinator|krama.RoleAdmin, nil))
	w.pin(w.desk, 1, seal.AfterDay)
	w.pin(w.desk, 2, seal.AfterDay)
	w.sync(second)
	if len(second.Status().Announced) != 3 {
		t.Fatalf("%d announced", len(second.Status().Announced))
	}
	w.tomorrow() // the role first; then there are two admins, and the other one must sign the rest
	w.sync(second, a)
	w.must(second.Admin().Maintain(ctx))
	if a.pinned() != 0 || len(a.Status().Announced) != 0 || len(second.Admin().Mail()) != 2 {
		t.Fatalf("release %d, %d announced, %d drafts", a.pinned(), len(a.Status().Announced),
			len(second.Admin().Mail()))
	}
	w.must(second.Admin().Cosign(ctx, second.Admin().Mail()[0].ID))
	w.sync(w.desk, a)
	if a.pinned() == 0 {
		t.Error("both have signed, and nothing holds")
	}
	w.pin(second, 5, seal.BySecond)
	w.must(second.Admin().RemoveDevice(ctx, w.desk.led.dev.ID(), seal.ReasonLost, nil))
	w.pin(second, 6, seal.AfterDay)
	w.desk = second
	w.tomorrow()
	w.sync(a)
	if a.pinned() != 6 {
		t.Errorf("release %d", a.pinned())
	}
	w.noAlarm(a, second)
}

// TestLoneAdminOpensSafeguarding gives a colleague the safeguarding role. Role and keys wait one day, not two, over a
// rotation and a lost connection.
func TestLoneAdminOpensSafeguarding(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a := w.phone()
	m := a.led.roster.Devices[a.led.dev.ID()].Member
	w.must(w.desk.Admin().SetRoles(ctx, m, krama.RoleOutreach|krama.RoleSafeguarding, nil))
	w.sync(a)
	if _, roles := a.Device(); roles != krama.RoleOutreach || len(a.Status().Announced) != 2 {
		t.Fatalf("roles %v, announced %+v", roles, a.Status().Announced)
	}
	safe := w.desk.Kinds()[krama.KindSafeguarding]
	w.must(w.desk.Admin().Rotate(ctx, safe))
	w.now = w.now.Add(seal.Delay + time.Hour)
	w.sync(w.desk)
	cut := true
	w.desk.wire.gate = func(path string) error {
		if cut && path == seal.PathBoxPut {
			return krama.E("test", krama.Offline, "")
		}
		return nil
	}
	if err := w.desk.Admin().Maintain(ctx); krama.KindOf(err) != krama.Offline {
		t.Fatalf("not cut: %v", err)
	}
	w.again(w.desk)
	cut = false
	w.must(w.desk.Admin().Maintain(ctx))
	w.sync(a)
	if _, ok := a.Kinds()[krama.KindSafeguarding]; !ok || len(a.Status().Announced) != 0 {
		t.Errorf("circles %v, announced %v", a.Kinds(), a.Status().Announced)
	}
	w.noAlarm(a, w.desk)

	// What the roster would refuse is not announced at all.
	me := w.desk.led.roster.Devices[w.desk.led.dev.ID()].Member
	if err := w.desk.Admin().SetRoles(ctx, me, krama.RoleCoordinator, nil); krama.KindOf(err) != krama.NotAllowed ||
		len(w.desk.Status().Announced) != 0 {
		t.Errorf("the last admin takes her own role: %v", err)
	}
	// What it refuses by the time is withdrawn.
	w.must(w.desk.Admin().SetRoles(ctx, m, krama.RoleOutreach, nil))
	w.must(w.desk.Admin().RemoveMember(ctx, m, nil))
	w.tomorrow()
	if len(w.desk.Status().Announced) != 0 || !w.desk.led.roster.Members[m].Removed {
		t.Errorf("announced: %v", w.desk.Status().Announced)
	}
	w.noAlarm(w.desk)
}

// TestLoneAdminsSecondDesk reads every circle a day after it was asked for, safeguarding too.
func TestLoneAdminsSecondDesk(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	x := w.secondDesk()
	w.sync(x, a)
	if got, want := len(x.Kinds()), len(w.desk.Kinds()); got != want {
		t.Errorf("it reads %d circles, the first desk %d", got, want)
	}
	if len(x.Status().Announced) != 0 || slices.ContainsFunc(x.Status().Alarms, func(a Alarm) bool { return true }) {
		t.Errorf("announced %v, alarms %v", x.Status().Announced, x.Status().Alarms)
	}
	w.noAlarm(a, w.desk)
}

// newRelay starts the relay's program anew over the same store, as after its clock was set.
func newRelay(w *world) *relay.Relay {
	return relay.New(w.store, "token", relay.DefaultLimits, w.clock)
}
