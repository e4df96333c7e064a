package seal

import (
	"crypto/rand"
	"testing"
	"time"

	"krama"
)

// house is a programme in memory: a founder and the envelopes of circle 0, as every reader gets them.
type house struct {
	t       *testing.T
	epoch   *Epoch
	founder *Device
	roster  *Roster
	at      time.Duration // the clock of whoever speaks, since 1970
	seq     uint64
	prev    [32]byte
	log     [][]byte
}

func found(t *testing.T) *house {
	t.Helper()
	d, err := NewDevice(rand.Reader, "test")
	if err != nil {
		t.Fatal(err)
	}
	st, _ := NewStatement(rand.Reader, 1, &Genesis{Founder: krama.MemberID{1}, Device: d.Request()})
	org := krama.OrgID(Hash("org", st.Marshal()))
	e, _ := NewEpoch(rand.Reader, Context{Org: org})
	h := &house{t: t, epoch: e, founder: d, roster: NewRoster(org)}
	h.must(h.say(d, st))
	h.must(h.say(d, h.statement(&EpochOpen{EC: e.EC(), GC: e.GC(), Devices: []krama.DeviceID{d.ID()}})))
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) statement(deed Deed) *Statement {
	st, err := NewStatement(rand.Reader, h.roster.Head.N+5, deed)
	h.must(err)
	return st
}

func (h *house) say(d *Device, st *Statement, co ...Cosignature) error {
	h.t.Helper()
	hd := Header{Author: d.ID(), Kind: EnvRoster, Seq: h.seq + 1, Prev: h.prev, Head: h.roster.Head,
		Roster: h.roster.At(), TimeMS: uint64(h.at.Milliseconds())}
	wire, err := h.epoch.Seal(rand.Reader, d, hd, []Item{{Kind: KindStatement, Body: StatementBody(st.Marshal(),
		co...)}}, nil)
	h.must(err)
	env, v := h.epoch.Open(wire)
	if v != Fine {
		h.t.Fatal(v)
	}
	h.log = append(h.log, wire)
	return h.roster.Apply(env)
}

func (h *house) add(member krama.MemberID, roles krama.Role) (*Device, error) {
	h.t.Helper()
	if err := h.say(h.founder, h.statement(&MemberAdd{member, roles})); err != nil {
		return nil, err
	}
	d, _ := NewDevice(rand.Reader, "test")
	secret := q32(3)
	return d, h.say(h.founder, h.statement(&DeviceAdd{member, d.Request(), 1, ByScan, secret,
		d.Proof(h.roster.Org, secret)}))
}

func (h *house) circle(id krama.CircleID, readers krama.Role) *Epoch {
	h.t.Helper()
	h.must(h.say(h.founder, h.statement(&CircleCreate{Circle: id, Readers: readers, Writers: readers})))
	e, _ := NewEpoch(rand.Reader, Context{Org: h.roster.Org, Circle: id})
	h.must(h.say(h.founder, h.statement(&EpochOpen{Circle: id, EC: e.EC(), GC: e.GC(),
		Devices: []krama.DeviceID{h.founder.ID()}})))
	return e
}

func TestRosterFoldsAndReplays(t *testing.T) {
	h := found(t)
	c := krama.CircleID{7}
	e := h.circle(c, krama.RoleAdmin|krama.RoleOutreach)
	d, err := h.add(krama.MemberID{2}, krama.RoleOutreach)
	h.must(err)
	h.must(h.say(h.founder, h.statement(&EpochGrant{Circle: c, Device: d.ID()})))
	h.must(h.say(h.founder, h.statement(&EpochGrant{Device: d.ID()})))
	if _, ok := h.roster.Author(c, 0, d.ID()); !ok {
		t.Error("a granted device is no author")
	}
	if !h.roster.MayWrite(c, 0, d.ID(), KindRecord) || h.roster.MayWrite(krama.OrgCircle, 0, d.ID(), KindRecord) {
		t.Error("MayWrite")
	}
	w, err := e.Wrap(d.ID(), d.KEM.PublicKey().Bytes())
	h.must(err)
	le := h.roster.Latest(c)
	if got, err := OpenWrap(e.Context, d.ID(), d.KEM, w, le.EC, le.GC); err != nil || got.ES != e.ES {
		t.Errorf("wrap: %v", err)
	}
	ec := le.EC
	ec[0] ^= 1
	if _, err := OpenWrap(e.Context, d.ID(), d.KEM, w, ec, le.GC); err == nil {
		t.Error("a wrap for other commitments was accepted")
	}

	again := NewRoster(h.roster.Org)
	for _, wire := range h.log {
		env, _ := h.epoch.Open(wire)
		h.must(again.Apply(env))
	}
	if again.Head != h.roster.Head || len(again.Devices) != 2 {
		t.Error("replay differs")
	}
	other := NewRoster(krama.OrgID{9})
	env, _ := h.epoch.Open(h.log[0])
	if err := other.Apply(env); krama.KindOf(err) != krama.Tampered {
		t.Errorf("another organisation's genesis: %v", err)
	}
}

// later says a statement of a type that this version does not know.
func (h *house) later(d *Device, typ string) error {
	raw := enc("roster "+typ, make([]byte, 16), u64(99), make([]byte, 16))
	hd := Header{Author: d.ID(), Kind: EnvRoster, Head: h.roster.Head, Roster: h.roster.At()}
	wire, _ := h.epoch.Seal(rand.Reader, d, hd, []Item{{Kind: KindStatement, Body: StatementBody(raw)}}, nil)
	env, _ := h.epoch.Open(wire)
	return h.roster.Apply(env)
}

func TestRosterRefuses(t *testing.T) {
	c := krama.CircleID{7}
	for name, tc := range map[string]struct {
		act  func(h *house, worker *Device) error
		want krama.Kind
	}{
		"a worker changes the roster": {func(h *house, w *Device) error {
			h.must(h.say(h.founder, h.statement(&EpochGrant{Device: w.ID()})))
			return h.say(w, h.statement(&MemberAdd{krama.MemberID{8}, krama.RoleOutreach}))
		}, krama.NotAllowed},
		"a device that is not keyed speaks": {func(h *house, w *Device) error {
			return h.say(w, h.statement(&MemberAdd{krama.MemberID{8}, krama.RoleOutreach}))
		}, krama.NotAllowed},
		"a grant without a role in the circle": {func(h *house, w *Device) error {
			return h.say(h.founder, h.statement(&EpochGrant{Circle: c, Device: w.ID()}))
		}, krama.Invalid},
		"the same statement again": {func(h *house, w *Device) error {
			st := h.statement(&MemberAdd{krama.MemberID{8}, krama.RoleOutreach})
			h.must(h.say(h.founder, st))
			return h.say(h.founder, st)
		}, krama.Invalid},
		"a statement after its time": {func(h *house, w *Device) error {
			st := h.statement(&MemberAdd{krama.MemberID{8}, krama.RoleOutreach})
			st.NotAfter = 1
			return h.say(h.founder, st)
		}, krama.Invalid},
		"a repeated commitment": {func(h *house, w *Device) error {
			e := h.roster.Latest(c)
			return h.say(h.founder, h.statement(&EpochOpen{Circle: c, Epoch: 1, EC: e.EC, GC: e.GC,
				Devices: []krama.DeviceID{h.founder.ID()}}))
		}, krama.Invalid},
		"an epoch for a device without a role": {func(h *house, w *Device) error {
			return h.say(h.founder, h.statement(&EpochOpen{Circle: c, Epoch: 1, EC: q32(1), GC: q32(2),
				Devices: []krama.DeviceID{h.founder.ID(), w.ID()}}))
		}, krama.Invalid},
		"a proof for another secret": {func(h *house, w *Device) error {
			d, _ := NewDevice(rand.Reader, "test")
			return h.say(h.founder, h.statement(&DeviceAdd{krama.MemberID{2}, d.Request(), 1, ByScan, q32(3),
				d.Proof(h.roster.Org, q32(4))}))
		}, krama.Tampered},
		"a later version's statement": {func(h *house, w *Device) error {
			return h.later(h.founder, "partner.pin")
		}, krama.NotYet},
		"a statement nobody has named": {func(h *house, w *Device) error {
			return h.later(h.founder, "x.y")
		}, krama.NotYet},
		"a later version's statement by a stranger": {func(h *house, w *Device) error {
			return h.later(w, "partner.pin")
		}, krama.NotAllowed},
		"a later version's statement by a worker": {func(h *house, w *Device) error {
			h.must(h.say(h.founder, h.statement(&EpochGrant{Device: w.ID()})))
			return h.later(w, "x.y")
		}, krama.NotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			h := found(t)
			h.circle(c, krama.RoleAdmin|krama.RoleNurse)
			w, err := h.add(krama.MemberID{2}, krama.RoleOutreach)
			h.must(err)
			if err := tc.act(h, w); krama.KindOf(err) != tc.want || err == nil {
				t.Errorf("got %v want %v", err, tc.want)
			}
		})
	}
}

// TestTwoAdmins enrols a second admin and then asks two signatures of what needs two.
func TestTwoAdmins(t *testing.T) {
	h := found(t)
	second, err := h.add(krama.MemberID{2}, krama.RoleAdmin)
	h.must(err)
	make1 := func(id byte) *Statement {
		return h.statement(&CircleCreate{Circle: krama.CircleID{id}, Readers: krama.RoleAdmin | krama.RoleSafeguarding,
			Writers: krama.RoleAdmin | krama.RoleSafeguarding})
	}
	co := func(d *Device, st *Statement) Cosignature {
		return Cosignature{d.ID(), Cosign(d.Sig, h.roster.Org, st.Marshal())}
	}
	h.must(h.say(h.founder, make1(1))) // the second admin cannot sign yet
	h.must(h.say(h.founder, h.statement(&EpochGrant{Device: second.ID()})))
	st := make1(2)
	for name, tc := range map[string]struct {
		co   []Cosignature
		want krama.Kind
	}{
		"alone":                 {nil, krama.NotAllowed},
		"the same member twice": {[]Cosignature{co(h.founder, st)}, krama.NotAllowed},
		"another statement's":   {[]Cosignature{co(second, make1(3))}, krama.Tampered},
		"signed by somebody else": {[]Cosignature{{second.ID(), Cosign(h.founder.Sig, h.roster.Org, st.Marshal())}},
			krama.Tampered},
	} {
		if err := h.say(h.founder, st, tc.co...); err == nil || krama.KindOf(err) != tc.want {
			t.Errorf("%s: got %v want %v", name, err, tc.want)
		}
	}
	st = make1(4)
	h.must(h.say(h.founder, st, co(second, st)))
	e, _ := NewEpoch(rand.Reader, Context{Org: h.roster.Org, Circle: krama.CircleID{4}})
	h.must(h.say(h.founder, h.statement(&EpochOpen{Circle: krama.CircleID{4}, EC: e.EC(), GC: e.GC(),
		Devices: []krama.DeviceID{h.founder.ID()}})))
	grant := func() *Statement {
		return h.statement(&EpochGrant{Circle: krama.CircleID{4}, Device: second.ID()})
	}
	if err := h.say(h.founder, grant()); krama.KindOf(err) != krama.NotAllowed || err == nil {
		t.Errorf("a safeguarding grant by one admin: %v", err)
	}
	g := grant()
	h.must(h.say(h.founder, g, co(second, g)))
}

func TestScansRoundTrip(t *testing.T) {
	s1 := Scan1{q32(1), q16(2)}
	if got, err := ParseScan1(" " + s1.String() + "\n"); err != nil || got != s1 || len(s1.String()) != 79 {
		t.Errorf("QR-1: %v", err)
	}
	s2 := Scan2{q32(1), Head{7, q32(2)}, q32(3), q32(4), "https://relay.example:8443"}
	if got, err := ParseScan2(s2.String()); err != nil || got != s2 {
		t.Errorf("QR-2: %v", err)
	}
	for _, bad := range []string{"", "A", s1.String() + "A", s2.String()[:219], "https://example.org"} {
		if _, err := ParseScan2(bad); err == nil {
			t.Errorf("QR-2 %q was accepted", bad)
		}
		if _, err := ParseScan1(bad); err == nil {
			t.Errorf("QR-1 %q was accepted", bad)
		}
	}
}
