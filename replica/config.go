package replica

import (
	"errors"
	"io"
	"time"

	"krama"
	"krama/journal"
	"krama/seal"
)

// What a device needs from its host, and tells it.

// Event is one record that entered the replica, in the order of its stream or, when Local, just typed here. A record
// that was typed here comes once more, not Local, when it is confirmed.
//
// An event without a record says that a subject was erased: everything of hers is to be forgotten.
type Event struct {
	// TimeMS is what the author's clock said, in milliseconds, but never later than this device's clock when it came; 0
	// for what was typed here and is not confirmed.
	Circle  krama.CircleKind
	Subject krama.SubjectID
	Record  *krama.Record
	Author  krama.DeviceID
	TimeMS  uint64
	Local   bool
}

// Config is what a replica needs from its host.
type Config struct {
	// Nothing of it changes while the replica is open. Dir holds one device, whose files this process has alone.
	Dir      journal.Dir
	Rand     io.Reader
	Now      func() time.Time
	Dial     func(relayURL string) Remote
	Feed     func(Event) // called with the replica's lock held
	Reset    func()      // called before everything is fed again: what was fed is to be forgotten
	Platform string      // in the enrolment request: "phone", "desk"
	Office   bool        // writes the daily heartbeat
	Cost     seal.Cost   // of the vault; zero for the default, stepping down when memory is short
}

// cost is how much work opening costs.
func (c Config) cost() seal.Cost {
	if c.Cost == (seal.Cost{}) {
		return seal.CostDefault
	}
	return c.Cost
}

// hostError gives errors of the host's files a kind.
func hostError(op string, err error) error {
	// A page tells these apart: no room, another tab, a later version, a file that is not ours. Any other cause keeps
	// its kind, or is Internal.
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrFull):
		return &krama.Error{Op: op, Kind: krama.Full, Err: err}
	case errors.Is(err, journal.ErrBusy):
		return &krama.Error{Op: op, Kind: krama.Conflict, Err: err}
	case errors.Is(err, journal.ErrNewer):
		return &krama.Error{Op: op, Kind: krama.NotYet, Err: err}
	case errors.Is(err, journal.ErrNot):
		return &krama.Error{Op: op, Kind: krama.Tampered, Err: err}
	}
	return krama.Wrap(op, err)
}
