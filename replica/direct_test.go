//go:build !js

package replica

import (
	"bytes"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"krama"
	"krama/seal"
)

// TestA24RedirectIsNotFollowed has a relay send a desk's sealed calls elsewhere: to another host, and to itself.
func TestA24RedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var seen atomic.Int32
		elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { seen.Add(1) }))
		defer elsewhere.Close()
		for _, to := range []string{elsewhere.URL + "/v1/list", "/again", "", "ftp://elsewhere.example/"} {
			calls := 0
			lying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls++
				if to != "" {
					w.Header().Set("Location", to)
				}
				w.WriteHeader(status)
			}))
			_, _, err := HTTP{Client: &http.Client{}, URL: lying.URL}.Call(t.Context(), seal.PathList, []byte("sealed"))
			lying.Close()
			if krama.KindOf(err) != krama.Offline || calls != 1 {
				t.Errorf("%d to %q: got %v after %d calls, want offline after 1", status, to, err, calls)
			}
		}
		if n := seen.Load(); n != 0 {
			t.Errorf("%d: another host was called %d times", status, n)
		}
	}
	w := newSmallWorld(t)
	elsewhere := httptest.NewServer(w.relay) // even a real relay is not found through another
	defer elsewhere.Close()
	lying := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer lying.Close()
	w.desk.remote = HTTP{Client: &http.Client{}, URL: lying.URL}
	if err := w.desk.Sync(t.Context(), nil); krama.KindOf(err) != krama.Offline {
		t.Errorf("a desk's sync: got %v want offline", err)
	}
}

// TestA24EveryClient finds clients that follow redirects, in Go and in the browser.
func TestA24EveryClient(t *testing.T) {
	root := os.DirFS("..")
	made := regexp.MustCompile(`http\.(Get|Post|PostForm|Head|DefaultClient)\b|(.{16})http\.Client\{`)
	fetched := regexp.MustCompile(`\bfetch\([^)]*`)
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		dir, _, _ := strings.Cut(name, "/")
		if dir == "bench" || dir == "scripts" || strings.HasSuffix(name, "_test.go") || d.IsDir() {
			// they carry nothing of anybody's
			return nil
		}
		b, err := fs.ReadFile(root, name)
		switch {
		case err != nil:
			return err
		case strings.HasSuffix(name, ".go"):
			for _, m := range made.FindAll(b, -1) {
				if !bytes.Contains(m, []byte("HTTP{Client: &")) && !bytes.Contains(m, []byte("replica.Direct(&")) {
					t.Errorf("%s: %s follows redirects", name, m)
				}
			}
		case strings.HasSuffix(name, ".js") && name != "web/static/sw.js":
			// which hands on what the browser asked its own origin
			for _, m := range fetched.FindAll(b, -1) {
				if !bytes.Contains(m, []byte(`redirect: `)) {
					t.Errorf("%s: %s follows redirects", name, m)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	phone, err := fs.ReadFile(root, "cmd/phone/main.go")
	if err != nil || bytes.Count(phone, []byte(`"fetch"`)) != bytes.Count(phone, []byte(`"redirect": "error"`)) {
		t.Errorf("the phone follows redirects (%v)", err)
	}
}
