package web

import (
	"krama"
	"krama/office"
	"krama/replica"
	"krama/web/http"
)

// incidentRows are the incidents, with whether their conversations are still here.
func (s inboxPages) incidentRows() (out []incidentRow) {
	for _, in := range s.state.Incidents() {
		out = append(out, incidentRow{in, s.state.Thread(in.Thread) != nil})
	}
	return out
}

// incidents lists what is kept of what was done to people, for who looks after safety.
func (s inboxPages) incidents(w http.ResponseWriter, r *http.Request) {
	// Who does not hold the circle sees a sentence and no list, and leaves a line as one who was refused.
	_, holds := s.rep.Kinds()[krama.KindSafeguarding]
	what, circles := krama.AuditIncidents, []krama.CircleKind{krama.KindSafeguarding}
	if !holds {
		what, circles = krama.AuditRefused, office.BestCircle(s.rep)
	}
	if !s.audited(w, r, what, krama.ThreadID{}, circles...) {
		return
	}
	s.page(w, r, 200, "incidents.title", "inbox", incidentsView(holds, s.incidentRows(), ""))
}

// incidentErase erases an incident whose person has withdrawn her yes, or that is no longer needed.
func (s inboxPages) incidentErase(w http.ResponseWriter, r *http.Request) {
	if !s.audited(w, r, krama.AuditIncidents, krama.ThreadID{}, krama.KindSafeguarding) {
		// what is refused shows the list
		return
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	id, err := krama.ParseRecordID(r.PathValue("record"))
	for _, in := range s.state.Incidents() {
		if err != nil || in.Record != id {
			continue
		}
		// There is no way back from an erasure. The page is drawn anew with what to do.
		if posted(r).Get("sure") != "yes" {
			s.page(w, r, 422, "incidents.title", "inbox", incidentsView(true, s.incidentRows(),
				"incidents.sure"))
			return
		}
		// An incident has a subject of its own: the conversation it came from stays.
		if err := s.erase(krama.KindSafeguarding, in.Subject, replica.ShredAsked); err != nil {
			s.page(w, r, 422, "incidents.title", "inbox", incidentsView(true, s.incidentRows(),
				jobError(err)))
			return
		}
		redirect(w, r, "/incidents")
		return
	}
	s.notFound(w, r)
}
