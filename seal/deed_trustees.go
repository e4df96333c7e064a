package seal

import (
	"crypto/ed25519"

	"krama"
)

// What lets trustees bring a programme back, and what they do then.

// TrusteesSet makes k of n people able to recover the programme: the recovery key that every later epoch is wrapped to,
// and a commitment to each share, so that a wrong share is named.
type TrusteesSet struct {
	Set     [4]byte
	K, N    byte
	KemPub  []byte
	SigPub  ed25519.PublicKey
	Commits [][32]byte // n
}

func (d *TrusteesSet) kind() string { return "trustees.set" }

func (d *TrusteesSet) fields() [][]byte {
	return [][]byte{d.Set[:], {d.K}, {d.N}, d.KemPub, d.SigPub, joined(d.Commits)}
}

func parseTrusteesSet(f fields) (Deed, error) {
	if !f.sized(4, 1, 1, kemPubSize, ed25519.PublicKeySize, -1) || badKem(f[3]) || badSigKey(f[4]) {
		return nil, malformed("trustees.set")
	}
	d := &TrusteesSet{Set: [4]byte(f[0]), K: f[1][0], N: f[2][0], KemPub: f[3], SigPub: f[4], Commits: parted(f[5])}
	if d.K < 2 || d.N < d.K || len(f[5]) != 32*int(d.N) {
		return nil, malformed("trustees.set")
	}
	return d, nil
}

// check refuses the set that holds already, so that an old one is not said again as a new one.
func (d *TrusteesSet) check(r *Roster, by signers) (func(), error) {
	if r.Trustees != nil && r.Trustees.Set == d.Set {
		return refused(krama.Invalid, "a repeated set")
	}
	return func() {
		if r.Trustees != nil {
			r.TrustAt = by.at
		}
		r.Trustees = d
	}, nil
}

func (d *TrusteesSet) guarded(*Roster, krama.DeviceID) bool { return true }
func (d *TrusteesSet) named() Deed                          { return d }
func (d *TrusteesSet) log(l *Logged)                        { l.Count, l.K = int(d.N), int(d.K) }

// RecoveryUse brings in a new admin's device by the trustees' key. CoolOff is when it may act, in milliseconds; 0 when
// the trustees said that no admin is left. Until then any admin may remove it: that is the veto.
type RecoveryUse struct {
	Member  krama.MemberID
	Device  *Request
	CoolOff uint64
}

func (d *RecoveryUse) kind() string { return "recovery.use" }

func (d *RecoveryUse) fields() [][]byte {
	return [][]byte{d.Member[:], d.Device.Marshal(), u64(d.CoolOff)}
}

func parseRecoveryUse(f fields) (Deed, error) {
	if !f.sized(16, -1, 8) {
		return nil, malformed("recovery.use")
	}
	r, err := ParseRequest(f[1])
	if err != nil {
		return nil, err
	}
	return &RecoveryUse{krama.MemberID(f[0]), r, f.u64(2)}, nil
}

// check holds for the trustees' own signature alone, and brings in a new member: no living one's device is replaced by
// it.
func (d *RecoveryUse) check(r *Roster, by signers) (func(), error) {
	if r.Trustees == nil || !by.trustees {
		return refused(krama.NotAllowed, "only the trustees' key brings in a recovered device")
	}
	if r.Members[d.Member] != nil {
		return refused(krama.Invalid, "member exists")
	}
	return func() { r.recover(d, by) }, nil
}

// Nobody may be left to sign it but the trustees.
func (d *RecoveryUse) own(*Roster, krama.DeviceID) bool     { return true }
func (d *RecoveryUse) guarded(*Roster, krama.DeviceID) bool { return false }
func (d *RecoveryUse) named() Deed                          { return nil }
func (d *RecoveryUse) log(l *Logged)                        { l.Member, l.Device = d.Member, d.Device.ID() }
