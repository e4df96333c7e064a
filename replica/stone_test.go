package replica

import (
	"context"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// TestRepairSignsNoLie: a desk that was shown a colleague's tombstone, and refused it, does not put one of its own
// there when it repairs a restored relay.
func TestRepairSignsNoLie(t *testing.T) {
	w := newWorld(t)
	a, evil := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, evil, w.desk)
	backup := w.store.Clone()
	w.contact(a, s)
	w.sync(a, evil, w.desk)
	c := w.outreach(w.desk)
	e := w.desk.led.streams[c].epoch
	w.must(w.desk.Admin().Rotate(t.Context(), c))
	w.sync(a, evil, w.desk)
	desk2 := w.device("desk")
	desk2.Office, desk2.cfg.Office = true, true
	done := false
	desk2.wire.twist = listTwist(e.StreamID(), func(l *seal.Listing) {
		for i, b := range l.Entries {
			if env, v := e.Open(b); v == seal.Fine && env.Author == a.led.dev.ID() && env.Seq == 2 && !done {
				x, err := e.SealTombstone(evil.cfg.Rand, seal.Tombstone{ID: env.ID, Author: env.Author, Seq: env.Seq,
					Prev: env.Prev}, evil.led.dev.ID(), evil.led.dev.Sig)
				w.must(err)
				l.Entries[i], done = x, true
			}
		}
	})
	w.enrol(desk2, krama.RoleAdmin|krama.RoleOutreach)
	desk2.Sync(t.Context(), nil)
	desk2.wire.twist = nil
	if !done || !desk2.has(AlarmUnauthorised) {
		t.Fatal("nothing tried", done, desk2.Status().Alarms)
	}
	w.sync(w.desk, a, evil)
	desk2.Sync(context.Background(), nil)
	all := []*device{a, evil, w.desk, desk2}
	w.restore(backup, all...)
	desk2.Sync(context.Background(), nil)
	desk2.Admin().Repair(t.Context(), nil)
	for range 2 {
		for _, d := range all {
			d.Sync(context.Background(), nil)
		}
	}
	if n := stones(w.bodies(e.StreamID())); n > 0 {
		t.Errorf("%d tombstones with an admin's signature", n)
	}
	w.desk.Admin().Repair(t.Context(), nil)
	late := w.phone()
	w.sync(late)
	if len(late.all()) != len(w.desk.all()) {
		t.Errorf("who joins late has %d of %d records", len(late.all()), len(w.desk.all()))
	}
}

// TestRepairGivesBackMany: an office that has more than one call carries gives all of it back.
func TestRepairGivesBackMany(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	s := w.person(a)
	w.sync(a, w.desk)
	backup := w.store.Clone()
	for range 3*seal.MaxBatch + 5 {
		w.contact(a, s)
		w.sync(a)
		w.now = w.now.Add(time.Second)
	}
	w.sync(w.desk)
	want := a.all()
	w.restore(backup, a, w.desk)
	w.desk.Sync(t.Context(), nil)
	w.must(w.desk.Admin().Repair(t.Context(), nil)) // it once waited for itself
	late := w.phone()
	w.sync(late)
	w.have(want, late, w.desk)
}
