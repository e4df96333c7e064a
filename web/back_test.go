package web

import (
	"regexp"
	"strings"
	"testing"

	"krama"
)

// with returns a form with some fields changed.
func with(form []string, change ...string) []string {
	out := append([]string(nil), form...)
	for i := 0; i+1 < len(change); i += 2 {
		set := false
		for j := 0; j+1 < len(out); j += 2 {
			if out[j] == change[i] {
				out[j+1], set = change[i+1], true
			}
		}
		if !set {
			out = append(out, change[i], change[i+1])
		}
	}
	return out
}

// TestAFormGivenBack: the browser's Back gives a form again with its old id. Sent unchanged it is one record; changed,
// she is asked, and whatever she then does both are there.
func TestAFormGivenBack(t *testing.T) {
	g := newRig(t)
	g.setUp()
	sid := func(page, name string) string {
		return regexp.MustCompile(`name="` + name + `" value="([0-9a-f]{32})"`).FindStringSubmatch(page)[1]
	}
	_, page, _ := g.ask(g.phone, "GET", "/person/new")
	first := append([]string{"sid", sid(page, "sid")}, person...)
	for range 2 {
		if code, _, at := g.ask(g.phone, "POST", "/person/new", first...); code != 200 || !strings.HasPrefix(at,
			"/person/") {
			t.Fatalf("%d at %s", code, at)
		}
	}
	if n, _ := g.phone.state.Counts(); n != 1 {
		t.Fatalf("a form sent twice made %d people", n)
	}
	for name, change := range map[string][]string{"gender": {"gender", "2"}, "consent": {"consent-count", "no"},
		"asked now": {"consent-share", "no"}} {
		before, _ := g.phone.state.Counts()
		code, page, _ := g.ask(g.phone, "POST", "/person/new", with(first, change...)...)
		if code != 409 || !strings.Contains(page, "saved before") || !strings.Contains(page, "/amend") {
			t.Fatalf("%s changed: %d\n%.900s", name, code, page)
		}
		if n, _ := g.phone.state.Counts(); n != before {
			t.Fatalf("%s changed: %d people before she decided", name, n)
		}
		again := with(first, append(change, "sid", sid(page, "sid"))...)
		for range 2 {
			if code, _, _ := g.ask(g.phone, "POST", "/person/new", again...); code != 200 {
				t.Fatal(code)
			}
		}
		if n, _ := g.phone.state.Counts(); n != before+1 {
			t.Errorf("%s changed: %d people, want %d", name, n, before+1)
		}
	}
	who := "/person/" + first[1]
	_, page, _ = g.ask(g.phone, "GET", who+"/contact")
	visit := append([]string{"rid", sid(page, "rid")}, contactForm1...)
	for range 2 {
		g.ask(g.phone, "POST", who+"/contact", visit...)
	}
	code, page, _ := g.ask(g.phone, "POST", who+"/contact", with(visit, "given-condom", "30", "safety", "3")...)
	if _, n := g.phone.state.Counts(); code != 409 || n != 1 || !strings.Contains(page, `value="30"`) ||
		!strings.Contains(page, "/contact/"+visit[1]) {
		t.Fatalf("a changed contact: %d, %d kept\n%.900s", code, n, page)
	}
	g.ask(g.phone, "POST", who+"/contact", with(visit, "given-condom", "30", "safety", "3", "rid", sid(page, "rid"))...)
	if _, n := g.phone.state.Counts(); n != 2 {
		t.Errorf("%d contacts, want 2", n)
	}
	// Given back after she was erased, the form registers anew.
	id, _ := krama.ParseSubjectID(first[1])
	before, _ := g.phone.state.Counts()
	g.ask(g.phone, "POST", who+"/erase", "sure", "yes", "why", "1")
	if !g.phone.rep.Erasing().Erased(krama.KindOutreach, id) {
		if err := g.phone.rep.Erasing().Shred(krama.KindOutreach, id, 1); err != nil {
			t.Fatal(err)
		}
		g.phone.rep.Sync(t.Context(), nil)
	}
	if code, page, _ := g.ask(g.phone, "POST", "/person/new", first...); code != 200 {
		t.Errorf("after her erasure: %d\n%.900s", code, page)
	}
	if n, _ := g.phone.state.Counts(); n != before {
		t.Errorf("%d people after an erasure and a registration, want %d", n, before)
	}
}

// TestACorrectionTouchesWhatItChanged: a colleague's correction that came while a form was open is not undone by it;
// drafts of corrections are kept like others.
func TestACorrectionTouchesWhatItChanged(t *testing.T) {
	g := newRig(t)
	g.setUp()
	who := g.register()
	g.ask(g.phone, "POST", who+"/contact", contactForm1...)
	id, _ := krama.ParseSubjectID(strings.TrimPrefix(who, "/person/"))
	visit := func() krama.Contact {
		v, _ := g.phone.state.Person(id, g.phone.today())
		return v.Contacts[0].Contact
	}
	v, _ := g.phone.state.Person(id, g.phone.today())
	path := "/contact/" + v.Contacts[0].Record.String()
	_, page, _ := g.ask(g.phone, "GET", path)
	was := regexp.MustCompile(`name="was" value="([^"]*)"`).FindStringSubmatch(page)[1]
	was = strings.ReplaceAll(was, "&amp;", "&")
	// a colleague
	g.ask(g.phone, "POST", path, with(contactForm1, "was", was, "given-condom", "50", "until", "2026-03-30")...)
	g.ask(g.phone, "POST", path, with(contactForm1, "was", was, "place", "2", "until", "2026-03-30")...)
	if c := visit(); c.Given[0] != 50 || c.Place != 2 {
		t.Errorf("condoms %d want 50, place %d want 2", c.Given[0], c.Place)
	}
	// The same field: both stand, and she is asked.
	_, page, _ = g.ask(g.phone, "GET", path)
	hidden := func(name string) string {
		return strings.ReplaceAll(regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)[1],
			"&amp;", "&")
	}
	open := with(contactForm1, "was", hidden("was"), "heads", hidden("heads"), "given-condom", "50", "until",
		"2026-03-30", "place", "2")
	g.ask(g.phone, "POST", path, with(open, "place", "3")...) // a colleague
	g.ask(g.phone, "POST", path, with(open, "place", "4")...)
	if v, _ = g.phone.state.Person(id, g.phone.today()); len(v.Disputes) != 1 || v.Disputes[0].Field != 3 ||
		len(v.Disputes[0].Heads) != 2 {
		t.Errorf("two corrected one field: %+v", v.Disputes)
	}
	for _, path := range []string{path, who + "/amend", who + "/contact", "/person/new"} {
		if code, _, _ := g.ask(g.phone, "POST", "/draft", "draft-of", path, "place", "3", "gender", "2", "rid",
			"x"); code != 204 {
			t.Errorf("%s: a draft is answered %d", path, code)
		}
		_, page, _ := g.ask(g.phone, "GET", path)
		if !strings.Contains(page, `value="3" checked`) && !strings.Contains(page, `value="2" checked`) {
			t.Errorf("%s: the draft is not shown\n%.1200s", path, page)
		}
		g.ask(g.phone, "POST", "/draft", "draft-of", path)
		if _, page, _ = g.ask(g.phone, "GET", path); strings.Contains(page, `value="x"`) {
			t.Errorf("%s: a forgotten draft is shown", path)
		}
	}
	for _, path := range []string{"/settings", "/person/new/../x", "/contact/zz", "/person/zz/amend", who + "/erase",
		"/draft"} {
		if code, _, _ := g.ask(g.phone, "POST", "/draft", "draft-of", path, "a", "b"); code != 404 {
			t.Errorf("%s: a draft is answered %d", path, code)
		}
	}
}

// TestOneCodeTwice: a code that two people have offers both, and the one registered later gets another.
func TestOneCodeTwice(t *testing.T) {
	g := newRig(t)
	g.setUp()
	var two []krama.SubjectID
	for i := range 2 {
		who, _ := g.phone.rep.NewSubject()
		id, _ := g.phone.rep.NewRecord()
		p := &krama.Person{Code: "000000", Gender: uint8(i + 1), Age: 4, Category: 1, District: 1002,
			Registered: g.phone.today() - krama.Day(i)}
		if err := g.phone.rep.Write(krama.KindOutreach, who, &krama.Record{ID: id, Person: p}); err != nil {
			t.Fatal(err)
		}
		two = append(two, who)
	}
	_, page, at := g.ask(g.phone, "POST", "/people", "q", "00-000-0")
	for _, who := range two {
		if at != "/people" || !strings.Contains(page, "/person/"+who.String()) {
			t.Fatalf("the search does not offer %v\n%.900s", who, page)
		}
	}
	_, page, _ = g.ask(g.phone, "GET", "/person/"+two[1].String()) // registered a day before
	g.want(page, "Somebody else has the same code")
	if strings.Contains(page, "/code\"") {
		t.Error("the first one is offered a new code")
	}
	path := "/person/" + two[0].String()
	_, page, _ = g.ask(g.phone, "GET", path)
	g.want(page, path+"/code")
	for range 2 {
		g.ask(g.phone, "POST", path+"/code")
	}
	a, b := g.phone.state.Code(two[0]), g.phone.state.Code(two[1])
	if a == b || b != "000000" {
		t.Errorf("codes %s and %s", a, b)
	}
	_, page, at = g.ask(g.phone, "POST", "/people", "q", a.String())
	if at != path || strings.Contains(page, "same code") {
		t.Errorf("the new code leads to %s", at)
	}
}
