package seal

import (
	"crypto/ed25519"
	"encoding/binary"
	"io"
	"strings"

	"krama"
)

// A Statement is one entry of the roster, as its author signs it.
type Statement struct {
	Nonce    [16]byte // drawn; a roster takes each once
	NotAfter uint64   // void at a later roster position
	Deed     Deed     // what it does; never nil in a statement that is sent
}

// A Deed is what a statement does. Each type stands in one of the deed_*.go files with everything the protocol says of
// it; parser finds them by name.
type Deed interface {
	// kind is the type's name in the roster, as "member.add".
	kind() string
	// fields are what is signed and sent of it, in the order of doc/format.md.
	fields() [][]byte
	// check returns what the deed does to the roster, or the rule that it breaks there. It changes nothing, and asks
	// neither how many admins signed nor since when it is announced.
	check(r *Roster, by signers) (do func(), err error)
	// guarded reports whether two admins must sign it in this roster, when author says it.
	guarded(r *Roster, author krama.DeviceID) bool
	// named is the deed as an announcement names it, whenever it is said; nil where it cannot be announced.
	named() Deed
	// log fills in what people read of it.
	log(l *Logged)
}

// ownDeed is a deed that a device may say although its member is no admin.
type ownDeed interface {
	own(r *Roster, author krama.DeviceID) bool
}

// parser returns what reads the fields of a type of statement, by its name; nil for one that this version does not
// know. It is no table: a program that reads no statements would carry all of it.
func parser(kind string) func(fields) (Deed, error) {
	switch kind {
	case "genesis":
		return parseGenesis
	case "member.add":
		return parseMemberAdd
	case "member.role":
		return parseMemberRole
	case "member.remove":
		return parseMemberRemove
	case "device.add":
		return parseDeviceAdd
	case "device.rekey":
		return parseDeviceRekey
	case "device.remove":
		return parseDeviceRemove
	case "device.trust":
		return parseDeviceTrust
	case "circle.create":
		return parseCircleCreate
	case "circle.policy":
		return parseCirclePolicy
	case "epoch.open":
		return parseEpochOpen
	case "epoch.grant":
		return parseEpochGrant
	case "trustees.set":
		return parseTrusteesSet
	case "recovery.use":
		return parseRecoveryUse
	case "release.pin":
		return parseReleasePin
	case "export":
		return parseExport
	case "delay.set":
		return parseDelaySet
	case "announce":
		return parseAnnounce
	case "withdraw":
		return parseWithdraw
	}
	return nil
}

// fields are those of one statement as they were sent.
type fields [][]byte

// sized reports whether there are as many fields as sizes, each of its size; -1 is any.
func (f fields) sized(sizes ...int) bool {
	if len(f) != len(sizes) {
		return false
	}
	for i, n := range sizes {
		if n >= 0 && len(f[i]) != n {
			return false
		}
	}
	return true
}

func (f fields) roles(i int) krama.Role { return krama.Role(binary.BigEndian.Uint16(f[i])) }
func (f fields) u32(i int) uint32       { return binary.BigEndian.Uint32(f[i]) }
func (f fields) u64(i int) uint64       { return binary.BigEndian.Uint64(f[i]) }

// joined is a list of hashes as one field.
func joined(list [][32]byte) (out []byte) {
	for _, x := range list {
		out = append(out, x[:]...)
	}
	return out
}

// parted takes it apart.
func parted(b []byte) (out [][32]byte) {
	for ; len(b) >= 32; b = b[32:] {
		out = append(out, [32]byte(b))
	}
	return out
}

func u16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }

// NewStatement draws a nonce for a statement that is void after position notAfter.
func NewStatement(rand io.Reader, notAfter uint64, deed Deed) (*Statement, error) {
	s := &Statement{NotAfter: notAfter, Deed: deed}
	_, err := io.ReadFull(rand, s.Nonce[:])
	return s, krama.Wrap("seal.NewStatement", err)
}

// Marshal returns the bytes that are signed, hashed and sent.
func (s *Statement) Marshal() []byte {
	return enc("roster "+s.Deed.kind(), append([][]byte{s.Nonce[:], u64(s.NotAfter)}, s.Deed.fields()...)...)
}

// ParseStatement reads a statement. A type this version does not know is NotYet: a later version must not change what a
// type means, and gives what is new a name of its own.
func ParseStatement(b []byte) (*Statement, error) {
	it, err := ParseFrame(b, 16)
	if err != nil || len(it) < 3 || len(it[1]) != 16 || len(it[2]) != 8 {
		return nil, malformed("statement")
	}
	kind, ok := strings.CutPrefix(string(it[0]), "krama/1 roster ")
	if !ok {
		return nil, malformed("statement")
	}
	parse := parser(kind)
	if parse == nil {
		return nil, krama.E("seal.ParseStatement", krama.NotYet, "a statement of a later version")
	}
	deed, err := parse(it[3:])
	if err != nil {
		return nil, err
	}
	return &Statement{[16]byte(it[1]), binary.BigEndian.Uint64(it[2]), deed}, nil
}

// deedID identifies a deed, however often and in whichever epoch it is said. It is zero for what cannot be announced.
func deedID(d Deed) [32]byte {
	named := d.named()
	if named == nil {
		return [32]byte{}
	}
	return Hash("deed", (&Statement{Deed: named}).Marshal())
}

// Plain is what a statement would do, in plain parts.
func (s *Statement) Plain() Logged { return s.logged() }

// logged is the statement as the log shows it.
func (s *Statement) logged() Logged {
	l := Logged{Type: s.Deed.kind()}
	s.Deed.log(&l)
	return l
}

// Cosign signs a statement as a second member.
func Cosign(key ed25519.PrivateKey, org krama.OrgID, statement []byte) []byte {
	m := Hash("roster cosign", org[:], statement)
	return ed25519.Sign(key, m[:])
}

// Cosignature is a second member's signature on a statement.
type Cosignature struct {
	Device krama.DeviceID
	Sig    []byte
}

// StatementBody is the body of a roster item: the statement, then its cosignatures.
func StatementBody(statement []byte, co ...Cosignature) []byte {
	f := [][]byte{statement}
	for _, c := range co {
		f = append(f, c.Device[:], c.Sig)
	}
	return Frame(f...)
}

// StatementOf reads the statement of a roster item without believing it.
func StatementOf(body []byte) (*Statement, error) {
	raw, _, err := parseStatementBody(body)
	if err != nil {
		return nil, err
	}
	return ParseStatement(raw)
}

// parseStatementBody takes a statement apart from the signatures beside it.
func parseStatementBody(b []byte) (statement []byte, co []Cosignature, err error) {
	it, err := ParseFrame(b, 1+2*16)
	if err != nil || len(it) == 0 || len(it)%2 != 1 {
		return nil, nil, malformed("roster item")
	}
	for i := 1; i < len(it); i += 2 {
		if len(it[i]) != 16 || len(it[i+1]) != ed25519.SignatureSize {
			return nil, nil, malformed("roster item")
		}
		co = append(co, Cosignature{krama.DeviceID(it[i]), it[i+1]})
	}
	return it[0], co, nil
}

// refused is the answer of a check: the rule that the deed breaks.
func refused(k krama.Kind, why string) (func(), error) { return nil, krama.E("seal.Roster", k, why) }
