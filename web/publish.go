package web

import (
	"context"
	"time"

	"krama/office"
	"krama/web/http"
)

func (s inboxPages) doorPage(w http.ResponseWriter, r *http.Request) {
	d, _, err := s.office.Door()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.page(w, r, 200, "doorDesk.title", "directory", doorView(s.session, d, "", s.rep.Value(office.SiteAt)))
}

// doorOpen opens the door, or publishes at once.
func (s inboxPages) doorOpen(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	if err := s.OpenDoor(ctx); err != nil {
		d, _, e := s.office.Door()
		if e != nil {
			s.fail(w, r, e)
			return
		}
		trouble := jobError(err)
		if office.TroubleOf(err) != "" { // it stands above the page
			trouble = ""
		}
		s.page(w, r, 200, "doorDesk.title", "directory", doorView(s.session, d, trouble, s.rep.Value(office.SiteAt)))
		return
	}
	redirect(w, r, "/door")
}
