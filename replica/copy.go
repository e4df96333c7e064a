package replica

import (
	"slices"
	"strings"

	"krama"
)

// Two copies of one device, a clone and its original or an old image beside what came of it, write two histories under
// one key. A device that finds at the relay what it did not write, in its own name and under its own signature, is such
// a copy. It writes nothing more: everything typed is kept here, and is handed to the admins when they remove the
// device.

// errCopied ends whatever would write from a copy.
var errCopied = krama.E("replica", krama.NotAllowed, "another copy of this device is at work: it must be enrolled anew")

// copied reports whether this device is one of several copies.
func (l *ledger) copied() bool { return refuseCopies && l.alarms.stands(AlarmCopied) }

// said is which envelopes of circle 0 were sent at once, without being kept: the place among
// this device's, then the ids of all tries at it. Only one of them can have been taken, and a cut line does not tell
// which.
var said = NewSetting(".said", OfNobody)

// saidOnce reports whether an envelope of circle 0 is one of this copy's tries at its place.
func (v settings) saidOnce(e *entry) bool {
	return slices.Contains(strings.Fields(v.of(said)), shortID(e.id))
}
