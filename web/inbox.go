package web

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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

// doorPages are what an office does about the public door: what is published, what was reported, rights.
func (s *Server) doorPages() {
	o := s.open
	o.HandleFunc("GET /door", s.doorPage)
	o.HandleFunc("POST /door", s.doorOpen)
	o.HandleFunc("GET /inbox", s.inbox)
	o.HandleFunc("POST /inbox/aside", s.inboxAside)
	o.HandleFunc("POST /inbox/flood", s.inboxFlood)
	o.HandleFunc("GET /thread/{id}", s.thread)
	o.HandleFunc("POST /thread/{id}", s.threadAct)
	o.HandleFunc("GET /incidents", s.incidents)
	o.HandleFunc("POST /incidents/{record}/erase", s.incidentErase)
	o.HandleFunc("GET /audit", s.auditPage)
	o.HandleFunc("GET /rights", s.rightsList)
	o.HandleFunc("GET /rights/{topic}/{lang}", s.rightsEdit)
	o.HandleFunc("POST /rights/{topic}/{lang}", s.rightsSave)
}

// intakeCircles take reports: the support team, and the few who look after safety, who also read what is about staff.
var intakeCircles = []krama.CircleKind{krama.KindCasework, krama.KindSafeguarding}

// An intake's keys are offered for a month, drawn a week before the old ones end, and destroyed 60 days after that.
const (
	intakeDays   = 31
	intakeBefore = 7
	intakeKeep   = 60
)

// doorKey names the value that says that the door was opened, and what was last published.
const doorKey = "door"

// tendDoor does the office's daily work at the public door: intakes, reports, slips, publishing. What fails is tried again at the
// next sync; the first error is told.
func (s *Server) tendDoor(ctx context.Context, rep *replica.Replica, st *casework.State) error {
	var errs []error
	if rep.Value(doorKey) != "" {
		drew, err := s.tendIntakes(rep, st)
		errs = append(errs, err)
		if !drew && err == nil { // keys drawn now are published after colleagues have them: at the next meeting
			errs = append(errs, s.publish(ctx, rep, st, false))
		}
	}
	return errors.Join(append(errs, s.fetchReports(ctx, rep, st), s.fetchSlips(ctx, rep, st))...)
}

// fetchBatch bounds what one sync fetches of one intake: a flood costs the office a few megabytes and no more.
const (
	fetchBatch = 300
	fetchBytes = 4 << 20
)

// fetchedKey names the value that says which of an intake's reports the relay may forget, and how many wait there.
func fetchedKey(id [16]byte) string { return "reports." + hex.EncodeToString(id[:4]) }

// fetchReports takes in what was reported. A report is kept here, then sent to colleagues, and only then forgotten by the relay.
func (s *Server) fetchReports(ctx context.Context, rep *replica.Replica, st *casework.State) error {
	var errs []error
	for _, in := range s.intakes(rep, st) {
		errs = append(errs, s.fetchIntake(ctx, rep, st, in)) // one that fails does not stop the others
	}
	return errors.Join(errs...)
}

func (s *Server) fetchIntake(ctx context.Context, rep *replica.Replica, st *casework.State, in casework.Intake) error {
	keys, err := seal.OpenIntake(in.Seed, in.Stream)
	if err != nil {
		return err
	}
	// The value: what waits at the relay beyond this, then the sums of what is kept here and not yet forgotten there.
	key := fetchedKey(keys.ID())
	had := strings.Fields(rep.Value(key))
	if len(had) > 1 {
		if rep.Status().Unsent > 0 {
			return nil // not with colleagues yet
		}
		var sums [][32]byte
		for _, h := range had[1:] {
			if b, err := hex.DecodeString(h); err == nil && len(b) == 32 {
				sums = append(sums, [32]byte(b))
			}
		}
		if err := rep.DropReports(ctx, in.Circle, keys, 0, sums...); err != nil {
			return err
		}
	}
	mark, size, after := []string{"0"}, 0, int64(0)
	for len(mark) <= fetchBatch && size < fetchBytes {
		list, waiting, err := rep.FetchReports(ctx, in.Circle, keys, after)
		if err != nil {
			return err
		}
		for _, x := range list[:min(len(list), fetchBatch+1-len(mark))] {
			if err := s.takeReport(rep, st, in, keys, x); err != nil {
				return err
			}
			sum := sha256.Sum256(x.Sealed)
			mark = append(mark, hex.EncodeToString(sum[:]))
			after, size, waiting = x.K, size+len(x.Sealed), waiting-1
		}
		mark[0] = strconv.Itoa(max(0, waiting))
		if err := rep.SetValue(key, strings.Join(mark, " ")); err != nil {
			return err
		}
		if len(list) == 0 || waiting <= 0 {
			break
		}
	}
	return nil
}

// relayDay is today by the relay's clock, as far as it is known: a computer whose own is a year slow dates nothing back, and what
// ends a number of days later does not end at once.
func (s *Server) relayDay(rep *replica.Replica) krama.Day {
	return krama.DayOf(s.Now().Add(rep.ClockError()))
}

// takeReport opens one report and keeps it. What does not open is noise that somebody sent, and is left out.
func (s *Server) takeReport(rep *replica.Replica, st *casework.State, in casework.Intake, keys *seal.IntakeKeys, x replica.Incoming) error {
	m, err := seal.OpenReport(keys, rep.Site(), x.Sealed)
	if err != nil || m.Mailbox == ([16]byte{}) || strings.TrimSpace(m.Text) == "" {
		return nil
	}
	topic := m.Topic
	if !krama.Known(krama.ReportTopics, topic) {
		topic = krama.ReportTopics[0].Code
	}
	place := m.Place
	if _, ok := s.Guide.District(place); !ok { // a stranger's number
		place = 0
	}
	h := seal.Hash("thread", []byte{byte(in.Circle)}, m.KEM, m.Auth[:], m.Mailbox[:])
	id := krama.ThreadID(h[:16])
	var who krama.SubjectID
	if t := st.Thread(id); t != nil && t.Circle == in.Circle {
		who = t.Subjects[0]
	} else if who, err = rep.NewSubject(); err != nil {
		return err
	}
	var recs []*krama.Record
	for i, part := range parts(printable(m.Text), krama.MaxReportPart) {
		// The record's id is the report's own: two desks that fetch it keep one.
		h := seal.Hash("report record", x.Sealed, []byte{byte(i)})
		if st.Took(krama.RecordID(h[:16])) {
			continue
		}
		rec := &krama.Report{Thread: id, Mailbox: m.Mailbox, Auth: m.Auth, Intake: keys.ID(), Day: min(max(x.Day, in.From-1), s.relayDay(rep)+1), Topic: topic, Part: uint8(i), Text: part, Place: place}
		if i == 0 {
			rec.KEM = m.KEM
		}
		recs = append(recs, &krama.Record{ID: krama.RecordID(h[:16]), Report: rec})
	}
	if len(recs) == 0 {
		return nil
	}
	return rep.Write(in.Circle, who, recs...)
}

// printable leaves out what is not text: a stranger wrote it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r < ' ', r == 0x7f, r == 0xfffd, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // nothing that reorders what is read
			return ' '
		}
		return r
	}, s)
}

// parts cuts a text into pieces of at most max bytes, at letters' ends.
func parts(s string, max int) (out []string) {
	for len(s) > max {
		cut := max
		for cut > 0 && s[cut]&0xc0 == 0x80 {
			cut--
		}
		out, s = append(out, s[:cut]), s[cut:]
	}
	return append(out, s)
}

// fetchSlips asks what services said of open slips, and keeps it. One that could not help puts its listing on the week's list.
func (s *Server) fetchSlips(ctx context.Context, rep *replica.Replica, st *casework.State) error {
	var open []casework.Referral
	var codes []krama.SlipCode
	for _, r := range st.Referrals(krama.SubjectID{}) {
		if o := r.Outcome(); r.Day > krama.DayOf(s.Now())-120 && o != krama.OutcomeDone && o != krama.OutcomeCouldNot && o != krama.OutcomeWithdrawn {
			open, codes = append(open, r), append(codes, r.Code)
		}
	}
	if len(open) == 0 {
		return nil
	}
	answers, err := rep.SlipAnswers(ctx, codes)
	if err != nil {
		return err
	}
	for i, list := range answers {
		for _, a := range list {
			if slices.ContainsFunc(open[i].Outcomes, func(o krama.Outcome) bool { return o.What == a.What }) || a.What > krama.OutcomeCouldNot {
				continue
			}
			if err := keepOutcome(rep, open[i], a.What, min(max(a.Day, open[i].Day), max(s.relayDay(rep), open[i].Day))); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepOutcome keeps what became of a referral. One that could not help puts its listing on the week's list. The ids follow from
// what is said: two devices that say it keep one.
func keepOutcome(rep *replica.Replica, ref casework.Referral, what uint8, day krama.Day) error {
	h := seal.Hash("slip outcome", ref.Record[:], []byte{what})
	err := rep.Write(krama.KindOutreach, ref.Subject, &krama.Record{ID: krama.RecordID(h[:16]), Outcome: &krama.Outcome{Referral: ref.Record, Day: day, What: what}})
	if err != nil || what != krama.OutcomeCouldNot {
		return err
	}
	h = seal.Hash("slip doubt", ref.Record[:])
	return rep.Write(krama.KindOutreach, krama.SubjectID{}, &krama.Record{ID: krama.RecordID(h[:16]), Check: &krama.Check{Key: ref.Listing, Day: day, Says: krama.CheckDoubt}})
}

// inboxData is what the inbox shows.
type inboxData struct {
	Holds   bool // this desk holds an intake's circle
	Rows    []threadRow
	New     int
	Fresh   string // the short ids of the new ones, one after another
	Waiting int    // at the relay, beyond what was fetched
	Aside   bool
}

// threadRow is one conversation, or several whose first words are the same to the letter: what a flood looks like.
type threadRow struct {
	*casework.Thread
	Key  string
	Same int
}

func (s *Server) inboxData(aside bool) (d inboxData) {
	d.Aside = aside
	for _, k := range intakeCircles {
		if _, ok := s.rep.Kinds()[k]; ok {
			d.Holds = true
		}
	}
	alike := map[string]int{}
	var fresh strings.Builder
	for _, t := range s.state.Threads() {
		state := t.State()
		if state == casework.ThreadNew {
			if d.New < maxFresh {
				d.New++
				fresh.WriteString(shortThread(t.ID))
			}
		}
		if (state == casework.ThreadAside) != aside {
			continue
		}
		if i, ok := alike[t.Messages[0].Text]; ok && state == casework.ThreadNew && d.Rows[i].State() == casework.ThreadNew {
			d.Rows[i].Same++
			continue
		}
		alike[t.Messages[0].Text] = len(d.Rows)
		d.Rows = append(d.Rows, threadRow{t, hex.EncodeToString(t.ID[:]), 0})
	}
	d.Fresh = fresh.String()
	slices.SortStableFunc(d.Rows, func(a, b threadRow) int { return cmp.Compare(waits(a.State()), waits(b.State())) })
	for _, in := range s.intakes(s.rep, s.state) {
		if keys, err := seal.OpenIntake(in.Seed, in.Stream); err == nil {
			f := strings.Fields(s.rep.Value(fetchedKey(keys.ID())))
			if len(f) > 0 {
				n, _ := strconv.Atoi(f[0])
				d.Waiting += n
			}
		}
	}
	return d
}

// waits is 0 for a conversation in which somebody waits for staff.
func waits(state uint8) int {
	if state == casework.ThreadNew || state == casework.ThreadOpen {
		return 0
	}
	return 1
}

func (s *Server) inbox(w http.ResponseWriter, r *http.Request) {
	d := s.inboxData(r.URL.Query().Get("aside") == "yes")
	what, circles := krama.AuditList, intakeCircles
	if !d.Holds {
		what, circles = krama.AuditRefused, BestCircle(s.rep)
	}
	if !s.audited(w, r, what, krama.ThreadID{}, circles...) {
		return
	}
	s.page(w, r, 200, "inbox.title", "inbox", inboxView(s, d))
}

func (s *Server) findThread(r *http.Request) *casework.Thread {
	b, err := hex.DecodeString(r.PathValue("id"))
	if err != nil || len(b) != 16 {
		return nil
	}
	return s.state.Thread(krama.ThreadID(b))
}

func (s *Server) thread(w http.ResponseWriter, r *http.Request) {
	t := s.findThread(r)
	if t == nil {
		s.notFound(w, r)
		return
	}
	if !s.audited(w, r, krama.AuditRead, t.ID, t.Circle) {
		return
	}
	s.page(w, r, 200, "inbox.title", "inbox", threadView(s, t, ""))
}

// threadAct keeps what staff decided about a conversation. An answer goes to the relay first: it is shown as given only when it is.
func (s *Server) threadAct(w http.ResponseWriter, r *http.Request) {
	t := s.findThread(r)
	if t == nil {
		s.notFound(w, r)
		return
	}
	if !s.audited(w, r, krama.AuditRead, t.ID, t.Circle) { // what is refused shows the conversation
		return
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	f := form(r)
	act := &krama.Act{Threads: []krama.ThreadID{t.ID}, Day: max(s.today(), s.relayDay(s.rep), t.Last()), Messages: uint16(len(t.Messages))}
	trouble := ""
	var err error
	switch f.Get("do") {
	case "answer":
		act.What, act.Text = krama.ActAnswer, strings.TrimSpace(f.Get("text"))
		if act.Text == "" {
			trouble = "inbox.empty"
		} else if len(act.Text) > krama.MaxAnswer {
			trouble = "inbox.long"
		} else {
			err = s.answer(r.Context(), t, act.Text)
		}
	case "assign":
		act.What = krama.ActAssign
		b, e := hex.DecodeString(f.Get("member"))
		if e != nil || len(b) != 16 {
			s.notFound(w, r)
			return
		}
		act.Member = krama.MemberID(b)
	case "close":
		act.What = krama.ActClose
	case "reopen":
		act.What = krama.ActReopen
	case "aside":
		act.What = krama.ActAside
	case "incident":
		if _, ok := s.rep.Kinds()[krama.KindSafeguarding]; !ok {
			s.saving.Unlock()
			kept := s.audited(w, r, krama.AuditRefused, krama.ThreadID{}, BestCircle(s.rep)...)
			s.saving.Lock()
			if !kept {
				return
			}
		}
		act.What = krama.ActIncident
		act.Incident, trouble, err = s.incident(t, f["what"], f["by"], f["wants"], f.Get("consent") == "yes")
	default:
		s.notFound(w, r)
		return
	}
	if err == nil && trouble == "" {
		err = s.writeNew(t.Circle, t.Subjects[0], &krama.Record{Act: act})
	}
	if err != nil {
		trouble = jobError(err)
	}
	if trouble != "" {
		s.page(w, r, 422, "inbox.title", "inbox", threadView(s, t, trouble))
		return
	}
	s.BeginSync()
	redirect(w, r, "/thread/"+r.PathValue("id"))
}

// answer seals an answer to the reporter's key, signed by the intake she wrote to, and puts it into her mailbox.
func (s *Server) answer(ctx context.Context, t *casework.Thread, text string) error {
	for _, in := range s.intakes(s.rep, s.state) {
		keys, err := seal.OpenIntake(in.Seed, in.Stream)
		if err != nil {
			return err
		}
		if keys.ID() != t.Intake {
			continue
		}
		item, err := seal.SealReply(t.KEM, t.Auth, s.rep.Site(), t.Mailbox, keys.Sig, s.today(), text)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return s.rep.Reply(ctx, t.Mailbox, item)
	}
	return krama.E("web.answer", krama.CannotDecrypt, "the intake's keys are gone")
}

// inboxAside sets aside everything that the page showed and nobody has touched: one act, whatever the flood. What came since stays.
func (s *Server) inboxAside(w http.ResponseWriter, r *http.Request) {
	s.saving.Lock()
	defer s.saving.Unlock()
	shown := map[string]bool{}
	for ids := form(r).Get("ids"); len(ids) >= shortID; ids = ids[shortID:] {
		shown[ids[:shortID]] = true
	}
	by := map[krama.CircleKind][]krama.ThreadID{}
	for _, t := range s.state.Threads() {
		if t.State() == casework.ThreadNew && shown[shortThread(t.ID)] {
			by[t.Circle] = append(by[t.Circle], t.ID)
		}
	}
	for k, ids := range by {
		for part := range slices.Chunk(ids, krama.MaxAside) {
			if err := s.writeNew(k, krama.SubjectID{}, &krama.Record{Act: &krama.Act{Threads: part, What: krama.ActAside, Day: max(s.today(), s.relayDay(s.rep))}}); err != nil {
				s.fail(w, r, err)
				return
			}
		}
	}
	redirect(w, r, "/inbox")
}

// maxFresh bounds how many conversations are set aside in one act: what a form carries.
const maxFresh = 6000

// shortID is how many characters of a thread's id a form carries: enough among thousands.
const shortID = 10

func shortThread(id krama.ThreadID) string { return hex.EncodeToString(id[:])[:shortID] }

// inboxFlood has the relay forget what waits there beyond what was fetched, unread.
func (s *Server) inboxFlood(w http.ResponseWriter, r *http.Request) {
	if form(r).Get("sure") != "yes" {
		redirect(w, r, "/inbox")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	if s.rep.Status().Unsent > 0 { // what was fetched is with colleagues before the relay forgets it
		err := s.rep.Sync(ctx, nil)
		if err == nil && s.rep.Status().Unsent > 0 {
			err = krama.E("web.inboxFlood", krama.Conflict, "something is not sent yet")
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
	}
	var failed error
	for _, in := range s.intakes(s.rep, s.state) {
		keys, err := seal.OpenIntake(in.Seed, in.Stream)
		if err == nil {
			err = s.rep.DropReports(ctx, in.Circle, keys, 1<<62)
		}
		if err == nil {
			f := append([]string{"0"}, strings.Fields(s.rep.Value(fetchedKey(keys.ID())))...)
			err = s.rep.SetValue(fetchedKey(keys.ID()), strings.Join(append(f[:1], f[min(2, len(f)):]...), " "))
		}
		failed = cmp.Or(failed, err)
	}
	if failed != nil {
		s.fail(w, r, failed)
		return
	}
	redirect(w, r, "/inbox")
}
