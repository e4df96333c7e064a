package replica

import (
	"slices"

	"krama"
	"krama/seal"
)

// Every envelope claims which roster and which history its author had read. Where a claim does not fit what this device
// was shown, the author or the relay lies, and one such envelope does not tell which: it is stepped over and a person
// is told, but it stops nobody. Two different members whose claims do not fit mean the relay, and so does what needs no
// author: then nothing more is sent.

// ByAuthor reports whether an alarm rests on what one author says of herself.
func (a *Alarm) ByAuthor() bool {
	return a.Author != krama.DeviceID{} && (a.What == AlarmFork || a.What == AlarmWithheld)
}

// answered reports whether an alarm needs nobody any more. Called with the lock held.
func (r *Replica) answered(a *Alarm) bool {
	if a.Mended {
		return true
	}
	dev := r.author(a.Author)
	return dev != nil && dev.Removed != 0 && (a.ByAuthor() || a.What == AlarmEquivocation)
}

// author returns a device that the roster shows, or nil.
func (r *Replica) author(d krama.DeviceID) *seal.RosterDevice {
	if r.roster == nil {
		return nil
	}
	return r.roster.Devices[d]
}

// stopped reports whether an alarm forbids sending.
func (r *Replica) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.halted()
}

// halted is stopped with the lock held.
func (r *Replica) halted() bool {
	var first *krama.MemberID // whose claims stand: an epoch's end answers those of that epoch
	for i := range r.alarms {
		a := &r.alarms[i]
		if !a.What.stops() || r.answered(a) {
			continue
		}
		dev := r.author(a.Author)
		if !a.ByAuthor() || dev == nil || !oneStopsNobody {
			return true
		}
		if first != nil && *first != dev.Member {
			return true
		}
		first = &dev.Member
	}
	return false
}

// alarmsKept bounds how many alarms of one kind are kept of one epoch, and claimsKept how often a circle is read again
// for one author's claims: whoever makes them by the thousand makes no more of them.
const (
	alarmsKept = 64
	claimsKept = 8
)

// raise records an alarm once; of one author, one of a kind is enough while it stands.
func (r *Replica) raise(a Alarm) error {
	same, by := 0, a.Author != krama.DeviceID{}
	for _, old := range r.alarms {
		if old.Circle != a.Circle || old.Epoch != a.Epoch {
			continue
		}
		if by && old.Author == a.Author && !old.Mended && a.What == AlarmWithheld && old.What == AlarmFork {
			return nil // her claims are known to be false
		}
		if old.What != a.What {
			continue
		}
		if old.Mended && a.Circle == krama.OrgCircle && a.What.stops() {
			continue // answered by a trim, and here again: the relay goes on with another history after all
		}
		if old.Author == a.Author && (old.N == a.N || by && !old.Mended) {
			return nil
		}
		same++
	}
	if same >= alarmsKept && !a.What.stops() {
		return nil
	}
	a.Day = krama.DayOf(r.Now())
	r.alarms = append(r.alarms, a)
	return r.commit(alarmEntry(a))
}

// mend marks one alarm as answered, and returns the entry that says so.
func (r *Replica) mend(i int) []byte {
	r.alarms[i].Mended = true
	return clearEntry(r.alarms[i])
}

func clearEntry(a Alarm) []byte {
	return tagged(tagClear, a.Circle[:], u32(a.Epoch), []byte(a.What), u64(a.N), a.Author[:])
}

// mendedOne marks the alarm that a journal entry says is answered.
func (r *Replica) mendedOne(p place, what AlarmKind, n uint64, by krama.DeviceID) {
	for i, a := range r.alarms {
		if a.Circle == p.circle && a.Epoch == p.epoch && a.What == what && a.N == n && a.Author == by {
			r.alarms[i].Mended = true
		}
	}
}

// mended marks the alarms of an epoch that an admin's signature has answered: she has signed where it ends, and our
// history agrees with it.
func (r *Replica) mended(p place) {
	for i, a := range r.alarms {
		if a.What.stops() && a.Circle == p.circle && a.Epoch == p.epoch {
			r.alarms[i].Mended = true
		}
	}
}

// reconsider begins anew with streams in which an author was refused whom the roster has named since, or whose claim of
// the roster's place it has now reached.
func (r *Replica) reconsider() error {
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	for c, st := range r.streams {
		if c == krama.OrgCircle {
			continue
		}
		again := false
		for d := range st.strangers {
			_, known := r.roster.Author(c, st.epoch.Epoch, d)
			again = again || known
		}
		entries := r.reached(c, st)
		if len(entries) > 0 || again {
			p := place{c, st.epoch.Epoch}
			if err := r.commit(append(entries, tagged(tagAgain, c[:], u32(p.epoch)))...); err != nil {
				return err
			}
			r.judgeAgain(p)
		}
	}
	return nil
}

// reached answers the alarms of a circle's open epoch whose claim can be judged now.
func (r *Replica) reached(c krama.CircleID, st *stream) (entries [][]byte) {
	before := map[krama.DeviceID]int{}
	for i, a := range r.alarms {
		if a.What != AlarmWithheld || !a.ByAuthor() || a.Circle != c || a.Epoch != st.epoch.Epoch {
			continue
		}
		if a.Mended {
			before[a.Author]++
		} else if a.Claim <= r.roster.At().N && before[a.Author] < claimsKept {
			entries = append(entries, r.mend(i))
		}
	}
	return entries
}

// answeredByRelay marks the alarms of an epoch that what the relay shows now has answered, and makes that durable.
func (r *Replica) answeredByRelay(p place, st *stream, relay seal.Head) error {
	var entries [][]byte
	for i, a := range r.alarms {
		if a.Mended || a.Circle != p.circle || a.Epoch != p.epoch {
			continue
		}
		if p.circle == krama.OrgCircle && a.What == AlarmRollback && st.head == relay || a.What == AlarmWithheld &&
			!a.ByAuthor() && st.head.N >= a.N {
			entries = append(entries, r.mend(i))
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return r.commit(entries...)
}

// stands reports whether any alarm of the kind is not answered. Called with the lock held.
func (r *Replica) stands(k AlarmKind) bool {
	return slices.ContainsFunc(r.alarms, func(a Alarm) bool { return a.What == k && !a.Mended })
}
