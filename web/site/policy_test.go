package site

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"krama/web"
)

// TestPhonePolicy: the page that holds every key runs only what its own origin serves, evaluates nothing, talks to the
// relay and nobody else, and stands in nobody's frame.
func TestPhonePolicy(t *testing.T) {
	s := &Site{cfg: Config{Relay: "https://relay.example"}, files: map[string]asset{"/app/": packed([]byte("page"),
		"text/html")}, mux: http.NewServeMux()}
	s.routes()
	for path, want := range map[string]map[string][]string{
		"/app/": {"default-src": {"'none'"}, "script-src": {"'self'", "'wasm-unsafe-eval'"}, "worker-src": {"'self'"},
			"connect-src": {"'self'", "https://relay.example"}, "style-src": {"'self'"},
			"form-action": {"'none'"}, "base-uri": {"'none'"}, "frame-ancestors": {"'none'"},
			"require-trusted-types-for": {"'script'"}},
		"/": {"default-src": {"'none'"}, "script-src": {"'self'"}, "style-src": {"'self'"}, "form-action": {"'none'"},
			"base-uri": {"'none'"}, "frame-ancestors": {"'none'"}},
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		said := map[string][]string{}
		for _, part := range strings.Split(w.Header().Get("Content-Security-Policy"), ";") {
			if f := strings.Fields(part); len(f) > 0 {
				said[f[0]] = f[1:]
			}
		}
		for name, list := range want {
			if !slices.Equal(said[name], list) {
				t.Errorf("%s: %s is %q, want %q", path, name, said[name], list)
			}
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s sets a cookie", path)
		}
	}
	s.cfg.Demo = true
	if p := s.policy("/app/"); !strings.Contains(p, "frame-ancestors 'self'") {
		t.Error("the demo's own page cannot show the phone")
	}
}

// TestPhoneKeepsNothingInThePage: the phone's scripts have no storage that a later user of the browser can read, and
// one address and one title for everything.
func TestPhoneKeepsNothingInThePage(t *testing.T) {
	storage := regexp.MustCompile(
		`localStorage|sessionStorage|indexedDB|document\.cookie|document\.title|Notification|geolocation|sendBeacon`)
	for _, name := range []string{"app.js", "worker.js", "sw.js", "scan.js", "index.html"} {
		b, err := web.Static.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if found := storage.FindAllString(string(b), -1); len(found) > 0 {
			t.Errorf("%s uses %q", name, found)
		}
	}
	app, _ := web.Static.ReadFile("static/app.js")
	for _, call := range regexp.MustCompile(`history\.(push|replace)State\([^)]*\)`).FindAllString(string(app), -1) {
		if !strings.HasSuffix(call, `null, "", root)`) {
			t.Errorf("%s writes an address into the history", call)
		}
	}
	if page, _ := web.Static.ReadFile("static/index.html"); strings.Count(string(page), "<title>Krama</title>") != 1 {
		t.Error("the page's title is not its own")
	}
}
