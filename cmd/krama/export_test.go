package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cdp "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"krama"
	"krama/casework"
	"krama/demo"
	"krama/directory/starter"
	"krama/exchange"
	"krama/guide"
	"krama/journal"
	"krama/relay"
	"krama/relay/memory"
	"krama/seal"
)

// anOffice makes a small invented programme through the real path and closes it; it returns the desk's folder, its
// words and what it holds of those who agreed to a record.
func anOffice(t *testing.T, size demo.Size) (dir, words string, n exchange.Counts) {
	t.Helper()
	return officeWith(t, size, true)
}

// officeWith makes an office that has asked for leave to export, if leave is set.
func officeWith(t *testing.T, size demo.Size, leave bool) (dir, words string, n exchange.Counts) {
	t.Helper()
	g, err := guide.Load()
	if err != nil {
		t.Fatal(err)
	}
	var ahead atomic.Int64 // of the desk's and the relay's clocks, for a day to go by
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	limits := relay.DefaultLimits
	limits.Rate, limits.Burst = 1000, 5000
	srv := httptest.NewServer(relay.New(memory.New(), "token", limits, clock))
	t.Cleanup(srv.Close)
	dir = filepath.Join(t.TempDir(), "desk")
	p, err := demo.Make(t.Context(), g, journal.OSDir(dir), dial, srv.URL, "token", size, 1, time.Now(),
		func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if !leave {
		n = exchange.Count(p.State, krama.DayOf(time.Now()))
		if err := p.Desk.Close(); err != nil {
			t.Fatal(err)
		}
		return dir, p.Words, n
	}
	if may, way, err := p.Desk.Admin().AskExport(t.Context()); may || way != seal.AfterDay || err != nil {
		// the only admin
		t.Fatal("leave to export:", may, way, err)
	}
	p.Desk.Now = clock
	ahead.Store(int64(25 * time.Hour))
	defer ahead.Store(0)
	if may, _, err := p.Desk.Admin().AskExport(t.Context()); !may || err != nil {
		t.Fatal("leave to export after a day:", may, err)
	}
	n = exchange.Count(p.State, krama.DayOf(time.Now()))
	if err := p.Desk.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, p.Words, n
}

// kramaRun runs the command line in this process.
func kramaRun(t *testing.T, stdin string, args ...string) (stderr string, exit int) {
	t.Helper()
	var out, errs bytes.Buffer
	exit = status(run(t.Context(), args, strings.NewReader(stdin), &out, &errs), &errs)
	if out.Len() > 0 {
		t.Errorf("%v: results on standard output: %q", args, out.String())
	}
	return errs.String(), exit
}

var passphraseLine = regexp.MustCompile(`(?m)passphrase: ((?:[a-z-]+ ){5}[a-z-]+)$`)

// TestExportWithoutLeave: one person alone announces an export, and writes nothing.
func TestExportWithoutLeave(t *testing.T) {
	dir, words, n := officeWith(t, demo.Size{People: 5, Staff: 1, Months: 1, Contacts: 5, Tests: 2}, false)
	to := filepath.Join(t.TempDir(), "kept.html")
	for range 2 {
		stderr, exit := kramaRun(t, words, "export", "--data", dir, "--to", to, "--reason", "closing", "--recipient",
			"the board", "--people", fmt.Sprint(n.People))
		if exit != exitFailed || !strings.Contains(stderr, "announced on every device") {
			t.Errorf("%d %s", exit, stderr)
		}
		if _, err := os.Stat(to); err == nil {
			t.Fatal("a file is written")
		}
	}
}

// TestExport walks the steward's way: asked for the number, written once, read back without a browser.
func TestExport(t *testing.T) {
	dir, words, n := anOffice(t, demo.Size{People: 30, Staff: 1, Months: 6, Contacts: 90, Tests: 30})
	people := n.People
	to := filepath.Join(t.TempDir(), "kept.html")
	args := []string{"export", "--data", dir, "--to", to, "--reason", "closing", "--recipient", "the board"}
	stderr, exit := kramaRun(t, words, args...)
	if exit != exitFailed || !strings.Contains(stderr, fmt.Sprintf("would write %d people", people)) ||
		!strings.Contains(stderr, fmt.Sprintf("--people %d", people)) {
		t.Fatalf("first run: %d %s", exit, stderr)
	}
	if _, err := os.Stat(to); err == nil {
		t.Fatal("the first run wrote the file")
	}
	if stderr, exit = kramaRun(t, words, append(args, "--people", fmt.Sprint(people+1))...); exit != exitFailed {
		t.Fatalf("another number: %d %s", exit, stderr)
	}
	if _, exit = kramaRun(t, "acorn acorn acorn acorn", append(args, "--people",
		fmt.Sprint(people))...); exit != exitLocked {
		t.Fatalf("wrong words: %d", exit)
	}
	for _, missing := range []string{"--reason", "--recipient", "--to"} {
		var short []string
		for i := 0; i < len(args); i++ {
			if args[i] == missing {
				i++
				continue
			}
			short = append(short, args[i])
		}
		if _, exit := kramaRun(t, words, short...); exit != exitUsage {
			t.Errorf("without %s: %d", missing, exit)
		}
	}
	for _, days := range []string{"0", "366"} {
		if _, exit := kramaRun(t, words, append(args, "--keep-days", days)...); exit != exitFailed {
			t.Errorf("kept %s days: %d", days, exit)
		}
	}
	stderr, exit = kramaRun(t, words, append(args, "--people", fmt.Sprint(people))...)
	m := passphraseLine.FindStringSubmatch(stderr)
	if exit != exitOK || m == nil {
		t.Fatalf("writing: %d %s", exit, stderr)
	}
	if strings.Contains(strings.ReplaceAll(stderr, m[0], ""), "closing") || strings.Contains(stderr, to) {
		t.Errorf("says more than counts: %s", stderr)
	}
	info, err := os.Stat(to)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(to + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if stderr, exit = kramaRun(t, words, append(args, "--people", fmt.Sprint(people))...); exit != exitFailed ||
		!strings.Contains(stderr, "exists") {
		t.Errorf("writing over it: %d %s", exit, stderr)
	}

	back := filepath.Join(t.TempDir(), "back")
	if stderr, exit = kramaRun(t, "acorn acorn acorn acorn acorn acorn\n", "export", "--open", to, "--to",
		back); exit != exitLocked {
		t.Errorf("wrong passphrase: %d %s", exit, stderr)
	}
	if _, err := os.Stat(back); err == nil {
		t.Error("a wrong passphrase left a folder")
	}
	if stderr, exit = kramaRun(t, m[1]+"\n", "export", "--open", to, "--to", back); exit != exitOK {
		t.Fatalf("opening: %d %s", exit, stderr)
	}
	for name, want := range map[string]int{"people.jsonl": people, "contacts.jsonl": n.Contacts,
		"consents.jsonl": n.Consents, "staff.jsonl": n.Staff} {
		b, err := os.ReadFile(filepath.Join(back, name))
		if got := bytes.Count(b, []byte("\n")); err != nil || got != want {
			t.Errorf("%s: %d lines want %d, %v", name, got, want, err)
		}
		for line := range bytes.Lines(b) {
			var v map[string]any
			if err := json.Unmarshal(line, &v); err != nil || (v["by"] == nil && v["kind"] != "consent" &&
				v["kind"] != "staff") {
				t.Fatalf("%s: %v %s", name, err, line)
			}
		}
	}
	var first exchange.Info
	var book struct{ Records []struct{ Kind string } }
	for name, v := range map[string]any{"codebook.json": &book, "archive.json": &first} {
		b, err := os.ReadFile(filepath.Join(back, name))
		if err != nil || json.Unmarshal(b, v) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, r := range book.Records {
		if archiveFiles[r.Kind] == "" && r.Kind != "words" {
			t.Errorf("lines of kind %s have no file", r.Kind)
		}
	}
	if len(book.Records) != len(archiveFiles)+1 {
		t.Errorf("%d kinds, %d files", len(book.Records), len(archiveFiles))
	}
	shipped, err := starter.Load()
	if err != nil || first.Counts.Listings < len(shipped) {
		t.Errorf("%d listings, of which %d are shipped: %v", first.Counts.Listings, len(shipped), err)
	}
	if b, err := os.ReadFile(filepath.Join(back, "audits.jsonl")); err != nil ||
		bytes.Count(b, []byte(`"what":"export"`)) != 2 {
		t.Errorf("the audit does not say that a copy was taken out: %s %v", b, err)
	}

	whole, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.html")
	if err := os.WriteFile(cut, whole[:len(whole)-100], 0o600); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "again")
	if stderr, exit = kramaRun(t, m[1], "export", "--open", cut, "--to", again); exit != exitFailed ||
		!strings.Contains(stderr, "tampered") {
		t.Errorf("a cut file: %d %s", exit, stderr)
	}
	if left, _ := filepath.Glob(again + "*"); len(left) > 0 {
		t.Errorf("a cut file left %v", left)
	}
}

func emptyExport() *exchange.Export {
	return &exchange.Export{State: casework.New(), Guide: new(guide.Guide), Written: krama.Date(2026, 1, 1),
		Destroy: krama.Date(2026, 3, 1), Reason: "r", Recipient: "r",
		Member: func(krama.DeviceID) (krama.MemberID, bool) { return krama.MemberID{}, false }}
}

// TestArchivePage opens an archive in a real browser, from the disk, as somebody without Krama does.
func TestArchivePage(t *testing.T) {
	dir, words, n := anOffice(t, demo.Size{People: 66, Staff: 2, Months: 12, Contacts: 400, Tests: 200})
	people := n.People
	folder := t.TempDir()
	to := filepath.Join(folder, "kept.html")
	stderr, exit := kramaRun(t, words, "export", "--data", dir, "--to", to, "--reason", "closing", "--recipient",
		"the board", "--people", fmt.Sprint(people))
	m := passphraseLine.FindStringSubmatch(stderr)
	if exit != exitOK || m == nil {
		t.Fatalf("writing: %d %s", exit, stderr)
	}
	back := filepath.Join(folder, "back")
	if stderr, exit := kramaRun(t, m[1], "export", "--open", to, "--to", back); exit != exitOK {
		t.Fatal(stderr)
	}
	var known struct{ Code string }
	list, err := os.ReadFile(filepath.Join(back, "people.jsonl"))
	if err == nil {
		line, _, _ := bytes.Cut(list, []byte("\n"))
		err = json.Unmarshal(line, &known)
	}
	if err != nil || known.Code == "" {
		t.Fatal(known, err)
	}

	b := startBrowser(t, t.TempDir())
	b.size(360, 640, false)
	b.open("file://" + to)
	b.waitFor("#gate:not([hidden]) #open:not([disabled])")
	text := "document.body.innerText"
	if b.js(fmt.Sprintf("document.documentElement.outerHTML.includes(%q)", known.Code)) != "false" {
		t.Fatal("the code can be seen without the passphrase")
	}
	if got := b.js("document.title+document.documentElement.lang"); got != "Sealed archiveen" {
		t.Error(got)
	}
	say := func(phrase string) {
		t.Helper()
		b.js(fmt.Sprintf("(document.getElementById('phrase').value=%q,document.getElementById('gate').requestSubmit())",
			phrase))
	}
	alert := func(want string) {
		t.Helper()
		b.wait(want,
			fmt.Sprintf("document.querySelector('[role=alert]').textContent.includes(%q)"+
				"&&!document.getElementById('open').disabled", want))
	}
	say("")
	alert("Type the six words first")
	say("acorn acorn acorn acorn acorn acorn")
	alert("These are not the words of this archive")
	b.js(`document.querySelector('#languages [lang=km]').click()`)
	alert("ទាំងនេះមិនមែនពាក្យរបស់បណ្ណសារនេះទេ")
	if b.js(text+".includes('សេចក្ដីព្រាង')") != "true" {
		t.Error("Khmer is not marked as a draft")
	}
	b.js(`document.querySelector('#languages [lang=vi]').click()`)
	if b.js(text+".includes('bản nháp')") != "true" {
		t.Error("Vietnamese is not marked as a draft")
	}
	b.js(`document.querySelector('#languages [lang=en]').click()`)
	say("  " + strings.ToUpper(m[1]) + " ")
	b.waitFor("#inside table")
	if got := b.js("document.activeElement.id+document.getElementById('phrase').value"); got != "title" {
		t.Errorf("focus, and the passphrase left in the page: %q", got)
	}
	for _, want := range []string{known.Code, "closing", "the board", fmt.Sprintf("People: 1–50 of %d", people)} {
		if b.js(fmt.Sprintf("%s.includes(%q)", text, want)) != "true" {
			t.Errorf("%q is not shown", want)
		}
	}
	// By keyboard alone: every control has a name and can be reached.
	if got := b.js(
		`[...document.querySelectorAll('button,input,[tabindex="0"]')].filter(e=>e.offsetParent&&!(e.textContent.trim()||e.labels?.length||e.getAttribute('aria-labelledby'))).length`); got != "0" {
		t.Errorf("%s controls have no name", got)
	}
	if got := b.js(
		`[...document.querySelectorAll('button,input[type=search]')].filter(e=>e.offsetParent&&e.getBoundingClientRect().height<44).length`); got != "0" {
		t.Errorf("%s targets are too small", got)
	}
	b.js(`[...document.querySelectorAll('#inside p.row button')].find(x=>x.textContent=='Next').click()`)
	b.wait("the next rows", fmt.Sprintf("%s.includes('51–%d of %d')", text, people, people))
	b.click("#view-contact")
	b.waitFor("#view-contact[aria-current=true]")
	b.js(fmt.Sprintf("(document.getElementById('code').value=%q,document.querySelector('form.find').requestSubmit())",
		strings.ToLower(strings.ReplaceAll(known.Code, "-", ""))))
	b.wait("her contacts",
		fmt.Sprintf(
			"[...document.querySelectorAll('tbody "+
				"th')].every(x=>x.textContent==%q)&&document.querySelectorAll('tbody th').length>0", known.Code))
	b.click("#view-consent")
	b.wait("her consents",
		fmt.Sprintf(
			"[...document.querySelectorAll('tbody "+
				"th')].every(x=>x.textContent==%q)&&document.querySelectorAll('tbody th').length>=3", known.Code))
	b.click("#view-codebook")
	b.wait("the codebook", text+".includes('Female entertainment worker')&&"+text+".includes('Checked by nobody yet')")

	// What the page saves is what the program reads.
	saved := t.TempDir()
	if _, err := chromedp.Call(b.ctx, cdp.SetDownloadBehavior, cdp.SetDownloadBehaviorParams{
		Behavior: cdp.SetDownloadBehaviorBehaviorAllow, DownloadPath: saved}); err != nil {
		t.Fatal(err)
	}
	b.js(`(document.getElementById('save-lines').click(),document.getElementById('save-book').click())`)
	whole := waitFile(t, filepath.Join(saved, "archive.jsonl"), func(s []byte) bool {
		return bytes.Count(s, []byte("\n{\"kind\":\"contact\"")) == n.Contacts
	})
	if !bytes.Contains(whole, list) {
		t.Error("the saved lines are not those of the archive")
	}
	waitFile(t, filepath.Join(saved, "codebook.json"), json.Valid)

	// The page cannot talk to anybody.
	var calls atomic.Int32
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}))
	defer listening.Close()
	b.js(fmt.Sprintf(
		`(window.sent=[],fetch(%[1]q).then(()=>sent.push('fetch'),e=>sent.push('refused')),Object.assign(new Image(),{onload(){sent.push('image')},onerror(){sent.push('refused')},src:%[1]q}),1)`, listening.URL))
	b.wait("the policy", "window.sent.join()=='refused,refused'")
	if n := calls.Load(); n > 0 {
		t.Errorf("the page made %d calls", n)
	}
	b.click("#lock")
	b.waitFor("#gate:not([hidden]) #open:not([disabled])")
	if b.js(fmt.Sprintf("document.documentElement.outerHTML.includes(%q)", known.Code)) != "false" {
		t.Error("locked, and the code can still be seen")
	}

	// A changed file says so, and shows nothing.
	page, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	at := len(page) - 2000
	page[at] ^= 1
	if page[at] == '\n' || page[at] == '<' {
		page[at] = 'A'
	}
	changed := filepath.Join(folder, "changed.html")
	if err := os.WriteFile(changed, page, 0o600); err != nil {
		t.Fatal(err)
	}
	b.open("file://" + changed)
	b.waitFor("#gate:not([hidden]) #open:not([disabled])")
	say(m[1])
	alert("This file was changed or cut short")
	if b.js("document.querySelectorAll('#inside table').length") != "0" {
		t.Error("a changed file shows a table")
	}
	if b.js("document.getElementById('late').hidden") != "true" {
		t.Error("a new copy says that it is late")
	}

	// An archive of several parts opens, and does not with parts exchanged or missing.
	head, lines := severalParts(t, m[1])
	for _, c := range []struct {
		what  string
		parts []string
	}{{"in order", lines}, {"exchanged", []string{lines[1], lines[0]}}, {"without its end", lines[:1]},
		{"without its beginning", lines[1:]}} {
		path := filepath.Join(folder, "parts.html")
		if err := os.WriteFile(path, []byte(head+strings.Join(c.parts, "")+"</script>\n</body>\n</html>\n"),
			0o600); err != nil {
			t.Fatal(err)
		}
		b.open("file://" + path)
		b.waitFor("#gate:not([hidden]) #open:not([disabled])")
		say(m[1])
		if c.what == "in order" {
			b.wait("an archive of several parts", text+".includes('40\u202f000')")
		} else {
			alert("This file was changed or cut short")
		}
	}

	// A copy that is older than it should be says so before it is opened, and one that is not does not.
	old, err := os.Create(filepath.Join(folder, "old.html"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exchange.Write(old, rand.Reader, m[1], emptyExport()); err != nil {
		t.Fatal(err)
	}
	old.Close()
	b.open("file://" + old.Name())
	b.wait("the warning", text+".includes('This copy should have been destroyed after 2026-03-01')")
	if stderr, exit := kramaRun(t, m[1], "export", "--open", old.Name(), "--to", filepath.Join(folder,
		"late")); exit != exitOK || !strings.Contains(stderr, "should have been destroyed after 2026-03-01") {
		t.Errorf("a late copy: %d %s", exit, stderr)
	}
	if dir := os.Getenv("KRAMA_SHOTS"); dir != "" {
		b.shot(filepath.Join(dir, "archive-late.png"))
		archiveShots(b, "file://"+to, m[1], dir)
	}
}
