package web

import (
	"context"

	"krama/replica"
	"krama/seal/words"
	"krama/web/http"
)

// The pages' addresses; the functions called here register the rest.

// New returns a server for a locked device, with the pages that phone and desk share. A desk then calls DeskPages,
// once, before it serves.
func New(c Config) *Server {
	s := &Server{Config: c, words: words.List(), open: http.NewServeMux(), shut: http.NewServeMux()}
	s.routes()
	return s
}

// routes registers the pages that phone and desk share: these here, and others by the function in their own file.
func (s *Server) routes() {
	for _, m := range []*http.ServeMux{s.open, s.shut} {
		m.HandleFunc("POST /lang", on(sessionPages.setLang))
		m.HandleFunc("POST /lock", on(sessionPages.lockNow))
		m.HandleFunc("POST /cover", on(gatePages.cover))
		m.HandleFunc("GET /limits", on(sessionPages.limits))
	}
	s.gateRoutes(s.shut)
	o := s.open
	o.HandleFunc("GET /{$}", on(peoplePages.home))
	o.HandleFunc("GET /people", on(peoplePages.people))
	o.HandleFunc("POST /people", on(peoplePages.people))
	o.HandleFunc("GET /person/new", on(peoplePages.personNew))
	o.HandleFunc("POST /person/new", on(peoplePages.personCreate))
	o.HandleFunc("GET /person/{id}", on(peoplePages.person))
	o.HandleFunc("GET /person/{id}/amend", on(peoplePages.personAmend))
	o.HandleFunc("POST /person/{id}/amend", on(peoplePages.personAmendSave))
	o.HandleFunc("POST /person/{id}/consent", on(peoplePages.consent))
	o.HandleFunc("POST /person/{id}/settle", on(peoplePages.settle))
	o.HandleFunc("POST /person/{id}/code", on(peoplePages.recode))
	o.HandleFunc("GET /person/{id}/contact", on(peoplePages.contactNew))
	o.HandleFunc("POST /person/{id}/contact", on(peoplePages.contactCreate))
	o.HandleFunc("GET /contact/{id}", on(peoplePages.contactAmend))
	o.HandleFunc("POST /contact/{id}", on(peoplePages.contactAmendSave))
	o.HandleFunc("POST /contact/{id}/void", on(peoplePages.contactVoid))
	o.HandleFunc("POST /draft", on(peoplePages.draft))
	o.HandleFunc("POST /sync", on(sessionPages.startSync))
	o.HandleFunc("GET /sync", on(sessionPages.syncPage))
	o.HandleFunc("GET /settings", on(sessionPages.settings))
	o.HandleFunc("GET /pin", on(gatePages.pinPage))
	o.HandleFunc("POST /pin", on(gatePages.pinSave))
	o.HandleFunc("POST /withdraw/{id}", on(staffPages.withdraw))
	o.HandleFunc("/", on(sessionPages.notFound))
	s.directoryRoutes()
	s.referralRoutes()
	s.emptyRoutes()
	if s.Host == Phone {
		s.lockRoutes()
	}
}

// DeskPages adds what a desk has beyond a phone. The phone's program never calls it, so it is built without them.
func (s *Server) DeskPages() {
	o := s.open
	o.HandleFunc("GET /contacts", on(peoplePages.contacts))
	o.HandleFunc("GET /kept", on(sessionPages.kept))
	o.HandleFunc("GET /overview", on(figurePages.overview))
	o.HandleFunc("GET /report", on(figurePages.report))
	o.HandleFunc("POST /report", on(figurePages.report))
	o.HandleFunc("POST /report.csv", on(figurePages.reportCSV))
	o.HandleFunc("GET /codebook.csv", on(figurePages.codebook))
	o.HandleFunc("GET /devices", on(staffPages.devices))
	o.HandleFunc("GET /enrol", on(staffPages.enrolPage))
	o.HandleFunc("POST /enrol/scan", on(staffPages.enrolScan))
	o.HandleFunc("POST /enrol/finish", on(staffPages.enrolFinish))
	o.HandleFunc("GET /enrol/done", on(staffPages.enrolDone))
	o.HandleFunc("POST /enrol/voice", on(staffPages.enrolVoice))
	s.staffRoutes()
	s.listingRoutes()
	s.doorRoutes()
	s.tend = (*session).maintain
}

// ServeHTTP serves an open, enrolled device's pages; while they are covered, the page of the short number; after the
// device has emptied itself, a farewell; otherwise the gate. Who asks is its host's to check (the desk's guard).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.Body != nil {
		// Bounded while it is read, before any handler believes a part of it.
		r.Body = &whole{r.Body, maxForm}
	}
	v := s.session()
	rep := v.rep
	// Read after the session: a device that was locked in between is not Enrolled any more, and the gate follows.
	s.mu.Lock()
	covered := s.pin.covered
	s.mu.Unlock() // before the replica is asked: it has a lock of its own
	r = r.WithContext(context.WithValue(r.Context(), inSession{}, v))
	if rep != nil && rep.Wiped() { // the office removed this device, and it has emptied itself
		v.goodbye(w, r, "gate.removed")
		return
	}
	open := rep != nil && rep.State() == replica.Enrolled
	switch {
	case open && covered:
		gatePages{v}.pinGate(w, r)
	case open:
		s.open.ServeHTTP(w, r)
	default:
		s.shut.ServeHTTP(w, r)
	}
}
