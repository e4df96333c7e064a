package web

import (
	"context"
	"net/url"
	"strings"
	"time"

	"krama"

	"krama/directory"
	"krama/office"
	"krama/web/http"
)

// doorPage gathers what stands on the door's page.
func (s inboxPages) doorPage(door *directory.Door, trouble, at string) doorPage {
	d := doorPage{door, trouble, at, s.published(), map[krama.CircleKind]string{}, "", ""}
	// Whoever publishes an intake is shown who can read it.
	for _, in := range door.Offered(s.today()) {
		d.Readers[in.Circle] = s.readersOf(in.Circle)
	}
	d.Found, d.FoundOn = s.siteState(s.rep)
	return d
}

// door shows the public door as this desk would publish it.
func (s inboxPages) door(w http.ResponseWriter, r *http.Request) {
	d, _, err := s.office.Door()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.page(w, r, 200, "doorDesk.title", "directory", doorView(s.doorPage(d, "", s.rep.Value(office.SiteAt))))
}

// doorOpen opens the door, or publishes at once.
func (s inboxPages) doorOpen(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	if err := s.OpenDoor(ctx); err != nil {
		// The page stands as it was, with what kept it from being published.
		d, _, e := s.office.Door()
		if e != nil {
			s.fail(w, r, e)
			return
		}
		trouble := jobError(err)
		if office.TroubleOf(err) != "" { // it stands above the page
			trouble = ""
		}
		s.page(w, r, 200, "doorDesk.title", "directory", doorView(s.doorPage(d, trouble, s.rep.Value(office.SiteAt))))
		return
	}
	redirect(w, r, "/door")
}

// doorSite keeps the public site's address, or none. What was found at another is forgotten.
func (s inboxPages) doorSite(w http.ResponseWriter, r *http.Request) {
	at := strings.TrimSpace(posted(r).Get("site"))
	u, err := url.Parse(at)
	if at != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		len(at) > 200) {
		d, _, e := s.office.Door()
		if e != nil {
			s.fail(w, r, e)
			return
		}
		s.page(w, r, 422, "doorDesk.title", "directory", doorView(s.doorPage(d, "doorDesk.siteBad", at)))
		return
	}
	// Only the origin is kept: the desk asks for its own page there.
	if at != "" {
		at = u.Scheme + "://" + u.Host + "/"
	}
	// Forgotten first: cut in between, nothing that was found at the old address is told of the new one.
	err = s.rep.SetValue(office.SiteSeen, "")
	if err == nil {
		err = s.rep.SetValue(office.SiteAt, at)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/door")
}
