package replica

import (
	"crypto/hpke"
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"

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

// alarmEntry keeps an alarm. The last two items came later: an entry without them is of an earlier version.
func alarmEntry(a Alarm) []byte {
	f := [][]byte{[]byte(a.What), a.Circle[:], u64(a.N), a.Author[:], u64(uint64(a.Day)), u32(a.Epoch)}
	if a.Claim > 0 {
		f = append(f, u64(a.Claim))
	}
	return tagged(tagAlarm, f...)
}

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

// placeOf returns the circle and epoch that a close, or a stream's new beginning, names first.
func placeOf(b []byte) place { return place{krama.CircleID(b[5:21]), be32(b[25:])} }

// openEpoch stands for the epoch of a circle that is open where a journal entry stands.
func openEpoch(c krama.CircleID) place { return place{c, math.MaxUint32} }

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

// restore folds one journal entry that is no envelope into the state.
func (l *ledger) restore(tag byte, b []byte) error {
	// No tag has more than seven fields.
	it, err := seal.ParseFrame(b, 8)
	if err != nil {
		return errEntry
	}
	sized := func(sizes ...int) bool {
		if len(it) != len(sizes) {
			return false
		}
		for i, n := range sizes {
			if n >= 0 && len(it[i]) != n {
				return false
			}
		}
		return true
	}
	// Entries outlive the buffer they were read from.
	own := func(b []byte) []byte { return append([]byte(nil), b...) }
	// What fits no case is skipped (doc/format.md, 10): a tag, or a shape of a known one, that this version does not
	// have.
	switch {
	case tag == tagDevice && sized(-1, 32):
		l.dev, err = seal.ParseDevice(own(it[0]))
		l.drop = own(it[1])
		return err
	case tag == tagScan && sized(-1):
		s, err := seal.ParseScan2(string(it[0]))
		l.scan = &s
		return err
	case tag == tagOrg && sized(32, -1):
		l.setOrg(krama.OrgID(it[0]), string(it[1]))
	case tag == tagEpoch && sized(32, 16, 4, 32, 32):
		return l.addEpoch(&seal.Epoch{Context: seal.Context{Org: krama.OrgID(it[0]), Circle: krama.CircleID(it[1]),
			Epoch: binary.BigEndian.Uint32(it[2])}, ES: [32]byte(it[3]), KG: [32]byte(it[4])})
	case tag == tagPending && sized(16, 16, 1, -1) && (seal.ItemKind(it[2][0]) != seal.KindSubjectKey ||
		len(it[3]) == 32):
		return l.queue(krama.CircleID(it[0]), seal.Item{Subject: krama.SubjectID(it[1]), Kind: seal.ItemKind(it[2][0]),
			Body: own(it[3])})
	case tag == tagSealed && sized(16, 8, -1):
		l.addSealed(krama.CircleID(it[0]), binary.BigEndian.Uint64(it[1]), own(it[2]))
	case tag == tagAlarm && (sized(-1, 16, 8, 16, 8) || sized(-1, 16, 8, 16, 8, 4) || sized(-1, 16, 8, 16, 8, 4, 8)):
		a := Alarm{What: AlarmKind(it[0]), Circle: krama.CircleID(it[1]), N: binary.BigEndian.Uint64(it[2]),
			Author: krama.DeviceID(it[3]), Day: krama.Day(binary.BigEndian.Uint64(it[4]))}
		if len(it) > 5 {
			a.Epoch = binary.BigEndian.Uint32(it[5])
		}
		if len(it) > 6 {
			a.Claim = binary.BigEndian.Uint64(it[6])
		}
		l.alarms = append(l.alarms, a)
	case tag == tagValue && sized(-1, -1):
		l.values.set(string(it[0]), string(it[1]))
	case tag == tagAgain && sized(16):
		l.again(krama.CircleID(it[0]))
	case tag == tagAgain && sized(16, 4):
		l.judgeAgain(place{krama.CircleID(it[0]), binary.BigEndian.Uint32(it[1])})
	case tag == tagSynced && sized(8):
		l.lastSync = time.UnixMilli(int64(binary.BigEndian.Uint64(it[0])))
	case tag == tagClose && sized(16, 4, 8, 32, 1):
		return l.close(place{krama.CircleID(it[0]), binary.BigEndian.Uint32(it[1])},
			seal.Head{N: binary.BigEndian.Uint64(it[2]), H: [32]byte(it[3])}, it[4][0] != 0)
	case tag == tagKeyring && sized(16, 4, -1) && len(it[2])%48 == 0:
		ring := keyring{}
		for b := it[2]; len(b) > 0; b = b[48:] {
			ring[krama.SubjectID(b)] = seal.SubjectKey(b[16:48])
		}
		l.takeRing(place{krama.CircleID(it[0]), binary.BigEndian.Uint32(it[1])}, ring)
	case tag == tagNext && sized(16, 4, 32, 32) && l.roster != nil:
		c := krama.CircleID(it[0])
		l.opening[c] = &seal.Epoch{Context: seal.Context{Org: l.roster.Org, Circle: c,
			Epoch: binary.BigEndian.Uint32(it[1])},
			ES: [32]byte(it[2]), KG: [32]byte(it[3])}
	case tag == tagRekey && sized(-1):
		k, err := hpke.MLKEM768X25519().NewPrivateKey(it[0])
		if err != nil {
			return errEntry
		}
		l.rekeys = append(l.rekeys, k)
		// The older key is here still and is to be destroyed when the roster shows this one (rekeyed).
		l.untidy = true
	case tag == tagLetter && sized(32, 1, 16, 8, -1):
		l.letters = append(l.letters, &Mail{ID: [32]byte(it[0]), Kind: seal.LetterKind(it[1][0]),
			From: krama.DeviceID(it[2]),
			Day:  krama.Day(binary.BigEndian.Uint64(it[3])), body: own(it[4])})
	case tag == tagLetterDo && sized(32):
		l.dropLetter([32]byte(it[0]))
	case tag == tagOrphan && sized(16, 16, 16, 1, -1, 8):
		l.addOrphan(orphan{circle: krama.CircleID(it[0]), author: krama.DeviceID(it[1]),
			day:  krama.Day(binary.BigEndian.Uint64(it[5])),
			item: seal.Item{Subject: krama.SubjectID(it[2]), Kind: seal.ItemKind(it[3][0]), Body: own(it[4])}})
	case tag == tagClear && sized(16, 4):
		l.alarms.mended(place{krama.CircleID(it[0]), binary.BigEndian.Uint32(it[1])})
	case tag == tagClear && sized(16, 4, -1, 8, 16):
		l.alarms.mendedOne(place{krama.CircleID(it[0]), binary.BigEndian.Uint32(it[1])}, AlarmKind(it[2]),
			binary.BigEndian.Uint64(it[3]), krama.DeviceID(it[4]))
	case tag == tagControl && sized(32):
		l.addControl([32]byte(it[0]))
	case tag == tagAbandon && sized(16, 4):
		return l.abandon(place{krama.CircleID(it[0]), binary.BigEndian.Uint32(it[1])})
	case tag == tagTrim && sized(4, 8, 1):
		return l.trim(be32(it[0]), binary.BigEndian.Uint64(it[1]), it[2][0] != 0)
	case tag == tagTidy:
		l.untidy = false
	}
	return nil
}

// epochEntry keeps an epoch's secrets. They are in the journal before anything that rests on them.
func epochEntry(e *seal.Epoch) []byte {
	return tagged(tagEpoch, e.Org[:], e.Circle[:], u32(e.Epoch), e.ES[:], e.KG[:])
}

// setOrg turns an empty roster to a programme.
func (l *ledger) setOrg(org krama.OrgID, relay string) {
	// The address needs no trust and may change; the organisation is what the roster is checked against.
	l.relay = relay
	if l.roster == nil || l.roster.Org != org { // a try that was cut goes on with what it had
		l.roster = seal.NewRoster(org)
	}
}

// shortID is an envelope's id as settings have it: half of it, enough to tell two apart.
func shortID(id [32]byte) string { return hex.EncodeToString(id[:16]) }
