package replica

import (
	"context"
	"crypto/ed25519"
	"slices"

	"krama"
	"krama/seal"
)

// What this device holds of a stream, held against what a restored relay still has.

// compare reads the relay's head of a stream and finds the newest place where its history is ours.
func (r meeting) compare(ctx context.Context, key ed25519.PrivateKey, id seal.StreamID, start seal.Head,
	ids [][32]byte) (theirs, common seal.Head, err error) {
	common = start
	for after := uint64(0); ; {
		answer, err := r.call(ctx, key, seal.PathList, id, seal.ListCall{After: after, Max: pageBytes}.Marshal())
		if err != nil {
			return theirs, common, err
		}
		l, err := seal.ParseListing(answer)
		if err != nil {
			return theirs, common, krama.E("replica.compare", krama.Tampered, "the relay's answer is cut or garbled")
		}
		theirs = l.Head
		for _, wire := range l.Entries {
			// Common only as long as everything before is: behind the first that differs nothing is in its old place.
			if common.N == after && after < uint64(len(ids)) && seal.WireID(wire) == ids[after] {
				common = common.Link(ids[after])
			}
			after++
		}
		if len(l.Entries) == 0 || after >= l.Head.N {
			return theirs, common, nil
		}
	}
}

// keeping is what a reading of this device's own file finds of one epoch: which envelopes it has, in order, and those
// after a place whole, as many as have max bytes.
// It is made for one reading, which has the lock as long as it lasts.
type keeping struct {
	after     uint64
	max       int
	idle      bool   // the place is asked for behind which all is idle (trim.go)
	from      uint64 // that place
	fine      uint64 // the last place of what was taken
	fork      uint64 // the first place of what claims another history; 0 for none
	closed    bool
	ids       [][32]byte
	list      []*entry
	size      int        // of the list's envelopes, in bytes
	beforeIDs [][32]byte // of the reading before, which counts until the one after it has come as far
	before    []*entry
}

// take notes one envelope of this device's own copy of a stream.
func (k *keeping) take(e *entry) {
	k.ids = append(k.ids, e.id)
	if e.verdict == seal.Fine {
		k.fine = e.n
	}
	if e.verdict == seal.Fork && k.fork == 0 {
		k.fork = e.n
	}
	if k.idle && !idle(e) {
		k.from = e.n
	}
	// The wire is copied: it would hold the memory of the whole commit that it was read from.
	if e.n > k.after && k.size < k.max {
		e.wire, e.items = slices.Clone(e.wire), nil
		k.list, k.size = append(k.list, e), k.size+len(e.wire)
	}
}

// keep reads this device's own file once for epochs of a circle.
func (r meeting) keep(c krama.CircleID, epochs map[uint32]*keeping) error {
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	_, key, err := r.readKeys(r.vk)
	if err != nil {
		return err
	}
	err = r.entries(key, func(b []byte) error {
		// A reading that was begun anew voids what was met of the epoch. An entry of an earlier version may name no
		// epoch and means the one that was open then: none that has reached its close.
		if at, ok := begunAnew(b); ok && at.circle == c {
			for n, k := range epochs {
				if at.epoch == n || at == openEpoch(c) && !k.closed {
					k.begin(b[0] == tagAbandon)
				}
			}
			return nil
		}
		if b[0] == tagClose && placeOf(b).circle == c {
			if k := epochs[placeOf(b).epoch]; k != nil {
				k.closed = true
			}
			return nil
		}
		if epoch, at, ok := trimOf(b); ok && c == krama.OrgCircle {
			if k := epochs[epoch]; k != nil {
				k.trim(at)
			}
			return nil
		}
		if b[0] != tagEnvelope && b[0] != tagLater {
			return nil
		}
		e, err := parseEnvelope(b[0], b[1:])
		if err != nil || e.circle != c {
			return err
		}
		k := epochs[e.epoch]
		// Nobody asked for the epoch, or damage has left a hole before this envelope.
		if k == nil || e.n != uint64(len(k.ids))+1 {
			return nil
		}
		if cut, ok := r.led.cuts[place{c, e.epoch}]; !ok || e.n <= cut.n {
			k.take(e)
		}
		return nil
	})
	// A second reading that has not come as far as the first does not replace it (reread.go).
	for _, k := range epochs {
		if len(k.beforeIDs) > len(k.ids) && !k.closed {
			k.ids, k.list = k.beforeIDs, k.before
		}
	}
	return hostError("replica.keep", err)
}
