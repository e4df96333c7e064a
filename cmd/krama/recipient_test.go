package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"

	"krama/demo"
)

// TestA33SealedToARecipient: the words of an archive are sealed to whoever is to receive it; nobody at the office sees
// them, and nobody else's key opens it.
func TestA33SealedToARecipient(t *testing.T) {
	dir, words, n := anOffice(t, demo.Size{People: 6, Staff: 1, Months: 1, Contacts: 8, Tests: 2})
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	digits := regexp.MustCompile(`digits of the key: (\d{5} \d{5} \d{5} \d{5})`)
	alone := func(name string) {
		t.Helper()
		if info, err := os.Stat(at(name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	compared := map[string]string{}
	for _, key := range []string{"hers", "another"} {
		stderr, exit := kramaRun(t, "", "recipient", "--to", at(key))
		m := digits.FindStringSubmatch(stderr)
		if exit != exitOK || m == nil || strings.Contains(stderr, folder) {
			t.Fatalf("%d %s", exit, stderr)
		}
		compared[key] = m[1]
		alone(key)
		alone(key + ".pub")
	}
	if compared["hers"] == compared["another"] {
		t.Error("two keys have the same digits")
	}
	old, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	pub, err := os.ReadFile(at("hers.pub"))
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{"mixed": string(pub) + old.Recipient().String(),
		"many":       strings.Repeat(old.Recipient().String()+"\n", 17),
		"mailed.pub": "\ufeff" + strings.TrimSpace(string(pub)) + "  \r\n\r\n", "empty": ""} {
		if err := os.WriteFile(at(name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, exit := kramaRun(t, "", "recipient", "--to", at("hers")); exit != exitFailed {
		t.Errorf("a key was written over: %d", exit)
	}
	args := []string{"export", "--data", dir, "--to", at("kept.html"), "--reason", "closing", "--recipient",
		"the board", "--people", fmt.Sprint(n.People), "--seal-to"}
	for _, misused := range [][]string{append(args, ""), append(args, at("hers.pub"), "--key", at("hers")),
		{"export", "--open", at("kept.html"), "--to", at("back"), "--key", ""}, {"export", "--open", at("kept.html"),
			"--to", at("back"), "--seal-to", at("hers.pub")}} {
		if stderr, exit := kramaRun(t, words, misused...); exit != exitUsage || passphraseLine.MatchString(stderr) {
			t.Errorf("%v: %d %s", misused[1:], exit, stderr)
		}
	}
	for _, bad := range []string{at("hers"), at("nothing"), at("mixed"), at("many"), at("empty"), dir, words} {
		if stderr, exit := kramaRun(t, words, append(args, bad)...); exit != exitFailed || strings.Contains(stderr,
			folder) || !strings.Contains(stderr, "hint: ") {
			t.Errorf("sealed to what is no recipient's file: %d %s", exit, stderr)
		} else if bad == at("hers") && !strings.Contains(stderr, "given away") {
			t.Errorf("her own key was given, and nobody says so: %s", stderr)
		}
		if left, _ := filepath.Glob(at("kept*")); len(left) > 0 {
			t.Fatalf("left behind: %v", left)
		}
	}
	stderr, exit := kramaRun(t, words, append(args, at("mailed.pub"))...)
	if exit != exitOK || passphraseLine.MatchString(stderr) || strings.Contains(stderr, folder) ||
		!strings.Contains(stderr, compared["hers"]) {
		t.Fatalf("%d %s", exit, stderr)
	}
	alone("kept.html.words.age")
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
	if b, err := os.ReadFile(filepath.Join(at("back"), "people.jsonl")); err != nil ||
		bytes.Count(b, []byte("\n")) != n.People {
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
	for _, whom := range []sealTo{{}, {keys: []age.Recipient{key.Recipient()}}} {
		to := filepath.Join(t.TempDir(), "kept.html")
		var said bytes.Buffer
		err := writeArchive(ctx, &env{err: &said}, to, whom, emptyExport())
		if got := status(err, &said); got != exitFailed || strings.Contains(said.String(), "passphrase") {
			t.Errorf("got %d %s", got, said.String())
		}
		if left, _ := filepath.Glob(to + "*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
