//go:build !js

package web

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"krama"
)

// tab is a browser's window: it keeps the pages it came from as they were left, and sends their forms as they stand.
type tab struct {
	g     *rig
	s     *Server
	pages []*sheet
}

// sheet is a page with one form, as typed.
type sheet struct {
	path   string // of the page
	action string
	fields url.Values
}

var inputTag = regexp.MustCompile(`<(input|textarea|select)[^>]* name="([^"]+)"[^>]*>`)

// open reads a page anew and keeps the form that is sent to action.
func (b *tab) open(path, action string) {
	b.g.t.Helper()
	_, page, _ := b.g.ask(b.s, "GET", path)
	b.pages = append(b.pages, &sheet{path, action, formOf(page, action)})
}

// formOf are the fields that the form sent to action has without anything typed.
func formOf(page, action string) url.Values {
	f := url.Values{}
	for _, form := range regexp.MustCompile(`(?s)<form [^>]*action="`+regexp.QuoteMeta(action)+
		`".*?</form>`).FindAllString(page, -1) {
		for _, m := range inputTag.FindAllStringSubmatch(form, -1) {
			if v := regexp.MustCompile(` value="([^"]*)"`).FindStringSubmatch(m[0]); strings.Contains(m[0],
				`type="hidden"`) && v != nil {
				f.Set(m[2], v[1])
			}
		}
	}
	return f
}

func (b *tab) top() *sheet { return b.pages[len(b.pages)-1] }

// send sends the form on top as often as it was tapped, at once. kept is whether the browser was led to a page that
// shows it kept; a page that asks gives the window its form instead, with what was typed.
func (b *tab) send(taps int) (kept bool) {
	b.g.t.Helper()
	f, answers := b.top(), make([]answered, taps)
	var wg sync.WaitGroup
	for i := range taps {
		wg.Go(func() { answers[i] = serve(b.s, "POST", f.action, f.fields.Encode()) })
	}
	wg.Wait()
	last := answers[taps-1]
	if last.code == 303 {
		b.pages = append(b.pages, &sheet{last.to, "", nil})
		return true
	}
	if last.code >= 500 {
		b.g.t.Fatalf("%s: %d\n%.900s", f.action, last.code, last.page)
	}
	again := formOf(last.page, f.action)
	for _, k := range []string{"once", "rid", "sid", "heads", "had", "again"} {
		if again.Has(k) {
			f.fields.Set(k, again.Get(k))
		}
	}
	return false
}

// back leaves the page on top. The page below is as it was left, or, as some browsers have it, read anew with what was
// typed put back into what a person can type into.
func (b *tab) back(anew bool) {
	if len(b.pages) < 2 {
		return
	}
	b.pages = b.pages[:len(b.pages)-1]
	f := b.top()
	if f.action == "" || !anew {
		return
	}
	_, page, _ := b.g.ask(b.s, "GET", f.path)
	for k, v := range formOf(page, f.action) {
		f.fields[k] = v
	}
}

// TestEveryWayKeepsWhatWasSaid: 200 random ways of a desk and a phone through their forms, with edits, Back, double
// taps, pages read anew and locks. What a page said it kept is there once in the end, in the place where it was put,
// and once for the reporter.
func TestEveryWayKeepsWhatWasSaid(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	her := g.report(1, "77", "please")
	g.tendTwice()
	thread := "/thread/" + hexID(g.desk.state.Threads()[0].ID)
	words := g.setUp()
	who := g.register()
	rep, st := g.office, g.desk.state
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 2))
	serial := 0
	sentence := func() string { serial++; return fmt.Sprintf("sentence %05d.", serial) }
	listings, answers := map[string]bool{}, map[string]bool{}
	contacts, last := map[string]bool{}, ""
	for way := range 202 {
		g.ms.Add(5000) // a reporter may look once a second
		b, field := &tab{g: g, s: g.desk}, ""
		var kept map[string]bool
		var fill url.Values
		next := sentence
		switch what := way % 3; what {
		case 0:
			b.open("/directory", "")
			b.open("/listing/new", "/listing/new")
			field, kept = "name-en", listings
			fill = url.Values{"kind": {"1"}, "operator": {"1"}, "police": {"0"}, "cost": {"0"}, "org-en": {"Group"}}
		case 1:
			b.open("/inbox", "")
			b.open(thread, thread)
			field, kept = "text", answers
			fill = url.Values{"do": {"answer"}}
		case 2:
			b.s = g.phone
			b.open(who, "")
			b.open(who+"/contact", who+"/contact")
			field, kept = "given-condom", contacts
			fill = url.Values{"date": {"2026-03-02"}, "district": {"1002"}, "place": {"1"}, "test": {"2"},
				"topic": {"1"}, "safety": {"1"}, "next": {"28"}}
			next = func() string { serial++; return itoa(serial) }
		}
		for k, v := range fill {
			b.top().fields[k] = v
		}
		b.top().fields.Set(field, next())
		var did []string
		for range 2 + r.IntN(6) {
			f := b.top()
			if f.action == "" { // a page that was led to: back to the form
				anew := r.IntN(2) == 0
				did = append(did, fmt.Sprint("back, anew ", anew))
				b.back(anew)
				continue
			}
			switch r.IntN(5) {
			case 0:
				did = append(did, "edit")
				f.fields.Set(field, next())
			case 1, 2:
				taps := 1 + r.IntN(3)
				did = append(did, fmt.Sprint("taps ", taps))
				if before := kept[f.fields.Get(field)]; b.send(taps) {
					kept[f.fields.Get(field)] = true
					if field == "text" {
						last = f.fields.Get(field)
					}
				} else if before && b.s == g.phone { // asked whether she was met twice: no
					f.fields.Del("again")
					f.fields.Set(field, next())
				}
			case 3:
				did = append(did, "read anew")
				_, page, _ := g.ask(b.s, "GET", f.path)
				for k, v := range formOf(page, f.action) {
					f.fields[k] = v
				}
			case 4:
				did = append(did, "lock")
				if b.s == g.phone {
					g.phone.Lock()
					g.tap(words)
				} else {
					g.desk.mu.Lock()
					g.desk.let()
					g.desk.mu.Unlock()
					b.send(1) // into the gate
					g.desk.Use(rep, st)
				}
			}
		}
		if way%3 != 1 {
			continue
		}
		if err := notOnce(g, thread, who, last, listings, answers, contacts, g.answers(her)); err != "" {
			t.Fatalf("seed %d, way %d %v: %s", seed, way, did, err)
		}
	}
	if len(listings) < 20 || len(answers) < 20 || len(contacts) < 20 {
		t.Errorf("only %d listings, %d answers, %d contacts were kept", len(listings), len(answers), len(contacts))
	}
}

// notOnce says what is not there exactly once.
func notOnce(g *rig, thread, who, last string, listings, answers, contacts map[string]bool, reads string) string {
	found := map[string]int{}
	for _, e := range g.desk.state.Listings() {
		found[e.Name.EN]++
		if len(e.Others) > 0 {
			return e.Name.EN + " stands in two versions"
		}
	}
	for s := range listings {
		if found[s] != 1 {
			return fmt.Sprintf("the listing %q is there %d times", s, found[s])
		}
	}
	_, page, _ := g.ask(g.desk, "GET", thread)
	for s := range answers {
		if n, m := strings.Count(page, s), strings.Count(reads, s); n != 1 || m > 1 || s == last && m != 1 {
			// a look at a mailbox gives the last three
			return fmt.Sprintf("the answer %q is there %d times, and she reads it %d times", s, n, m)
		}
	}
	id, _ := krama.ParseSubjectID(strings.TrimPrefix(who, "/person/"))
	v, _ := g.phone.state.Person(id, g.phone.today())
	var given []string
	for _, c := range v.Contacts {
		given = append(given, itoa(int(c.Given[krama.Condom])))
	}
	for s := range contacts {
		if n := len(slices.DeleteFunc(slices.Clone(given), func(x string) bool { return x != s })); n != 1 {
			return fmt.Sprintf("the contact %s is there %d times", s, n)
		}
	}
	return ""
}
