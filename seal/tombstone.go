package seal

import (
	"crypto/ed25519"
	"encoding/binary"
	"io"

	"krama"
)

// Tombstone stands at the relay in the place of an envelope whose contents nobody can open any more. It keeps
// what the order of the stream and of its author rest on, and an admin's word that nothing else was taken.
type Tombstone struct {
	ID     [32]byte // of the envelope
	Author krama.DeviceID
	Seq    uint64
	Prev   [32]byte
	TimeMS uint64
	Signer krama.DeviceID
	sig    []byte
	ctx    Context
}

const (
	tombVersion   = 2
	tombPlain     = 16 + 8 + 32 + 8 + 16 + ed25519.SignatureSize
	TombstoneSize = 1 + 32 + 32 + tombPlain + 16
)

// TombstoneID returns the id of the envelope that a tombstone stands for; false for anything else.
func TombstoneID(wire []byte) (id [32]byte, ok bool) {
	if len(wire) != TombstoneSize || wire[0] != tombVersion {
		return id, false
	}
	return [32]byte(wire[1:33]), true
}

// WireID is the id of what stands in a place of a stream: an envelope's, or that of the envelope before it was
// replaced.
func WireID(wire []byte) [32]byte {
	if id, ok := TombstoneID(wire); ok {
		return id
	}
	return EnvelopeID(wire)
}

// message is what the tombstone's signature is over: everything that the envelope's readers still need of it.
func (t *Tombstone) message() []byte {
	h := hashCtx("env tombstone sig", t.ctx, t.ID[:], t.Author[:], u64(t.Seq), t.Prev[:], u64(t.TimeMS))
	return h[:]
}

// SealTombstone signs and seals a tombstone: 225 bytes.
func (e *Epoch) SealTombstone(rand io.Reader, t Tombstone, signer krama.DeviceID, key ed25519.PrivateKey) (
	[]byte, error) {
	t.ctx = e.Context
	var salt [32]byte
	if _, err := io.ReadFull(rand, salt[:]); err != nil {
		return nil, krama.Wrap("seal.SealTombstone", err)
	}
	pt := append(t.Author[:], u64(t.Seq)...)
	pt = append(append(append(pt, t.Prev[:]...), u64(t.TimeMS)...), signer[:]...)
	pt = append(pt, ed25519.Sign(key, t.message())...)
	wire := append(append([]byte{tombVersion}, t.ID[:]...), salt[:]...)
	return sealOnce(wire, deriveCtx(e.ES[:], salt[:], 32, "env tombstone", e.Context), pt, encCtx("env tombstone",
		e.Context, t.ID[:], salt[:])), nil
}

// OpenTombstone opens a tombstone of the epoch. Verify says whether its signer wrote it.
func (e *Epoch) OpenTombstone(wire []byte) (*Tombstone, error) {
	id, ok := TombstoneID(wire)
	if !ok {
		return nil, malformed("tombstone")
	}
	salt := wire[33:65]
	pt, err := openOnce(deriveCtx(e.ES[:], salt, 32, "env tombstone", e.Context), wire[65:], encCtx("env tombstone",
		e.Context, id[:], salt))
	if err != nil {
		return nil, err
	}
	return &Tombstone{id, krama.DeviceID(pt), binary.BigEndian.Uint64(pt[16:]), [32]byte(pt[24:]),
		binary.BigEndian.Uint64(pt[56:]),
		krama.DeviceID(pt[64:]), pt[80:], e.Context}, nil
}

// Verify reports whether the tombstone is its signer's.
func (t *Tombstone) Verify(pub ed25519.PublicKey) bool {
	return verify(pub, t.message(), t.sig)
}
