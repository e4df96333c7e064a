package door

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/directory"
	"krama/directory/starter"
	"krama/guide"
	"krama/guide/rights"
	"krama/locale"
	"krama/seal"
)

var now = time.Date(2026, 11, 25, 9, 0, 0, 0, krama.Indochina)

func config(t testing.TB, door *directory.Door) Config {
	t.Helper()
	g, err := guide.Load()
	if err != nil {
		t.Fatal(err)
	}
	s, err := starter.Load()
	if err != nil {
		t.Fatal(err)
	}
	texts, err := rights.Load()
	if err != nil {
		t.Fatal(err)
	}
	return Config{Guide: g, Starter: s, Rights: texts, Relay: "http://relay.example", Exit: "https://km.wikipedia.org/",
		Now:    func() time.Time { return now },
		Asset:  func(n string) string { return "/app/a/" + n },
		Answer: func(context.Context, krama.SlipCode, uint8) error { return nil },
		Load: func(context.Context) ([]byte, error) {
			if door == nil {
				return nil, krama.E("test", krama.NotFound, "")
			}
			return door.Encode()
		}}
}

func open(t testing.TB, c Config) *Door {
	t.Helper()
	d, err := New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// full is a door with everything in it.
func full() *directory.Door {
	today := krama.DayOf(now)
	d := &directory.Door{Version: 1, Made: today, Site: [16]byte{1}}
	for i := range 25 {
		l := krama.Listing{Key: krama.ListingID{byte(i + 1)}, Kind: krama.KindService, Public: true,
			Operator: []uint8{1, 2, 3, 4, 5}[i%5], Source: "test",
			Org:   krama.Words{EN: fmt.Sprintf("Invented organisation %d", i), KM: "អង្គការប្រឌិត"},
			Name:  krama.Words{EN: fmt.Sprintf("Invented service %d", i), KM: "សេវាប្រឌិត", VI: "Dịch vụ"},
			About: krama.Words{EN: strings.Repeat("What it does. ", 20), KM: strings.Repeat("អ្វីដែលធ្វើ ", 10)},
			Needs: 0x1fe, Languages: 6, Welcome: 0x1fe, Cost: 1,
			Bring: krama.Words{EN: "nothing"}, Asked: krama.Words{EN: "a first name, which may be invented"},
			Access: 0x3e, Police: krama.PoliceIfAsked,
			Hours:   []krama.Hours{{Days: 0x3e, Open: 450, Close: 1020}},
			Phones:  []krama.Phone{{Number: fmt.Sprintf("000 000 %03d", i), Use: 1, Tier: krama.TierPublic}},
			Address: krama.Words{EN: "an invented street"}, Shown: krama.TierPublic}
		if l.Operator == krama.OperatorPolice {
			l.Police = krama.PoliceIs
		}
		if i%3 > 0 {
			l.Districts = []uint16{uint16(1001 + i%7)}
		}
		d.Listings = append(d.Listings, directory.Shown{Listing: l, Verified: today - krama.Day(i*9)})
	}
	for i, k := range []krama.CircleKind{krama.KindCasework, krama.KindSafeguarding} {
		in := directory.Intake{Circle: k, Kem: bytes.Repeat([]byte{byte(i)}, 1216), Sig: bytes.Repeat([]byte{9}, 32),
			From: today - 3, Until: today + 30, Place: make([]byte, 16)}
		h := seal.KemHash(in.Kem)
		in.ID = seal.BoundIntakeID(in.Sig, in.Place, h[:])
		d.Intakes = append(d.Intakes, in)
	}
	return d
}

func post(d http.Handler, path string, f url.Values, head map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for k, v := range head {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// TestEverySizeIsTheSame: every page, in every language, zipped or not, has the same length and the same headers; so
// has what does not exist.
func TestEverySizeIsTheSame(t *testing.T) {
	d := open(t, config(t, full()))
	every, largest := d.Size()
	if every > Largest || largest > every {
		t.Errorf("pages have %d bytes, the largest %d, want at most %d", every, largest, Largest)
	}
	t.Logf("%d pages of %d bytes, the largest %d before it was evened out", len(d.Keys()), every, largest)
	for _, enc := range []string{"gzip, br", ""} {
		first := ""
		for _, k := range append(d.Keys(), "zz9999999xx", "an99", "xx00000000") {
			w := post(d, "/", url.Values{"q": {k}}, map[string]string{"Accept-Encoding": enc})
			got := fmt.Sprint(w.Code, w.Body.Len(), w.Header())
			if first == "" {
				first = got
			}
			if got != first {
				t.Fatalf("%q: got %s want %s", k, got, first)
			}
			if w.Header().Get("Set-Cookie") != "" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%q: a trace: %v", k, w.Header())
			}
		}
	}
	w := post(d, "/", url.Values{"q": {"an01" + "0000km"}}, map[string]string{"Accept-Encoding": "gzip"})
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil || !bytes.Contains(b, []byte("</html>")) {
		t.Errorf("the padded page does not unzip: %v", err)
	}
}

func plain(d *Door, q string) string {
	return post(d, "/", url.Values{"q": {q}}, nil).Body.String()
}

// TestPagesSayWhatTheyMust: a need answered, the police named before their number, an unreviewed text hidden, an
// unverified listing never alone, nothing from elsewhere, a neutral title on every page.
func TestPagesSayWhatTheyMust(t *testing.T) {
	d := open(t, config(t, full()))
	for _, l := range locale.Languages {
		p := locale.New(l.Code)
		for _, k := range d.Keys() {
			if !strings.HasSuffix(k, l.Code) {
				continue
			}
			page := plain(d, k)
			if strings.Count(page, "<title>Krama</title>") != 1 {
				t.Errorf("%s: not a neutral title", k)
			}
			for _, bad := range []string{"http://", `src="https:`, "<img", "@import", "onclick", "javascript:"} {
				if strings.Contains(strings.ReplaceAll(page, `data-relay="http://relay.example"`, ""), bad) {
					t.Errorf("%s holds %q", k, bad)
				}
			}
			if strings.HasPrefix(k, "an") {
				if n := strings.Count(page, `<section class="card`); n > 6 {
					t.Errorf("%s: %d answers", k, n)
				}
				for _, s := range strings.Split(page, "<section")[1:] {
					if strings.Contains(s, p.T("door.isPolice")) && strings.Contains(s, "tel:") {
						t.Errorf("%s: a police number without the sentence before it", k)
					}
				}
			}
			if strings.Contains(page, "an invented street") && !strings.HasPrefix(k, "an") &&
				!strings.HasPrefix(k, "pn") {
				t.Errorf("%s shows an address", k)
			}
		}
		if page := plain(d, "ri000000"+l.Code+""); strings.Contains(page, "rt0") {
			t.Errorf("%s: an unreviewed text is offered on a real site", l.Code)
		}
		if page := plain(d, "ri0000000"[:8]+l.Code); !strings.Contains(page, p.T("door.rightsNone")) {
			t.Errorf("%s: nothing says why there are no texts", l.Code)
		}
	}
	c := config(t, full())
	c.Drafts = true
	if page := plain(open(t, c), "rt010000en"); !strings.Contains(page, locale.New("en").T("door.draft")) ||
		!strings.Contains(page, "Source") {
		t.Error("a draft does not say that it is one")
	}
	door := full()
	door.Rights = []directory.Reviewed{{Topic: "crime", Lang: "en", Body: "Reviewed words.", Source: "the law",
		By: "a lawyer", On: krama.DayOf(now)}}
	if page := plain(open(t, config(t, door)), "rt010000en"); !strings.Contains(page, "Reviewed words.") ||
		!strings.Contains(page, "a lawyer") {
		t.Error("a reviewed text is not shown")
	}
	starterOnly := open(t, config(t, nil))
	page := plain(starterOnly, "an080000en")
	for _, want := range []string{"1280", "Not verified by us", locale.New("en").T("door.notSure")} {
		if !strings.Contains(page, want) {
			t.Errorf("the starter's only answer: %q is missing", want)
		}
	}
	for _, k := range starterOnly.Keys() {
		for _, bad := range []string{"1288", "023 997 919", "017 222", "CNCC"} {
			if strings.Contains(plain(starterOnly, k), bad) {
				t.Errorf("%s shows %s, which nobody has verified", k, bad)
			}
		}
	}
}

func TestSlip(t *testing.T) {
	c := config(t, full())
	got := map[krama.SlipCode]uint8{}
	c.Answer = func(_ context.Context, code krama.SlipCode, what uint8) error { got[code] = what; return nil }
	d := open(t, c)
	code, _ := krama.NewSlipCode(strings.NewReader("0123456789abcdef"))
	if w := post(d, "/slip", url.Values{"c": {strings.ToLower(code.String())}, "a": {"2"}, "l": {"en"}},
		nil); w.Code != 200 || got[code] != krama.OutcomeDone {
		t.Errorf("got %d, %v", w.Code, got)
	}
	b := []byte(code)
	b[3] ^= 1
	for _, f := range []url.Values{{"c": {string(b)}, "a": {"2"}}, {"c": {string(code)}, "a": {"4"}},
		{"c": {string(code)}, "a": {"x"}}, {}} {
		if w := post(d, "/slip", f, nil); w.Code != 422 {
			t.Errorf("%v: got %d want 422", f, w.Code)
		}
	}
	if len(got) != 1 {
		t.Errorf("a mistyped code was passed on: %v", got)
	}
}

// TestPack: one file for each language, small, with nothing to load.
func TestPack(t *testing.T) {
	c := config(t, full())
	c.Drafts = true
	d := open(t, c)
	for _, l := range locale.Languages {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest("GET", "/pack/"+l.Code, nil))
		if w.Code != 200 || w.Body.Len() > 300_000 {
			t.Errorf("%s: %d, %d bytes, want at most 300,000", l.Code, w.Code, w.Body.Len())
		}
		for _, bad := range []string{"<script", "src=", "href=\"/", "action="} {
			if strings.Contains(w.Body.String(), bad) {
				t.Errorf("%s: the pack holds %s", l.Code, bad)
			}
		}
		t.Logf("%s: %d bytes", l.Code, w.Body.Len())
	}
}

func TestAudio(t *testing.T) {
	c := config(t, full())
	c.Audio = t.TempDir()
	os.WriteFile(filepath.Join(c.Audio, "1.mp3"), []byte("sound"), 0o600)
	os.WriteFile(filepath.Join(c.Audio, "secret.txt"), []byte("no"), 0o600)
	d := open(t, c)
	if !strings.Contains(plain(d, "an010000km"), `src="/audio/1.mp3"`) || strings.Contains(plain(d, "an020000km"),
		"<audio") {
		t.Error("the player is not where the recording is")
	}
	for path, want := range map[string]int{"/audio/1.mp3": 200, "/audio/secret.txt": 404, "/audio/..%2f1.mp3": 404,
		"/audio/9.mp3": 404} {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("%s: got %d want %d", path, w.Code, want)
		}
	}
}

// TestHostileRequests: too large, of the wrong kind, with a query: none breaks a page or is answered with more than
// home.
func TestHostileRequests(t *testing.T) {
	d := open(t, config(t, full()))
	for _, r := range []*http.Request{
		httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("q=", 1<<20))),
		httptest.NewRequest("POST", "/?q=an010000km", nil),
		httptest.NewRequest("POST", "/", strings.NewReader("q=%ff%00%zz")),
		httptest.NewRequest("GET", "/?q=an010000km", nil),
	} {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != 200 || strings.Contains(w.Body.String(), "Invented service") {
			t.Errorf("%s %s: got %d", r.Method, r.URL, w.Code)
		}
	}
	for path, want := range map[string]int{"/xx": 404, "/door/none.js": 404, "/pack/de": 404, "/hsds/nothing": 404,
		"/hsds/services/x": 404, "/hsds/services?page=0": 400} {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("%s: got %d want %d", path, w.Code, want)
		}
	}
}

// TestNothingIsKeptInMemory: twenty thousand visitors leave no object behind.
func TestNothingIsKeptInMemory(t *testing.T) {
	d := open(t, config(t, nil))
	visit := func(n int) {
		for i := range n {
			r := httptest.NewRequest("POST", "/",
				strings.NewReader(url.Values{"q": {fmt.Sprintf("an%02d%04dkm", 1+i%8, 1001+i%6)}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("User-Agent", fmt.Sprint("visitor ", i))
			r.RemoteAddr = fmt.Sprintf("203.0.%d.%d:1", i>>8&255, i&255)
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			if w.Code != 200 {
				t.Fatal(w.Code)
			}
		}
	}
	count := func() (objects, bytes uint64) {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapObjects, m.HeapAlloc
	}
	visit(100)
	objects, bytes := count()
	visit(20_000)
	if o, b := count(); o > objects+50 || b > bytes+128<<10 {
		t.Errorf("%d objects and %d bytes more after 20,000 visitors", int64(o-objects), int64(b-bytes))
	}
}

// TestBrokenDoorKeepsPages: a door that cannot be read leaves the last pages standing.
func TestBrokenDoorKeepsPages(t *testing.T) {
	c := config(t, full())
	broken := false
	load := c.Load
	c.Load = func(ctx context.Context) ([]byte, error) {
		if broken {
			return []byte("no door"), nil
		}
		return load(ctx)
	}
	d := open(t, c)
	broken = true
	if err := d.Refresh(context.Background()); krama.KindOf(err) != krama.Invalid {
		t.Errorf("got %v want invalid", err)
	}
	if !strings.Contains(plain(d, "an010000en"), "Invented service") {
		t.Error("the pages are gone")
	}
}

// large is a door with a text about rights that is too large for a page, as no desk's form takes it.
func large() *directory.Door {
	b := make([]byte, 20_000)
	rand.NewChaCha8([32]byte{}).Read(b)
	d := full()
	d.Rights = append(d.Rights, directory.Reviewed{Topic: "arrest", Lang: "en", Body: base64.StdEncoding.EncodeToString(
		b), Source: "test", By: "nobody", On: krama.DayOf(now)})
	return d
}

// TestA17BadDoor: what no pages can be made of is refused with the part that is too large; where the relay has such a
// door already, the pages are those of the last good one, before and after a start, and of the day; without one they
// are the starter's.
func TestA17BadDoor(t *testing.T) {
	good, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	tooLarge, err := large().Encode()
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, nil)
	c.Last = filepath.Join(t.TempDir(), "door.last")
	stored, day := good, now
	c.Load = func(context.Context) ([]byte, error) { return stored, nil }
	c.Now = func() time.Time { return day }
	told := 0
	c.Tell = func(error) { told++ }
	d := open(t, c)
	var part *directory.PartError
	if err := d.Check(tooLarge); krama.KindOf(err) != krama.TooLarge || !errors.As(err, &part) ||
		part.Topic != "arrest" {
		t.Errorf("a page too large: got %v, part %+v", err, part)
	}
	if err := Checker(c).Check([]byte("no door")); krama.KindOf(err) != krama.Invalid {
		t.Errorf("no door at all: got %v", err)
	}
	if err := d.Check(good); err != nil {
		t.Errorf("a good one: %v", err)
	}
	later, _ := (&directory.Door{Version: 9}).Encode()
	for name, bad := range map[string][]byte{"too large": tooLarge, "not a door": []byte("no door"),
		"of a later version": later} {
		stored, day = bad, day.Add(24*time.Hour)
		if err := d.Refresh(t.Context()); err == nil {
			t.Errorf("%s: nobody is told", name)
		}
		if p := plain(d, "an010000en"); !strings.Contains(p, "Invented service") ||
			!strings.Contains(plain(d, "ab000000en"), day.Format("02/01/2006")) {
			t.Errorf("%s: the last good pages are gone, or of yesterday", name)
		}
		told = 0
		if again := open(t, c); told != 1 || !strings.Contains(plain(again, "an010000en"), "Invented service") {
			t.Errorf("%s: after a start the last good pages are gone", name)
		}
		none := c
		none.Last = ""
		if again := open(t, none); len(again.Keys()) == 0 || strings.Contains(plain(again, "an010000en"),
			"Invented service") {
			t.Errorf("%s: without a last good one there are no pages", name)
		}
	}
	c.Load = func(context.Context) ([]byte, error) { return nil, krama.E("test", krama.Internal, "the disk") }
	if again := open(t, c); !strings.Contains(plain(again, "an010000en"), "Invented service") {
		t.Error("a store that cannot be read keeps the relay from starting with its pages")
	}
}

// TestManyListingsArePublished: what may be imported may be published, whatever it says in Khmer.
func TestManyListingsArePublished(t *testing.T) {
	pub := full()
	pub.Listings = nil
	for i := range directory.MaxListings {
		words := func(n int) krama.Words {
			return krama.Words{KM: strings.Repeat("ក", n-5) + fmt.Sprintf("%05d", i*7919)[:5]}
		}
		pub.Listings = append(pub.Listings, directory.Shown{Verified: pub.Made,
			Listing: krama.Listing{Key: krama.ListingID{1, byte(i), byte(i >> 8)}, Kind: krama.KindService,
				Operator: krama.OperatorNGO, Public: true,
				Needs: krama.Set(0).With(uint8(i%8 + 1)), Name: words(60), Org: words(60), About: words(200),
				Bring: words(60), Asked: words(60), Source: "test"}})
	}
	b, err := pub.Encode()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := Checker(config(t, nil)).Check(b); err != nil {
		t.Errorf("%d bytes: %v", len(b), err)
	}
	t.Logf("%d listings, %d bytes, %v", len(pub.Listings), len(b), time.Since(began))
}
