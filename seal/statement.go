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
