package seal

import "krama"

// What founds a programme, and makes its circles and their rules.

// Genesis founds a programme. Its hash is the organisation's id.
type Genesis struct {
	Nonce   [32]byte
	Founder krama.MemberID
	Device  *Request
}

func (d *Genesis) kind() string { return "genesis" }

// fields has two empty places, of what the first version put there.
func (d *Genesis) fields() [][]byte {
	return [][]byte{d.Nonce[:], d.Founder[:], d.Device.Marshal(), nil, nil}
}

func parseGenesis(f fields) (Deed, error) {
	if !f.sized(32, 16, -1, 0, 0) {
		return nil, malformed("genesis")
	}
	r, err := ParseRequest(f[2])
	if err != nil {
		return nil, err
	}
	return &Genesis{[32]byte(f[0]), krama.MemberID(f[1]), r}, nil
}

// The first is not checked here: found takes it.
func (d *Genesis) check(*Roster, signers) (func(), error) {
	return refused(krama.Invalid, "a second genesis")
}

func (d *Genesis) guarded(*Roster, krama.DeviceID) bool { return false }
func (d *Genesis) named() Deed                          { return nil }
func (d *Genesis) log(l *Logged)                        { l.Member, l.Device = d.Founder, d.Device.ID() }

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

func (d *CircleCreate) kind() string { return "circle.create" }

// fields packs the flags into one byte; others than these are refused.
func (d *CircleCreate) fields() [][]byte {
	var flags byte
	for i, on := range []bool{d.Recoverable, d.History, d.Keyring} {
		if on {
			flags |= 1 << i
		}
	}
	return [][]byte{d.Circle[:], {flags}, u32(d.RetentionDays), u16(uint16(d.Readers)), u16(uint16(d.Writers))}
}

func parseCircleCreate(f fields) (Deed, error) {
	if !f.sized(16, 1, 4, 2, 2) || f[1][0] > 7 {
		return nil, malformed("circle.create")
	}
	return parseCircle(f), nil
}

// parseCircle reads what a circle's making and its policy have in common.
func parseCircle(f fields) *CircleCreate {
	return &CircleCreate{Circle: krama.CircleID(f[0]), Recoverable: f[1][0]&1 != 0, History: f[1][0]&2 != 0,
		Keyring:       f[1][0]&4 != 0,
		RetentionDays: f.u32(2), Readers: f.roles(3), Writers: f.roles(4)}
}

// check refuses a circle that is there.
func (d *CircleCreate) check(r *Roster, by signers) (func(), error) {
	if r.Circles[d.Circle] != nil {
		return refused(krama.Invalid, "circle exists")
	}
	return func() { r.Circles[d.Circle] = &RosterCircle{CircleCreate: *d, Origin: by.id} }, nil
}

func (d *CircleCreate) guarded(*Roster, krama.DeviceID) bool { return true }
func (d *CircleCreate) named() Deed                          { return d }
func (d *CircleCreate) log(l *Logged)                        { l.Circle = d.Circle }

// CirclePolicy changes what circle.create said, all but the id.
type CirclePolicy CircleCreate

func (d *CirclePolicy) kind() string     { return "circle.policy" }
func (d *CirclePolicy) fields() [][]byte { return (*CircleCreate)(d).fields() }

func parseCirclePolicy(f fields) (Deed, error) {
	if !f.sized(16, 1, 4, 2, 2) || f[1][0] > 7 {
		return nil, malformed("circle.policy")
	}
	return (*CirclePolicy)(parseCircle(f)), nil
}

// check refuses circle 0: who reads the roster is no policy.
func (d *CirclePolicy) check(r *Roster, _ signers) (func(), error) {
	ring := r.Circles[d.Circle]
	if ring == nil || d.Circle == krama.OrgCircle {
		return refused(krama.Invalid, "no such circle")
	}
	return func() { ring.CircleCreate = CircleCreate(*d) }, nil
}

func (d *CirclePolicy) guarded(*Roster, krama.DeviceID) bool { return true }
func (d *CirclePolicy) named() Deed                          { return d }
func (d *CirclePolicy) log(l *Logged)                        { l.Circle = d.Circle }
