package seal

import (
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"testing"

	"krama"
)

// The roster's rules one by one, each against somebody who is inside. scripts/ablate takes each away.

// sayRaw seals an envelope of circle 0 as whoever holds its keys can, with any header and items, signed by any key.
func (h *house) sayRaw(sig ed25519.PrivateKey, hd Header, items ...Item) error {
	h.t.Helper()
	wire, err := h.epoch.sealWith(q32(byte(len(h.log))), sig, hd, items, nil)
	h.must(err)
	env, v := h.epoch.Open(wire)
	if v != Fine {
		h.t.Fatal(v)
	}
	return h.roster.Apply(env)
}

func (h *house) head(by krama.DeviceID) Header {
	return Header{Author: by, Kind: EnvRoster, Seq: 1, Head: h.roster.Head, Roster: h.roster.At()}
}

func (st *Statement) item(co ...Cosignature) Item {
	return Item{Kind: KindStatement, Body: StatementBody(st.Marshal(), co...)}
}

// does says a statement by the founder.
func (h *house) does(deed Deed) error {
	h.t.Helper()
	return h.say(h.founder, h.statement(deed))
}

// enrol adds a member with a device, which was checked in a way.
func (h *house) enrol(id byte, roles krama.Role, how Verified, co ...*Device) *Device {
	h.t.Helper()
	sign := func(deed Deed) {
		st := h.statement(deed)
		var list []Cosignature
		for _, d := range co {
			list = append(list, Cosignature{d.ID(), Cosign(d.Sig, h.roster.Org, st.Marshal())})
		}
		h.must(h.say(h.founder, st, list...))
	}
	m := krama.MemberID{id}
	if h.roster.Members[m] == nil {
		sign(&MemberAdd{m, roles})
	}
	d, _ := NewDevice(rand.Reader, "test")
	sign(&DeviceAdd{m, d.Request(), 1, how, q32(3), d.Proof(h.roster.Org, q32(3))})
	return d
}

func (h *house) grant(c krama.CircleID, d *Device) {
	h.t.Helper()
	h.must(h.does(&EpochGrant{Circle: c, Device: d.ID()}))
}

func openEpoch(c krama.CircleID, n uint32, devices ...*Device) *EpochOpen {
	e := &EpochOpen{Circle: c, Epoch: n, EC: q32(byte(100 + n)), GC: q32(byte(150 + n))}
	for _, d := range devices {
		e.Devices = append(e.Devices, d.ID())
	}
	return e
}

// TestRosterBelievesNobody: nothing counts that was not signed, by whom it names, where it stands.
func TestRosterBelievesNobody(t *testing.T) {
	thief := ed25519.NewKeyFromSeed(q(0x33, 32))
	add := &MemberAdd{krama.MemberID{9}, krama.RoleOutreach}
	for name, tc := range map[string]struct {
		act  func(h *house) error
		want krama.Kind
	}{
		"a statement under the founder's name": {func(h *house) error {
			return h.sayRaw(thief, h.head(h.founder.ID()),
				h.statement(add).item())
		}, krama.Tampered},
		"a statement that follows another": {func(h *house) error {
			hd := h.head(h.founder.ID())
			hd.Head.H[0] ^= 1
			return h.sayRaw(h.founder.Sig, hd, h.statement(add).item())
		}, krama.Tampered},
		"a statement after another roster": {func(h *house) error {
			hd := h.head(h.founder.ID())
			hd.Roster.N++
			return h.sayRaw(h.founder.Sig, hd, h.statement(add).item())
		}, krama.Tampered},
		"two statements at once": {func(h *house) error {
			return h.sayRaw(h.founder.Sig, h.head(h.founder.ID()), h.statement(add).item(), h.statement(add).item())
		}, krama.Tampered},
		"a statement among content": {func(h *house) error {
			hd := h.head(h.founder.ID())
			hd.Kind = EnvContent
			return h.sayRaw(h.founder.Sig, hd, h.statement(add).item())
		}, krama.Tampered},
		"an admin's device that nobody let in": {func(h *house) error {
			return h.say(h.enrol(2, krama.RoleAdmin, ByScan), h.statement(add))
		}, krama.NotAllowed},
		"an admin's removed device": {func(h *house) error {
			second := h.enrol(1, krama.RoleAdmin, ByScan)
			h.grant(krama.OrgCircle, second)
			h.must(h.does(&DeviceRemove{second.ID(), ReasonLost}))
			return h.say(second, h.statement(add))
		}, krama.NotAllowed},
		"a second signature of a removed device": {func(h *house) error {
			b := h.enrol(2, krama.RoleAdmin, ByScan)
			h.grant(krama.OrgCircle, b)
			c := h.enrol(3, krama.RoleAdmin, ByScan, b)
			h.grant(krama.OrgCircle, c)
			h.must(h.does(&DeviceRemove{b.ID(), ReasonLost}))
			st := h.statement(pin(1))
			return h.say(h.founder, st, Cosignature{b.ID(), Cosign(b.Sig, h.roster.Org, st.Marshal())})
		}, krama.Tampered},
		"a second genesis": {func(h *house) error {
			return h.does(&Genesis{Founder: krama.MemberID{9}, Device: h.founder.Request()})
		}, krama.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			h := found(t)
			if err := tc.act(h); err == nil || krama.KindOf(err) != tc.want {
				t.Errorf("got %v want %v", err, tc.want)
			}
			if h.roster.Members[krama.MemberID{9}] != nil || h.roster.Release != nil {
				t.Error("and it counts")
			}
		})
	}
}

// TestGenesisIsTheOrganisation: nobody founds an organisation whose id is another's, nor in another's name.
func TestGenesisIsTheOrganisation(t *testing.T) {
	d, _ := NewDevice(rand.Reader, "test")
	thief := ed25519.NewKeyFromSeed(q(0x33, 32))
	st, _ := NewStatement(rand.Reader, 1, &Genesis{Founder: krama.MemberID{1}, Device: d.Request()})
	for name, tc := range map[string]struct {
		org krama.OrgID
		by  ed25519.PrivateKey
		ok  bool
	}{"founded": {krama.OrgID(Hash("org", st.Marshal())), d.Sig, true}, "another's id": {krama.OrgID{9}, d.Sig, false},
		"another's key": {krama.OrgID(Hash("org", st.Marshal())), thief, false}} {
		e, _ := NewEpoch(rand.Reader, Context{Org: tc.org})
		h := &house{t: t, epoch: e, founder: d, roster: NewRoster(tc.org)}
		if err := h.sayRaw(tc.by, h.head(d.ID()), st.item()); (err == nil) != tc.ok || !tc.ok &&
			krama.KindOf(err) != krama.Tampered {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTwoMustSign: with two admins, neither does any of these alone.
func TestTwoMustSign(t *testing.T) {
	outreach, safe := krama.CircleID{7}, krama.CircleID{8}
	for name, fill := range map[string]func(h *house, second *Device) Deed{
		"a new admin": func(*house, *Device) Deed {
			return &MemberAdd{krama.MemberID{9}, krama.RoleAdmin}
		},
		"a new member for safeguarding": func(*house, *Device) Deed {
			return &MemberAdd{krama.MemberID{9}, krama.RoleSafeguarding}
		},
		"a worker becomes an admin": func(*house, *Device) Deed {
			return &MemberRole{krama.MemberID{3}, krama.RoleAdmin}
		},
		"an admin becomes a worker": func(*house, *Device) Deed {
			return &MemberRole{krama.MemberID{2}, krama.RoleOutreach}
		},
		"an admin's removal": func(*house, *Device) Deed {
			return &MemberRemove{krama.MemberID{2}}
		},
		"an admin's new device": func(h *house, _ *Device) Deed {
			d, _ := NewDevice(rand.Reader, "test")
			return &DeviceAdd{krama.MemberID{1}, d.Request(), 1, ByScan, q32(3), d.Proof(h.roster.Org, q32(3))}
		},
		"a circle": func(*house, *Device) Deed {
			return &CircleCreate{Circle: krama.CircleID{9}}
		},
		"a circle's policy": func(*house, *Device) Deed {
			return &CirclePolicy{Circle: outreach, Readers: krama.RoleNurse}
		},
		"trustees": func(*house, *Device) Deed {
			set, _, _ := NewTrustees(rand.Reader, 2, 3)
			return set
		},
		"a release": func(*house, *Device) Deed { return pin(1) },
		"who reads safeguarding": func(_ *house, second *Device) Deed {
			return &EpochGrant{Circle: safe, Device: second.ID()}
		},
		"who reads safeguarding, by its next epoch": func(h *house, second *Device) Deed {
			return openEpoch(safe, 1, h.founder, second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := found(t)
			h.circle(outreach, krama.RoleAdmin|krama.RoleOutreach)
			h.circle(safe, krama.RoleAdmin|krama.RoleSafeguarding)
			h.enrol(3, krama.RoleOutreach, ByScan)
			second := h.enrol(2, krama.RoleAdmin, ByScan)
			h.grant(krama.OrgCircle, second)
			what := fill(h, second)
			if err := h.does(what); err == nil || krama.KindOf(err) != krama.NotAllowed {
				t.Errorf("by one: got %v want not allowed", err)
			}
			st := h.statement(what)
			if err := h.say(h.founder, st, Cosignature{second.ID(), Cosign(second.Sig, h.roster.Org,
				st.Marshal())}); err != nil {
				t.Errorf("by two: %v", err)
			}
		})
	}
}

// TestRosterKeepsItsOrder: what would leave the roster without sense is refused, even when every admin signs it.
func TestRosterKeepsItsOrder(t *testing.T) {
	c, safe := krama.CircleID{7}, krama.CircleID{8}
	role := krama.RoleOutreach
	ids := func(h *house, m byte) krama.DeviceID {
		for id, d := range h.roster.Devices {
			if d.Member == (krama.MemberID{m}) {
				return id
			}
		}
		return krama.DeviceID{}
	}
	for name, tc := range map[string]struct {
		act  func(h *house, w *Device) error
		want krama.Kind
	}{
		"a member twice": {func(h *house, w *Device) error {
			return h.does(&MemberAdd{krama.MemberID{2}, krama.RoleNurse})
		}, krama.Invalid},
		"a device twice": {func(h *house, w *Device) error {
			return h.does(&DeviceAdd{krama.MemberID{2}, w.Request(), 1, ByScan, q32(3), w.Proof(h.roster.Org, q32(3))})
		}, krama.Invalid},
		"a removed device again": {func(h *house, w *Device) error {
			h.must(h.does(&DeviceRemove{w.ID(), ReasonLost}))
			return h.does(&DeviceAdd{krama.MemberID{2}, w.Request(), 1, ByScan, q32(3), w.Proof(h.roster.Org, q32(3))})
		}, krama.Invalid},
		"a device of a removed member": {func(h *house, w *Device) error {
			h.must(h.does(&MemberRemove{krama.MemberID{2}}))
			d, _ := NewDevice(rand.Reader, "test")
			return h.does(&DeviceAdd{krama.MemberID{2}, d.Request(), 1, ByScan, q32(3), d.Proof(h.roster.Org, q32(3))})
		}, krama.Invalid},
		"the last admin becomes a worker": {func(h *house, w *Device) error {
			return h.does(&MemberRole{krama.MemberID{1}, role})
		}, krama.Invalid},
		"the last admin goes": {func(h *house, w *Device) error {
			return h.does(&MemberRemove{krama.MemberID{1}})
		}, krama.Invalid},
		"the last admin's last device goes": {func(h *house, w *Device) error {
			return h.does(&DeviceRemove{h.founder.ID(), ReasonLost})
		}, krama.Invalid},
		"an admin changes a worker's key": {func(h *house, w *Device) error {
			return h.does(&DeviceRekey{w.ID(), h.founder.KEM.PublicKey().Bytes()})
		}, krama.NotAllowed},
		"a worker removes an admin's device": {func(h *house, w *Device) error {
			h.enrol(1, 0, ByScan) // she has another one
			return h.say(w, h.statement(&DeviceRemove{h.founder.ID(), ReasonLost}))
		}, krama.NotAllowed},
		"a worker removes a colleague's device": {func(h *house, w *Device) error {
			h.enrol(4, role, ByScan)
			return h.say(w, h.statement(&DeviceRemove{ids(h, 4), ReasonLost}))
		}, krama.NotAllowed},
		"a circle twice": {func(h *house, w *Device) error {
			return h.does(&CircleCreate{Circle: c, Readers: ^krama.Role(0)})
		}, krama.Invalid},
		"another policy for circle 0": {func(h *house, w *Device) error {
			return h.does(&CirclePolicy{Writers: ^krama.Role(0)})
		}, krama.Invalid},
		"a grant for an epoch that is not open": {func(h *house, w *Device) error {
			return h.does(&EpochGrant{Circle: c, Epoch: 1, Device: h.enrol(4, role, ByScan).ID()})
		}, krama.Invalid},
		"a grant by somebody outside": {func(h *house, w *Device) error {
			second := h.enrol(5, krama.RoleAdmin, ByScan)
			h.grant(krama.OrgCircle, second)
			d := h.enrol(4, role, ByScan)
			return h.say(second, h.statement(&EpochGrant{Circle: c, Device: d.ID()}))
		}, krama.NotAllowed},
		"an epoch by somebody outside": {func(h *house, w *Device) error {
			second := h.enrol(5, krama.RoleAdmin, ByScan)
			h.grant(krama.OrgCircle, second)
			return h.say(second, h.statement(openEpoch(c, 1, h.founder, w, second)))
		}, krama.NotAllowed},
		"safeguarding for a device checked by voice": {func(h *house, w *Device) error {
			d := h.enrol(4, krama.RoleSafeguarding, ByVoice)
			return h.does(&EpochGrant{Circle: safe, Device: d.ID()})
		}, krama.NotAllowed},
		"safeguarding's next epoch for a device checked by voice": {func(h *house, w *Device) error {
			return h.does(openEpoch(safe, 1, h.founder, h.enrol(4, krama.RoleSafeguarding, ByVoice)))
		}, krama.Invalid},
		"an epoch left out": {func(h *house, w *Device) error { return h.does(openEpoch(c, 2, h.founder, w)) },
			krama.Invalid},
		"an epoch once more": {func(h *house, w *Device) error { return h.does(openEpoch(c, 0, h.founder, w)) },
			krama.Invalid},
		"a device twice in it": {func(h *house, w *Device) error { return h.does(openEpoch(c, 1, h.founder, w, w)) },
			krama.Invalid},
		"somebody left out": {func(h *house, w *Device) error { return h.does(openEpoch(c, 1, h.founder)) },
			krama.Invalid},
		"a removed device in it": {func(h *house, w *Device) error {
			h.must(h.does(&DeviceRemove{w.ID(), ReasonLost}))
			return h.does(openEpoch(c, 1, h.founder, w))
		}, krama.Invalid},
		"one commitment for two secrets": {func(h *house, w *Device) error {
			e := openEpoch(c, 1, h.founder, w)
			e.GC = e.EC
			return h.does(e)
		}, krama.Invalid},
		"a first epoch with a past": {func(h *house, w *Device) error {
			h.must(h.does(&CircleCreate{Circle: krama.CircleID{9}, Readers: krama.RoleAdmin | role}))
			e := openEpoch(krama.CircleID{9}, 0, h.founder)
			e.Back = make([]byte, 48)
			return h.does(e)
		}, krama.Invalid},
		"a first epoch without who opens it": {func(h *house, w *Device) error {
			h.must(h.does(&CircleCreate{Circle: krama.CircleID{9}, Readers: role}))
			return h.does(openEpoch(krama.CircleID{9}, 0, w))
		}, krama.Invalid},
		"circle 0 closed before it ends": {func(h *house, w *Device) error {
			e := openEpoch(krama.OrgCircle, 1, h.founder, w)
			e.Closes = Head{1, q32(1)}
			return h.does(e)
		}, krama.Invalid},
		"the same trustees again": {func(h *house, w *Device) error {
			set, _, _ := NewTrustees(rand.Reader, 2, 3)
			h.must(h.does(set))
			return h.does(set)
		}, krama.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			h := found(t)
			h.circle(c, krama.RoleAdmin|role)
			h.circle(safe, krama.RoleAdmin|krama.RoleSafeguarding)
			w := h.enrol(2, role, ByScan)
			h.grant(krama.OrgCircle, w)
			h.grant(c, w)
			if err := tc.act(h, w); err == nil || krama.KindOf(err) != tc.want {
				t.Errorf("got %v want %v", err, tc.want)
			}
		})
	}
}

// TestWhoMayWrite: reading is not writing, circle 0 holds no records, and a removed member loses every device.
func TestWhoMayWrite(t *testing.T) {
	h := found(t)
	c := krama.CircleID{7}
	h.must(h.does(&CircleCreate{Circle: c, Readers: krama.RoleAdmin | krama.RoleOutreach | krama.RoleNurse,
		Writers: krama.RoleAdmin | krama.RoleOutreach}))
	h.must(h.does(openEpoch(c, 0, h.founder)))
	writer, reader := h.enrol(2, krama.RoleOutreach, ByScan), h.enrol(3, krama.RoleNurse, ByScan)
	other := h.enrol(2, krama.RoleOutreach, ByScan)
	h.grant(c, writer)
	h.grant(c, reader)
	for name, tc := range map[string]struct {
		c    krama.CircleID
		d    *Device
		k    ItemKind
		want bool
	}{"a writer's record": {c, writer, KindRecord, true}, "a reader's record": {c, reader, KindRecord, false},
		"a reader's erasure": {c, reader, KindShred, false},
		"a reader's request": {c, reader, KindRewrap, true}, "an admin's record in circle 0": {krama.OrgCircle,
			h.founder, KindRecord, false},
		"an admin's sign": {krama.OrgCircle, h.founder, KindHeartbeat, true}, "an unknown kind": {c, writer,
			99, false}} {
		if got := h.roster.MayWrite(tc.c, 0, tc.d.ID(), tc.k); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if len(h.roster.Due()) != 0 {
		t.Error("something is due before anybody left")
	}
	h.must(h.does(&MemberRemove{krama.MemberID{2}}))
	if h.roster.Devices[writer.ID()].Removed == 0 || h.roster.Devices[other.ID()].Removed == 0 {
		t.Error("a removed member's device is trusted")
	}
	if !slices.Contains(h.roster.Due(), c) || slices.Contains(h.roster.Next(c), writer.ID()) {
		t.Error("somebody who left reads on, and nothing is due")
	}
}
