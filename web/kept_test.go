//go:build !js

package web

import (
	"html"
	"strconv"
	"strings"
	"testing"

	"krama"
	"krama/form"
	"krama/locale"
)

// TestPagesSayWhatIsKept: the page of what is kept has every question of every kind of record with who is hurt by its
// answer, in each language, and which roles may read it.
func TestPagesSayWhatIsKept(t *testing.T) {
	g := newRig(t)
	g.setUp()
	all, err := form.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	questions := 0
	for _, s := range []*Server{g.desk} {
		for _, l := range locale.Languages {
			g.ask(s, "POST", "/lang", "lang", l.Code)
			code, page, _ := g.ask(s, "GET", "/kept")
			if code != 200 {
				t.Fatal(code)
			}
			p := locale.New(l.Code)
			page = html.UnescapeString(page)
			for _, f := range keptForms(all, g.desk.session().mayRead) {
				g.want(page, p.T(f.Title))
				if len(roleList(f.Roles)) < 2 {
					t.Errorf("%s is read by %v", f.Title, f.Roles)
				}
				for _, role := range roleList(f.Roles) {
					g.want(page, p.T("role."+strconv.Itoa(int(role))))
				}
				for _, x := range f.Fields {
					questions++
					g.want(page, "<dt>"+p.T(x.Label)+"</dt>")
					g.want(page, "<dd>"+p.T(x.Harm)+"</dd>")
				}
			}
			if strings.Contains(page, ".harm") || strings.Contains(page, ".title") {
				t.Error("a key stands on the page")
			}
		}
	}
	if questions < 3*30 {
		t.Errorf("%d questions in three pages", questions)
	}
	if n := len(keptForms(all, g.desk.session().mayRead)); n != len(all.Forms()) || len(krama.CircleKinds) == 0 {
		t.Errorf("%d of %d forms are on the page", n, len(all.Forms()))
	}
}
