package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"krama/demo"
)

// TestA33SealedToARecipient: the words of an archive are sealed to whoever is to receive it; nobody at the office sees them, and nobody
// else's key opens it.
func TestA33SealedToARecipient(t *testing.T) {
	dir, words, n := office(t, demo.Size{People: 6, Staff: 1, Months: 1, Contacts: 8, Tests: 2})
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	for _, key := range []string{"hers", "another"} {
		if stderr, exit := kramaRun(t, "", "recipient", "--to", at(key)); exit != exitOK || strings.Contains(stderr, folder) {
			t.Fatalf("%d %s", exit, stderr)
		}
		if info, err := os.Stat(at(key)); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("the key's file: %v %v", info, err)
		}
	}
	if _, exit := kramaRun(t, "", "recipient", "--to", at("hers")); exit != exitFailed {
		t.Errorf("a key was written over: %d", exit)
	}
	args := []string{"export", "--data", dir, "--to", at("kept.html"), "--reason", "closing", "--recipient", "the board", "--people", fmt.Sprint(n.People), "--seal-to"}
	for _, bad := range []string{at("hers"), at("nothing"), dir, words} {
		if stderr, exit := kramaRun(t, words, append(args, bad)...); exit != exitFailed {
			t.Errorf("sealed to what is no recipient's file: %d %s", exit, stderr)
		} else if bad == at("hers") && !strings.Contains(stderr, "given away") {
			t.Errorf("her own key was given, and nobody says so: %s", stderr)
		}
		if left, _ := filepath.Glob(at("kept*")); len(left) > 0 {
			t.Fatalf("left behind: %v", left)
		}
	}
	stderr, exit := kramaRun(t, words, append(args, at("hers.pub"))...)
	if exit != exitOK || passphraseLine.MatchString(stderr) || strings.Contains(stderr, folder) {
		t.Fatalf("%d %s", exit, stderr)
	}
	sealed, err := os.ReadFile(sealedWords(at("kept.html")))
	if err != nil {
		t.Fatal(err)
	}
	// Another program's way: the format is age's.
	b, err := os.ReadFile(at("hers"))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := age.ParseIdentities(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), ids...)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil || len(strings.Fields(string(plain))) != 6 {
		t.Errorf("the words: %v", err)
	}
	if strings.Contains(stderr, strings.Fields(string(plain))[0]+" "+strings.Fields(string(plain))[1]) {
		t.Error("the words were shown")
	}
	open := func(key string) (string, int) {
		return kramaRun(t, "", "export", "--open", at("kept.html"), "--to", at("back"), "--key", at(key))
	}
	for _, bad := range []string{"another", "hers.pub", "nothing"} {
		if stderr, exit := open(bad); exit == exitOK || exit == exitUsage {
			t.Errorf("%s opens it: %d %s", bad, exit, stderr)
		}
	}
	sealed[len(sealed)-1] ^= 1
	if err := os.WriteFile(sealedWords(at("kept.html")), sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, exit := open("hers"); exit != exitLocked {
		t.Errorf("words that were changed: %d", exit)
	}
	sealed[len(sealed)-1] ^= 1
	if err := os.WriteFile(sealedWords(at("kept.html")), sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	if stderr, exit := open("hers"); exit != exitOK {
		t.Fatalf("%d %s", exit, stderr)
	}
	if b, err := os.ReadFile(filepath.Join(at("back"), "people.jsonl")); err != nil || bytes.Count(b, []byte("\n")) != n.People {
		t.Errorf("%v", err)
	}
}

// TestExportStopped: an export that is told to stop leaves nothing, shows no passphrase and is not called done.
func TestExportStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, sealedTo := range [][]age.Recipient{nil, {key.Recipient()}} {
		to := filepath.Join(t.TempDir(), "kept.html")
		var said bytes.Buffer
		err := writeArchive(ctx, &env{err: &said}, to, sealedTo, emptyExport())
		if got := status(err, &said); got != exitFailed || strings.Contains(said.String(), "passphrase") {
			t.Errorf("got %d %s", got, said.String())
		}
		if left, _ := filepath.Glob(to + "*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
