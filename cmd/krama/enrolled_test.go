package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// enrolled is a small demonstration with a phone that is enrolled and open.
type enrolled struct {
	*demoProcess
	data, profile string // folders of the demonstration and of the phone's browser
	port          int
	phone         *browser
	words         []string
}

// The enrolment itself is gone through once in a run of the tests that only need a phone: each works on a copy of the
// folders it left. They take the port one after another, because a browser's files belong to an address.
var once struct {
	sync.Once
	dir   string
	port  int
	words []string
}

func startEnrolled(t testing.TB) *enrolled {
	t.Helper()
	once.Do(func() {
		dir, port := filepath.Join(buildDir, "enrolled"), freePort(t)
		d := startDemo(t, filepath.Join(dir, "demo"), port, "--small")
		b := startBrowser(t, filepath.Join(dir, "profile"))
		words := b.enrolPhone(d)
		b.unlock(d, words)
		b.wait("everything to be received", `document.querySelector('[data-unsent]').dataset.unsent=='0'`)
		b.kill()
		d.kill()
		once.dir, once.port, once.words = dir, port, words
	})
	if once.words == nil {
		t.Fatal("the phone was not enrolled: see the first test that needed it")
	}
	e := &enrolled{data: t.TempDir(), profile: t.TempDir(), port: once.port, words: once.words}
	for from, to := range map[string]string{"demo": e.data, "profile": e.profile} {
		if err := os.CopyFS(to, os.DirFS(filepath.Join(once.dir, from))); err != nil {
			t.Fatal(err)
		}
	}
	e.demoProcess = startDemo(t, e.data, e.port)
	e.phone = startBrowser(t, e.profile)
	e.phone.unlock(e.demoProcess, e.words)
	return e
}
