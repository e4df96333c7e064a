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

// wordsInRoster are what a phone says in circle 0 by itself.
var wordsInRoster = map[string]func(*world, *device, krama.SubjectID){
	"new key": func(w *world, d *device, _ krama.SubjectID) { // the others have said theirs
		w.now = w.now.Add(31 * 24 * time.Hour)
	},
	"erasure": func(w *world, d *device, s krama.SubjectID) {
		w.must(d.Erasing().Shred(krama.KindOutreach, s,
			ShredAsked))
	},
	"new key and erasure": func(w *world, d *device, s krama.SubjectID) {
		w.now = w.now.Add(31 * 24 * time.Hour)
		w.must(d.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
	},
}

// TestARestoredRelayForgetsAPhonesWord: what a phone said in circle 0, and no admin had read when the relay broke,
// stops neither her nor the colleague who had read it, nor the office.
func TestARestoredRelayForgetsAPhonesWord(t *testing.T) {
	for name, say := range wordsInRoster {
		for _, read := range []bool{false, true} { // by a colleague
			t.Run(name, func(t *testing.T) {
				w := newSmallWorld(t)
				ctx := context.Background()
				a, b := w.phone(), w.phone()
				s, gone := w.person(a), w.person(a)
				w.sync(a, b, w.desk, a)
				backup := w.store.Clone()
				first := a.led.dev.KEM.PublicKey().Bytes()
				say(w, a, gone)
				id := w.contact(a, s)
				w.sync(a)
				if read {
					w.sync(b)
				}
				w.restore(backup, a, b, w.desk)
				w.sync(w.desk)
				w.must(w.desk.Admin().Repair(ctx, nil))
				for range 3 {
					w.sync(a, b, w.desk)
				}
				again := w.contact(a, s)
				w.sync(a, b, w.desk, a, b)
				for n, d := range map[string]*device{"a": a, "b": b, "desk": w.desk} {
					all := d.all()
					if !slices.Contains(all, id) || !slices.Contains(all, again) {
						t.Errorf("%s lacks a record", n)
					}
					if d.stopped() || d.Status().Unsent > 0 {
						t.Errorf("%s stays stopped: %v", n, d.Status().Alarms)
					}
					if d.led.roster.At() != w.desk.led.roster.At() {
						t.Errorf("%s has another list of devices", n)
					}
				}
				if name != "erasure" && bytes.Equal(a.led.roster.Devices[a.led.dev.ID()].KemPub, first) {
					t.Error("the phone's new key was never said again")
				}
				if name != "new key" && (!w.desk.led.shredded[subject{w.outreach(w.desk), gone}] ||
					!b.led.shredded[subject{w.outreach(w.desk), gone}]) {
					t.Error("the erasure was lost")
				}
				at := a.led.roster.At()
				w.reopen(a)
				w.reopen(b)
				if a.led.roster.At() != at || b.led.roster.At() != at || a.stopped() || b.stopped() {
					t.Error("a restart brings back what does not count")
				}
			})
		}
	}
}

// TestARestoredRelayHearsAPhoneFirst: a phone that had not met the relay since the backup says its word before the
// office repairs.
func TestARestoredRelayHearsAPhoneFirst(t *testing.T) {
	for name, say := range wordsInRoster {
		t.Run(name, func(t *testing.T) {
			w := newSmallWorld(t)
			ctx := context.Background()
			a, b := w.phone(), w.phone()
			s, gone := w.person(a), w.person(a)
			w.sync(a, b, w.desk, a)
			backup := w.store.Clone()
			w.now = w.now.Add(25 * time.Hour)
			w.contact(b, s)
			w.sync(b, w.desk) // the office's word of that day stands where the phone's will
			w.restore(backup, a, b, w.desk)
			say(w, a, gone)
			id := w.contact(a, s)
			w.sync(a)
			if a.led.roster.At().N <= w.desk.led.roster.At().N-1 && a.led.roster.At().N == 0 {
				t.Fatal("she said nothing: the test proves nothing")
			}
			w.desk.Sync(ctx, nil)
			w.must(w.desk.Admin().Repair(ctx, nil))
			for range 3 {
				w.sync(a, b, w.desk)
			}
			for n, d := range map[string]*device{"a": a, "b": b, "desk": w.desk} {
				if !slices.Contains(d.all(), id) {
					t.Errorf("%s lacks a record", n)
				}
				if d.stopped() || d.Status().Unsent > 0 || d.led.roster.At() != w.desk.led.roster.At() {
					t.Errorf("%s stays stopped: %v", n, d.Status().Alarms)
				}
			}
			if name != "new key" && !w.desk.led.shredded[subject{w.outreach(w.desk), gone}] {
				t.Error("the erasure was lost")
			}
		})
	}
}

// TestOnlyAnAdminForgetsAWord: a relay that shows less, or goes on with what no admin has signed, takes nothing back.
func TestOnlyAnAdminForgetsAWord(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	gone, other := w.person(a), w.person(a)
	w.sync(a, b, w.desk, a)
	backup := w.store.Clone()
	w.must(a.Erasing().Shred(krama.KindOutreach, gone, ShredAsked))
	w.sync(a)
	at := a.led.roster.At()
	w.restore(backup, a, b, w.desk)
	a.Sync(ctx, nil)
	if a.led.roster.At() != at || !a.stopped() {
		t.Fatal("the phone forgets its word because the relay did")
	}
	w.must(b.Erasing().Shred(krama.KindOutreach, other, ShredAsked)) // not an admin's word
	w.sync(b)
	for range 2 {
		a.Sync(ctx, nil)
	}
	if a.led.roster.Chain[at.N] != at.H || !a.stopped() {
		t.Fatal("the phone forgets its word for a colleague's")
	}
}

// TestARepairTakesNoAdminsWordBack: what an admin said before, and the desk that repairs never read, stays where it was
// read, and somebody is told; what an admin said at the restored relay is not taken back.
func TestARepairTakesNoAdminsWordBack(t *testing.T) {
	ctx := context.Background()
	member := func(d *device) krama.MemberID { return d.led.roster.Devices[d.led.dev.ID()].Member }
	for name, say := range map[string]func(*device, *device) error{
		"a removal": func(other, b *device) error {
			return other.Admin().RemoveDevice(ctx, b.led.dev.ID(),
				seal.ReasonLost, nil)
		},
		"more roles": func(other, b *device) error {
			return other.Admin().SetRoles(ctx, member(b), krama.RoleOutreach|krama.RoleNurse, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSmallWorld(t)
			a, b := w.phone(), w.phone()
			other := w.secondDesk()
			w.sync(a, b, w.desk, other)
			backup := w.store.Clone()
			w.must(say(other, b))
			w.sync(a)
			at := a.led.roster.At()
			w.restore(backup, a, b, w.desk, other)
			w.desk.Sync(ctx, nil)
			w.must(w.desk.Admin().Repair(ctx, nil))
			for range 2 {
				if a.Sync(ctx, nil) == nil && !a.stopped() {
					t.Error("another list of devices than the one that was read, and nobody is told")
				}
			}
			if a.led.roster.At().N < at.N || a.led.roster.Chain[at.N] != at.H {
				t.Error("what an admin said is forgotten")
			}
		})
		t.Run(name+" at the restored relay", func(t *testing.T) {
			w := newSmallWorld(t)
			a, b := w.phone(), w.phone()
			other := w.secondDesk()
			w.sync(a, b, w.desk, other)
			backup := w.store.Clone()
			w.now = w.now.Add(25 * time.Hour)
			w.sync(w.desk) // its word of that day stands where the other's will
			w.restore(backup, a, b, w.desk, other)
			w.must(say(other, b))
			at := other.led.roster.At()
			w.desk.Sync(ctx, nil)
			// a removal opened circle 0's next epoch, and the desk goes on from there
			err := w.desk.Admin().Repair(ctx, nil)
			if tampered := err != nil && krama.KindOf(err) == krama.Tampered; tampered == (name == "a removal") {
				t.Errorf("repaired over another admin's word: %v", err)
			}
			w.sync(other, a)
			for n, d := range map[string]*device{"the phone": a, "the desk": w.desk} {
				if (d == a || err == nil) && d.led.roster.Chain[at.N] != at.H {
					t.Errorf("%s forgets what an admin said", n)
				}
			}
		})
	}
}

// TestATrimSettlesNothing: who was erased after a trim is off the screen as soon as circle 0 is read, also where a
// settled word stood.
func TestATrimSettlesNothing(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	var people []krama.SubjectID
	for range 8 {
		people = append(people, w.person(b))
	}
	w.sync(b, a, w.desk, a, b)
	backup := w.store.Clone()
	for _, s := range people[:7] { // more words than a repair says
		w.must(b.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
		w.sync(b, a)
	}
	c := w.outreach(a)
	if a.led.values.settledTo(c) < a.led.roster.At().N-1 {
		t.Fatal("nothing is settled: the test proves nothing")
	}
	w.restore(backup, a, b, w.desk)
	w.sync(w.desk)
	w.must(w.desk.Admin().Repair(ctx, nil))
	w.must(b.Erasing().Shred(krama.KindOutreach, people[7], ShredAsked))
	w.sync(b, b)
	w.must(a.meeting().readRoster(ctx, nothing))
	a.mu.Lock()
	a.led.heed()
	hidden := a.led.noticed[subject{c, people[7]}]
	a.mu.Unlock()
	if !hidden {
		t.Error("an erased person is shown until her circle is read")
	}
}

// TestClaimsOfWhatWasTakenBack: what was written at a restored relay behind a word that the repair took back is sent
// again, wherever the line of the first try at the repair broke; and until a repair is whole, the desk sends nothing.
func TestClaimsOfWhatWasTakenBack(t *testing.T) {
	ctx := context.Background()
	first := newSmallWorld(t)
	a, b := first.phone(), first.phone()
	s := first.person(a)
	first.sync(a, b, first.desk, a)
	for cut := 0; ; cut++ {
		w, ds := first.clone(t, a, b)
		a, b := ds[0], ds[1]
		backup := w.store.Clone()
		w.now = w.now.Add(25 * time.Hour)
		w.sync(w.desk) // its word of that day
		w.restore(backup, a, b, w.desk)
		w.now = w.now.Add(rekeyEvery)
		w.sync(a) // her new key
		id := w.contact(a, s)
		w.sync(a)
		w.desk.Sync(ctx, nil)
		if !w.desk.led.alarms.stands(AlarmFork) {
			t.Fatal("the desk sees one history: the test proves nothing")
		}
		calls := 0
		w.desk.wire.gate = func(string) error {
			if calls++; calls == cut {

				return krama.E("test", krama.Offline, "")
			}
			return nil
		}
		err := w.desk.Admin().Repair(ctx, nil)
		w.desk.wire.gate = nil
		if err != nil && len(w.desk.led.roster.Circles[krama.OrgCircle].Epochs) == 1 && !w.desk.stopped() {
			t.Errorf("cut at call %d: nothing is repaired, and the desk sends", cut)
		}
		w.desk.Sync(ctx, nil) // as a desk does before somebody tries again
		if err := w.desk.Admin().Repair(ctx, nil); err != nil {
			t.Fatalf("cut at call %d, again: %v", cut, err)
		}
		for range 3 {
			w.sync(a, b, w.desk)
		}
		for n, d := range map[string]*device{"a": a, "b": b, "desk": w.desk} {
			if !slices.Contains(d.all(), id) {
				t.Errorf("cut at call %d: %s lacks the record", cut, n)
			}
			if d.stopped() || d.Status().Unsent > 0 {
				t.Errorf("cut at call %d: %s stays stopped: %v", cut, n, d.Status().Alarms)
			}
		}
		if t.Failed() || cut > calls {
			if cut < 5 {
				t.Errorf("%d calls: nothing was cut", calls)
			}
			return
		}
	}
}

// TestAThrownErasureIsSaidAgain: an erasure that everybody had carried out, and that a repair's close throws out
// because a colleague wrote first, counts all the same, and brings nobody an alarm.
func TestAThrownErasureIsSaidAgain(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk, a)
	backup := w.store.Clone()
	w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
	w.sync(a, w.desk, a)
	w.again(a)
	w.again(w.desk)
	w.restore(backup, a, b, w.desk)
	w.contact(b, s)
	w.sync(b) // first at the restored relay
	w.contact(b, s)
	w.desk.Sync(ctx, nil)
	w.must(w.desk.Admin().Repair(ctx, nil))
	for range 4 {
		w.sync(b, a, w.desk)
	}
	for n, d := range map[string]*device{"a": a, "b": b, "desk": w.desk} {
		id := subject{w.outreach(d), s}
		if _, key := d.led.keys[id.circle][s]; key || !d.led.shredded[id] || len(d.all()) > 0 {
			t.Errorf("%s still has her: key %v, erased %v, %d records", n, key, d.led.shredded[id], len(d.all()))
		}
		if d.Status().Unsent > 0 {
			t.Errorf("%s has %d to send", n, d.Status().Unsent)
		}
		for _, al := range d.Status().Alarms {
			if !al.Mended {
				t.Errorf("%s raises %s", n, al.What)
			}
		}
	}
	if e := w.desk.Erasing().Erasures(); len(e) != 1 {
		t.Errorf("the desk lists %d erasures", len(e))
	}
}
