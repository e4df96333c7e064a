package seal

import (
	"crypto/ed25519"
	"encoding/binary"
	"io"
	"strings"

	"krama"
)

// A Statement is one entry of the roster, as its author signs it. Exactly one of the parts is set.
type Statement struct {
	Nonce    [16]byte
	NotAfter uint64 // void at a later roster position

	Genesis      *Genesis
	MemberAdd    *MemberAdd
	DeviceAdd    *DeviceAdd
	CircleCreate *CircleCreate
	EpochOpen    *EpochOpen
	EpochGrant   *EpochGrant
	MemberRole   *MemberRole
	MemberRemove *MemberRemove
	DeviceRekey  *DeviceRekey
	DeviceRemove *DeviceRemove
	CirclePolicy *CirclePolicy
	TrusteesSet  *TrusteesSet
	RecoveryUse  *RecoveryUse
	ReleasePin   *ReleasePin
	Export       *Export
	DelaySet     *DelaySet
	Announce     *Announce
	Withdraw     *Withdraw
	DeviceTrust  *DeviceTrust
}

// Genesis founds a programme. Its hash is the organisation's id.
type Genesis struct {
	Nonce   [32]byte
	Founder krama.MemberID
	Device  *Request
}

// MemberAdd adds a member of staff with roles. Names are not in the roster.
type MemberAdd struct {
	Member krama.MemberID
	Roles  krama.Role
}

// Verified says how the new device's keys were checked.
type Verified byte

// Ways of checking a new device.
const (
	ByScan  Verified = 1
	ByVoice Verified = 2
)

// DeviceAdd enrols a device. It carries the request, the secret of QR-2 and the device's proof, so that every reader checks
// the enrolment for herself.
type DeviceAdd struct {
	Member    krama.MemberID
	Device    *Request
	Algorithm byte // 1: Ed25519
	Verified  Verified
	Secret    [32]byte
	Proof     []byte
}

// CircleCreate makes a circle. What it is for is said only inside it.
type CircleCreate struct {
	Circle        krama.CircleID
	Recoverable   bool // trustees can open its epochs
	History       bool // joiners read earlier epochs
	Keyring       bool // trustees can open its people's keys too; without it their records stay closed
	RetentionDays uint32
	Readers       krama.Role // members with one of these may be keyed
	Writers       krama.Role // records of others are refused by every reader
}

// EpochOpen opens an epoch and closes the one before at a signed position.
type EpochOpen struct {
	Circle      krama.CircleID
	Epoch       uint32
	EC, GC      [32]byte
	Back        []byte // 48 bytes, or none
	Devices     []krama.DeviceID
	Closes      Head
	KeyringRoot [32]byte
	Pages       [][32]byte // where the keyring's pages lie at the relay; KeyringRoot says what they must be
}

// EpochGrant adds one device to an open epoch.
type EpochGrant struct {
	Circle krama.CircleID
	Epoch  uint32
	Device krama.DeviceID
}

// NewStatement draws a nonce for a statement that is void after position notAfter.
func NewStatement(rand io.Reader, notAfter uint64) (*Statement, error) {
	s := &Statement{NotAfter: notAfter}
	_, err := io.ReadFull(rand, s.Nonce[:])
	return s, krama.Wrap("seal.NewStatement", err)
}

// Marshal returns the bytes that are signed, hashed and sent.
func (s *Statement) Marshal() []byte {
	f := [][]byte{s.Nonce[:], u64(s.NotAfter)}
	switch {
	case s.Genesis != nil:
		g := s.Genesis
		return enc("roster genesis", append(f, g.Nonce[:], g.Founder[:], g.Device.Marshal(), nil, nil)...)
	case s.MemberAdd != nil:
		return enc("roster member.add", append(f, s.MemberAdd.Member[:], u16(uint16(s.MemberAdd.Roles)))...)
	case s.DeviceAdd != nil:
		d := s.DeviceAdd
		return enc("roster device.add", append(f, d.Member[:], d.Device.Marshal(), []byte{d.Algorithm}, []byte{byte(d.Verified)}, d.Secret[:], d.Proof)...)
	case s.CircleCreate != nil:
		return enc("roster circle.create", append(f, s.CircleCreate.fields()...)...)
	case s.EpochOpen != nil:
		e := s.EpochOpen
		var devices []byte
		for _, d := range e.Devices {
			devices = append(devices, d[:]...)
		}
		f = append(f, e.Circle[:], u32(e.Epoch), e.EC[:], e.GC[:], e.Back, devices, e.Closes.Marshal(), e.KeyringRoot[:], u32(uint32(len(e.Pages))))
		if len(e.Pages) > 0 {
			f = append(f, joined(e.Pages))
		}
		return enc("roster epoch.open", f...)
	case s.EpochGrant != nil:
		g := s.EpochGrant
		return enc("roster epoch.grant", append(f, g.Circle[:], u32(g.Epoch), g.Device[:])...)
	}
	typ, more := s.change()
	return enc("roster "+typ, append(f, more...)...)
}

func (c *CircleCreate) fields() [][]byte {
	var flags byte
	for i, on := range []bool{c.Recoverable, c.History, c.Keyring} {
		if on {
			flags |= 1 << i
		}
	}
	return [][]byte{c.Circle[:], {flags}, u32(c.RetentionDays), u16(uint16(c.Readers)), u16(uint16(c.Writers))}
}

func joined(list [][32]byte) (out []byte) {
	for _, x := range list {
		out = append(out, x[:]...)
	}
	return out
}

func parted(b []byte) (out [][32]byte) {
	for ; len(b) >= 32; b = b[32:] {
		out = append(out, [32]byte(b))
	}
	return out
}

func u16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }

// ParseStatement reads a statement. A type this version does not know is NotYet: a later version must not change what a type
// means, and gives what is new a name of its own.
func ParseStatement(b []byte) (*Statement, error) {
	it, err := ParseFrame(b, 16)
	if err != nil || len(it) < 3 || len(it[1]) != 16 || len(it[2]) != 8 {
		return nil, malformed("statement")
	}
	typ, ok := strings.CutPrefix(string(it[0]), "krama/1 roster ")
	if !ok {
		return nil, malformed("statement")
	}
	s := &Statement{Nonce: [16]byte(it[1]), NotAfter: binary.BigEndian.Uint64(it[2])}
	f := it[3:]
	sized := func(sizes ...int) bool {
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
	var pages []byte
	be16 := func(i int) krama.Role { return krama.Role(binary.BigEndian.Uint16(f[i])) }
	be32 := func(i int) uint32 { return binary.BigEndian.Uint32(f[i]) }
	switch typ {
	case "genesis":
		if !sized(32, 16, -1, 0, 0) {
			return nil, malformed("genesis")
		}
		r, err := ParseRequest(f[2])
		if err != nil {
			return nil, err
		}
		s.Genesis = &Genesis{[32]byte(f[0]), krama.MemberID(f[1]), r}
	case "member.add":
		if !sized(16, 2) {
			return nil, malformed("member.add")
		}
		s.MemberAdd = &MemberAdd{krama.MemberID(f[0]), be16(1)}
	case "device.add":
		if !sized(16, -1, 1, 1, 32, 64) || f[2][0] != 1 || (f[3][0] != byte(ByScan) && f[3][0] != byte(ByVoice)) {
			return nil, malformed("device.add")
		}
		r, err := ParseRequest(f[1])
		if err != nil {
			return nil, err
		}
		s.DeviceAdd = &DeviceAdd{krama.MemberID(f[0]), r, f[2][0], Verified(f[3][0]), [32]byte(f[4]), f[5]}
	case "circle.create":
		if !sized(16, 1, 4, 2, 2) || f[1][0] > 7 {
			return nil, malformed("circle.create")
		}
		s.CircleCreate = parseCircle(f)
	case "epoch.open":
		if len(f) == 10 {
			pages, f = f[9], f[:9]
		}
		if !sized(16, 4, 32, 32, -1, -1, 40, 32, 4) || (len(f[4]) != 0 && len(f[4]) != 48) || len(f[5])%16 != 0 ||
			len(pages)%32 != 0 || uint64(be32(8))*32 != uint64(len(pages)) {
			return nil, malformed("epoch.open")
		}
		e := &EpochOpen{Circle: krama.CircleID(f[0]), Epoch: be32(1), EC: [32]byte(f[2]), GC: [32]byte(f[3]), Back: f[4],
			Closes: Head{binary.BigEndian.Uint64(f[6]), [32]byte(f[6][8:])}, KeyringRoot: [32]byte(f[7]), Pages: parted(pages)}
		for i := 0; i < len(f[5]); i += 16 {
			e.Devices = append(e.Devices, krama.DeviceID(f[5][i:i+16]))
		}
		s.EpochOpen = e
	case "epoch.grant":
		if !sized(16, 4, 16) {
			return nil, malformed("epoch.grant")
		}
		s.EpochGrant = &EpochGrant{krama.CircleID(f[0]), be32(1), krama.DeviceID(f[2])}
	default:
		return s, s.parseChange(typ, f, sized)
	}
	return s, nil
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
