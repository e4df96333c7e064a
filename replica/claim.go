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

// answered reports whether an alarm needs nobody any more.
func (l *ledger) answered(a *Alarm) bool {
	if a.Mended {
		return true
	}
	dev := l.author(a.Author)
	return dev != nil && dev.Removed != 0 && (a.ByAuthor() || a.What == AlarmEquivocation)
}

// author returns a device that the roster shows, or nil.
func (l *ledger) author(d krama.DeviceID) *seal.RosterDevice {
	if l.roster == nil {
		return nil
	}
	return l.roster.Devices[d]
}

// stopped reports whether an alarm forbids sending.
func (r *core) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.led.halted()
}

// halted is stopped with the lock held.
func (l *ledger) halted() bool {
	var first *krama.MemberID // whose claims stand: an epoch's end answers those of that epoch
	for i := range l.alarms {
		a := &l.alarms[i]
		if !a.What.stops() || l.answered(a) {
			continue
		}
		dev := l.author(a.Author)
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

// raise records an alarm and makes it durable.
func (r *core) raise(a Alarm) error {
	r.led.alarm(a)
	return r.flush()
}

// alarm records an alarm once, and owes its entry; of one author, one of a kind is enough while it stands.
func (l *ledger) alarm(a Alarm) {
	same, by := 0, a.Author != krama.DeviceID{}
	for _, old := range l.alarms {
		if old.Circle != a.Circle || old.Epoch != a.Epoch {
			continue
		}
		if by && old.Author == a.Author && !old.Mended && a.What == AlarmWithheld && old.What == AlarmFork {
			return // her claims are known to be false
		}
		if old.What != a.What {
			continue
		}
		if old.Mended && a.Circle == krama.OrgCircle && a.What.stops() {
			continue // answered by a trim, and here again: the relay goes on with another history after all
		}
		if old.Author == a.Author && (old.N == a.N || by && !old.Mended) {
			return
		}
		same++
	}
	if same >= alarmsKept && !a.What.stops() {
		return
	}
	a.Day = krama.DayOf(l.host.Now())
	l.alarms = append(l.alarms, a)
	l.owed = append(l.owed, alarmEntry(a))
}

// mend marks one alarm as answered, and returns the entry that says so.
func (l alarmList) mend(i int) []byte {
	l[i].Mended = true
	return clearEntry(l[i])
}

// clearEntry is the journal's entry for an alarm that was answered.
func clearEntry(a Alarm) []byte {
	return tagged(tagClear, a.Circle[:], u32(a.Epoch), []byte(a.What), u64(a.N), a.Author[:])
}

// mendedOne marks the alarm that a journal entry says is answered.
func (l alarmList) mendedOne(p place, what AlarmKind, n uint64, by krama.DeviceID) {
	for i, a := range l {
		if a.Circle == p.circle && a.Epoch == p.epoch && a.What == what && a.N == n && a.Author == by {
			l[i].Mended = true
		}
	}
}

// mended marks the alarms of an epoch that an admin's signature has answered: she has signed where it ends, and our
// history agrees with it.
func (l alarmList) mended(p place) {
	for i, a := range l {
		if a.What.stops() && a.Circle == p.circle && a.Epoch == p.epoch {
			l[i].Mended = true
		}
	}
}

// reconsider begins anew with streams in which an author was refused whom the roster has named since, or whose claim of
// the roster's place it has now reached.
func (r *core) reconsider() error {
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	for c, st := range r.led.streams {
		if c == krama.OrgCircle {
			continue
		}
		again := false
		for d := range st.strangers {
			_, known := r.led.roster.Author(c, st.epoch.Epoch, d)
			again = again || known
		}
		entries := r.led.reached(c, st)
		if len(entries) > 0 || again {
			p := place{c, st.epoch.Epoch}
			if err := r.commit(append(entries, tagged(tagAgain, c[:], u32(p.epoch)))...); err != nil {
				return err
			}
			r.led.judgeAgain(p)
		}
	}
	return nil
}

// reached answers the alarms of a circle's open epoch whose claim can be judged now.
func (l *ledger) reached(c krama.CircleID, st *stream) (entries [][]byte) {
	before := map[krama.DeviceID]int{}
	for i, a := range l.alarms {
		if a.What != AlarmWithheld || !a.ByAuthor() || a.Circle != c || a.Epoch != st.epoch.Epoch {
			continue
		}
		if a.Mended {
			before[a.Author]++
		} else if a.Claim <= l.roster.At().N && before[a.Author] < claimsKept {
			entries = append(entries, l.alarms.mend(i))
		}
	}
	return entries
}

// answeredByRelay answers the alarms of an epoch that what the relay shows now has answered.
func (l *ledger) answeredByRelay(p place, st *stream, relay seal.Head) (entries [][]byte) {
	for i, a := range l.alarms {
		if a.Mended || a.Circle != p.circle || a.Epoch != p.epoch {
			continue
		}
		if p.circle == krama.OrgCircle && a.What == AlarmRollback && st.head == relay || a.What == AlarmWithheld &&
			!a.ByAuthor() && st.head.N >= a.N {
			entries = append(entries, l.alarms.mend(i))
		}
	}
	return entries
}

// stands reports whether any alarm of the kind is not answered.
func (l alarmList) stands(k AlarmKind) bool {
	return slices.ContainsFunc(l, func(a Alarm) bool { return a.What == k && !a.Mended })
}
