//go:build unix

package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"krama/demo"
)

// open lists what others than the owner can read or write below a folder.
func open(t *testing.T, dir string) (out []string, files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		st, err := d.Info()
		if err == nil && st.Mode().Perm()&0o077 != 0 {
			out = append(out, fmt.Sprintf("%s %v", strings.TrimPrefix(name, dir), st.Mode()))
		}
		files++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, files
}

// TestA35FilesAreTheOwnersAlone writes everything that the program writes, under a umask that forbids nothing and in
// this process, where main did not set its own.
func TestA35FilesAreTheOwnersAlone(t *testing.T) {
	desk, words, _ := anOffice(t, demo.Size{People: 30, Staff: 1, Months: 2, Contacts: 60, Tests: 10})
	defer syscall.Umask(syscall.Umask(0))
	all := t.TempDir()
	in := func(name string) string { return filepath.Join(all, name) }
	cliMust := func(stdin string, args ...string) {
		t.Helper()
		if code, _, stderr := cli(stdin, args...); code != exitOK {
			t.Fatalf("%v: %d %s", args, code, stderr)
		}
	}
	relayDir := in("relay")
	start := func() (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		began := &lines{has: make(chan struct{}), want: "stop with"}
		go func() {
			ended <- run(ctx, []string{"serve", "--data", relayDir, "--listen", fmt.Sprintf("127.0.0.1:%d",
				freePort(t))}, nil, began, began)
		}()
		select {
		case <-began.has:
		case err := <-ended:
			t.Fatal("serve:", err)
		}
		return func() { cancel(); <-ended }
	}
	stop := start()
	if wide, n := open(t, all); len(wide) > 0 || n < 4 {
		t.Errorf("of a running relay's %d files, others can read %q", n, wide)
	}
	cliMust("", "backup", "--data", relayDir, "--to", in("backup"))
	cliMust("", "restore", "--from", in("backup"), "--data", in("restored"))
	stop()
	cliMust(words, "export", "--data", desk, "--to", in("kept.html"), "--reason", "closing", "--recipient", "the board",
		"--people", peopleOf(t, desk, words))
	cliMust("", "recipient", "--to", in("hers"))
	cliMust(words, "export", "--data", desk, "--to", in("sealed.html"), "--reason", "closing", "--recipient",
		"the board", "--people", peopleOf(t, desk, words), "--seal-to", in("hers.pub"))
	cliMust(words, "directory", "export", "--data", desk, "--to", in("listings"))
	cliMust(words, "directory", "export", "--data", desk, "--to", in("listings.zip"))
	cliMust("", "release", "key", "--out", in("key"))
	if wide, n := open(t, all); len(wide) > 0 || n < 10 {
		t.Errorf("of %d files, others can read %q", n, wide)
	}
	if wide, n := open(t, filepath.Dir(desk)); len(wide) > 0 || n < 3 {
		t.Errorf("of a desk's %d files, others can read %q", n, wide)
	}

	// What an earlier version, or a careless copy, left open is closed at the start.
	for _, dir := range []string{relayDir, desk} {
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, f := range files {
			os.Chmod(f, 0o666)
		}
	}
	os.Chmod(filepath.Join(relayDir, "audio"), 0o700)
	start()()
	cli(words, "sync", "--data", desk) // its relay is gone; its files are opened
	for _, dir := range []string{relayDir, desk} {
		if wide, n := open(t, dir); len(wide) > 0 || n < 2 {
			t.Errorf("of %d files, after the next start others can read %q", n, wide)
		}
	}
}

// lines waits for words in what is written.
type lines struct {
	got  string
	want string
	has  chan struct{}
}

func (l *lines) Write(b []byte) (int, error) {
	before := strings.Contains(l.got, l.want)
	if l.got += string(b); !before && strings.Contains(l.got, l.want) {
		close(l.has)
	}
	return len(b), nil
}

func peopleOf(t *testing.T, desk, words string) string {
	_, _, stderr := cli(words, "export", "--data", desk, "--to", filepath.Join(t.TempDir(), "x"), "--reason", "closing",
		"--recipient", "the board")
	_, after, _ := strings.Cut(stderr, "--people ")
	return strings.Fields(after)[0]
}
