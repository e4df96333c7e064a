package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"krama/seal"
	"krama/web/site"
)

// runKrama runs the program and returns its exit status and what it printed.
func runKrama(args ...string) (exit int, out, errs string) {
	var o, e bytes.Buffer
	err := run(context.Background(), args, strings.NewReader(""), &o, &e)
	return status(err, &e), o.String(), e.String()
}

// testRelease is a folder with an unsigned release of what this program serves, and three keys.
func testRelease(t *testing.T) (dir, manifest, keys string, secret []string) {
	t.Helper()
	top := t.TempDir()
	dir = filepath.Join(top, "release")
	manifest, keys = filepath.Join(dir, "manifest"), filepath.Join(top, "keys")
	phone, err := site.PhoneFiles()
	if err != nil {
		t.Fatal(err)
	}
	phone["bin/krama-linux-amd64"] = []byte("a program")
	r := seal.Release{Version: "v1.0.0", Commit: strings.Repeat("0a", 20)}
	for name, b := range phone {
		p := filepath.Join(dir, filepath.FromSlash(name))
		os.MkdirAll(filepath.Dir(p), 0o755)
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
		r.Files = append(r.Files, seal.ReleaseFile{Name: name, Sum: seal.SHA256(b)})
	}
	if err := os.WriteFile(manifest, seal.SignedRelease{Manifest: r.Marshal()}.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	list := "# who holds them is written elsewhere\n"
	for _, n := range []string{"one", "two", "three"} {
		secret = append(secret, filepath.Join(top, n))
		st, public, errs := runKrama("release", "key", "--out", filepath.Join(top, n))
		if st != 0 {
			t.Fatal(errs)
		}
		list += strings.TrimSpace(public) + " # " + n + "\n"
	}
	if err := os.WriteFile(keys, []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	return
}

func TestReleaseSignAndVerify(t *testing.T) {
	dir, manifest, keys, secret := testRelease(t)
	step := func(what string, want int, says string, args ...string) {
		t.Helper()
		st, out, errs := runKrama(append([]string{"release"}, args...)...)
		if st != want || !strings.Contains(out+errs, says) {
			t.Errorf("%s: status %d want %d, %q not in:\n%s%s", what, st, want, says, out, errs)
		}
	}
	if st, err := os.Stat(secret[0]); err != nil || (runtime.GOOS != "windows" && st.Mode().Perm() != 0o600) {
		t.Errorf("a release key is readable by others: %v", st.Mode())
	}
	step("a key over a key", exitFailed, "conflict", "key", "--out", secret[0])
	step("nothing asked", exitUsage, "Usage", "nothing")
	step("a flag missing", exitUsage, "--keys is missing", "verify", "--manifest", manifest)
	step("unsigned", exitFailed, "0 of the pinned keys", "verify", "--manifest", manifest, "--keys", keys)
	step("a public key signs nothing", exitFailed, "not a release key", "sign", "--manifest", manifest, "--key", keys)
	step("first signature", 0, "signatures 1", "sign", "--manifest", manifest, "--key", secret[2])
	step("the same again", 0, "signatures 1", "sign", "--manifest", manifest, "--key", secret[2])
	step("one is not enough", exitFailed, "1 of the pinned keys", "verify", "--manifest", manifest, "--keys", keys)
	step("second signature", 0, "signatures 2", "sign", "--manifest", manifest, "--key", secret[0])
	all := []string{"verify", "--manifest", manifest, "--keys", keys, "--dir", dir}
	step("signed", 0, "files 19", all...)
	one := append(all, "--only", "bin/krama-linux-amd64")
	step("one file", 0, "files 1", one...)
	step("no such file", exitFailed, "no such file", append(all, "--only", "bin/krama")...)

	program := filepath.Join(dir, "bin", "krama-linux-amd64")
	os.WriteFile(program, []byte("a progran"), 0o644)
	step("a changed program", exitAlarm, "differs bin/krama-linux-amd64\n", all...)
	step("a changed program alone", exitAlarm, "differs bin/krama-linux-amd64\n", one...)
	os.Remove(program)
	step("a missing program", exitAlarm, "missing bin/krama-linux-amd64\n", all...)
	os.WriteFile(program, []byte("a program"), 0o644)
	os.WriteFile(filepath.Join(dir, "bin", "krama-setup"), nil, 0o644)
	step("a stowaway", exitAlarm, "not in the release: bin/krama-setup\n", all...)
	os.Remove(filepath.Join(dir, "bin", "krama-setup"))
	step("as it was", 0, "files 19", all...)

	b, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(manifest, bytes.Replace(b, []byte("v1.0.0"), []byte("v1.0.1"), 1), 0o644)
	step("a changed manifest", exitAlarm, "does not fit", all...)
	os.WriteFile(manifest, b, 0o644)
	os.WriteFile(keys, []byte("abc\n"), 0o644)
	step("a key that is none", exitFailed, "not a public key", all...)
}

// TestReleaseCompare lets a site lie in every way it could and be seen from outside.
func TestReleaseCompare(t *testing.T) {
	_, manifest, keys, secret := testRelease(t)
	for _, s := range secret[:2] {
		if st, _, errs := runKrama("release", "sign", "--manifest", manifest, "--key", s); st != 0 {
			t.Fatal(errs)
		}
	}
	honest := func(relay, version string) *site.Site {
		s, err := site.New(site.Config{Relay: relay, Version: version})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	good := honest("https://relay.example", "v1.0.0")
	path := func(suffix string) string {
		for _, p := range good.Paths() {
			if strings.HasSuffix(p, suffix) {
				return p
			}
		}
		t.Fatalf("no %s", suffix)
		return ""
	}
	lie := func(at string, change func(w http.ResponseWriter, r *http.Request)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == at {
				change(w, r)
				return
			}
			good.ServeHTTP(w, r)
		})
	}
	more := func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept-Encoding")
		good.ServeHTTP(w, r)
		w.Write([]byte("\n"))
	}
	app, core := path("app.js"), path("krama.wasm")
	for _, c := range []struct {
		what  string
		site  http.Handler
		want  int
		says  string
		extra []string
	}{
		{"honest", good, 0, "relay https://relay.example\n", nil},
		{"honest, the relay given", good, 0, "files", []string{"--relay", "https://relay.example/"}},
		{"another relay", good, exitAlarm, "another relay", []string{"--relay", "https://relay.other"}},
		{"another version", honest("https://relay.example", "v1.0.1"), exitAlarm, "differs /app/\n", nil},
		{"a policy in the relay's name", honest("https://relay.example; script-src *", "v1.0.0"), exitAlarm,
			"differs /app/\n", nil},
		{"another page", lie("/app/", more), exitAlarm, "differs /app/\n", nil},
		{"another script", lie(app, more), exitAlarm, "differs " + app, nil},
		{"another core", lie(core, more), exitAlarm, "differs " + core, nil},
		{"another service worker", lie("/app/sw.js", more), exitAlarm, "differs /app/sw.js", nil},
		{"another start page", lie("/", more), exitAlarm, "differs /\n", nil},
		{"a file gone", lie(app, http.NotFound), exitAlarm, "differs " + app, nil},
		{"a file elsewhere", lie(app, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusFound)
		}), exitAlarm, "differs " + app, nil},
		{"no page", lie("/app/", http.NotFound), exitAlarm, "differs /app/\n", nil},
		{"a policy taken away", without(good, "Content-Security-Policy"), exitAlarm,
			"differs /app/ Content-Security-Policy", nil},
		{"another type", without(good, "Content-Type"), exitAlarm, "differs " + app + " Content-Type", nil},
	} {
		srv := httptest.NewServer(c.site)
		args := append([]string{"release", "compare", "--site", srv.URL, "--manifest", manifest, "--keys", keys},
			c.extra...)
		st, out, errs := runKrama(args...)
		srv.Close()
		if st != c.want || !strings.Contains(out, c.says) {
			t.Errorf("%s: status %d want %d, %q not in:\n%s%s", c.what, st, c.want, c.says, out, errs)
		}
		if c.what == "honest" {
			if st, _, _ := runKrama(args...); st != exitOffline {
				t.Errorf("a site that is away: status %d want %d", st, exitOffline)
			}
		}
	}
	if st, _, errs := runKrama("release", "compare", "--site", "help.example", "--manifest",
		manifest); st != exitFailed || !strings.Contains(errs, "not an address") {
		t.Errorf("an address without https: %d %s", st, errs)
	}
	r := seal.Release{Version: "v1.0.0", Commit: strings.Repeat("0a", 20),
		Files: []seal.ReleaseFile{{Name: "phone/app.js"}}}
	os.WriteFile(manifest, seal.SignedRelease{Manifest: r.Marshal()}.Marshal(), 0o644)
	if st, _, errs := runKrama("release", "compare", "--site", "https://help.example", "--manifest",
		manifest); st != exitFailed || !strings.Contains(errs, "another release") {
		t.Errorf("a manifest of another release: %d %s", st, errs)
	}
}

// without serves what h serves, without one header.
func without(h http.Handler, name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(&bareWriter{w, name}, r) })
}

type bareWriter struct {
	http.ResponseWriter
	name string
}

func (b *bareWriter) Write(p []byte) (int, error) {
	b.Header()[b.name] = nil
	return b.ResponseWriter.Write(p)
}
