package seal

import (
	"crypto/ed25519"

	"krama"
)

// Pepper is what the relay keeps for one vault of a device: the value, and the key that asks for it.
type Pepper struct {
	Access ed25519.PublicKey
	Value  [32]byte
}

// PepperSize is the length of a pepper's bytes.
const PepperSize = ed25519.PublicKeySize + 32

// Marshal returns the pepper's bytes.
func (p Pepper) Marshal() []byte { return append(append([]byte(nil), p.Access...), p.Value[:]...) }

// ParsePepper reads what Marshal wrote. What lies at a relay already is read whatever its key, so that its device can
// replace it; the relay takes no bad key in, and nothing is signed under one.
func ParsePepper(b []byte) (p Pepper, ok bool) {
	if len(b) != PepperSize {
		return p, false
	}
	return Pepper{b[:ed25519.PublicKeySize], [32]byte(b[ed25519.PublicKeySize:])}, true
}

// PepperBox names the place of a device's pepper at the relay. It comes from the device's id, so that an admin can have
// the pepper of a removed device dropped without asking anybody.
func PepperBox(d krama.DeviceID) [16]byte {
	h := Hash("pepper", d[:])
	return [16]byte(h[:16])
}

// MaxPeppers bounds the peppers of a device. There are two only while its vault is being rewritten, for one of them
// opens the file before and the other the file after.
const MaxPeppers = 2
