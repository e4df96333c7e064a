package web

import (
	"slices"
	"strconv"

	"krama"
	"krama/casework"
	"krama/directory"
	"krama/web/http"
)

// referralRoutes are referring somebody, and her slips, on a phone and on a desk.
func (s *Server) referralRoutes() {
	o := s.open
	o.HandleFunc("GET /person/{id}/refer", on(listingPages.refer))
	o.HandleFunc("POST /person/{id}/refer", on(listingPages.refer))
	o.HandleFunc("GET /slip/{record}", on(listingPages.slip))
	o.HandleFunc("POST /slip/{record}", on(listingPages.slipOutcome))
}

// refer asks where a person is sent, and makes the slip.
func (s listingPages) refer(w http.ResponseWriter, r *http.Request) {
	// One page for two steps: without a listing it shows what fits a need, with one it makes the slip.
	who, err := krama.ParseSubjectID(r.PathValue("id"))
	v, ok := s.state.Person(who, s.today())
	if err != nil || !ok {
		s.notFound(w, r)
		return
	}
	f := posted(r)
	need, _ := strconv.ParseUint(f.Get("need"), 10, 8)
	trouble := ""
	if f.Get("for") != "" {
		// A record refuses the same, too late for a sentence about the day.
		if d, err := krama.ParseDay(f.Get("for")); err != nil || d < s.today() || d > s.today()+365 {
			trouble = "refer.past"
			f.Del("listing") // the form comes back, with what was chosen
		}
	}
	if k, ok := parseKey(f.Get("listing")); ok {
		e := s.state.Listing(k)
		if e == nil {
			s.notFound(w, r)
			return
		}
		s.saving.Lock()
		defer s.saving.Unlock()
		// The referral's id was drawn with the page, so that a form that is sent twice is one slip.
		rid, err := krama.ParseRecordID(f.Get("rid"))
		if err != nil {
			s.notFound(w, r)
			return
		}
		ref := &krama.Referral{Listing: k, Day: s.today()}
		if d, err := krama.ParseDay(f.Get("for")); err == nil {
			ref.For = d
		}
		for _, old := range s.state.Referrals(who) {
			if old.Record != rid {
				continue
			}
			if old.Listing == k && old.For == ref.For { // sent twice
				redirect(w, r, "/slip/"+rid.String())
				return
			}
			if rid, err = s.rep.NewRecord(); err != nil {
				// the form came back, and another service was chosen: a slip of its own
				s.fail(w, r, err)
				return
			}
		}
		// Random, and drawn when the slip is kept: it says nothing about her.
		if ref.Code, err = krama.NewSlipCode(s.Rand); err == nil {
			err = s.rep.Write(krama.KindOutreach, who, &krama.Record{ID: rid, Referral: ref})
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		redirect(w, r, "/slip/"+rid.String())
		return
	}
	var rows []dirRow
	if need != 0 {
		var views []directory.View
		byKey := map[krama.ListingID]*directory.Entry{}
		for _, e := range s.state.Listings() {
			// As staff may see it, also on the desk of who may see more: a slip leaves the house. What is closed, found
			// wrong or long expired is nowhere to send somebody.
			if v, ok := e.For(krama.TierPartner, s.today()); ok && e.Status(s.today()) != directory.Hidden {
				views = append(views, v)
				byKey[e.Key] = e
			}
		}
		for _, v := range directory.Answers(views, uint8(need), v.Value.District) {
			rows = append(rows, s.row(byKey[v.Key]))
		}
	}
	rid, err := s.rep.NewRecord()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	// To the sentence of a 422 the phone's script scrolls.
	status := 200
	if trouble != "" {
		status = 422
	}
	s.page(w, r, status, "refer.title", "people", referView(&v, uint8(need), rows, rid.String(),
		trouble))
}

// slip shows a referral's slip, to be copied or printed: nothing on it says who she is or why she goes.
func (s listingPages) slip(w http.ResponseWriter, r *http.Request) {
	if ref, ok := s.findReferral(r); ok {
		if e := s.state.Listing(ref.Listing); e != nil {
			// The page prints public numbers and a public address of it, and no more.
			if v, ok := e.For(krama.TierPartner, s.today()); ok {
				s.page(w, r, 200, "refer.slip", "people", slipView(ref, v))
				return
			}
		}
	}
	s.notFound(w, r)
}

// findReferral finds the referral that an address names.
func (s listingPages) findReferral(r *http.Request) (ref casework.Referral, ok bool) {
	id, err := krama.ParseRecordID(r.PathValue("record"))
	// The address does not say whose it is: a slip is found by its own id, among those of all.
	for _, ref := range s.state.Referrals(krama.SubjectID{}) {
		if err == nil && ref.Record == id {
			return ref, true
		}
	}
	return ref, false
}

// slipOutcome keeps what she or the service told staff.
func (s listingPages) slipOutcome(w http.ResponseWriter, r *http.Request) {
	ref, ok := s.findReferral(r)
	what, err := strconv.ParseUint(posted(r).Get("what"), 10, 8)
	// Accepted is for the service to say, on the public page.
	if !ok || err != nil || !slices.Contains(told, uint8(what)) {
		s.notFound(w, r)
		return
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	if err := s.office.KeepOutcome(ref, uint8(what), s.today()); err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/person/"+ref.Subject.String())
}

// referralLines are a person's referrals and what each was to.
func (s *session) referralLines(of krama.SubjectID) (out []referralLine) {
	for _, ref := range s.state.Referrals(of) {
		out = append(out, referralLine{ref, s.state.Listing(ref.Listing)})
	}
	return out
}
