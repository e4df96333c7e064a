package replica

import (
	"slices"
	"strconv"
	"strings"

	"krama"
	"krama/seal"
)

// Two copies of one device, a clone and its original or an old image beside what came of it, write two histories under
// one key. A device that finds at the relay what it did not write, in its own name and under its own signature, is such
// a copy. It writes nothing more: everything typed is kept here, and is handed to the admins when they remove the
// device.

// errCopied ends whatever would write from a copy.
var errCopied = krama.E("replica", krama.NotAllowed, "another copy of this device is at work: it must be enrolled anew")

// copied reports whether this device is one of several copies.
func (l *ledger) copied() bool { return refuseCopies && l.alarms.stands(AlarmCopied) }

// Copied reports whether this device has found that another copy of it has written, and therefore writes nothing more.
func (r *core) Copied() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.led.copied() }

// foreign reports whether an envelope in this device's name, whose signature holds, is not of this copy. A file of
// which a part was lost proves nothing: what stood there comes back from the relay.
func (l *ledger) foreign(c krama.CircleID, e *entry) bool {
	if e.author != l.dev.ID() || l.alarms.stands(AlarmDamaged) {
		return false
	}
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

// own takes note that this copy wrote up to seq in a circle.
func (l *outgoing) own(c krama.CircleID, seq uint64) { l.wrote[c] = max(l.wrote[c], seq) }

// said is which envelopes of circle 0 were sent at once, without being kept: the place among
// this device's, then the ids of all tries at it. Only one of them can have been taken, and a cut line does not tell
// which.
var said = NewSetting(".said", OfNobody)

// noteSaid makes a try durable before it is sent. Called with the lock held.
func (r *core) noteSaid(seq uint64, wire []byte) error {
	at, tries := strconv.FormatUint(seq, 10), strings.Fields(r.led.values.of(said))
	if len(tries) == 0 || tries[0] != at {
		tries = []string{at}
	}
	return r.set(said, strings.Join(append(tries, shortID(seal.EnvelopeID(wire))), " "))
}

// saidOnce reports whether an envelope of circle 0 is one of this copy's tries at its place.
func (v settings) saidOnce(e *entry) bool {
	return slices.Contains(strings.Fields(v.of(said)), shortID(e.id))
}
