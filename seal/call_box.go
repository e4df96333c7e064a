package seal

import (
	"crypto/ed25519"
	"encoding/binary"

	"krama"
)

// The payloads of calls about boxes: devices' mailboxes, the trustees', drops of new devices, what devices leave for
// the admins, and blobs. What a relay bounds by its own limits it bounds itself; the numbers here keep a parser's work
// small.

// BoxPutCall is the payload of PathBoxPut.
type BoxPutCall struct {
	Puts []BoxPut // at least one, at most MaxBoxPuts
}

// MaxBoxPuts bounds the items of one call into mailboxes.
const MaxBoxPuts = 512

// BoxPut is one sealed item for one mailbox.
type BoxPut struct {
	Box  [16]byte
	Item []byte
}

// Marshal returns the payload.
func (c BoxPutCall) Marshal() []byte {
	f := make([][]byte, 0, 2*len(c.Puts))
	for i := range c.Puts {
		f = append(f, c.Puts[i].Box[:], c.Puts[i].Item)
	}
	return Frame(f...)
}

// ParseBoxPut reads the payload.
func ParseBoxPut(b []byte) (c BoxPutCall, err error) {
	it, err := ParseFrame(b, 2*MaxBoxPuts)
	if err != nil || len(it) == 0 || len(it)%2 != 0 {
		return c, malformed("box")
	}
	for ; len(it) > 0; it = it[2:] {
		if len(it[0]) != 16 {
			return c, malformed("box")
		}
		c.Puts = append(c.Puts, BoxPut{[16]byte(it[0]), it[1]})
	}
	return c, nil
}

// BoxItemsCall is the payload of PathBoxKeep and PathLeavePut: a box, and sealed items for it.
type BoxItemsCall struct {
	Box   [16]byte
	Items [][]byte
}

// Marshal returns the payload.
func (c BoxItemsCall) Marshal() []byte { return Frame(append([][]byte{c.Box[:]}, c.Items...)...) }

// ParseBoxItems reads the payload, of at most most items.
func ParseBoxItems(b []byte, most int) (c BoxItemsCall, err error) {
	it, err := ParseFrame(b, 1+most)
	if err != nil || len(it) < 1 || len(it[0]) != 16 {
		return c, malformed("box")
	}
	return BoxItemsCall{[16]byte(it[0]), it[1:]}, nil
}

// After says from where in a box an answer begins: behind a place, and without the beginning of its first item, which
// came before the line broke.
type After struct {
	Place uint64
	Skip  uint32
}

// BoxGetCall is the payload of PathBoxGet. The caller is the device whose id commits to the key and the nonce; the
// mailbox is hers for one KEM key.
type BoxGetCall struct {
	Pub   ed25519.PublicKey
	Nonce [16]byte
	Kem   [32]byte // hash of the KEM key
	After
}

// Marshal returns the payload.
func (c BoxGetCall) Marshal() []byte {
	return Frame(c.Pub, c.Nonce[:], c.Kem[:], u64(c.Place), u32(c.Skip))
}

// ParseBoxGet reads the payload.
func ParseBoxGet(b []byte) (c BoxGetCall, err error) {
	it, err := parseExact(b, "box", ed25519.PublicKeySize, 16, 32, 8, 4)
	if err != nil {
		return c, err
	}
	return BoxGetCall{it[0], [16]byte(it[1]), [32]byte(it[2]), after(it[3], it[4])}, nil
}

// after is a place in a list and how many bytes of what stands there the caller has.
func after(place, skip []byte) After {
	return After{binary.BigEndian.Uint64(place), binary.BigEndian.Uint32(skip)}
}

// ProofOfWork is what stands first in the payload of a call that anybody may make: the key it is signed with, and a
// proof of work of a day.
type ProofOfWork struct {
	Pub   ed25519.PublicKey
	Day   krama.Day
	Proof [WorkSize]byte
}

// ParseProofOfWork reads it, whatever follows.
func ParseProofOfWork(b []byte) (w ProofOfWork, err error) {
	it, err := ParseFrame(b, 8)
	if err != nil || len(it) < 3 || len(it[0]) != ed25519.PublicKeySize || len(it[1]) != 4 || len(it[2]) != WorkSize {
		return w, malformed("proof")
	}
	return ProofOfWork{it[0], krama.Day(binary.BigEndian.Uint32(it[1])), [WorkSize]byte(it[2])}, nil
}

// DropPutCall is the payload of PathDropPut: what a new device, which no programme knows, asks to be enrolled with.
type DropPutCall struct {
	ProofOfWork
	Item []byte
}

// Marshal returns the payload.
func (c DropPutCall) Marshal() []byte { return Frame(c.Pub, u32(uint32(c.Day)), c.Proof[:], c.Item) }

// ParseDropPut reads the payload.
func ParseDropPut(b []byte) (c DropPutCall, err error) {
	it, err := parseExact(b, "drop", ed25519.PublicKeySize, 4, WorkSize, -1)
	if err != nil {
		return c, err
	}
	return DropPutCall{ProofOfWork{it[0], krama.Day(binary.BigEndian.Uint32(it[1])), [WorkSize]byte(it[2])}, it[3]}, nil
}

// DropGetCall is the payload of PathDropGet.
type DropGetCall struct {
	Drop [16]byte
}

// Marshal returns the payload.
func (c DropGetCall) Marshal() []byte { return Frame(c.Drop[:]) }

// ParseDropGet reads the payload.
func ParseDropGet(b []byte) (c DropGetCall, err error) {
	it, err := parseExact(b, "drop", 16)
	if err != nil {
		return c, err
	}
	return DropGetCall{[16]byte(it[0])}, nil
}

// LeaveGetCall is the payload of PathLeaveGet and PathLeaveMine.
type LeaveGetCall struct {
	Box [16]byte
	After
}

// Marshal returns the payload.
func (c LeaveGetCall) Marshal() []byte { return Frame(c.Box[:], u64(c.Place), u32(c.Skip)) }

// ParseLeaveGet reads the payload.
func ParseLeaveGet(b []byte) (c LeaveGetCall, err error) {
	it, err := parseExact(b, "box", 16, 8, 4)
	if err != nil {
		return c, err
	}
	return LeaveGetCall{[16]byte(it[0]), after(it[1], it[2])}, nil
}

// BlobPutCall is the payload of PathBlobPut. The answer is the blob's id, BlobID.
type BlobPutCall struct {
	Blob []byte
}

// Marshal returns the payload.
func (c BlobPutCall) Marshal() []byte { return Frame(c.Blob) }

// ParseBlobPut reads the payload.
func ParseBlobPut(b []byte) (c BlobPutCall, err error) {
	it, err := parseExact(b, "blob", -1)
	if err != nil {
		return c, err
	}
	return BlobPutCall{it[0]}, nil
}

// BlobID names a blob by its bytes.
func BlobID(b []byte) [32]byte { return Hash("blob", b) }

// BlobGetCall is the payload of PathBlobGet: a blob, from a place in it on.
type BlobGetCall struct {
	ID   [32]byte
	Skip uint32
}

// Marshal returns the payload.
func (c BlobGetCall) Marshal() []byte { return Frame(c.ID[:], u32(c.Skip)) }

// ParseBlobGet reads the payload.
func ParseBlobGet(b []byte) (c BlobGetCall, err error) {
	it, err := parseExact(b, "blob", 32, 4)
	if err != nil {
		return c, err
	}
	return BlobGetCall{[32]byte(it[0]), binary.BigEndian.Uint32(it[1])}, nil
}

// BlobDropCall is the payload of PathBlobDrop.
type BlobDropCall struct {
	IDs [][32]byte
}

// Marshal returns the payload.
func (c BlobDropCall) Marshal() []byte {
	f := make([][]byte, 0, len(c.IDs))
	for i := range c.IDs {
		f = append(f, c.IDs[i][:])
	}
	return Frame(f...)
}

// ParseBlobDrop reads the payload.
func ParseBlobDrop(b []byte) (c BlobDropCall, err error) {
	it, err := ParseFrame(b, 4096)
	if err != nil {
		return c, malformed("blobs")
	}
	for _, id := range it {
		if len(id) != 32 {
			return c, malformed("blobs")
		}
		c.IDs = append(c.IDs, [32]byte(id))
	}
	return c, nil
}

// Held is one item of a box with its place, which rises: who reads on asks for what comes after it. Place 0 and no
// bytes end the last answer.
type Held struct {
	K    uint64
	Body []byte
}

// HeldMax bounds the items of one answer.
const HeldMax = 4096

// MarshalHeld returns the answer's bytes: the place and the bytes of each item, the first without its beginning, which
// the caller has. last adds the end.
func MarshalHeld(list []Held, skip int, last bool) []byte {
	var f [][]byte
	for i, h := range list {
		if i == 0 && skip < len(h.Body) {
			h.Body = h.Body[skip:]
		}
		f = append(f, u64(h.K), h.Body)
	}
	if last {
		f = append(f, u64(0), nil)
	}
	return Frame(f...)
}

// CutHeld reads as much of an answer as came: whole items, and the beginning of the next one with how long it is.
func CutHeld(b []byte) (list []Held, begun Held, size int, err error) {
	for len(b) >= 12+4 && len(list) <= HeldMax {
		n := int64(binary.BigEndian.Uint32(b[12:]))
		if binary.BigEndian.Uint32(b) != 8 || n > 1<<24 {
			return nil, begun, 0, malformed("box")
		}
		k := binary.BigEndian.Uint64(b[4:])
		if int64(len(b)-16) < n {
			return list, Held{k, b[16:]}, int(n), nil
		}
		list, b = append(list, Held{k, b[16 : 16+n : 16+n]}), b[16+n:]
	}
	if len(b) > 0 && len(b) >= 16 {
		return nil, begun, 0, malformed("box")
	}
	return list, begun, 0, nil
}

// ParseHeld reads a whole answer.
func ParseHeld(b []byte) (list []Held, last bool, err error) {
	list, begun, size, err := CutHeld(b)
	used := 0
	for _, h := range list {
		used += 16 + len(h.Body)
	}
	if err != nil || begun.Body != nil || size > 0 || used != len(b) {
		return nil, false, malformed("box")
	}
	if n := len(list); n > 0 && list[n-1].K == 0 {
		return list[:n-1], true, nil
	}
	return list, false, nil
}
