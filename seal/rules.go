package seal

import (
	"slices"

	"krama"
)

// need is how many admins must sign what two must sign: two, once the organisation has two who can, that is, whose
// devices are keyed for the roster. Counting one without a device would mean that her first device could never be
// enrolled.
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

// rolesOf are a member's roles now; none when there is no such member.
func (r *Roster) rolesOf(m krama.MemberID) krama.Role {
	if r.Members[m] == nil {
		return 0
	}
	return r.Members[m].Roles
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

// fold checks a statement against doc/format.md §5 and folds it in. A refused one changes nothing.
func (r *Roster) fold(st *Statement, by signers) error {
	do, err := r.check(st.Deed, by)
	if err != nil {
		return err
	}
	if st.Deed.guarded(r, by.author) && !r.agreed(st, by) {
		return krama.E("seal.Roster", krama.NotAllowed,
			"two admins must sign it, or the only one announce it a day before")
	}
	do()
	if len(r.announced) > 0 {
		r.forget(deedID(st.Deed))
	}
	return nil
}

// check returns what a deed does in this roster, or the rule that it breaks, leaving aside how many admins signed. It
// changes nothing.
func (r *Roster) check(deed Deed, by signers) (do func(), err error) {
	own, ok := deed.(ownDeed)
	_, recovery := deed.(*RecoveryUse)
	if by.admins < 1 && (!ok || !recovery && r.Devices[by.author] == nil || !own.own(r, by.author)) {
		return refused(krama.NotAllowed, "only an admin may change the roster")
	}
	return deed.check(r, by)
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
	r.Devices[id] = &RosterDevice{ID: id, Member: u.Member, Request: u.Device, Verified: ByVoice,
		KemPub: u.Device.KemPub, KemAt: by.at, KemMS: by.timeMS,
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
	return dev != nil && dev.Removed == 0 && (c == krama.OrgCircle ||
		r.Members[dev.Member].Roles&r.Circles[c].Readers != 0)
}

// checked reports whether a device was checked closely enough to be let into a circle: one of safeguarding takes
// scanned ones.
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

// Due lists the circles whose open epoch somebody can read who should not, or that the present trustees cannot: they
// must be rotated now. Every reader computes it, so a relay that forgets to ask changes nothing.
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
