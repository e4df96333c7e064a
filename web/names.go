package web

import (
	"cmp"
	"encoding/hex"

	"krama"
	"krama/office"
	"krama/replica"
	"krama/seal"
)

// The programme's own names for members, devices and statements.

// deed puts a statement of the roster into the names of this programme.
func (s *session) deed(rep *replica.Replica, l seal.Logged) deedRow {
	// What a circle is for travels inside it only: of one that this device does not read the kind is unknown here.
	row := deedRow{Logged: l}
	for k, c := range rep.Kinds() {
		if c == l.Circle {
			row.Kind = k
		}
	}
	if l.Member != (krama.MemberID{}) {
		row.Of = s.memberName(l.Member)
	}
	rep.Roster(func(ro *seal.Roster) {
		if ro.Devices[l.Device] != nil {
			row.Of = s.deviceName(ro, l.Device)
		}
		if c := ro.Circles[l.Circle]; row.Kind == krama.KindOrg && l.Circle != krama.OrgCircle && c != nil &&
			c.Readers&krama.RoleSafeguarding != 0 {
			row.Kind = krama.KindSafeguarding // who may read it tells what it is for, also to a device that cannot
		}
	})
	return row
}

// announcedRows are what a lone admin has announced, for the head of every page: whoever reads it may ask her why.
func (s *session) announcedRows(rep *replica.Replica, list []replica.Announcement) (out []announcedRow) {
	me, _ := rep.Device()
	for _, a := range list {
		// deed is called outside Roster: it takes the replica's lock, too.
		row := announcedRow{deedRow: s.deed(rep, a.What), ID: hex.EncodeToString(a.ID[:]), Mine: a.Author == me,
			After: a.After}
		rep.Roster(func(ro *seal.Roster) { row.Who = s.deviceName(ro, a.Author) })
		out = append(out, row)
	}
	return out
}

// deviceName is a device's label, or the beginning of its id.
func (s *session) deviceName(ro *seal.Roster, id krama.DeviceID) string {
	return cmp.Or(s.labelled(ro, id), id.String()[:8])
}

// labelled is the label of a device's member, or "". Where another device that is not removed has the same one, the
// beginning of its id tells the two apart.
func (s *session) labelled(ro *seal.Roster, id krama.DeviceID) string {
	d := ro.Devices[id]
	if d == nil {
		return ""
	}
	l := s.state.Label(d.Member)
	if l == "" {
		return ""
	}
	for o, other := range ro.Devices {
		if o != id && other.Removed == 0 && s.state.Label(other.Member) == l {
			return l + " · " + id.String()[:4]
		}
	}
	return l
}

// memberName is a member's label, or the beginning of her id. Where another member has the same label, the beginning of
// her id tells the two apart.
func (s *session) memberName(m krama.MemberID) string {
	l := s.state.Label(m)
	if l == "" {
		return m.String()[:8]
	}
	if s.state.Namesake(m) {
		return l + " · " + m.String()[:4]
	}
	return l
}

// mayBegin reports whether the first person may be registered. The demo's people are invented.
func (s *session) mayBegin() bool { return s.Demo || office.MayBegin(s.rep, s.state, s.today()) }
