package replica

import (
	"testing"
	"time"
)

// TestAwayForMonths: a phone that comes back after four months or a year reads everything, and what was typed on it
// arrives, although what lay in its mailbox meanwhile is long gone.
func TestAwayForMonths(t *testing.T) {
	for _, weeks := range []int{18, 52} {
		w := newSmallWorld(t)
		a, b := w.phone(), w.phone()
		w.sync(a, b, w.desk)
		s := w.person(a)
		w.contact(a, s)
		for range weeks {
			w.now = w.now.Add(7 * 24 * time.Hour)
			w.contact(b, w.person(b))
			w.sync(w.desk, b)
			w.must(w.desk.Admin().Maintain(t.Context()))
			w.must(w.store.Sweep(t.Context(), w.now))
		}
		w.sync(w.desk, a, w.desk)
		if st := a.Status(); st.Unsent != 0 || len(st.Alarms) != 0 || a.shown() != 2+2*weeks {
			t.Errorf("after %d weeks: %d unsent, alarms %v, shows %d", weeks, st.Unsent, st.Alarms, a.shown())
		}
	}
}
