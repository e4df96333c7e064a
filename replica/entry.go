package replica

import (
	"encoding/binary"
	"math"
	"time"

	"krama"
	"krama/seal"
)

// Tags of journal entries. A tag never changes its meaning; unknown ones are kept and skipped.
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
	tagAgain    = 'R' // circle: its stream is read from the start again
)

func tagged(tag byte, items ...[]byte) []byte { return append([]byte{tag}, seal.Frame(items...)...) }

func alarmEntry(a Alarm) []byte {
	return tagged(tagAlarm, []byte(a.What), a.Circle[:], u64(a.N), a.Author[:], u64(uint64(a.Day)))
}

func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// entry is one envelope as the journal keeps it: opened once, verified once.
type entry struct {
	circle  krama.CircleID
	n       uint64
	id      [32]byte
	author  krama.DeviceID
	seq     uint64
	prev    [32]byte
	timeMS  uint64
	kind    seal.EnvelopeKind
	verdict seal.Verdict
	items   []entryItem
	wire    []byte // kept while an item's key is missing
	applied bool   // its statement is in the roster already
}

type entryItem struct {
	seal.Item
	verdict seal.Verdict
	record  *krama.Record // decoded body of a record, nil when it is none or of a later version
}

func (e *entry) marshal() []byte {
	b := make([]byte, 0, 160+64*len(e.items))
	b = append(b, tagEnvelope)
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
	return append(b, e.wire...)
}

var errEntry = krama.E("replica.entry", krama.Tampered, "a journal entry")

// cursor reads a journal entry.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) bytes(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad = true
		return make([]byte, min(max(n, 0), math.MaxInt16))
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.b = c.b[n:]
	return v
}

// parseEnvelope reads what marshal wrote, without the tag. The result aliases b.
func parseEnvelope(b []byte) (*entry, error) {
	c := &cursor{b: b}
	e := &entry{}
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
		if it.verdict == seal.Fine && (it.Kind == seal.KindRecord || it.Kind == seal.KindCircleRecord) && it.record == nil {
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
func (r *Replica) restore(tag byte, b []byte) error {
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
	switch {
	case tag == tagDevice && sized(-1, 32):
		r.dev, err = seal.ParseDevice(own(it[0]))
		r.drop = own(it[1])
		return err
	case tag == tagScan && sized(-1):
		s, err := seal.ParseScan2(string(it[0]))
		r.scan = &s
		return err
	case tag == tagOrg && sized(32, -1):
		r.setOrg(krama.OrgID(it[0]), string(it[1]))
	case tag == tagEpoch && sized(32, 16, 4, 32, 32):
		return r.addEpoch(&seal.Epoch{Context: seal.Context{Org: krama.OrgID(it[0]), Circle: krama.CircleID(it[1]),
			Epoch: binary.BigEndian.Uint32(it[2])}, ES: [32]byte(it[3]), KG: [32]byte(it[4])})
	case tag == tagPending && sized(16, 16, 1, -1):
		return r.queue(krama.CircleID(it[0]), seal.Item{Subject: krama.SubjectID(it[1]), Kind: seal.ItemKind(it[2][0]), Body: own(it[3])})
	case tag == tagSealed && sized(16, 8, -1):
		r.addSealed(krama.CircleID(it[0]), binary.BigEndian.Uint64(it[1]), own(it[2]))
	case tag == tagAlarm && sized(-1, 16, 8, 16, 8):
		r.alarms = append(r.alarms, Alarm{AlarmKind(it[0]), krama.CircleID(it[1]), binary.BigEndian.Uint64(it[2]),
			krama.DeviceID(it[3]), krama.Day(binary.BigEndian.Uint64(it[4]))})
	case tag == tagValue && sized(-1, -1):
		r.values[string(it[0])] = string(it[1])
	case tag == tagAgain && sized(16):
		r.again(krama.CircleID(it[0]))
	case tag == tagSynced && sized(8):
		r.lastSync = time.UnixMilli(int64(binary.BigEndian.Uint64(it[0])))
	}
	return nil
}

func epochEntry(e *seal.Epoch) []byte {
	return tagged(tagEpoch, e.Org[:], e.Circle[:], binary.BigEndian.AppendUint32(nil, e.Epoch), e.ES[:], e.KG[:])
}

func (r *Replica) setOrg(org krama.OrgID, relay string) {
	r.relay = relay
	r.remote = r.Dial(relay)
	r.roster = seal.NewRoster(org)
}

func newStream(e *seal.Epoch, start seal.Head) *stream {
	return &stream{epoch: e, head: start, chain: [][32]byte{start.H}, authors: map[krama.DeviceID]*author{}, strangers: map[krama.DeviceID]bool{}}
}

// again starts a circle's stream anew: everything in it is judged once more. Records that come twice are known by their ids.
func (r *Replica) again(c krama.CircleID) {
	if st := r.streams[c]; st != nil {
		if start, ok := r.roster.StartOf(c, st.epoch.Epoch); ok {
			r.streams[c] = newStream(st.epoch, start)
		}
	}
}

// adoptEpochs starts streams whose place the roster has only now told.
func (r *Replica) adoptEpochs() {
	waiting := r.waiting
	r.waiting = nil
	for _, e := range waiting {
		if r.streams[e.Circle] == nil {
			r.addEpoch(e)
		}
	}
}

// addEpoch starts the stream of an epoch whose keys are here.
func (r *Replica) addEpoch(e *seal.Epoch) error {
	if r.roster == nil || e.Epoch != 0 {
		return errEntry
	}
	start, ok := r.roster.StartOf(e.Circle, 0)
	if e.Circle == krama.OrgCircle {
		start, ok = seal.Start(e.Context, e.Org), true
	}
	if !ok { // the roster that says so was damaged and comes again
		r.waiting = append(r.waiting, e)
		return nil
	}
	r.streams[e.Circle] = newStream(e, start)
	r.keys[e.Circle] = map[krama.SubjectID]seal.SubjectKey{}
	return nil
}
