package seal

import "krama"

// What changes who the programme's members are and what they may do.

// guardedRoles are those that two admins must agree to.
const guardedRoles = krama.RoleAdmin | krama.RoleSafeguarding

// MemberAdd adds a member of staff with roles. Names are not in the roster.
type MemberAdd struct {
	Member krama.MemberID
	Roles  krama.Role
}

func (d *MemberAdd) kind() string     { return "member.add" }
func (d *MemberAdd) fields() [][]byte { return [][]byte{d.Member[:], u16(uint16(d.Roles))} }

func parseMemberAdd(f fields) (Deed, error) {
	if !f.sized(16, 2) {
		return nil, malformed("member.add")
	}
	return &MemberAdd{krama.MemberID(f[0]), f.roles(1)}, nil
}

// check refuses a member who is there.
func (d *MemberAdd) check(r *Roster, _ signers) (func(), error) {
	if r.Members[d.Member] != nil {
		return refused(krama.Invalid, "member exists")
	}
	return func() { r.Members[d.Member] = &Member{ID: d.Member, Roles: d.Roles, Held: d.Roles} }, nil
}

// guarded asks for a second signature where somebody gets or loses a role that opens much.
func (d *MemberAdd) guarded(*Roster, krama.DeviceID) bool { return d.Roles&guardedRoles != 0 }
func (d *MemberAdd) named() Deed                          { return d }
func (d *MemberAdd) log(l *Logged)                        { l.Member, l.Roles = d.Member, d.Roles }

// MemberRole gives a member other roles. Fewer roles make circles due for rotation.
type MemberRole struct {
	Member krama.MemberID
	Roles  krama.Role
}

func (d *MemberRole) kind() string     { return "member.role" }
func (d *MemberRole) fields() [][]byte { return [][]byte{d.Member[:], u16(uint16(d.Roles))} }

func parseMemberRole(f fields) (Deed, error) {
	if !f.sized(16, 2) {
		return nil, malformed("member.role")
	}
	return &MemberRole{krama.MemberID(f[0]), f.roles(1)}, nil
}

// check keeps the last admin an admin.
func (d *MemberRole) check(r *Roster, _ signers) (func(), error) {
	m := r.Members[d.Member]
	switch {
	case m == nil || m.Removed || m.Roles == d.Roles:
		return refused(krama.Invalid, "no such member, or nothing changes")
	case d.Roles&krama.RoleAdmin == 0 && r.lastAdmin(m.ID):
		return refused(krama.Invalid, "the last admin stays")
	}
	return func() { r.setRoles(m, d.Roles) }, nil
}

// guarded asks for a second signature where the member is an admin.
func (d *MemberRole) guarded(r *Roster, _ krama.DeviceID) bool {
	return (r.rolesOf(d.Member)|d.Roles)&guardedRoles != 0
}
func (d *MemberRole) named() Deed   { return d }
func (d *MemberRole) log(l *Logged) { l.Member, l.Roles = d.Member, d.Roles }

// MemberRemove ends a membership and removes every device of the member.
type MemberRemove struct{ Member krama.MemberID }

func (d *MemberRemove) kind() string     { return "member.remove" }
func (d *MemberRemove) fields() [][]byte { return [][]byte{d.Member[:]} }

func parseMemberRemove(f fields) (Deed, error) {
	if !f.sized(16) {
		return nil, malformed("member.remove")
	}
	return &MemberRemove{krama.MemberID(f[0])}, nil
}

// check keeps the last admin, and removes a member's devices with her.
func (d *MemberRemove) check(r *Roster, by signers) (func(), error) {
	m := r.Members[d.Member]
	switch {
	case m == nil || m.Removed:
		return refused(krama.Invalid, "no such member")
	case r.lastAdmin(m.ID):
		return refused(krama.Invalid, "the last admin stays")
	}
	return func() {
		m.Removed = true
		for _, d := range r.Devices {
			if d.Member == m.ID && d.Removed == 0 {
				d.Removed, d.Reason = by.at, ReasonLeft
			}
		}
	}, nil
}

func (d *MemberRemove) guarded(r *Roster, _ krama.DeviceID) bool {
	return r.rolesOf(d.Member)&krama.RoleAdmin != 0
}
func (d *MemberRemove) named() Deed   { return d }
func (d *MemberRemove) log(l *Logged) { l.Member = d.Member }
