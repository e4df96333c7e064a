package seal

import (
	"slices"

	"krama"
)

// need is how many admins must sign what two must sign: two, once the organisation has two who can, that is, whose devices
// are keyed for the roster. Counting one without a device would mean that her first device could never be enrolled.
func (r *Roster) need() int { return min(len(r.admins()), 2) }

// admins are the members who can sign as admins now.
func (r *Roster) admins() map[krama.MemberID]bool {
	able := map[krama.MemberID]bool{}
	if e := r.Latest(krama.OrgCircle); e != nil {
		for d := range e.Keyed {
			dev := r.Devices[d]
			if m := r.Members[dev.Member]; dev.Removed == 0 && m.Roles&krama.RoleAdmin != 0 {
				able[m.ID] = true
			}
		}
	}
	return able
}

// AdminsNeeded is how many admins must sign what two must sign.
func (r *Roster) AdminsNeeded() int { return r.need() }

const guarded = krama.RoleAdmin | krama.RoleSafeguarding

// guarded reports whether a statement is one that two admins must sign.
func (r *Roster) guarded(st *Statement, author krama.DeviceID) bool {
	roles := func(m krama.MemberID) krama.Role {
		if r.Members[m] == nil {
			return 0
		}
		return r.Members[m].Roles
	}
	switch {
	case st.MemberAdd != nil:
		return st.MemberAdd.Roles&guarded != 0
	case st.MemberRole != nil:
		return (roles(st.MemberRole.Member)|st.MemberRole.Roles)&guarded != 0
	case st.MemberRemove != nil:
		return roles(st.MemberRemove.Member)&krama.RoleAdmin != 0
	case st.DeviceAdd != nil:
		return roles(st.DeviceAdd.Member)&krama.RoleAdmin != 0
	case st.EpochGrant != nil:
		return r.safeguards(st.EpochGrant.Circle) && !r.recovered(st.EpochGrant.Device, author)
	case st.EpochOpen != nil:
		e, before := st.EpochOpen, r.Latest(st.EpochOpen.Circle)
		return before != nil && r.safeguards(e.Circle) && slices.ContainsFunc(e.Devices, func(d krama.DeviceID) bool {
			return !before.Keyed[d] && !r.recovered(d, author)
		})
	}
	return st.CircleCreate != nil || st.CirclePolicy != nil || st.TrusteesSet != nil || st.ReleasePin != nil || st.Export != nil
}

// safeguards reports whether a circle is one of safeguarding.
func (r *Roster) safeguards(c krama.CircleID) bool {
	ring := r.Circles[c]
	return ring != nil && c != krama.OrgCircle && ring.Readers&krama.RoleSafeguarding != 0
}

// recovered reports whether a statement's author is d itself, brought in by trustees.
func (r *Roster) recovered(d, author krama.DeviceID) bool {
	dev := r.Devices[d]
	return dev != nil && dev.Recovered && d == author
}

// fold checks a statement against protocol §6.2 and §6.3 and folds it in. A refused one changes nothing.
func (r *Roster) fold(st *Statement, by signers) error {
	do, err := r.check(st, by)
	if err != nil {
		return err
	}
	if r.guarded(st, by.author) && !r.agreed(st, by) {
		return krama.E("seal.Roster", krama.NotAllowed, "two admins must sign it, or the only one announce it a day before")
	}
	do()
	if len(r.announced) > 0 {
		r.forget(st.deed())
	}
	return nil
}

// check returns what a statement does, or why it may not, how many admins signed apart. It changes nothing.
func (r *Roster) check(st *Statement, by signers) (do func(), err error) {
	const op = "seal.Roster"
	refuse := func(k krama.Kind, why string) (func(), error) { return nil, krama.E(op, k, why) }
	own := by.author
	if dev := r.Devices[by.author]; by.admins < 1 && st.RecoveryUse == nil && (dev == nil ||
		!(st.DeviceRekey != nil && st.DeviceRekey.Device == own) &&
			!(st.DeviceRemove != nil && r.Devices[st.DeviceRemove.Device] != nil && r.Devices[st.DeviceRemove.Device].Member == dev.Member)) {
		return refuse(krama.NotAllowed, "only an admin may change the roster")
	}
	switch {
	case st.Genesis != nil:
		return refuse(krama.Invalid, "a second genesis")

	case st.MemberAdd != nil:
		m := st.MemberAdd
		if r.Members[m.Member] != nil {
			return refuse(krama.Invalid, "member exists")
		}
		return func() { r.Members[m.Member] = &Member{ID: m.Member, Roles: m.Roles, Held: m.Roles} }, nil

	case st.MemberRole != nil:
		m := r.Members[st.MemberRole.Member]
		roles := st.MemberRole.Roles
		switch {
		case m == nil || m.Removed || m.Roles == roles:
			return refuse(krama.Invalid, "no such member, or nothing changes")
		case roles&krama.RoleAdmin == 0 && r.lastAdmin(m.ID):
			return refuse(krama.Invalid, "the last admin stays")
		}
		return func() { r.setRoles(m, roles) }, nil

	case st.MemberRemove != nil:
		m := r.Members[st.MemberRemove.Member]
		switch {
		case m == nil || m.Removed:
			return refuse(krama.Invalid, "no such member")
		case r.lastAdmin(m.ID):
			return refuse(krama.Invalid, "the last admin stays")
		}
		return func() {
			m.Removed = true
			for _, d := range r.Devices {
				if d.Member == m.ID && d.Removed == 0 {
					d.Removed, d.Reason = by.at, ReasonLeft
				}
			}
		}, nil

	case st.DeviceAdd != nil:
		d := st.DeviceAdd
		dev := d.Device.ID()
		member := r.Members[d.Member]
		switch {
		case member == nil || member.Removed || r.Devices[dev] != nil:
			return refuse(krama.Invalid, "no such member, or the device is enrolled already")
		case !by.replayed && !CheckProof(r.Org, d.Device, d.Secret, d.Proof):
			return refuse(krama.Tampered, "the device's proof")
		}
		return func() {
			r.Devices[dev] = &RosterDevice{ID: dev, Member: d.Member, Request: d.Device, Verified: d.Verified, KemPub: d.Device.KemPub, KemAt: by.at, KemMS: by.timeMS, Since: by.at}
		}, nil

	case st.DeviceRekey != nil:
		dev := r.Devices[st.DeviceRekey.Device]
		if dev == nil || dev.ID != own || dev.Removed != 0 {
			return refuse(krama.NotAllowed, "a device changes its own key only")
		}
		return func() { dev.KemPub, dev.KemAt, dev.KemMS = st.DeviceRekey.KemPub, by.at, by.timeMS }, nil

	case st.DeviceRemove != nil:
		dev := r.Devices[st.DeviceRemove.Device]
		if dev == nil || dev.Removed != 0 {
			return refuse(krama.Invalid, "no such device")
		}
		if r.lastAdmin(dev.Member) && !r.hasOther(dev) {
			return refuse(krama.Invalid, "the last admin's last device stays")
		}
		return func() { dev.Removed, dev.Reason = by.at, st.DeviceRemove.Reason }, nil

	case st.DeviceTrust != nil:
		dev := r.Devices[st.DeviceTrust.Device]
		switch {
		case dev == nil || dev.Removed != 0:
			return refuse(krama.Invalid, "no such device")
		case dev.ID == own && !(r.lastAdmin(dev.Member) && !r.hasOther(dev)):
			return refuse(krama.NotAllowed, "another admin's device must answer for a copied one")
		}
		return func() {
			for _, id := range st.DeviceTrust.Proofs {
				r.Trusted[id] = true
			}
		}, nil

	case st.CircleCreate != nil:
		c := st.CircleCreate
		if r.Circles[c.Circle] != nil {
			return refuse(krama.Invalid, "circle exists")
		}
		return func() { r.Circles[c.Circle] = &RosterCircle{CircleCreate: *c, Origin: by.id} }, nil

	case st.CirclePolicy != nil:
		ring := r.Circles[st.CirclePolicy.Circle]
		if ring == nil || st.CirclePolicy.Circle == krama.OrgCircle {
			return refuse(krama.Invalid, "no such circle")
		}
		return func() { ring.CircleCreate = CircleCreate(*st.CirclePolicy) }, nil

	case st.EpochOpen != nil:
		return r.open(st.EpochOpen, by)

	case st.EpochGrant != nil:
		g := st.EpochGrant
		e := r.Latest(g.Circle)
		switch {
		case e == nil || e.Epoch != g.Epoch || e.Keyed[g.Device]:
			return refuse(krama.Invalid, "not the open epoch, or keyed already")
		case !slices.ContainsFunc(by.devices, func(d krama.DeviceID) bool { return e.Keyed[d] }):
			return refuse(krama.NotAllowed, "no granting admin is in the circle")
		case !r.checked(g.Circle, g.Device) && !r.recovered(g.Device, own):
			return refuse(krama.NotAllowed, "only a scanned device may be let into a safeguarding circle")
		case !r.entitled(g.Circle, g.Device):
			return refuse(krama.Invalid, "the member has no role in the circle")
		}
		return func() { r.key(e, g.Device) }, nil

	case st.TrusteesSet != nil:
		if r.Trustees != nil && r.Trustees.Set == st.TrusteesSet.Set {
			return refuse(krama.Invalid, "a repeated set")
		}
		return func() {
			if r.Trustees != nil {
				r.TrustAt = by.at
			}
			r.Trustees = st.TrusteesSet
		}, nil

	case st.RecoveryUse != nil:
		u := st.RecoveryUse
		if r.Trustees == nil || !by.trustees {
			return refuse(krama.NotAllowed, "only the trustees' key brings in a recovered device")
		}
		if r.Members[u.Member] != nil {
			return refuse(krama.Invalid, "member exists")
		}
		return func() { r.recover(u, by) }, nil

	case st.ReleasePin != nil:
		return func() { r.Release = st.ReleasePin }, nil

	case st.Export != nil:
		return func() { r.Exports = &Exports{Devices: by.devices, TimeMS: by.timeMS} }, nil
	}
	return r.checkDelayed(st, by)
}

// setRoles gives a member other roles. More count at once; fewer, from the next epoch.
func (r *Roster) setRoles(m *Member, roles krama.Role) {
	m.Roles, m.Held = roles, m.Held|roles
	for c, ring := range r.Circles {
		if e := r.Latest(c); e != nil {
			for d := range e.Keyed {
				if r.Devices[d].Member == m.ID && roles&ring.Writers != 0 {
					e.writers[d] = true
				}
			}
		}
	}
}

// recover brings in a new admin's device, keyed for every circle that trustees can open.
func (r *Roster) recover(u *RecoveryUse, by signers) {
	r.Members[u.Member] = &Member{ID: u.Member, Roles: krama.RoleAdmin, Held: krama.RoleAdmin}
	id := u.Device.ID()
	r.Devices[id] = &RosterDevice{ID: id, Member: u.Member, Request: u.Device, Verified: ByVoice, KemPub: u.Device.KemPub, KemAt: by.at, KemMS: by.timeMS,
		Since: by.at, Recovered: true, CoolOff: u.CoolOff}
	for c, ring := range r.Circles {
		if e := r.Latest(c); e != nil && ring.Recoverable {
			r.key(e, id)
		}
	}
}

// lastAdmin reports whether m is the only admin who can sign.
func (r *Roster) lastAdmin(m krama.MemberID) bool {
	able := r.admins()
	return able[m] && len(able) == 1
}

// hasOther reports whether the device's member has another one that can sign.
func (r *Roster) hasOther(dev *RosterDevice) bool {
	for d := range r.Latest(krama.OrgCircle).Keyed {
		if o := r.Devices[d]; o.ID != dev.ID && o.Member == dev.Member && o.Removed == 0 {
			return true
		}
	}
	return false
}

// entitled reports whether a device is trusted and its member has a role in the circle.
func (r *Roster) entitled(c krama.CircleID, d krama.DeviceID) bool {
	dev := r.Devices[d]
	return dev != nil && dev.Removed == 0 && (c == krama.OrgCircle || r.Members[dev.Member].Roles&r.Circles[c].Readers != 0)
}

// checked reports whether a device was checked closely enough to be let into a circle: one of safeguarding takes scanned ones.
func (r *Roster) checked(c krama.CircleID, d krama.DeviceID) bool {
	dev := r.Devices[d]
	return !r.safeguards(c) || (dev != nil && dev.Verified == ByScan)
}

// key lets a device into an epoch.
func (r *Roster) key(e *RosterEpoch, d krama.DeviceID) {
	e.Keyed[d] = true
	if r.Members[r.Devices[d].Member].Roles&r.Circles[e.Circle].Writers != 0 {
		e.writers[d] = true
	}
}

func (r *Roster) open(e *EpochOpen, by signers) (do func(), err error) {
	const op = "seal.Roster"
	ring := r.Circles[e.Circle]
	if ring == nil || int(e.Epoch) != len(ring.Epochs) {
		return nil, krama.E(op, krama.Invalid, "epochs rise by one")
	}
	if r.commits[e.EC] || r.commits[e.GC] || e.EC == e.GC {
		return nil, krama.E(op, krama.Invalid, "a repeated commitment")
	}
	if e.Epoch == 0 && (len(e.Back) != 0 || e.Closes != (Head{}) || len(e.Pages) != 0) {
		return nil, krama.E(op, krama.Invalid, "epoch 0 has nothing before it")
	}
	var before map[krama.DeviceID]bool
	after := ring.Origin
	if e.Epoch > 0 {
		before, after = ring.Epochs[e.Epoch-1].Keyed, e.Closes.H
		if !before[by.author] {
			return nil, krama.E(op, krama.NotAllowed, "the admin is not in the circle")
		}
		if e.Circle == krama.OrgCircle && e.Closes != r.Head {
			return nil, krama.E(op, krama.Invalid, "circle 0 closes where it stands")
		}
	}
	if len(e.Devices) == 0 || !slices.Contains(e.Devices, by.author) {
		return nil, krama.E(op, krama.Invalid, "the opening admin must be in the epoch")
	}
	next := &RosterEpoch{EpochOpen: *e, Keyed: map[krama.DeviceID]bool{}, writers: map[krama.DeviceID]bool{}, Opened: by.at, TimeMS: by.timeMS, after: after}
	for _, d := range e.Devices {
		if next.Keyed[d] || !r.entitled(e.Circle, d) || (e.Epoch > 0 && !before[d] && !r.checked(e.Circle, d) && !r.recovered(d, by.author)) {
			return nil, krama.E(op, krama.Invalid, "a device that may not be keyed")
		}
		r.key(next, d)
	}
	for d := range before { // nobody is left out who may read: that would be a removal that nobody said
		if !next.Keyed[d] && r.entitled(e.Circle, d) {
			return nil, krama.E(op, krama.Invalid, "a device that is entitled is left out")
		}
	}
	return func() {
		ring.Epochs = append(ring.Epochs, next)
		r.commits[e.EC], r.commits[e.GC] = true, true
		r.turned = e.Circle == krama.OrgCircle && e.Epoch > 0
	}, nil
}

// Due lists the circles whose open epoch somebody can read who should not, or that the present trustees cannot: they must
// be rotated now. Every reader computes it, so a relay that forgets to ask changes nothing.
func (r *Roster) Due() (out []krama.CircleID) {
	for c, ring := range r.Circles {
		e := r.Latest(c)
		if e == nil {
			continue
		}
		due := ring.Recoverable && r.TrustAt > e.Opened
		for d := range e.Keyed {
			due = due || !r.entitled(c, d)
		}
		if due {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b krama.CircleID) int { return slices.Compare(a[:], b[:]) }) // circle 0 first
	return out
}

// Next lists the devices that the circle's next epoch is keyed for: those of the open one that are still entitled.
func (r *Roster) Next(c krama.CircleID) (out []krama.DeviceID) {
	for d := range r.Latest(c).Keyed {
		if r.entitled(c, d) {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b krama.DeviceID) int { return slices.Compare(a[:], b[:]) })
	return out
}

// Plain is what a statement would do, in plain parts.
func (s *Statement) Plain() Logged { return s.logged() }

func (s *Statement) logged() (l Logged) {
	switch {
	case s.Genesis != nil:
		l.Type, l.Member, l.Device = "genesis", s.Genesis.Founder, s.Genesis.Device.ID()
	case s.MemberAdd != nil:
		l.Type, l.Member, l.Roles = "member.add", s.MemberAdd.Member, s.MemberAdd.Roles
	case s.MemberRole != nil:
		l.Type, l.Member, l.Roles = "member.role", s.MemberRole.Member, s.MemberRole.Roles
	case s.MemberRemove != nil:
		l.Type, l.Member = "member.remove", s.MemberRemove.Member
	case s.DeviceAdd != nil:
		l.Type, l.Member, l.Device = "device.add", s.DeviceAdd.Member, s.DeviceAdd.Device.ID()
	case s.DeviceRekey != nil:
		l.Type, l.Device = "device.rekey", s.DeviceRekey.Device
	case s.DeviceRemove != nil:
		l.Type, l.Device, l.Reason = "device.remove", s.DeviceRemove.Device, s.DeviceRemove.Reason
	case s.DeviceTrust != nil:
		l.Type, l.Device, l.Count = "device.trust", s.DeviceTrust.Device, len(s.DeviceTrust.Proofs)
	case s.CircleCreate != nil:
		l.Type, l.Circle = "circle.create", s.CircleCreate.Circle
	case s.CirclePolicy != nil:
		l.Type, l.Circle = "circle.policy", s.CirclePolicy.Circle
	case s.EpochOpen != nil:
		l.Type, l.Circle, l.Epoch, l.Count = "epoch.open", s.EpochOpen.Circle, s.EpochOpen.Epoch, len(s.EpochOpen.Devices)
	case s.EpochGrant != nil:
		l.Type, l.Circle, l.Epoch, l.Device = "epoch.grant", s.EpochGrant.Circle, s.EpochGrant.Epoch, s.EpochGrant.Device
	case s.TrusteesSet != nil:
		l.Type, l.Count, l.K = "trustees.set", int(s.TrusteesSet.N), int(s.TrusteesSet.K)
	case s.RecoveryUse != nil:
		l.Type, l.Member, l.Device = "recovery.use", s.RecoveryUse.Member, s.RecoveryUse.Device.ID()
	case s.ReleasePin != nil:
		l.Type = "release.pin"
	case s.Export != nil:
		l.Type = "export"
	case s.DelaySet != nil:
		l.Type = "delay.set"
	case s.Announce != nil:
		l = s.Announce.What.logged()
		l.Type, l.What = "announce", l.Type
	case s.Withdraw != nil:
		l.Type = "withdraw"
	}
	return l
}
