package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/relay/sqlite"
	"krama/relay/storetest"
)

// relayFolder is a relay's folder with n envelopes of one stream in it. The store is still open, as in a running relay.
func relayFolder(t *testing.T, n int) (dir string, s *sqlite.Store, st relay.Stream) {
	t.Helper()
	dir = t.TempDir()
	s, err := sqlite.Open(storePath(dir), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	st = storetest.NewStream(t, s)
	for left := n; left > 0; left -= 1000 {
		var batch [][]byte
		for range min(left, 1000) {
			b := make([]byte, 2000)
			rand.Read(b)
			batch = append(batch, b)
		}
		if _, err := s.Append(context.Background(), st.ID, nil, batch, 1<<40); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("SECRETTOKEN\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, s, st
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func TestBackupCommands(t *testing.T) {
	dir, s, st := relayFolder(t, 30)
	file, back := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "new", "relay")
	code, out, stderr := cli("", "backup", "--data", dir, "--to", file)
	raw, err := os.ReadFile(file)
	if code != exitOK || err != nil {
		t.Fatalf("backup: %d %s %v", code, stderr, err)
	}
	sum := sha256.Sum256(raw)
	if want := "streams 1\nenvelopes 30\nsha256 " + hex.EncodeToString(sum[:]) + "\n"; !strings.HasSuffix(out, want) {
		t.Errorf("got %q want it to end %q", out, want)
	}
	if bytes.Contains(raw, []byte("SECRETTOKEN")) {
		t.Error("the token is in the backup")
	}
	if !strings.Contains(stderr, "copying: 100 %\n") || !strings.Contains(stderr, "hint:") || !strings.Contains(stderr,
		"destroy it after "+(krama.DayOf(time.Now())+7).String()) {
		t.Errorf("no progress: %q", stderr)
	}
	if err := os.MkdirAll(back, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(back, "token"), []byte("KEPT\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, stderr = cli("", "restore", "--from", file, "--data", back); code != exitOK || !strings.Contains(out,
		"envelopes 30\n") {
		t.Fatalf("restore: %d %s", code, stderr)
	}
	if token, fresh, err := foundingToken(back); token != "KEPT" || fresh || err != nil {
		t.Errorf("token %q %v", token, err)
	}
	restored, err := sqlite.Open(storePath(back), 0)
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := s.List(t.Context(), st.ID, 0, 1<<30)
	b, err2 := restored.List(t.Context(), st.ID, 0, 1<<30)
	if err1 != nil || err2 != nil || len(a) != 30 || len(b) != 30 {
		t.Fatal(len(a), len(b), err1, err2)
	}
	for i := range a {
		if a[i].N != b[i].N || a[i].ID != b[i].ID || !bytes.Equal(a[i].Body, b[i].Body) {
			t.Errorf("envelope %d is another", i+1)
		}
	}
	restored.Close()

	damaged := t.TempDir()
	half := filepath.Join(damaged, "half")
	for path, b := range map[string][]byte{half: raw[:len(raw)/2], storePath(damaged): raw[:len(raw)/2]} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		args   []string
		code   int
		out    string
		stderr string
	}{
		"a running relay": {[]string{"check", "--data", dir}, exitOK, "Nothing is wrong.", ""},
		"a backup":        {[]string{"check", "--file", file}, exitOK, hex.EncodeToString(sum[:]), ""},
		"a damaged backup": {[]string{"check", "--file", half}, exitFailed, "The database file is damaged",
			"hint: do not use this backup"},
		"a damaged relay": {[]string{"check", "--data", damaged}, exitFailed, "The database file is damaged",
			"hint: stop the relay"},
		"nothing to check":      {[]string{"check", "--data", t.TempDir()}, exitFailed, "", "hint:"},
		"check without a place": {[]string{"check"}, exitUsage, "", "Usage: krama check"},
		"check of two": {[]string{"check", "--data", dir, "--file", file}, exitUsage, "",
			"Usage: krama check"},
		"backup over a file": {[]string{"backup", "--data", dir, "--to", file}, exitFailed, "",
			"hint: choose another name"},
		"backup of nothing": {[]string{"backup", "--data", t.TempDir(), "--to", half + "2"}, exitFailed, "",
			"hint: --data is the folder of krama serve"},
		"backup of damage": {[]string{"backup", "--data", damaged, "--to", half + "3"}, exitFailed, "",
			"hint: krama check --data"},
		"backup to nowhere": {[]string{"backup", "--data", dir}, exitUsage, "", "Usage: krama backup"},
		"restore over a store": {[]string{"restore", "--from", file, "--data", back}, exitFailed, "",
			"hint: stop the relay and give a new folder"},
		"restore of damage": {[]string{"restore", "--from", half, "--data", filepath.Join(damaged, "r")},
			exitFailed, "", "hint: krama check --file"},
		"restore of a live file": {[]string{"restore", "--from", storePath(dir), "--data", filepath.Join(damaged, "r")},
			exitFailed, "", "hint: --from is a file that krama backup made"},
		"restore of nothing": {[]string{"restore", "--from", half + "9", "--data", filepath.Join(damaged, "r")},
			exitFailed, "", "hint: --from is a file"},
		"restore from nowhere": {[]string{"restore", "--data", dir}, exitUsage, "", "Usage: krama restore"},
	} {
		code, out, stderr := cli("", tc.args...)
		if code != tc.code || !strings.Contains(out, tc.out) || !strings.Contains(stderr, tc.stderr) {
			t.Errorf("%s: got %d %q %q want %d %q %q", name, code, out, stderr, tc.code, tc.out, tc.stderr)
		}
	}
	for _, path := range []string{half + "2", half + "3", filepath.Join(damaged, "r", "relay.db")} {
		if exists(path) || exists(path+".part") {
			t.Errorf("%s is there", filepath.Base(path))
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"backup", "--data", dir, "--to", half + "4"}, {"check", "--data", dir}} {
		if err := run(gone, args, strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer)); status(err,
			new(bytes.Buffer)) != exitFailed {
			t.Errorf("%s, interrupted, ends as if it had worked", args[0])
		}
	}
}

// TestKillBackup kills a backup at each of its stages while the relay it copies goes on. There is never a file that is
// not a whole backup, and the next backup to the same name works.
func TestKillBackup(t *testing.T) {
	dir, s, st := relayFolder(t, 20_000)
	dst := t.TempDir()
	killed := 0
	for _, stage := range []string{"copying: 10 %", "copying: 50 %", "copying: 100 %", "reading the file",
		"checking envelopes: 40 %", "adding up"} {
		file := filepath.Join(dst, "backup")
		cmd := exec.Command(program(t), "backup", "--data", dir, "--to", file)
		pipe, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		sc := bufio.NewScanner(pipe)
		reached := false
		for !reached && sc.Scan() {
			reached = sc.Text() == stage
		}
		cmd.Process.Kill()
		cmd.Wait()
		if !reached {
			t.Fatalf("no stage %q", stage)
		}
		if exists(file) { // it was quicker than the kill
			if code, out, stderr := cli("", "check", "--file", file); code != exitOK {
				t.Errorf("killed at %s: a file that is no backup: %s %s", stage, out, stderr)
			}
			os.Remove(file)
		} else if exists(file + ".part") {
			killed++
		}
		if _, err := s.Append(t.Context(), st.ID, nil, [][]byte{storetest.Envelope(1024)}, 1<<40); err != nil {
			t.Errorf("after a kill at %s: %v", stage, err)
		}
	}
	if killed < 3 {
		t.Errorf("only %d of 6 kills came before the end", killed)
	}
	file := filepath.Join(dst, "backup")
	if code, out, stderr := cli("", "backup", "--data", dir, "--to", file); code != exitOK || !strings.Contains(out,
		"envelopes 20006\n") {
		t.Errorf("the next backup: %d %s %s", code, out, stderr)
	}
	if code, _, stderr := cli("", "check", "--data", dir); code != exitOK {
		t.Errorf("the relay's store: %s", stderr)
	}
	if exists(file + ".part") {
		t.Error("a part is left")
	}
}
