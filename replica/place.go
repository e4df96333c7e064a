package replica

import (
	"math"

	"krama"
)

// Where something stands, and what counts no more from there on.

// subject names a person in one circle.
type subject struct {
	circle krama.CircleID
	id     krama.SubjectID
}

// place names one epoch of a circle.
type place struct {
	circle krama.CircleID
	epoch  uint32
}

// cut says that envelopes of an epoch past n are void. Repair tells that a relay had lost them.
type cut struct {
	n      uint64
	repair bool
}

// readings says that an epoch's stream was read anew: what the first n readings of it showed is left out. Repair tells
// that one of them was of another history than the one that was signed.
type readings struct {
	n      int
	repair bool
}

// errCut stops reading a journal: a close lies behind what was read.
type errCut struct {
	place
	cut
	left int  // how many readings of the epoch are left out; 0 when it is a place in the one that counts
	trim bool // it is a place of circle 0, and reading goes on behind it
}

func (errCut) Error() string { return "replica: a signed close lies behind what was read" }

// rewrap is a wrap that a device asked for.
type rewrap struct {
	device krama.DeviceID
	circle krama.CircleID
	epoch  uint32
}

// placeOf returns the circle and epoch that a close, or a stream's new beginning, names first.
func placeOf(b []byte) place { return place{krama.CircleID(b[5:21]), be32(b[25:])} }

// openEpoch stands for the epoch of a circle that is open where a journal entry stands.
func openEpoch(c krama.CircleID) place { return place{c, math.MaxUint32} }
