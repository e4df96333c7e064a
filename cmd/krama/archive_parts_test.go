package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/exchange"
)

// severalParts writes an archive of two chunks and takes it apart: all before the first chunk, and the chunks.
func severalParts(t *testing.T, passphrase string) (head string, chunks []string) {
	t.Helper()
	x := emptyExport()
	for range 40_000 {
		r := &krama.Record{Contact: &krama.Contact{Date: krama.Date(2026, 1, 1), Place: 1}}
		var who krama.SubjectID
		rand.Read(r.ID[:])
		rand.Read(who[:])
		x.State.Apply(who, r, krama.DeviceID{}, false)
	}
	var page bytes.Buffer
	if _, err := exchange.Write(&page, rand.Reader, passphrase, x); err != nil {
		t.Fatal(err)
	}
	all := strings.SplitAfter(page.String(), "\n")
	at := slices.Index(all, "KRAMA-ARCHIVE 1\n") + 2
	end := slices.Index(all[at:], "</script>\n") + at
	if end-at != 2 {
		t.Fatalf("%d parts, want 2", end-at)
	}
	return strings.Join(all[:at], ""), all[at:end]
}

func waitFile(t *testing.T, path string, ready func([]byte) bool) []byte {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var b []byte
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if f, err := os.Open(path); err == nil {
			b, _ = io.ReadAll(f)
			f.Close()
			if ready(b) {
				return b
			}
		}
	}
	t.Fatalf("%s was not saved whole: %d bytes", filepath.Base(path), len(b))
	return nil
}

// archiveShots draws the page for people to look at.
func archiveShots(b *browser, url, phrase, dir string) {
	for _, l := range []struct {
		lang string
		w, h int64
		dark bool
	}{{"en", 1280, 800, false}, {"km", 1280, 800, true}, {"km", 360, 640, false}, {"en", 360, 640, true},
		{"vi", 360, 640, false}} {
		b.size(l.w, l.h, l.dark)
		b.open(url)
		b.waitFor("#gate:not([hidden]) #open:not([disabled])")
		b.js(fmt.Sprintf("document.querySelector('#languages [lang=%s]').click()", l.lang))
		name := func(p string) string {
			return filepath.Join(dir, fmt.Sprintf("archive-%s-%s-%d-%v.png", p, l.lang, l.w, l.dark))
		}
		b.shot(name("gate"))
		b.js(fmt.Sprintf("(document.getElementById('phrase').value=%q,document.getElementById('gate').requestSubmit())",
			phrase))
		b.waitFor("#inside table")
		b.shot(name("people"))
		b.click("#view-contact")
		b.js("document.querySelector('nav').scrollIntoView()")
		b.shot(name("contacts"))
		b.js("document.querySelector('.care').scrollIntoView()")
		b.shot(name("save"))
		b.click("#view-codebook")
		b.js("document.querySelector('nav').scrollIntoView()")
		b.shot(name("codebook"))
	}
}
