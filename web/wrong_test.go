//go:build !js

package web

import (
	"strings"
	"testing"
)

// TestAFormNamesTheField: what does not fit in a contact or a registration is named with what was typed.
func TestAFormNamesTheField(t *testing.T) {
	g := newRig(t)
	g.setUp()
	who := g.register()
	for name, tc := range map[string]struct{ field, typed, says string }{
		"a date":     {"date", "yesterday", "yesterday is not a date"},
		"ahead":      {"date", "2026-03-09", "2026-03-09 has not come yet"},
		"letters":    {"given-condom", "some", "&#34;Condoms&#34;: &#34;some&#34; is not a number"},
		"too many":   {"given-condom", "2001", "2001 is more than 2"},
		"a group":    {"group", "501", "501 is more than 500"},
		"due before": {"until", "2026-03-01", "2026-03-01 is not after the day"},
		"due never":  {"until", "2029-03-01", "more than 730 days ahead"},
	} {
		code, page, _ := g.ask(g.phone, "POST", who+"/contact", with(contactForm1, tc.field, tc.typed)...)
		if code != 422 || !strings.Contains(page, tc.says) || strings.Contains(page, "Something in the form") {
			i := strings.Index(page, `role="alert"`)
			t.Errorf("%s: %d %s", name, code, page[max(0, i):min(len(page), i+160)])
		}
	}
	for _, name := range []string{"gender", "age", "category", "district"} {
		if code, page, _ := g.ask(g.phone, "POST", "/person/new", with(person, name, "")...); code != 422 ||
			!strings.Contains(page, "Choose something under") {
			t.Errorf("no %s: %d", name, code)
		}
	}
}
