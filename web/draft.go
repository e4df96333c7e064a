package web

import (
	"net/url"
	"strings"

	"krama"
	"krama/replica"
	"krama/web/http"
)

// draft keeps a half-filled form, sealed with the device's other secrets, so that locking never loses typing.
func (s peoplePages) draft(w http.ResponseWriter, r *http.Request) {
	// The page's script sends it a second after the last letter, and before the page locks. A form with nothing in it,
	// as Cancel sends it, takes the draft away.
	f := posted(r)
	path := f.Get("draft-of")
	f.Del("draft-of")
	key := s.draftKey(path)
	// The path is what a browser says, and it becomes the name of a value in the journal: only known forms are let in.
	if !draftable(path) || key == (replica.Setting{}) {
		s.notFound(w, r)
		return
	}
	if strings.HasPrefix(path, "/thread/") { // the answer alone: whom it is assigned to is not typed
		f = url.Values{"text": f["text"]}
	}
	if err := s.rep.SetValue(key, f.Encode()); err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// draftable reports whether a form's drafts are kept: registrations, contacts and their corrections, answers.
func draftable(path string) bool {
	// The shapes of paths alone are judged here; whether there is such a record is draftKey's question.
	part := strings.Split(path, "/")
	switch {
	case path == "/person/new":
		return true
	case len(part) == 4 && part[0] == "" && part[1] == "person" && (part[3] == "contact" || part[3] == "amend"):
		_, err := krama.ParseSubjectID(part[2])
		return err == nil
	case len(part) == 3 && part[0] == "" && part[1] == "thread":
		return true // draftKey looks whether it is there
	case len(part) == 3 && part[0] == "" && part[1] == "contact":
		_, err := krama.ParseRecordID(part[2])
		return err == nil
	}
	return false
}

// drafts are half-filled forms, by their paths. Who is erased takes hers along, and any that names her.
var drafts = replica.NewSetting("draft ", replica.OfOne)

// draftKey is a form's draft. Its name has whom the form is about: erasing her erases it. It is none where nobody here
// has such a record.
func (s *session) draftKey(path string) replica.Setting {
	if id, ok := strings.CutPrefix(path, "/contact/"); ok {
		rec, err := krama.ParseRecordID(id)
		c, there := s.state.Contact(rec)
		if err != nil || !there {
			return replica.Setting{}
		}
		// The path of a contact does not say whose it is, so her id is added.
		return drafts.Of(path + " of " + c.Subject.String())
	}
	if strings.HasPrefix(path, "/thread/") {
		if s.draftOf == nil {
			return replica.Setting{}
		}
		return s.draftOf(s, path)
	}
	if id, ok := strings.CutPrefix(path, "/person/"); ok && id != "new" {
		who, err := krama.ParseSubjectID(strings.Split(id, "/")[0])
		if _, there := s.state.Person(who, s.today()); err != nil || !there ||
			s.rep.Erasing().Erased(krama.KindOutreach, who) {
			return replica.Setting{} // she was erased while it was typed
		}
	}
	return drafts.Of(path)
}

// savedDraft is what was typed into a form and not saved; empty when nothing was.
func (s *session) savedDraft(path string) url.Values {
	f, err := url.ParseQuery(s.rep.Value(s.draftKey(path)))
	if err != nil {
		return url.Values{}
	}
	return f
}

// dropDraft forgets a form's draft: it was saved, or emptied.
func (s *session) dropDraft(path string) {
	if key := s.draftKey(path); s.rep.Value(key) != "" {
		s.rep.SetValue(key, "")
	}
}
