package replica

import (
	"krama"
	"krama/seal"
)

// Every envelope claims which roster and which history its author had read. Where a claim does not fit what this device
// was shown, the author or the relay lies, and one such envelope does not tell which: it is stepped over and a person
// is told, but it stops nobody. Two different members whose claims do not fit mean the relay, and so does what needs no
// author: then nothing more is sent.

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

// halted is stopped with the lock held.
func (l *ledger) halted() bool {
	var first *krama.MemberID // whose claims stand: an epoch's end answers those of that epoch
	for i := range l.alarms {
		a := &l.alarms[i]
		if !a.What.stops() || l.answered(a) {
			continue
		}
		dev := l.author(a.Author)
		// Nobody's claim is needed for it, or nobody known made it: this stops at once.
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
	// An alarm that stops sending is kept however many there are: sending hangs on it.
	if same >= alarmsKept && !a.What.stops() {
		return
	}
	a.Day = krama.DayOf(l.host.Now())
	l.alarms = append(l.alarms, a)
	l.owed = append(l.owed, alarmEntry(a))
}

// vouchedFor reports whether every admin's desk but the device itself has written into circle 0 behind the device's
// newest key. A relay that is restored may lose the word of that key, and a desk that had not read it wraps to the old
// one: until then that stays.
func (l *ledger) vouchedFor(dev *seal.RosterDevice) bool {
	for d, n := range l.vouched {
		// Only desks that have spoken are asked: one that was removed, or is no admin's any more, holds nobody up.
		if o := l.author(d); d != dev.ID && o != nil && o.Removed == 0 && l.roster.Admin(d) && n <= dev.KemAt {
			return false
		}
	}
	return true
}

// unvouched reports whether a colleague's device has said a new key behind this desk's last word.
func (l *ledger) unvouched() bool {
	for _, d := range l.roster.Devices {
		if d.KemAt > l.vouched[l.dev.ID()] && d.Removed == 0 && d.ID != l.dev.ID() && d.KemAt > d.Since {
			return true
		}
	}
	return false
}
