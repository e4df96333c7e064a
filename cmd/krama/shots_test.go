package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestShots draws every page at both sizes, in three languages, light and dark, into KRAMA_SHOTS for people to look at.
func TestShots(t *testing.T) {
	dir := os.Getenv("KRAMA_SHOTS")
	if dir == "" {
		t.Skip("KRAMA_SHOTS names no folder; pictures are drawn only on request")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d := startDemo(t, t.TempDir(), freePort(t))
	doorShots(t, d, dir)
	base := d.desk[:strings.Index(d.desk, "/open")]
	desk := startBrowser(t, t.TempDir())
	desk.open(d.desk)
	desk.waitFor("nav.main")
	keepIncident(desk, base)
	looks := []struct { // one of each light and dark, large and small

		lang string
		w, h int64
		dark bool
	}{{"en", 1280, 800, false}, {"km", 1280, 800, true}, {"km", 360, 640, false}, {"en", 360, 640, true},
		{"vi", 360, 640, false}, {"en", 360, 640, false}}
	for _, l := range looks {
		desk.size(l.w, l.h, l.dark)
		desk.js(fmt.Sprintf(`document.querySelector('.lang button[value=%q]').click()`, l.lang))
		desk.wait("the language",
			fmt.Sprintf(`document.documentElement.lang==%q && !!document.querySelector('nav.main')`, l.lang))
		desk.open(base + "/devices")
		desk.waitFor("nav.main")
		device := desk.js(`[...document.querySelectorAll('table a[href^="/device/"]')].at(-1).getAttribute('href')`)
		for _, p := range []string{"", "people", "contacts", "overview", "report", "devices", "enrol",
			"settings", "kept",
			"trustees", "erasures", "roster", "mail", "repair", "directory", "listing/new",
			"listing/de300a00000000000000000000000000", "inbox", "thread", "incidents", "audit", "door", "rights",
			"rights/arrest/km", device[1:], device[1:] + "/after"} {
			if p == "thread" {
				desk.open(base + "/inbox")
				desk.click(`.rows a[href^="/thread/"]`)
				desk.wait("a conversation", `!!document.querySelector('textarea[name=text]')`)
			} else {
				desk.open(base + "/" + p)
			}
			desk.waitFor("nav.main")
			desk.shot(filepath.Join(dir, fmt.Sprintf("desk-%s-%s-%d-%v.png",
				"p"+strings.ReplaceAll(strings.ReplaceAll(p, device[1:], "device"), "/", "-"), l.lang, l.w, l.dark)))
		}
	}
	phone := startBrowser(t, t.TempDir())
	phone.size(1280, 800, false)
	phone.open(d.site + "/?l=en")
	phone.shot(filepath.Join(dir, "start.png"))
	words := phone.enrolPhone(d)
	phone.shot(filepath.Join(dir, "halves.png"))
	phone.size(360, 640, false)
	phone.open(d.site + "/app/")
	phone.waitFor("form.tapper")
	phone.shot(filepath.Join(dir, "phone-unlock.png"))
	phone.unlock(d, words)
	for _, l := range looks {
		phone.size(l.w, l.h, l.dark)
		phone.js(fmt.Sprintf(`document.querySelector('.lang button[value=%q]').click()`, l.lang))
		phone.wait("the language",
			fmt.Sprintf(`document.querySelector('.lang button[value=%q]').getAttribute('aria-pressed')=='true'`,
				l.lang))
		name := func(p string) string {
			return filepath.Join(dir, fmt.Sprintf("phone-%s-%s-%d-%v.png", p, l.lang, l.w, l.dark))
		}
		phone.click(`nav a[href="/"]`)
		phone.waitFor(`nav a[href="/"][aria-current]`)
		phone.shot(name("home"))
		phone.click(`.rows a`)
		phone.waitFor(`a[href$="/contact"]`)
		phone.shot(name("person"))
		phone.click(`a[href$="/contact"]`)
		phone.waitFor(`input[name="given-condom"]`)
		phone.shot(name("contact"))
		phone.click(`nav a[href="/"]`)
		phone.click(`a[href="/person/new"]`)
		phone.waitFor(`input[name="gender"]`)
		phone.shot(name("new"))
		phone.click(`nav a[href="/people"]`)
		phone.waitFor(`input[name="q"]`)
		phone.shot(name("people"))
		phone.click(`nav a[href="/directory"]`)
		phone.waitFor(`a[href^="/listing/"]`)
		phone.shot(name("directory"))
		phone.click(`a[href^="/listing/"]`)
		phone.waitFor(`form[action$="/check"]`)
		phone.shot(name("listing"))
		phone.click(`nav a[href="/settings"]`)
		phone.waitFor(`a[href="/limits"]`)
		phone.shot(name("settings"))
		for _, p := range []string{"travel", "panic", "duress"} {
			phone.click(`nav a[href="/settings"]`)
			phone.waitFor(`a[href="/` + p + `"]`)
			phone.click(`a[href="/` + p + `"]`)
			phone.waitFor(`form[action="/` + p + `"]`)
			phone.shot(name(p))
		}
	}
}

// keepIncident keeps an incident of the first report and closes it, so that the pages can be seen full.
func keepIncident(desk *browser, base string) {
	desk.open(base + "/inbox")
	desk.click(`.rows a[href^="/thread/"]`)
	desk.wait("a conversation", `!!document.querySelector('textarea[name=text]')`)
	for _, sel := range []string{"input[name=what][value='2']", "input[name=by][value='5']", "input[name=consent]"} {
		desk.js(fmt.Sprintf("document.querySelector(%q).checked = true", sel))
	}
	desk.click(`button[value=incident]`)
	desk.wait("the incident",
		`document.body.innerText.includes(document.querySelector('details summary').textContent) && !document.querySelector('[role=alert]') && !!document.querySelector('button[value=close]')`)
	desk.click(`button[value=close]`)
	desk.waitFor(`button[value=reopen]`)
}

// doorShots draws the public pages.
func doorShots(t *testing.T, d *demoProcess, dir string) {
	b := startBrowser(t, t.TempDir())
	for _, l := range []struct {
		lang string
		w, h int64
		dark bool
	}{{"km", 360, 640, false}, {"en", 360, 640, true}, {"km", 1280, 800, true}, {"en", 1280, 800, false},
		{"vi", 360, 640, false}} {
		for _, q := range []string{"hm000000", "an010000", "an061002", "pn010000", "ri000000", "rt020000", "wr000000",
			"cb000000", "sl000000", "ab000000"} {
			b.size(l.w, l.h, l.dark)
			b.goTo(d, q+l.lang)
			b.shot(filepath.Join(dir, fmt.Sprintf("door-%s-%s-%d-%v.png", q, l.lang, l.w, l.dark)))
		}
	}
}
