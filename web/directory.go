package web

import (
	"encoding/hex"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"krama"
	"krama/directory"
	"krama/office"
	"krama/web/http"
)

// directoryRoutes are the directory on a phone and on a desk: looking, and saying that something was wrong.
func (s *Server) directoryRoutes() {
	o := s.open
	o.HandleFunc("GET /directory", on(listingPages.directory))
	o.HandleFunc("POST /directory", on(listingPages.directory))
	o.HandleFunc("GET /listing/{key}", on(listingPages.listing))
	o.HandleFunc("POST /listing/{key}/check", on(listingPages.listingCheck))
}

// listingRoutes add changing it, on a desk.
func (s *Server) listingRoutes() {
	o := s.open
	o.HandleFunc("GET /listing/new", on(listingPages.listingEdit))
	o.HandleFunc("POST /listing/new", on(listingPages.listingSave))
	o.HandleFunc("GET /listing/{key}/edit", on(listingPages.listingEdit))
	o.HandleFunc("POST /listing/{key}/edit", on(listingPages.listingSave))
	o.HandleFunc("POST /listing/{key}/keep", on(listingPages.listingKeep))
	o.HandleFunc("POST /listing/{key}/open", on(listingPages.listingOpen))
}

// tier is what this device's member may see: named staff are who holds the safeguarding circle.
func (s listingPages) tier() krama.Tier {
	// Never on a phone, whatever circles its member reads: it is carried where it can be taken.
	if _, ok := s.rep.Kinds()[krama.KindSafeguarding]; ok && s.Host == Desk {
		return krama.TierNamed
	}
	return krama.TierPartner
}

// row is a listing as this device's people may see it.
func (s listingPages) row(e *directory.Entry) dirRow {
	// For refuses the public alone, and this is never asked for the public.
	v, _ := e.For(s.tier(), s.today())
	return dirRow{e, v, hex.EncodeToString(e.Key[:])}
}

// directory lists services that fit a need and a district, those that must be looked at first.
func (s listingPages) directory(w http.ResponseWriter, r *http.Request) {
	f := posted(r)
	// What is no number is 0: any need, everywhere.
	need, _ := strconv.ParseUint(f.Get("need"), 10, 8)
	place, _ := strconv.ParseUint(f.Get("district"), 10, 16)
	all := s.state.Listings()
	var due, rows, closed []dirRow
	for _, e := range directory.Due(all, s.today()) {
		due = append(due, s.row(e))
	}
	for _, e := range all {
		if need != 0 && !e.Needs.Has(uint8(need)) || place != 0 && len(e.Districts) > 0 && !slices.Contains(e.Districts,
			uint16(place)) {
			continue
		}
		if e.Closed {
			closed = append(closed, s.row(e))
			continue
		}
		if s.Host == Phone && e.Status(s.today()) == directory.Hidden && e.Public {
			continue // found wrong or long expired: not for a doorway
		}
		rows = append(rows, s.row(e))
	}
	// By the English name in every language: the order must not change with the language of the page.
	for _, list := range [][]dirRow{rows, closed} {
		slices.SortStableFunc(list, func(a, b dirRow) int {
			return strings.Compare(a.View.Name.In("en"), b.View.Name.In("en"))
		})
	}
	s.page(w, r, 200, "dir.title", "directory", directoryView(f, due, rows, closed))
}

// parseKey reads a listing's id from an address.
func parseKey(s string) (k krama.ListingID, ok bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 16 {
		return k, false
	}
	return krama.ListingID(b), true
}

// find returns the listing of a request, or answers that there is none.
func (s listingPages) find(w http.ResponseWriter, r *http.Request) *directory.Entry {
	k, ok := parseKey(r.PathValue("key"))
	if ok {
		if e := s.state.Listing(k); e != nil {
			return e
		}
	}
	s.notFound(w, r)
	return nil
}

// mayShow keeps that a protected place is looked at, where this desk can see it.
func (s listingPages) mayShow(w http.ResponseWriter, r *http.Request, e *directory.Entry) bool {
	return e.Guarded == nil || s.tier() != krama.TierNamed || s.audited(w, r, krama.AuditPlace, krama.ThreadID{},
		krama.KindSafeguarding)
}

// listing shows one service, if it may be shown here.
func (s listingPages) listing(w http.ResponseWriter, r *http.Request) {
	if e := s.find(w, r); e != nil {
		if !s.mayShow(w, r, e) {
			return
		}
		s.page(w, r, 200, "dir.title", "directory", listingView(s.row(e), s.checkLines(e)))
	}
}

// listingCheck keeps what somebody found: a verification on a desk, a doubt on a phone.
func (s listingPages) listingCheck(w http.ResponseWriter, r *http.Request) {
	e := s.find(w, r)
	if e == nil {
		return
	}
	// Validate refuses a code that is none. From a phone only a doubt is taken: who verifies sits at a telephone.
	says, _ := strconv.ParseUint(posted(r).Get("says"), 10, 8)
	if s.Host == Phone {
		says = uint64(krama.CheckDoubt)
	}
	check := &krama.Check{Key: e.Key, Day: s.today(), Says: uint8(says)}
	// Checks of the same day that its author knew of are named: a verification answers those and no later one.
	for _, c := range e.Checks {
		if c.Day == check.Day && len(check.Seen) < 64 {
			check.Seen = append(check.Seen, c.Record)
		}
	}
	if err := s.writeNew(krama.KindOutreach, krama.SubjectID{}, &krama.Record{Check: check}); err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/listing/"+hex.EncodeToString(e.Key[:]))
}

// writeNew keeps one record under a new id.
func (s *session) writeNew(k krama.CircleKind, who krama.SubjectID, rec *krama.Record) error {
	return office.WriteNew(s.rep, k, who, rec)
}

// listingEdit shows the form of a service, new or as it stands.
func (s listingPages) listingEdit(w http.ResponseWriter, r *http.Request) {
	// A new form begins with an answer to each question of one choice. Police and cost begin with not known.
	f := url.Values{"kind": {"1"}, "operator": {"1"}, "police": {"0"}, "cost": {"0"}}
	if r.PathValue("key") != "" {
		e := s.find(w, r)
		if e == nil || !s.mayShow(w, r, e) {
			return
		}
		f = listingForm(e)
		f.Set("heads", headsOf(e))
	}
	s.page(w, r, 200, "dir.edit", "directory", listingEditView(f, r.URL.Path, listingTrouble{}))
}

// listingSave keeps a service. One that a colleague changed since the form was drawn is not overwritten: both stand
// beside each other until somebody chooses.
func (s listingPages) listingSave(w http.ResponseWriter, r *http.Request) {
	f := posted(r)
	// What can be judged is judged before the first write: the two parts lie in two circles and cannot be kept in one
	// step.
	l, g := readListing(f)
	var e *directory.Entry
	if r.PathValue("key") != "" {
		if e = s.find(w, r); e == nil {
			return
		}
		l.Key, l.Replaces, l.Invented, g.Replaces = e.Key, e.Heads, e.Invented, e.GuardAt
	} else if _, err := io.ReadFull(s.Rand, l.Key[:]); err != nil {
		s.fail(w, r, err)
		return
	}
	g.Key = l.Key
	// Nothing was changed: a second version that says the same would only have to be settled.
	if e != nil && sameListing(e, l, g) {
		redirect(w, r, "/listing/"+hex.EncodeToString(l.Key[:]))
		return
	}
	if now := headsOf(e); f.Has("heads") && f.Get("heads") != now {
		// a colleague changed it, or this form was given back: neither undoes the other unasked
		f.Set("heads", now)
		s.page(w, r, http.StatusConflict, "dir.edit", "directory", listingEditView(f, r.URL.Path,
			listingTrouble{key: "dir.changed", to: "/listing/" + hex.EncodeToString(l.Key[:])}))
		return
	}
	if e == nil {
		if same := s.sameAsKept(l, g); same != nil { // Back drew the form anew, and it was saved again
			redirect(w, r, "/listing/"+hex.EncodeToString(same.Key[:]))
			return
		}
	}
	// An empty guarded part is written too where one stands: otherwise an address could never be taken away.
	guarded := len(g.Phones) > 0 || !g.Address.Empty() || len(g.Replaces) > 0
	_, holds := s.rep.Kinds()[krama.KindSafeguarding]
	trouble := whyNot(f, &l, &g, holds)
	if trouble.key == "" {
		var err error
		if guarded { // first: a shelter without its address is a lesser loss than the other way round
			err = s.writeNew(krama.KindSafeguarding, krama.SubjectID{}, &krama.Record{Guarded: &g})
		}
		if err == nil {
			err = s.writeNew(krama.KindOutreach, krama.SubjectID{}, &krama.Record{Listing: &l})
		}
		if krama.KindOf(err) == krama.TooLarge && err != nil {
			trouble = listingTrouble{key: "dir.tooLong"}
		} else if err != nil {
			s.fail(w, r, err)
			return
		}
	}
	if trouble.key != "" {
		s.page(w, r, 422, "dir.edit", "directory", listingEditView(f, r.URL.Path, trouble))
		return
	}
	redirect(w, r, "/listing/"+hex.EncodeToString(l.Key[:]))
}

// listingKeep settles two versions that stand: the chosen one is written again and replaces all.
func (s listingPages) listingKeep(w http.ResponseWriter, r *http.Request) {
	e := s.find(w, r)
	if e == nil {
		return
	}
	n, err := strconv.Atoi(posted(r).Get("version"))
	if err != nil || n < 0 || n > len(e.Others) {
		s.notFound(w, r)
		return
	}
	// 0 is the version that is shown, the others follow in the order of the page.
	l := e.Listing
	if n > 0 {
		l = *e.Others[n-1]
	}
	l.Replaces = e.Heads
	if err := s.writeNew(krama.KindOutreach, krama.SubjectID{}, &krama.Record{Listing: &l}); err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/listing/"+hex.EncodeToString(e.Key[:]))
}
