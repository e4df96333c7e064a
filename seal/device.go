package seal

import (
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"krama"
)

// Device is the secret half of one enrolled device. It never leaves the device; a new phone is always a new device.
type Device struct {
	Sig        ed25519.PrivateKey
	KEM        hpke.PrivateKey
	Nonce      [16]byte
	SaltSecret [32]byte // hedges envelope salts against a weak random source
	Platform   string
}

// NewDevice draws the keys of a device.
func NewDevice(rand io.Reader, platform string) (*Device, error) {
	var seed, kem [32]byte
	d := &Device{Platform: platform}
	for _, b := range [][]byte{seed[:], kem[:], d.Nonce[:], d.SaltSecret[:]} {
		if _, err := io.ReadFull(rand, b); err != nil {
			return nil, krama.Wrap("seal.NewDevice", err)
		}
	}
	return deviceFrom(seed, kem, d.Nonce, d.SaltSecret, platform)
}

// NewKEM draws a KEM key for an enrolled device: the old one is destroyed, so that old wraps open no more.
func NewKEM(rand io.Reader) (hpke.PrivateKey, error) {
	var seed [32]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return nil, krama.Wrap("seal.NewKEM", err)
	}
	return hpke.MLKEM768X25519().NewPrivateKey(seed[:])
}

// deviceFrom makes a device of its secrets, as they were drawn or kept.
func deviceFrom(seed, kem [32]byte, nonce [16]byte, salt [32]byte, platform string) (*Device, error) {
	k, err := hpke.MLKEM768X25519().NewPrivateKey(kem[:])
	if err != nil {
		return nil, krama.Wrap("seal.NewDevice", err)
	}
	return &Device{Sig: ed25519.NewKeyFromSeed(seed[:]), KEM: k, Nonce: nonce, SaltSecret: salt, Platform: platform},
		nil
}

// Marshal returns the device's secrets for the vault.
func (d *Device) Marshal() ([]byte, error) {
	kem, err := d.KEM.Bytes()
	if err != nil {
		return nil, krama.Wrap("seal.Device", err)
	}
	return Frame(d.Sig.Seed(), kem, d.Nonce[:], d.SaltSecret[:], []byte(d.Platform)), nil
}

// ParseDevice reads what Marshal wrote.
func ParseDevice(b []byte) (*Device, error) {
	it, err := parseExact(b, "device", 32, 32, 16, 32, -1)
	if err != nil {
		return nil, err
	}
	return deviceFrom([32]byte(it[0]), [32]byte(it[1]), [16]byte(it[2]), [32]byte(it[3]), string(it[4]))
}

// SigPub returns the signing key's public half.
func (d *Device) SigPub() ed25519.PublicKey { return d.Sig.Public().(ed25519.PublicKey) }

// ID returns the device's id.
func (d *Device) ID() krama.DeviceID { return DeviceID(d.SigPub(), d.Nonce) }

// Mailbox returns where wraps for the device wait.
func (d *Device) Mailbox() [16]byte { return Mailbox(d.ID(), KemHash(d.KEM.PublicKey().Bytes())) }

// DeviceID commits to the signing key, so that an id cannot be pointed at another one.
func DeviceID(sigPub ed25519.PublicKey, nonce [16]byte) krama.DeviceID {
	h := Hash("device", sigPub, nonce[:])
	return krama.DeviceID(h[:16])
}

// KemHash names a KEM public key.
func KemHash(kemPub []byte) [32]byte { return Hash("kem", kemPub) }

// Request is what a new device asks to be enrolled with.
type Request struct {
	SigPub   ed25519.PublicKey
	KemPub   []byte // 1,216 bytes
	Nonce    [16]byte
	Platform string
}

const kemPubSize = 1216

// Request returns the device's enrolment request.
func (d *Device) Request() *Request {
	return &Request{SigPub: d.SigPub(), KemPub: d.KEM.PublicKey().Bytes(), Nonce: d.Nonce, Platform: d.Platform}
}

// Marshal returns the request's bytes, which are what QR-1 hashes.
func (r *Request) Marshal() []byte {
	return enc("enrol request", r.SigPub, r.KemPub, r.Nonce[:], []byte(r.Platform))
}

// ID returns the id the device will have.
func (r *Request) ID() krama.DeviceID { return DeviceID(r.SigPub, r.Nonce) }

// ParseRequest reads an enrolment request.
func ParseRequest(b []byte) (*Request, error) {
	it, err := parseLabel(b, "enrol request", ed25519.PublicKeySize, kemPubSize, 16, -1)
	if err != nil || len(it[3]) > 64 || badSigKey(it[0]) {
		return nil, malformed("enrolment request")
	}
	if _, err := hpke.MLKEM768X25519().NewPublicKey(it[1]); err != nil {
		return nil, malformed("enrolment request")
	}
	return &Request{SigPub: it[0], KemPub: it[1], Nonce: [16]byte(it[2]), Platform: string(it[3])}, nil
}

// parseLabel reads items behind the label that says what they are, so that bytes made for one purpose are not taken for
// another.
func parseLabel(b []byte, label string, sizes ...int) ([][]byte, error) {
	it, err := parseExact(b, label, append([]int{-1}, sizes...)...)
	if err != nil || string(it[0]) != "krama/1 "+label {
		return nil, malformed(label)
	}
	return it[1:], nil
}

// Scan1 is QR-1, shown by the new device.
type Scan1 struct {
	RequestHash [32]byte
	Drop        [16]byte
}

// Scan2 is QR-2, shown by the admin device. Relay is beyond the protocol text's fields: the address the new device
// should use, which needs no trust.
type Scan2 struct {
	Org      krama.OrgID
	Roster   Head
	AdminKey [32]byte // SHA-256 of the admin's signing key
	Secret   [32]byte
	Relay    string
}

const scanVersion = 1

var scanText = base32.StdEncoding.WithPadding(base32.NoPadding)

// String is the QR text: 79 base32 characters.
func (s Scan1) String() string {
	return scanText.EncodeToString(append(append([]byte{scanVersion}, s.RequestHash[:]...), s.Drop[:]...))
}

// ParseScan1 reads a scanned or pasted QR-1.
func ParseScan1(text string) (s Scan1, err error) {
	b, err := scanBytes(text)
	if err != nil || len(b) != 49 {
		return s, malformed("enrolment code of a new phone")
	}
	copy(s.RequestHash[:], b[1:])
	copy(s.Drop[:], b[33:])
	return s, nil
}

// String is the QR text: 220 base32 characters and the relay's address.
func (s Scan2) String() string {
	b := append([]byte{scanVersion}, s.Org[:]...)
	b = append(b, u64(s.Roster.N)...)
	b = append(b, s.Roster.H[:]...)
	b = append(b, s.AdminKey[:]...)
	b = append(b, s.Secret[:]...)
	return scanText.EncodeToString(b) + "." + scanText.EncodeToString([]byte(s.Relay))
}

// ParseScan2 reads a scanned or pasted QR-2.
func ParseScan2(text string) (s Scan2, err error) {
	main, relay, ok := strings.Cut(strings.TrimSpace(text), ".")
	b, err := scanBytes(main)
	if err != nil || !ok || len(b) != 137 {
		return s, malformed("enrolment code of the office")
	}
	r, err := scanText.DecodeString(relay)
	if err != nil || len(r) > 256 {
		return s, malformed("enrolment code of the office")
	}
	copy(s.Org[:], b[1:])
	s.Roster.N = binary.BigEndian.Uint64(b[33:])
	copy(s.Roster.H[:], b[41:])
	copy(s.AdminKey[:], b[73:])
	copy(s.Secret[:], b[105:])
	s.Relay = string(r)
	return s, nil
}

// scanBytes reads a code that was scanned or pasted, with whatever spaces came along.
func scanBytes(text string) ([]byte, error) {
	text = strings.ToUpper(strings.Join(strings.Fields(text), ""))
	b, err := scanText.DecodeString(text)
	if err != nil || len(b) == 0 || b[0] != scanVersion {
		return nil, malformed("code")
	}
	return b, nil
}

// Proof is the new device's proof that it holds its key and has seen QR-2.
func (d *Device) Proof(org krama.OrgID, secret [32]byte) []byte {
	return ed25519.Sign(d.Sig, proofMessage(org, d.Request().Marshal(), secret))
}

// CheckProof verifies a Proof against a request.
func CheckProof(org krama.OrgID, r *Request, secret [32]byte, pop []byte) bool {
	return verify(r.SigPub, proofMessage(org, r.Marshal(), secret), pop)
}

// proofMessage is what a new device signs: whose office it saw, its own request, and the secret that only the screens
// showed.
func proofMessage(org krama.OrgID, request []byte, secret [32]byte) []byte {
	h := SHA256(request)
	m := Hash("enrol pop", org[:], h[:], secret[:])
	return m[:]
}

// SafetyDigits are read aloud when two screens cannot be scanned: six groups of five digits.
func SafetyDigits(org krama.OrgID, sigPub ed25519.PublicKey, kemHash [32]byte) string {
	h := Hash("safety", org[:], sigPub, kemHash[:])
	var groups []string
	for i := range 6 {
		v := uint64(0)
		for _, b := range h[i*5 : i*5+5] {
			v = v<<8 | uint64(b)
		}
		groups = append(groups, fmt.Sprintf("%05d", v%100000))
	}
	return strings.Join(groups, " ")
}
