package replica

import (
	"bytes"
	"context"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// shows reports whether a device has somebody on its screen.
func (d *device) shows(s krama.SubjectID) (on bool) {
	for _, e := range d.events {
		if e.Subject == s {
			on = e.Record != nil
		}
	}
	return on
}

// TestA28Bound: a stolen phone erases everybody. Five are gone; the others are off every screen and nothing of theirs
// is destroyed: they can be taken back, a second member can confirm, and after a week they are gone.
func TestA28Bound(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b, late := w.phone(), w.phone(), w.phone()
	c := w.outreach(a)
	var who []krama.SubjectID
	for range 12 {
		who = append(who, w.person(a))
	}
	w.sync(a, b)
	for _, s := range who {
		w.contact(b, s)
	}
	w.sync(b, a, w.desk, late)
	code := a.code(who[11])
	for _, s := range who {
		w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredDanger))
	}
	w.contact(b, who[11]) // typed by somebody who does not know yet
	w.sync(a, b, w.desk, b, a, w.desk)
	all := []*device{a, b, w.desk}
	check := func(when string, on func(i int) bool, waiting int, ds ...*device) {
		t.Helper()
		for n, d := range ds {
			for i, s := range who {
				if d.shows(s) != on(i) {
					t.Errorf("%s: device %d shows person %d: %v", when, n, i, d.shows(s))
				}
				if _, key := d.led.keys[c][s]; i < 5 && key {
					t.Errorf("%s: device %d keeps the key of person %d: %v", when, n, i, key)
				}
			}
			if got := len(d.Erasing().Awaiting()); got != waiting {
				t.Errorf("%s: device %d: %d wait, want %d", when, n, got, waiting)
			}
			if d.Status().Unsent != 0 {
				t.Errorf("%s: device %d has %d unsent", when, n, d.Status().Unsent)
			}
		}
	}
	nobody := func(int) bool { return false }
	check("at once", nobody, 7, all...)
	for _, d := range all {
		w.again(d)
	}
	check("after a restart", nobody, 7, all...)
	w.must(w.desk.Admin().Maintain(ctx))
	w.sync(all...)
	w.sync(all...)
	check("after a rotation", nobody, 7, all...)
	if err := a.Erasing().Shred(krama.KindOutreach, who[5], ShredDanger); krama.KindOf(err) != krama.NotAllowed {
		t.Errorf("its author confirms it herself: %v", err)
	}
	if err := b.Erasing().TakeBack(krama.KindOutreach, who[5]); krama.KindOf(err) != krama.NotAllowed {
		t.Errorf("anybody takes it back: %v", err)
	}
	w.must(b.Erasing().Shred(krama.KindOutreach, who[5], ShredAsked)) // a second member
	w.must(w.desk.Erasing().TakeBack(krama.KindOutreach, who[6]))     // an admin
	w.must(a.Erasing().TakeBack(krama.KindOutreach, who[11]))         // its author
	h := b.led.header(c, seal.EnvContent)                             // and somebody who may not, by a changed program
	wire, err := b.led.streams[c].epoch.Seal(b.Rand, b.led.dev, h,
		[]seal.Item{{Subject: who[7], Kind: seal.KindUnshred}},
		func(s krama.SubjectID) (seal.SubjectKey, bool) { k, ok := b.led.keys[c][s]; return k, ok })
	w.must(err)
	b.mu.Lock()
	w.must(b.commit(tagged(tagSealed, c[:], u64(h.Seq), wire)))
	b.led.addSealed(c, h.Seq, wire)
	b.mu.Unlock()
	back := func(i int) bool { return i == 6 || i == 11 }
	w.sync(b, w.desk, a, b, w.desk, a)
	check("answered", back, 4, all...)
	for _, d := range all {
		w.again(d)
		w.sync(d)
	}
	check("answered, after a restart", back, 4, all...)
	if n := len(w.desk.all()); n != 5 { // two registrations, two contacts, and the one that was typed meanwhile
		t.Errorf("the desk shows %d records, want 5", n)
	}
	w.sync(late)
	w.sync(late)
	check("a phone that was away", back, 4, late)
	w.now = w.now.Add(waitAtMost + time.Hour)
	w.sync(w.desk, a, b, late)
	check("after a week", back, 0, a, b, w.desk, late)
	w.must(w.desk.Admin().Maintain(ctx))
	for range 3 {
		w.sync(a, b, w.desk, late)
	}
	for _, e := range w.desk.Erasing().Erasures() {
		if !e.Complete() {
			t.Errorf("not complete: %+v", e)
		}
	}
	if n := len(w.desk.Erasing().Erasures()); n != 10 {
		t.Errorf("%d erasures, want 10", n)
	}
	for i, d := range []*device{a, b, w.desk, late} {
		w.again(d)
		plain := w.dump(d, d.files(), d.vk)
		if !bytes.Contains(plain, []byte(code)) {
			t.Errorf("device %d lost who was taken back", i)
		}
	}
	check("in the end", back, 0, a, b, w.desk, late)
	if d := w.desk.Admin().Due(); len(d) != 0 {
		t.Errorf("a restart makes a rotation due again: %v", d)
	}
	w.noAlarm(a, b, w.desk, late)
}

// TestA28ClockBuysNothing: a clock that runs a day for every erasure, ahead or behind, buys no more of them.
func TestA28ClockBuysNothing(t *testing.T) {
	for name, step := range map[string]time.Duration{"ahead": 25 * time.Hour, "behind": -25 * time.Hour,
		"from long ago": 24*time.Hour + time.Minute} {
		t.Run(name, func(t *testing.T) {
			w := newSmallWorld(t)
			a, b := w.phone(), w.phone()
			var who []krama.SubjectID
			for range 20 {
				who = append(who, w.person(b))
			}
			w.sync(b, a, w.desk)
			at := w.now
			if name == "from long ago" {
				at = at.Add(-40 * day)
			}
			a.Now = func() time.Time { return at }
			for _, s := range who {
				at = at.Add(step)
				w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
				w.must(a.Sync(context.Background(), nil))
			}
			w.now = w.now.Add(30 * day) // whoever looks later, with the times past
			w.sync(w.desk, b)
			for i, d := range []*device{w.desk, b} {
				if n := len(d.Erasing().Awaiting()); n < 10 {
					t.Errorf("device %d: only %d of 20 wait", i, n)
				}
			}
		})
	}
}

// TestA28Retention: what the circle's retention has ended needs no second word; what says so and is younger does.
func TestA28Retention(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	var old, young []krama.SubjectID
	for range 8 {
		old = append(old, w.person(a))
	}
	w.sync(a, w.desk)
	c := w.outreach(a)
	keep := time.Duration(w.desk.led.roster.Circles[c].RetentionDays) * day
	if keep == 0 {
		t.Fatal("the outreach circle keeps for ever: the test proves nothing")
	}
	w.now = w.now.Add(keep + day)
	for range 8 {
		young = append(young, w.person(a))
	}
	w.sync(w.desk, a, w.desk)
	for _, s := range append(old, young...) {
		w.must(w.desk.Erasing().Shred(krama.KindOutreach, s, ShredExpired))
	}
	w.sync(w.desk, a)
	for i, d := range []*device{w.desk, a} {
		if n := len(d.Erasing().Awaiting()); n != 3 {
			t.Errorf("device %d: %d wait, want 3 of the young", i, n)
		}
	}
}

// TestA28NewDevice: a device that comes later reads erasures that waited and were carried out since. Nothing of theirs
// is there to wait for, and nobody is asked for a second word.
func TestA28NewDevice(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	var who []krama.SubjectID
	for range 9 {
		who = append(who, w.person(a))
	}
	w.sync(a, w.desk)
	w.must(w.desk.Admin().Rotate(ctx, w.outreach(a)))
	w.sync(a, w.desk)
	for _, s := range who[:8] {
		w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredDanger))
	}
	w.sync(a, w.desk)
	w.now = w.now.Add(waitAtMost + time.Hour)
	w.sync(a, w.desk)
	w.must(w.desk.Admin().Maintain(ctx))
	w.sync(a, w.desk, a, w.desk)
	for range 2 {
		fresh := w.phone()
		w.sync(fresh, fresh)
		if got := len(fresh.Erasing().Awaiting()); got != 0 {
			t.Errorf("%d erasures wait on a new device", got)
		}
		if !fresh.shows(who[8]) || fresh.shows(who[7]) {
			t.Errorf("shown: %v, erased and shown: %v", fresh.shows(who[8]), fresh.shows(who[7]))
		}
		w.again(fresh)
		if got := len(fresh.Erasing().Awaiting()); got != 0 {
			t.Errorf("%d erasures wait on a new device after a restart", got)
		}
		w.now = w.now.Add(waitAtMost + time.Hour)
	}
}
