package replica

import (
	"context"
	"fmt"
	"testing"

	"krama"
	"krama/journal"
)

// TestCrashAnywhere fails every write of a phone's life in turn, in the two ways a disk fails, restarts, and checks
// that what was called saved is there once.
func TestCrashAnywhere(t *testing.T) {
	first := newWorld(t)
	enrolled := first.phone()
	for fail := 1; fail < 40; fail++ {
		for _, lost := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d/%v", fail, lost), func(t *testing.T) {
				w, ds := first.clone(t, enrolled)
				a := ds[0]
				var saved []krama.RecordID
				count := 0
				a.dir.Fault = func(op string, n int) error {
					if count++; count >= fail && (op == "write") == lost {
						return fmt.Errorf("power")
					}
					return nil
				}
				s, _ := a.NewSubject()
				for range 3 {
					id, _ := a.NewRecord()
					if a.Write(krama.KindOutreach, s, &krama.Record{ID: id,
						Contact: &krama.Contact{Date: krama.DayOf(w.now), Place: 1}}) == nil {
						saved = append(saved, id)
					}
					a.Sync(context.Background(), nil)
				}
				a.dir.Fault = nil
				w.reopen(a)
				w.sync(a, w.desk)
				got := map[krama.RecordID]int{}
				for _, id := range w.desk.records() {
					got[id]++
				}
				for _, id := range saved {
					if got[id] != 1 {
						t.Errorf("a saved record is at the desk %d times", got[id])
					}
				}
				for id, n := range got {
					if n > 1 {
						t.Errorf("record %s is at the desk %d times", id, n)
					}
				}
				if al := append(a.Status().Alarms, w.desk.Status().Alarms...); len(al) > 0 {
					t.Errorf("a crash raised %v", al)
				}
			})
		}
	}
}

// TestLostAnswers drops the answer of every call in turn: what was sent arrives once.
func TestLostAnswers(t *testing.T) {
	first := newWorld(t)
	enrolled := first.phone()
	for drop := 1; drop < 12; drop++ {
		w, ds := first.clone(t, enrolled)
		a := ds[0]
		s := w.person(a)
		w.contact(a, s)
		n := 0
		a.wire.twist = func(_ string, _, answer []byte, err error) ([]byte, error) {
			if n++; n == drop {
				return nil, krama.E("test", krama.Offline, "")
			}
			return answer, err
		}
		err := a.Sync(context.Background(), nil)
		if n >= drop && err == nil && a.Status().Unsent > 0 { // a large call is made once more, in pieces
			t.Errorf("call %d unanswered, sync says all is well", drop)
		}
		w.reopen(a)
		w.contact(a, s)
		a.wire.twist = nil
		w.sync(a, w.desk)
		if got := len(w.desk.records()); got != 3 || a.Status().Unsent != 0 {
			t.Errorf("call %d unanswered: desk has %d records want 3, unsent %d", drop, got, a.Status().Unsent)
		}
		if al := append(a.Status().Alarms, w.desk.Status().Alarms...); len(al) > 0 {
			t.Errorf("call %d unanswered raised %v", drop, al)
		}
	}
}

func TestFullDiskLosesNothing(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	s := w.person(a)
	a.dir.Fault = func(op string, n int) error { return journal.ErrFull }
	id, _ := a.NewRecord()
	err := a.Write(krama.KindOutreach, s, &krama.Record{ID: id, Contact: &krama.Contact{Date: krama.DayOf(w.now),
		Place: 1}})
	if krama.KindOf(err) != krama.Full {
		t.Errorf("got %v want full", err)
	}
	if a.shown() != 1 || a.Status().Unsent != 1 {
		t.Error("what was not saved is shown")
	}
	a.dir.Fault = nil
	w.contact(a, s)
	w.reopen(a)
	if a.Status().Unsent != 2 {
		t.Errorf("unsent %d want 2", a.Status().Unsent)
	}
}

// TestRotKeepsTyped damages a phone's file in the middle: typed records behind the damage live on, the rest comes
// again.
func TestRotKeepsTyped(t *testing.T) {
	w := newWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(b)
	for range 5 {
		w.contact(b, s)
		w.sync(b, a)
	}
	early := len(a.dir.File(journalName(1)).Data)
	for range 5 {
		w.contact(b, s)
		w.sync(b, a)
	}
	w.contact(a, s)
	w.contact(a, s)
	a.dir.File(journalName(1)).Data[early+100] ^= 1
	w.reopen(a)
	if got := a.Status().Unsent; got != 2 {
		t.Errorf("typed behind the damage: %d want 2", got)
	}
	w.sync(a, w.desk)
	if got := a.shown(); got != 13 {
		t.Errorf("a shows %d records want 13", got)
	}
	if got := len(w.desk.records()); got != 13 {
		t.Errorf("desk has %d records want 13", got)
	}
	if al := a.Status().Alarms; len(al) != 1 || al[0].What != AlarmDamaged {
		t.Errorf("alarms %v", al)
	}
}
