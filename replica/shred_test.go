package replica

import (
	"testing"
	"time"

	"krama"
)

// TestA16ErasuresDoNotForceEpochs: who was kept long enough goes with the month's rotation; who asked, once a day; who
// is in danger, at once.
func TestA16ErasuresDoNotForceEpochs(t *testing.T) {
	w := newSmallWorld(t)
	c := w.outreach(w.desk)
	epochs := func() int { return len(w.desk.led.roster.Circles[c].Epochs) }
	erase := func(why ShredReason) {
		s := w.person(w.desk)
		w.sync(w.desk)
		w.must(w.desk.Erasing().Shred(krama.KindOutreach, s, why))
		w.sync(w.desk)
		w.must(w.desk.Admin().Maintain(t.Context()))
		w.sync(w.desk)
	}
	step := func(what string, why ShredReason, want int) {
		t.Helper()
		erase(why)
		if n := epochs(); n != want {
			t.Fatalf("%s: %d epochs, want %d", what, n, want)
		}
	}
	n := epochs()
	for range 5 {
		step("kept long enough", ShredExpired, n)
		w.now = w.now.Add(24 * time.Hour)
	}
	step("asked", ShredAsked, n+1)
	step("asked an hour later", ShredAsked, n+1)
	step("in danger", ShredDanger, n+2)
	step("asked on the same day", ShredAsked, n+2)
	w.now = w.now.Add(24 * time.Hour)
	step("asked a day later", ShredAsked, n+3)
	w.now = w.now.Add(30 * 24 * time.Hour)
	step("a month later", ShredExpired, n+4)
}
