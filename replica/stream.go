package replica

import (
	"bytes"
	"crypto/sha256"

	"krama"
	"krama/seal"
)

// stream is one circle's stream as this device verified it, epoch after epoch.
// It is a part of the ledger and under the same lock. A restart finds all of it in the journal again but looked, cut,
// cutAt and cutSize, which are of this process: without them the relay is asked once more.
type stream struct {
	epoch *seal.Epoch            // being read
	known map[uint32]*seal.Epoch // secrets of epochs, with KG for the newest only
	rings map[uint32]keyring     // keyrings that came with an epoch
	// of known epochs, as they were asked for: deriving one costs more than a day's other questions
	ids       map[uint32]seal.StreamID
	closed    bool   // read to its signed end; the next epoch's secrets are not here
	base      uint64 // for circle 0: the roster position before this epoch's first
	head      seal.Head
	chain     [][32]byte // chain[n] is H_n
	authors   map[krama.DeviceID]*author
	floor     seal.Head                   // while the epoch is read again: how far it was read before
	looked    uint64                      // envelopes up to here were listed before the last look at the roster
	cut       []byte                      // of the next envelope, as far as it came before the line broke
	cutAt     uint64                      // the place before it
	cutSize   int                         // how long that envelope is
	strangers map[krama.DeviceID]bool     // authors of refused envelopes that the roster did not know
	pending   []*entry                    // envelopes with an item whose subject key is not here yet
	bounds    bounds                      // who erased how many
	begun     bounds                      // as it was when the epoch began
	proofs    map[krama.DeviceID][]proof  // of authors that were copied
	kept      map[krama.DeviceID][]*entry // what they wrote after that, until an admin decides
	touched   map[krama.SubjectID]uint64  // when somebody last wrote about a subject, in milliseconds
}

// keyring has the keys of a circle's people. Who is missing has no key here yet, or was erased.
type keyring = map[krama.SubjectID]seal.SubjectKey

// author is what was read of one author of a stream.
// held has what stands behind a gap, by sequence. The end of an epoch throws it out: no gap is closed over two.
type author struct {
	ids  [][32]byte // envelope ids by sequence, from 1, over all epochs
	base int        // how many of them are from earlier epochs
	held map[uint64]*entry
}

// last is the newest envelope of hers that counts.
func (a *author) last() (seq uint64, id [32]byte) {
	if n := len(a.ids); n > 0 {
		return uint64(n), a.ids[n-1]
	}
	return 0, id
}

// pending is one item typed here and not yet read back from the relay.
// Two that are equal are two: each that is read back takes one off the outbox.
type pending struct {
	circle krama.CircleID
	item   seal.Item
}

// is reports whether an item that was read is the one that waits.
func (p *pending) is(c krama.CircleID, it seal.Item) bool {
	return p.circle == c && p.item.Subject == it.Subject && p.item.Kind == it.Kind && bytes.Equal(p.item.Body, it.Body)
}

// contentOf names an item by what it says, whoever says it and however often.
func contentOf(c krama.CircleID, it seal.Item) [32]byte {
	return sha256.Sum256(seal.Frame(c[:], it.Subject[:], []byte{byte(it.Kind)}, it.Body))
}

// sealedEnvelope is an envelope that may have been sent. It is sent again with the same bytes until it is read back.
// It is in the journal before it stands here, and leaves when it is read back or its epoch is closed without it.
type sealedEnvelope struct {
	circle krama.CircleID
	id     [32]byte
	seq    uint64
	wire   []byte
}

// proof is an envelope that stands where its author has another one.
type proof struct {
	id    [32]byte
	epoch uint32
}
