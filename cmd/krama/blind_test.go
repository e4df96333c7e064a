package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"krama"
	"krama/casework"
	"krama/office"
	"krama/replica"
)

// TestRelayHoldsNothingReadable fills a relay in a process of its own with a known programme, then looks for what it
// must not know in its file, its write-ahead log and the memory of its process.
func TestRelayHoldsNothingReadable(t *testing.T) {
	dir := t.TempDir()
	relay := startServe(t, filepath.Join(dir, "relay"), freePort(t))
	words := relay.found(t, filepath.Join(dir, "desk"))
	st := casework.New()
	c := deskReplica(filepath.Join(dir, "desk"))
	c.Feed = office.Feed(st)
	r, err := replica.Unlock(c, words)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var secrets [][]byte
	hide := func(b []byte) { secrets = append(secrets, b, []byte(hex.EncodeToString(b))) }
	for i := range 40 {
		s, _ := r.NewSubject()
		code, _ := krama.NewCode(c.Rand)
		p, _ := r.NewRecord()
		k, _ := r.NewRecord()
		person := &krama.Record{ID: p, Person: &krama.Person{Code: code, Gender: 1, Age: 4, Category: 1, District: 1002,
			Registered: 20500}}
		contact := &krama.Record{ID: k, Contact: &krama.Contact{Date: 20600, District: 1002, Place: 1,
			Given: krama.Supplies{20}}}
		if err := r.Write(krama.KindOutreach, s, person, contact); err != nil {
			t.Fatal(err)
		}
		label := fmt.Sprintf("Outreach worker number %d", i)
		if err := office.WriteLabel(r, krama.MemberID(s), label); err != nil {
			t.Fatal(err)
		}
		body, _ := contact.Encode()
		hide(s[:])
		hide(p[:])
		hide(k[:])
		secrets = append(secrets, []byte(code), []byte(code.String()), []byte(label), body)
	}
	if err := r.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	me, _ := r.Device()
	for _, id := range r.Kinds() {
		if id != krama.OrgCircle {
			hide(id[:])
		}
	}
	if r.Status().Unsent != 0 {
		t.Fatal("nothing was sent, so nothing was tested")
	}

	haystacks := map[string][]byte{}
	files, _ := filepath.Glob(filepath.Join(dir, "relay", "*"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		haystacks[filepath.Base(f)] = b
	}
	if len(haystacks["relay.db-wal"])+len(haystacks["relay.db"]) < 10_000 {
		t.Fatalf("the relay's files are too small to have been written: %v", files)
	}
	haystacks["memory"] = dumpMemory(t, relay.cmd.Process.Pid)
	if !bytes.Contains(haystacks["memory"], []byte("relay.db")) {
		t.Fatal("the memory dump does not even hold the file's name: the test sees nothing")
	}
	for name, hay := range haystacks {
		for _, s := range secrets {
			if bytes.Contains(hay, s) {
				t.Errorf("%s holds %q", name, s)
			}
		}
		// A device shows its own random id when it reads its mailbox: it proves itself by it. It must not stay.
		if name != "memory" && (bytes.Contains(hay, me[:]) || bytes.Contains(hay, []byte(hex.EncodeToString(me[:])))) {
			t.Errorf("%s holds a device's id", name)
		}
		for _, addr := range []string{"127.0.0.1"} {
			if name != "memory" && bytes.Contains(hay, []byte(addr)) {
				t.Errorf("%s holds an address", name)
			}
		}
	}
}

// dumpMemory reads all readable memory of a process.
func dumpMemory(t *testing.T, pid int) []byte {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	var out bytes.Buffer
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var perm string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &perm); n != 3 || !strings.HasPrefix(perm, "rw") ||
			to-from > 1<<30 {
			continue
		}
		b := make([]byte, to-from)
		if n, _ := mem.ReadAt(b, from); n > 0 {
			out.Write(b[:n])
		}
	}
	return out.Bytes()
}

// serveProcess is a running `krama serve`.
type serveProcess struct {
	cmd        *exec.Cmd
	url, token string
	dir        string
	port       int
}

func startServe(t testing.TB, dir string, port int) *serveProcess {
	t.Helper()
	s := &serveProcess{dir: dir, port: port, url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

func (s *serveProcess) start(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(program(t), "serve", "--data", s.dir, "--listen", fmt.Sprintf("127.0.0.1:%d", s.port))
	s.cmd.Env = append(os.Environ(), dumpEnv+"=1") // some tests look into its memory
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 4096)
	for !bytes.Contains(buf, []byte("stop with")) {
		chunk := make([]byte, 1024)
		n, err := pipe.Read(chunk)
		buf = append(buf, chunk[:n]...)
		if err != nil {
			t.Fatalf("the relay did not start: %s", buf)
		}
	}
	b, err := os.ReadFile(filepath.Join(s.dir, "token"))
	if err != nil {
		t.Fatal(err)
	}
	s.token = strings.TrimSpace(string(b))
}

func (s *serveProcess) kill() {
	if s.cmd.ProcessState == nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	}
}

// found runs `krama new` and returns the four words it prints.
func (s *serveProcess) found(t testing.TB, desk string) string {
	t.Helper()
	cmd := exec.Command(program(t), "new", "--relay", s.url, "--token", s.token, "--data", desk)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("krama new: %v\n%s", err, stderr.String())
	}
	return strings.TrimSpace(out.String())
}
