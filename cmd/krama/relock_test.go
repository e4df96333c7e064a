//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/casework"
	"krama/demo"
	"krama/office"
	"krama/replica"
)

// deskProcess is a running `krama desk` and a browser that was let in.
type deskProcess struct {
	t    *testing.T
	cmd  *exec.Cmd
	base string
	http.Client
}

func startDesk(t *testing.T, dir string, env ...string) *deskProcess {
	t.Helper()
	d := &deskProcess{t: t, cmd: exec.Command(program(t), "desk", "--no-browser", "--data", dir)}
	d.cmd.Env = append(os.Environ(), env...)
	out, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.cmd.Process.Kill(); d.cmd.Wait() })
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	open, ok := strings.CutPrefix(strings.TrimSpace(first), "desk: ")
	if err != nil || !ok {
		t.Fatalf("the desk said %q, %v", first, err)
	}
	go io.Copy(io.Discard, lines)
	u, err := url.Parse(open)
	if err != nil {
		t.Fatal(err)
	}
	d.base = "http://" + u.Host
	d.Jar, _ = cookiejar.New(nil)
	d.Timeout = time.Minute
	d.get(strings.TrimPrefix(open, d.base))
	return d
}

func (d *deskProcess) read(res *http.Response, err error) string {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		d.t.Fatalf("%s: %d, %v", res.Request.URL.Path, res.StatusCode, err)
	}
	return string(b)
}

func (d *deskProcess) get(path string) string { d.t.Helper(); return d.read(d.Get(d.base + path)) }

func (d *deskProcess) post(path string, v url.Values) string {
	d.t.Helper()
	return d.read(d.PostForm(d.base+path, v))
}

// TestA25MemoryAfterLock opens a desk, looks at a person, locks, and searches the process's memory for the four words
// and for what was on the screen. The same browser goes on at the same address.
func TestA25MemoryAfterLock(t *testing.T) {
	dir, words, _ := anOffice(t, demo.Size{People: 30, Staff: 1, Months: 2, Contacts: 60, Tests: 10})
	st := casework.New()
	c := deskReplica(dir)
	c.Feed, c.Reset = office.Feed(st), st.Reset
	r, err := replica.Unlock(c, words)
	if err != nil {
		t.Fatal(err)
	}
	var id, code string
	for _, row := range st.Rows(krama.DayOf(time.Now())) {
		s, c := row.Subject, row.Code
		if c != "" {
			id, code = hex.EncodeToString(s[:]), c.String()
			break
		}
	}
	if err := r.Close(); err != nil || id == "" {
		t.Fatal("nobody to look at", err)
	}
	d := startDesk(t, dir, dumpEnv+"=1")
	pid := d.cmd.Process.Pid
	if page := d.post("/lang", url.Values{"lang": {"vi"}}); !strings.Contains(page, `lang="vi"`) {
		t.Fatal("the language was not taken")
	}
	d.post("/unlock", url.Values{"words": {words}})
	if page := d.get("/person/" + id); !strings.Contains(page, code) {
		t.Fatal("the person's page does not show her code")
	}
	raw, _ := hex.DecodeString(id)
	secrets := map[string][]byte{"the words": []byte(words), "the words of a form": []byte(strings.ReplaceAll(words,
		" ", "+")), "a code": []byte(code),
		"a code without its dash": []byte(strings.ReplaceAll(code, "-", "")), "an id": []byte(id), "an id's bytes": raw}
	before := dumpMemory(t, pid)
	for _, name := range []string{"the words", "a code", "an id"} {
		if !bytes.Contains(before, secrets[name]) {
			t.Errorf("%s: not in memory while it is open: this test sees nothing", name)
		}
	}
	if page := d.post("/lock", nil); !strings.Contains(page, `action="/unlock"`) || !strings.Contains(page,
		`lang="vi"`) {
		t.Error("after the lock: not the gate in the language that was chosen")
	}
	after := dumpMemory(t, pid)
	if len(after) < 1<<20 || !bytes.Contains(after, []byte("krama")) {
		t.Fatal("the memory was not read")
	}
	for name, s := range secrets {
		if n := bytes.Count(after, s); n > 0 {
			t.Errorf("%s: %d times in memory after the lock", name, n)
		}
	}
	for _, f := range []string{"environ", "cmdline"} {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + f)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range d.Jar.Cookies(&url.URL{Scheme: "http", Host: strings.TrimPrefix(d.base, "http://"),
			Path: "/"}) {
			if bytes.Contains(b, []byte(c.Value)) {
				t.Errorf("%s tells the cookie", f)
			}
		}
	}

	// Again, by the cover, and once more in the new process: it hands on what it was given.
	for range 2 {
		d.post("/unlock", url.Values{"words": {words}})
		if page := d.get("/person/" + id); !strings.Contains(page, code) {
			t.Fatal("the new process does not open")
		}
		d.post("/cover", nil)
	}
	after = dumpMemory(t, pid)
	for name, s := range secrets {
		if n := bytes.Count(after, s); n > 0 {
			t.Errorf("%s: %d times in memory after the cover", name, n)
		}
	}
	stranger := http.Client{Timeout: time.Minute}
	if res, err := stranger.Get(d.base + "/"); err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("without the cookie: %v %v", res, err)
	}
}

// TestA25NoCore checks that neither a crash nor a debugger of the same user gets the memory of a desk or a relay.
func TestA25NoCore(t *testing.T) {
	dir, words, _ := anOffice(t, demo.Size{People: 30, Staff: 1, Months: 1, Contacts: 30, Tests: 5})
	d := startDesk(t, dir)
	look := func() {
		t.Helper()
		proc := "/proc/" + strconv.Itoa(d.cmd.Process.Pid)
		limits, err := os.ReadFile(proc + "/limits")
		if err != nil || !strings.Contains(string(limits), "Max core file size        0                    0") {
			t.Errorf("cores are allowed: %v\n%s", err, limits)
		}
		if os.Getuid() == 0 {
			return // everything is the administrator's
		}
		if f, err := os.Open(proc + "/mem"); err == nil {
			f.Close()
			t.Error("its memory can be read")
		}
	}
	look()
	d.post("/unlock", url.Values{"words": {words}})
	d.post("/lock", nil)
	look()
}
