package exchange

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"krama/locale"
)

// TestEveryFieldIsExplained compares the codebook with what lines hold, both ways, and every code with its words.
func TestEveryFieldIsExplained(t *testing.T) {
	x := programme(t, 3, 3)
	c, err := x.codebook()
	if err != nil {
		t.Fatal(err)
	}
	w, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]map[string]fieldMeaning{}
	for _, r := range c.Records {
		explained[r.Kind] = map[string]fieldMeaning{}
		for _, f := range r.Fields {
			explained[r.Kind][f.Name] = f
			if f.Means == "" || (f.Codes != "" && len(c.Codes[f.Codes]) == 0) {
				t.Errorf("%s %s has no meaning or no codes", r.Kind, f.Name)
			}
		}
	}
	for kind, line := range map[string]any{"archive": Info{}, "person": personLine{}, "contact": contactLine{},
		"consent": consentLine{}, "dispute": disputeLine{}, "staff": staffLine{},
		"listing": listingLine{}, "guarded": guardedLine{}, "check": checkLine{}, "rights": rightsLine{},
		"referral": referralLine{}, "report": reportLine{}, "act": actLine{},
		"incident": incidentLine{}, "audit": auditLine{}} {
		typ, n := reflect.TypeOf(line), 0
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if _, ok := explained[kind][name]; !ok && name != "kind" {
				t.Errorf("%s %s is not in the codebook", kind, name)
			}
			n++
		}
		if n-1 != len(explained[kind]) {
			t.Errorf("%s has %d fields, the codebook %d", kind, n-1, len(explained[kind]))
		}
	}
	for kind, columns := range w.Columns {
		for _, c := range columns {
			field, heading := c[0], c[1]
			if _, ok := explained[kind][field]; !ok || w.Inside["en"]["of."+heading] == "" {
				t.Errorf("column %s %s has no field or heading", kind, field)
			}
		}
	}
	for list, codes := range c.Codes {
		for _, code := range codes {
			for _, text := range []string{code.EN, code.KM, code.VI} {
				if text == "" || strings.HasSuffix(text, "."+code.Code) {
					t.Errorf("%s %s has no words", list, code.Code)
				}
			}
		}
	}
	for _, s := range c.Sources {
		if s.Source == "" || s.Version == "" || s.VerifiedBy == "" || len(c.Codes[s.Codes]) == 0 {
			t.Errorf("source of %s: %+v", s.Codes, s)
		}
	}
}

// TestPageWords: every language has every sentence with the same holes, and the page uses each.
func TestPageWords(t *testing.T) {
	w, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	script, _ := files.ReadFile("page/page.js")
	html, _ := files.ReadFile("page/page.html")
	for part, all := range map[string]map[string]map[string]string{"page": w.Page, "inside": w.Inside} {
		for _, l := range locale.Languages {
			for key, en := range all["en"] {
				got := all[l.Code][key]
				if got == "" || strings.Count(got, "{") != strings.Count(en, "{") || strings.ContainsAny(got, "<>&") {
					t.Errorf("%s %s %s: %q", part, l.Code, key, got)
				}
			}
			if len(all[l.Code]) != len(all["en"]) {
				t.Errorf("%s: %s has %d sentences, English %d", part, l.Code, len(all[l.Code]), len(all["en"]))
			}
		}
		for key := range all["en"] {
			if strings.HasPrefix(key, "of.") {
				continue // headings; TestEveryFieldIsExplained
			}
			if key != "noscript" && !strings.Contains(string(script), `"`+key+`"`) && !strings.Contains(string(script),
				key+": {") {
				if !strings.Contains(string(script), `["`+key+`"`) {
					t.Errorf("%s %s is used nowhere", part, key)
				}
			}
		}
	}
	if !strings.Contains(string(html), w.Page["en"]["noscript"]) || !strings.Contains(string(html),
		w.Page["en"]["title"]) {
		t.Error("the page's own text is not the catalogue's")
	}
	for _, l := range locale.Languages {
		if !strings.Contains(string(script), fmt.Sprintf("[%q, %q, %v]", l.Code, l.Name, l.Draft)) {
			t.Errorf("the page names %s otherwise", l.Code)
		}
	}
}
