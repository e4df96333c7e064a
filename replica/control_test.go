package replica

import (
	"context"
	"crypto/ed25519"
	"testing"

	"krama"
	"krama/seal"
)

// TestAttackStolenPhoneTakesTheRelay: a worker's phone, open in a thief's hand, tries to take the programme's control
// at the relay, to rewind a stream and to empty the trustees' mailbox. Control is the admins' alone.
func TestAttackStolenPhoneTakesTheRelay(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, thief := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, thief, w.desk)
	k := thief.led.streams[krama.OrgCircle].epoch.ControlKey()
	programme := seal.ProgrammeID(k.Public().(ed25519.PublicKey))
	id := w.stream(thief, krama.KindOutreach)
	for path, payload := range map[string][]byte{
		seal.PathControl: seal.Frame(thief.led.dev.SigPub()),
		seal.PathRewind:  seal.Frame(id[:], seal.Head{}.Marshal()),
		seal.PathClose:   seal.Frame(id[:], seal.Head{}.Marshal()),
		seal.PathBoxKeep: seal.Frame(make([]byte, 16)),
	} {
		if _, err := thief.call(ctx, k, path, programme, payload); krama.KindOf(err) != krama.NotAllowed {
			t.Errorf("%s: a worker's phone may: %v", path, err)
		}
	}
	w.must(w.desk.Admin().RemoveDevice(ctx, thief.led.dev.ID(), seal.ReasonTaken, nil))
	w.contact(a, s)
	w.sync(a, w.desk)
	w.noAlarm(a, w.desk)
}

// TestControlGoesWithTheAdmins: a second admin's desk gets the control key, and when one goes, the one who stays draws
// another that the first does not know.
func TestControlGoesWithTheAdmins(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	second := w.enrol(w.device("desk"), krama.RoleCoordinator)
	second.Office, second.cfg.Office = true, true
	var m krama.MemberID
	w.desk.Roster(func(ro *seal.Roster) { m = ro.Devices[second.led.dev.ID()].Member })
	w.must(w.desk.Admin().SetRoles(ctx, m, krama.RoleCoordinator|krama.RoleAdmin, nil))
	w.tomorrow()
	w.sync(second)
	w.must(second.Admin().Maintain(ctx))
	if len(second.led.controls) != 1 || second.led.controls[0] != w.desk.led.controls[0] {
		t.Fatal("the second admin's desk does not have the control key")
	}
	w.again(second)
	w.must(second.Admin().Rotate(ctx, w.outreach(second)))
	first := w.desk.led.dev.ID()
	w.must(second.Admin().RemoveDevice(ctx, first, seal.ReasonLost, nil))
	if len(second.led.controls) != 2 {
		t.Fatal("no new control key was drawn")
	}
	old := ed25519.NewKeyFromSeed(w.desk.led.controls[0][:])
	programme, _, err := w.desk.controlKeys()
	w.must(err)
	if _, err := w.desk.call(ctx, old, seal.PathControl, programme, seal.Frame(w.desk.led.dev.SigPub())); krama.KindOf(
		err) != krama.NotAllowed {
		t.Errorf("the removed admin still controls the relay: %v", err)
	}
	w.must(second.Admin().Maintain(ctx))
	a := w.device("phone")
	w.desk = second
	w.enrol(a, krama.RoleOutreach)
	w.person(a)
	w.sync(a, second)
	w.noAlarm(a, second)
}
