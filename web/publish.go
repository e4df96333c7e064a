package web

import (
	"cmp"
	"context"
	"time"

	"krama"

	"krama/directory"
	"krama/office"
	"krama/web/http"
)

// doorPage is the page of the public door.
type doorPage struct {
	// What would be published now, which is not always what the site shows.
	*directory.Door
	Trouble   string // a key of the locale
	At        string // what the field of the site's address holds: what is kept, or what was typed
	Published string // on which day; "" when the door is shut
	Readers   map[krama.CircleKind]string
	Found     string // a key of the locale: what this desk found at the public site, and when
	FoundOn   string
}

// readers are who can open what is reported to a circle, in words.
func (d *doorPage) readers(ctx context.Context, k krama.CircleKind) string {
	return cmp.Or(d.Readers[k], tr(ctx, "doorDesk.notHere"))
}

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
