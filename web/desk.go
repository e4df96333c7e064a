package web

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"krama"
	"krama/casework"
	"krama/replica"
	"krama/seal"
	"krama/web/http"
)

// overviewMonths is how far back the overview looks.
const overviewMonths = 12

// summarise folds the last twelve months. The numbers are the programme's own; the report is what leaves it.
func summarise(st *casework.State, today krama.Day) overviewData {
	var d overviewData
	d.People, d.Contacts = st.Counts()
	// Whole months of the calendar. The last one is not over, and the page says so.
	first := today.Month().AddMonths(1 - overviewMonths)
	// A person counts once in a month, however often she was met in it.
	type key struct {
		who krama.SubjectID
		m   int
	}
	seen, at := map[key]bool{}, map[krama.SubjectID]casework.Contact{}
	d.Months = make([]month, overviewMonths)
	for i := range d.Months {
		d.Months[i].First = first.AddMonths(i)
	}
	st.EachContact(func(c *casework.Contact) {
		// A day to come is of a clock that was ahead: it is left out until somebody has corrected it.
		if c.Date < first || c.Date > today {
			return
		}
		y, m, _ := c.Date.Time().Date()
		fy, fm, _ := first.Time().Date()
		i := (y-fy)*12 + int(m) - int(fm)
		if i < 0 || i >= overviewMonths {
			return
		}
		if k := (key{c.Subject, i}); !seen[k] {
			seen[k] = true
			d.Months[i].People++
		}
		// She counts in one district: that of her newest contact in these months.
		if last, ok := at[c.Subject]; !ok || last.Compare(c) < 0 {
			at[c.Subject] = *c
		}
		d.Months[i].Condoms += int64(c.Given[krama.Condom]) + int64(c.Given[krama.InternalCondom])
		d.Months[i].Lube += int64(c.Given[krama.Lubricant])
	})
	by := map[uint16]int{}
	for _, c := range at {
		by[c.District]++
	}
	for code, n := range by {
		d.Districts = append(d.Districts, districtCount{code, n})
	}
	slices.SortFunc(d.Districts, func(a, b districtCount) int {
		return cmp.Or(-cmp.Compare(a.People, b.People), cmp.Compare(a.Code, b.Code))
	})
	// Over everybody, not over the months: who was never met has a last day of 0 and is among them.
	for _, r := range st.Rows(today) {
		if r.Last <= today-notSeenDays {
			d.NotSeen++
		}
	}
	return d
}

// overview shows how the work stands, month by month.
func (s figurePages) overview(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, 200, "overview.title", "overview", overviewView(summarise(s.state, s.today())))
}

// deviceRows are the programme's devices: those in it first, admins' before others. admins is how many of them must
// sign what needs two.
func (s *session) deviceRows() (rows []deviceRow, admins int) {
	// A circle's kind is known where this desk reads it: of other circles it lists nothing.
	kinds := s.rep.Kinds()
	me, _ := s.rep.Device()
	wiped := s.rep.Admin().WipedDevices()
	s.rep.Roster(func(ro *seal.Roster) {
		admins = ro.AdminsNeeded()
		for id, d := range ro.Devices {
			row := deviceRow{ID: id, Label: s.labelled(ro, id), Kind: d.Request.Platform,
				Roles: ro.Members[d.Member].Roles, Verified: d.Verified, Mine: id == me,
				Removed: d.Removed != 0, Reason: d.Reason, Cooling: d.Recovered &&
					uint64(s.Now().UnixMilli()) < d.CoolOff}
			_, row.Wiped = wiped[id]
			// By the newest epoch. What a removed device could read before is told on its own page.
			for k, c := range kinds {
				if e := ro.Latest(c); k != krama.KindOrg && e != nil && e.Keyed[id] {
					row.Circles = append(row.Circles, k)
				}
			}
			slices.Sort(row.Circles)
			rows = append(rows, row)
		}
	})
	// After Roster has returned: it holds the replica's lock, which Seen takes.
	for i := range rows {
		if t := s.rep.Erasing().Seen(rows[i].ID); !t.IsZero() {
			rows[i].Seen = krama.DayOf(t)
			rows[i].Long = !rows[i].Removed && s.Now().Sub(t) > replica.UnseenAfter
		}
	}
	// Shorter labels first: Outreach 9 stands before Outreach 10.
	slices.SortFunc(rows, func(a, b deviceRow) int {
		return cmp.Or(cmp.Compare(btoi(a.Removed), btoi(b.Removed)), -cmp.Compare(a.Roles&krama.RoleAdmin,
			b.Roles&krama.RoleAdmin), cmp.Compare(len(a.Label), len(b.Label)), cmp.Compare(a.Label,
			b.Label), slices.Compare(a.ID[:], b.ID[:]))
	})
	return rows, admins
}

// btoi is 1 for true, to sort by.
func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// enrolled counts the devices that are in the programme.
func enrolled(rows []deviceRow) (n int) {
	for _, r := range rows {
		if !r.Removed {
			n++
		}
	}
	return n
}

// devices lists the programme's devices and what the steward should do about them.
func (s staffPages) devices(w http.ResponseWriter, r *http.Request) {
	// Alarms that were answered are listed here alone; those that stand are on every page.
	rows, admins := s.deviceRows()
	st := s.rep.Status()
	s.page(w, r, 200, "devices.title", "devices", devicesView(devicesPage{rows, admins, st, s.rep.Admin().Due(),
		s.rolledBack(), s.recovery().Recovery, s.answered(s.printer(r), st.Alarms)}))
}

// enrolRoles are the roles a new member can be given at once. With two admins, both must sign for the last two; they
// are given afterwards, on the device's page.
var enrolRoles = []krama.Role{krama.RoleOutreach, krama.RoleNurse, krama.RoleCaseWorker, krama.RoleCoordinator,
	krama.RoleSteward}

// members are those who can have a second device: they have a label, and are still there.
func (s *session) members() (out []memberRow) {
	s.rep.Roster(func(ro *seal.Roster) {
		for id, m := range ro.Members {
			// A member without a label could not be told from others in the list.
			if l := s.state.Label(id); l != "" && !m.Removed {
				out = append(out, memberRow{id, s.memberName(id)})
			}
		}
	})
	slices.SortFunc(out, func(a, b memberRow) int {
		return cmp.Or(cmp.Compare(len(a.Label), len(b.Label)), cmp.Compare(a.Label, b.Label))
	})
	return out
}

// enrolPage begins an enrolment; one that was under way ends.
func (s staffPages) enrolPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.invite = nil
	s.mu.Unlock()
	s.enrol(w, r, enrolState{})
}

// enrol shows the step at which an enrolment is.
func (s staffPages) enrol(w http.ResponseWriter, r *http.Request, st enrolState) {
	s.mu.Lock()
	if s.invite != nil && s.invite.Left(s.Now()) == 0 { // nothing comes of it any more
		s.invite, st.Trouble = nil, "enrol.late"
	}
	if s.invite != nil {
		st.Code, st.Left = s.invite.Code.String(), s.invite.Left(s.Now())
	}
	s.mu.Unlock()
	// Outside mu: the replica has a lock of its own.
	st.Safety, st.Members = s.rep.Safety(), s.members()
	s.page(w, r, 200, "enrol.title", "devices", enrolView(st, posted(r)))
}

// enrolScan takes what a new device shows, and answers with what it must scan.
func (s staffPages) enrolScan(w http.ResponseWriter, r *http.Request) {
	f := posted(r)
	// A role that the page did not offer becomes outreach: a form that was changed makes nobody an admin.
	role, _ := strconv.ParseUint(f.Get("role"), 10, 16)
	if !slices.Contains(enrolRoles, krama.Role(role)) {
		role = uint64(krama.RoleOutreach)
	}
	as := inviteAs{role: krama.Role(role), label: strings.TrimSpace(f.Get("label"))}
	// Before the code is used: a label that cannot be written would be found out after the device is in.
	if krama.Letters(as.label) > krama.MaxStaffLabel {
		s.enrol(w, r, enrolState{Trouble: "enrol.longLabel"})
		return
	}
	// A new member's id is drawn here and kept beside the invitation, so that finishing twice adds her once.
	if i := slices.IndexFunc(s.members(), func(m memberRow) bool { return m.ID.String() == f.Get("member") }); i >= 0 {
		as.member, as.label = s.members()[i].ID, "" // a second device: she keeps her label and roles
	} else if _, err := io.ReadFull(s.Rand, as.member[:]); err != nil {
		s.fail(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	inv, err := s.rep.Admin().Invite(ctx, f.Get("code"))
	if err != nil {
		s.enrol(w, r, enrolState{Trouble: EnrolTrouble(err)})
		return
	}
	s.mu.Lock()
	// The one before, if it was not finished, ends: a desk enrols one device at a time.
	s.invite, s.inviteAs = inv, as
	s.mu.Unlock()
	s.enrol(w, r, enrolState{})
}

// EnrolTrouble is the sentence for what stopped an enrolment.
func EnrolTrouble(err error) string {
	// Errors that have a name come first: they tell more than their kind, which they share with others.
	switch {
	case errors.Is(err, replica.ErrSecond):
		return "enrol.second"
	case errors.Is(err, replica.ErrDay):
		return "enrol.day"
	case errors.Is(err, replica.ErrLate):
		return "enrol.late"
	case errors.Is(err, replica.ErrClock):
		return "staff.clock"
	}
	switch krama.KindOf(err) {
	case krama.Invalid:
		return "enrol.badCode"
	case krama.NotFound:
		return "enrol.notThere"
	case krama.Tampered:
		return "enrol.swapped"
	case krama.Conflict:
		return "enrol.already"
	case krama.NotAllowed:
		return "enrol.notAllowed"
	}
	if k := syncError(err); k != "" {
		return k
	}
	return "sync.failed"
}

// enrolVoice compares what the new device's holder has read aloud.
func (s staffPages) enrolVoice(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	inv := s.invite
	s.mu.Unlock()
	if inv == nil {
		redirect(w, r, "/enrol")
		return
	}
	// Wrong digits end nothing: they may have been misread, and the page asks for them again.
	if err := inv.Spoken(posted(r).Get("groups")); err != nil {
		s.enrol(w, r, enrolState{Voice: true, Trouble: "voice.other"})
		return
	}
	s.enrol(w, r, enrolState{Voice: true, Spoken: true})
}

// enrolFinish enrols the device once it has answered. It may be asked as often as it takes: what is done stays done.
func (s staffPages) enrolFinish(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	inv, as := s.invite, s.inviteAs
	s.mu.Unlock()
	if inv == nil {
		redirect(w, r, "/enrol/done") // ended in another tab, or there is none: that page knows
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	// It asks the relay and may take a while. mu is not held: other pages go on meanwhile.
	ok, err := s.rep.Admin().Enrol(ctx, inv, as.member, as.role)
	if err != nil {
		s.enrol(w, r, enrolState{Trouble: EnrolTrouble(err)})
		return
	}
	if !ok {
		s.enrol(w, r, enrolState{Trouble: "enrol.waiting"})
		return
	}
	s.mu.Lock()
	s.invite, s.inviteAs.done = nil, true
	s.mu.Unlock()
	// Last, because it is written into the outreach circle: where this fails the device is in all the same.
	if err := s.label(as); err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/enrol/done") // a page of its own: a second tap is led there too
}

// enrolDone says that the device is in. It has an address of its own, so that a second tap does not begin anew.
func (s staffPages) enrolDone(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	done := s.inviteAs.done
	s.mu.Unlock()
	if !done {
		redirect(w, r, "/enrol")
		return
	}
	s.page(w, r, 200, "enrol.title", "devices", enrolView(enrolState{Done: true}, nil))
}
