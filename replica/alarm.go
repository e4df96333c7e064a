package replica

import (
	"slices"

	"krama"
)

// What does not fit, and what of it was answered.

// Alarms: the verdicts of doc/format.md §2, what a relay shows less or otherwise than before, and the journal.
const (
	AlarmTampered     AlarmKind = "tampered"
	AlarmForged       AlarmKind = "forged"
	AlarmMalformed    AlarmKind = "malformed"
	AlarmUnauthorised AlarmKind = "unauthorised"
	AlarmFork         AlarmKind = "fork"
	AlarmEquivocation AlarmKind = "equivocation"
	AlarmGap          AlarmKind = "gap"      // clears when the missing envelope arrives
	AlarmRollback     AlarmKind = "rollback" // the relay shows less than before
	AlarmWithheld     AlarmKind = "withheld" // a colleague has seen roster statements that the relay does not give us
	AlarmFrozen       AlarmKind = "frozen"   // no heartbeat for 72 hours
	AlarmDamaged      AlarmKind = "damaged"  // part of this device's file could not be read
	AlarmRoster       AlarmKind = "roster"   // a roster statement broke a rule
	AlarmDropped      AlarmKind = "dropped"  // for a day the relay has not shown what it says it took
	AlarmCopied       AlarmKind = "copied"   // another copy of this device has written; this one writes nothing more
)

// alarmList is what does not fit, and what of it was answered. It only grows.
type alarmList []Alarm

// mend marks one alarm as answered, and returns the entry that says so.
func (l alarmList) mend(i int) []byte {
	l[i].Mended = true
	return clearEntry(l[i])
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

// stands reports whether any alarm of the kind is not answered.
func (l alarmList) stands(k AlarmKind) bool {
	return slices.ContainsFunc(l, func(a Alarm) bool { return a.What == k && !a.Mended })
}

// parted reports whether an alarm says that the relay's history of an epoch is not the one read here.
func (l alarmList) parted(p place) bool {
	for _, a := range l {
		if !a.Mended && !a.ByAuthor() && a.Circle == p.circle && a.Epoch == p.epoch && (a.What == AlarmRollback ||
			a.What == AlarmFork) {
			return true
		}
	}
	return false
}

// Alarm is something a person must know about. Alarms stay.
type Alarm struct {
	What   AlarmKind
	Circle krama.CircleID
	Epoch  uint32
	N      uint64 // position in the stream
	Author krama.DeviceID
	Day    krama.Day
	Claim  uint64 // the roster's place that the author says she has read; for AlarmWithheld
	Mended bool   // the relay shows again what it had hidden, a signed close has answered it, or its author was removed
}

// ByAuthor reports whether an alarm rests on what one author says of herself.
func (a *Alarm) ByAuthor() bool {
	return a.Author != krama.DeviceID{} && (a.What == AlarmFork || a.What == AlarmWithheld)
}

// AlarmKind names an alarm; the catalogue has its sentence.
type AlarmKind string

// stops reports whether the alarm stops uploads: what we would seal might go to a false stream.
func (k AlarmKind) stops() bool { return k == AlarmFork || k == AlarmRollback || k == AlarmWithheld }

// clearEntry is the journal's entry for an alarm that was answered.
func clearEntry(a Alarm) []byte {
	return tagged(tagClear, a.Circle[:], u32(a.Epoch), []byte(a.What), u64(a.N), a.Author[:])
}

// alarmEntry keeps an alarm. The last two items came later: an entry without them is of an earlier version.
func alarmEntry(a Alarm) []byte {
	f := [][]byte{[]byte(a.What), a.Circle[:], u64(a.N), a.Author[:], u64(uint64(a.Day)), u32(a.Epoch)}
	if a.Claim > 0 {
		f = append(f, u64(a.Claim))
	}
	return tagged(tagAlarm, f...)
}
