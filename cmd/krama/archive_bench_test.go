package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"krama/demo"
)

// TestBenchArchive measures the archive of the full demo programme when KRAMA_BENCH is set, and prints rows of a
// Markdown table. Unlocking the desk, with its key derivation and folding, is in the writing; the passphrase's
// derivation is in all.
func TestBenchArchive(t *testing.T) {
	if os.Getenv("KRAMA_BENCH") == "" {
		t.Skip("measured only by make bench")
	}
	dir, words, n := anOffice(t, demo.Full)
	to := filepath.Join(t.TempDir(), "kept.html")
	args := []string{"export", "--data", dir, "--to", to, "--reason", "r", "--recipient", "r", "--people",
		fmt.Sprint(n.People)}
	began := time.Now()
	stderr, exit := kramaRun(t, words, args...)
	wrote := time.Since(began)
	m := passphraseLine.FindStringSubmatch(stderr)
	info, err := os.Stat(to)
	if exit != exitOK || m == nil || err != nil {
		t.Fatal(stderr, err)
	}
	row := func(what, got string) { fmt.Printf("| %s | %s | |\n", what, got) }
	row(fmt.Sprintf("archive of %d people, %d contacts: `krama export`, unlocking and all", n.People, n.Contacts),
		fmt.Sprintf("%.1f s, %.1f MB", wrote.Seconds(), float64(info.Size())/1e6))
	began = time.Now()
	if stderr, exit := kramaRun(t, m[1], "export", "--open", to, "--to", filepath.Join(t.TempDir(),
		"back")); exit != exitOK {
		t.Fatal(stderr)
	}
	row("the same read back, `krama export --open`", fmt.Sprintf("%.1f s", time.Since(began).Seconds()))
	b := startBrowser(t, t.TempDir())
	b.open("file://" + to)
	b.waitFor("#gate:not([hidden]) #open:not([disabled])")
	took := b.ms(
		fmt.Sprintf(
			`new Promise(ok=>{const t=performance.now();const o=new MutationObserver(()=>{if(document.querySelector('#inside table')){o.disconnect();ok(performance.now()-t)}});o.observe(document.getElementById('inside'),{childList:true});document.getElementById('phrase').value=%q;document.getElementById('gate').requestSubmit()})`, m[1]))
	row("the same opened in Chromium, passphrase to table", fmt.Sprintf("%.1f s", took/1000))
}
