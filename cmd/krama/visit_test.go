package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"krama"
	"krama/directory"
	"krama/guide"
	"krama/relay"
	"krama/relay/memory"
	"krama/seal"
	"krama/web/site"
)

// publicSite is a relay and the public origin over it, each at an address of its own, and the door that one programme
// published.
type publicSite struct {
	t     *testing.T
	url   string
	store *memory.Store
	relay *relay.Relay
	site  *site.Site
	door  *directory.Door
	mu    sync.Mutex
	asked []string // path and form of every request to the site
	drop  int      // so many requests for a program's module get no answer
}

// intake is an open intake of a circle.
func intake(t *testing.T, k krama.CircleKind) directory.Intake {
	t.Helper()
	var seed [32]byte
	rand.Read(seed[:])
	keys, err := seal.OpenIntake(seed, seal.StreamID{byte(k)}, true)
	if err != nil {
		t.Fatal(err)
	}
	place, today := seal.IntakePlace(keys.Stream), krama.DayOf(time.Now())
	return directory.Intake{Circle: k, ID: keys.ID(), Kem: keys.KEM.PublicKey().Bytes(),
		Sig: keys.Sig.Public().(ed25519.PublicKey), From: today - 1, Until: today + 20, Place: place[:]}
}

func newPublicSite(t *testing.T) *publicSite {
	t.Helper()
	p := &publicSite{t: t, store: memory.New()}
	p.relay = relay.New(p.store, "token", relay.DefaultLimits, time.Now)
	rs := httptest.NewServer(p.relay)
	t.Cleanup(rs.Close)
	g, err := guide.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.store.AddProgramme(t.Context(), relay.Programme{ID: [16]byte{1}, Control: make([]byte, 32),
		Site: [16]byte{7}}); err != nil {
		t.Fatal(err)
	}
	c, err := publicDoor(p.relay.Door, p.relay.AnswerSlip, g, defaultExit)
	if err != nil {
		t.Fatal(err)
	}
	p.door = &directory.Door{Version: 1, Made: krama.DayOf(time.Now()), Site: [16]byte{7},
		Intakes: []directory.Intake{intake(t, krama.KindCasework), intake(t, krama.KindSafeguarding)}}
	p.publish(p.door.Intakes...)
	if p.site, err = site.New(site.Config{Relay: rs.URL, Version: "test", Door: c}); err != nil {
		t.Fatal(err)
	}
	ss := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line := r.Method + " " + r.URL.Path
		if r.Method == http.MethodPost {
			line += " " + r.PostFormValue("q") + r.PostFormValue("c")
		}
		p.mu.Lock()
		p.asked = append(p.asked, line)
		dropped := p.drop > 0 && strings.Contains(r.URL.Path, ".wasm")
		if dropped {
			p.drop--
		}
		p.mu.Unlock()
		if dropped {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		p.site.ServeHTTP(w, r)
	}))
	t.Cleanup(ss.Close)
	p.url = ss.URL
	return p
}

// publish has the relay keep the door and take reports for some of its intakes.
func (p *publicSite) publish(open ...directory.Intake) {
	p.t.Helper()
	b, err := p.door.Encode()
	if err != nil {
		p.t.Fatal(err)
	}
	var ids [][16]byte
	for _, in := range open {
		ids = append(ids, in.ID)
	}
	if err := p.store.SetDoor(p.t.Context(), [16]byte{1}, b, ids); err != nil {
		p.t.Fatal(err)
	}
	if p.site != nil {
		if err := p.site.Door().Refresh(context.Background()); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *publicSite) reports(in directory.Intake) int {
	p.t.Helper()
	_, n, err := p.store.Reports(p.t.Context(), in.ID, 0, 1<<20)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// requests are those to the site since the last look.
func (p *publicSite) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.asked
	p.asked = nil
	return out
}

// writing opens the page for reporting and waits until it can seal.
func (p *publicSite) writing(b *browser) {
	p.t.Helper()
	b.open(p.url + "/en")
	b.tapText("Tell us what happened")
	b.waitFor("#sealing textarea")
	b.wait("the lock", `document.getElementById('say').textContent === document.getElementById('say').dataset.ready`)
}

const said = `document.getElementById('say').textContent`

func saying(key string) string {
	return fmt.Sprintf(`%s === document.getElementById('say').dataset.%s`, said, key)
}

// TestA22SwappedKeyIsRefused: a page that gives another key under an intake's id, or no proof that it is the intake's,
// seals nothing; what was typed stays.
func TestA22SwappedKeyIsRefused(t *testing.T) {
	p := newPublicSite(t)
	b := startBrowser(t, t.TempDir())
	other := intake(t, krama.KindCasework)
	for _, swap := range []string{fmt.Sprintf(`x.dataset.kem = %q`, base64.StdEncoding.EncodeToString(other.Kem)),
		`x.dataset.bind = ''`, `x.dataset.sig = ''`} {
		p.writing(b)
		b.js(`(()=>{const x=document.querySelector('input[name=to]'); ` + swap +
			`; document.querySelector('textarea').value = 'for your eyes'; return 1})()`)
		b.click(`#sealing button[type=submit]`)
		b.wait("the refusal", saying("swapped"))
		if got := b.js(`document.querySelector('textarea').value`); got != "for your eyes" {
			t.Errorf("what was typed is %q", got)
		}
	}
	if n := p.reports(p.door.Intakes[0]); n != 0 {
		t.Errorf("%d reports were sent", n)
	}
}

// TestA30IntakeIsGone: on a page that lay open while the keys changed she is told before she writes; where the relay
// takes no reports for an intake any more, when she sends. Each time her words stay, the others are offered, and the
// next try goes through.
func TestA30IntakeIsGone(t *testing.T) {
	p := newPublicSite(t)
	b := startBrowser(t, t.TempDir())
	p.writing(b)
	b.js(`(()=>{document.querySelectorAll('input[name=to]')[1].checked = true; return 1})()`)
	renew := func() {
		p.door.Intakes = []directory.Intake{intake(t, krama.KindCasework), intake(t, krama.KindSafeguarding)}
		p.publish(p.door.Intakes...)
	}
	hexOf := func(i int) string { return hex.EncodeToString(p.door.Intakes[i].ID[:]) }
	checked := func() string { return b.js(`document.querySelector('input[name=to]:checked').value`) }
	renew()
	p.requests()
	b.js(`(()=>{document.getElementById('sealing').dataset.at = 0; document.querySelector('textarea').focus(); return 1})()`)
	b.wait("being told before writing", saying("renewed"))
	if got := p.requests(); len(got) != 1 || got[0] != "POST / wr000000en" {
		t.Errorf("asking whether the intake is open tells more than the page: %q", got)
	}
	if got := checked(); got != hexOf(1) {
		t.Errorf("chosen is %s, not the same circle's new one", got)
	}
	send := func() { b.click(`#sealing button[type=submit]`) }
	text := "they took my papers"
	b.js(fmt.Sprintf(`(()=>{document.querySelector('textarea').value = %q; return 1})()`, text))

	// The keys change while she writes.
	renew()
	send()
	b.wait("being told that they are gone", saying("gone"))
	if got := b.js(`document.querySelector('textarea').value`); got != text {
		t.Errorf("her words are %q", got)
	}
	send()
	b.wait("the receipt", `!document.getElementById('receipt').hidden`)
	if p.reports(p.door.Intakes[1]) != 1 || p.reports(p.door.Intakes[0]) != 0 {
		t.Error("the report is not with those she chose")
	}

	// The relay takes none, and the site does not know yet; then it does.
	p.writing(b)
	p.publish()
	b.js(fmt.Sprintf(`(()=>{document.querySelector('textarea').value = %q; return 1})()`, text))
	send()
	b.wait("being told that nobody takes reports", saying("nobody"))
	p.door.Intakes = nil
	p.publish()
	send()
	b.wait("being told again", `document.querySelectorAll('input[name=to]:enabled').length === 0 && `+saying("nobody"))
	if got := b.js(`document.querySelector('textarea').value`); got != text {
		t.Errorf("her words are %q", got)
	}
	for _, lang := range []string{"km", "vi"} {
		renew()
		b.open(p.url + "/" + lang)
		b.js(`(()=>{document.querySelector('.more button').click(); return 1})()`)
		b.waitFor("#sealing textarea")
		if b.js(`['renewed','gone','nobody','swapped'].map(k => document.getElementById('say').dataset[k]).every(x => x && x.length > 20)`) != "true" {
			t.Errorf("%s: no words", lang)
		}
	}
}

// TestA31SlipCodeStaysUntilWellMade: what is typed into the slip's field leaves the page only when it is a code, and as
// the code; without script the browser holds back what cannot be one.
func TestA31SlipCodeStaysUntilWellMade(t *testing.T) {
	p := newPublicSite(t)
	b := startBrowser(t, t.TempDir())
	code, err := krama.NewSlipCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := string(code)
	swapped := []byte(good)
	for i := range 11 {
		if swapped[i] != swapped[i+1] {
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			break
		}
	}
	wrong := []string{"", "Sok Dara came at ten", "012 345 678", good[:11], good + "0", string(swapped), "អរគុណ",
		strings.Replace(good, good[:1], "U", 1)}
	b.open(p.url + "/en")
	b.tapText("I received a slip")
	b.waitFor("#slip")
	p.requests()
	for _, typed := range wrong {
		b.js(fmt.Sprintf(
			`(()=>{document.querySelector('#slip input[name=c]').value = %q; document.querySelector('#slip button').click(); return 1})()`, typed))
		b.wait("being told", `!document.getElementById('mistyped').hidden`)
		if got := b.js(`document.querySelector('#slip input[name=c]').value`); got != typed {
			t.Errorf("typed %q, left %q", typed, got)
		}
		b.js(`(()=>{document.getElementById('mistyped').hidden = true; return 1})()`)
	}
	if got := p.requests(); len(got) != 0 {
		t.Errorf("mistyped codes left the page: %q", got)
	}
	typed := " " + strings.ToLower(code.String()) + " "
	b.js(fmt.Sprintf(
		`(()=>{document.querySelector('#slip input[name=c]').value = %q; document.querySelector('#slip button').click(); return 1})()`, typed))
	b.wait("thanks", `document.body.innerText.includes('It was passed on')`)
	if got := p.requests(); !slices.Equal(got, []string{"POST /slip " + string(code)}) {
		t.Errorf("sent %q, want the code alone", got)
	}

	b.script(false)
	b.open(p.url + "/en")
	b.tapText("I received a slip")
	b.wait("the slip's page", `!!document.querySelector('#slip')`)
	p.requests()
	for _, typed := range []string{"Sok Dara came at ten", "012 345 678", "អរគុណ"} {
		b.js(fmt.Sprintf(`document.querySelector('#slip input[name=c]').value = %q`, typed))
		if _, err := chromedp.Run(b.ctx, chromedp.Click(`#slip button`)); err != nil {
			t.Fatal(err)
		}
		<-time.After(300 * time.Millisecond)
	}
	if got := p.requests(); len(got) != 0 {
		t.Errorf("without script words left the page: %q", got)
	}
}

// names are the addresses of a site's pages and files that stand anywhere in a browser's profile.
func names(t *testing.T, profile, site string) (out []string, size int) {
	t.Helper()
	at := regexp.MustCompile(regexp.QuoteMeta(site) + `[!-~]*`)
	filepath.Walk(profile, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return nil
		}
		b, _ := os.ReadFile(path)
		size += len(b)
		for _, m := range at.FindAll(b, -1) {
			if name := string(m); !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
		return nil
	})
	slices.Sort(out)
	return out, size
}

// TestA26TheFormLeavesNothing: a visit that opens the forms for reporting and for an answer leaves in the browser what
// a visit that looks for help leaves: no name, no module, no worker.
func TestA26TheFormLeavesNothing(t *testing.T) {
	p := newPublicSite(t)
	visit := func(pages func(*browser)) string {
		profile := t.TempDir()
		b := startBrowser(t, profile)
		b.open(p.url + "/en")
		pages(b)
		b.open("about:blank")
		<-time.After(3 * time.Second) // what it writes late
		b.kill()
		return profile
	}
	helped := visit(func(b *browser) {
		b.tapText("A test, or my health")
		b.wait("the answers", `document.querySelectorAll('section.card').length > 0`)
		b.tapText("Home")
		b.waitFor(".needs")
	})
	reported := visit(func(b *browser) {
		p.writing(b)
		b.tapText("Home")
		b.waitFor(".needs")
		b.tapText("I wrote before")
		b.waitFor("#sealing input[name=receipt]")
		b.wait("the lock", said+` === ''`)
	})
	a, sizeA := names(t, helped, p.url)
	c, sizeC := names(t, reported, p.url)
	if !slices.ContainsFunc(a, func(s string) bool { return strings.HasSuffix(s, ".js") }) {
		t.Fatalf("the browser kept nothing at all: this test could not fail: %q", a)
	}
	if !slices.Equal(a, c) {
		t.Errorf("a visit that opens the form leaves\n%q\nanother\n%q", c, a)
	}
	t.Logf("%d names each; profiles of %d and %d bytes", len(a), sizeA, sizeC)
	for _, path := range p.lock() {
		req, _ := http.NewRequest("GET", p.url+path, nil)
		res, err := (&http.Transport{DisableCompression: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
		res.Body.Close()
	}
	raw, err := os.ReadFile("../../web/site/built/report.wasm.br")
	if err != nil {
		t.Fatal(err)
	}
	module := raw[len(raw)/2 : len(raw)/2+64] // as it travels
	filepath.Walk(reported, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return nil
		}
		b, _ := os.ReadFile(path)
		for what, part := range map[string][]byte{"the module": module, "a name of it": []byte("report.wasm"),
			"its worker": []byte("-w.js"), "the lock's folder": []byte("/lock/"),
			"wasm": []byte("\x00asm\x01\x00\x00\x00")} {
			if strings.Contains(string(b), string(part)) {
				t.Errorf("%s holds %s", strings.TrimPrefix(path, reported), what)
			}
		}
		return nil
	})
}

// lock are the addresses that the page for reporting loads and no other does.
func (p *publicSite) lock() (out []string) {
	p.t.Helper()
	res, err := http.Post(p.url+"/", "application/x-www-form-urlencoded", strings.NewReader("q=wr000000en"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`data-(?:worker|exec|core)="([^"]+)"`).FindAllStringSubmatch(string(b), -1) {
		out = append(out, m[1])
	}
	if len(out) != 3 {
		p.t.Fatalf("the page loads %q", out)
	}
	return out
}

// TestTheModuleIsAskedForAgain: the module that seals reports does not come the first times. What was typed stays, and
// each try asks for it again.
func TestTheModuleIsAskedForAgain(t *testing.T) {
	p := newPublicSite(t)
	p.drop = 2 // when the page opens, and at the first try
	b := startBrowser(t, t.TempDir())
	b.open(p.url + "/en")
	b.tapText("Tell us what happened")
	b.waitFor("#sealing textarea")
	b.wait("being told that the module did not come", saying("offline"))
	b.js(`(()=>{document.querySelectorAll('input[name=to]')[0].checked = true; document.querySelector('textarea').value = 'what happened'; return 1})()`)
	b.click(`#sealing button[type=submit]`)
	for end := time.Now().Add(10 * time.Second); p.left() > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the module is not asked for again")
		}
	}
	b.wait("being told again", saying("offline"))
	if got := b.js(`document.querySelector('textarea').value`); got != "what happened" {
		t.Fatalf("the text is %q", got)
	}
	b.click(`#sealing button[type=submit]`)
	b.wait("the receipt", `!document.getElementById('receipt').hidden`)
	if _, n, err := p.store.Reports(t.Context(), p.door.Intakes[0].ID, 0, 1<<20); err != nil || n != 1 {
		t.Errorf("%d reports at the relay, %v", n, err)
	}
}

func (p *publicSite) left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.drop
}
