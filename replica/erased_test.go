package replica

import (
	"context"
	"testing"
	"time"

	"krama"
)

// TestErasedByTwo: two colleagues erase one person, neither knowing of the other; nothing of it waits for ever on the
// second's phone.
func TestErasedByTwo(t *testing.T) {
	w := newWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
	w.must(b.Erasing().Shred(krama.KindOutreach, s, ShredDanger)) // another reason
	w.sync(a)
	w.must(w.desk.Admin().Rotate(t.Context(), w.outreach(w.desk)))
	for range 2 {
		w.sync(b, a, w.desk)
		for i, d := range []*device{a, b, w.desk} {
			if n := d.Status().Unsent; n != 0 {
				t.Errorf("device %d has %d unsent", i, n)
			}
		}
		w.again(b)
	}
	w.noAlarm(a, b, w.desk)
}

// TestErasedByTwoAndThrownOut: the colleague who was first with an erasure is gone with her phone, and a close throws
// hers out; the second's, whose file was rewritten twice meanwhile, is said.
func TestErasedByTwoAndThrownOut(t *testing.T) {
	w := newWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	c := w.outreach(w.desk)
	w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
	w.must(b.Erasing().Shred(krama.KindOutreach, s, ShredDanger))
	w.must(a.meeting().stateNotices(t.Context()))
	w.must(b.meeting().stateNotices(t.Context()))
	backup := w.store.Clone() // after the notices: it is the outreach stream that the relay loses some of
	w.sync(a, b)
	for range 2 {
		b.mu.Lock()
		w.must(b.tidy())
		b.mu.Unlock()
		w.again(b)
	}
	w.restore(backup, b, w.desk) // the relay has lost hers, and she is gone
	w.must(w.desk.Admin().Rotate(t.Context(), c))
	for range 4 {
		b.Sync(context.Background(), nil)
		w.desk.Sync(context.Background(), nil)
	}
	if len(w.desk.Erasing().Erasures()) != 1 {
		t.Error("the erasure was said by nobody")
	}
}

func TestUnsentPersonErased(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	s := w.person(a)
	w.contact(a, s)
	w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
	w.again(a)
	w.sync(a, w.desk)
	for _, d := range []*device{a, w.desk} {
		for _, e := range d.events {
			if e.Subject == s && e.Record != nil && e.Record.Contact != nil && d == w.desk {
				t.Error("a contact with an erased person was sent")
			}
		}
	}
	if a.Status().Unsent != 0 {
		t.Errorf("%d left to send", a.Status().Unsent)
	}
	w.noAlarm(a, w.desk)
}

func TestRotationWithClockWrongByAYear(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	cfgNow := w.now
	a.Now = func() time.Time { return cfgNow.Add(365 * 24 * time.Hour) }
	s := w.person(a)
	w.sync(a, w.desk)
	w.must(w.desk.Admin().Rotate(context.Background(), w.outreach(w.desk)))
	w.contact(a, s)
	w.sync(a, w.desk, a)
	if len(w.desk.all()) != 2 {
		t.Errorf("%d records", len(w.desk.all()))
	}
	w.noAlarm(w.desk)
}
