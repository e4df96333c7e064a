package web

import (
	"cmp"

	"krama"
	"krama/casework"
	"krama/office"
	"krama/replica"
	"krama/web/http"
)

// incident keeps what was done to her in the safeguarding circle, if she said yes.
func (s *Server) incident(t *casework.Thread, what, by, wants []string, consent bool) (id krama.RecordID,
	trouble string, err error) {
	if _, ok := s.rep.Kinds()[krama.KindSafeguarding]; !ok {
		return id, "inbox.notSafeguarding", nil
	}
	inc := &krama.Incident{Thread: t.ID, Day: s.office.RelayDay(), What: readSet(what), By: readSet(by),
		Wants:   readSet(wants),
		Consent: consent}
	for _, m := range t.Messages {
		inc.District = cmp.Or(m.Place, inc.District)
	}
	if !consent {
		return id, "inbox.consent", nil
	}
	if inc.What == 0 {
		return id, "inbox.what", nil
	}
	if id, err = s.rep.NewRecord(); err != nil {
		return id, "", err
	}
	who, err := s.rep.NewSubject()
	if err != nil {
		return id, "", err
	}
	return id, "", s.rep.Write(krama.KindSafeguarding, who, &krama.Record{ID: id, Incident: inc})
}

// incidents lists what is kept of what was done to people, for who looks after safety.
func (s *Server) incidents(w http.ResponseWriter, r *http.Request) {
	_, holds := s.rep.Kinds()[krama.KindSafeguarding]
	what, circles := krama.AuditIncidents, []krama.CircleKind{krama.KindSafeguarding}
	if !holds {
		what, circles = krama.AuditRefused, office.BestCircle(s.rep)
	}
	if !s.audited(w, r, what, krama.ThreadID{}, circles...) {
		return
	}
	s.page(w, r, 200, "incidents.title", "inbox", incidentsView(s, holds, s.state.Incidents(), ""))
}

// incidentErase erases an incident whose person has withdrawn her yes, or that is no longer needed.
func (s *Server) incidentErase(w http.ResponseWriter, r *http.Request) {
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
		if form(r).Get("sure") != "yes" {
			s.page(w, r, 422, "incidents.title", "inbox", incidentsView(s, true, s.state.Incidents(), "incidents.sure"))
			return
		}
		if err := s.rep.Shred(krama.KindSafeguarding, in.Subject, replica.ShredAsked); err != nil {
			s.page(w, r, 422, "incidents.title", "inbox", incidentsView(s, true, s.state.Incidents(), jobError(err)))
			return
		}
		s.BeginSync()
		redirect(w, r, "/incidents")
		return
	}
	s.notFound(w, r)
}
