package replica

import (
	"context"
	"testing"

	"krama"
	"krama/seal"
)

// copiedWrites lets two copies of a phone write one envelope each in the same place, then one of them a third. It
// returns the first envelope's record and the third's.
func (w *world) copiedWrites(a *device, s krama.SubjectID, swapped bool) (first, kept krama.RecordID) {
	w.t.Helper()
	c := w.outreach(a)
	st := a.led.streams[c]
	h := a.led.header(c, seal.EnvContent)
	keys := func(s krama.SubjectID) (seal.SubjectKey, bool) { k, ok := a.led.keys[c][s]; return k, ok }
	make1 := func(h seal.Header) (krama.RecordID, []byte) {
		id, _ := a.NewRecord()
		b, err := (&krama.Record{ID: id, Contact: &krama.Contact{Date: krama.DayOf(w.now), District: 1002,
			Place: 1}}).Encode()
		w.must(err)
		wire, err := st.epoch.Seal(a.Rand, a.led.dev, h, []seal.Item{{Subject: s, Kind: seal.KindRecord, Body: b}},
			keys)
		w.must(err)
		return id, wire
	}
	first, one := make1(h)
	other, two := make1(h)
	if swapped {
		first, one, two = other, two, one
	}
	h.Seq, h.Prev = h.Seq+1, seal.EnvelopeID(one)
	kept, three := make1(h)
	for _, wire := range [][]byte{one, two, three} {
		_, err := w.store.Append(context.Background(), st.epoch.StreamID(), nil, [][]byte{wire}, 1<<30)
		w.must(err)
	}
	return first, kept
}

func (d *device) showsRecord(id krama.RecordID) bool {
	for _, e := range d.events {
		if e.Record != nil && e.Record.ID == id {
			return true
		}
	}
	return false
}

// TestA32Suspended: what a copied phone writes after the proof is kept back on every device, in whatever order they
// learn of it, until an admin decides; colleagues go on.
func TestA32Suspended(t *testing.T) {
	for _, tc := range []struct {
		name            string
		swapped, rotate bool
	}{{"", false, false}, {"swapped", true, false}, {"over a rotation", false, true}} {
		t.Run(tc.name, func(t *testing.T) {
			w := newSmallWorld(t)
			ctx := context.Background()
			a, b, away := w.phone(), w.phone(), w.phone()
			s := w.person(b)
			w.sync(b, a, w.desk, away)
			first, kept := w.copiedWrites(a, s, tc.swapped)
			check := func(when string, shown bool, ds ...*device) {
				t.Helper()
				for i, d := range ds {
					if !d.showsRecord(first) || d.showsRecord(kept) != shown {
						t.Errorf("%s: device %d shows the first %v, the third %v; want true, %v", when, i,
							d.showsRecord(first), d.showsRecord(kept), shown)
					}
					if n := len(d.Admin().Suspended()); (n == 0) != shown {
						t.Errorf("%s: device %d keeps %d devices back", when, i, n)
					}
				}
			}
			w.sync(w.desk, b)
			check("at once", false, w.desk, b)
			if !b.has(AlarmEquivocation) {
				t.Errorf("alarms %v", b.Status().Alarms)
			}
			w.contact(b, s)
			w.sync(b, w.desk)
			if b.Status().Unsent != 0 {
				t.Error("a colleague's work does not go")
			}
			w.again(b)
			if tc.rotate {
				w.must(w.desk.Admin().Rotate(ctx, w.outreach(w.desk)))
			}
			w.sync(b, w.desk, b)
			check("after a restart", false, w.desk, b)
			if err := b.Admin().TrustDevice(ctx, a.led.dev.ID()); krama.KindOf(err) != krama.NotAllowed {
				t.Errorf("a worker decides: %v", err)
			}
			w.must(w.desk.Admin().TrustDevice(ctx, a.led.dev.ID()))
			w.sync(b, w.desk, away) // away reads the decision before what it is about
			late := w.phone()
			w.sync(late)
			for range 2 {
				check("trusted", true, w.desk, b, away, late)
				for i, d := range []*device{w.desk, b} {
					for _, al := range d.Status().Alarms {
						if !al.Mended {
							t.Errorf("device %d: an alarm stands: %v", i, al)
						}
					}
					w.again(d)
					w.sync(d)
				}
			}
		})
	}
}

// TestA32SuspendedAndRemoved: the admin removes the copied device instead: nothing of what was kept back is ever shown.
func TestA32SuspendedAndRemoved(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(b)
	w.sync(b, a, w.desk)
	first, kept := w.copiedWrites(a, s, false)
	w.sync(w.desk, b)
	w.must(w.desk.Admin().RemoveDevice(context.Background(), a.led.dev.ID(), seal.ReasonCloned, nil))
	w.sync(b, w.desk)
	for i, d := range []*device{w.desk, b} {
		w.again(d)
		w.sync(d)
		if !d.showsRecord(first) || d.showsRecord(kept) || len(d.Admin().Suspended()) != 0 {
			t.Errorf("device %d: first %v, third %v, %d kept back", i, d.showsRecord(first), d.showsRecord(kept),
				len(d.Admin().Suspended()))
		}
		for _, al := range d.Status().Alarms {
			if !al.Mended {
				t.Errorf("device %d: an alarm stands: %v", i, al)
			}
		}
	}
	if err := w.desk.Admin().TrustDevice(context.Background(), a.led.dev.ID()); err != nil {
		t.Errorf("nothing is left to answer: %v", err)
	}
}
