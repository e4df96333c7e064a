package seal

import (
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"krama"
)

// IntakeKeys are what an intake's seed gives: the key that reports are sealed to, and the key that answers are signed
// with. Its reports are fetched with the key of the stream it was drawn in, which the relay hands on to the circle's
// newest epoch: who left the circle keeps the seed and gets nothing.
type IntakeKeys struct {
	KEM    hpke.PrivateKey
	Sig    ed25519.PrivateKey
	Stream StreamID
	Bound  bool // its id commits to KEM; those of the first version do not
}

// OpenIntake derives the keys of an intake that was drawn in a stream (doc/format.md §4). Bound are all but those of
// the first version.
func OpenIntake(seed [32]byte, stream StreamID, bound bool) (*IntakeKeys, error) {
	kem, err := hpke.MLKEM768X25519().NewPrivateKey(Derive(seed[:], nil, 32, "intake kem"))
	if err != nil {
		return nil, krama.Wrap("seal.OpenIntake", err)
	}
	return &IntakeKeys{kem, ed25519.NewKeyFromSeed(Derive(seed[:], nil, 32, "intake sig")), stream, bound}, nil
}

// ID names the intake at the relay. It commits to the stream whose key fetches its reports, so the relay needs no
// account for it, and to the key that reports are sealed to, so that nobody passes off another key under it.
func (k *IntakeKeys) ID() [16]byte {
	sig := k.Sig.Public().(ed25519.PublicKey)
	if !k.Bound {
		return IntakeID(sig, k.Stream)
	}
	place, kem := IntakePlace(k.Stream), k.KemHash()
	return BoundIntakeID(sig, place[:], kem[:])
}

// KemHash is the hash of the key that reports are sealed to.
func (k *IntakeKeys) KemHash() [32]byte { return KemHash(k.KEM.PublicKey().Bytes()) }

// IntakeID names an intake of the first version by the key it signs with and the stream it was drawn in.
func IntakeID(sig ed25519.PublicKey, stream StreamID) [16]byte {
	h := Hash("intake id", sig, stream[:])
	return [16]byte(h[:16])
}

// IntakePlace is what the world is told of the stream that an intake was drawn in: nothing that names it at the relay.
func IntakePlace(stream StreamID) [16]byte {
	h := Hash("intake place", stream[:])
	return [16]byte(h[:16])
}

// BoundIntakeID names an intake by the key it signs with, its place (16 bytes) and the hash of the key that reports are
// sealed to (32).
func BoundIntakeID(sig ed25519.PublicKey, place, kemHash []byte) [16]byte {
	h := Hash("intake id 2", sig, place, kemHash)
	return [16]byte(h[:16])
}

// IntakeFits reports whether an id is that of an intake with these keys, as a site shows them. Whoever seals a report
// asks first.
func IntakeFits(id [16]byte, sig ed25519.PublicKey, place, kem []byte) bool {
	h := KemHash(kem)
	return len(sig) == ed25519.PublicKeySize && len(place) == 16 && id == BoundIntakeID(sig, place, h[:])
}

// IntakeDigits are 4 groups of 5 digits over what a site says of an intake, to be printed on cards and compared.
func IntakeDigits(site, id [16]byte, kem, sig []byte) string {
	h := Hash("intake digits", site[:], id[:], kem, sig)
	var out []string
	for i := range 4 {
		v := uint64(0)
		for _, b := range h[5*i : 5*i+5] {
			v = v<<8 | uint64(b)
		}
		out = append(out, fmt.Sprintf("%05d", v%100000))
	}
	return strings.Join(out, " ")
}

// Message is what somebody reports: plain words and two codes.
type Message struct {
	Topic uint8
	Place uint16
	Text  string
}

// Reported is an opened report: the message, and where its answer goes.
type Reported struct {
	Message
	Mailbox [16]byte
	Auth    [32]byte
	KEM     []byte
}

// Sizes of a report's plaintext. A report is padded to one of them; the relay sees which.
var reportClasses = [...]int{4 << 10, 64 << 10}

// hpkeOverhead is what X-Wing and the AEAD add.
const hpkeOverhead = 1120 + 16

// ReportSize reports whether n is the size of a sealed report.
func ReportSize(n int) bool {
	for _, c := range reportClasses {
		if n == c+hpkeOverhead {
			return true
		}
	}
	return false
}

// pad makes u32(len) ‖ b ‖ zeros of the least class that holds it.
func pad(b []byte, classes ...int) ([]byte, error) {
	for _, c := range classes {
		if len(b)+4 <= c {
			out := binary.BigEndian.AppendUint32(make([]byte, 0, c), uint32(len(b)))
			return append(out, b...)[:c], nil
		}
	}
	return nil, krama.E("seal.pad", krama.TooLarge, "longer than the largest size")
}

// unpad takes off what pad has added.
func unpad(b []byte) ([]byte, error) {
	if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, malformed("padding")
	}
	n := binary.BigEndian.Uint32(b)
	for _, z := range b[4+n:] {
		if z != 0 {
			return nil, malformed("padding")
		}
	}
	return b[4 : 4+n], nil
}

// SealReport seals a message to an intake's key (doc/format.md §4). Who has the seed reads it; nobody else, and not the
// relay.
func SealReport(kemPub []byte, site, intake [16]byte, r *Receipt, m Message) ([]byte, error) {
	const op = "seal.SealReport"
	pub, err := hpke.MLKEM768X25519().NewPublicKey(kemPub)
	if err != nil {
		return nil, malformed("intake key")
	}
	if len(m.Text) > krama.MaxReport {
		return nil, krama.E(op, krama.TooLarge, "the text is longer than a report")
	}
	pt, err := pad(Frame(r.KEM.PublicKey().Bytes(), r.Mailbox[:], r.Auth.Public().(ed25519.PublicKey), []byte{m.Topic},
		binary.BigEndian.AppendUint16(nil, m.Place), []byte(m.Text)), reportClasses[:]...)
	if err != nil {
		return nil, err
	}
	w, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), enc("intake", site[:], intake[:]), pt)
	return w, krama.Wrap(op, err)
}

// OpenReport opens a report. What it holds is a stranger's: text to show, never to run.
func OpenReport(k *IntakeKeys, site [16]byte, sealed []byte) (*Reported, error) {
	const op = "seal.OpenReport"
	if !ReportSize(len(sealed)) {
		return nil, malformed("report")
	}
	id := k.ID()
	pt, err := hpke.Open(k.KEM, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), enc("intake", site[:], id[:]), sealed)
	if err != nil {
		return nil, krama.E(op, krama.CannotDecrypt, "")
	}
	return parseReport(pt)
}

// parseReport reads what a report's seal held.
func parseReport(pt []byte) (*Reported, error) {
	body, err := unpad(pt)
	if err != nil {
		return nil, err
	}
	it, err := parseExact(body, "report", 1216, 16, 32, 1, 2, -1)
	if err != nil {
		return nil, err
	}
	if badSigKey(it[2]) {
		return nil, malformed("reporter's key")
	}
	if len(it[5]) > krama.MaxReport {
		return nil, krama.E("seal.OpenReport", krama.TooLarge, "the text is longer than a report")
	}
	return &Reported{Message{it[3][0], binary.BigEndian.Uint16(it[4]), string(it[5])}, [16]byte(it[1]), [32]byte(it[2]),
		it[0]}, nil
}

// ReplySize is the size of a sealed answer, and ReplyItem that of an answer in its mailbox: the reporter's key before
// it.
const (
	replyPlain = 4 << 10
	ReplySize  = replyPlain + hpkeOverhead
	ReplyItem  = 32 + ReplySize
	Replies    = 3 // answers that one look at a mailbox gives
)

// replyMessage is what an answer's signature is over: an answer to one reporter is none to another.
func replyMessage(site, mailbox [16]byte, text []byte) []byte {
	m := Hash("reply sig", site[:], mailbox[:], text)
	return m[:]
}

// SealReply signs an answer with the intake's key and seals it to the reporter's. It returns the mailbox item.
func SealReply(kemPub []byte, auth [32]byte, site, mailbox [16]byte, sig ed25519.PrivateKey, day krama.Day,
	text string) ([]byte, error) {
	const op = "seal.SealReply"
	pub, err := hpke.MLKEM768X25519().NewPublicKey(kemPub)
	if err != nil {
		return nil, malformed("reporter's key")
	}
	body := Frame(u32(uint32(day)), []byte(text))
	pt, err := pad(Frame(body, ed25519.Sign(sig, replyMessage(site, mailbox, body))), replyPlain)
	if err != nil {
		return nil, err
	}
	w, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), enc("reply", site[:], mailbox[:]), pt)
	return append(auth[:], w...), krama.Wrap(op, err)
}

// Reply is an opened answer.
type Reply struct {
	Day  krama.Day
	Text string
}

// OpenReply opens a sealed answer and checks that one of the intakes' keys signed it. What is not an answer, such as
// the noise that the relay gives for an empty mailbox, is CannotDecrypt; an answer that nobody of the programme signed
// is Tampered.
func OpenReply(r *Receipt, site [16]byte, sigs []ed25519.PublicKey, sealed []byte) (*Reply, error) {
	const op = "seal.OpenReply"
	pt, err := hpke.Open(r.KEM, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), enc("reply", site[:], r.Mailbox[:]), sealed)
	if err != nil {
		return nil, krama.E(op, krama.CannotDecrypt, "")
	}
	return parseReply(pt, r.Mailbox, site, sigs)
}

// parseReply reads what an answer's seal held and checks its signature.
func parseReply(pt []byte, mailbox, site [16]byte, sigs []ed25519.PublicKey) (*Reply, error) {
	b, err := unpad(pt)
	if err != nil {
		return nil, err
	}
	outer, err := parseExact(b, "reply", -1, ed25519.SignatureSize)
	if err != nil {
		return nil, err
	}
	it, err := parseExact(outer[0], "reply", 4, -1)
	if err != nil {
		return nil, err
	}
	for _, s := range sigs {
		if verify(s, replyMessage(site, mailbox, outer[0]), outer[1]) {
			return &Reply{krama.Day(binary.BigEndian.Uint32(it[0])), string(it[1])}, nil
		}
	}
	return nil, krama.E("seal.OpenReply", krama.Tampered, "nobody of the programme signed it")
}

// NewReceipt draws the 20 digits of a receipt: 19 random ones and Damm's check digit, which finds every single wrong
// digit and every exchange of two neighbours.
func NewReceipt(rand io.Reader) (string, error) {
	d := make([]byte, 0, 20)
	var b [1]byte
	for len(d) < 19 {
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return "", krama.Wrap("seal.NewReceipt", err)
		}
		if b[0] < 250 { // 250 is a multiple of ten: no digit is likelier than another
			d = append(d, '0'+b[0]%10)
		}
	}
	return string(append(d, '0'+damm(d))), nil
}

// ParseReceipt reads the digits as they are typed, with spaces or dashes, in Khmer digits too. A mistyped digit is
// Invalid.
func ParseReceipt(s string) (string, error) {
	var d []byte
	for _, r := range krama.Plain(s) {
		switch {
		case r >= '0' && r <= '9':
			d = append(d, byte(r))
		case r == ' ' || r == '-' || r == '\n' || r == '\r':
		default:
			return "", krama.E("seal.ParseReceipt", krama.Invalid, "not a receipt")
		}
	}
	if len(d) != 20 || damm(d) != 0 {
		return "", krama.E("seal.ParseReceipt", krama.Invalid, "not a receipt")
	}
	return string(d), nil
}

// dammTable is the quasigroup of Damm's thesis (2004) of order ten.
var dammTable = [10]string{"0317598642", "7092154863", "4206871359", "1750983426", "6123045978", "3674209581",
	"5869720134", "8945362017", "9438617205", "2581436790"}

// damm is the check digit of digits, by the table of its inventor: it notices one wrong digit and two that changed
// places.
func damm(digits []byte) byte {
	var i byte
	for _, d := range digits {
		i = dammTable[i][d-'0'] - '0'
	}
	return i
}

// SlipBox is where the answer to a slip lies: the relay keeps it under a hash of the slip's code.
func SlipBox(code krama.SlipCode) [16]byte {
	h := Hash("slip", []byte(code))
	return [16]byte(h[:16])
}
