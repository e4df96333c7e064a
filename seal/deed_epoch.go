package seal

import (
	"encoding/binary"
	"slices"

	"krama"
)

// What opens epochs and lets devices into them.

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

func (d *EpochOpen) kind() string { return "epoch.open" }

// fields leaves out what epoch 0 and earlier versions do not have.
func (d *EpochOpen) fields() [][]byte {
	var devices []byte
	for _, id := range d.Devices {
		devices = append(devices, id[:]...)
	}
	f := [][]byte{d.Circle[:], u32(d.Epoch), d.EC[:], d.GC[:], d.Back, devices, d.Closes.Marshal(), d.KeyringRoot[:],
		u32(uint32(len(d.Pages)))}
	if len(d.Pages) > 0 {
		f = append(f, joined(d.Pages))
	}
	return f
}

// parseEpochOpen takes the fields of each version: the tenth came with pages of keyrings.
func parseEpochOpen(f fields) (Deed, error) {
	var pages []byte
	if len(f) == 10 {
		pages, f = f[9], f[:9]
	}
	if !f.sized(16, 4, 32, 32, -1, -1, 40, 32, 4) || (len(f[4]) != 0 && len(f[4]) != 48) || len(f[5])%16 != 0 ||
		len(pages)%32 != 0 || uint64(f.u32(8))*32 != uint64(len(pages)) {
		return nil, malformed("epoch.open")
	}
	d := &EpochOpen{Circle: krama.CircleID(f[0]), Epoch: f.u32(1), EC: [32]byte(f[2]), GC: [32]byte(f[3]), Back: f[4],
		Closes: Head{binary.BigEndian.Uint64(f[6]), [32]byte(f[6][8:])}, KeyringRoot: [32]byte(f[7]),
		Pages: parted(pages)}
	for i := 0; i < len(f[5]); i += 16 {
		d.Devices = append(d.Devices, krama.DeviceID(f[5][i:i+16]))
	}
	return d, nil
}

// check holds the rules of an epoch (doc/format.md, 5): it is the next one, commits to secrets that no other had,
// closes the one before where its author has read it, and is open to exactly those who are entitled. Nobody is let in
// whom it would take a second signature to let in, and nobody who may read is left out: that would be a removal that no
// statement said.
func (d *EpochOpen) check(r *Roster, by signers) (func(), error) {
	ring := r.Circles[d.Circle]
	if ring == nil || int(d.Epoch) != len(ring.Epochs) {
		return refused(krama.Invalid, "epochs rise by one")
	}
	if r.commits[d.EC] || r.commits[d.GC] || d.EC == d.GC {
		return refused(krama.Invalid, "a repeated commitment")
	}
	if d.Epoch == 0 && (len(d.Back) != 0 || d.Closes != (Head{}) || len(d.Pages) != 0) {
		return refused(krama.Invalid, "epoch 0 has nothing before it")
	}
	var before map[krama.DeviceID]bool
	after := ring.Origin
	if d.Epoch > 0 {
		before, after = ring.Epochs[d.Epoch-1].Keyed, d.Closes.H
		if !before[by.author] {
			return refused(krama.NotAllowed, "the admin is not in the circle")
		}
		if d.Circle == krama.OrgCircle && d.Closes != r.Head {
			return refused(krama.Invalid, "circle 0 closes where it stands")
		}
	}
	if len(d.Devices) == 0 || !slices.Contains(d.Devices, by.author) {
		return refused(krama.Invalid, "the opening admin must be in the epoch")
	}
	next := &RosterEpoch{EpochOpen: *d, Keyed: map[krama.DeviceID]bool{}, writers: map[krama.DeviceID]bool{},
		Opened: by.at, TimeMS: by.timeMS, after: after}
	for _, id := range d.Devices {
		if next.Keyed[id] || !r.entitled(d.Circle, id) || (d.Epoch > 0 && !before[id] && !r.checked(d.Circle, id) &&
			!r.recovered(id, by.author)) {
			return refused(krama.Invalid, "a device that may not be keyed")
		}
		r.key(next, id)
	}
	for id := range before { // nobody is left out who may read: that would be a removal that nobody said
		if !next.Keyed[id] && r.entitled(d.Circle, id) {
			return refused(krama.Invalid, "a device that is entitled is left out")
		}
	}
	return func() {
		ring.Epochs = append(ring.Epochs, next)
		r.commits[d.EC], r.commits[d.GC] = true, true
		r.turned = d.Circle == krama.OrgCircle && d.Epoch > 0
	}, nil
}

// guarded asks for a second signature where safeguarding's circle gets a reader that it did not have.
func (d *EpochOpen) guarded(r *Roster, author krama.DeviceID) bool {
	before := r.Latest(d.Circle)
	return before != nil && r.safeguards(d.Circle) && slices.ContainsFunc(d.Devices, func(id krama.DeviceID) bool {
		return !before.Keyed[id] && !r.recovered(id, author)
	})
}
func (d *EpochOpen) named() Deed   { return nil }
func (d *EpochOpen) log(l *Logged) { l.Circle, l.Epoch, l.Count = d.Circle, d.Epoch, len(d.Devices) }

// EpochGrant adds one device to an open epoch.
type EpochGrant struct {
	Circle krama.CircleID
	Epoch  uint32
	Device krama.DeviceID
}

func (d *EpochGrant) kind() string     { return "epoch.grant" }
func (d *EpochGrant) fields() [][]byte { return [][]byte{d.Circle[:], u32(d.Epoch), d.Device[:]} }

func parseEpochGrant(f fields) (Deed, error) {
	if !f.sized(16, 4, 16) {
		return nil, malformed("epoch.grant")
	}
	return &EpochGrant{krama.CircleID(f[0]), f.u32(1), krama.DeviceID(f[2])}, nil
}

// check lets a device into the epoch that is open now, by a word of somebody who is in it.
func (d *EpochGrant) check(r *Roster, by signers) (func(), error) {
	e := r.Latest(d.Circle)
	switch {
	case e == nil || e.Epoch != d.Epoch || e.Keyed[d.Device]:
		return refused(krama.Invalid, "not the open epoch, or keyed already")
	case !slices.ContainsFunc(by.devices, func(id krama.DeviceID) bool { return e.Keyed[id] }):
		return refused(krama.NotAllowed, "no granting admin is in the circle")
	case !r.checked(d.Circle, d.Device) && !r.recovered(d.Device, by.author):
		return refused(krama.NotAllowed, "only a scanned device may be let into a safeguarding circle")
	case !r.entitled(d.Circle, d.Device):
		return refused(krama.Invalid, "the member has no role in the circle")
	}
	return func() { r.key(e, d.Device) }, nil
}

// guarded asks for a second signature to let anybody into safeguarding's circle, but for a device that the trustees
// brought.
func (d *EpochGrant) guarded(r *Roster, author krama.DeviceID) bool {
	return r.safeguards(d.Circle) && !r.recovered(d.Device, author)
}

// A grant is announced for whichever epoch is open when it is said.
func (d *EpochGrant) named() Deed { return &EpochGrant{Circle: d.Circle, Device: d.Device} }

func (d *EpochGrant) log(l *Logged) { l.Circle, l.Epoch, l.Device = d.Circle, d.Epoch, d.Device }
