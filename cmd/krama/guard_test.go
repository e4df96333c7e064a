package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeskIsForOneBrowserOfThisComputer tries what other users, other pages and a rebound name can do.
func TestDeskIsForOneBrowserOfThisComputer(t *testing.T) {
	const host = "127.0.0.1:9999"
	inside := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "inside") })
	h, open, err := protect(inside, host)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path string, change func(*http.Request)) (int, string, *http.Response) {
		r := httptest.NewRequest(method, "http://"+host+path, nil)
		if change != nil {
			change(r)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String(), w.Result()
	}
	path := strings.TrimPrefix(open, "http://"+host)
	for name, tc := range map[string]struct {
		path   string
		change func(*http.Request)
	}{
		"no cookie":       {"/", nil},
		"a wrong ticket":  {"/open?t=00", nil},
		"an empty ticket": {"/open?t=", nil},
		"a guessed cookie": {"/", func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: "krama-9999", Value: "00"})
		}},
		"static, no cookie": {"/static/app.css", nil},
		"a rebound name":    {path, func(r *http.Request) { r.Host = "evil.example" }},
		"localhost by name": {path, func(r *http.Request) { r.Host = "localhost:9999" }},
	} {
		if code, body, _ := ask("GET", tc.path, tc.change); code == 200 || strings.Contains(body, "inside") {
			t.Errorf("%s: %d %q", name, code, body)
		}
	}
	code, _, res := ask("GET", path, nil)
	if code != 200 || len(res.Cookies()) != 1 {
		t.Fatalf("the right ticket: %d", code)
	}
	cookie := res.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Error("the cookie can travel")
	}
	if code, _, _ := ask("GET", path, nil); code == 200 {
		t.Error("the ticket works twice")
	}
	with := func(extra func(*http.Request)) func(*http.Request) {
		return func(r *http.Request) {
			r.AddCookie(cookie)
			if extra != nil {
				extra(r)
			}
		}
	}
	if code, body, _ := ask("POST", "/", with(nil)); code != 200 || body != "inside" {
		t.Errorf("our own browser: %d", code)
	}
	for name, extra := range map[string]func(*http.Request){
		"another page's form":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"another port's form":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"an old browser's form": func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
		"a rebound name":        func(r *http.Request) { r.Host = "evil.example:9999" },
	} {
		if code, body, _ := ask("POST", "/", with(extra)); code == 200 || body == "inside" {
			t.Errorf("%s: %d", name, code)
		}
	}
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") ||
		strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
}

// cli runs the command line in this process.
func cli(stdin string, args ...string) (int, string, string) {
	var out, stderr bytes.Buffer
	code := status(run(context.Background(), args, strings.NewReader(stdin), &out, &stderr), &stderr)
	return code, out.String(), stderr.String()
}

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	relay := startServe(t, filepath.Join(dir, "relay"), freePort(t))
	desk := filepath.Join(dir, "desk")
	code, words, stderr := cli("", "new", "--relay", relay.url, "--token", relay.token, "--data", desk)
	if code != exitOK || len(strings.Fields(words)) != 4 {
		t.Fatalf("new: %d %s", code, stderr)
	}
	for name, tc := range map[string]struct {
		stdin string
		args  []string
		code  int
		out   string // in what is printed
	}{
		"no command":     {"", nil, exitUsage, "Commands:"},
		"help":           {"", []string{"help"}, exitOK, "Exit statuses"},
		"help of one":    {"", []string{"help", "serve"}, exitOK, "--domain"},
		"unknown":        {"", []string{"fly"}, exitUsage, "hint: krama help"},
		"unknown flag":   {"", []string{"sync", "--fast"}, exitUsage, "Usage: krama sync"},
		"extra argument": {"", []string{"sync", "now"}, exitUsage, "Usage: krama sync"},
		"version":        {"", []string{"version"}, exitOK, "krama "},
		"new twice": {"", []string{"new", "--relay", relay.url, "--token", relay.token, "--data", desk},
			exitFailed, "hint: open it with"},
		"new, wrong token": {"", []string{"new", "--relay", relay.url, "--token", "WRONG", "--data",
			filepath.Join(dir, "other")}, exitFailed, "hint: the token"},
		"new, no relay": {"", []string{"new", "--relay", "http://127.0.0.1:1", "--token", "X", "--data",
			filepath.Join(dir, "other")}, exitOffline, "hint: is the relay running"},
		"sync": {words, []string{"sync", "--data", desk}, exitOK, "unsent 0"},
		"wrong words": {"one two three four\n", []string{"sync", "--data", desk}, exitLocked,
			"nothing was lost"},
		"no words": {"", []string{"sync", "--data", desk}, exitFailed, "hint: type the four words"},
		"no desk": {words, []string{"sync", "--data", filepath.Join(dir, "none")}, exitFailed,
			"hint: found a programme"},
		"report": {words, []string{"report", "--data", desk, "--from", "2026-04-01", "--to", "2026-09-30"},
			exitOK, "KP_PREV,2.6.1,2026-04-01,2026-09-30,KH-10,total,total,0,programme"},
		"report, bad": {words, []string{"report", "--data", desk, "--from", "2026-09-30", "--to", "2026-04-01"},
			exitFailed, "hint: for example"},
		"desk, not loopback": {"", []string{"desk", "--data", desk, "--listen", "0.0.0.0:0"}, exitFailed,
			"for this computer alone"},
		"desk, app alone": {"", []string{"desk", "--data", desk, "--no-browser", "--app", "127.0.0.1:0"}, exitFailed,
			"--app needs --relay"},
		"desk, bad key": {"", []string{"desk", "--data", desk, "--no-browser", "--app", "127.0.0.1:0", "--relay",
			"https://relay.example", "--cert", "no", "--key", "no"}, exitFailed, "give both --cert and --key"},
		"codebook":         {"", []string{"report", "--codebook"}, exitOK, "Hidden: it stands for"},
		"directory":        {"", []string{"directory"}, exitUsage, "Usage: krama directory"},
		"directory, what?": {"", []string{"directory", "fly"}, exitUsage, "Usage: krama directory"},
		"directory, no path": {words, []string{"directory", "export", "--data", desk}, exitUsage,
			"Usage: krama directory"},
		"directory, two": {words, []string{"directory", "import", "one", "--data", desk, "two"}, exitUsage,
			"Usage: krama directory"},
		"directory, stdin": {words, []string{"directory", "import", "-", "--data", desk}, exitFailed,
			"nothing was written"},
		"serve, no folder": {"", []string{"serve"}, exitUsage, "Usage: krama serve"},
		"serve, what?":     {"", []string{"serve", "--listen", "127.0.0.1:0"}, exitUsage, "--data is missing"},
		"new, what?":       {"", []string{"new", "--token", "X"}, exitUsage, "--relay is missing"},
		"new, half a relay": {"", []string{"new", "--relay", strings.TrimPrefix(relay.url, "http://"), "--token",
			relay.token, "--data", filepath.Join(dir, "other")}, exitFailed, "write it whole"},
		"join, half a relay": {"", []string{"join", "--relay", "relay.example.org", "--data", filepath.Join(dir,
			"other")}, exitFailed, "write it whole"},
		"serve, taken": {"", []string{"serve", "--data", filepath.Join(dir, "relay"), "--listen", "127.0.0.1:0"},
			exitFailed, "hint: stop the other one"},
		"serve, taken port": {"", []string{"serve", "--data", t.TempDir(), "--listen", strings.TrimPrefix(relay.url,
			"http://")}, exitFailed, "hint: another program listens"},
		"serve, domain's address": {"", []string{"serve", "--data", filepath.Join(dir, "new"), "--domain",
			"https://help.example"}, exitFailed, "without https://"},
		"serve, the last port": {"", []string{"serve", "--data", filepath.Join(dir, "new"), "--listen",
			"127.0.0.1:65535"}, exitFailed, "HOST:PORT"},
		"demo, no port": {"", []string{"demo", "--port", "65534"}, exitFailed, "for example --port"},
		"serve, half a relay": {"", []string{"serve", "--data", filepath.Join(dir, "new"), "--listen", "127.0.0.1:0",
			"--relay", "relay.help.example"}, exitFailed, "write it whole"},
		"report, no desk": {"", []string{"report", "--data", filepath.Join(dir, "none"), "--from",
			"2026-04-01", "--to", "2026-09-30"}, exitFailed, "no desk is in this folder"},
		"sync, with a mark": {"\ufeff" + words, []string{"sync", "--data", desk}, exitOK, "unsent 0"},
		"serve, bad port": {"", []string{"serve", "--data", t.TempDir(), "--listen", "here"}, exitFailed,
			"HOST:PORT"},
	} {
		code, out, stderr := cli(tc.stdin, tc.args...)
		if code != tc.code || !strings.Contains(out+stderr, tc.out) {
			t.Errorf("%s: status %d want %d, printed %q", name, code, tc.code, out+stderr)
		}
		if strings.Contains(stderr, strings.TrimSpace(words)) {
			t.Errorf("%s: the words are in an error", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "other", "vault")); err == nil {
		t.Error("a failed founding leaves a vault behind")
	}
	relay.kill()
	if code, _, stderr := cli(words, "sync", "--data", desk); code != exitOffline || !strings.Contains(stderr,
		"nothing is lost") {
		t.Errorf("sync without a relay: %d %s", code, stderr)
	}
}
