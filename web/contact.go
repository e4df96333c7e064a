package web

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"krama"
	"krama/casework"
	"krama/web/http"
)

// contactNew shows an empty form for a contact, with what was given last time; a draft goes before that.
func (s peoplePages) contactNew(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	// What was typed and not sent goes before everything that the program could suggest.
	f := s.savedDraft(r.URL.Path)
	drafted := len(f) > 0
	if !drafted {
		f = s.likeLast(&v)
		// The record's id is drawn with the form and lies in its draft too: a form that is sent twice, or after a lock,
		// finds what it has kept.
		id, err := s.rep.NewRecord()
		if err != nil {
			s.fail(w, r, err)
			return
		}
		f.Set("rid", id.String())
	}
	s.page(w, r, 200, "contact.new", "people", contactForm(&v, f, formState{Action: r.URL.Path,
		Drafted: drafted}))
}

// likeLast fills a new contact with what was true last time, so that a usual meeting takes few taps.
func (s peoplePages) likeLast(v *casework.View) url.Values {
	f := url.Values{}
	f.Set("date", s.today().String())
	f.Set("next", "28")
	f.Set("district", strconv.Itoa(int(v.Value.District)))
	f.Set("place", "1")
	// What she answers is never carried over from last time: not offered, not asked.
	f.Set("test", "0")
	f.Set("safety", "0")
	if len(v.Contacts) > 0 {
		last := v.Contacts[0]
		f.Set("district", strconv.Itoa(int(last.District)))
		f.Set("place", strconv.Itoa(int(last.Place)))
		// A self-test was for one test: it is typed each time.
		for i, n := range last.Given {
			if n > 0 && uint8(i) != krama.SelfTest {
				f.Set("given-"+krama.Commodities[i].Key, strconv.Itoa(int(n)))
			}
		}
	}
	return f
}

// contactCreate keeps a contact. Its record's id was drawn with the form, so that a form that is sent again finds what
// it has kept.
func (s peoplePages) contactCreate(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	f := posted(r)
	c, err := s.readContact(f)
	if err != nil {
		s.page(w, r, 422, "contact.new", "people", contactForm(&v, f,
			formState{Action: r.URL.Path, Bad: true,
				Wrong: contactWrong(f, s.today())}))
		return
	}
	// Only what was kept drops the draft: on every other way out of here it is all that is left of the typing.
	saved, err := s.once(f, v.Subject, c)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if saved != "" { // the browser's Back gave the form again, and it was changed: she decides
		s.page(w, r, http.StatusConflict, "contact.new", "people", contactForm(&v, f,
			formState{Action: r.URL.Path,
				Saved: saved}))
		return
	}
	s.dropDraft(r.URL.Path)
	redirect(w, r, "/person/"+v.Subject.String())
}

// once keeps a contact under the id its form was drawn with, so that a form sent twice is one contact. Where something
// else was kept under it, nothing is: the form gets another id, and saved is the page of the first.
func (s peoplePages) once(f url.Values, who krama.SubjectID, c *krama.Contact) (saved string, err error) {
	// A form that lost its id is kept all the same: what was typed comes before the check for doubles.
	id, err := krama.ParseRecordID(f.Get("rid"))
	if err != nil || id == (krama.RecordID{}) {
		return "", s.write(who, &krama.Record{Contact: c})
	}
	// Held from the look to the write: two taps at once must not both find nothing.
	s.saving.Lock()
	defer s.saving.Unlock()
	if f.Get("again") != "yes" && !s.keptBefore(id) { // the same form under a new id: Back can draw it anew
		if rec, same := s.sameContact(who, c); same {
			// She is asked once. If she sends the form again after that, it was another meeting with the same words.
			f.Set("again", "yes")
			return "/contact/" + rec.String(), nil
		}
	}
	if old, there := s.state.Contact(id); there {
		if old.Contact == *c && old.Subject == who {
			return "", nil
		}
		// Under another id the form, sent once more, keeps a second contact beside the first.
		next, err := s.rep.NewRecord()
		f.Set("rid", next.String())
		return "/contact/" + id.String(), err
	}
	return "", s.rep.Write(krama.KindOutreach, who, &krama.Record{ID: id, Contact: c})
}

// keptBefore reports whether a form's contact is here already.
func (s peoplePages) keptBefore(id krama.RecordID) bool {
	_, there := s.state.Contact(id)
	return there
}

// sameContact finds a contact of a person that says just what this one does.
func (s peoplePages) sameContact(who krama.SubjectID, c *krama.Contact) (id krama.RecordID, ok bool) {
	v, _ := s.state.Person(who, s.today())
	for _, old := range v.Contacts {
		if old.Contact == *c {
			return old.Record, true
		}
	}
	return id, false
}

// readContact reads a contact from a form, digits of any script. What does not fit is Invalid and names the field.
func (s peoplePages) readContact(f url.Values) (*krama.Contact, error) {
	const op = "web.readContact"
	c := &krama.Contact{}
	var err error
	num := func(key string, bits int) uint64 {
		// A letter among the digits is refused and never skipped: 1O must not become 1. An empty field is 0.
		in := strings.TrimSpace(krama.Plain(f.Get(key)))
		d := digits(in)
		if len(d) != utf8.RuneCountInString(in) {
			err = krama.E(op, krama.Invalid, key)
			return 0
		}
		if d == "" {
			return 0
		}
		n, e := strconv.ParseUint(d, 10, bits)
		if e != nil {
			err = krama.E(op, krama.Invalid, key)
		}
		return n
	}
	if c.Date, err = krama.ParseDay(f.Get("date")); err != nil {
		return nil, err
	}
	// Refused here, because a record's own check has no clock.
	if c.Date > s.today() {
		return nil, krama.E(op, krama.Invalid, "a contact in the future")
	}
	c.District = uint16(num("district", 16))
	c.Place = uint8(num("place", 8))
	c.Topics, c.Services = readSet(f["topic"]), readSet(f["service"])
	for i, t := range krama.Commodities {
		c.Given[i] = uint16(num("given-"+t.Key, 16))
	}
	c.Test, c.Safety = uint8(num("test", 8)), uint8(num("safety", 8))
	c.Attendees = uint16(num("group", 16))
	// A correction shows the day that was agreed; a new contact's form offers a number of days.
	if until := f.Get("until"); until != "" {
		day, e := krama.ParseDay(until)
		if e != nil {
			return nil, e
		}
		c.Next = day
	} else if n := num("next", 16); n > 0 {
		c.Next = c.Date + krama.Day(n)
	}
	if err != nil {
		return nil, err
	}
	return c, c.Validate()
}

// contactValues is a contact as its form shows it.
func contactValues(c *krama.Contact) url.Values {
	f := url.Values{}
	set := func(k string, n int) { f.Set(k, strconv.Itoa(n)) }
	f.Set("date", c.Date.String())
	set("district", int(c.District))
	set("place", int(c.Place))
	writeSet(f, "topic", c.Topics)
	writeSet(f, "service", c.Services)
	for i, n := range c.Given {
		if n > 0 {
			set("given-"+krama.Commodities[i].Key, int(n))
		}
	}
	set("test", int(c.Test))
	set("safety", int(c.Safety))
	if c.Attendees > 0 {
		set("group", int(c.Attendees))
	}
	// No interval is picked in a correction: the day itself stands in until.
	set("next", 0)
	if c.Next != 0 {
		f.Set("until", c.Next.String())
	}
	return f
}

// findContact finds the contact that an address names, and whose it is; else it answers that there is none.
func (s peoplePages) findContact(w http.ResponseWriter, r *http.Request) (casework.Contact, casework.View, bool) {
	id, err := krama.ParseRecordID(r.PathValue("id"))
	if err == nil {
		if c, ok := s.state.Contact(id); ok {
			// A contact can be here before the registration of its person. Until that comes it has no page.
			if v, ok := s.state.Person(c.Subject, s.today()); ok {
				return c, v, true
			}
		}
	}
	s.notFound(w, r)
	return casework.Contact{}, casework.View{}, false
}

// contactAmend shows the form that corrects a contact.
func (s peoplePages) contactAmend(w http.ResponseWriter, r *http.Request) {
	if c, v, ok := s.findContact(w, r); ok {
		f, st := s.correction(r.URL.Path, c.Record, contactValues(&c.Contact))
		s.page(w, r, 200, "contact.correct", "people", contactForm(&v, f, st))
	}
}

// contactAmendSave keeps a correction of a contact: what differs from what the form had shown, and nothing else.
func (s peoplePages) contactAmendSave(w http.ResponseWriter, r *http.Request) {
	old, v, ok := s.findContact(w, r)
	if !ok {
		return
	}
	f := posted(r)
	c, err := s.readContact(f)
	if err != nil {
		s.page(w, r, 422, "contact.correct", "people", contactForm(&v, f, formState{Action: r.URL.Path,
			Correct: true, Bad: true, Wrong: contactWrong(f, s.today())}))
		return
	}
	was := &old.Contact
	if seen, e := s.readContact(shownBefore(f)); e == nil { // what a colleague changed since is left as it is
		was = seen
	}
	var ch []krama.Change
	seen := headsBefore(f)
	add := func(n uint8, was, is any) { ch = s.change(ch, old.Record, n, was, is, seen) }
	// The numbers are those of krama.Contact as records are written. 11, Void, is set by contactVoid.
	add(1, was.Date, c.Date)
	add(2, was.District, c.District)
	add(3, was.Place, c.Place)
	add(4, was.Topics, c.Topics)
	add(5, was.Given, c.Given)
	add(6, was.Test, c.Test)
	add(7, was.Services, c.Services)
	add(8, was.Safety, c.Safety)
	add(9, was.Next, c.Next)
	add(10, was.Attendees, c.Attendees)
	if err := s.amend(v.Subject, old.Record, ch); err != nil {
		s.fail(w, r, err)
		return
	}
	s.dropDraft(r.URL.Path)
	redirect(w, r, "/person/"+v.Subject.String())
}

// contactVoid takes a contact back. It stays in the history as taken back, and counts no more.
func (s peoplePages) contactVoid(w http.ResponseWriter, r *http.Request) {
	c, v, ok := s.findContact(w, r)
	if !ok {
		return
	}
	// The form does not carry what stood of this field, so what stands now is replaced.
	if err := s.amend(v.Subject, c.Record, s.change(nil, c.Record, 11, false, true, nil)); err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/person/"+v.Subject.String())
}

// shownContacts bounds the list of newest contacts.
const shownContacts = 100

// contacts lists the newest contacts of this device's programme.
func (s peoplePages) contacts(w http.ResponseWriter, r *http.Request) {
	var rows []contactRow
	// A code is looked up for each: a contact names a person by her id alone.
	for _, c := range s.state.Recent(shownContacts) {
		rows = append(rows, contactRow{c, s.state.Code(c.Subject)})
	}
	s.page(w, r, 200, "contact.recent", "contacts", contactsView(rows))
}
