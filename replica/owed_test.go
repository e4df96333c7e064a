package replica

import (
	"context"
	"testing"

	"krama"
	"krama/journal"
	"krama/seal"
)

// TestAnsweredAlarmStaysAnswered: an alarm that could not be written, because the disk was full, is owed; what answers
// it later is written behind it, so that a device that starts again does not find it standing.
func TestAnsweredAlarmStaysAnswered(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	w.sync(a)
	st := a.led.streams[krama.OrgCircle]
	a.wire.twist = liar{st.id(st.epoch), func(_ uint64, l *seal.Listing) {
		l.Head, l.Entries = seal.Head{N: 1}, nil
	}}.answer
	a.dir.Fault = func(string, int) error { return journal.ErrFull }
	a.Sync(context.Background(), nil)
	a.dir.Fault, a.wire.twist = nil, nil
	if !a.has(AlarmRollback) || len(a.led.owed) == 0 {
		t.Fatalf("alarms %v, %d owed: the test proves nothing", a.Status().Alarms, len(a.led.owed))
	}
	w.sync(a)
	for _, when := range []string{"at once", "after a restart"} {
		if a.led.halted() {
			t.Errorf("%s: an alarm stands that was answered: %v", when, a.Status().Alarms)
		}
		w.reopen(a)
	}
}

// TestTypedWhileHandedOver: what a person types while her work for a circle she has left is on its way to the office is
// not thrown away with it.
func TestTypedWhileHandedOver(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.enrol(w.device("phone"), krama.RoleOutreach)
	s := w.person(a)
	w.sync(a, w.desk)
	first := w.contact(a, s)
	w.must(w.desk.Admin().SetRoles(ctx, krama.MemberID{w.n}, krama.RoleSteward, nil))
	second := krama.RecordID{}
	a.wire.gate = func(path string) error {
		if path == seal.PathLeavePut && second == (krama.RecordID{}) {
			second = w.contact(a, s)
		}
		return nil
	}
	for range 3 {
		w.sync(a, w.desk)
	}
	if second == (krama.RecordID{}) {
		t.Fatal("nothing was handed over: the test proves nothing")
	}
	got := map[krama.RecordID]bool{}
	for _, m := range w.desk.Admin().Mail() {
		for _, l := range lateOf(m) {
			if l.Record != nil {
				got[l.Record.ID] = true
			}
		}
	}
	for i, id := range []krama.RecordID{first, second} {
		if !got[id] {
			t.Errorf("contact %d is not at the office; %d wait on the phone", i+1, a.Status().Unsent)
		}
	}
}
