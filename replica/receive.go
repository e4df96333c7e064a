package replica

import (
	"krama"
	"krama/seal"
)

// What the ledger makes of a page of a stream, and of what the relay says of its head.

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

// foreign reports whether an envelope in this device's name, whose signature holds, is not of this copy. A file of
// which a part was lost proves nothing: what stood there comes back from the relay.
func (l *ledger) foreign(c krama.CircleID, e *entry) bool {
	if e.author != l.dev.ID() || l.alarms.stands(AlarmDamaged) {
		return false
	}
	// A signature was checked before these three were given. Fine and Gap are foreign behind what this copy knows to
	// have written, an equivocation wherever it stands. Any other verdict does not tell whose hand it was.
	switch e.verdict {
	case seal.Fine, seal.Gap:
		if e.seq <= l.wrote[c] {
			return false // read before
		}
	case seal.Equivocation:
	default:
		return false
	}
	return l.ownWire(c, e.id) == nil && !(c == krama.OrgCircle && l.values.saidOnce(e))
}

// errMoved says that somebody else at this device, a rotation beside a sync, read on meanwhile.
var errMoved = krama.E("replica.receive", krama.Conflict, "the stream moved")

// errLess says that the relay shows less than before: a person was told, and reading ends.
var errLess = krama.E("replica.receive", krama.Tampered, "the relay shows less than before")

// receive verifies one page of a stream and applies it. The entries are to be made durable together with what is owed;
// said is what the page then means to whoever asked for it. After err memory is ahead of the
// file until the device is opened again. damaged says that a part of the journal was lost.
func (l *ledger) receive(p place, after uint64, page seal.Listing, damaged bool) (entries [][]byte, said, err error) {
	c := p.circle
	st := l.streams[c]
	if st == nil || st.epoch.Epoch != p.epoch || st.head.N != after {
		return nil, errMoved, nil
	}
	// Circle 0 has no end that is signed elsewhere: its last envelope is the statement that opens the next epoch.
	end, closed := l.roster.ClosedAt(c, st.epoch.Epoch)
	closed = closed && c != krama.OrgCircle && refusePastClose
	before := max(after, st.floor.N)
	if closed { // what the first reading showed past the signed end counts no more
		before = max(after, min(st.floor.N, end.N))
	}
	// What was shown once is there for good. A relay that has less was restored from a backup, or hides it.
	if page.Head.N < before {
		l.alarm(Alarm{What: AlarmRollback, Circle: c, Epoch: st.epoch.Epoch, N: before})
		return nil, errLess, nil
	}
	for i, wire := range page.Entries {
		// before any is taken: what a copy of this device wrote takes the place of one of ours
		if len(wire) == 32 {
			if page.Entries[i] = l.ownWire(c, [32]byte(wire)); page.Entries[i] == nil {
				return nil, krama.E("replica.receive", krama.Tampered,
					"the relay names an envelope we did not ask about"), nil
			}
		}
	}
	// One after the other: a statement or a key in one envelope decides about those behind it.
	for _, wire := range page.Entries {
		if closed && st.head.N >= end.N || c == krama.OrgCircle && l.complete(c, st) {
			break // past its signed end nothing counts
		}
		// NotYet is a statement of a later version. What stands before it on the page is kept, and reading ends here
		// until the program is a later one too.
		e, env, err := l.admit(c, st, wire)
		if krama.KindOf(err) == krama.NotYet {
			l.newer = true
		}
		if err != nil {
			return entries, err, nil
		}
		// The statement is folded into the roster here, where its signature can still be checked; fold leaves it alone
		// then.
		if c == krama.OrgCircle && env != nil && e.kind == seal.EnvRoster && e.verdict == seal.Fine {
			if err := l.roster.Apply(env); err != nil {
				e.verdict = seal.Unauthorised
			}
			e.applied = true
		}
		// This copy has not written it: another copy of the device is at work (copy.go).
		if env != nil && !damaged && l.foreign(c, e) {
			l.alarm(Alarm{What: AlarmCopied, Circle: c, Epoch: e.epoch, N: e.n, Author: e.author})
		}
		// An office can give it back to a relay that has lost it (repair.go); a phone has no room for that.
		if l.host.Office {
			e.wire = wire
		}
		entries = append(entries, e.marshal())
		for _, a := range alarmsOf(e) {
			if dev := l.roster.Devices[a.Author]; dev != nil && dev.Removed != 0 && (a.What == AlarmUnauthorised ||
				a.ByAuthor()) {
				continue // she did not know yet, or her word counts no more
			}
			l.alarm(a)
		}
		if err := l.apply(st, e); err != nil {
			return nil, nil, err
		}
	}
	// The relay's own chain value: a history it rewrote does not end where ours ends.
	if st.head.N == page.Head.N && st.head.H != page.Head.H {
		l.alarm(Alarm{What: AlarmFork, Circle: c, Epoch: st.epoch.Epoch, N: st.head.N})
		return entries, nil, nil
	}
	return append(entries, l.answeredByRelay(p, st, page.Head)...), nil, nil
}

// complete reports whether a stream was read to its signed end.
func (l *ledger) complete(c krama.CircleID, st *stream) bool {
	// Before the genesis was read the roster has no circle to look into.
	if c == krama.OrgCircle {
		return len(l.roster.Circles) > 0 && int(st.epoch.Epoch)+1 < len(l.roster.Circles[c].Epochs)
	}
	end, ok := l.roster.ClosedAt(c, st.epoch.Epoch)
	return ok && refusePastClose && st.head.N >= end.N
}

// ownWire is an envelope of this device's that waits to be read back, by its id; nil for another.
func (l *outgoing) ownWire(c krama.CircleID, id [32]byte) []byte {
	for _, s := range l.sealed {
		if s.circle == c && s.id == id {
			return s.wire
		}
	}
	return nil
}
