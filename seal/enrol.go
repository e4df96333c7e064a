package seal

import (
	"crypto/hpke"
	"encoding/binary"

	"krama"
)

// Bootstrap is what a new device must know of circle 0's epoch to open its wrap, before it can read the roster that
// confirms it: the epoch and its two commitments.
type Bootstrap struct {
	Epoch  uint32
	EC, GC [32]byte
}

// BootstrapSize is the length of a sealed Bootstrap.
const BootstrapSize = 1120 + 4 + 64 + 16

func bootstrapInfo(org krama.OrgID, d krama.DeviceID) []byte { return enc("bootstrap", org[:], d[:]) }

// SealBootstrap seals b to a new device, so that the relay does not learn which commitments belong to whom.
func SealBootstrap(org krama.OrgID, r *Request, b Bootstrap) ([]byte, error) {
	pub, err := hpke.MLKEM768X25519().NewPublicKey(r.KemPub)
	if err != nil {
		return nil, malformed("kem key")
	}
	pt := append(append(u32(b.Epoch), b.EC[:]...), b.GC[:]...)
	w, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), bootstrapInfo(org, r.ID()), pt)
	return w, krama.Wrap("seal.SealBootstrap", err)
}

// OpenBootstrap opens what SealBootstrap sealed. Nothing in it is believed before the roster confirms it.
func OpenBootstrap(org krama.OrgID, d *Device, sealed []byte) (b Bootstrap, err error) {
	if len(sealed) != BootstrapSize {
		return b, malformed("bootstrap")
	}
	pt, err := hpke.Open(d.KEM, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), bootstrapInfo(org, d.ID()), sealed)
	if err != nil || len(pt) != 68 {
		return b, krama.E("seal.OpenBootstrap", krama.CannotDecrypt, "")
	}
	return Bootstrap{binary.BigEndian.Uint32(pt), [32]byte(pt[4:]), [32]byte(pt[36:])}, nil
}

// BoxItem is a wrap as it lies in a mailbox: a reference only its owner can compute, then the wrap.
func BoxItem(d krama.DeviceID, ec [32]byte, wrap []byte) []byte {
	ref := boxRef(d, ec)
	return append(ref[:], wrap...)
}

func boxRef(d krama.DeviceID, ec [32]byte) [16]byte {
	h := Hash("box ref", d[:], ec[:])
	return [16]byte(h[:16])
}

// FindWrap returns the wrap for the epoch with commitment ec among a mailbox's items.
func FindWrap(items [][]byte, d krama.DeviceID, ec [32]byte) ([]byte, bool) {
	ref := boxRef(d, ec)
	for _, it := range items {
		if len(it) == 16+WrapSize && [16]byte(it[:16]) == ref {
			return it[16:], true
		}
	}
	return nil, false
}
