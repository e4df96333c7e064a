package replica

import (
	"bytes"
	"context"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// days lets time pass; the office meets the relay and does its daily work on each.
func (w *world) days(n int, ds ...*device) {
	w.t.Helper()
	for range n {
		w.now = w.now.Add(24 * time.Hour)
		w.sync(ds...)
		w.must(w.desk.Admin().Maintain(w.t.Context()))
	}
	w.sync(ds...)
}

// bodies lists the bytes that the relay keeps in a stream.
func (w *world) bodies(id seal.StreamID) (out [][]byte) {
	w.t.Helper()
	list, err := w.store.List(w.t.Context(), id, 0, 1<<30)
	w.must(err)
	for _, e := range list {
		out = append(out, e.Body)
	}
	return out
}

func stones(bodies [][]byte) (n int) {
	for _, b := range bodies {
		if _, ok := seal.TombstoneID(b); ok {
			n++
		}
	}
	return n
}

// TestBodiesDropped: a month after an erasure the relay has tombstones where an envelope spoke of erased people alone,
// and as many signs of life with them; nobody's order or record suffers, who comes late, who was away, and who restores
// the relay.
func TestBodiesDropped(t *testing.T) {
	w := newWorld(t)
	a, away := w.phone(), w.phone()
	kept := w.person(a)
	w.sync(a, away, w.desk)
	gone, other := w.person(a), w.person(a)
	w.sync(a, w.desk)
	w.contact(a, gone)
	w.sync(a, w.desk)
	w.contact(a, other)
	w.sync(a, w.desk)
	w.contact(a, gone)
	w.contact(a, kept) // in one envelope
	w.sync(a, w.desk)
	id := w.stream(w.desk, krama.KindOutreach)
	c := w.outreach(w.desk)
	before := w.bodies(id)
	backup := w.store.Clone()
	w.must(a.Erasing().Shred(krama.KindOutreach, gone, ShredAsked))
	w.days(2, a, w.desk)
	if w.desk.led.streams[c].epoch.Epoch != 1 {
		t.Fatal("the erasure did not end the epoch")
	}
	if n := stones(w.bodies(id)); n != 0 {
		t.Fatalf("%d envelopes of one person were dropped together", n)
	}
	w.must(a.Erasing().Shred(krama.KindOutreach, other, ShredAsked))
	w.days(2, a, w.desk)
	erased := map[krama.SubjectID]bool{gone: true, other: true}
	check := func(when string) {
		t.Helper()
		now := w.bodies(id)
		dropped := 0
		for i, b := range before {
			env, v := w.desk.led.streams[c].known[0].Open(b)
			if v != seal.Fine {
				t.Fatal("the test reads nothing")
			}
			alone := true
			for j := range env.Len() {
				s, k := env.Peek(j)
				alone = alone && erased[s] && k != seal.KindShred
			}
			_, stone := seal.TombstoneID(now[i])
			if alone != stone {
				t.Errorf("%s: envelope %d speaks of erased people alone: %v, dropped: %v", when, i+1, alone, stone)
			}
			if stone {
				dropped++
			}
		}
		if dropped < 3 {
			t.Errorf("%s: %d were dropped, want 3", when, dropped)
		}
	}
	check("at once")

	// Nothing more within the month; what is erased then waits for it.
	third, fourth := w.person(a), w.person(a)
	w.sync(a, w.desk)
	w.must(a.Erasing().Shred(krama.KindOutreach, third, ShredAsked))
	w.must(a.Erasing().Shred(krama.KindOutreach, fourth, ShredAsked))
	w.days(22, a, w.desk)
	second := func() (n int) {
		for e := uint32(1); e < w.desk.led.streams[c].epoch.Epoch; e++ {
			n += stones(w.bodies(w.desk.led.streams[c].known[e].StreamID()))
		}
		return n
	}
	if n := second(); n != 0 {
		t.Errorf("%d tombstones within the month", n)
	}
	w.days(10, a, w.desk)
	if n := second(); n == 0 {
		t.Error("none after a month")
	}

	late := w.phone()
	w.sync(late, away, a, w.desk)
	w.noAlarm(late, away, a, w.desk)
	same := func(when string, ds ...*device) {
		t.Helper()
		for i, d := range ds {
			if got, want := len(d.all()), len(away.all()); got != want || want < 3 {
				t.Errorf("%s: device %d has %d records, want %d", when, i, got, want)
			}
		}
	}
	w.contact(away, kept)
	w.sync(away, a, late, w.desk)
	same("after", late, a, w.desk)
	for _, d := range []*device{a, away, late, w.desk} {
		w.again(d)
		w.sync(d)
	}
	same("started again", late, a, w.desk)

	// The office's own file has not kept what it had the relay drop.
	k := &keeping{max: 1 << 30}
	w.must(w.desk.meeting().keep(c, map[uint32]*keeping{0: k}))
	for i, b := range w.bodies(id) {
		if _, stone := seal.TombstoneID(b); stone && len(k.list[i].wire) > seal.TombstoneSize {
			t.Errorf("the office still has the body of envelope %d", i+1)
		}
	}

	// A relay restored from before the erasure gets what it lost, tombstones too, and drops again what the backup
	// brought back.
	all := []*device{a, away, late, w.desk}
	w.restore(backup, all...)
	w.desk.Sync(context.Background(), nil)
	w.must(w.desk.Admin().Repair(t.Context(), nil))
	for range 2 {
		for _, d := range all {
			d.Sync(context.Background(), nil)
		}
	}
	same("restored", all...)
	newest := w.phone()
	w.sync(newest)
	same("newest", newest)
	w.noAlarm(newest)
	w.days(31, a, w.desk)
	check("after a restore and a month")
}

// TestAttackTombstone: a relay, with a colleague's help or alone, puts a tombstone where none belongs.
func TestAttackTombstone(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(w *world, a *device, e *seal.Epoch, env *seal.Envelope) []byte
		open bool
		want AlarmKind
	}{
		"alone": {func(w *world, a *device, e *seal.Epoch, env *seal.Envelope) []byte {
			return append(append([]byte{2}, env.ID[:]...), make([]byte, seal.TombstoneSize-33)...)
		}, false, AlarmTampered},
		"with a colleague": {func(w *world, a *device, e *seal.Epoch, env *seal.Envelope) []byte {
			b, err := e.SealTombstone(a.cfg.Rand, seal.Tombstone{ID: env.ID, Author: env.Author, Seq: env.Seq,
				Prev: env.Prev}, a.led.dev.ID(), a.led.dev.Sig)
			w.must(err)
			return b
		}, false, AlarmUnauthorised},
		"with a colleague who signs as the office": {func(w *world, a *device, e *seal.Epoch,
			env *seal.Envelope) []byte {
			b, err := e.SealTombstone(a.cfg.Rand, seal.Tombstone{ID: env.ID, Author: env.Author, Seq: env.Seq,
				Prev: env.Prev}, w.desk.led.dev.ID(), a.led.dev.Sig)
			w.must(err)
			return b
		}, false, AlarmForged},
		"an admin's, in an epoch that is open": {func(w *world, a *device, e *seal.Epoch, env *seal.Envelope) []byte {
			b, err := e.SealTombstone(a.cfg.Rand, seal.Tombstone{ID: env.ID, Author: env.Author, Seq: env.Seq,
				Prev: env.Prev}, w.desk.led.dev.ID(), w.desk.led.dev.Sig)
			w.must(err)
			return b
		}, true, AlarmWithheld},
		"an admin's, of another envelope": {func(w *world, a *device, e *seal.Epoch, env *seal.Envelope) []byte {
			b, err := e.SealTombstone(a.cfg.Rand, seal.Tombstone{ID: [32]byte{1}, Author: env.Author, Seq: env.Seq,
				Prev: env.Prev}, w.desk.led.dev.ID(), w.desk.led.dev.Sig)
			w.must(err)
			return b
		}, false, AlarmFork},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.phone()
			w.person(a)
			w.sync(a, w.desk)
			e := w.desk.led.streams[w.outreach(w.desk)].epoch
			if !tc.open {
				w.must(w.desk.Admin().Rotate(t.Context(), w.outreach(w.desk)))
				w.sync(a, w.desk)
			}
			late := w.device("phone")
			changed := false
			late.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
				c, perr := seal.ParseCall(call)
				if path != seal.PathList || err != nil || perr != nil || seal.StreamID(c.Principal) != e.StreamID() {
					return answer, err
				}
				l, perr := seal.ParseListing(answer)
				if perr != nil {
					return answer, err
				}
				for i, b := range l.Entries {
					if env, v := e.Open(b); v == seal.Fine && (tc.open || !changed) && env.Kind == seal.EnvContent {
						l.Entries[i], changed = tc.make(w, a, e, env), true
						break
					}
				}
				return l.Marshal(), nil
			}
			w.enrol(late, krama.RoleOutreach)
			late.Sync(t.Context(), nil)
			if !changed {
				t.Fatal("nothing was tried")
			}
			if !late.has(tc.want) {
				t.Errorf("alarms %v, want %s", late.Status().Alarms, tc.want)
			}
		})
	}
}

// listTwist changes what a device is shown of a stream.
func listTwist(id seal.StreamID, f func(l *seal.Listing)) func(path string, call, answer []byte,
	err error) ([]byte, error) {
	return func(path string, call, answer []byte, err error) ([]byte, error) {
		c, perr := seal.ParseCall(call)
		if path != seal.PathList || err != nil || perr != nil || seal.StreamID(c.Principal) != id {
			return answer, err
		}
		l, perr := seal.ParseListing(answer)
		if perr != nil {
			return answer, err
		}
		f(&l)
		return l.Marshal(), nil
	}
}

// TestOneLieHeals: a relay that lies once and is honest afterwards, with a flipped bit or a tombstone of its own
// making, blinds nobody.
func TestOneLieHeals(t *testing.T) {
	for _, stone := range []bool{false, true} {
		w := newWorld(t)
		a, b := w.phone(), w.phone()
		s := w.person(a)
		w.sync(a, w.desk, b)
		e := w.desk.led.streams[w.outreach(w.desk)].epoch
		w.contact(a, s)
		w.sync(a)
		lied := false
		b.wire.twist = listTwist(e.StreamID(), func(l *seal.Listing) {
			for i, x := range l.Entries {
				if len(x) > 100 && !lied {
					id := seal.EnvelopeID(x)
					if l.Entries[i] = append(append([]byte{2}, id[:]...),
						make([]byte, seal.TombstoneSize-33)...); !stone {
						l.Entries[i] = bytes.Clone(x)
						l.Entries[i][500] ^= 1
					}
					lied = true
				}
			}
		})
		b.Sync(t.Context(), nil)
		b.wire.twist = nil
		if !lied {
			t.Fatal("no lie")
		}
		for range 5 {
			w.contact(a, s)
			w.sync(a, w.desk)
			b.Sync(context.Background(), nil)
		}
		w.must(w.desk.Admin().Rotate(t.Context(), w.outreach(w.desk)))
		for range 3 {
			w.contact(a, s)
			w.sync(a, w.desk)
			b.Sync(context.Background(), nil)
		}
		if len(b.all()) != len(a.all()) {
			t.Errorf("tombstone %v: %d of %d records", stone, len(b.all()), len(a.all()))
		}
	}
}

// TestRottenTombstone: who joins while tombstones are damaged sees all once they are whole again.
func TestRottenTombstone(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	x := w.person(a)
	w.sync(a, w.desk)
	y := w.person(a)
	w.sync(a, w.desk)
	k := w.person(a)
	w.sync(a, w.desk)
	w.must(a.Erasing().Shred(krama.KindOutreach, x, ShredAsked))
	w.must(a.Erasing().Shred(krama.KindOutreach, y, ShredAsked))
	w.days(2, a, w.desk)
	e0 := w.desk.led.streams[w.outreach(w.desk)].known[0]
	if stones(w.bodies(e0.StreamID())) == 0 {
		t.Fatal("no tombstones")
	}
	b := w.device("phone")
	bad := true
	b.wire.twist = listTwist(e0.StreamID(), func(l *seal.Listing) {
		for i, s := range l.Entries {
			if _, ok := seal.TombstoneID(s); ok && bad {
				l.Entries[i] = bytes.Clone(s)
				l.Entries[i][200] ^= 1
			}
		}
	})
	w.enrol(b, krama.RoleOutreach)
	b.Sync(context.Background(), nil)
	bad = false
	for range 3 {
		w.contact(a, k)
		w.sync(a, w.desk)
		b.Sync(context.Background(), nil)
		w.days(1, a, w.desk)
	}
	b.Sync(context.Background(), nil)
	if len(b.all()) != len(a.all()) {
		t.Errorf("%d of %d records", len(b.all()), len(a.all()))
	}
}

// TestBatchesSpeakOfSeveral: whatever is erased when, and however many desks there are, what is dropped in one call
// speaks of at least two people of whom nothing was dropped before; a clock that was a year ahead puts nothing off for
// a year.
func TestBatchesSpeakOfSeveral(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	desk2 := w.device("desk")
	desk2.Office, desk2.cfg.Office = true, true
	w.enrol(desk2, krama.RoleAdmin|krama.RoleOutreach)
	w.sync(w.desk, desk2, a)
	c := w.outreach(w.desk)
	var people []krama.SubjectID
	for range 7 {
		people = append(people, w.person(a))
		w.sync(a)
	}
	w.contact(a, people[0])
	w.contact(a, people[2]) // in one envelope
	w.sync(a)
	for _, s := range people {
		for range 2 {
			w.contact(a, s)
			w.sync(a)
		}
	}
	w.sync(w.desk, desk2)
	first := w.desk.led.streams[c].epoch
	before := w.bodies(first.StreamID())
	dropped := map[krama.SubjectID]bool{}
	batches := 0
	look := func() {
		t.Helper()
		fresh := map[krama.SubjectID]bool{}
		now := w.bodies(first.StreamID())
		for i, b := range before {
			if _, stone := seal.TombstoneID(now[i]); !stone {
				continue
			}
			env, _ := first.Open(b)
			for j := range env.Len() {
				if s, _ := env.Peek(j); !dropped[s] {
					fresh[s] = true
				}
			}
		}
		if len(fresh) == 1 {
			t.Error("the relay was told the envelopes of one person")
		}
		if len(fresh) > 0 {
			batches++
		}
		for s := range fresh {
			dropped[s] = true
		}
	}
	erase := func(i int) { w.must(a.Erasing().Shred(krama.KindOutreach, people[i], ShredAsked)); w.sync(a) }
	desks := []*device{w.desk, desk2}
	pass := func(n int) {
		for range n {
			w.now = w.now.Add(24 * time.Hour)
			for _, d := range desks {
				w.sync(a, d)
				w.must(d.Admin().Maintain(t.Context()))
				look()
			}
		}
	}
	erase(0)
	erase(1)
	pass(3)
	if batches != 1 {
		t.Fatalf("%d batches, want 1", batches)
	}
	erase(2) // shares an envelope with one who was dropped
	pass(40)
	if batches != 1 {
		t.Errorf("%d batches, want 1: one person alone waits", batches)
	}
	erase(3)
	pass(32)
	if batches != 2 || len(dropped) != 4 {
		t.Errorf("%d batches, want 2, and %d people, want 4", batches, len(dropped))
	}
	ahead := true
	for _, d := range []*device{w.desk, desk2} {
		d.Now = func() time.Time {
			if ahead {
				return w.now.AddDate(1, 0, 0)
			}
			return w.now
		}
	}
	erase(4)
	erase(5)
	pass(35)
	ahead = false
	pass(3)
	if batches != 3 {
		t.Errorf("%d batches, want 3: a clock was a year ahead", batches)
	}
	// The desk that did it goes away. The other one takes over, and does not take for new what was dropped before.
	a1, a2 := w.desk.led.dev.ID(), desk2.led.dev.ID()
	if desks = desks[:1]; bytes.Compare(a1[:], a2[:]) < 0 {
		desks[0] = desk2
	}
	erase(6)
	pass(50)
	if batches != 3 {
		t.Errorf("%d batches, want 3: one person alone waits at another desk, too", batches)
	}
}
