package replica

import (
	"encoding/binary"
	"encoding/hex"
	"math"

	"krama"
	"krama/seal"
)

// Tags of journal entries. A tag never changes its meaning. Unknown ones are skipped, and a rewriting leaves
// them out.
const (
	tagDevice   = 'D' // device secrets, drop seed
	tagScan     = 'Q' // QR-2
	tagOrg      = 'O' // org id, relay address
	tagEpoch    = 'K' // circle, epoch, ES, KG
	tagEnvelope = 'E' // one verified envelope, opened
	tagPending  = 'P' // circle, subject, kind, body: typed here
	tagSealed   = 'S' // circle, sequence, wire: may have been sent
	tagAlarm    = 'A'
	tagValue    = 'V' // key, value
	tagSynced   = 'T' // time of the last whole sync
	// circle and epoch: its stream is read from the start again (without an epoch, of the open one: an earlier
	// version's)
	tagAgain    = 'R'
	tagLater    = 'F' // epoch, then as tagEnvelope: an envelope of a later epoch than 0
	tagClose    = 'C' // circle, epoch, n, H, repair: a signed close was reached
	tagKeyring  = 'G' // circle, epoch, subject keys: a keyring that came with an epoch
	tagNext     = 'X' // circle, epoch, ES, KG: of the epoch this device is opening
	tagRekey    = 'N' // KEM private key that this device announces
	tagLetter   = 'L' // sealed letter's id, kind, from, day, body
	tagLetterDo = 'Y' // letter's id: dealt with
	tagOrphan   = 'W' // circle, author, subject, kind, body: lost by the relay, not yet sent again by its author
	tagClear    = 'Z' // circle, epoch: its alarms that stop are answered; with name, n and author, that one alarm
	tagControl  = 'U' // seed of a control key
	tagAbandon  = 'B' // circle, epoch: what was read of it is not the history that was signed; it is read again
	tagFrozen   = 'I' // generation, key, size of the part that stays as it is: its entries belong here
	// epoch, n, agreed: what was read of circle 0 past n was lost by the relay and does not count (trim.go)
	tagTrim = 'J'
	tagTidy = 'M' // everything before was rewritten and holds nothing that had to go
)

// tagged is an entry of the journal: its tag, and items framed as the protocol frames them.
func tagged(tag byte, items ...[]byte) []byte { return append([]byte{tag}, seal.Frame(items...)...) }

// u32 and u64 are integers as the journal has them, the highest byte first.
func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// entry is one envelope as the journal keeps it: opened once, verified once.
type entry struct {
	circle  krama.CircleID
	epoch   uint32
	n       uint64
	id      [32]byte
	author  krama.DeviceID
	seq     uint64
	prev    [32]byte
	timeMS  uint64
	kind    seal.EnvelopeKind
	verdict seal.Verdict
	items   []entryItem
	// kept while an item's key is missing; on disk always at an office, which can give it back to a relay
	wire    []byte
	applied bool   // its statement is in the roster already
	claim   uint64 // the roster's place that its author claims, when a look at the roster has not found it; not on disk
}

// entryItem is one item of an envelope, as far as this device could open it.
type entryItem struct {
	seal.Item
	verdict seal.Verdict
	record  *krama.Record // decoded body of a record, nil when it is none or of a later version
}

// marshal is the journal's entry of an envelope. Its verdict is kept with it: what was refused once is not judged anew
// at each opening.
func (e *entry) marshal() []byte {
	b := make([]byte, 0, 160+64*len(e.items))
	if e.epoch == 0 {
		b = append(b, tagEnvelope)
	} else {
		b = binary.AppendUvarint(append(b, tagLater), uint64(e.epoch))
	}
	b = append(b, e.circle[:]...)
	b = binary.AppendUvarint(b, e.n)
	b = append(b, e.id[:]...)
	b = append(b, e.author[:]...)
	b = binary.AppendUvarint(b, e.seq)
	b = append(b, e.prev[:]...)
	b = binary.AppendUvarint(b, e.timeMS)
	b = append(b, byte(e.kind), byte(e.verdict))
	b = binary.AppendUvarint(b, uint64(len(e.items)))
	for _, it := range e.items {
		b = append(b, byte(it.Kind), byte(it.verdict))
		b = append(b, it.Subject[:]...)
		b = binary.AppendUvarint(b, uint64(len(it.Body)))
		b = append(b, it.Body...)
	}
	// The wire has no length: it is the rest of the entry.
	return append(b, e.wire...)
}

var errEntry = krama.E("replica.entry", krama.Tampered, "a journal entry")

// begunAnew reports whether a journal entry says that an epoch's stream is read from the start again, and which.
func begunAnew(b []byte) (place, bool) {
	switch {
	case b[0] == tagAgain && len(b) == 21: // an earlier version's
		return openEpoch(krama.CircleID(b[5:21])), true
	case b[0] == tagAgain, b[0] == tagAbandon:
		return placeOf(b), true
	}
	return place{}, false
}

// cursor reads a journal entry.
type cursor struct {
	b   []byte
	bad bool
}

// bytes takes n bytes; where there are fewer the cursor is bad, and what it gives is nothing's.
func (c *cursor) bytes(n int) []byte {
	if n < 0 || n > len(c.b) {
		// Whoever parses looks at bad only when a part is read, and indexes fixed fields before that. A length that
		// damage made up must not take the memory.
		c.bad = true
		return make([]byte, min(max(n, 0), math.MaxInt16))
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

// uvarint takes an integer of the short form.
func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.b = c.b[n:]
	return v
}

// parseEnvelope reads what marshal wrote. The result aliases b.
func parseEnvelope(tag byte, b []byte) (*entry, error) {
	c := &cursor{b: b}
	e := &entry{}
	if tag == tagLater {
		v := c.uvarint()
		if v == 0 || v > math.MaxUint32 {
			return nil, errEntry
		}
		e.epoch = uint32(v)
	}
	copy(e.circle[:], c.bytes(16))
	e.n = c.uvarint()
	copy(e.id[:], c.bytes(32))
	copy(e.author[:], c.bytes(16))
	e.seq = c.uvarint()
	copy(e.prev[:], c.bytes(32))
	e.timeMS = c.uvarint()
	kv := c.bytes(2)
	e.kind, e.verdict = seal.EnvelopeKind(kv[0]), seal.Verdict(kv[1])
	n := c.uvarint()
	// Before anything is made of that size.
	if c.bad || n > seal.MaxItems {
		return nil, errEntry
	}
	e.items = make([]entryItem, n)
	for i := range e.items {
		it := &e.items[i]
		kv := c.bytes(2)
		it.Kind, it.verdict = seal.ItemKind(kv[0]), seal.Verdict(kv[1])
		copy(it.Subject[:], c.bytes(16))
		l := c.uvarint()
		if l > seal.MaxEnvelope {
			return nil, errEntry
		}
		it.Body = c.bytes(int(l))
	}
	if c.bad {
		return nil, errEntry
	}
	e.wire = c.b
	return e, nil
}

// decode decodes the entry's records. It is the costly part of loading and touches nothing else, so that entries can be
// decoded side by side.
func (e *entry) decode() {
	for i := range e.items {
		it := &e.items[i]
		if it.verdict == seal.Fine && (it.Kind == seal.KindRecord || it.Kind == seal.KindCircleRecord) &&
			it.record == nil {
			rec, err := krama.DecodeRecord(it.Body)
			if err != nil {
				it.verdict = seal.Malformed
				continue
			}
			it.record = rec
		}
	}
}

// epochEntry keeps an epoch's secrets. They are in the journal before anything that rests on them.
func epochEntry(e *seal.Epoch) []byte {
	return tagged(tagEpoch, e.Org[:], e.Circle[:], u32(e.Epoch), e.ES[:], e.KG[:])
}

// shortID is an envelope's id as settings have it: half of it, enough to tell two apart.
func shortID(id [32]byte) string { return hex.EncodeToString(id[:16]) }

// be32 reads what u32 wrote.
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
