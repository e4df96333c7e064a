//go:build !js

package web

import (
	"net/url"
	"strings"
	"sync"
	"testing"

	"krama"
	"krama/journal"
	"krama/seal"
)

// TestADoubleTapActsOnce: each form that writes, taken from its page and sent three times at once, writes what it
// writes once.
func TestADoubleTapActsOnce(t *testing.T) {
	g := newRig(t)
	g.setUp()
	who := g.register()
	key := krama.ListingID{9}
	l := krama.Listing{Key: key, Kind: krama.KindService, Operator: krama.OperatorNGO, Org: krama.Words{EN: "Group"},
		Name: krama.Words{EN: "Night clinic"}, Source: "test"}
	if err := g.desk.session().writeNew(krama.KindOutreach, krama.SubjectID{}, &krama.Record{Listing: &l}); err != nil {
		t.Fatal(err)
	}
	path := "/listing/" + hexOf(key[:])
	for _, tc := range []struct {
		s            *Server
		page, action string
		fields       url.Values
		writes       int
	}{
		{g.desk, path, path + "/check", url.Values{"says": {"1"}}, 1},
		{g.desk, "/listing/new", "/listing/new", url.Values{"kind": {"1"}, "operator": {"1"}, "police": {"0"},
			"cost": {"0"}, "name-en": {"Another"}, "org-en": {"Group"}}, 1},
		{g.desk, path + "/edit", path + "/edit", url.Values{"kind": {"1"}, "operator": {"1"}, "police": {"0"},
			"cost": {"0"}, "name-en": {"Night clinic, renamed"}, "org-en": {"Group"}}, 1},
		{g.phone, who, who + "/consent", url.Values{"purpose": {"2"}, "given": {"yes"}}, 1},
		{g.phone, who + "/contact", who + "/contact", url.Values{"date": {"2026-03-02"}, "district": {"1002"},
			"place": {"1"}, "test": {"2"}, "given-condom": {"7"}, "safety": {"1"}, "next": {"28"}}, 1},
		{g.phone, "/person/new", "/person/new", url.Values{"gender": {"1"}, "age": {"4"}, "language": {"1"},
			"category": {"1"}, "district": {"1002"}, "consent-record": {"yes"}}, 2},
	} {
		_, page, _ := g.ask(tc.s, "GET", tc.page)
		f := formOf(page, tc.action)
		if f.Get("once") == "" {
			t.Errorf("%s: the form has no id of its page", tc.action)
		}
		for k, v := range tc.fields {
			f[k] = v
		}
		before := tc.s.rep.Status().Unsent
		var wg sync.WaitGroup
		to := make([]string, 3)
		for i := range to {
			wg.Go(func() { to[i] = serve(tc.s, "POST", tc.action, f.Encode()).to })
		}
		wg.Wait()
		if to[0] == "" || to[0] != to[1] || to[1] != to[2] {
			t.Errorf("%s led to %q", tc.action, to)
		}
		if n := tc.s.rep.Status().Unsent - before; n != tc.writes {
			t.Errorf("%s wrote %d records, want %d", tc.action, n, tc.writes)
		}
	}
}

// TestEnrollingEndsOnce: the office's last button, tapped three times at once, enrols one device and leads each tap to
// the page that says so.
func TestEnrollingEndsOnce(t *testing.T) {
	g := newRig(t)
	page := g.tap(g.words())
	_, page, _ = g.ask(g.desk, "POST", "/enrol/scan", "code", qrOf(page), "label", "Outreach 1", "role", "4")
	if a := serve(g.desk, "GET", "/enrol/done", ""); a.to != "/enrol" {
		t.Error("it says so before anybody is")
	}
	g.ask(g.phone, "POST", "/join/scan", "code", qrOf(page))
	f := formOf(page, "/enrol/finish")
	var wg sync.WaitGroup
	to := make([]string, 3)
	for i := range to {
		wg.Go(func() { to[i] = serve(g.desk, "POST", "/enrol/finish", f.Encode()).to })
	}
	wg.Wait()
	if to[0] != "/enrol/done" || to[0] != to[1] || to[1] != to[2] {
		t.Errorf("led to %q", to)
	}
	_, page, _ = g.ask(g.desk, "POST", "/enrol/finish") // from another tab
	g.want(page, "Enrolled.")
	devices, labels := 0, len(g.desk.session().members())
	g.office.Roster(func(ro *seal.Roster) { devices = len(ro.Devices) })
	if devices != 2 || labels != 1 { // the office's own member has no label
		t.Errorf("%d devices and %d labels, want 2 and 1", devices, labels)
	}
}

// TestWhatFailedIsGivenBack: the page that says why something was not kept sends it again as it was typed, and names
// the cause; words that open a device are on no page.
func TestWhatFailedIsGivenBack(t *testing.T) {
	g := newRig(t)
	g.setUp()
	who := g.register()
	if code, page, _ := g.ask(g.phone, "POST", who+"/contact", append([]string{"note", strings.Repeat("x", maxForm)},
		contactForm1...)...); code != 413 || !strings.Contains(page, "too long to be kept") {
		t.Errorf("a form that is too long: %d", code)
	}
	_, n := g.phone.state.Counts()
	g.dir.Fault = func(string, int) error { return journal.ErrFull }
	code, page, _ := g.ask(g.phone, "POST", who+"/contact", contactForm1...)
	if code < 400 || !strings.Contains(page, "no room left on this device") || !strings.Contains(page, "Try again") {
		t.Fatalf("%d\n%.1500s", code, page)
	}
	again := formOf(page, who+"/contact")
	for i := 0; i < len(contactForm1); i += 2 {
		if !strings.Contains(page, contactForm1[i+1]) || again.Get(contactForm1[i]) == "" {
			t.Errorf("%s is lost", contactForm1[i])
		}
	}
	if code, page, _ := g.ask(g.phone, "POST", "/pin", "pin", "473829", "again", "473829"); strings.Contains(page,
		"473829") {
		t.Errorf("%d: the number is on the page", code)
	}
	g.dir.Fault = nil
	if a := serve(g.phone, "POST", who+"/contact", again.Encode()); a.code != 303 {
		t.Fatalf("sent again: %d", a.code)
	}
	if _, now := g.phone.state.Counts(); now != n+1 {
		t.Errorf("%d contacts, want %d", now, n+1)
	}
}
