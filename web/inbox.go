package web

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"krama"
	"krama/casework"
	"krama/office"
	"krama/replica"
	"krama/web/http"
)

// doorRoutes registers what an office does about the public door: what is published, what was reported, rights.
func (s *Server) doorRoutes() {
	s.draftOf = answerDraft
	o := s.open
	o.HandleFunc("GET /door", on(inboxPages.door))
	o.HandleFunc("POST /door", on(inboxPages.doorOpen))
	o.HandleFunc("GET /inbox", on(inboxPages.inbox))
	o.HandleFunc("POST /inbox/aside", on(inboxPages.inboxAside))
	o.HandleFunc("POST /inbox/flood", on(inboxPages.inboxFlood))
	o.HandleFunc("POST /inbox/unopened", on(inboxPages.inboxUnopened))
	o.HandleFunc("POST /door/site", on(inboxPages.doorSite))
	o.HandleFunc("GET /thread/{id}", on(inboxPages.thread))
	o.HandleFunc("POST /thread/{id}", on(inboxPages.threadAct))
	o.HandleFunc("GET /incidents", on(inboxPages.incidents))
	o.HandleFunc("POST /incidents/{record}/erase", on(inboxPages.incidentErase))
	o.HandleFunc("GET /audit", on(inboxPages.auditPage))
	o.HandleFunc("GET /rights", on(inboxPages.rightsList))
	o.HandleFunc("GET /rights/{topic}/{lang}", on(inboxPages.rightsEdit))
	o.HandleFunc("POST /rights/{topic}/{lang}", on(inboxPages.rightsSave))
}

// inboxData gathers what the inbox shows: what waits for staff first, or with aside what was set aside.
func (s inboxPages) inboxData(aside bool) (d inboxData) {
	d.Aside = aside
	for _, k := range office.IntakeCircles {
		if _, ok := s.rep.Kinds()[k]; ok {
			d.Holds = true
		}
	}
	alike := map[string]int{}
	var fresh strings.Builder
	for _, t := range s.state.Threads() {
		state := t.State()
		if state == casework.ThreadNew {
			// A form carries so many. The others are set aside at a second time.
			if d.New < maxFresh {
				d.New++
				fresh.WriteString(shortThread(t.ID))
			}
		}
		if (state == casework.ThreadAside) != aside {
			continue
		}
		// Only new ones are put together: what somebody has touched stands on its own.
		if i, ok := alike[t.Messages[0].Text]; ok && state == casework.ThreadNew &&
			d.Rows[i].State() == casework.ThreadNew {
			d.Rows[i].Same++
			continue
		}
		alike[t.Messages[0].Text] = len(d.Rows)
		d.Rows = append(d.Rows, threadRow{t, hex.EncodeToString(t.ID[:]), 0})
	}
	d.Fresh = fresh.String()
	// Threads come with the newest message first, and keep that order within each half.
	slices.SortStableFunc(d.Rows, func(a, b threadRow) int {
		return cmp.Compare(office.Waits(a.State()), office.Waits(b.State()))
	})
	for _, k := range office.IntakeCircles {
		n := s.office.Waiting(k)
		if n > 0 {
			d.Waiting = append(d.Waiting, waiting{k, n})
		}
	}
	d.Shut = s.office.Unopened()
	return d
}

// inbox lists the conversations of this desk's circles. Looking leaves a line in the audit, also where it shows none
// because this desk holds no intake.
func (s inboxPages) inbox(w http.ResponseWriter, r *http.Request) {
	d := s.inboxData(r.URL.Query().Get("aside") == "yes")
	what, circles := krama.AuditList, office.IntakeCircles
	if !d.Holds {
		what, circles = krama.AuditRefused, office.BestCircle(s.rep)
	}
	if !s.audited(w, r, what, krama.ThreadID{}, circles...) {
		return
	}
	s.page(w, r, 200, "inbox.title", "inbox", inboxView(d))
}

// answerDraft names the value that holds the answer being written in a conversation, and whose it is.
func answerDraft(s *session, path string) replica.Setting {
	b, err := hex.DecodeString(strings.TrimPrefix(path, "/thread/"))
	if err != nil || len(b) != 16 {
		return replica.Setting{}
	}
	t := s.state.Thread(krama.ThreadID(b))
	if t == nil {
		return replica.Setting{}
	}
	return drafts.Of(path + " of " + t.Subjects[0].String())
}

// findThread finds the conversation that an address names. nil is one that was erased, or is of a circle that this desk
// does not hold: the answer does not tell the two apart.
func (s inboxPages) findThread(r *http.Request) *casework.Thread {
	b, err := hex.DecodeString(r.PathValue("id"))
	if err != nil || len(b) != 16 {
		return nil
	}
	return s.state.Thread(krama.ThreadID(b))
}

// threadPage gathers what stands on a conversation's page.
func (s inboxPages) threadPage(r *http.Request, t *casework.Thread, f url.Values, trouble string, over int) threadPage {
	d := threadPage{t, f, trouble, over, "", map[krama.DeviceID]string{}, s.takers(s.printer(r), t)}
	if m := t.Assigned(); m != (krama.MemberID{}) {
		d.Assigned = s.memberName(m)
	}
	// Staff are named to staff. What goes to her has the name of no colleague.
	for _, a := range t.Acts {
		d.Who[a.Author] = s.who(a.Author)
	}
	return d
}

// thread shows a conversation. The line in the audit is kept first: what cannot be noted is not shown.
func (s inboxPages) thread(w http.ResponseWriter, r *http.Request) {
	t := s.findThread(r)
	if t == nil {
		s.notFound(w, r)
		return
	}
	if !s.audited(w, r, krama.AuditRead, t.ID, t.Circle) {
		return
	}
	s.page(w, r, 200, "inbox.title", "inbox", threadView(s.threadPage(r, t, s.savedDraft(r.URL.Path), "", 0)))
}

// threadAct keeps what somebody decided about a conversation.
func (s inboxPages) threadAct(w http.ResponseWriter, r *http.Request) {
	t := s.findThread(r)
	if t == nil {
		s.notFound(w, r)
		return
	}
	if !s.audited(w, r, krama.AuditRead, t.ID, t.Circle) { // what is refused shows the conversation
		return
	}
	// One decision at a time: an answer goes to the relay before it is kept, and two must not overtake each other.
	s.saving.Lock()
	defer s.saving.Unlock()
	if t = s.findThread(r); t == nil { // as it is by now: another tab may have answered
		s.notFound(w, r)
		return
	}
	f := posted(r)
	d := office.Decision{Text: f.Get("text")}
	// What came since the page was drawn is not answered by this. 0 counts as all.
	d.Had, _ = strconv.Atoi(f.Get("had"))
	switch f.Get("do") {
	case "answer":
		d.What = krama.ActAnswer
	case "assign":
		d.What = krama.ActAssign
		if b, err := hex.DecodeString(f.Get("member")); err == nil && len(b) == 16 {
			d.Member = krama.MemberID(b)
		}
	case "close":
		d.What = krama.ActClose
	case "reopen":
		d.What = krama.ActReopen
	case "aside":
		d.What = krama.ActAside
	case "incident":
		// The form stands on the page of every desk that reads reports. Who may not keep incidents is refused by
		// Decide, and the try leaves a line.
		if _, ok := s.rep.Kinds()[krama.KindSafeguarding]; !ok {
			if !s.audited(w, r, krama.AuditRefused, krama.ThreadID{}, office.BestCircle(s.rep)...) {
				return
			}
		}
		d.What = krama.ActIncident
		d.Incident = krama.Incident{What: readSet(f["what"]), By: readSet(f["by"]), Wants: readSet(f["wants"]),
			Consent: f.Get("consent") == "yes"}
	default:
		s.notFound(w, r)
		return
	}
	if err := s.decide(r.Context(), t, d); err != nil {
		// Everything that was typed stands on the page again, with by how many letters it is too long.
		over := max(0, krama.Letters(strings.TrimSpace(d.Text))-krama.MaxAnswerLetters)
		s.page(w, r, 422, "inbox.title", "inbox", threadView(s.threadPage(r, t, f, decisionError(err), over)))
		return
	}
	// Assigning or closing keeps an answer that is being written; answering ends it. An incident's form has no answer.
	switch key := s.draftKey(r.URL.Path); {
	case d.What == krama.ActAnswer, f.Has("text") && strings.TrimSpace(d.Text) == "":
		s.dropDraft(r.URL.Path)
	case f.Has("text") && key != (replica.Setting{}):
		if err := s.rep.SetValue(key, url.Values{"text": {d.Text}}.Encode()); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	redirect(w, r, "/thread/"+r.PathValue("id"))
}

// decisionError is the sentence for why a decision is not kept.
func decisionError(err error) string {
	switch {
	case errors.Is(err, office.ErrEmpty):
		return "inbox.empty"
	case errors.Is(err, office.ErrLong):
		return "inbox.long"
	case errors.Is(err, office.ErrNotSafeguarding):
		return "inbox.notSafeguarding"
	case errors.Is(err, office.ErrNoConsent):
		return "inbox.consent"
	case errors.Is(err, office.ErrNothing):
		return "inbox.what"
	case errors.Is(err, office.ErrNobody):
		return "inbox.nobody"
	}
	return jobError(err)
}

// inboxAside sets aside everything that the page showed and nobody has touched: one act, whatever the flood. What came
// since stays.
func (s inboxPages) inboxAside(w http.ResponseWriter, r *http.Request) {
	s.saving.Lock()
	defer s.saving.Unlock()
	// The form names what its page showed by the beginnings of ids. What stands for nothing here is passed over.
	shown := map[string]bool{}
	for ids := posted(r).Get("ids"); len(ids) >= shortID; ids = ids[shortID:] {
		shown[ids[:shortID]] = true
	}
	type alike struct { // what one act sets aside has as many messages each
		circle   krama.CircleKind
		messages int
	}
	by := map[alike][]krama.ThreadID{}
	for _, t := range s.state.Threads() {
		// Looked at anew: what a colleague has answered since the page was drawn is not set aside.
		if t.State() == casework.ThreadNew && shown[shortThread(t.ID)] {
			k := alike{t.Circle, len(t.Messages)}
			by[k] = append(by[k], t.ID)
		}
	}
	for k, ids := range by {
		// What was set aside before one fails stays so, and the same form does the rest.
		for part := range slices.Chunk(ids, krama.MaxAside) {
			act := &krama.Act{Threads: part, What: krama.ActAside, Day: max(s.today(), s.office.RelayDay()),
				Messages: uint16(k.messages)}
			if err := s.writeNew(k.circle, krama.SubjectID{}, &krama.Record{Act: act}); err != nil {
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

// shortThread is the beginning of a conversation's id, as the form of a flood carries it.
func shortThread(id krama.ThreadID) string { return hex.EncodeToString(id[:])[:shortID] }

// inboxFlood has the relay forget what waits there beyond what was fetched, unread.
func (s inboxPages) inboxFlood(w http.ResponseWriter, r *http.Request) {
	// Nobody has read what is forgotten here: one tap is not enough.
	if posted(r).Get("sure") != "yes" {
		redirect(w, r, "/inbox")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	if err := s.office.Forget(ctx); err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/inbox")
}
