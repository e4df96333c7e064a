package seal

import "krama"

// What the programme runs, and what it takes out.

// ReleasePin names the release the programme runs, the part of it that phones can check for themselves, and the keys
// that sign releases.
type ReleasePin struct {
	Manifest [32]byte
	Phone    [32]byte
	Keys     [][32]byte
}

func (d *ReleasePin) kind() string     { return "release.pin" }
func (d *ReleasePin) fields() [][]byte { return [][]byte{d.Manifest[:], d.Phone[:], joined(d.Keys)} }

func parseReleasePin(f fields) (Deed, error) {
	if !f.sized(32, 32, -1) || len(f[2])%32 != 0 || len(f[2]) > 32*8 || badSigKeys(parted(f[2])) {
		return nil, malformed("release.pin")
	}
	return &ReleasePin{[32]byte(f[0]), [32]byte(f[1]), parted(f[2])}, nil
}

// check always holds: a pin takes the place of the one before.
func (d *ReleasePin) check(r *Roster, _ signers) (func(), error) {
	return func() { r.Release = d }, nil
}

func (d *ReleasePin) guarded(*Roster, krama.DeviceID) bool { return true }
func (d *ReleasePin) named() Deed                          { return d }
func (d *ReleasePin) log(*Logged)                          {}

// Export says that admins agree to the whole programme being taken out of it, sealed or not, by the desks of those who
// signed. Two admins sign it, or a lone one announces it a day before: everybody's device shows it first.
type Export struct{}

func (d *Export) kind() string     { return "export" }
func (d *Export) fields() [][]byte { return nil }

func parseExport(f fields) (Deed, error) {
	if !f.sized() {
		return nil, malformed("export")
	}
	return &Export{}, nil
}

// check keeps who may take the programme out, and when it was said: the leave ends by itself.
func (d *Export) check(r *Roster, by signers) (func(), error) {
	return func() { r.Exports = &Exports{Devices: by.devices, TimeMS: by.timeMS} }, nil
}

func (d *Export) guarded(*Roster, krama.DeviceID) bool { return true }
func (d *Export) named() Deed                          { return d }
func (d *Export) log(*Logged)                          {}
