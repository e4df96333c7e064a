package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// firefox is one tab of a Firefox, spoken to by WebDriver BiDi.
type firefox struct {
	ws  *websocket.Conn
	n   int
	tab string
}

// foxPrefs keep a fresh profile quiet, and answer what a person would: yes, the phone may keep its files.
const foxPrefs = `user_pref("dom.storageManager.prompt.testing", true);
user_pref("dom.storageManager.prompt.testing.allow", true);
user_pref("intl.accept_languages", "en");
user_pref("app.normandy.enabled", false);
user_pref("app.update.auto", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("toolkit.telemetry.enabled", false);
`

func startFirefox(t testing.TB, profile string, prefs ...string) *browser {
	t.Helper()
	path, err := exec.LookPath("firefox-esr")
	if err != nil {
		t.Fatal("firefox-esr is not installed; run: make tools")
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(foxPrefs+strings.Join(prefs, "")),
		0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port",
		fmt.Sprint(freePort(t)), "--width", "360", "--height", "640", "about:blank")
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, profile: profile, fox: &firefox{}, cancel: func() { cmd.Wait() }}
	t.Cleanup(b.kill)
	sc := bufio.NewScanner(stderr)
	for sc.Scan() {
		if at, ok := strings.CutPrefix(sc.Text(), "WebDriver BiDi listening on "); ok {
			go func() {
				for sc.Scan() {
				}
			}()
			if err := b.fox.connect(at); err != nil {
				t.Fatalf("firefox: %v", err)
			}
			return b
		}
	}
	t.Fatal("firefox did not start")
	return nil
}

func (f *firefox) connect(at string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if f.ws, _, err = websocket.Dial(ctx, at+"/session", nil); err != nil {
		return err
	}
	f.ws.SetReadLimit(64 << 20)
	if err := f.call("session.new", map[string]any{"capabilities": map[string]any{}}, nil); err != nil {
		return err
	}
	var tree struct{ Contexts []struct{ Context string } }
	if err := f.call("browsingContext.getTree", map[string]any{}, &tree); err != nil {
		return err
	}
	f.tab = tree.Contexts[0].Context
	return nil
}

// call sends one command and waits for its answer.
func (f *firefox) call(method string, params, result any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	f.n++
	b, err := json.Marshal(map[string]any{"id": f.n, "method": method, "params": params})
	if err == nil {
		err = f.ws.Write(ctx, websocket.MessageText, b)
	}
	for err == nil {
		var m struct {
			ID             int
			Result         json.RawMessage
			Error, Message string
		}
		if _, b, err = f.ws.Read(ctx); err == nil {
			err = json.Unmarshal(b, &m)
		}
		switch {
		case err != nil || m.ID != f.n: // an event
		case m.Error != "":
			return fmt.Errorf("%s: %s %s", method, m.Error, m.Message)
		case result != nil:
			return json.Unmarshal(m.Result, result)
		default:
			return nil
		}
	}
	return err
}

func (f *firefox) open(url string) error {
	return f.call("browsingContext.navigate", map[string]any{"context": f.tab, "url": url, "wait": "complete"}, nil)
}

// eval evaluates an expression that is a text.
func (f *firefox) eval(expr string) (string, error) {
	var out struct {
		Type             string
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	err := f.call("script.evaluate", map[string]any{"expression": expr, "target": map[string]any{"context": f.tab},
		"awaitPromise": true, "userActivation": true}, &out)
	if err == nil && out.Type != "success" {
		err = fmt.Errorf("%s", out.ExceptionDetails.Text)
	}
	return out.Result.Value, err
}

// back is the browser's own Back.
func (b *browser) back() {
	b.t.Helper()
	if b.fox == nil {
		b.js("setTimeout(() => history.back()), ''") // afterwards: the page that answers is gone by then
		return
	}
	if err := b.fox.call("browsingContext.traverseHistory", map[string]any{"context": b.fox.tab, "delta": -1},
		nil); err != nil {
		b.t.Fatal(err)
	}
}

// TestInFirefox is a short day in another browser: the public page with the way out, a report that is sealed in it, the
// phone from enrolment to a contact that the desk has, a form given back by the browser, and a lock.
func TestInFirefox(t *testing.T) {
	data := t.TempDir()
	d := startDemo(t, data, freePort(t), "--small")
	base := d.desk[:strings.Index(d.desk, "/open")]

	anybody := startFirefox(t, t.TempDir())
	anybody.open(d.site + "/km")
	anybody.tapText("ធ្វើតេស្ត ឬសុខភាព")
	anybody.wait("the answers", `document.querySelectorAll('section.card').length > 0`)
	anybody.open(d.site + "/en")
	anybody.tapText("Tell us what happened")
	anybody.waitFor("#sealing textarea")
	anybody.wait("the lock",
		`document.getElementById('say').textContent === document.getElementById('say').dataset.ready`)
	anybody.js(`document.querySelector('textarea').value = 'what happened'`)
	anybody.click(`#sealing button[type=submit]`)
	anybody.wait("the receipt", `!document.getElementById('receipt').hidden`)
	if got := anybody.js(`document.getElementById('digits').textContent`); !digits20.MatchString(got) {
		t.Errorf("receipt %q", got)
	}

	desk := startFirefox(t, t.TempDir())
	desk.open(d.desk)
	desk.waitFor("nav.main")
	people := desk.people(base)
	phone := startFirefox(t, t.TempDir())
	words := phone.enrolPhone(d)
	phone.unlock(d, words)
	phone.wait("everything to be received", `document.querySelector('[data-unsent]').dataset.unsent=='0'`)
	code := phone.register()
	phone.contact(10)

	// Typed and left by Back within five seconds: it is there when the form is opened again.
	phone.click(`a[href$="/contact"]`)
	phone.waitFor(`input[name="given-condom"]`)
	phone.js(`(()=>{const f=document.querySelector('input[name="given-condom"]');f.value='33';f.dispatchEvent(new Event('input',{bubbles:true}))})()`)
	phone.back()
	phone.wait("the page before", `!document.querySelector('input[name="given-condom"]')`)
	phone.click(`a[href$="/contact"]`)
	phone.wait("what was typed",
		`document.querySelector('input[name="given-condom"]')&&document.querySelector('input[name="given-condom"]').value=='33'`)
	phone.click(`form[data-draft] .bar a`)
	phone.click(`a.badge`)
	phone.click(`form[action="/sync"] button`)
	phone.wait("everything to be sent",
		`document.querySelector('[data-unsent]')&&document.querySelector('[data-unsent]').dataset.unsent=='0'`)
	phone.click(`form[action="/lock"] button`)
	phone.waitFor("form.tapper")

	desk.open(base + "/sync")
	desk.js("window.before=1")
	desk.click(`form[action="/sync"] button`)
	desk.wait("the desk to begin", "!window.before")
	for end := time.Now().Add(patience); desk.people(base) != people+1; {
		if time.Now().After(end) {
			t.Fatal("the desk did not get the phone's person")
		}
	}
	desk.open(base + "/people")
	desk.findHere(code)

	desk.backOnTheDesk(base)
}

// backOnTheDesk registers somebody on a desk, takes the browser's Back, says another gender and saves again. Whether
// the browser gives back the old form, whose id is used, or asks for a new one: both stay, or the page asks which she
// meant.
func (b *browser) backOnTheDesk(base string) {
	b.t.Helper()
	before := b.people(base)
	b.open(base + "/person/new")
	fill := func(gender int) {
		b.waitFor(`input[name="gender"]`)
		b.js(fmt.Sprintf(
			`["age","language","category","district"].map((n,i)=>document.querySelectorAll('input[name="'+n+'"]')[i==0?3:0].click())&&document.querySelectorAll('input[name="gender"]')[%d].click()`, gender))
		b.js("window.before=1")
		b.js(`document.querySelector('form[action="/person/new"] button[type=submit]').click()`)
		b.wait("the answer", "!window.before&&!!document.querySelector('main')")
	}
	fill(0)
	b.back()
	fill(1)
	asked := b.js(`document.body.innerText.includes("saved before")`) == "true"
	if n := b.people(base) - before; n != 2 && !(asked && n == 1) {
		b.t.Errorf("%d people of two, asked %v", n, asked)
	}
}

// TestAPrivateWindowSaysSo: a window that keeps no files says what is missing and which browser works before anything
// is set up: no blank page, and no word of records that cannot be opened.
func TestAPrivateWindowSaysSo(t *testing.T) {
	d := startDemo(t, t.TempDir(), freePort(t), "--small")
	b := startFirefox(t, t.TempDir(), `user_pref("browser.privatebrowsing.autostart", true);`)
	b.open(d.site + "/app/")
	b.wait("what is missing", `!document.getElementById('old').hidden`)
	if got := b.js(`document.getElementById('old').innerText`); !strings.Contains(got, "private window") ||
		!strings.Contains(got, "ordinary window") || strings.Contains(got, "lacks what") {
		t.Errorf("it says %q", got)
	}
	if b.js(`document.getElementById('old').getBoundingClientRect().top < innerHeight/3`) != "true" {
		t.Error("it stands below a blank screen")
	}
}
