package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestBackOnTheDesk is TestInFirefox's last part in Chromium, which gives the old form back with its id.
func TestBackOnTheDesk(t *testing.T) {
	d := startDemo(t, t.TempDir(), freePort(t), "--small")
	desk := startBrowser(t, t.TempDir())
	desk.open(d.desk)
	desk.waitFor("nav.main")
	desk.backOnTheDesk(d.desk[:strings.Index(d.desk, "/open")])
}

// sequences is how many random ways through a form TestEveryWayKeepsWhatWasTyped takes: 2, or as many as
// KRAMA_SEQUENCES says.
func sequences() int {
	if n, err := strconv.Atoi(os.Getenv("KRAMA_SEQUENCES")); err == nil {
		return n
	}
	return 2
}

// TestEveryWayKeepsWhatWasTyped records contacts on a phone, each with a number of condoms of its own, by random ways:
// typed and left by Back, by a link or by the lock, typed again after that, read anew, saved by a double tap. Whatever
// the way, the form still shows what was typed when it is opened again, and in the end each number stands in exactly
// one contact.
func TestEveryWayKeepsWhatWasTyped(t *testing.T) {
	e := startEnrolled(t)
	b, words := e.phone, e.words
	code := b.register()
	b.countDrafts()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	const field = `document.querySelector('input[name="given-condom"]')`
	form := func() {
		if b.js("!!"+field) != "true" {
			b.click(`a[href$="/contact"]`)
			b.waitFor(`input[name="given-condom"]`)
		}
	}
	person := func() {
		if b.js(`!!document.querySelector('a[href$="/contact"]')`) != "true" {
			b.find(code)
		}
	}
	for i := range sequences() {
		n := strconv.Itoa(1001 + i)
		var way []string
		typed := false
		for range 2 + r.IntN(6) {
			form()
			if typed { // wherever the way led, it is there
				if got := b.js(field + ".value"); got != n {
					t.Fatalf("seed %d, %v: the form shows %q, want %q", seed, way, got, n)
				}
			}
			if !typed || r.IntN(3) == 0 {
				b.js(fmt.Sprintf(
					`(()=>{window.drafts=0;%[1]s.value='';%[1]s.value=%[2]q;%[1]s.dispatchEvent(new Event('input',{bubbles:true}))})()`, field, n))
				typed = true
			}
			switch what := []string{"back", "link", "two links", "lock", "anew"}[r.IntN(5)]; what {
			case "back":
				way = append(way, what)
				b.back()
				b.wait("the page before", "!"+field)
				person()
			case "link":
				way = append(way, what)
				b.find(code)
			case "two links":
				way = append(way, what)
				b.js(`document.querySelector('nav a[href="/directory"]').click(),document.querySelector('nav a[href="/people"]').click()`)
				b.findHere(code)
			case "lock":
				way = append(way, what)
				b.js(`(()=>{Object.defineProperty(document,'visibilityState',{value:'hidden',configurable:true});document.dispatchEvent(new Event('visibilitychange'));delete document.visibilityState})()`)
				b.waitFor("form.tapper")
				b.again(words)
				b.find(code)
			case "anew":
				// a page that is read anew cannot seal any more: what the last second brought is lost, and nothing else
				way = append(way, what)
				b.wait("what was typed to be sealed", `window.drafts>0`)
				b.open(e.site + "/app/")
				b.countDrafts()
				b.again(words)
				b.find(code)
			}
		}
		form()
		b.js(`document.querySelector('input[name="test"][value="2"]').click(),document.querySelector('input[name="topic"][value="1"]').click()`)
		b.js(`(x=>{x.click();x.click()})(document.querySelector('form[data-draft] .bar button'))`)
		b.wait("the contact",
			fmt.Sprintf(
				`[...document.querySelectorAll('[data-contact]')].filter(x=>x.innerText.includes('Condoms %s')).length==1`, n))
		if got := b.js(`document.querySelectorAll('[data-contact]').length`); got != strconv.Itoa(i+1) {
			t.Fatalf("seed %d, %v: %s contacts, want %d", seed, way, got, i+1)
		}
		form()
		if b.js(`document.querySelector('main').innerText.includes("Continued from where")`) == "true" {
			t.Fatalf("seed %d, %v: what was saved is still a draft", seed, way)
		}
		b.find(code)
	}
}

// waitForFile looks until a file of a pattern is newer than a moment.
func (b *browser) waitForFile(what, pattern string, than time.Time) {
	b.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		files, _ := filepath.Glob(pattern)
		for _, f := range files {
			if info, err := os.Stat(f); err == nil && info.ModTime().After(than) {
				return
			}
		}
	}
	b.t.Fatalf("waited in vain for %s", what)
}

// countDrafts has the page count the drafts that its program says it has sealed, in window.drafts.
func (b *browser) countDrafts() {
	b.t.Helper()
	b.js(`(()=>{window.drafts=1;const post=Worker.prototype.postMessage;Worker.prototype.postMessage=function(m,...more){
		if(m&&m.path==='/draft')this.addEventListener('message',e=>{if(e.data.id===m.id)window.drafts++});
		return post.call(this,m,...more)};return 1})()`)
}

// again unlocks a phone that was locked, which goes to its first page.
func (b *browser) again(words []string) {
	b.t.Helper()
	b.words(words)
	b.wait("the phone to open", `!!document.querySelector('nav.main')||!!document.querySelector('#pin')`)
	if b.js(`!!document.querySelector('#pin')`) == "true" {
		b.click(`a[href="/"].button`)
	}
	b.waitFor("nav.main")
}

// TestTheProgramIsGoneAfterARelease: a page that lay open through a release locks, and the site no longer has the files
// that it began with. The page begins anew with those of the release, says nothing of an old browser, and what was
// typed is there.
func TestTheProgramIsGoneAfterARelease(t *testing.T) {
	e := startEnrolled(t)
	b, words := e.phone, e.words
	code := b.register()
	b.click(`a[href$="/contact"]`)
	b.waitFor(`input[name="given-condom"]`)
	b.js(`(()=>{const f=document.querySelector('input[name="given-condom"]');f.value='77';f.dispatchEvent(new Event('input',{bubbles:true}));
		window.Worker=class{constructor(){setTimeout(()=>this.onerror(new Event('error')),50)}postMessage(){}terminate(){}};
		document.body.dataset.before='1';
		Object.defineProperty(document,'visibilityState',{value:'hidden',configurable:true});document.dispatchEvent(new Event('visibilitychange'))})()`)
	b.wait("the page to begin anew", `!document.body.dataset.before && document.body.dataset.ready==='1'`)
	if b.js(`document.getElementById('old').hidden`) != "true" {
		t.Errorf("it says %q", b.js(`document.getElementById('old').innerText`))
	}
	b.again(words)
	b.find(code)
	b.click(`a[href$="/contact"]`)
	b.wait("what was typed",
		`document.querySelector('input[name="given-condom"]')&&document.querySelector('input[name="given-condom"]').value==='77'`)
}

// TestTheBrowserRemembersNoForm: a browser keeps what stands in forms, and where they are sent, in its session's file,
// which outlives a kill. Of the phone's forms it keeps nothing.
func TestTheBrowserRemembersNoForm(t *testing.T) {
	d := startDemo(t, t.TempDir(), freePort(t), "--small")
	profile := t.TempDir()
	b := startBrowser(t, profile) // a new profile: one that was killed before writes its session down later
	words := b.enrolPhone(d)
	b.unlock(d, words)
	code := b.register()
	who := strings.TrimSuffix(strings.TrimPrefix(
		b.js(`document.querySelector('a[href$="/contact"]').getAttribute('href')`), "/person/"), "/contact")
	for range 3 { // forms that were typed in are left by steps of the history, as a browser writes them down
		b.click(`a[href$="/contact"]`)
		b.waitFor(`input[name="given-condom"]`)
		b.js(`(()=>{const f=document.querySelector('input[name="given-condom"]');f.focus();document.execCommand('insertText',false,'4711081542');document.querySelector('input[name="topic"][value="1"]').click()})()`)
		b.click(`nav a[href="/people"]`)
		b.findHere(code)
	}
	left := time.Now()
	b.waitForFile("the session to be written", filepath.Join(profile, "Default", "Sessions", "Session_*"), left)
	b.kill()
	leftBehind(t, profile, code, strings.ReplaceAll(code, "-", ""), who, "4711081542", "given-condom")
}
