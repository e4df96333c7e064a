package seal

import (
	"crypto/ed25519"
	"encoding/hex"

	"krama"
)

// Roster is the state of a programme: who its members and devices are and which epochs its circles have. It is a pure
// function of the statements so far.
type Roster struct {
	Org       krama.OrgID
	Head      Head       // of circle 0's open stream
	Chain     [][32]byte // chain values by roster position, over all epochs of circle 0
	Members   map[krama.MemberID]*Member
	Devices   map[krama.DeviceID]*RosterDevice
	Circles   map[krama.CircleID]*RosterCircle
	Trustees  *TrusteesSet      // nil before any were set
	TrustAt   uint64            // roster position from which earlier trustees must not read on; 0 while there were none
	Release   *ReleasePin       // nil before any was pinned
	Exports   *Exports          // the last leave to take everything out; nil before any
	Trusted   map[[32]byte]bool // envelopes that prove a device copied, and that an admin has looked into
	Delay     bool              // a lone admin's guarded statements count a day after they were announced
	Log       []Logged          // every statement, for people to read
	announced []*Announced      // oldest first
	nonces    map[[16]byte]bool
	commits   map[[32]byte]bool
	turned    bool // the statement being folded opens the next epoch of circle 0
}

// Member is a member of staff.
type Member struct {
	ID      krama.MemberID
	Roles   krama.Role
	Held    krama.Role // every role it ever had: what it signed then stands
	Removed bool
}

// RosterDevice is an enrolled device. Removed ones stay, because what they wrote stays.
type RosterDevice struct {
	ID        krama.DeviceID
	Member    krama.MemberID
	Request   *Request
	Verified  Verified
	KemPub    []byte // the newest KEM key
	KemAt     uint64 // roster position from which KemPub holds
	KemMS     uint64 // when, by the clock of who said it
	Since     uint64 // roster position of its enrolment
	Removed   uint64 // roster position of its removal; 0 while it is trusted
	Reason    Reason
	Recovered bool   // brought in by the trustees' key
	CoolOff   uint64 // milliseconds; before it a recovered device must not act
}

// Logged is one statement in plain parts. Refused ones changed nothing.
type Logged struct {
	N       uint64 // roster position
	TimeMS  uint64 // by the author's clock
	Author  krama.DeviceID
	Type    string
	What    string // the type of what is announced or withdrawn
	Circle  krama.CircleID
	Epoch   uint32
	Member  krama.MemberID
	Device  krama.DeviceID
	Roles   krama.Role
	Reason  Reason
	Count   int // devices of an epoch, trustees
	K       int
	Refused bool
}

// RosterCircle is a circle and its epochs, oldest first.
type RosterCircle struct {
	CircleCreate
	Origin [32]byte // what H_0 of epoch 0 is chained to
	Epochs []*RosterEpoch
}

// RosterEpoch is an epoch and the devices keyed for it. Who may write is settled when a device is keyed: what a record
// was worth does not change with a later role.
type RosterEpoch struct {
	EpochOpen
	Keyed   map[krama.DeviceID]bool
	writers map[krama.DeviceID]bool
	Opened  uint64   // roster position
	TimeMS  uint64   // by the opening admin's clock
	after   [32]byte // what H_0 is chained to
}

// NewRoster returns the roster of an organisation before its genesis was read.
func NewRoster(org krama.OrgID) *Roster {
	start := Start(Context{Org: org}, org)
	return &Roster{Org: org, Head: start, Chain: [][32]byte{start.H}, Members: map[krama.MemberID]*Member{},
		Devices: map[krama.DeviceID]*RosterDevice{}, Circles: map[krama.CircleID]*RosterCircle{},
		nonces: map[[16]byte]bool{}, commits: map[[32]byte]bool{}, Trusted: map[[32]byte]bool{}}
}

// Author returns a device's signing key if it is keyed for the epoch. Before circle 0's first epoch is open, only the
// founder's device is.
func (r *Roster) Author(c krama.CircleID, epoch uint32, d krama.DeviceID) (ed25519.PublicKey, bool) {
	dev := r.Devices[d]
	if dev == nil {
		return nil, false
	}
	ring := r.Circles[c]
	if c == krama.OrgCircle && dev.Removed != 0 {
		return dev.Request.SigPub, false
	}
	if ring == nil || int(epoch) >= len(ring.Epochs) {
		founding := c == krama.OrgCircle && ring != nil && len(ring.Epochs) == 0 && len(r.Devices) == 1
		return dev.Request.SigPub, founding
	}
	return dev.Request.SigPub, ring.Epochs[epoch].Keyed[d]
}

// Admin reports whether a device is an admin's and may speak in the roster now. A statement that this version does not
// know stops reading until a version comes that does: it counts only from an admin, or any worker's phone could stop
// them all. So what a later version adds to the roster, an admin must say.
func (r *Roster) Admin(d krama.DeviceID) bool {
	_, keyed := r.Author(krama.OrgCircle, r.orgEpoch(), d)
	return keyed && r.Members[r.Devices[d].Member].Roles&krama.RoleAdmin != 0
}

// Later reports whether a statement that this version does not know is one to wait for: as many admins stand behind it
// as must sign what two must sign. So one admin of two stops nobody, and what a later version adds to the roster, two
// must sign.
func (r *Roster) Later(author krama.DeviceID, body []byte) bool {
	raw, co, err := parseStatementBody(body)
	if err != nil || !r.Admin(author) {
		return false
	}
	m := Hash("roster cosign", r.Org[:], raw)
	admins := map[krama.MemberID]bool{r.Devices[author].Member: true}
	for _, c := range co {
		if pub, _ := r.Author(krama.OrgCircle, r.orgEpoch(), c.Device); r.Admin(c.Device) && verify(pub, m[:], c.Sig) {
			admins[r.Devices[c.Device].Member] = true
		}
	}
	return len(admins) >= r.need()
}

// Newcomer returns the signing key of a device that brings itself in with the trustees' key; Apply checks that key.
func (r *Roster) Newcomer(env *Envelope) (ed25519.PublicKey, bool) {
	if env.Kind != EnvRoster || env.Len() != 1 || r.Devices[env.Author] != nil {
		return nil, false
	}
	it, v := env.Item(0, nil)
	if v != Fine || it.Kind != KindStatement {
		return nil, false
	}
	st, err := StatementOf(it.Body)
	if err != nil {
		return nil, false
	}
	u, ok := st.Deed.(*RecoveryUse)
	if !ok || u.Device.ID() != env.Author {
		return nil, false
	}
	return u.Device.SigPub, true
}

// MayWrite reports whether a device may write items of kind k in a circle's epoch: step 9.
func (r *Roster) MayWrite(c krama.CircleID, epoch uint32, d krama.DeviceID, k ItemKind) bool {
	ring := r.Circles[c]
	if ring == nil || int(epoch) >= len(ring.Epochs) {
		return false
	}
	switch k {
	case KindRecord, KindCircleRecord, KindSubjectKey, KindShred, KindUnshred:
		return c != krama.OrgCircle && ring.Epochs[epoch].writers[d]
	case KindErased:
		return c == krama.OrgCircle
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

// At is the roster's position: how many envelopes circle 0 has had over all its epochs, and the chain value there.
func (r *Roster) At() Head { return Head{uint64(len(r.Chain) - 1), r.Head.H} }

// StartOf returns H_0 of a circle's epoch.
func (r *Roster) StartOf(c krama.CircleID, epoch uint32) (Head, bool) {
	ring := r.Circles[c]
	if ring == nil || int(epoch) >= len(ring.Epochs) {
		return Head{}, false
	}
	return Start(Context{r.Org, c, epoch}, ring.Epochs[epoch].after), true
}

// ClosedAt returns the signed end of a circle's epoch once the next one is open.
func (r *Roster) ClosedAt(c krama.CircleID, epoch uint32) (Head, bool) {
	ring := r.Circles[c]
	if ring == nil || int(epoch)+1 >= len(ring.Epochs) {
		return Head{}, false
	}
	return ring.Epochs[epoch+1].Closes, true
}

// Advance moves the head over an envelope of circle 0. The statement that opens circle 0's next epoch is the last of
// its stream; the next stream begins at the value the chain has after it.
func (r *Roster) Advance(id [32]byte) {
	r.Head = r.Head.Link(id)
	if r.turned {
		e := r.Latest(krama.OrgCircle)
		e.after = r.Head.H
		r.Head = Start(Context{r.Org, krama.OrgCircle, e.Epoch}, e.after)
		r.turned = false
	}
	r.Chain = append(r.Chain, r.Head.H)
}

// Apply checks one opened envelope of circle 0, folds it in and moves the head over it, whatever the result. The first
// statement must hash to the organisation's id. A statement that breaks a rule changes nothing else and is reported:
// Tampered for a broken chain or signature, NotAllowed for a signer without the role, Invalid for a broken invariant,
// NotYet for a later version's type, which only an admin can say.
func (r *Roster) Apply(env *Envelope) error {
	const op = "seal.Roster"
	if env.Header.Head != r.Head || env.Header.Roster != r.At() {
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
	return r.apply(env.Author, env.ID, env.TimeMS, body, false, verify, func(pub ed25519.PublicKey) bool {
		return env.Verify(pub) == Fine
	})
}

// Replay folds in a statement that Apply accepted before, from the device's own sealed journal, without checking
// signatures again.
func (r *Roster) Replay(author krama.DeviceID, id [32]byte, timeMS uint64, body []byte) error {
	return r.apply(author, id, timeMS, body, true, func(ed25519.PublicKey, []byte, []byte) bool { return true },
		func(ed25519.PublicKey) bool { return true })
}

// apply takes one statement in, with whoever signed it. The roster moves on past one that it refuses: the place is
// used.
func (r *Roster) apply(author krama.DeviceID, id [32]byte, timeMS uint64, body []byte, replayed bool,
	cosigned func(ed25519.PublicKey, []byte, []byte) bool, signed func(ed25519.PublicKey) bool) (err error) {
	const op = "seal.Roster"
	defer r.Advance(id)
	raw, co, err := parseStatementBody(body)
	if err != nil {
		return err
	}
	st, err := ParseStatement(raw)
	if krama.KindOf(err) == krama.NotYet && !(r.Later(author, body) && signed(r.Devices[author].Request.SigPub)) {
		return krama.E(op, krama.NotAllowed, "only admins, and two where there are two, may change the roster")
	}
	if err != nil {
		return err
	}
	l := r.plain(st)
	defer func() {
		l.N, l.TimeMS, l.Author, l.Refused = r.At().N+1, timeMS, author, err != nil
		r.Log = append(r.Log, l)
	}()
	if r.At().N == 0 {
		return r.found(author, timeMS, st, raw, signed)
	}
	pub, keyed := r.Author(krama.OrgCircle, r.orgEpoch(), author)
	u, recovery := st.Deed.(*RecoveryUse)
	if recovery {
		pub, keyed = u.Device.SigPub, u.Device.ID() == author && r.Devices[author] == nil
	}
	if !keyed {
		return krama.E(op, krama.NotAllowed, "author")
	}
	if !signed(pub) {
		return krama.E(op, krama.Tampered, "signature")
	}
	if r.Late(st) {
		return krama.E(op, krama.Invalid, "a repeated or late statement")
	}
	m := Hash("roster cosign", r.Org[:], raw)
	s := signers{replayed: replayed, id: id, at: r.At().N + 1, timeMS: timeMS, author: author,
		devices: []krama.DeviceID{author}}
	members := map[krama.MemberID]bool{}
	if !recovery {
		members[r.Devices[author].Member] = true
	}
	for _, c := range co {
		if r.Trustees != nil && c.Device == r.Trustees.ID() {
			if !cosigned(r.Trustees.SigPub, m[:], c.Sig) {
				return krama.E(op, krama.Tampered, "the trustees' signature")
			}
			s.trustees = true
			continue
		}
		pub, keyed := r.Author(krama.OrgCircle, r.orgEpoch(), c.Device)
		if !keyed || !cosigned(pub, m[:], c.Sig) {
			return krama.E(op, krama.Tampered, "cosignature")
		}
		members[r.Devices[c.Device].Member] = true
		s.devices = append(s.devices, c.Device)
	}
	for m := range members {
		if r.Members[m].Roles&krama.RoleAdmin != 0 {
			s.admins++
		}
	}
	if err := r.fold(st, s); err != nil {
		return err
	}
	r.nonces[st.Nonce] = true
	return nil
}

// signers is who stands behind a statement.
type signers struct {
	replayed bool     // proofs were checked when it came
	id       [32]byte // the envelope's
	author   krama.DeviceID
	devices  []krama.DeviceID // the author's and those of the cosigners
	admins   int              // different admins
	trustees bool
	at       uint64 // the statement's roster position
	timeMS   uint64
}

// orgEpoch is circle 0's open epoch.
func (r *Roster) orgEpoch() uint32 {
	if ring := r.Circles[krama.OrgCircle]; ring != nil && len(ring.Epochs) > 0 {
		return uint32(len(ring.Epochs) - 1)
	}
	return 0
}

// found takes the genesis in, which nobody before it could sign for.
func (r *Roster) found(author krama.DeviceID, timeMS uint64, st *Statement, raw []byte,
	signed func(ed25519.PublicKey) bool) error {
	const op = "seal.Roster"
	g, ok := st.Deed.(*Genesis)
	if !ok || Hash("org", raw) != r.Org {
		return krama.E(op, krama.Tampered, "this is another organisation")
	}
	if g.Device.ID() != author || !signed(g.Device.SigPub) {
		return krama.E(op, krama.Tampered, "genesis signature")
	}
	r.nonces[st.Nonce] = true
	r.Members[g.Founder] = &Member{ID: g.Founder, Roles: krama.RoleAdmin, Held: krama.RoleAdmin}
	r.Devices[author] = &RosterDevice{ID: author, Member: g.Founder, Request: g.Device, Verified: ByScan,
		KemPub: g.Device.KemPub, KemAt: 1, KemMS: timeMS, Since: 1}
	r.Circles[krama.OrgCircle] = &RosterCircle{CircleCreate: CircleCreate{Recoverable: true, History: true,
		Readers: ^krama.Role(0), Writers: krama.RoleAdmin}, Origin: r.Org}
	return nil
}

// Mark names an epoch in a few characters.
func (e *RosterEpoch) Mark() string { return hex.EncodeToString(e.EC[:8]) }
