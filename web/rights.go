package web

import (
	"strings"

	"krama"
	"krama/locale"
	"krama/web/http"
)

// rightsRows are the texts about rights in each language.
func (s inboxPages) rightsRows(p *locale.Printer) (out []rightsRow) {
	for _, t := range s.Rights {
		for _, lang := range []string{"km", "vi", "en"} {
			out = append(out, rightsRow{t.Topic, lang, t.Title.In(p.Lang), s.rightsState(p, t.Topic, lang)})
		}
	}
	return out
}

// rightsList lists the texts about rights, with how far each can be believed.
func (s inboxPages) rightsList(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, 200, "rightsDesk.title", "directory", rightsListView(s.rightsRows(s.printer(r))))
}

// rightsEdit shows the form of one text.
func (s inboxPages) rightsEdit(w http.ResponseWriter, r *http.Request) {
	t, ids, ok := s.rightsText(r.PathValue("topic"), r.PathValue("lang"))
	if !ok {
		s.notFound(w, r)
		return
	}
	// The day as it is kept; a refused form shows it as it was typed.
	on := ""
	if t.ReviewedOn != 0 {
		on = t.ReviewedOn.String()
	}
	s.page(w, r, 200, "rightsDesk.title", "directory", rightsEditView(s.rightsTitle(t.Topic, s.printer(r).Lang), t, on,
		idsText(ids), ""))
}

// idsText names the versions that a form was drawn from.
func idsText(ids []krama.RecordID) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(id.String())
	}
	return b.String()
}

// rightsSave keeps a text. Who has read it as a lawyer is kept with the day, both or neither: nothing is shown as
// verified without a name.
func (s inboxPages) rightsSave(w http.ResponseWriter, r *http.Request) {
	old, ids, ok := s.rightsText(r.PathValue("topic"), r.PathValue("lang"))
	if !ok {
		s.notFound(w, r)
		return
	}
	f := posted(r)
	// Browsers end lines with two characters; one is kept.
	t := &krama.RightsText{Topic: old.Topic, Lang: old.Lang, Replaces: ids,
		Body: strings.TrimSpace(strings.ReplaceAll(f.Get("body"), "\r", "")), Source: krama.Line(f.Get("source")),
		ReviewedBy: krama.Line(f.Get("by"))}
	typed := f.Get("on")
	// Nobody has reviewed anything on a day to come.
	if d, err := krama.ParseDay(typed); err == nil && d <= s.today() {
		t.ReviewedOn = d
	}
	trouble := ""
	// What a colleague has changed comes first: whatever else is wrong, the form is about another text by now.
	switch heads := f.Get("heads"); {
	case f.Has("heads") && heads != idsText(ids): // a colleague changed it since the form was drawn
		trouble = "rightsDesk.changed"
	case t.Body == "":
		trouble = "rightsDesk.empty"
	case krama.Letters(t.Body) > krama.MaxPage || krama.Letters(t.Source) > krama.MaxSource ||
		krama.Letters(t.ReviewedBy) > krama.MaxName:
		trouble = "rightsDesk.long"
	case t.ReviewedBy != "" && typed == "", t.ReviewedBy == "" && typed != "":
		trouble = "rightsDesk.half"
	case typed != "" && t.ReviewedOn == 0:
		trouble = "rightsDesk.badDay"
	}
	if trouble == "" {
		err := s.writeNew(krama.KindOutreach, krama.SubjectID{}, &krama.Record{RightsText: t})
		// The record refuses what no field can be named for.
		if kind := krama.KindOf(err); err != nil && (kind == krama.Invalid || kind == krama.TooLarge) {
			trouble = "rightsDesk.bad"
		} else if err != nil {
			s.fail(w, r, err)
			return
		}
	}
	if trouble != "" {
		s.page(w, r, 422, "rightsDesk.title", "directory", rightsEditView(s.rightsTitle(t.Topic, s.printer(r).Lang), t,
			typed, idsText(ids), trouble))
		return
	}
	redirect(w, r, "/rights")
}
