package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"krama"
	"krama/casework"
	"krama/guide"
	"krama/journal"
	"krama/office"
	"krama/relay"
	"krama/relay/memory"
	"krama/replica"
	"krama/seal"
)

// rig is a phone's pages and an office over one relay, without a socket.
type rig struct {
	t      *testing.T
	ms     atomic.Int64 // the clock
	relay  http.Handler
	store  *memory.Store
	cut    atomic.Bool // no network
	calls  atomic.Int32
	cutAt  atomic.Int32 // the network ends at this call, when not 0
	dir    *journal.MemDir
	safe   *journal.MemDir // the office's
	phone  *Server
	office *replica.Replica
	desk   *Server
	locked int
}

type direct struct{ g *rig }

func (d direct) Call(ctx context.Context, path string, body []byte) ([]byte, time.Time, error) {
	if n, end := d.g.calls.Add(1), d.g.cutAt.Load(); ctx.Err() != nil || d.g.cut.Load() || (end > 0 && n >= end) {
		return nil, time.Time{}, krama.E("test", krama.Offline, "")
	}
	w := httptest.NewRecorder()
	d.g.relay.ServeHTTP(w, httptest.NewRequest("POST", path, bytes.NewReader(body)))
	return replica.Answer(w.Code, w.Header().Get(seal.TimeHeader), w.Body.Bytes())
}

func newBareRig(t *testing.T) *rig {
	t.Helper()
	g := &rig{t: t, store: memory.New()}
	g.ms.Store(time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC).UnixMilli())
	g.relay = relay.New(g.store, "token", relay.DefaultLimits, g.clock)
	g.found(func(string) replica.Remote { return direct{g} })
	return g
}

func (g *rig) clock() time.Time { return time.UnixMilli(g.ms.Load()) }

// config is that of a host's server and its device.
func (g *rig) config(h Host, d journal.Dir, dial func(string) replica.Remote) Config {
	g.t.Helper()
	kb, err := guide.Load()
	if err != nil {
		g.t.Fatal(err)
	}
	return Config{Host: h, Relay: "relay", Guide: kb, Rand: rand.Reader, Now: g.clock, Assets: func(s string) string {
		return "/static/" + s
	},
		Replica: replica.Config{Dir: d, Rand: rand.Reader, Now: g.clock, Platform: string(h), Cost: seal.CostFloor,
			Office: h == Desk, Dial: dial}}
}

// found makes the phone's pages, and the office, which founds a programme at the relay.
func (g *rig) found(dial func(string) replica.Remote) {
	t := g.t
	t.Helper()
	g.dir = &journal.MemDir{}
	c := g.config(Phone, g.dir, dial)
	c.OnLocked = func() { g.locked++ }
	g.phone = New(c)
	g.safe = &journal.MemDir{}
	c = g.config(Desk, g.safe, dial)
	st := casework.New()
	rc := c.Replica
	rc.Feed, rc.Reset = office.Feed(st), st.Reset
	var err error
	if g.office, err = replica.Create(rc, "a b c d"); err != nil {
		t.Fatal(err)
	}
	if err := g.office.Admin().Found(t.Context(), "relay", "token"); err != nil {
		t.Fatal(err)
	}
	g.desk = New(c)
	g.desk.DeskPages()
	g.desk.Use(g.office, st)
}

// newRig is a rig whose admin has accepted permanent loss, so that people can be recorded.
func newRig(t *testing.T) *rig {
	t.Helper()
	g := newBareRig(t)
	id, _ := g.office.NewRecord()
	if err := g.office.Write(krama.KindOutreach, krama.SubjectID{}, &krama.Record{ID: id,
		Trust: &krama.Trust{Day: g.desk.today()}}); err != nil {
		t.Fatal(err)
	}
	if err := g.office.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return g
}

// ask asks a server for a page as the browser does, following redirects.
func (g *rig) ask(s *Server, method, path string, form ...string) (int, string, string) {
	g.t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		v.Add(form[i], form[i+1])
	}
	for range 6 {
		a := serve(s, method, path, v.Encode())
		if a.code != http.StatusSeeOther {
			return a.code, a.page, path
		}
		method, path, v = "GET", a.to, url.Values{}
	}
	g.t.Fatal("redirects without end")
	return 0, "", ""
}

func (g *rig) want(page, part string) {
	g.t.Helper()
	if !strings.Contains(page, part) {
		g.t.Fatalf("the page lacks %q:\n%.1500s", part, page)
	}
}

var wordPattern = regexp.MustCompile(`data-word="([^"]+)"`)

var qrPattern = regexp.MustCompile(`data-qr="([^"]+)"`)

// qrOf is the code that a page shows.
func qrOf(page string) string { return qrPattern.FindStringSubmatch(page)[1] }

// words draws a new phone's words.
func (g *rig) words() (words []string) {
	g.t.Helper()
	_, page, _ := g.ask(g.phone, "GET", "/")
	g.want(page, "Set up this phone")
	_, page, _ = g.ask(g.phone, "GET", "/setup")
	for _, m := range wordPattern.FindAllStringSubmatch(page, -1) {
		words = append(words, m[1])
	}
	return words
}

// setUp takes a new phone to four words and through both scans.
func (g *rig) setUp() (words []string) { g.t.Helper(); return g.setUpAs(krama.RoleOutreach) }

func (g *rig) setUpAs(role krama.Role) (words []string) {
	g.t.Helper()
	words = g.words()
	page := g.tap(words)
	g.want(page, "data-qr=")
	qr1 := qrOf(page)
	_, page, _ = g.ask(g.desk, "POST", "/enrol/scan", "code", qr1, "label", "Outreach 1", "role", itoa(int(role)))
	qr2 := qrOf(page)
	_, page, _ = g.ask(g.desk, "POST", "/enrol/finish")
	g.want(page, "has not answered yet")
	_, page, _ = g.ask(g.phone, "POST", "/join/scan", "code", "nonsense")
	g.want(page, "not the office")
	_, page, _ = g.ask(g.phone, "POST", "/join/scan", "code", qr2)
	g.want(page, "Waiting for the office")
	_, page, _ = g.ask(g.phone, "POST", "/join/check")
	g.want(page, "Waiting for the office")
	_, page, _ = g.ask(g.desk, "POST", "/enrol/finish")
	g.want(page, "Enrolled")
	_, page, _ = g.ask(g.phone, "POST", "/join/check")
	g.want(page, "Quick number")
	return words
}

func (g *rig) tap(words []string) (page string) {
	g.t.Helper()
	for _, w := range words {
		_, page, _ = g.ask(g.phone, "POST", "/tap", "word", w)
	}
	return page
}

func (g *rig) restart() {
	g.t.Helper()
	g.phone.Lock()
	g.dir.Crash()
}

var person = []string{"gender", "1", "age", "4", "language", "1", "category", "1", "district", "1002", "consent-record",
	"yes", "consent-count", "yes"}

func (g *rig) register() (path string) {
	g.t.Helper()
	code, page, path := g.ask(g.phone, "POST", "/person/new", person...)
	if code != 200 || !strings.HasPrefix(path, "/person/") {
		g.t.Fatalf("register: %d %s\n%.800s", code, path, page)
	}
	return path
}

var contactForm1 = []string{"date", "2026-03-02", "district", "1002", "place", "1", "given-condom", "20", "test", "2",
	"topic", "1", "safety", "1", "next", "28"}

// TestPhonePages is the phone's whole day over the real handler: it runs natively and as WebAssembly.
func TestPhonePages(t *testing.T) {
	g := newRig(t)
	words := g.setUp()
	g.cut.Store(true)
	path := g.register()
	for range 3 {
		code, page, _ := g.ask(g.phone, "POST", path+"/contact", contactForm1...)
		if code != 200 {
			t.Fatal(code)
		}
		g.want(page, "Condoms 20")
	}
	_, page, _ := g.ask(g.phone, "GET", "/")
	g.want(page, `data-unsent="6"`)
	g.restart()
	_, page, _ = g.ask(g.phone, "GET", "/")
	g.want(page, "Word 1 of 4")
	page = g.tap([]string{words[0], words[1], words[2], words[2]})
	if words[2] != words[3] {
		g.want(page, "Nothing is lost")
	}
	page = g.tap(words)
	g.want(page, "Quick number")
	_, page, _ = g.ask(g.phone, "GET", path)
	if n := strings.Count(page, "data-contact="); n != 3 {
		t.Errorf("%d contacts after a restart, want 3", n)
	}
	g.cut.Store(false)
	if err := g.phone.Replica().Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := g.office.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	_, page, _ = g.ask(g.desk, "POST", "/report", "from", "2025-10-01")
	g.want(page, "not one that is over")
	g.ms.Add((31 * 24 * time.Hour).Milliseconds())
	_, page, _ = g.ask(g.desk, "POST", "/report", "from", "2025-10-01")
	g.want(page, "∗") // one person is a small number
	rep := office.Compile(g.desk.Guide, g.desk.state, krama.Period{From: krama.Date(2025, 10, 1), To: krama.Date(2026,
		3, 31)}, krama.Date(2026, 4, 1))
	if rep.KP.Total != 1 || rep.Given.Pieces[krama.Condom] != 60 {
		t.Errorf("counted %d people and %d condoms, want 1 and 60", rep.KP.Total, rep.Given.Pieces[krama.Condom])
	}
	_, page, _ = g.ask(g.desk, "POST", "/report.csv", "from", "2025-10-01", "to", "2026-03-31")
	g.want(page, "KP_PREV,2.6.1,2025-10-01,2026-03-31,KH-10,fsw,newly_tested_or_referred,*,programme")
	// what one person got is hers to know
	g.want(page, "DISTRIBUTED,1,2025-10-01,2026-03-31,KH-10,total,condom,*,programme")
	for _, p := range []string{"/", "/people", "/contacts", "/overview", "/report", "/devices", "/enrol", "/settings",
		"/limits", "/codebook.csv"} {
		if code, _, _ := g.ask(g.desk, "GET", p); code != 200 {
			t.Errorf("desk %s: %d", p, code)
		}
	}
}

// TestTwoCorrections has the phone and the desk correct one field at the same time: both values stay and the page asks.
func TestTwoCorrections(t *testing.T) {
	g := newRig(t)
	g.setUp()
	path := g.register()
	sync := func() {
		t.Helper()
		for _, r := range []*replica.Replica{g.phone.Replica(), g.office, g.phone.Replica()} {
			if err := r.Sync(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	sync()
	with := func(age string) []string { f := append([]string(nil), person...); f[3] = age; return f }
	g.ask(g.phone, "POST", path+"/amend", with("5")...)
	g.ask(g.desk, "POST", path+"/amend", with("6")...)
	sync()
	for name, s := range map[string]*Server{"phone": g.phone, "desk": g.desk} {
		_, page, _ := g.ask(s, "GET", path)
		if !strings.Contains(page, "at the same time") || !strings.Contains(page, "25–29") ||
			!strings.Contains(page, "30–34") {
			t.Errorf("%s does not ask", name)
		}
	}
	_, page, _ := g.ask(g.desk, "GET", path)
	m := regexp.MustCompile(
		`name="target" value="(\w+)"[\s\S]*?name="field" value="(\d+)"[\s\S]*?name="head" value="(\w+)"`).FindStringSubmatch(page)
	g.ask(g.desk, "POST", path+"/settle", "target", m[1], "field", m[2], "head", m[3])
	sync()
	if _, page, _ = g.ask(g.phone, "GET", path); strings.Contains(page, "at the same time") {
		t.Error("the phone still asks after the desk decided")
	}
}

// TestTroublePages gives each trouble its own page, and loses nothing.
func TestTroublePages(t *testing.T) {
	g := newRig(t)
	words := g.setUp()
	path := g.register()
	g.dir.Fault = func(string, int) error { return journal.ErrFull }
	code, page, _ := g.ask(g.phone, "POST", path+"/contact", contactForm1...)
	if code != 507 {
		t.Errorf("a full phone: %d", code)
	}
	g.want(page, "make room")
	g.dir.Fault = nil
	_, page, _ = g.ask(g.phone, "GET", path)
	if strings.Contains(page, "data-contact=") {
		t.Error("what was not saved is shown")
	}
	g.restart()
	held, err := g.dir.Open("vault")
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ = g.ask(g.phone, "GET", "/")
	g.want(page, "another tab")
	held.Close()
	g.dir.File("vault").Data[85] ^= 1
	page = g.tap(words)
	g.want(page, "cannot be used")
	g.dir.File("vault").Data[85] ^= 1
	g.dir.Crash()
	page = g.tap(words)
	g.want(page, "Quick number")
	g.restart()
	g.dir.Remove("vault")
	g.dir.Remove("journal")
	_, page, _ = g.ask(g.phone, "GET", "/") // evicted by the browser: keys and records vanish together
	g.want(page, "Set up this phone")
}

// TestConsentActs: no record without consent to it, nobody on the due list who said no to being contacted.
func TestConsentActs(t *testing.T) {
	g := newRig(t)
	g.setUp()
	f := append([]string(nil), person...)
	f[11] = "no"
	_, page, _ := g.ask(g.phone, "POST", "/person/new", f...)
	g.want(page, "Nothing was kept")
	if n, _ := g.phone.state.Counts(); n != 0 {
		t.Error("a person was kept against her word")
	}
	path := g.register()
	g.ask(g.phone, "POST", path+"/contact", contactForm1...)
	g.ms.Add((28 * 24 * time.Hour).Milliseconds())
	_, page, _ = g.ask(g.phone, "GET", "/")
	g.want(page, `href="`+path+`"`)
	g.ask(g.phone, "POST", path+"/consent", "purpose", "2", "given", "no")
	if _, page, _ = g.ask(g.phone, "GET", "/"); strings.Contains(page, path) {
		t.Error("she said no and is still due")
	}
	_, page, _ = g.ask(g.phone, "GET", path)
	g.want(page, "Do not look for her")
}

func TestBadInput(t *testing.T) {
	g := newRig(t)
	g.setUp()
	path := g.register()
	change := func(k, v string) []string {
		f := append([]string(nil), contactForm1...)
		for i := 0; i < len(f); i += 2 {
			if f[i] == k {
				f[i+1] = v
				return f
			}
		}
		return append(f, k, v)
	}
	for _, f := range [][]string{change("date", "2026-03-03"), change("date", "1970-01-01"), change("date", "soon"),
		change("given-condom", "9999"),
		change("given-condom", "many"), change("place", "99"), change("place", "-1"), change("test", "9"),
		change("group", "9999"), change("next", "40000"), change("until", "2020-01-01")} {
		code, page, _ := g.ask(g.phone, "POST", path+"/contact", f...)
		if code != 422 || !strings.Contains(page, "Nothing was lost") {
			t.Errorf("%v: %d", f, code)
		}
	}
	for _, p := range []string{"/person/zz", "/person/" + strings.Repeat("0", 32), "/contact/1", "/nothing", "/report",
		"/enrol", "/overview"} {
		if code, _, _ := g.ask(g.phone, "GET", p); code != 404 {
			t.Errorf("%s: %d", p, code)
		}
	}
	for _, f := range [][]string{{}, {"gender", "1"}, append([]string{"gender", "99"}, person[2:]...)} {
		if code, _, _ := g.ask(g.phone, "POST", "/person/new", f...); code != 422 {
			t.Errorf("registered with %v: %d", f, code)
		}
	}
	for q, part := range map[string]string{"K7-3MQ-8": "", "ZZZZZZ": "mistake", "<script>": "mistake", "7": ""} {
		_, page, _ := g.ask(g.phone, "POST", "/people", "q", q)
		if strings.Contains(page, "<script>") || !strings.Contains(page, part) {
			t.Errorf("search for %q", q)
		}
	}
	_, page, _ := g.ask(g.phone, "POST", "/lang", "lang", "xx", "to", "//evil.example")
	g.want(page, `data-lang="km"`)
}
