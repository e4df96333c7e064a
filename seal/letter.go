package seal

import (
	"crypto/ed25519"
	"crypto/hpke"

	"krama"
)

// A Letter is a sealed, signed message from one device to another through a mailbox, for what no stream can carry: the
// unsent work of a removed device, its word that it is empty, a statement that waits for a second signature.
type Letter struct {
	Kind LetterKind
	From krama.DeviceID
	Body []byte
}

// LetterKind says what a letter carries.
type LetterKind byte

// Letters.
const (
	LetterLate  LetterKind = 1 // items that a removed device had not sent
	LetterWiped LetterKind = 2 // the device has destroyed its vault
	LetterDraft LetterKind = 3 // a statement and its first signature
	// LetterControl carries the seeds of the programme's control keys, the newest last, from one admin's device to
	// another.
	LetterControl LetterKind = 4
)

// letterMin is the least plaintext: letters are padded so that a short one looks like any other.
const letterMin = 2048

// MaxLetter bounds a letter's body, in bytes.
const MaxLetter = 48 << 10

// letterInfo binds a letter to whom it is for.
func letterInfo(org krama.OrgID, to krama.DeviceID) []byte { return enc("letter", org[:], to[:]) }

// letterMessage is what its writer signs.
func letterMessage(org krama.OrgID, to krama.DeviceID, k LetterKind, body []byte) []byte {
	m := Hash("letter sig", org[:], to[:], []byte{byte(k)}, body)
	return m[:]
}

// SealLetter seals and signs a letter to a device's newest KEM key.
func SealLetter(org krama.OrgID, from *Device, to krama.DeviceID, kemPub []byte, k LetterKind,
	body []byte) ([]byte, error) {
	if len(body) > MaxLetter {
		return nil, krama.E("seal.SealLetter", krama.TooLarge, "")
	}
	pub, err := hpke.MLKEM768X25519().NewPublicKey(kemPub)
	if err != nil {
		return nil, malformed("kem key")
	}
	id := from.ID()
	pt := Frame([]byte{byte(k)}, id[:], body, ed25519.Sign(from.Sig, letterMessage(org, to, k, body)))
	size := max(letterMin, Padme(len(pt)+8))
	pt = Frame(pt, make([]byte, size-len(pt)-8))
	w, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), letterInfo(org, to), pt)
	return w, krama.Wrap("seal.SealLetter", err)
}

// OpenLetter opens a letter and returns it with its signature, which Check verifies once the sender's key is known.
func OpenLetter(org krama.OrgID, d *Device, sealed []byte) (l Letter, sig []byte, err error) {
	pt, err := hpke.Open(d.KEM, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), letterInfo(org, d.ID()), sealed)
	if err != nil {
		return l, nil, krama.E("seal.OpenLetter", krama.CannotDecrypt, "")
	}
	outer, err := parseExact(pt, "letter", -1, -1)
	if err != nil {
		return l, nil, err
	}
	it, err := parseExact(outer[0], "letter", 1, 16, -1, ed25519.SignatureSize)
	if err != nil {
		return l, nil, err
	}
	return Letter{LetterKind(it[0][0]), krama.DeviceID(it[1]), it[2]}, it[3], nil
}

// Draft is the body of a LetterDraft: a statement that needs a second admin, as the first one signed it.
type Draft struct {
	Statement []byte // as NewStatement's Marshal gives it
	By        krama.DeviceID
	Sig       []byte // 64 bytes, Cosign's
}

// Marshal returns the body.
func (d Draft) Marshal() []byte { return Frame(d.Statement, d.By[:], d.Sig) }

// ParseDraft reads the body.
func ParseDraft(b []byte) (d Draft, err error) {
	it, err := parseExact(b, "draft", -1, 16, ed25519.SignatureSize)
	if err != nil {
		return d, err
	}
	return Draft{it[0], krama.DeviceID(it[1]), it[2]}, nil
}

// Check verifies a letter's signature.
func (l Letter) Check(org krama.OrgID, to krama.DeviceID, pub ed25519.PublicKey, sig []byte) bool {
	return verify(pub, letterMessage(org, to, l.Kind, l.Body), sig)
}
