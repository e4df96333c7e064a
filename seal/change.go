package seal

import (
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/binary"

	"krama"
)

// MemberRole gives a member other roles. Fewer roles make circles due for rotation.
type MemberRole struct {
	Member krama.MemberID
	Roles  krama.Role
}

// MemberRemove ends a membership and removes every device of the member.
type MemberRemove struct{ Member krama.MemberID }

// DeviceRekey replaces a device's KEM key; its author is the device itself.
type DeviceRekey struct {
	Device krama.DeviceID
	KemPub []byte
}

// Reason says why a device was removed.
type Reason byte

// Reasons.
const (
	ReasonLost     Reason = 1 // nobody knows where it is
	ReasonTaken    Reason = 2 // somebody has it
	ReasonLeft     Reason = 3 // its member stopped working with it
	ReasonReplaced Reason = 4 // its member has another one
	ReasonTravel   Reason = 5 // emptied on purpose before a journey
	ReasonCloned   Reason = 6 // two devices wrote under one key
	ReasonUnseen   Reason = 7 // 90 days without a sign
)

// DeviceRemove ends a device. Its id stays removed for ever.
type DeviceRemove struct {
	Device krama.DeviceID
	Reason Reason
}

// CirclePolicy changes what circle.create said, all but the id.
type CirclePolicy CircleCreate

// TrusteesSet makes k of n people able to recover the programme: the recovery key that every later epoch is wrapped to,
// and a commitment to each share, so that a wrong share is named.
type TrusteesSet struct {
	Set     [4]byte
	K, N    byte
	KemPub  []byte
	SigPub  ed25519.PublicKey
	Commits [][32]byte // n
}

// RecoveryUse brings in a new admin's device by the trustees' key. CoolOff is when it may act, in milliseconds; 0 when the
// trustees said that no admin is left. Until then any admin may remove it: that is the veto.
type RecoveryUse struct {
	Member  krama.MemberID
	Device  *Request
	CoolOff uint64
}

// ReleasePin names the release the programme runs, the part of it that phones can check for themselves, and the keys that
// sign releases.
type ReleasePin struct {
	Manifest [32]byte
	Phone    [32]byte
	Keys     [][32]byte
}

// MaxProofs is how many proofs one statement answers.
const MaxProofs = 1024

// DeviceTrust says that envelopes which prove a device copied are no reason to doubt it: an admin has looked into it. Others like
// them, which come later, are.
type DeviceTrust struct {
	Device krama.DeviceID
	Proofs [][32]byte // ids of envelopes
}

// change returns the type and fields of the statements that change what others set up.
func (s *Statement) change() (string, [][]byte) {
	switch {
	case s.MemberRole != nil:
		return "member.role", [][]byte{s.MemberRole.Member[:], u16(uint16(s.MemberRole.Roles))}
	case s.MemberRemove != nil:
		return "member.remove", [][]byte{s.MemberRemove.Member[:]}
	case s.DeviceRekey != nil:
		return "device.rekey", [][]byte{s.DeviceRekey.Device[:], s.DeviceRekey.KemPub}
	case s.DeviceRemove != nil:
		return "device.remove", [][]byte{s.DeviceRemove.Device[:], {byte(s.DeviceRemove.Reason)}}
	case s.CirclePolicy != nil:
		return "circle.policy", (*CircleCreate)(s.CirclePolicy).fields()
	case s.TrusteesSet != nil:
		t := s.TrusteesSet
		return "trustees.set", [][]byte{t.Set[:], {t.K}, {t.N}, t.KemPub, t.SigPub, joined(t.Commits)}
	case s.RecoveryUse != nil:
		u := s.RecoveryUse
		return "recovery.use", [][]byte{u.Member[:], u.Device.Marshal(), u64(u.CoolOff)}
	case s.DeviceTrust != nil:
		return "device.trust", [][]byte{s.DeviceTrust.Device[:], joined(s.DeviceTrust.Proofs)}
	case s.ReleasePin != nil:
		return "release.pin", [][]byte{s.ReleasePin.Manifest[:], s.ReleasePin.Phone[:], joined(s.ReleasePin.Keys)}
	case s.Export != nil:
		return "export", nil
	}
	return s.delayed()
}

func parseCircle(f [][]byte) *CircleCreate {
	return &CircleCreate{Circle: krama.CircleID(f[0]), Recoverable: f[1][0]&1 != 0, History: f[1][0]&2 != 0, Keyring: f[1][0]&4 != 0,
		RetentionDays: binary.BigEndian.Uint32(f[2]), Readers: krama.Role(binary.BigEndian.Uint16(f[3])), Writers: krama.Role(binary.BigEndian.Uint16(f[4]))}
}

func (s *Statement) parseChange(typ string, f [][]byte, sized func(...int) bool) error {
	bad := malformed(typ)
	switch typ {
	case "member.role":
		if !sized(16, 2) {
			return bad
		}
		s.MemberRole = &MemberRole{krama.MemberID(f[0]), krama.Role(binary.BigEndian.Uint16(f[1]))}
	case "member.remove":
		if !sized(16) {
			return bad
		}
		s.MemberRemove = &MemberRemove{krama.MemberID(f[0])}
	case "device.rekey":
		if !sized(16, kemPubSize) || badKem(f[1]) {
			return bad
		}
		s.DeviceRekey = &DeviceRekey{krama.DeviceID(f[0]), f[1]}
	case "device.remove":
		if !sized(16, 1) || f[1][0] < byte(ReasonLost) || f[1][0] > byte(ReasonUnseen) {
			return bad
		}
		s.DeviceRemove = &DeviceRemove{krama.DeviceID(f[0]), Reason(f[1][0])}
	case "device.trust":
		if !sized(16, -1) || len(f[1]) == 0 || len(f[1])%32 != 0 || len(f[1]) > 32*MaxProofs {
			return bad
		}
		s.DeviceTrust = &DeviceTrust{krama.DeviceID(f[0]), parted(f[1])}
	case "circle.policy":
		if !sized(16, 1, 4, 2, 2) || f[1][0] > 7 {
			return bad
		}
		s.CirclePolicy = (*CirclePolicy)(parseCircle(f))
	case "trustees.set":
		if !sized(4, 1, 1, kemPubSize, ed25519.PublicKeySize, -1) || badKem(f[3]) || badSigKey(f[4]) {
			return bad
		}
		t := &TrusteesSet{Set: [4]byte(f[0]), K: f[1][0], N: f[2][0], KemPub: f[3], SigPub: f[4], Commits: parted(f[5])}
		if t.K < 2 || t.N < t.K || len(f[5]) != 32*int(t.N) {
			return bad
		}
		s.TrusteesSet = t
	case "recovery.use":
		if !sized(16, -1, 8) {
			return bad
		}
		r, err := ParseRequest(f[1])
		if err != nil {
			return err
		}
		s.RecoveryUse = &RecoveryUse{krama.MemberID(f[0]), r, binary.BigEndian.Uint64(f[2])}
	case "release.pin":
		if !sized(32, 32, -1) || len(f[2])%32 != 0 || len(f[2]) > 32*8 || badSigKeys(parted(f[2])) {
			return bad
		}
		s.ReleasePin = &ReleasePin{[32]byte(f[0]), [32]byte(f[1]), parted(f[2])}
	case "export":
		if !sized() {
			return bad
		}
		s.Export = &Export{}
	default:
		return s.parseDelayed(typ, f, sized)
	}
	return nil
}

func badKem(pub []byte) bool {
	_, err := hpke.MLKEM768X25519().NewPublicKey(pub)
	return err != nil
}
