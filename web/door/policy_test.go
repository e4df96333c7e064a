package door

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestContentPolicy: a public page runs nothing but its own scripts, talks to nobody but its own site and the relay, is
// framed by nobody and posts nowhere else; and says so in every answer, of whatever kind.
func TestContentPolicy(t *testing.T) {
	d := open(t, config(t, full()))
	for _, path := range []string{"/", "/km", d.scriptPath(), "/pack/km", "/nothing/here", "/hsds/services"} {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		h := w.Header()
		said := map[string][]string{}
		for _, part := range strings.Split(h.Get("Content-Security-Policy"), ";") {
			if f := strings.Fields(part); len(f) > 0 {
				said[f[0]] = f[1:]
			}
		}
		for name, want := range map[string][]string{
			"default-src": {"'none'"}, "script-src": {"'self'", "'wasm-unsafe-eval'"}, "worker-src": {"'self'"},
			"connect-src": {"'self'", "http://relay.example"},
			"form-action": {"'self'"}, "base-uri": {"'none'"}, "frame-ancestors": {"'none'"}, "img-src": {"data:"},
			"media-src": {"'self'"},
		} {
			if !slices.Equal(said[name], want) {
				t.Errorf("%s: %s is %q, want %q", path, name, said[name], want)
			}
		}
		if s := said["style-src"]; len(s) != 1 || !strings.HasPrefix(s[0], "'sha256-") {
			t.Errorf("%s: style-src is %q, want one hash", path, s)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy":           "geolocation=(), microphone=(), camera=()"} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

// TestRecordingsStayInTheirFolder: no address reaches a file beside the folder of recordings, or one that is hidden in
// it.
func TestRecordingsStayInTheirFolder(t *testing.T) {
	c := config(t, full())
	above := t.TempDir()
	c.Audio = filepath.Join(above, "audio")
	if err := os.MkdirAll(filepath.Join(c.Audio, "drafts"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"outside.mp3", "audio/1.mp3", "audio/drafts/2.mp3", "audio/.mp3",
		"audio/.hidden.mp3"} {
		if err := os.WriteFile(filepath.Join(above, name), []byte("sound"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := open(t, c)
	for path, want := range map[string]int{"/audio/1.mp3": 200, "/audio/..%2foutside.mp3": 404,
		"/audio/%2e%2e%2foutside.mp3": 404, "/audio/drafts%2f2.mp3": 404,
		"/audio/..%5coutside.mp3": 404, "/audio/.mp3": 404, "/audio/.hidden.mp3": 404} {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: got %d want %d", path, w.Code, want)
		}
	}
}
