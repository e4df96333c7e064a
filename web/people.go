package web

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"krama"
	"krama/casework"
	"krama/web/http"
)

func (s *Server) today() krama.Day { return krama.DayOf(s.Now()) }

// shownDue is how many due people the first page lists.
const shownDue = 8

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	due := s.state.Due(s.today(), s.today()+3)
	n, _ := s.state.Counts()
	s.page(w, r, 200, "nav.home", "home", homeView(s, due, n))
}

// search is what a list of people is narrowed by.
type search struct {
	Text     string
	District uint16
	NotSeen  bool
	Bad      bool
}

// shownPeople bounds a list: a phone draws hundreds of rows slowly and nobody reads them.
const shownPeople = 60

// notSeenDays is when somebody counts as not seen: the programme's quarter.
const notSeenDays = 90

func (s *Server) people(w http.ResponseWriter, r *http.Request) {
	f := form(r)
	q := search{Text: strings.TrimSpace(krama.Plain(f.Get("q"))), NotSeen: f.Get("seen") == "not"}
	d, _ := strconv.ParseUint(f.Get("district"), 10, 16)
	q.District = uint16(d)
	rows := s.state.Rows(s.today())
	if q.Text != "" {
		if code, err := krama.ParseCode(q.Text); err == nil {
			found := s.state.Find(code)
			if len(found) == 1 {
				redirect(w, r, "/person/"+found[0].String())
				return
			}
			rows = slices.DeleteFunc(rows, func(r casework.Row) bool { return r.Code != code })
			s.page(w, r, 200, "people.title", "people", peopleView(s, q, rows))
			return
		} else if part := codePart(q.Text); len(part) >= 6 {
			q.Bad, rows = true, nil
		} else {
			rows = slices.DeleteFunc(rows, func(r casework.Row) bool {
				return !strings.HasPrefix(string(r.Code), part)
			})
		}
	}
	before := s.today() - notSeenDays
	rows = slices.DeleteFunc(rows, func(r casework.Row) bool {
		return (q.District != 0 && r.District != q.District) || (q.NotSeen && r.Last > before)
	})
	s.page(w, r, 200, "people.title", "people", peopleView(s, q, rows))
}

func codePart(s string) string {
	return strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(krama.Plain(s)))
}

func (s *Server) personNew(w http.ResponseWriter, r *http.Request) {
	if !s.mayBegin() { // losing every device would lose her: recovery comes first
		s.page(w, r, 200, "person.new", "people", firstView())
		return
	}
	f := s.savedDraft("/person/new")
	if who, err := s.rep.NewSubject(); err == nil && f.Get("sid") == "" {
		f.Set("sid", who.String())
	}
	s.page(w, r, 200, "person.new", "people", personForm(s, f, formState{Action: "/person/new", Drafted: len(f) > 1},
		nil))
}

func (s *Server) personCreate(w http.ResponseWriter, r *http.Request) {
	f := form(r)
	if !s.mayBegin() {
		s.personNew(w, r)
		return
	}
	p, err := readPerson(f)
	if err == nil {
		p.Registered = s.today()
		p.Code, err = s.newCode()
	}
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		s.page(w, r, 422, "person.new", "people", personForm(s, f, formState{Action: "/person/new", Bad: true,
			Wrong: personWrong(f)}, nil))
		return
	}
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
		s.page(w, r, http.StatusConflict, "person.new", "people", personForm(s, f, formState{Action: "/person/new",
			Saved: "/person/" + v.Subject.String(), Code: v.Value.Code}, nil))
		return
	}
	if err != nil || who == (krama.SubjectID{}) || s.rep.Erased(krama.KindOutreach, who) {
		if who, err = s.rep.NewSubject(); err != nil {
			s.fail(w, r, err)
			return
		}
	}
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
func (s *Server) newCode() (krama.Code, error) {
	for {
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
func (s *Server) write(who krama.SubjectID, recs ...*krama.Record) error {
	for _, rec := range recs {
		id, err := s.rep.NewRecord()
		if err != nil {
			return err
		}
		rec.ID = id
	}
	return s.rep.Write(krama.KindOutreach, who, recs...)
}

func (s *Server) view(w http.ResponseWriter, r *http.Request) (casework.View, bool) {
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

func (s *Server) person(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.view(w, r); ok {
		s.page(w, r, 200, "people.title", "people", personView(s, &v))
	}
}

func (s *Server) personAmend(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.view(w, r); ok {
		f, st := s.correction(r.URL.Path, v.Record, personValues(&v.Value))
		s.page(w, r, 200, "person.amend", "people", personForm(s, f, st, &v))
	}
}

func (s *Server) personAmendSave(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	f := form(r)
	p, err := readPerson(f)
	if err == nil {
		p.Code, p.Registered = v.Value.Code, v.Value.Registered
		err = p.Validate()
	}
	if err != nil {
		s.page(w, r, 422, "person.amend", "people", personForm(s, f, formState{Action: r.URL.Path, Bad: true,
			Wrong: personWrong(f)}, &v))
		return
	}
	was := &v.Value
	if seen, e := readPerson(shownBefore(f)); e == nil { // what a colleague changed since is left as it is
		was = seen
	}
	var ch []krama.Change
	seen := headsBefore(f)
	add := func(n uint8, was, is any) { ch = s.change(ch, v.Record, n, was, is, seen) }
	add(2, was.Gender, p.Gender)
	add(3, was.Age, p.Age)
	add(4, was.Languages, p.Languages)
	add(5, was.Category, p.Category)
	add(6, was.District, p.District)
	if err := s.amend(v.Subject, v.Record, ch); err != nil {
		s.fail(w, r, err)
		return
	}
	s.dropDraft(r.URL.Path)
	redirect(w, r, "/person/"+v.Subject.String())
}

// correction fills a form that corrects a record: with what was typed before, if it was not sent, and else with what is
// kept. It carries what is shown, so that only what she changes is written.
func (s *Server) correction(path string, target krama.RecordID, kept url.Values) (url.Values, formState) {
	st := formState{Action: path, Correct: true}
	f := s.savedDraft(path)
	if st.Drafted = len(f) > 0; !st.Drafted {
		f = maps.Clone(kept)
	}
	if f.Get("was") == "" {
		f.Set("was", kept.Encode())
		f.Set("heads", s.headsOf(target))
	}
	return f, st
}

// headsOf names the standing values of a record's fields, as a correction's form carries them: field by field, "!"
// where what stands is not shown because it cannot stand with the others.
func (s *Server) headsOf(target krama.RecordID) string {
	var out []string
	for n := uint8(1); n <= 11; n++ {
		line := itoa(int(n)) + ":"
		if s.state.Refused(target, n) {
			line += "!"
		}
		for _, id := range s.state.Heads(target, n) {
			line += id.String()
		}
		out = append(out, line)
	}
	return strings.Join(out, " ")
}

// seenHead is what stood of a field when a form was opened.
type seenHead struct {
	heads   []krama.RecordID
	refused bool
}

// headsBefore reads what headsOf wrote. What is not whole is as if it were not there.
func headsBefore(f url.Values) map[uint8]seenHead {
	out := map[uint8]seenHead{}
	for _, line := range strings.Fields(f.Get("heads")) {
		field, ids, _ := strings.Cut(line, ":")
		n, err := strconv.ParseUint(field, 10, 8)
		var h seenHead
		ids, h.refused = strings.CutPrefix(ids, "!")
		for ; err == nil && len(ids) >= 32 && len(h.heads) < krama.MaxReplaces; ids = ids[32:] {
			var id krama.RecordID
			id, err = krama.ParseRecordID(ids[:32])
			h.heads = append(h.heads, id)
		}
		if err == nil && len(h.heads) > 0 {
			out[uint8(n)] = h
		}
	}
	return out
}

// shownBefore is what a correction's form showed when it was opened.
func shownBefore(f url.Values) url.Values {
	was, err := url.ParseQuery(f.Get("was"))
	if err != nil {
		return nil
	}
	return was
}

// change adds a change when a value differs, naming the values it replaces: those that stood when the form was opened,
// so that what came since stands beside it and is asked about.
func (s *Server) change(ch []krama.Change, target krama.RecordID, n uint8, was, is any,
	seen map[uint8]seenHead) []krama.Change {
	at, ok := seen[n]
	if !ok {
		at = seenHead{s.state.Heads(target, n), s.state.Refused(target, n)}
	}
	if was == is && !at.refused {
		return ch
	}
	raw, err := krama.EncodeValue(is)
	if err != nil {
		return ch
	}
	return append(ch, krama.Change{Field: n, Value: raw, Replaces: at.heads})
}

func (s *Server) amend(who krama.SubjectID, target krama.RecordID, ch []krama.Change) error {
	if len(ch) == 0 {
		return nil
	}
	return s.write(who, &krama.Record{Amend: &krama.Amend{Target: target, Date: s.today(), Changes: ch}})
}

// settle ends a dispute: the chosen value replaces every standing one.
func (s *Server) settle(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	f := form(r)
	target, err1 := krama.ParseRecordID(f.Get("target"))
	head, err2 := krama.ParseRecordID(f.Get("head"))
	n, err3 := strconv.ParseUint(f.Get("field"), 10, 8)
	if err1 != nil || err2 != nil || err3 != nil {
		s.notFound(w, r)
		return
	}
	for _, d := range v.Disputes {
		if d.Target != target || d.Field != uint8(n) {
			continue
		}
		for _, h := range d.Heads {
			if h.Record == head && h.Value != nil {
				ch := []krama.Change{{Field: d.Field, Value: h.Value, Replaces: s.state.Heads(target, d.Field)}}
				if err := s.amend(v.Subject, target, ch); err != nil {
					s.fail(w, r, err)
					return
				}
			}
		}
	}
	redirect(w, r, "/person/"+v.Subject.String())
}

// recode gives somebody a new code: two people must not be called the same. The one who was registered first keeps
// hers.
func (s *Server) recode(w http.ResponseWriter, r *http.Request) {
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

func (s *Server) consent(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	f := form(r)
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

func personValues(p *krama.Person) url.Values {
	f := url.Values{}
	f.Set("gender", strconv.Itoa(int(p.Gender)))
	f.Set("age", strconv.Itoa(int(p.Age)))
	f.Set("category", strconv.Itoa(int(p.Category)))
	f.Set("district", strconv.Itoa(int(p.District)))
	writeSet(f, "language", p.Languages)
	return f
}

func readSet(vals []string) (s krama.Set) {
	for _, v := range vals {
		if n, err := strconv.ParseUint(v, 10, 6); err == nil {
			s = s.With(uint8(n))
		}
	}
	return s
}

func writeSet(f url.Values, key string, s krama.Set) {
	for _, c := range s.Codes() {
		f.Add(key, strconv.Itoa(int(c)))
	}
}

// draft keeps a half-filled form, sealed with the device's other secrets, so that locking never loses typing.
func (s *Server) draft(w http.ResponseWriter, r *http.Request) {
	f := form(r)
	path := f.Get("draft-of")
	f.Del("draft-of")
	key := s.draftKey(path)
	if !draftable(path) || key == "" {
		s.notFound(w, r)
		return
	}
	if err := s.rep.SetValue(key, f.Encode()); err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// draftable reports whether a form's drafts are kept: registrations, contacts and their corrections.
func draftable(path string) bool {
	part := strings.Split(path, "/")
	switch {
	case path == "/person/new":
		return true
	case len(part) == 4 && part[0] == "" && part[1] == "person" && (part[3] == "contact" || part[3] == "amend"):
		_, err := krama.ParseSubjectID(part[2])
		return err == nil
	case len(part) == 3 && part[0] == "" && part[1] == "contact":
		_, err := krama.ParseRecordID(part[2])
		return err == nil
	}
	return false
}

// draftKey names the value that holds a form's draft. It names whom the form is about: erasing her erases it. It is ""
// where nobody here has such a record.
func (s *Server) draftKey(path string) string {
	if id, ok := strings.CutPrefix(path, "/contact/"); ok {
		rec, err := krama.ParseRecordID(id)
		c, there := s.state.Contact(rec)
		if err != nil || !there {
			return ""
		}
		return "draft " + path + " of " + c.Subject.String()
	}
	if id, ok := strings.CutPrefix(path, "/person/"); ok && id != "new" {
		who, err := krama.ParseSubjectID(strings.Split(id, "/")[0])
		if _, there := s.state.Person(who, s.today()); err != nil || !there || s.rep.Erased(krama.KindOutreach, who) {
			return "" // she was erased while it was typed
		}
	}
	return "draft " + path
}

func (s *Server) savedDraft(path string) url.Values {
	f, err := url.ParseQuery(s.rep.Value(s.draftKey(path)))
	if err != nil {
		return url.Values{}
	}
	return f
}

func (s *Server) dropDraft(path string) {
	if key := s.draftKey(path); s.rep.Value(key) != "" {
		s.rep.SetValue(key, "")
	}
}
