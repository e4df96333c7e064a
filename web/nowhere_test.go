package web

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestPagesAreKeptNowhere: no page of a device, open or locked, found or not, is kept by the browser that shows it.
func TestPagesAreKeptNowhere(t *testing.T) {
	g := newRig(t)
	look := func() {
		for _, path := range []string{"/", "/people", "/inbox", "/settings", "/nothing/here"} {
			w := httptest.NewRecorder()
			g.desk.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
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
	for to, want := range map[string]string{"/people": "/people", "https://evil.example/": "/", "//evil.example/": "/", "": "/", "javascript:alert(1)": "/",
		`/\evil.example/`: "/", "/\t/evil.example/": "/"} {
		r := httptest.NewRequest("POST", "/lang", strings.NewReader(url.Values{"lang": {"en"}, "to": {to}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		g.desk.ServeHTTP(w, r)
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("to %q: leads to %q, want %q", to, got, want)
		}
	}
}
