package seal

import (
	"crypto/ed25519"
	"encoding/binary"
)

// The payloads of calls about programmes and their streams. Each is the lengths and bytes of its fields in order; what
// answers it stands beside it where there is an answer.

// ids splits a payload into at most most names of 16 bytes, at least least.
func ids[T ~[16]byte](name string, b []byte, least, most int) (out []T, err error) {
	it, err := ParseFrame(b, most)
	if err != nil || len(it) < least {
		return nil, malformed(name)
	}
	for _, id := range it {
		if len(id) != 16 {
			return nil, malformed(name)
		}
		out = append(out, T(id))
	}
	return out, nil
}

// frameIDs is the payload that ids reads.
func frameIDs[T ~[16]byte](list []T) []byte {
	out := make([][]byte, 0, len(list))
	for _, id := range list {
		b := [16]byte(id)
		out = append(out, b[:])
	}
	return Frame(out...)
}

// FoundCall is the payload of PathFound: a new programme, in its founder's name.
type FoundCall struct {
	Token   []byte            // of the relay: what founding needs
	Control ed25519.PublicKey // the programme's id is its hash
	Site    [16]byte          // its short name, not zero
}

// Marshal returns the payload.
func (c FoundCall) Marshal() []byte { return Frame(c.Token, c.Control, c.Site[:]) }

// ParseFound reads the payload.
func ParseFound(b []byte) (c FoundCall, err error) {
	it, err := parseExact(b, "found", -1, ed25519.PublicKeySize, 16)
	if err != nil || [16]byte(it[2]) == ([16]byte{}) {
		return c, malformed("found")
	}
	return FoundCall{it[0], it[1], [16]byte(it[2])}, nil
}

// MembersCall is the payload of PathMembers: the programme's short name and its devices' keys.
type MembersCall struct {
	Site    [16]byte // not zero
	Devices []MemberKey
}

// MemberKey is what a device's id commits to. Trustees have one too, with a nonce of zeros.
type MemberKey struct {
	Pub   ed25519.PublicKey // 32 bytes; whether it is a point is not looked at here
	Nonce [16]byte
}

// Bytes are the key and the nonce, 48 bytes.
func (m MemberKey) Bytes() []byte {
	return append(append(make([]byte, 0, 48), m.Pub...), m.Nonce[:]...)
}

// Marshal returns the payload.
func (c MembersCall) Marshal() []byte {
	f := [][]byte{c.Site[:]}
	for _, m := range c.Devices {
		f = append(f, m.Bytes())
	}
	return Frame(f...)
}

// ParseMembers reads the payload, of at most most devices.
func ParseMembers(b []byte, most int) (c MembersCall, err error) {
	it, err := ParseFrame(b, 1+most)
	if err != nil || len(it) < 1 || len(it[0]) != 16 || [16]byte(it[0]) == ([16]byte{}) {
		return c, malformed("members")
	}
	c.Site = [16]byte(it[0])
	for _, m := range it[1:] {
		if len(m) != 48 {
			return c, malformed("members")
		}
		c.Devices = append(c.Devices, MemberKey{m[:32:32], [16]byte(m[32:])})
	}
	return c, nil
}

// ControlCall is the payload of PathControl: the programme's next control key.
type ControlCall struct {
	Next ed25519.PublicKey
}

// Marshal returns the payload.
func (c ControlCall) Marshal() []byte { return Frame(c.Next) }

// ParseControl reads the payload.
func ParseControl(b []byte) (c ControlCall, err error) {
	it, err := parseExact(b, "control", ed25519.PublicKeySize)
	if err != nil {
		return c, err
	}
	return ControlCall{it[0]}, nil
}

// CreateCall is the payload of PathCreate: a stream, where its history starts, and which stream it goes on after.
type CreateCall struct {
	ID     StreamID
	Access ed25519.PublicKey // of whoever may read it and append
	Start  [32]byte          // the chain before its first envelope
	Before *StreamID         // the stream whose keys are worth nothing from now on; nil where it is the first
	Roster bool              // circle 0's, whose old streams keep their own keys
}

// Marshal returns the payload.
func (c CreateCall) Marshal() []byte {
	var before []byte
	if c.Before != nil {
		before = c.Before[:]
	}
	return Frame(c.ID[:], c.Access, c.Start[:], before, oneByte(c.Roster))
}

// ParseCreate reads the payload.
func ParseCreate(b []byte) (c CreateCall, err error) {
	it, err := parseExact(b, "create", 16, ed25519.PublicKeySize, 32, -1, 1)
	if err != nil || len(it[3]) != 0 && len(it[3]) != 16 || it[4][0] > 1 {
		return c, malformed("create")
	}
	c = CreateCall{ID: StreamID(it[0]), Access: it[1], Start: [32]byte(it[2]), Roster: it[4][0] == 1}
	if len(it[3]) == 16 {
		before := StreamID(it[3])
		c.Before = &before
	}
	return c, nil
}

// oneByte is a flag as a payload has it.
func oneByte(set bool) []byte {
	if set {
		return []byte{1}
	}
	return []byte{0}
}

// LineCall is the payload of PathLine: circle 0's streams, in their order.
type LineCall struct {
	Streams []StreamID // one at least
}

// Marshal returns the payload.
func (c LineCall) Marshal() []byte { return frameIDs(c.Streams) }

// ParseLine reads the payload.
func ParseLine(b []byte) (c LineCall, err error) {
	c.Streams, err = ids[StreamID]("line", b, 1, 1<<12)
	return c, err
}

// PlaceCall is the payload of PathClose and PathRewind: a stream, and the place in it where it ends from now on.
type PlaceCall struct {
	Stream StreamID
	Head   Head
}

// Marshal returns the payload.
func (c PlaceCall) Marshal() []byte { return Frame(c.Stream[:], c.Head.Marshal()) }

// ParsePlace reads the payload.
func ParsePlace(b []byte) (c PlaceCall, err error) {
	it, err := parseExact(b, "place", 16, 40)
	if err != nil {
		return c, err
	}
	c.Stream = StreamID(it[0])
	c.Head, err = ParseHead(it[1])
	return c, err
}

// TombstoneCall is the payload of PathTombstone.
type TombstoneCall struct {
	Puts []TombstonePut // at most MaxBatch
}

// TombstonePut is one envelope that is replaced: its stream, its place there, and the tombstone's bytes.
type TombstonePut struct {
	Stream StreamID
	N      uint64
	Wire   []byte
}

// Marshal returns the payload.
func (c TombstoneCall) Marshal() []byte {
	var f [][]byte
	for i := range c.Puts {
		f = append(f, c.Puts[i].Stream[:], u64(c.Puts[i].N), c.Puts[i].Wire)
	}
	return Frame(f...)
}

// ParseTombstones reads the payload. What has not the form of a tombstone is refused.
func ParseTombstones(b []byte) (c TombstoneCall, err error) {
	it, err := ParseFrame(b, 3*MaxBatch)
	if err != nil || len(it)%3 != 0 {
		return c, malformed("tombstones")
	}
	for ; len(it) > 0; it = it[3:] {
		if _, ok := TombstoneID(it[2]); !ok || len(it[0]) != 16 || len(it[1]) != 8 {
			return c, malformed("tombstones")
		}
		c.Puts = append(c.Puts, TombstonePut{StreamID(it[0]), binary.BigEndian.Uint64(it[1]), it[2]})
	}
	return c, nil
}

// RestoreCall is the payload of PathRestore: what a stream of the programme lost, by an admin's desk.
type RestoreCall struct {
	Stream StreamID
	Append AppendCall
}

// Marshal returns the payload.
func (c RestoreCall) Marshal() []byte { return Frame(c.Stream[:], c.Append.Marshal()) }

// ParseRestore reads the payload.
func ParseRestore(b []byte) (c RestoreCall, err error) {
	it, err := parseExact(b, "restore", 16, -1)
	if err != nil {
		return c, err
	}
	c.Stream = StreamID(it[0])
	c.Append, err = ParseAppend(it[1])
	return c, err
}

// AppendCall is the payload of PathAppend: envelopes in order and, when IfHead is set, only if the stream ends there.
type AppendCall struct {
	IfHead    *uint64
	Envelopes [][]byte
}

// MaxBatch bounds the envelopes of one append.
const MaxBatch = 64

// Marshal returns the payload.
func (a AppendCall) Marshal() []byte {
	var cond []byte
	if a.IfHead != nil {
		cond = u64(*a.IfHead)
	}
	return Frame(append([][]byte{cond}, a.Envelopes...)...)
}

// ParseAppend reads the payload.
func ParseAppend(b []byte) (a AppendCall, err error) {
	it, err := ParseFrame(b, 1+MaxBatch)
	if err != nil || len(it) < 2 || (len(it[0]) != 0 && len(it[0]) != 8) {
		return a, malformed("append")
	}
	if len(it[0]) == 8 {
		n := binary.BigEndian.Uint64(it[0])
		a.IfHead = &n
	}
	a.Envelopes = it[1:]
	for _, e := range a.Envelopes {
		if len(e) < MinEnvelope || len(e) > MaxEnvelope {
			return a, malformed("envelope size")
		}
	}
	return a, nil
}

// ListCall is the payload of PathList. Envelopes whose id is in Have come back as the id alone: a device that reads its
// own work back needs its place in the order, not its bytes. Skip leaves out the beginning of the first envelope, which
// came before the line broke.
type ListCall struct {
	After uint64
	Skip  uint32
	Max   uint32 // bytes of envelopes, at least one comes
	Have  [][32]byte
}

// Marshal returns the payload.
func (l ListCall) Marshal() []byte {
	var have []byte
	for _, id := range l.Have {
		have = append(have, id[:]...)
	}
	return Frame(u64(l.After), u32(l.Skip), u32(l.Max), have)
}

// ParseList reads the payload.
func ParseList(b []byte) (l ListCall, err error) {
	it, err := parseExact(b, "list", 8, 4, 4, -1)
	if err != nil || len(it[3])%32 != 0 || len(it[3]) > 32*MaxBatch {
		return l, malformed("list")
	}
	l.After, l.Skip, l.Max = binary.BigEndian.Uint64(it[0]), binary.BigEndian.Uint32(it[1]),
		binary.BigEndian.Uint32(it[2])
	for i := 0; i < len(it[3]); i += 32 {
		l.Have = append(l.Have, [32]byte(it[3][i:]))
	}
	return l, nil
}

// Listing is the answer to ListCall: the stream's head and the envelopes that follow After, each as bytes or as its id.
type Listing struct {
	Head    Head
	Entries [][]byte
}

// MaxListed bounds the entries of one listing.
const MaxListed = 4096

// MaxDoor bounds what a programme publishes, in bytes: a thousand listings with long texts in three scripts.
const MaxDoor = 4 << 20

// Marshal returns the answer's bytes.
func (l Listing) Marshal() []byte {
	return Frame(append([][]byte{l.Head.Marshal()}, l.Entries...)...)
}

// ParseListing reads an answer.
func ParseListing(b []byte) (l Listing, err error) {
	it, err := ParseFrame(b, 1+MaxListed)
	if err != nil || len(it) < 1 {
		return l, malformed("listing")
	}
	if l.Head, err = ParseHead(it[0]); err != nil {
		return l, err
	}
	l.Entries = it[1:]
	return l, nil
}

// CutListing reads as much of an answer as came before the line broke: the head, whole entries, and the beginning of
// the next one with how long it is.
func CutListing(b []byte) (l Listing, begun []byte, size int, err error) {
	var items [][]byte
	for len(b) >= 4 && len(items) <= MaxListed {
		n := int(binary.BigEndian.Uint32(b))
		if n > MaxEnvelope {
			return l, nil, 0, malformed("listing")
		}
		if len(b)-4 < n {
			begun, size = b[4:], n
			break
		}
		items, b = append(items, b[4:4+n]), b[4+n:]
	}
	if len(items) == 0 {
		return l, nil, 0, malformed("listing")
	}
	l.Entries = items[1:]
	l.Head, err = ParseHead(items[0])
	return l, begun, size, err
}

// Marshal returns a head's 40 bytes.
func (h Head) Marshal() []byte { return append(u64(h.N), h.H[:]...) }

// ParseHead reads a head's 40 bytes.
func ParseHead(b []byte) (h Head, err error) {
	if len(b) != 40 {
		return h, malformed("head")
	}
	return Head{binary.BigEndian.Uint64(b), [32]byte(b[8:])}, nil
}
