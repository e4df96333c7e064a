package replica

import (
	"fmt"
	"time"

	"krama"
)

// A relay that says it took an envelope and does not show it has lost it or drops it. A sync that finds this ends well,
// because the next may show it; when it has gone on for a day, a person is told.

// dropAfter is how long what the relay took may stay unshown.
const dropAfter = 24 * time.Hour

// unshownFor is for how long the relay has not shown what it took, in milliseconds, and when
// that was last looked at. Time counts forward only, from one sync to the next: a clock that is set back neither loses
// what was counted nor makes more of it, and one that jumps ahead tells of a thing that two syncs in a row have seen.
var unshownFor = NewSetting(".unshown", OfNobody)

// tendUnshown counts how long the relay keeps back what it took, tells of it, and takes it back when everything was
// read. Called with the lock held.
func (r meeting) tendUnshown() error {
	old := r.led.values.of(unshownFor)
	now, waited, last := r.Now().UnixMilli(), int64(0), int64(0)
	if n, _ := fmt.Sscan(old, &waited, &last); n == 2 {
		waited += max(0, now-last)
	} else {
		waited = 0
	}
	var entries [][]byte
	v := ""
	switch {
	case r.unshown:
		v = fmt.Sprint(waited, now)
	case len(r.led.sealed) > 0:
		v = old // nothing was sent this time: nothing is known
	default:
		for i, a := range r.led.alarms {
			if a.What == AlarmDropped && !a.Mended {
				entries = append(entries, r.led.alarms.mend(i))
			}
		}
	}
	if v != old {
		entries = append(entries, unshownFor.entry(v))
		r.led.values.put(unshownFor, v)
	}
	if len(entries) > 0 {
		if err := r.commit(entries...); err != nil {
			return err
		}
	}
	// N is the time: a relay that drops again later is an alarm of its own.
	if r.unshown && time.Duration(waited)*time.Millisecond >= dropAfter && !r.led.alarms.stands(AlarmDropped) {
		st := r.led.streams[krama.OrgCircle]
		return r.raise(Alarm{What: AlarmDropped, Epoch: st.epoch.Epoch, N: uint64(now)})
	}
	return nil
}

// took takes note whether what the relay has just taken is shown: left is how much of what is sealed was not yet sent.
// Called with the lock held.
func (r meeting) took(c krama.CircleID, left int) (shown bool) {
	still := 0
	for _, s := range r.led.sealed {
		if s.circle == c {
			still++
		}
	}
	r.unshown = r.unshown || still > left
	return still <= left
}
