package web

import (
	"encoding/hex"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"krama"
	"krama/casework"
	"krama/directory"
	"krama/office"
	"krama/web/http"
)

// directoryRoutes are the directory on a phone and on a desk: looking, and saying that something was wrong.
func (s *Server) directoryRoutes() {
	o := s.open
	o.HandleFunc("GET /directory", on((*Server).directory))
	o.HandleFunc("POST /directory", on((*Server).directory))
	o.HandleFunc("GET /listing/{key}", on((*Server).listing))
	o.HandleFunc("POST /listing/{key}/check", on((*Server).listingCheck))
	o.HandleFunc("GET /person/{id}/refer", on((*Server).refer))
	o.HandleFunc("POST /person/{id}/refer", on((*Server).refer))
	o.HandleFunc("GET /slip/{record}", on((*Server).slip))
	o.HandleFunc("POST /slip/{record}", on((*Server).slipOutcome))
}

// listingPages add changing it, on a desk.
func (s *Server) listingPages() {
	o := s.open
	o.HandleFunc("GET /listing/new", on((*Server).listingEdit))
	o.HandleFunc("POST /listing/new", on((*Server).listingSave))
	o.HandleFunc("GET /listing/{key}/edit", on((*Server).listingEdit))
	o.HandleFunc("POST /listing/{key}/edit", on((*Server).listingSave))
	o.HandleFunc("POST /listing/{key}/keep", on((*Server).listingKeep))
	o.HandleFunc("POST /listing/{key}/open", on((*Server).listingOpen))
}

// dirRow is a listing as staff see it.
type dirRow struct {
	Entry *directory.Entry
	View  directory.View
	Key   string
}

// tier is what this device's member may see: named staff are who holds the safeguarding circle.
func (s *Server) tier() krama.Tier {
	if _, ok := s.rep.Kinds()[krama.KindSafeguarding]; ok && s.Host == Desk {
		return krama.TierNamed
	}
	return krama.TierPartner
}

func (s *Server) row(e *directory.Entry) dirRow {
	v, _ := e.For(s.tier(), s.today())
	return dirRow{e, v, hex.EncodeToString(e.Key[:])}
}

func (s *Server) directory(w http.ResponseWriter, r *http.Request) {
	f := form(r)
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
	for _, list := range [][]dirRow{rows, closed} {
		slices.SortStableFunc(list, func(a, b dirRow) int {
			return strings.Compare(a.View.Name.In("en"), b.View.Name.In("en"))
		})
	}
	s.page(w, r, 200, "dir.title", "directory", directoryView(s, f, due, rows, closed))
}

func parseKey(s string) (k krama.ListingID, ok bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 16 {
		return k, false
	}
	return krama.ListingID(b), true
}

// find returns the listing of a request, or answers that there is none.
func (s *Server) find(w http.ResponseWriter, r *http.Request) *directory.Entry {
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
func (s *Server) mayShow(w http.ResponseWriter, r *http.Request, e *directory.Entry) bool {
	return e.Guarded == nil || s.tier() != krama.TierNamed || s.audited(w, r, krama.AuditPlace, krama.ThreadID{},
		krama.KindSafeguarding)
}

func (s *Server) listing(w http.ResponseWriter, r *http.Request) {
	if e := s.find(w, r); e != nil {
		if !s.mayShow(w, r, e) {
			return
		}
		s.page(w, r, 200, "dir.title", "directory", listingView(s, s.row(e)))
	}
}

// listingCheck keeps what somebody found: a verification on a desk, a doubt on a phone.
func (s *Server) listingCheck(w http.ResponseWriter, r *http.Request) {
	e := s.find(w, r)
	if e == nil {
		return
	}
	says, _ := strconv.ParseUint(form(r).Get("says"), 10, 8)
	if s.Host == Phone {
		says = uint64(krama.CheckDoubt)
	}
	check := &krama.Check{Key: e.Key, Day: s.today(), Says: uint8(says)}
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
func (s *Server) writeNew(k krama.CircleKind, who krama.SubjectID, rec *krama.Record) error {
	return office.WriteNew(s.rep, k, who, rec)
}

func (s *Server) listingEdit(w http.ResponseWriter, r *http.Request) {
	f := url.Values{"kind": {"1"}, "operator": {"1"}, "police": {"0"}, "cost": {"0"}}
	if r.PathValue("key") != "" {
		e := s.find(w, r)
		if e == nil || !s.mayShow(w, r, e) {
			return
		}
		f = listingForm(e)
		f.Set("heads", headsOf(e))
	}
	s.page(w, r, 200, "dir.edit", "directory", listingEditView(s, f, r.URL.Path, listingTrouble{}))
}

// listingForm fills the form from a listing and its guarded part.
func listingForm(e *directory.Entry) url.Values {
	f := url.Values{"kind": {itoa(int(e.Kind))}, "operator": {itoa(int(e.Operator))}, "police": {itoa(int(e.Police))},
		"cost": {itoa(int(e.Cost))}, "source": {e.Source}, "shown": {itoa(int(e.Shown))}}
	for name, x := range map[string]krama.Words{"org": e.Org, "name": e.Name, "about": e.About, "bring": e.Bring,
		"asked": e.Asked, "address": e.Address} {
		f.Set(name+"-km", x.KM)
		f.Set(name+"-en", x.EN)
		f.Set(name+"-vi", x.VI)
	}
	for name, set := range map[string]krama.Set{"need": e.Needs, "language": e.Languages, "welcome": e.Welcome,
		"access": e.Access} {
		for _, c := range set.Codes() {
			f.Add(name, itoa(int(c)))
		}
	}
	for _, d := range e.Districts {
		f.Add("district", itoa(int(d)))
	}
	phones := slices.Clone(e.Phones)
	if e.Guarded != nil {
		phones = append(phones, e.Guarded.Phones...)
		at := "guarded" // beside an address that others may know
		if e.Address.Empty() {
			at = "address"
			if !e.Guarded.Address.Empty() {
				f.Set("shown", "3")
			}
		}
		for lang, x := range map[string]string{"km": e.Guarded.Address.KM, "en": e.Guarded.Address.EN,
			"vi": e.Guarded.Address.VI} {
			if x != "" {
				f.Set(at+"-"+lang, x)
			}
		}
	}
	for i, p := range phones {
		f.Set("phone"+itoa(i), p.Number)
		f.Set("use"+itoa(i), itoa(int(p.Use)))
		f.Set("tier"+itoa(i), itoa(int(p.Tier)))
	}
	n := 0
	for _, h := range krama.Nights(e.Hours) {
		if h.Open == 0 && h.Close == 1440 && h.Days == 0xfe {
			f.Set("always", "yes")
			continue
		}
		row := formRow(n)
		for _, d := range h.Days.Codes() {
			f.Add("day"+row, itoa(int(d)))
		}
		f.Set("open"+row, krama.Clock(h.Open))
		f.Set("close"+row, krama.Clock(h.Close))
		n++
	}
	if e.Public {
		f.Set("public", "yes")
	}
	if e.Closed {
		f.Set("closed", "yes")
	}
	return f
}

func minutes(s string) (uint16, bool) {
	h, m, ok := strings.Cut(s, ":")
	a, err1 := strconv.ParseUint(h, 10, 8)
	b, err2 := strconv.ParseUint(m, 10, 8)
	return uint16(a*60 + b), ok && err1 == nil && err2 == nil && a < 25 && b < 60
}

// formRow names the fields of the n-th set of hours in the form.
func formRow(n int) string {
	if n == 0 {
		return ""
	}
	return itoa(n)
}

// formPhones and formHours are how many numbers and sets of hours the form shows: all there are and one more, four
// numbers at least.
func formPhones(f url.Values) int {
	n := 0
	for i := range 2 * krama.MaxPhones {
		if f.Get("phone"+itoa(i)) != "" {
			n = i + 1
		}
	}
	return min(max(4, n+1), 2*krama.MaxPhones)
}

func formHours(f url.Values) int {
	n := 0
	for i := range krama.MaxHours {
		if len(f["day"+formRow(i)]) > 0 {
			n = i + 1
		}
	}
	return min(n+1, krama.MaxHours)
}

// readListing reads the form into the part that every phone may hold and the part that only named staff may.
func readListing(f url.Values) (l krama.Listing, g krama.Guarded) {
	code := func(name string) uint8 { n, _ := strconv.ParseUint(f.Get(name), 10, 8); return uint8(n) }
	set := func(name string) krama.Set { return readSet(f[name]) }
	words := func(name string) krama.Words {
		in := func(lang string) string { return krama.Line(f.Get(name + "-" + lang)) }
		return krama.Words{EN: in("en"), KM: in("km"), VI: in("vi")}
	}
	l = krama.Listing{Kind: code("kind"), Org: words("org"), Name: words("name"), About: words("about"),
		Operator: code("operator"), Needs: set("need"), Languages: set("language"),
		Welcome: set("welcome"), Cost: code("cost"), Bring: words("bring"), Asked: words("asked"),
		Access: set("access"), Police: code("police"), Source: krama.Line(f.Get("source")),
		Public: f.Get("public") == "yes", Closed: f.Get("closed") == "yes"}
	if l.Operator == krama.OperatorPolice {
		l.Police = krama.PoliceIs
	} else if l.Police == krama.PoliceIs {
		l.Police = krama.PoliceUnknown
	}
	for _, v := range f["district"] {
		if n, err := strconv.ParseUint(v, 10, 16); err == nil && n != 0 {
			l.Districts = append(l.Districts, uint16(n))
		}
	}
	g.Address = words("guarded")
	if a := words("address"); !a.Empty() {
		if tier := krama.Tier(code("shown")); l.Kind == krama.KindShelter || tier == krama.TierNamed || tier == 0 {
			g.Address = a
		} else {
			l.Address, l.Shown = a, tier
		}
	}
	for i := range 2 * krama.MaxPhones {
		p := krama.Phone{Number: strings.Join(strings.Fields(strings.ReplaceAll(krama.Plain(f.Get("phone"+itoa(i))),
			"-", " ")), " "), Use: code("use" + itoa(i)), Tier: krama.Tier(code("tier" + itoa(i)))}
		switch {
		case p.Number == "":
		case p.Tier == krama.TierNamed:
			g.Phones = append(g.Phones, p)
		default:
			l.Phones = append(l.Phones, p)
		}
	}
	if f.Get("always") == "yes" {
		l.Hours = append(l.Hours, krama.Hours{Days: 0xfe, Open: 0, Close: 1440})
	}
	for i := range krama.MaxHours {
		row := formRow(i)
		days := set("day" + row)
		if days == 0 {
			continue
		}
		open, ok1 := minutes(f.Get("open" + row))
		shut, ok2 := minutes(f.Get("close" + row))
		if !ok1 || !ok2 {
			shut = open // refused by Validate
		}
		l.Hours = append(l.Hours, krama.Spans(days, open, shut)...)
	}
	return l, g
}

// sameListing reports whether a form says what stands already: then nothing is written.
func sameListing(e *directory.Entry, l krama.Listing, g krama.Guarded) bool {
	if e.Starter || len(e.Others) > 0 || len(e.Guards) > 1 {
		return false
	}
	f, is := listingForm(e), &directory.Entry{Listing: l, Guarded: &g}
	return f.Encode() == listingForm(is).Encode()
}

// sameAsKept finds a listing that says just what a new one does.
func (s *Server) sameAsKept(l krama.Listing, g krama.Guarded) *directory.Entry {
	for _, e := range s.state.Listings() {
		if e.Name == l.Name && e.Org == l.Org && sameListing(e, l, g) {
			return e
		}
	}
	return nil
}

func (s *Server) listingSave(w http.ResponseWriter, r *http.Request) {
	f := form(r)
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
	if e != nil && sameListing(e, l, g) {
		redirect(w, r, "/listing/"+hex.EncodeToString(l.Key[:]))
		return
	}
	if now := headsOf(e); f.Has("heads") && f.Get("heads") != now {
		// a colleague changed it, or this form was given back: neither undoes the other unasked
		f.Set("heads", now)
		s.page(w, r, http.StatusConflict, "dir.edit", "directory", listingEditView(s, f, r.URL.Path,
			listingTrouble{key: "dir.changed", to: "/listing/" + hex.EncodeToString(l.Key[:])}))
		return
	}
	if e == nil {
		if same := s.sameAsKept(l, g); same != nil { // Back drew the form anew, and it was saved again
			redirect(w, r, "/listing/"+hex.EncodeToString(same.Key[:]))
			return
		}
	}
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
		s.page(w, r, 422, "dir.edit", "directory", listingEditView(s, f, r.URL.Path, trouble))
		return
	}
	redirect(w, r, "/listing/"+hex.EncodeToString(l.Key[:]))
}

// listingKeep settles two versions that stand: the chosen one is written again and replaces all.
func (s *Server) listingKeep(w http.ResponseWriter, r *http.Request) {
	e := s.find(w, r)
	if e == nil {
		return
	}
	n, err := strconv.Atoi(form(r).Get("version"))
	if err != nil || n < 0 || n > len(e.Others) {
		s.notFound(w, r)
		return
	}
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

// refer asks where a person is sent, and makes the slip.
func (s *Server) refer(w http.ResponseWriter, r *http.Request) {
	who, err := krama.ParseSubjectID(r.PathValue("id"))
	v, ok := s.state.Person(who, s.today())
	if err != nil || !ok {
		s.notFound(w, r)
		return
	}
	f := form(r)
	need, _ := strconv.ParseUint(f.Get("need"), 10, 8)
	if k, ok := parseKey(f.Get("listing")); ok {
		e := s.state.Listing(k)
		if e == nil {
			s.notFound(w, r)
			return
		}
		s.saving.Lock()
		defer s.saving.Unlock()
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
	s.page(w, r, 200, "refer.title", "people", referView(s, &v, uint8(need), rows, rid.String()))
}

func (s *Server) slip(w http.ResponseWriter, r *http.Request) {
	if ref, ok := s.findReferral(r); ok {
		if e := s.state.Listing(ref.Listing); e != nil {
			if v, ok := e.For(krama.TierPartner, s.today()); ok {
				s.page(w, r, 200, "refer.slip", "people", slipView(s, ref, v))
				return
			}
		}
	}
	s.notFound(w, r)
}

func (s *Server) findReferral(r *http.Request) (ref casework.Referral, ok bool) {
	id, err := krama.ParseRecordID(r.PathValue("record"))
	for _, ref := range s.state.Referrals(krama.SubjectID{}) {
		if err == nil && ref.Record == id {
			return ref, true
		}
	}
	return ref, false
}

// told are the outcomes that staff hear of by themselves.
var told = []uint8{krama.OutcomeDone, krama.OutcomeCouldNot, krama.OutcomeWithdrawn}

// slipOutcome keeps what she or the service told staff.
func (s *Server) slipOutcome(w http.ResponseWriter, r *http.Request) {
	ref, ok := s.findReferral(r)
	what, err := strconv.ParseUint(form(r).Get("what"), 10, 8)
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

// listingName is what a referral was to.
func (s *Server) listingName(k krama.ListingID, lang string) string {
	if e := s.state.Listing(k); e != nil {
		return e.Name.In(lang)
	}
	return "–"
}
