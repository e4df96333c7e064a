package replica

import "krama"

// Reasons of erasure.
const (
	ShredAsked   ShredReason = 1 // she asked, or withdrew her consent to be recorded
	ShredExpired ShredReason = 2 // the circle's retention ended
	ShredDanger  ShredReason = 3 // the record endangers her
)

// Shred is one erasure as this device knows it.
// TimeMS is by its author's clock, in milliseconds, never later than this device's when it came. The keyring of the
// epoch after Epoch is the first without her.
type Shred struct {
	Circle  krama.CircleID
	Subject krama.SubjectID
	Epoch   uint32 // in which it was said
	Author  krama.DeviceID
	TimeMS  uint64
	Reason  ShredReason
}

// ShredReason says why somebody was erased.
type ShredReason byte
