package relay_test

import (
	"testing"
	"time"
)

// TestAnswersKeepTheBeat: an answer for a reporter, or the noise of an empty mailbox, does not leave as soon as it is
// made: how long the relay looked is not seen from outside. That an answer is late says nothing; that one is early
// would.
func TestAnswersKeepTheBeat(t *testing.T) {
	const beat = 40 * time.Millisecond
	g := newDoorRig(t)
	r := g.receipt("12345678901234567897")
	for range 5 {
		began := time.Now()
		if w := g.look(r, r.Auth); w.Code != 200 {
			t.Fatalf("status %d", w.Code)
		}
		if took := time.Since(began); took < beat {
			t.Fatalf("an answer left after %v, before the first beat", took)
		}
	}
}
