package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// emptied waits until nothing of a device is left in the browser's private files, and returns what is.
func (b *browser) emptied() {
	b.t.Helper()
	b.js(`(async()=>{const out=[];for await(const [n,h] of (await navigator.storage.getDirectory()).entries()){const f=await h.getFile();if(f.size>0)out.push(n)}window.left=out.join(' ');})(),''`)
	b.wait("the list of files", `window.left!==undefined`)
	for _, name := range strings.Fields(b.js(`window.left`)) {
		if strings.HasSuffix(name, "vault") || strings.HasSuffix(name, "keys") {
			b.t.Errorf("%s is still on the phone", name)
		}
	}
}

// TestLostPhoneInTheBrowser is the drill of a lost phone with both sides in real browsers: the office ends it with one
// button, sees what it held; the phone, which had unsent work, hands it over, empties itself and says why; the office
// learns that it is empty and takes the work in.
func TestLostPhoneInTheBrowser(t *testing.T) {
	e := startEnrolled(t)
	d, phone := e.demoProcess, e.phone
	base := d.desk[:strings.Index(d.desk, "/open")]
	desk := startBrowser(t, t.TempDir())
	desk.open(d.desk)
	desk.waitFor("nav.main")
	phone.wait("everything to be received", `document.querySelector('[data-unsent]').dataset.unsent=='0'`)
	desk.open(base + "/overview")
	contacts := desk.deskNumber("[data-contacts]")
	// The desk removes it while the phone has something that it has not sent.
	desk.open(base + "/devices")
	device := desk.js(
		`[...document.querySelectorAll('table a[href^="/device/"]')].find(a=>a.innerText.includes('You')).getAttribute('href')`)
	phone.register()
	phone.contact(20)
	began := time.Now()
	desk.open(base + device)
	desk.waitFor(`form[action$="/remove"]`)
	desk.click(`input[name="reason"][value="2"]`)
	desk.click(`form[action$="/remove"] button`)
	desk.wait("what to do", `location.pathname.endsWith('/after')`)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("from the tap to the list: %v, at most 10 s", took)
	}
	phone.click(`a.badge`)
	phone.click(`form[action="/sync"] button`)
	phone.wait("the phone to say why", `document.body.innerText.includes('The office removed this phone')`)
	phone.emptied()
	desk.open(base + "/devices")
	desk.js("window.before = 1")
	desk.click(`form[action="/sync"] button`)
	desk.wait("the letter", `!window.before && !document.querySelector('[data-poll]')`)
	desk.open(base + "/mail")
	desk.waitFor(`button[value="accept"]`)
	desk.click(`button[value="accept"]`)
	desk.wait("nothing to wait", `!document.querySelector('button[value="accept"]')`)
	desk.open(base + "/devices")
	desk.wait("the phone to be shown as empty", `document.body.innerText.includes('it said so itself')`)
	desk.open(base + "/overview")
	if got := desk.deskNumber("[data-contacts]"); got != contacts+1 {
		t.Errorf("%d contacts after accepting, want %d", got, contacts+1)
	}
}

// TestPanicInTheBrowser empties a phone by holding the lock, and measures how long the vault survives the tap.
func TestPanicInTheBrowser(t *testing.T) {
	e := startEnrolled(t)
	d, phone := e.demoProcess, e.phone
	phone.click(`nav a[href="/settings"]`)
	phone.waitFor(`a[href="/panic"]`)
	phone.click(`a[href="/panic"]`)
	phone.waitFor(`[data-panic]`)
	// The clock runs in the page: from the tap until the core has answered, which it does after the vault is gone.
	phone.js(`sessionStorage.setItem('t0',performance.timeOrigin+performance.now()),document.querySelector('[data-panic]').click(),''`)
	phone.wait("the public page", `location.pathname=='/'`)
	took, _ := strconv.ParseFloat(phone.js(`String(performance.timeOrigin-Number(sessionStorage.getItem('t0')))`), 64)
	t.Logf("from the tap to leaving the page: %.0f ms", took)
	if took > 1000 {
		t.Errorf("the phone took %.0f ms", took)
	}
	phone.emptied()
	phone.open(d.site + "/app/")
	phone.waitFor(`a[href="/setup"]`)
}

// TestRecoveryInTheBrowser: trustees' cards are made on the desk's page, everything is lost but the relay, and the
// cards bring the programme back on another computer.
func TestRecoveryInTheBrowser(t *testing.T) {
	dir := t.TempDir()
	relay := startServe(t, filepath.Join(dir, "relay"), freePort(t))
	words := relay.found(t, filepath.Join(dir, "desk"))
	desk, browser := openDeskInBrowser(t, filepath.Join(dir, "desk"), words)
	base := browser.js(`location.origin`)
	browser.open(base + "/person/new")
	browser.wait("the refusal", `document.body.innerText.includes('Before the first real person')`)
	browser.open(base + "/trustees")
	browser.js(`document.querySelector('input[name="n"]').value='3',document.querySelector('input[name="k"]').value='2',''`)
	browser.click(`form[action="/trustees"] button`)
	browser.waitFor(`[data-card]`)
	cards := strings.Fields(
		browser.js(`[...document.querySelectorAll('[data-card]')].map(x=>x.dataset.card).join(' ')`))
	if len(cards) != 3 {
		t.Fatalf("%d cards", len(cards))
	}
	for _, c := range cards[1:] {
		browser.open(base + "/trustees")
		browser.js(`document.querySelector('textarea[name="card"]').value='` + c +
			`',document.querySelector('form[action="/trustees/drill"] button[type=submit]').click(),''`)
		browser.waitFor(`[role="status"]`)
	}
	browser.open(base + "/person/new")
	browser.waitFor(`input[name="gender"]`)
	browser.js(`["gender","age","language","category","district"].map((n,i)=>document.querySelectorAll('input[name="'+n+'"]')[i==1?3:0].click())`)
	browser.js(`document.querySelectorAll('input[value="yes"]').forEach(x=>x.click())`)
	browser.js(`document.querySelector('form[action="/person/new"] button[type=submit]').click()`)
	browser.waitFor(`a[href$="/contact"]`)
	code := browser.js(`document.querySelector('h1 .mono').innerText`)
	browser.open(base + "/settings")
	browser.click(`form[action="/sync"] button`)
	browser.wait("everything to be sent",
		`document.querySelector('[data-unsent]')?.dataset.unsent=='0' && !document.querySelector('[data-poll]')`)
	desk.Process.Kill() // the office burns
	desk.Wait()

	out := filepath.Join(dir, "recovered")
	cmd := exec.Command(program(t), "recover", "--data", out)
	cmd.Stdin = strings.NewReader(cards[2] + "\n" + cards[0] + "\n\n")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("krama recover: %v\n%s", err, stderr.String())
	}
	_, browser = openDeskInBrowser(t, out, strings.TrimSpace(string(b)))
	base = browser.js(`location.origin`)
	browser.open(base + "/people")
	browser.wait("the person", `document.body.innerText.includes('`+code+`')`)
	browser.open(base + "/roster")
	browser.wait("the recovery in the list", `document.body.innerText.includes('Recovered by trustees')`)
	one := exec.Command(program(t), "recover", "--data", filepath.Join(dir, "one"))
	one.Stdin = strings.NewReader(cards[0] + "\n\n")
	if err := one.Run(); err == nil {
		t.Error("one card alone recovered something")
	}
}

// openDeskInBrowser runs `krama desk` and unlocks it in a browser.
func openDeskInBrowser(t *testing.T, dir, words string) (*exec.Cmd, *browser) {
	t.Helper()
	cmd := exec.Command(program(t), "desk", "--data", dir, "--no-browser")
	r, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	var seen strings.Builder
	buf := make([]byte, 4096)
	url := ""
	for url == "" {
		n, err := r.Read(buf)
		seen.Write(buf[:n])
		if m := regexp.MustCompile(`desk: (\S+)\n`).FindStringSubmatch(seen.String()); m != nil {
			url = m[1]
		}
		if err != nil {
			t.Fatalf("krama desk: %s", seen.String())
		}
	}
	b := startBrowser(t, t.TempDir())
	b.open(url)
	b.waitFor(`input[name="words"]`)
	b.js(`document.querySelector('input[name="words"]').value='` + words +
		`',document.querySelector('form[action="/unlock"] button').click(),''`)
	b.waitFor("nav.main")
	return cmd, b
}

// TestEraseInTheBrowser erases a person on the phone; the office's desk, which was open, forgets her within five
// seconds of its next meeting with the relay.
func TestEraseInTheBrowser(t *testing.T) {
	e := startEnrolled(t)
	d, phone := e.demoProcess, e.phone
	base := d.desk[:strings.Index(d.desk, "/open")]
	desk := startBrowser(t, t.TempDir())
	desk.open(d.desk)
	desk.waitFor("nav.main")
	phone.wait("everything to be received", `document.querySelector('[data-unsent]').dataset.unsent=='0'`)
	desk.open(base + "/people")
	href := desk.js(`document.querySelector('.rows a[href^="/person/"]').getAttribute('href')`)
	desk.open(base + href + "/erase")
	code := desk.js(`document.querySelector('p.big .mono').innerText`)
	desk.js(`document.querySelector('#code').value='` + code +
		`',document.querySelector('form[action$="/erase"] button').click(),''`)
	desk.wait("the erasure", `!document.querySelector('#code')`)
	for try := 0; ; try++ { // it is sent in the background, and a page tells what was when it was drawn
		desk.open(base + "/settings")
		desk.waitFor("[data-unsent]")
		if desk.js(`document.querySelector('[data-unsent]').dataset.unsent`) == "0" {
			break
		}
		if try == 60 {
			t.Fatal("the erasure is not sent")
		}
		time.Sleep(time.Second)
	}
	// The phone meets the relay: from then on she is nowhere on it.
	began := time.Now()
	phone.click(`a.badge`)
	phone.click(`form[action="/sync"] button`)
	phone.waitFor("[data-poll]")
	phone.wait("the sync to end", `!document.querySelector('[data-poll]')`)
	took := time.Since(began)
	phone.click(`nav a[href="/people"]`)
	phone.waitFor(`input[name="q"]`)
	phone.js(`document.querySelector('input[name="q"]').value='` + code +
		`',document.querySelector('form.filter button').click(),''`)
	phone.wait("an answer", `document.querySelector('input[name="q"]')?.value.toUpperCase().includes('`+code+
		`') || !!document.querySelector('h1 .mono')`)
	gone := phone.js(`!document.querySelector('h1 .mono') && !document.querySelector('.rows a[href="`+href+
		`"]')`) == "true"
	t.Logf("from meeting the relay to gone: %v", took)
	if !gone || took > 5*time.Second {
		t.Errorf("gone %v after %v, at most 5 s", gone, took)
	}
	desk.open(base + "/erasures")
	desk.wait("the erasure in the list", `document.querySelectorAll('main section.card').length>1`)
}
