package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"io"

	"krama"
)

// Epoch is one epoch's secrets as a member holds them: ES reads what the circle shares and, through the back link,
// every epoch before; KG opens subject keys and is destroyed when the next epoch arrives, so that erasure is real.
type Epoch struct {
	Context
	ES, KG [32]byte
}

// NewEpoch draws the secrets of an epoch.
func NewEpoch(rand io.Reader, ctx Context) (*Epoch, error) {
	e := &Epoch{Context: ctx}
	if _, err := io.ReadFull(rand, e.ES[:]); err != nil {
		return nil, krama.Wrap("seal.NewEpoch", err)
	}
	if _, err := io.ReadFull(rand, e.KG[:]); err != nil {
		return nil, krama.Wrap("seal.NewEpoch", err)
	}
	return e, nil
}

// EC is the commitment to ES, published in the roster.
func (e *Epoch) EC() [32]byte {
	return [32]byte(deriveCtx(e.ES[:], nil, 32, "epoch commit", e.Context))
}

// GC is the commitment to KG, published in the roster.
func (e *Epoch) GC() [32]byte {
	return [32]byte(deriveCtx(e.KG[:], nil, 32, "keyring commit", e.Context))
}

// StreamID names the epoch's stream at the relay.
type StreamID [16]byte

// StreamID returns the id of the epoch's stream.
func (e *Epoch) StreamID() StreamID {
	return StreamID(deriveCtx(e.ES[:], nil, 16, "stream id", e.Context))
}

// StreamKey returns the key that every member of the epoch signs relay requests with. It gives access, not authorship.
func (e *Epoch) StreamKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(deriveCtx(e.ES[:], nil, 32, "stream access", e.Context))
}

// ControlKey returns the key that a programme is founded with at the relay. Every device could make it, so the founder
// replaces it at once by one that only admins have.
func (e *Epoch) ControlKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(deriveCtx(e.ES[:], nil, 32, "relay control", e.Context))
}

// Back seals the previous epoch's ES under this one, so that later members can read history: 48 bytes.
func (e *Epoch) Back(prev *Epoch) []byte {
	ec := prev.EC()
	return sealOnce(nil, deriveCtx(e.ES[:], nil, 32, "back", e.Context), prev.ES[:], encCtx("back", e.Context, ec[:]))
}

// OpenBack recovers the previous epoch's ES and checks it against its commitment.
func (e *Epoch) OpenBack(back []byte, prevEC [32]byte) (*Epoch, error) {
	if e.Epoch == 0 || len(back) != 48 {
		return nil, malformed("back link")
	}
	pt, err := openOnce(deriveCtx(e.ES[:], nil, 32, "back", e.Context), back, encCtx("back", e.Context, prevEC[:]))
	if err != nil {
		return nil, err
	}
	p := &Epoch{Context: e.Context, ES: [32]byte(pt)}
	p.Context.Epoch--
	if p.EC() != prevEC {
		return nil, krama.E("seal.OpenBack", krama.Tampered, "commitment")
	}
	return p, nil
}

// WrapSize is the length of a wrap.
const WrapSize = 1200

// wrapInfo binds a wrap to the device, its key and the epoch it opens.
func wrapInfo(ctx Context, d krama.DeviceID, kemHash, ec, gc [32]byte) []byte {
	return encCtx("wrap", ctx, d[:], kemHash[:], ec[:], gc[:])
}

// Wrap seals ES and KG to one device's KEM key.
func (e *Epoch) Wrap(d krama.DeviceID, kemPub []byte) ([]byte, error) {
	pub, err := hpke.MLKEM768X25519().NewPublicKey(kemPub)
	if err != nil {
		return nil, malformed("kem key")
	}
	info := wrapInfo(e.Context, d, KemHash(kemPub), e.EC(), e.GC())
	w, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info, append(bytes.Clone(e.ES[:]), e.KG[:]...))
	return w, krama.Wrap("seal.Wrap", err)
}

// OpenWrap opens a wrap and accepts it only if both secrets match the commitments of the roster.
func OpenWrap(ctx Context, d krama.DeviceID, kem hpke.PrivateKey, wrap []byte, ec, gc [32]byte) (*Epoch, error) {
	if len(wrap) != WrapSize {
		return nil, malformed("wrap")
	}
	info := wrapInfo(ctx, d, KemHash(kem.PublicKey().Bytes()), ec, gc)
	pt, err := hpke.Open(kem, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info, wrap)
	if err != nil || len(pt) != 64 {
		return nil, krama.E("seal.OpenWrap", krama.CannotDecrypt, "")
	}
	e := &Epoch{Context: ctx, ES: [32]byte(pt[:32]), KG: [32]byte(pt[32:])}
	if e.EC() != ec || e.GC() != gc {
		return nil, krama.E("seal.OpenWrap", krama.Tampered, "commitment")
	}
	return e, nil
}

// WrapRecovery seals ES, and KG if the circle's people are recoverable too, to the trustees' key.
func (e *Epoch) WrapRecovery(t *TrusteesSet, keyring bool) ([]byte, error) {
	pub, err := hpke.MLKEM768X25519().NewPublicKey(t.KemPub)
	if err != nil {
		return nil, malformed("kem key")
	}
	pt := append(bytes.Clone(e.ES[:]), make([]byte, 32)...)
	if keyring {
		copy(pt[32:], e.KG[:])
	}
	w, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), recoveryInfo(e.Context, t.ID(),
		KemHash(t.KemPub), e.EC(), e.GC()), pt)
	return w, krama.Wrap("seal.WrapRecovery", err)
}

// recoveryInfo does so for the trustees.
func recoveryInfo(ctx Context, d krama.DeviceID, kemHash, ec, gc [32]byte) []byte {
	return encCtx("wrap recovery", ctx, d[:], kemHash[:], ec[:], gc[:])
}

// OpenWrapRecovery opens a wrap with the trustees' key. It is accepted on ES's commitment alone; KG is zero when the
// circle's people are not recoverable.
func OpenWrapRecovery(ctx Context, k *Device, wrap []byte, ec, gc [32]byte) (*Epoch, error) {
	if len(wrap) != WrapSize {
		return nil, malformed("wrap")
	}
	pt, err := hpke.Open(k.KEM, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), recoveryInfo(ctx, k.ID(),
		KemHash(k.KEM.PublicKey().Bytes()), ec, gc), wrap)
	if err != nil || len(pt) != 64 {
		return nil, krama.E("seal.OpenWrapRecovery", krama.CannotDecrypt, "")
	}
	e := &Epoch{Context: ctx, ES: [32]byte(pt[:32]), KG: [32]byte(pt[32:])}
	if e.EC() != ec || (e.KG != [32]byte{} && e.GC() != gc) {
		return nil, krama.E("seal.OpenWrapRecovery", krama.Tampered, "commitment")
	}
	return e, nil
}

// Mailbox is where wraps for a device wait at the relay.
func Mailbox(d krama.DeviceID, kemHash [32]byte) [16]byte {
	h := Hash("mbox", d[:], kemHash[:])
	return [16]byte(h[:16])
}

// Head is a position in a stream and its chain value.
type Head struct {
	N uint64
	H [32]byte
}

// Start returns H_0 of a stream: f is the final chain value of the epoch before; at epoch 0 the org id for circle 0,
// and the id of the circle.create entry for any other circle.
func Start(ctx Context, f [32]byte) Head { return Head{0, hashCtx("chain", ctx, f[:])} }

// Link returns the head after one more envelope.
func (h Head) Link(id [32]byte) Head { return Head{h.N + 1, Hash("link", h.H[:], id[:])} }

// EnvelopeID is the id of an envelope's wire bytes.
func EnvelopeID(wire []byte) [32]byte { return Hash("env id", wire) }
