package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// register fills in a new person and returns her page's code.
func (b *browser) register() string {
	b.t.Helper()
	b.click(`a[href="/person/new"]`)
	b.waitFor(`input[name="gender"]`)
	b.js(`["gender","age","language","category","district"].map((n,i)=>document.querySelectorAll('input[name="'+n+'"]')[i==1?3:0].click())`)
	b.js(`document.querySelectorAll('input[value="yes"]').forEach(x=>x.click())`)
	b.js(`document.querySelector('form[data-draft] button[type=submit]').click()`)
	b.waitFor(`a[href$="/contact"]`)
	return b.js(`document.querySelector('h1 .mono').innerText`)
}

// contact records one contact from a person's page.
func (b *browser) contact(condoms int) {
	b.t.Helper()
	before, _ := strconv.Atoi(b.js(`document.querySelectorAll('[data-contact]').length`))
	b.click(`a[href$="/contact"]`)
	b.waitFor(`input[name="given-condom"]`)
	b.js(fmt.Sprintf(`document.querySelector('input[name="given-condom"]').value='%d'`, condoms))
	b.js(`document.querySelector('input[name="test"][value="2"]').click()`)
	b.js(`document.querySelector('input[name="topic"][value="1"]').click()`)
	b.js(`document.querySelector('input[name="safety"][value="1"]').click()`)
	b.js(`document.querySelector('form[data-draft] .bar button').click()`)
	b.wait("the contact in the history", fmt.Sprintf(`document.querySelectorAll('[data-contact]').length==%d`,
		before+1))
}

func (b *browser) unsent() string {
	b.t.Helper()
	return b.js(`document.querySelector('[data-unsent]').dataset.unsent`)
}

// deskNumber reads a number of the desk's overview.
func (b *browser) deskNumber(sel string) int {
	b.t.Helper()
	n, err := strconv.Atoi(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, b.js(fmt.Sprintf(`document.querySelector(%q).innerText`, sel))))
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// TestPhoneEndToEnd is one contact from a phone without a network to a report: enrol, cut the network, register, record
// three contacts, kill the browser, reopen offline, unlock, see them, restore the network, send; the desk shows them
// and the report counts them once.
func TestPhoneEndToEnd(t *testing.T) {
	data, profile, port := t.TempDir(), t.TempDir(), freePort(t)
	d := startDemo(t, data, port, "--small")
	desk := startBrowser(t, t.TempDir())
	desk.open(d.desk)
	desk.waitFor("nav.main")
	base := d.desk[:strings.Index(d.desk, "/open")]
	desk.open(base + "/overview")
	people, contacts := desk.deskNumber("[data-people]"), desk.deskNumber("[data-contacts]")
	kp := desk.people(base)

	phone := startBrowser(t, profile)
	words := phone.enrolPhone(d)
	phone.unlock(d, words)
	phone.wait("everything to be received", `document.querySelector('[data-unsent]').dataset.unsent=='0'`)
	if got := phone.js("location.pathname+location.search+location.hash+' '+document.title"); got != "/app/ Krama" {
		t.Errorf("the address or title says more than it should: %q", got)
	}
	if no, err := chromedp.Call(phone.ctx, page.GetInstallabilityErrors, cdp.Empty{}); err != nil ||
		len(no.InstallabilityErrors) > 0 {
		t.Errorf("a phone cannot install it: %+v %v", no, err)
	}
	if no, err := chromedp.Call(desk.ctx, page.GetInstallabilityErrors, cdp.Empty{}); err != nil ||
		len(no.InstallabilityErrors) == 0 {
		t.Errorf("the desk can be installed, so the browser looks at nothing: %+v %v", no, err)
	}

	d.kill() // no relay, no site: the network is gone
	code := phone.register()
	who := strings.TrimSuffix(strings.TrimPrefix(
		phone.js(`document.querySelector('a[href$="/contact"]').getAttribute('href')`), "/person/"), "/contact")
	for i := range 3 {
		phone.contact(10 * (i + 1))
	}
	if got := phone.unsent(); got != "8" { // a person, four consents, three contacts
		t.Errorf("unsent %s want 8", got)
	}
	phone.kill()

	phone = startBrowser(t, profile)
	phone.unlock(d, words)
	if got := phone.unsent(); got != "8" {
		t.Errorf("after the browser was killed: unsent %s want 8", got)
	}
	phone.find(code)
	if got := phone.js(`document.querySelectorAll('[data-contact]').length`); got != "3" {
		t.Errorf("after the browser was killed: %s contacts want 3", got)
	}

	d = startDemo(t, data, port)
	phone.click(`a.badge`)
	phone.click(`form[action="/sync"] button`)
	phone.wait("everything to be sent", `document.querySelector('[data-unsent]').dataset.unsent=='0'`)

	desk.open(d.desk)
	desk.waitFor("nav.main")
	desk.open(base + "/sync")
	desk.js("window.before=1")
	desk.click(`form[action="/sync"] button`)
	desk.wait("the desk to begin", "!window.before")
	for end := time.Now().Add(patience); time.Now().Before(end); {
		desk.open(base + "/overview") // until the sync behind it has ended
		if desk.deskNumber("[data-people]") > people {
			break
		}
	}
	if got := desk.deskNumber("[data-people]"); got != people+1 {
		t.Errorf("the desk has %d people want %d", got, people+1)
	}
	if got := desk.deskNumber("[data-contacts]"); got != contacts+3 {
		t.Errorf("the desk has %d contacts want %d", got, contacts+3)
	}
	if got := desk.people(base); got != kp+1 {
		t.Errorf("the report counts %d people want %d", got, kp+1)
	}
	phone.kill()
	leftBehind(t, profile, code, strings.ReplaceAll(code, "-", ""), strings.ToLower(code),
		strings.Join(words, " "), who)

	desk.open(base + "/people")
	desk.findHere(code)
	if got := desk.js(`document.querySelectorAll('[data-contact]').length`); got != "3" {
		t.Errorf("the desk shows %s contacts want 3", got)
	}
}

// leftBehind looks for what must not be readable in a killed browser's profile: codes, words, what was typed and shown.
func leftBehind(t *testing.T, profile string, secrets ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(profile, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return nil
		}
		files++
		b = bytes.ReplaceAll(b, []byte(profile), nil) // its own name has digits drawn at random
		for _, s := range secrets {
			for _, form := range [][]byte{[]byte(s), utf16(s)} {
				if i := bytes.Index(b, form); i >= 0 {
					around := strings.ReplaceAll(string(b[max(0, i-160):min(len(b), i+120)]), "\x00", "")
					t.Errorf("%s holds %q: %q", strings.TrimPrefix(p, profile), s, around)
				}
			}
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Fatalf("looked at %d files only: %v", files, err)
	}
}

func utf16(s string) (out []byte) {
	for _, c := range []byte(s) {
		out = append(out, c, 0)
	}
	return out
}

// TestTroubleInTheBrowser opens the phone twice, and in a browser that lacks what it needs.
func TestTroubleInTheBrowser(t *testing.T) {
	e := startEnrolled(t)
	d, one, words := e.demoProcess, e.phone, e.words
	ctx, cancel := chromedp.NewContext(one.ctx)
	defer cancel()
	two := &browser{t: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	two.open(d.site + "/app/")
	two.words(words)
	two.wait("the page for two tabs", `document.body.innerText.includes("open in another tab")`)
	if n := one.js(`document.querySelectorAll('nav.main').length`); n != "1" {
		t.Error("the first tab suffered")
	}
	// Hidden: covered and locked at once, and nothing of the people stays on the page.
	one.js(`(()=>{Object.defineProperty(document,'visibilityState',{value:'hidden',configurable:true});document.dispatchEvent(new Event('visibilitychange'))})()`)
	one.wait("the phone to lock when hidden",
		`!document.querySelector('nav.main') && !!document.querySelector('form.tapper') && !document.querySelector('.mono')`)
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: "delete window.WebAssembly"}); err != nil {
		t.Fatal(err)
	}
	two.open(d.site + "/app/")
	two.wait("the page for an old browser",
		`!document.getElementById('old').hidden && document.getElementById('old').innerText.includes("Nothing is lost")`)
}

// people reads how many people the overview counts. The report shows half-years that are over, which a contact of today
// is not in.
func (b *browser) people(base string) int {
	b.t.Helper()
	b.open(base + "/overview")
	return b.deskNumber("[data-people]")
}

func (b *browser) find(code string) {
	b.t.Helper()
	b.click(`nav a[href="/people"]`)
	b.findHere(code)
}

func (b *browser) findHere(code string) {
	b.t.Helper()
	b.waitFor(`input[name="q"]`)
	b.js(fmt.Sprintf(`document.querySelector('input[name="q"]').value=%q`, strings.ToLower(code)))
	b.js(`document.querySelector('form.filter button').click()`)
	b.waitFor(`a[href$="/contact"]`)
}
