package seal

import (
	"crypto/ed25519"
	"slices"

	"krama"
)

// Roster is the state of a programme: who its members and devices are and which epochs its circles have. It is a pure
// function of the statements so far.
type Roster struct {
	Org     krama.OrgID
	Head    Head // of circle 0's stream, cumulative over epochs
	Members map[krama.MemberID]*Member
	Devices map[krama.DeviceID]*RosterDevice
	Circles map[krama.CircleID]*RosterCircle
	nonces  map[[16]byte]bool
	commits map[[32]byte]bool
}

// Member is a member of staff.
type Member struct {
	ID    krama.MemberID
	Roles krama.Role
}

// RosterDevice is an enrolled device.
type RosterDevice struct {
	ID       krama.DeviceID
	Member   krama.MemberID
	Request  *Request
	Verified Verified
}

// RosterCircle is a circle and its epochs, oldest first.
type RosterCircle struct {
	CircleCreate
	Origin [32]byte // what H_0 of epoch 0 is chained to
	Epochs []*RosterEpoch
}

// RosterEpoch is an open epoch and the devices keyed for it.
type RosterEpoch struct {
	EpochOpen
	Keyed map[krama.DeviceID]bool
}

// NewRoster returns the roster of an organisation before its genesis was read.
func NewRoster(org krama.OrgID) *Roster {
	return &Roster{Org: org, Head: Start(Context{Org: org}, org), Members: map[krama.MemberID]*Member{},
		Devices: map[krama.DeviceID]*RosterDevice{}, Circles: map[krama.CircleID]*RosterCircle{},
		nonces: map[[16]byte]bool{}, commits: map[[32]byte]bool{}}
}

// Author returns a device's signing key if it is keyed for the epoch. Before circle 0's first epoch is open, only the
// founder's device is.
func (r *Roster) Author(c krama.CircleID, epoch uint32, d krama.DeviceID) (ed25519.PublicKey, bool) {
	dev := r.Devices[d]
	if dev == nil {
		return nil, false
	}
	ring := r.Circles[c]
	if ring == nil || int(epoch) >= len(ring.Epochs) {
		founding := c == krama.OrgCircle && ring != nil && len(ring.Epochs) == 0 && len(r.Devices) == 1
		return dev.Request.SigPub, founding
	}
	return dev.Request.SigPub, ring.Epochs[epoch].Keyed[d]
}

// MayWrite reports whether the device's member may write items of kind k in the circle: step 9.
func (r *Roster) MayWrite(c krama.CircleID, d krama.DeviceID, k ItemKind) bool {
	dev, ring := r.Devices[d], r.Circles[c]
	if dev == nil || ring == nil {
		return false
	}
	switch k {
	case KindRecord, KindCircleRecord, KindSubjectKey, KindShred:
		return c != krama.OrgCircle && r.Members[dev.Member].Roles&ring.Writers != 0
	case KindHeartbeat, KindRewrap, KindAnswer:
		return true
	}
	return false
}

// Latest returns the newest epoch of a circle, or nil.
func (r *Roster) Latest(c krama.CircleID) *RosterEpoch {
	ring := r.Circles[c]
	if ring == nil || len(ring.Epochs) == 0 {
		return nil
	}
	return ring.Epochs[len(ring.Epochs)-1]
}

// StartOf returns H_0 of a circle's epoch.
func (r *Roster) StartOf(c krama.CircleID, epoch uint32) (Head, bool) {
	ring := r.Circles[c]
	if ring == nil || int(epoch) >= len(ring.Epochs) {
		return Head{}, false
	}
	f := ring.Origin
	if epoch > 0 {
		f = ring.Epochs[epoch].Closes.H
	}
	return Start(Context{r.Org, c, epoch}, f), true
}

// Advance moves the head over an envelope of circle 0 that is no statement.
func (r *Roster) Advance(id [32]byte) { r.Head = r.Head.Link(id) }

// Apply checks one opened envelope of circle 0, folds it in and moves the head over it, whatever the result. The first
// statement must hash to the organisation's id. A statement that breaks a rule changes nothing else and is reported:
// Tampered for a broken chain or signature, NotAllowed for a signer without the role, Invalid for a broken invariant,
// NotYet for a later version's type.
func (r *Roster) Apply(env *Envelope) error {
	const op = "seal.Roster"
	if env.Header.Head != r.Head || env.Header.Roster != r.Head {
		r.Advance(env.ID)
		return krama.E(op, krama.Tampered, "a statement does not follow its predecessor")
	}
	body, v := []byte(nil), Malformed
	if env.Kind == EnvRoster && env.Len() == 1 {
		var it Item
		if it, v = env.Item(0, nil); it.Kind != KindStatement {
			v = Malformed
		}
		body = it.Body
	}
	if v != Fine {
		r.Advance(env.ID)
		return krama.E(op, krama.Tampered, "not a roster statement")
	}
	return r.apply(env.Author, env.ID, body, ed25519.Verify, func(pub ed25519.PublicKey) bool { return env.Verify(pub) == Fine })
}

// Replay folds in a statement that Apply accepted before, from the device's own sealed journal, without checking
// signatures again.
func (r *Roster) Replay(author krama.DeviceID, id [32]byte, body []byte) error {
	return r.apply(author, id, body, func(ed25519.PublicKey, []byte, []byte) bool { return true }, func(ed25519.PublicKey) bool { return true })
}

func (r *Roster) apply(author krama.DeviceID, id [32]byte, body []byte, cosigned func(ed25519.PublicKey, []byte, []byte) bool, signed func(ed25519.PublicKey) bool) error {
	const op = "seal.Roster"
	defer r.Advance(id)
	raw, co, err := parseStatementBody(body)
	if err != nil {
		return err
	}
	st, err := ParseStatement(raw)
	if err != nil {
		return err
	}
	if r.Head.N == 0 {
		return r.found(author, st, raw, signed)
	}
	pub, keyed := r.Author(krama.OrgCircle, r.orgEpoch(), author)
	if !keyed {
		return krama.E(op, krama.NotAllowed, "author")
	}
	if !signed(pub) {
		return krama.E(op, krama.Tampered, "signature")
	}
	if r.nonces[st.Nonce] || r.Head.N+1 > st.NotAfter {
		return krama.E(op, krama.Invalid, "a repeated or late statement")
	}
	signers := map[krama.MemberID]bool{r.Devices[author].Member: true}
	for _, c := range co {
		pub, keyed := r.Author(krama.OrgCircle, r.orgEpoch(), c.Device)
		m := Hash("roster cosign", r.Org[:], raw)
		if !keyed || !cosigned(pub, m[:], c.Sig) {
			return krama.E(op, krama.Tampered, "cosignature")
		}
		signers[r.Devices[c.Device].Member] = true
	}
	admins := 0
	for m := range signers {
		if r.Members[m].Roles&krama.RoleAdmin != 0 {
			admins++
		}
	}
	if err := r.fold(st, author, id, admins); err != nil {
		return err
	}
	r.nonces[st.Nonce] = true
	return nil
}

func (r *Roster) orgEpoch() uint32 {
	if ring := r.Circles[krama.OrgCircle]; ring != nil && len(ring.Epochs) > 0 {
		return uint32(len(ring.Epochs) - 1)
	}
	return 0
}

func (r *Roster) found(author krama.DeviceID, st *Statement, raw []byte, signed func(ed25519.PublicKey) bool) error {
	const op = "seal.Roster"
	if st.Genesis == nil || Hash("org", raw) != r.Org {
		return krama.E(op, krama.Tampered, "this is another organisation")
	}
	g := st.Genesis
	if g.Device.ID() != author || !signed(g.Device.SigPub) {
		return krama.E(op, krama.Tampered, "genesis signature")
	}
	r.nonces[st.Nonce] = true
	r.Members[g.Founder] = &Member{g.Founder, krama.RoleAdmin}
	r.Devices[author] = &RosterDevice{author, g.Founder, g.Device, ByScan}
	r.Circles[krama.OrgCircle] = &RosterCircle{CircleCreate: CircleCreate{Recoverable: true, History: true, Readers: ^krama.Role(0), Writers: krama.RoleAdmin}, Origin: r.Org}
	return nil
}

// need is how many admins must sign what two must sign: two, once the organisation has two who can, that is, whose devices
// are keyed for the roster. Counting one without a device would mean that her first device could never be enrolled.
func (r *Roster) need() int {
	able := map[krama.MemberID]bool{}
	if e := r.Latest(krama.OrgCircle); e != nil {
		for d := range e.Keyed {
			if m := r.Devices[d].Member; r.Members[m].Roles&krama.RoleAdmin != 0 {
				able[m] = true
			}
		}
	}
	return min(len(able), 2)
}

func (r *Roster) fold(st *Statement, author krama.DeviceID, id [32]byte, admins int) error {
	const op = "seal.Roster"
	refuse := func(k krama.Kind, why string) error { return krama.E(op, k, why) }
	if admins < 1 {
		return refuse(krama.NotAllowed, "only an admin may change the roster")
	}
	two := r.need()
	switch {
	case st.Genesis != nil:
		return refuse(krama.Invalid, "a second genesis")

	case st.MemberAdd != nil:
		m := st.MemberAdd
		if r.Members[m.Member] != nil {
			return refuse(krama.Invalid, "member exists")
		}
		if m.Roles&(krama.RoleAdmin|krama.RoleSafeguarding) != 0 && admins < two {
			return refuse(krama.NotAllowed, "two admins must sign this role")
		}
		r.Members[m.Member] = &Member{m.Member, m.Roles}

	case st.DeviceAdd != nil:
		d := st.DeviceAdd
		dev := d.Device.ID()
		member := r.Members[d.Member]
		switch {
		case member == nil || r.Devices[dev] != nil:
			return refuse(krama.Invalid, "no such member, or the device is enrolled already")
		case !CheckProof(r.Org, d.Device, d.Secret, d.Proof):
			return refuse(krama.Tampered, "the device's proof")
		case member.Roles&krama.RoleAdmin != 0 && admins < two:
			return refuse(krama.NotAllowed, "two admins must enrol an admin's device")
		}
		r.Devices[dev] = &RosterDevice{dev, d.Member, d.Device, d.Verified}

	case st.CircleCreate != nil:
		c := st.CircleCreate
		if r.Circles[c.Circle] != nil {
			return refuse(krama.Invalid, "circle exists")
		}
		if admins < two {
			return refuse(krama.NotAllowed, "two admins must make a circle")
		}
		r.Circles[c.Circle] = &RosterCircle{CircleCreate: *c, Origin: id}

	case st.EpochOpen != nil:
		return r.open(st.EpochOpen, author)

	case st.EpochGrant != nil:
		g := st.EpochGrant
		e := r.Latest(g.Circle)
		switch {
		case e == nil || e.Epoch != g.Epoch || e.Keyed[g.Device]:
			return refuse(krama.Invalid, "not the open epoch, or keyed already")
		case !e.Keyed[author]:
			return refuse(krama.NotAllowed, "the granting admin is not in the circle")
		case r.Circles[g.Circle].Readers&krama.RoleSafeguarding != 0 && (admins < two || r.Devices[g.Device] == nil || r.Devices[g.Device].Verified != ByScan):
			return refuse(krama.NotAllowed, "two admins must grant a safeguarding circle, to a scanned device")
		case !r.entitled(g.Circle, g.Device):
			return refuse(krama.Invalid, "the member has no role in the circle")
		}
		e.Keyed[g.Device] = true
	}
	return nil
}

// entitled reports whether a device's member has a role in the circle.
func (r *Roster) entitled(c krama.CircleID, d krama.DeviceID) bool {
	dev := r.Devices[d]
	return dev != nil && (c == krama.OrgCircle || r.Members[dev.Member].Roles&r.Circles[c].Readers != 0)
}

func (r *Roster) open(e *EpochOpen, author krama.DeviceID) error {
	const op = "seal.Roster"
	ring := r.Circles[e.Circle]
	if ring == nil || int(e.Epoch) != len(ring.Epochs) {
		return krama.E(op, krama.Invalid, "epochs rise by one")
	}
	if r.commits[e.EC] || r.commits[e.GC] || e.EC == e.GC {
		return krama.E(op, krama.Invalid, "a repeated commitment")
	}
	if e.Epoch == 0 && (len(e.Back) != 0 || e.Closes != (Head{})) {
		return krama.E(op, krama.Invalid, "epoch 0 has nothing before it")
	}
	if e.Epoch > 0 && !ring.Epochs[e.Epoch-1].Keyed[author] {
		return krama.E(op, krama.NotAllowed, "the admin is not in the circle")
	}
	if len(e.Devices) == 0 || !slices.Contains(e.Devices, author) {
		return krama.E(op, krama.Invalid, "the opening admin must be in the epoch")
	}
	keyed := map[krama.DeviceID]bool{}
	for _, d := range e.Devices {
		if keyed[d] || !r.entitled(e.Circle, d) {
			return krama.E(op, krama.Invalid, "a device that may not be keyed")
		}
		keyed[d] = true
	}
	ring.Epochs = append(ring.Epochs, &RosterEpoch{*e, keyed})
	r.commits[e.EC], r.commits[e.GC] = true, true
	return nil
}
