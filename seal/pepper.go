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

// ParsePepper reads what Marshal wrote.
func ParsePepper(b []byte) (p Pepper, ok bool) {
	if len(b) != PepperSize {
		return p, false
	}
	return Pepper{b[:ed25519.PublicKeySize], [32]byte(b[ed25519.PublicKeySize:])}, true
}

// PepperBox names the place of a device's pepper at the relay. It comes from the device's id, so that an admin can have the
// pepper of a removed device dropped without asking anybody.
func PepperBox(d krama.DeviceID) [16]byte {
	h := Hash("pepper", d[:])
	return [16]byte(h[:16])
}

// PepperPut is the payload of PathPepperPut: all peppers of the device from now on. There are two only while its vault is
// being rewritten, for one of them opens the file before and the other the file after. The stream's key shows the relay a
// programme, the device's that it is its own.
type PepperPut struct {
	Device  krama.DeviceID
	Peppers []Pepper
}

// MaxPeppers bounds the peppers of a device.
const MaxPeppers = 2

// PutPeppers returns the payload of a call on stream, signed by the device.
func (d *Device) PutPeppers(stream StreamID, peppers ...Pepper) []byte {
	items := [][]byte{d.SigPub(), d.Nonce[:], nil}
	for _, p := range peppers {
		items = append(items, p.Marshal())
	}
	m := pepperMessage(stream, items[3:])
	items[2] = ed25519.Sign(d.Sig, m[:])
	return Frame(items...)
}

// ParsePepperPut reads and verifies the payload of a call on stream.
func ParsePepperPut(stream StreamID, b []byte) (p PepperPut, err error) {
	it, err := ParseFrame(b, 3+MaxPeppers)
	if err != nil || len(it) < 3 || len(it[0]) != ed25519.PublicKeySize || len(it[1]) != 16 {
		return p, malformed("pepper")
	}
	for _, b := range it[3:] {
		one, ok := ParsePepper(b)
		if !ok {
			return p, malformed("pepper")
		}
		p.Peppers = append(p.Peppers, one)
	}
	m := pepperMessage(stream, it[3:])
	if len(it[2]) != ed25519.SignatureSize || !ed25519.Verify(it[0], m[:], it[2]) {
		return p, krama.E("seal.PepperPut", krama.NotAllowed, "signature")
	}
	p.Device = DeviceID(it[0], [16]byte(it[1]))
	return p, nil
}

func pepperMessage(stream StreamID, peppers [][]byte) [32]byte {
	return Hash("pepper put", append([][]byte{stream[:]}, peppers...)...)
}
