package web

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"krama"
	"krama/replica"
	"krama/seal"
	"krama/web/http"
)

// deedRow is what a statement does, in the reader's words.
type deedRow struct {
	// Of is empty where a statement is about a circle or the programme. Kind is KindOrg for circle 0, for no circle,
	// and for one whose purpose is not known here.
	seal.Logged
	Of   string // the device or member it is about
	Kind krama.CircleKind
}

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

// announcedRow is what a lone admin has announced, as every page shows it.
type announcedRow struct {
	deedRow
	ID    string
	Who   string
	Mine  bool // this device announced it
	After time.Time
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

// withdraw takes an announcement back: on every admin's device, her phone too, because her desk may be what was taken.
func (s staffPages) withdraw(w http.ResponseWriter, r *http.Request) {
	b, err := hex.DecodeString(r.PathValue("id"))
	if err != nil || len(b) != 32 {
		s.notFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	// One that has been stated or withdrawn meanwhile is no error: nothing is said a second time.
	if err := s.rep.Admin().Withdraw(ctx, [32]byte(b)); err != nil {
		s.page(w, r, krama.Status(err), "announce.title", "", notice(jobError(err)))
		return
	}
	redirect(w, r, "/")
}

// jobError is the sentence for what stopped an act of the office.
func jobError(err error) string {
	// The clock is asked about first: its error is NotAllowed too, and a sentence about roles would mislead.
	switch {
	case err == nil:
		return ""
	case errors.Is(err, replica.ErrClock):
		return "staff.clock"
	case krama.KindOf(err) == krama.NotAllowed:
		return "staff.refused"
	case krama.KindOf(err) == krama.Tampered:
		return "staff.tampered"
	}
	return syncError(err)
}
