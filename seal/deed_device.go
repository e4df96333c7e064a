package seal

import (
	"crypto/hpke"

	"krama"
)

// What brings devices in, changes their keys and ends them.

// Verified says how the new device's keys were checked.
type Verified byte

// Ways of checking a new device.
const (
	ByScan  Verified = 1
	ByVoice Verified = 2
)

// DeviceAdd enrols a device. It carries the request, the secret of QR-2 and the device's proof, so that every reader
// checks the enrolment for herself.
type DeviceAdd struct {
	Member    krama.MemberID
	Device    *Request
	Algorithm byte // 1: Ed25519
	Verified  Verified
	Secret    [32]byte
	Proof     []byte
}

func (d *DeviceAdd) kind() string { return "device.add" }

func (d *DeviceAdd) fields() [][]byte {
	return [][]byte{d.Member[:], d.Device.Marshal(), {d.Algorithm}, {byte(d.Verified)}, d.Secret[:], d.Proof}
}

func parseDeviceAdd(f fields) (Deed, error) {
	if !f.sized(16, -1, 1, 1, 32, 64) || f[2][0] != 1 || (f[3][0] != byte(ByScan) && f[3][0] != byte(ByVoice)) {
		return nil, malformed("device.add")
	}
	r, err := ParseRequest(f[1])
	if err != nil {
		return nil, err
	}
	return &DeviceAdd{krama.MemberID(f[0]), r, f[2][0], Verified(f[3][0]), [32]byte(f[4]), f[5]}, nil
}

// check refuses a member who is gone, a device that is there, and one that does not prove that it holds its key and saw
// this organisation's code. When a roster is read again, the proof was checked before.
func (d *DeviceAdd) check(r *Roster, by signers) (func(), error) {
	dev := d.Device.ID()
	member := r.Members[d.Member]
	switch {
	case member == nil || member.Removed || r.Devices[dev] != nil:
		return refused(krama.Invalid, "no such member, or the device is enrolled already")
	case !by.replayed && !CheckProof(r.Org, d.Device, d.Secret, d.Proof):
		return refused(krama.Tampered, "the device's proof")
	}
	return func() {
		r.Devices[dev] = &RosterDevice{ID: dev, Member: d.Member, Request: d.Device, Verified: d.Verified,
			KemPub: d.Device.KemPub, KemAt: by.at, KemMS: by.timeMS, Since: by.at}
	}, nil
}

// guarded asks for a second signature where the device would be an admin's.
func (d *DeviceAdd) guarded(r *Roster, _ krama.DeviceID) bool {
	return r.rolesOf(d.Member)&krama.RoleAdmin != 0
}
func (d *DeviceAdd) named() Deed   { return d }
func (d *DeviceAdd) log(l *Logged) { l.Member, l.Device = d.Member, d.Device.ID() }

// DeviceRekey replaces a device's KEM key; its author is the device itself.
type DeviceRekey struct {
	Device krama.DeviceID
	KemPub []byte
}

func (d *DeviceRekey) kind() string     { return "device.rekey" }
func (d *DeviceRekey) fields() [][]byte { return [][]byte{d.Device[:], d.KemPub} }

func parseDeviceRekey(f fields) (Deed, error) {
	if !f.sized(16, kemPubSize) || badKem(f[1]) {
		return nil, malformed("device.rekey")
	}
	return &DeviceRekey{krama.DeviceID(f[0]), f[1]}, nil
}

// badKem reports whether bytes are no key to wrap to.
func badKem(pub []byte) bool {
	_, err := hpke.MLKEM768X25519().NewPublicKey(pub)
	return err != nil
}

// check holds for the device itself: nobody gives another a key.
func (d *DeviceRekey) check(r *Roster, by signers) (func(), error) {
	dev := r.Devices[d.Device]
	if dev == nil || dev.ID != by.author || dev.Removed != 0 {
		return refused(krama.NotAllowed, "a device changes its own key only")
	}
	return func() { dev.KemPub, dev.KemAt, dev.KemMS = d.KemPub, by.at, by.timeMS }, nil
}

func (d *DeviceRekey) own(_ *Roster, author krama.DeviceID) bool { return d.Device == author }
func (d *DeviceRekey) guarded(*Roster, krama.DeviceID) bool      { return false }
func (d *DeviceRekey) named() Deed                               { return nil }
func (d *DeviceRekey) log(l *Logged)                             { l.Device = d.Device }

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

func (d *DeviceRemove) kind() string     { return "device.remove" }
func (d *DeviceRemove) fields() [][]byte { return [][]byte{d.Device[:], {byte(d.Reason)}} }

func parseDeviceRemove(f fields) (Deed, error) {
	if !f.sized(16, 1) || f[1][0] < byte(ReasonLost) || f[1][0] > byte(ReasonUnseen) {
		return nil, malformed("device.remove")
	}
	return &DeviceRemove{krama.DeviceID(f[0]), Reason(f[1][0])}, nil
}

// check keeps the last admin's last device: without it nobody could say anything any more.
func (d *DeviceRemove) check(r *Roster, by signers) (func(), error) {
	dev := r.Devices[d.Device]
	if dev == nil || dev.Removed != 0 {
		return refused(krama.Invalid, "no such device")
	}
	if r.lastAdmin(dev.Member) && !r.hasOther(dev) {
		return refused(krama.Invalid, "the last admin's last device stays")
	}
	return func() { dev.Removed, dev.Reason = by.at, d.Reason }, nil
}

// A member's devices may end each other.
func (d *DeviceRemove) own(r *Roster, author krama.DeviceID) bool {
	return r.Devices[d.Device] != nil && r.Devices[d.Device].Member == r.Devices[author].Member
}
func (d *DeviceRemove) guarded(*Roster, krama.DeviceID) bool { return false }
func (d *DeviceRemove) named() Deed                          { return nil }
func (d *DeviceRemove) log(l *Logged)                        { l.Device, l.Reason = d.Device, d.Reason }

// MaxProofs is how many proofs one statement answers.
const MaxProofs = 1024

// DeviceTrust says that envelopes which prove a device copied are no reason to doubt it: an admin has looked into it.
// Others like them, which come later, are.
type DeviceTrust struct {
	Device krama.DeviceID
	Proofs [][32]byte // ids of envelopes
}

func (d *DeviceTrust) kind() string     { return "device.trust" }
func (d *DeviceTrust) fields() [][]byte { return [][]byte{d.Device[:], joined(d.Proofs)} }

func parseDeviceTrust(f fields) (Deed, error) {
	if !f.sized(16, -1) || len(f[1]) == 0 || len(f[1])%32 != 0 || len(f[1]) > 32*MaxProofs {
		return nil, malformed("device.trust")
	}
	return &DeviceTrust{krama.DeviceID(f[0]), parted(f[1])}, nil
}

// check lets a copied device go on when another admin's device answers for it; the last one there is answers for
// itself.
func (d *DeviceTrust) check(r *Roster, by signers) (func(), error) {
	dev := r.Devices[d.Device]
	switch {
	case dev == nil || dev.Removed != 0:
		return refused(krama.Invalid, "no such device")
	case dev.ID == by.author && !(r.lastAdmin(dev.Member) && !r.hasOther(dev)):
		return refused(krama.NotAllowed, "another admin's device must answer for a copied one")
	}
	return func() {
		for _, id := range d.Proofs {
			r.Trusted[id] = true
		}
	}, nil
}

func (d *DeviceTrust) guarded(*Roster, krama.DeviceID) bool { return false }
func (d *DeviceTrust) named() Deed                          { return nil }
func (d *DeviceTrust) log(l *Logged)                        { l.Device, l.Count = d.Device, len(d.Proofs) }
