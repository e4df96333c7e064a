package office

import (
	"slices"
	"time"

	"krama"
	"krama/casework"
	"krama/replica"
	"krama/seal"
)

// Exposure is what losing a device means, from the roster and this desk's own records: neither the device nor the relay
// is asked.
type Exposure struct {
	Member  krama.MemberID
	Since   krama.Day      // when the device was enrolled; 0 where the roster's log does not say
	Others  int            // other devices of the member
	Copied  bool           // what it writes is kept back until an admin decides
	People  int            // in the circles it reads, or may have kept
	Worried []casework.Row // who is to be called first: children, and people who last said that they are not safe
}

// ExposureOf looks at a device that the roster has. circles are those that it reads; of a removed one it is not known
// what it kept, so all count.
func (o *Office) ExposureOf(id krama.DeviceID, circles []krama.CircleKind, removed bool) (e Exposure) {
	_, e.Copied = o.Rep.Admin().Suspended()[id]
	o.Rep.Roster(func(ro *seal.Roster) {
		dev := ro.Devices[id]
		e.Member = dev.Member
		// The roster has the place where a device came in; its log has the day, by the clock of whoever enrolled it.
		for _, l := range ro.Log {
			if l.N == dev.Since {
				e.Since = krama.DayOf(time.UnixMilli(int64(l.TimeMS)))
			}
		}
		for x, other := range ro.Devices {
			if x != id && other.Member == dev.Member && other.Removed == 0 {
				e.Others++
			}
		}
	})
	// People are in the outreach circle alone.
	if !slices.Contains(circles, krama.KindOutreach) && !removed {
		return e
	}
	for _, row := range o.State.Rows(o.today()) {
		e.People++
		if row.Minor || row.NotSafe {
			e.Worried = append(e.Worried, row)
		}
	}
	return e
}

// Recovery is how far a programme is able to come back without any device.
type Recovery struct {
	Set      bool                // trustees were chosen
	K, N     int                 // so many of so many cards
	Shown    map[uint8]krama.Day // cards of the present set that were shown once, by number
	Accepted krama.Day           // when an admin accepted in writing that losing every device loses everything
	Ready    bool                // K different cards were shown
}

// RecoveryOf reads it from a device's roster and records. A phone asks too: before the first person is registered.
func RecoveryOf(rep *replica.Replica, st *casework.State, today krama.Day) (r Recovery) {
	var set [4]byte
	rep.Roster(func(ro *seal.Roster) {
		if t := ro.Trustees; t != nil {
			r.Set, r.K, r.N, set = true, int(t.K), int(t.N), t.Set
		}
	})
	r.Shown, r.Accepted = st.Drills(set, today)
	if !r.Set {
		r.Shown = nil
	}
	r.Ready = r.Set && len(r.Shown) >= r.K
	return r
}

// MayBegin reports whether the first person may be registered: recovery was set up and tried, or an admin has accepted
// to be without.
func MayBegin(rep *replica.Replica, st *casework.State, today krama.Day) bool {
	// It is asked before the first person alone.
	if n, _ := st.Counts(); n > 0 {
		return true
	}
	r := RecoveryOf(rep, st, today)
	return r.Ready || r.Accepted != 0
}
