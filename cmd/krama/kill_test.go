package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/journal"
	"krama/replica"
)

// kills is how often what a test is about dies in one run. KRAMA_KILLS is how often over all of them, 72 when it is not
// set.
func kills(t *testing.T, usual int) int {
	if n, err := strconv.Atoi(os.Getenv("KRAMA_KILLS")); err == nil && n > 0 {
		return max(1, n*usual/37)
	}
	return usual
}

// TestKillDeskAndRelay kills a desk that types and sends, and the relay it sends to, at random moments. Everything that
// was called saved must be there, once, for the next desk that reads the relay and for the one that was killed.
func TestKillDeskAndRelay(t *testing.T) {
	dir := t.TempDir()
	deskFolder := filepath.Join(dir, "desk")
	relay := startServe(t, filepath.Join(dir, "relay"), freePort(t))
	words := relay.found(t, deskFolder)
	vk, err := replica.OpenKey(journal.OSDir(deskFolder), words)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	saved := map[string]bool{}
	deskKills, relayKills := 0, 0
	for total := kills(t, 32); deskKills+relayKills < total; {
		child := exec.Command(self)
		child.Env = append(os.Environ(), "KRAMA_CHILD_DESK="+deskFolder, "KRAMA_CHILD_KEY="+hex.EncodeToString(vk[:]))
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := make(chan string, 1<<16)
		go func() {
			sc := bufio.NewScanner(out)
			for sc.Scan() {
				lines <- sc.Text()
			}
			close(lines)
		}()
		first, ok := <-lines // it has opened its file and typed once
		if !ok || !strings.HasPrefix(first, "saved ") {
			t.Fatalf("the desk does not open after a kill: %s", first)
		}
		saved[first[6:]] = true
		for relayKills < (deskKills+1)/2 && relayKills+deskKills < total-1 {
			<-time.After(time.Duration(rand.IntN(60)) * time.Millisecond)
			relay.kill()
			relayKills++
			relay.start(t)
		}
		<-time.After(time.Duration(rand.IntN(120)) * time.Millisecond)
		child.Process.Kill()
		deskKills++
		for l := range lines {
			if !strings.HasPrefix(l, "saved ") {
				t.Fatalf("the desk failed: %s", l)
			}
			saved[l[6:]] = true
		}
		child.Wait()
	}
	c := deskReplica(deskFolder)
	local, confirmed := map[string]int{}, map[string]int{}
	c.Feed = func(e replica.Event) {
		if e.Record.Contact == nil {
			return
		}
		if e.Local {
			local[e.Record.ID.String()]++
		} else {
			confirmed[e.Record.ID.String()]++
		}
	}
	r, err := replica.Load(c, vk)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for id := range saved {
		if local[id] == 0 && confirmed[id] == 0 {
			t.Errorf("a saved record is gone from the desk")
		}
	}
	if err := r.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for id, n := range confirmed {
		if n != 1 {
			t.Errorf("a record came back %d times", n)
		}
		_ = id
	}
	for id := range saved {
		if confirmed[id] != 1 {
			t.Errorf("a saved record is at the relay %d times", confirmed[id])
		}
	}
	if st := r.Status(); st.Unsent != 0 || len(st.Alarms) != 0 {
		t.Errorf("unsent %d, alarms %v", st.Unsent, st.Alarms)
	}
	t.Logf("%d desk kills, %d relay kills, %d records saved, %d at the relay", deskKills, relayKills, len(saved),
		len(confirmed))
}

// TestKillPhone kills a phone's browser at random moments while contacts are being typed, and looks after each restart.
func TestKillPhone(t *testing.T) {
	e := startEnrolled(t)
	d, phone, profile, words := e.demoProcess, e.phone, e.profile, e.words
	code := phone.register()
	var sure int
	total := kills(t, 3)
	for range total {
		phone.js(`(() => { const until = f => new Promise(ok => { const i = setInterval(() => { const v = f(); if (v) { clearInterval(i); ok(v); } }, 4); });
			const rows = () => document.querySelectorAll('[data-contact]').length;
			window.saved = rows();
			(async () => { for (let n = window.saved + 1; ; n++) {
				(await until(() => document.querySelector('a[href$="/contact"]'))).click();
				const f = await until(() => document.querySelector('form[data-draft]'));
				f.elements['given-condom'].value = n;
				f.querySelector('.bar button').click();
				await until(() => rows() >= n);
				window.saved = n;
			} })(); })()`)
		<-time.After(time.Duration(rand.IntN(900)) * time.Millisecond)
		n, err := strconv.Atoi(phone.js("window.saved"))
		if err != nil {
			t.Fatal(err)
		}
		sure = max(sure, n)
		phone.kill()
		phone = startBrowser(t, profile)
		phone.unlock(d, words)
		phone.find(code)
		checkRows(t, phone, sure)
	}
	phone.click(`a.badge`)
	phone.click(`form[action="/sync"] button`)
	phone.wait("everything to be sent", `document.querySelector('[data-unsent]').dataset.unsent=='0'`)
	phone.find(code)
	sent := checkRows(t, phone, sure)
	d.kill()
	serve := exec.Command(program(t), "serve", "--data", e.data, "--listen", fmt.Sprintf("localhost:%d", e.port))
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer serve.Process.Kill()
	got := demoContacts(t, e.data, code)
	if got != sent {
		t.Errorf("the desk has %d contacts want %d", got, sent)
	}
	t.Logf("%d kills, %d contacts typed", total, sent)
}

// checkRows reads a person's history: contact n gave n condoms, so a missing or doubled one shows.
func checkRows(t *testing.T, b *browser, sure int) int {
	t.Helper()
	text := b.js(`[...document.querySelectorAll('[data-contact]')].map(x=>x.innerText).join('\n')`)
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`Condoms (\d+)`).FindAllStringSubmatch(text, -1) {
		seen[m[1]]++
	}
	for n := 1; n <= sure; n++ {
		if seen[fmt.Sprint(n)] != 1 {
			t.Errorf("contact %d of %d that were shown as saved is there %d times", n, sure, seen[fmt.Sprint(n)])
		}
	}
	for n, k := range seen {
		if k > 1 {
			t.Errorf("contact %s is there %d times", n, k)
		}
	}
	return len(seen)
}

// demoContacts opens a demo's desk and counts the contacts of one person, after meeting the relay.
func demoContacts(t *testing.T, data, code string) int {
	t.Helper()
	words, err := os.ReadFile(filepath.Join(data, "DEMO-words"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := krama.ParseCode(code)
	if err != nil {
		t.Fatal(err)
	}
	var subject krama.SubjectID
	seen := map[krama.RecordID]krama.SubjectID{}
	c := deskReplica(filepath.Join(data, "desk"))
	c.Feed = func(e replica.Event) {
		if e.Record.Person != nil && e.Record.Person.Code == want {
			subject = e.Subject
		}
		if e.Record.Contact != nil {
			seen[e.Record.ID] = e.Subject
		}
	}
	r, err := replica.Unlock(c, string(words))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for err = r.Sync(t.Context(), nil); krama.KindOf(err) == krama.Offline; err = r.Sync(t.Context(), nil) {
		<-time.After(50 * time.Millisecond) // the relay is starting
	}
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range seen {
		if s == subject {
			n++
		}
	}
	return n
}
