package web

import (
	"net/url"
	"testing"
)

// TestPagesAreKeptNowhere: no page of a device, open or locked, found or not, is kept by the browser that shows it.
func TestPagesAreKeptNowhere(t *testing.T) {
	g := newRig(t)
	look := func() {
		for _, path := range []string{"/", "/people", "/inbox", "/settings", "/nothing/here"} {
			if got := serve(g.desk, "GET", path, "").cacheControl; got != "no-store" {
				t.Errorf("%s: Cache-Control is %q", path, got)
			}
		}
	}
	look()
	g.desk.Lock()
	look()
}

// TestFormsLeadNowhereElse: a form that somebody else wrote cannot have a page of ours lead to another site.
func TestFormsLeadNowhereElse(t *testing.T) {
	g := newRig(t)
	for to, want := range map[string]string{"/people": "/people", "https://evil.example/": "/", "//evil.example/": "/",
		"": "/", "javascript:alert(1)": "/",
		`/\evil.example/`: "/", "/\t/evil.example/": "/"} {
		if got := serve(g.desk, "POST", "/lang", url.Values{"lang": {"en"}, "to": {to}}.Encode()).to; got != want {
			t.Errorf("to %q: leads to %q, want %q", to, got, want)
		}
	}
}
