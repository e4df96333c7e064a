package web

import (
	"slices"

	"krama"
	"krama/form"
	"krama/seal"
	"krama/web/http"
)

// keptForm is one kind of record on the page of what is kept.
type keptForm struct {
	Title  string     // a key of the locale
	Roles  krama.Role // who may hold the keys that open it
	Fields []keptField
}

// keptField is one question: the keys of its words, and of who is hurt if its answer is read.
type keptField struct{ Label, Harm string }

// keptForms are all kinds of record that are made of a form: circle by circle, the oldest kind first.
func keptForms(s *form.Set, readers func(krama.CircleKind) krama.Role) (out []keptForm) {
	byAge := slices.SortedFunc(slices.Values(s.Forms()), func(a, b *form.Form) int { return a.Part - b.Part })
	for _, k := range krama.CircleKinds {
		for _, f := range byAge {
			if f.Circle != k {
				continue
			}
			kept := keptForm{Title: f.Name + ".title", Roles: readers(k)}
			for _, x := range f.Fields() {
				if x.Answered() {
					kept.Fields = append(kept.Fields, keptField{f.Label(x), f.Harm(x)})
				}
			}
			out = append(out, kept)
		}
	}
	return out
}

// mayRead are the roles that may hold a circle's keys: as the roster has it, or as programmes are founded where this
// desk does not hold the circle.
func (s *session) mayRead(k krama.CircleKind) (roles krama.Role) {
	roles = k.Writers()
	c, ok := s.rep.Kinds()[k]
	s.rep.Roster(func(ro *seal.Roster) {
		if ok && ro.Circles[c] != nil {
			roles = ro.Circles[c].Readers
		}
	})
	return roles
}

// kept says what is kept and why, for a worker to show to the person herself, on screen or printed.
func (s *session) kept(w http.ResponseWriter, r *http.Request) {
	all, err := form.Shipped() // read anew: a page that is rarely asked for keeps nothing in memory
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.page(w, r, 200, "kept.title", "settings", keptView(keptForms(all, s.mayRead)))
}
