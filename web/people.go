package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"krama"
	"krama/casework"
	"krama/web/http"
)

// due are the people whose next contact is within three days, or is late.
func (s *session) due() []casework.Row { return s.state.Due(s.today(), s.today()+3) }

// home is the first page of an open device: who is due, and what has not been sent.
func (s peoplePages) home(w http.ResponseWriter, r *http.Request) {
	n, _ := s.state.Counts()
	s.page(w, r, 200, "nav.home", "home", homeView(s.due(), n))
}

// people lists whom this device knows. What is looked for travels in the body of a form: a code in an address would
// stay in the browser's history.
func (s peoplePages) people(w http.ResponseWriter, r *http.Request) {
	f := posted(r)
	q := search{Text: strings.TrimSpace(krama.Plain(f.Get("q"))), NotSeen: f.Get("seen") == "not",
		Due: f.Get("seen") == "due"}
	d, _ := strconv.ParseUint(f.Get("district"), 10, 16)
	q.District = uint16(d)
	rows := s.state.Rows(s.today())
	if q.Due {
		rows = s.due()
	}
	if q.Text != "" {
		// A whole code leads to her page. Where two people have it, or nobody, the list shows so.
		if code, err := krama.ParseCode(q.Text); err == nil {
			found := s.state.Find(code)
			if len(found) == 1 {
				redirect(w, r, "/person/"+found[0].String())
				return
			}
			rows = slices.DeleteFunc(rows, func(r casework.Row) bool { return r.Code != code })
			s.page(w, r, 200, "people.title", "people", peopleView(q, rows))
			return
		} else if part := codePart(q.Text); len(part) >= 6 {
			// As long as a code and mistyped: a list of whoever is near it would lead to somebody else.
			q.Bad, rows = true, nil
		} else {
			rows = slices.DeleteFunc(rows, func(r casework.Row) bool {
				return !strings.HasPrefix(string(r.Code), part)
			})
		}
	}
	// A district is that of her last contact, or of her registration while there is none.
	before := s.today() - notSeenDays
	rows = slices.DeleteFunc(rows, func(r casework.Row) bool {
		return (q.District != 0 && r.District != q.District) || (q.NotSeen && r.Last > before)
	})
	s.page(w, r, 200, "people.title", "people", peopleView(q, rows))
}

// codePart is the beginning of a code as ParseCode reads one: any case, O for 0, I and L for 1.
func codePart(s string) string {
	return strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(krama.Plain(s)))
}

// personNew shows the form of a registration. Her id is drawn with the form and lies in its draft, so that a form that
// is sent twice registers one person.
func (s peoplePages) personNew(w http.ResponseWriter, r *http.Request) {
	if !s.mayBegin() { // losing every device would lose her: recovery comes first
		s.page(w, r, 200, "person.new", "people", firstView())
		return
	}
	f := s.savedDraft("/person/new")
	if who, err := s.rep.NewSubject(); err == nil && f.Get("sid") == "" {
		f.Set("sid", who.String())
	}
	// Of a new form the id is the one field there is: it alone is no draft.
	s.page(w, r, 200, "person.new", "people", personForm(f, formState{Action: "/person/new",
		Drafted: len(f) > 1},
		nil))
}

// personCreate keeps a registration and what she said about each purpose, all or none. If she says no to being
// recorded, nothing of her is kept.
func (s peoplePages) personCreate(w http.ResponseWriter, r *http.Request) {
	f := posted(r)
	if !s.mayBegin() {
		s.personNew(w, r)
		return
	}
	// The code is drawn here and never shown before: a form that is left has used up none.
	p, err := readPerson(f)
	if err == nil {
		p.Registered = s.today()
		p.Code, err = s.newCode()
	}
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		s.page(w, r, 422, "person.new", "people", personForm(f, formState{Action: "/person/new", Bad: true,
			Wrong: personWrong(f)}, nil))
		return
	}
	// Back can bring a form whose person is registered by now, and in it her no.
	if who, err := krama.ParseSubjectID(f.Get("sid")); err == nil && f.Get("consent-record") == "no" {
		if _, there := s.state.Person(who, s.today()); there {
			// kept before, by this form: it is erased, once somebody has made sure
			redirect(w, r, "/person/"+who.String()+"/erase")
			return
		}
	}
	if f.Get("consent-record") == "no" { // she decides, also that there is no record
		s.dropDraft("/person/new")
		s.page(w, r, 200, "person.new", "people", notice("person.notKept"))
		return
	}
	// Held from the look to the write: of two taps the second finds her.
	s.saving.Lock()
	defer s.saving.Unlock()
	who, err := krama.ParseSubjectID(f.Get("sid")) // a form sent twice is one person
	if v, there := s.state.Person(who, s.today()); err == nil && there {
		if samePerson(&v, p, f) {
			redirect(w, r, "/person/"+who.String())
			return
		}
		if who, err = s.rep.NewSubject(); err == nil {
			// the browser's Back gave the form again, and it was changed: she decides
			f.Set("sid", who.String())
		}
		s.page(w, r, http.StatusConflict, "person.new", "people", personForm(f,
			formState{Action: "/person/new",
				Saved: "/person/" + v.Subject.String(), Code: v.Value.Code}, nil))
		return
	}
	// Under the id of somebody who was erased nothing is kept any more: who comes again is registered anew.
	if err != nil || who == (krama.SubjectID{}) || s.rep.Erasing().Erased(krama.KindOutreach, who) {
		if who, err = s.rep.NewSubject(); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	// A purpose that was not asked about has no record, which is neither yes nor no.
	recs := []*krama.Record{{Person: p}}
	for _, t := range krama.Purposes {
		if v := f.Get("consent-" + t.Key); v != "" {
			recs = append(recs, &krama.Record{Consent: &krama.Consent{Purpose: t.Code, Given: v == "yes",
				Date: s.today()}})
		}
	}
	if err := s.write(who, recs...); err != nil {
		s.fail(w, r, err)
		return
	}
	s.dropDraft("/person/new")
	redirect(w, r, "/person/"+who.String())
}

// samePerson reports whether a form says what was kept under its id before.
func samePerson(v *casework.View, p *krama.Person, f url.Values) bool {
	// A code and a day are drawn anew each time the form is sent.
	was := v.Value
	was.Code, was.Registered = p.Code, p.Registered
	for _, t := range krama.Purposes {
		was, asked := v.Consents[t.Code]
		if said := f.Get("consent-" + t.Key); said != "" && (!asked || was.Given != (said == "yes")) {
			// a no to what was not asked is a word, too
			return false
		}
	}
	return was == *p
}

// newCode draws a code nobody here has.
func (s peoplePages) newCode() (krama.Code, error) {
	for {
		// Of 33 million codes a programme uses few, so the loop hardly ever turns twice. Two phones may draw the same
		// while neither knows of the other, and recode settles it.
		c, err := krama.NewCode(s.Rand)
		if err != nil {
			return "", err
		}
		if len(s.state.Find(c)) == 0 {
			return c, nil
		}
	}
}

// write gives records their ids and keeps them.
func (s *session) write(who krama.SubjectID, recs ...*krama.Record) error {
	// New ids: what has to be found again under its own id is written elsewhere.
	for _, rec := range recs {
		id, err := s.rep.NewRecord()
		if err != nil {
			return err
		}
		rec.ID = id
	}
	return s.rep.Write(krama.KindOutreach, who, recs...)
}

// view finds the person that an address names, as she is today. Otherwise it answers that there is none, and reports
// false.
func (s *session) view(w http.ResponseWriter, r *http.Request) (casework.View, bool) {
	id, err := krama.ParseSubjectID(r.PathValue("id"))
	if err != nil {
		s.notFound(w, r)
		return casework.View{}, false
	}
	v, ok := s.state.Person(id, s.today())
	if !ok {
		s.notFound(w, r)
	}
	return v, ok
}

// person shows a person: who she is, what happened with her, what two people disagree about, and where she was sent.
func (s peoplePages) person(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	var namesakes []casework.View
	for _, id := range v.Namesakes {
		if n, ok := s.state.Person(id, s.today()); ok {
			namesakes = append(namesakes, n)
		}
	}
	s.page(w, r, 200, "people.title", "people", personView(&v, namesakes, s.referralLines(v.Subject)))
}

// recode gives somebody a new code: two people must not be called the same. The one who was registered first keeps
// hers.
func (s peoplePages) recode(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	if v, ok = s.view(w, r); !ok { // as it is now: a second tap finds nobody of her code
		return
	}
	if v.Later {
		// Only the code changes: everything about her is kept under her id.
		code, err := s.newCode()
		if err == nil {
			err = s.amend(v.Subject, v.Record, s.change(nil, v.Record, 1, v.Value.Code, code, nil))
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
	}
	redirect(w, r, "/person/"+v.Subject.String())
}

// consent keeps what she said about a purpose today. It replaces what this device knows that she said before.
func (s peoplePages) consent(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	f := posted(r)
	n, _ := strconv.ParseUint(f.Get("purpose"), 10, 8)
	if !krama.Known(krama.Purposes, uint8(n)) {
		s.notFound(w, r)
		return
	}
	if uint8(n) == krama.PurposeRecord && f.Get("given") != "yes" {
		// no record means none: it is erased, once somebody has made sure
		redirect(w, r, "/person/"+v.Subject.String()+"/erase")
		return
	}
	rec := &krama.Record{Consent: &krama.Consent{Purpose: uint8(n), Given: f.Get("given") == "yes", Date: s.today(),
		Replaces: s.state.Said(v.Subject, uint8(n))}}
	if err := s.write(v.Subject, rec); err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/person/"+v.Subject.String())
}

// readPerson reads the form of a registration. A question that was not answered is Invalid; personWrong tells which.
func readPerson(f url.Values) (*krama.Person, error) {
	p := &krama.Person{}
	var err error
	num := func(key string) uint8 {
		n, e := strconv.ParseUint(f.Get(key), 10, 8)
		if e != nil {
			err = krama.E("web.readPerson", krama.Invalid, key)
		}
		return uint8(n)
	}
	p.Gender, p.Age, p.Category = num("gender"), num("age"), num("category")
	p.Languages = readSet(f["language"])
	d, e := strconv.ParseUint(f.Get("district"), 10, 16)
	if e != nil {
		err = krama.E("web.readPerson", krama.Invalid, "district")
	}
	p.District = uint16(d)
	return p, err
}

// personValues is a registration as its form shows it.
func personValues(p *krama.Person) url.Values {
	f := url.Values{}
	f.Set("gender", strconv.Itoa(int(p.Gender)))
	f.Set("age", strconv.Itoa(int(p.Age)))
	f.Set("category", strconv.Itoa(int(p.Category)))
	f.Set("district", strconv.Itoa(int(p.District)))
	writeSet(f, "language", p.Languages)
	return f
}

// readSet reads ticked boxes. Numbers up to 63 fit into a Set, others are passed over; whether they mean anything is
// for Validate.
func readSet(vals []string) (s krama.Set) {
	for _, v := range vals {
		if n, err := strconv.ParseUint(v, 10, 6); err == nil {
			s = s.With(uint8(n))
		}
	}
	return s
}

// writeSet ticks the boxes that readSet reads.
func writeSet(f url.Values, key string, s krama.Set) {
	for _, c := range s.Codes() {
		f.Add(key, strconv.Itoa(int(c)))
	}
}
