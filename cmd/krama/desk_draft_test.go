package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestDeskKeepsDrafts: in a browser at the desk, an answer that is being written survives another language, a link, and
// a lock in another tab; once it is sent it is no draft any more.
func TestDeskKeepsDrafts(t *testing.T) {
	d := startDemo(t, t.TempDir(), freePort(t), "--small")
	base := deskURL(d)
	b := startBrowser(t, t.TempDir())
	b.open(d.desk)
	b.waitFor("nav.main")
	b.open(base + "/inbox")
	b.click(`.rows a[href^="/thread/"]`)
	const there = `document.readyState==='complete' && !!document.querySelector('textarea[name=text]')`
	b.wait("the conversation", there)
	thread := b.js(`location.pathname`)
	typed := ""
	write := func(more string) {
		typed += more
		b.js(fmt.Sprintf(`(()=>{const x=document.querySelector('textarea[name=text]'); x.value=%q;
			x.dispatchEvent(new Event('input',{bubbles:true})); return 1})()`, typed))
	}
	holds := func(after string) {
		b.wait("the conversation after "+after, there)
		if got := b.js(`document.querySelector('textarea[name=text]').value`); got != typed {
			t.Errorf("after %s the answer is %q, want %q", after, got, typed)
		}
	}
	write("We can")
	b.js(`document.querySelector('.lang button[value=vi]').click()`)
	b.wait("the language", `document.documentElement.lang==='vi'`)
	holds("another language")
	write(" help")
	b.click(`nav a[href="/people"]`)
	b.waitFor(`input[name="q"]`)
	b.open(base + thread)
	holds("a link")
	b.js(`(()=>{const f=fetch; window.fetch=(...a)=>f(...a).then(r=>{window.answered=a[0]; return r}); return 1})()`)
	typed += " soon" // before the script ran, which is then loaded
	b.js(fmt.Sprintf(`(()=>{document.querySelector('textarea[name=text]').value=%q;
		const x=document.createElement('script'); x.src=document.querySelector('script[src*="desk"]').src;
		document.head.append(x); return 1})()`, typed))
	b.wait("what was typed before the script", `window.answered==='/draft'`)
	b.open(base + thread)
	holds("typing before the script")
	b.js(`(()=>{const f=fetch; window.fetch=(...a)=>f(...a).then(r=>{window.answered=a[0]; return r}); return 1})()`)
	write(" you")
	b.wait("the draft, a second after the last letter", `window.answered==='/draft'`)
	b.js(`(()=>{fetch('/lock',{method:'POST'}); return 1})()`) // as another tab does
	b.wait("the lock", `window.answered==='/lock'`)
	b.js(`document.querySelector('button[value=answer]').click()`)
	b.wait("what it says behind the lock", `!document.querySelector('nav.main') && !!document.querySelector('main a[href="/"]')`)
	if page := b.js(`document.body.innerText`); strings.Contains(page, typed) {
		t.Errorf("the locked page shows it: %s", page)
	}
	b.js(`document.querySelector('main a[href="/"]').click()`)
	b.waitFor("#words")
	b.js(fmt.Sprintf(`document.getElementById('words').value=%q`, d.words))
	b.js(`document.querySelector('form[action="/unlock"] button').click()`)
	b.waitFor("nav.main")
	b.open(base + thread)
	holds("a lock")
	b.js(`document.querySelector('button[value=answer]').click()`)
	b.wait("the answer", `document.querySelectorAll('section.strong .said').length>0`)
	if got := b.js(`document.querySelector('textarea[name=text]').value`); got != "" {
		t.Errorf("what was sent is still written: %q", got)
	}
}
