package web

import (
	"maps"
	"net/url"
	"strconv"
	"strings"

	"krama"
	"krama/web/http"
)

// personAmend shows the form that corrects who a person is, as it stands or as it was being typed.
func (s peoplePages) personAmend(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.view(w, r); ok {
		f, st := s.correction(r.URL.Path, v.Record, personValues(&v.Value))
		s.page(w, r, 200, "person.amend", "people", personForm(f, st, &v))
	}
}

// personAmendSave keeps a correction. What was not changed in the form is not written again, so that a colleague's
// correction of another field stands.
func (s peoplePages) personAmendSave(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	f := posted(r)
	p, err := readPerson(f)
	if err == nil {
		// The form asks for neither. A code changes where two people have the same, and a day of registration never.
		p.Code, p.Registered = v.Value.Code, v.Value.Registered
		err = p.Validate()
	}
	if err != nil {
		s.page(w, r, 422, "person.amend", "people", personForm(f, formState{Action: r.URL.Path, Bad: true,
			Wrong: personWrong(f)}, &v))
		return
	}
	// It is compared with what the form had shown. Against what stands now, a field that a colleague corrected
	// meanwhile would look as if it had been changed back here.
	was := &v.Value
	if seen, e := readPerson(shownBefore(f)); e == nil { // what a colleague changed since is left as it is
		was = seen
	}
	var ch []krama.Change
	seen := headsBefore(f)
	add := func(n uint8, was, is any) { ch = s.change(ch, v.Record, n, was, is, seen) }
	// The numbers are those of krama.Person as records are written. 1, the code, is changed by recode.
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
func (s peoplePages) correction(path string, target krama.RecordID, kept url.Values) (url.Values, formState) {
	st := formState{Action: path, Correct: true}
	f := s.savedDraft(path)
	if st.Drafted = len(f) > 0; !st.Drafted {
		f = maps.Clone(kept)
	}
	// A draft brings along what its page had shown when it was opened. Only a form that begins now is given what stands
	// now.
	if f.Get("was") == "" {
		f.Set("was", kept.Encode())
		f.Set("heads", s.headsOf(target))
	}
	return f, st
}

// headsOf names the standing values of a record's fields, as a correction's form carries them: field by field, "!"
// where what stands is not shown because it cannot stand with the others.
func (s peoplePages) headsOf(target krama.RecordID) string {
	var out []string
	// A contact has eleven fields, a registration fewer. For a field that nobody amended the record itself is named.
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

// headsBefore reads what headsOf wrote. What is not whole is as if it were not there.
func headsBefore(f url.Values) map[uint8]seenHead {
	out := map[uint8]seenHead{}
	for _, line := range strings.Fields(f.Get("heads")) {
		// The form comes back from a browser and may say anything: what does not parse names nothing, and an amendment
		// then replaces what stands.
		field, ids, _ := strings.Cut(line, ":")
		n, err := strconv.ParseUint(field, 10, 8)
		var h seenHead
		ids, h.refused = strings.CutPrefix(ids, "!")
		// An id is 32 hexadecimal digits. More than an amendment may replace is not read.
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
func (s *session) change(ch []krama.Change, target krama.RecordID, n uint8, was, is any,
	seen map[uint8]seenHead) []krama.Change {
	// Where no form has shown the field, it is what stands now.
	at, ok := seen[n]
	if !ok {
		at = seenHead{s.state.Heads(target, n), s.state.Refused(target, n)}
	}
	// A value that cannot stand has another shown in its place. Saving that one unchanged is an answer, and is written.
	if was == is && !at.refused {
		return ch
	}
	raw, err := krama.EncodeValue(is)
	if err != nil {
		return ch
	}
	return append(ch, krama.Change{Field: n, Value: raw, Replaces: at.heads})
}

// amend writes changes of one record, and nothing where there is none.
func (s *session) amend(who krama.SubjectID, target krama.RecordID, ch []krama.Change) error {
	if len(ch) == 0 {
		return nil
	}
	return s.write(who, &krama.Record{Amend: &krama.Amend{Target: target, Date: s.today(), Changes: ch}})
}

// settle ends a dispute: the chosen value replaces every standing one.
func (s peoplePages) settle(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	f := posted(r)
	target, err1 := krama.ParseRecordID(f.Get("target"))
	head, err2 := krama.ParseRecordID(f.Get("head"))
	n, err3 := strconv.ParseUint(f.Get("field"), 10, 8)
	if err1 != nil || err2 != nil || err3 != nil {
		s.notFound(w, r)
		return
	}
	// Only what is disputed now can be settled. After a second tap, or a colleague who was first, nothing is written
	// and her page shows what stands.
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
