package web

import (
	"cmp"
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

// erasureRow is one erasure and its horizon.
type erasureRow struct {
	replica.Erasure
	Total   int
	Waiting []waitingDevice
	Lost    []waitingDevice
}

type waitingDevice struct {
	Name string
	Seen krama.Day // 0 when never
}

// expiring is somebody whose record will be erased because the circle keeps records only so long.
type expiring struct {
	casework.Row
	On krama.Day
}

// announceDays is how long before its day an automatic erasure is announced.
const announceDays = 30

// expiries lists who is erased within the coming days, soonest first. A record's time runs from the last contact, and
// nobody is erased who was not on this list for a month: each has a notice of her own, by this desk's clock.
func (s *Server) expiries(rep *replica.Replica, st *casework.State) (out []expiring) {
	keep := s.keepDays(rep)
	if keep == 0 {
		return nil
	}
	notices := map[string]krama.Day{}
	for _, line := range strings.Fields(rep.Value(noticesKey)) {
		who, day, _ := strings.Cut(line, "=")
		if d, err := krama.ParseDay(day); err == nil {
			notices[who] = d
		}
	}
	var lines []string
	for _, row := range st.Rows(s.today()) {
		last := row.Last
		if last+keep > s.today()+announceDays { // most people
			continue
		}
		if v, ok := st.Person(row.Subject, s.today()); ok && v.Value.Registered > last {
			last = v.Value.Registered
		}
		on := last + keep
		if on > s.today()+announceDays || row.Ahead { // whose dates are unclear is not erased by a date
			continue
		}
		who := row.Subject.String()
		since, told := notices[who]
		if !told || since > s.today() { // a clock that was ahead has announced nothing
			since = s.today()
		}
		lines = append(lines, who+"="+since.String())
		out = append(out, expiring{row, max(on, since+announceDays)})
	}
	slices.Sort(lines)
	rep.SetValue(noticesKey, strings.Join(lines, " "))
	slices.SortFunc(out, func(a, b expiring) int { return cmp.Or(cmp.Compare(a.On, b.On), cmp.Compare(a.Code, b.Code)) })
	return out
}

// noticesKey names the value that says since when each coming erasure is announced.
const noticesKey = "retention"

// keepDays is how long the outreach circle keeps a record after the last contact; 0 for ever.
func (s *Server) keepDays(rep *replica.Replica) (days krama.Day) {
	c, ok := rep.Kinds()[krama.KindOutreach]
	if ok {
		rep.Roster(func(ro *seal.Roster) { days = krama.Day(ro.Circles[c].RetentionDays) })
	}
	return days
}

// clockTrust is how far this computer's clock may be from the relay's for it to erase anybody by itself.
const clockTrust = 24 * time.Hour

// expire erases whose day has come.
func (s *Server) expire(rep *replica.Replica, st *casework.State) error {
	if d := rep.ClockError(); s.Demo || d > clockTrust || d < -clockTrust {
		return nil
	}
	for _, e := range s.expiries(rep, st) {
		if e.On > s.today() {
			break
		}
		if err := rep.Shred(krama.KindOutreach, e.Subject, replica.ShredExpired); err != nil {
			return err
		}
	}
	return s.expireThreads(rep, st)
}

// threadKeep is how long a conversation is kept after the last thing that was said or done in it, in days.
const threadKeep = 60

// threadEnds is the day on which a conversation is erased, or 0 while somebody waits for staff.
func threadEnds(t *casework.Thread) (last krama.Day) {
	if waits(t.State()) == 0 {
		return 0
	}
	for _, a := range t.Acts {
		last = max(last, a.Day)
	}
	return max(last, t.Last()) + threadKeep
}

// expireThreads erases the conversations whose day has come. An incident that she said yes to is kept: it has its own erasure.
func (s *Server) expireThreads(rep *replica.Replica, st *casework.State) error {
	for _, t := range st.Threads() {
		if end := threadEnds(t); end == 0 || end > s.today() {
			continue
		}
		if err := s.eraseThread(rep, st, t); err != nil {
			return err
		}
	}
	return nil
}

// eraseThread erases a conversation. First it is kept, under the intakes it came by, which reports it was made of: the relay may give
// their bytes again, and as long as an intake's seed is there they would open.
func (s *Server) eraseThread(rep *replica.Replica, st *casework.State, t *casework.Thread) error {
	for _, in := range s.intakes(rep, st) {
		keys, err := s.openIntake(in)
		if err != nil {
			return err
		}
		var ids []krama.RecordID
		for _, r := range t.Reports {
			if r.Intake == keys.ID() {
				ids = append(ids, r.Record)
			}
		}
		if err := keepTaken(rep, in, krama.TakenErased, s.relayDay(rep), ids); err != nil && krama.KindOf(err) != krama.NotAllowed {
			return err
		}
	}
	for _, who := range t.Subjects {
		if err := rep.Shred(t.Circle, who, replica.ShredExpired); err != nil && krama.KindOf(err) != krama.NotAllowed && krama.KindOf(err) != krama.NotFound {
			return err
		}
	}
	return nil
}

func (s *Server) erasuresPage(w http.ResponseWriter, r *http.Request) {
	var rows []erasureRow
	list := s.rep.Erasures()
	s.rep.Roster(func(ro *seal.Roster) {
		for _, e := range list {
			row := erasureRow{Erasure: e, Total: e.Gone + len(e.Waiting) + len(e.Lost)}
			for _, d := range e.Waiting {
				row.Waiting = append(row.Waiting, waitingDevice{Name: s.deviceName(ro, d)})
			}
			for _, d := range e.Lost {
				row.Lost = append(row.Lost, waitingDevice{Name: s.deviceName(ro, d)})
			}
			rows = append(rows, row)
		}
	})
	for i, e := range list {
		for j, d := range e.Waiting {
			if t := s.rep.Seen(d); !t.IsZero() {
				rows[i].Waiting[j].Seen = krama.DayOf(t)
			}
		}
	}
	s.page(w, r, 200, "erase.list", "devices", erasuresView(s, rows, s.awaitedRows(), s.expiries(s.rep, s.state)))
}

// awaitedRow is an erasure that waits for a second person's word.
type awaitedRow struct {
	replica.Awaited
	Who  string
	Path string
}

func (s *Server) awaitedRows() (out []awaitedRow) {
	list := s.rep.Awaiting()
	s.rep.Roster(func(ro *seal.Roster) {
		for _, a := range list {
			path := "/erasures/" + strconv.Itoa(int(a.Kind)) + "/" + a.Subject.String()
			out = append(out, awaitedRow{a, s.deviceName(ro, a.Author), path})
		}
	})
	return out
}

// erasureDecide confirms an erasure that waits, or takes it back.
func (s *Server) erasureDecide(w http.ResponseWriter, r *http.Request) {
	kind, err := strconv.Atoi(r.PathValue("circle"))
	who, err2 := krama.ParseSubjectID(r.PathValue("id"))
	if err != nil || err2 != nil {
		s.notFound(w, r)
		return
	}
	list := s.rep.Awaiting()
	at := slices.IndexFunc(list, func(a replica.Awaited) bool { return int(a.Kind) == kind && a.Subject == who })
	switch do := form(r).Get("do"); {
	case at < 0: // answered meanwhile
	case do == "confirm" && list[at].Confirm:
		err = s.rep.Shred(list[at].Kind, who, list[at].Reason)
	case do == "back" && list[at].Back:
		err = s.rep.TakeBack(list[at].Kind, who)
	default:
		s.notFound(w, r)
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.BeginSync()
	redirect(w, r, "/erasures")
}
