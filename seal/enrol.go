package seal

import (
	"crypto/hpke"
	"encoding/binary"

	"krama"
)

// Bootstrap is what a device must know of circle 0 to open its wrap and read the roster that confirms it: the open
// epoch with its two commitments, and the secrets of the epochs before, whose links lie in streams it cannot read yet.
type Bootstrap struct {
	Epoch   uint32
	EC, GC  [32]byte
	History [][32]byte // ES of epochs 0 to Epoch-1
}

const bootstrapMin = 1120 + 4 + 64 + 16

// bootstrapInfo binds the way to the roster to the device it is for.
func bootstrapInfo(org krama.OrgID, d krama.DeviceID) []byte { return enc("bootstrap", org[:], d[:]) }

// SealBootstrap seals b to a device, so that the relay does not learn which commitments belong to whom.
func SealBootstrap(org krama.OrgID, d krama.DeviceID, kemPub []byte, b Bootstrap) ([]byte, error) {
	pub, err := hpke.MLKEM768X25519().NewPublicKey(kemPub)
	if err != nil {
		return nil, malformed("kem key")
	}
	pt := append(append(u32(b.Epoch), b.EC[:]...), b.GC[:]...)
	w, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), bootstrapInfo(org, d),
		append(pt, joined(b.History)...))
	return w, krama.Wrap("seal.SealBootstrap", err)
}

// OpenBootstrap opens what SealBootstrap sealed. Nothing in it is believed before the roster confirms it.
func OpenBootstrap(org krama.OrgID, d *Device, sealed []byte) (b Bootstrap, err error) {
	if len(sealed) < bootstrapMin || (len(sealed)-bootstrapMin)%32 != 0 {
		return b, malformed("bootstrap")
	}
	pt, err := hpke.Open(d.KEM, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), bootstrapInfo(org, d.ID()), sealed)
	if err != nil || len(pt) < 68 {
		return b, krama.E("seal.OpenBootstrap", krama.CannotDecrypt, "")
	}
	b = Bootstrap{binary.BigEndian.Uint32(pt), [32]byte(pt[4:]), [32]byte(pt[36:]), parted(pt[68:])}
	if uint64(len(b.History)) != uint64(b.Epoch) {
		return b, malformed("bootstrap")
	}
	return b, nil
}

// BoxItem is a wrap as it lies in a mailbox: a reference only its owner can compute, then the wrap.
func BoxItem(d krama.DeviceID, ec [32]byte, wrap []byte) []byte {
	ref := boxRef(d, ec)
	return append(ref[:], wrap...)
}

// boxRef names an item to its device, without naming the device to the relay.
func boxRef(d krama.DeviceID, ec [32]byte) [16]byte {
	h := Hash("box ref", d[:], ec[:])
	return [16]byte(h[:16])
}

// FindWraps returns what lies under the reference of the epoch with commitment ec among a mailbox's items. Anybody may
// put something there; the commitments tell which is the wrap.
func FindWraps(items [][]byte, d krama.DeviceID, ec [32]byte) (out [][]byte) {
	ref := boxRef(d, ec)
	for _, it := range items {
		if len(it) == 16+WrapSize && [16]byte(it[:16]) == ref {
			out = append(out, it[16:])
		}
	}
	return out
}
