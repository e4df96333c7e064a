package web

import (
	"net/url"
	"strings"
	"testing"

	"krama"
)

// listed are the fields of a listing that can be kept.
func listed(more ...string) []string {
	return append([]string{"kind", "1", "operator", "1", "police", "0", "cost", "0", "name-en", "Night clinic",
		"org-en", "Group"}, more...)
}

// TestAClosedListingCanBeOpened: what was closed by mistake, or comes closed from another directory, has a place on the
// desk and one button that opens it; a phone does not show it.
func TestAClosedListingCanBeOpened(t *testing.T) {
	g := newRig(t)
	key := krama.ListingID{9}
	l := krama.Listing{Key: key, Kind: krama.KindService, Operator: krama.OperatorNGO, Org: krama.Words{EN: "Group"},
		Name: krama.Words{EN: "Night clinic"}, Source: "import", Closed: true}
	if err := g.desk.session().writeNew(krama.KindOutreach, krama.SubjectID{}, &krama.Record{Listing: &l}); err != nil {
		t.Fatal(err)
	}
	path := "/listing/" + hexOf(key[:])
	if _, page, _ := g.ask(g.desk, "GET", "/directory"); !strings.Contains(page, "Closed: 1") ||
		!strings.Contains(page, path) {
		t.Error("the desk shows no closed listing")
	}
	if _, page, _ := g.ask(g.desk, "GET", path); !strings.Contains(page, path+"/open") {
		t.Error("no way to open it")
	}
	g.ask(g.desk, "POST", path+"/open")
	if e := g.desk.state.Listing(key); e.Closed || len(e.Others) > 0 {
		t.Errorf("%+v", e)
	}
	heads := g.desk.state.Listing(key).Heads[0]
	if g.ask(g.desk, "POST", path+"/open"); g.desk.state.Listing(key).Heads[0] != heads {
		t.Error("opened twice")
	}
	if _, page, _ := g.ask(g.desk, "GET", path); strings.Contains(page, path+"/open") {
		t.Error("an open listing can be opened")
	}
}

// TestOpeningChoosesNoVersion: where a colleague's version stands beside the closed one, opening does not throw it
// away.
func TestOpeningChoosesNoVersion(t *testing.T) {
	g := newRig(t)
	key := krama.ListingID{9}
	for _, closed := range []bool{true, false} {
		l := krama.Listing{Key: key, Kind: krama.KindService, Operator: krama.OperatorNGO,
			Org: krama.Words{EN: "Group"}, Name: krama.Words{EN: "Night clinic"}, Source: "import", Closed: closed}
		if err := g.desk.session().writeNew(krama.KindOutreach, krama.SubjectID{},
			&krama.Record{Listing: &l}); err != nil {
			t.Fatal(err)
		}
	}
	g.ask(g.desk, "POST", "/listing/"+hexOf(key[:])+"/open")
	if e := g.desk.state.Listing(key); len(e.Others) != 1 {
		t.Errorf("%d other versions stand, want 1", len(e.Others))
	}
}

// TestAListingSaysWhatIsWrong: each refusal names the field and keeps all that was typed.
func TestAListingSaysWhatIsWrong(t *testing.T) {
	g := newRig(t)
	long := strings.Repeat("ក", krama.MaxName+1)
	for name, tc := range map[string]struct {
		fields []string
		says   string
	}{
		"no name": {listed("name-en", "\u200b"), "&#34;Name&#34; is empty"},
		"long":    {listed("bring-km", long), "&#34;Bring&#34; has 1 letters too many"},
		"a number": {listed("phone0", "call me", "use0", "1", "tier0", "1"),
			"&#34;call me&#34; is not a telephone number"},
		"hours, no days":   {listed("open", "08:00", "close", "17:00"), "08:00–17:00 have no days"},
		"hours of nothing": {listed("day", "1", "open", "08:00", "close", "08:00"), "08:00–08:00 need both"},
		"half of hours":    {listed("day", "1", "open", "08:00"), "08:00– need both"},
	} {
		f := url.Values{}
		for i := 0; i < len(tc.fields); i += 2 {
			f.Set(tc.fields[i], tc.fields[i+1])
		}
		var send []string
		for k := range f {
			send = append(send, k, f.Get(k))
		}
		code, page, _ := g.ask(g.desk, "POST", "/listing/new", send...)
		if code != 422 || !strings.Contains(page, tc.says) {
			i := strings.Index(page, `role="alert"`)
			t.Errorf("%s: %d %s", name, code, page[max(0, i):min(len(page), i+200)])
		}
		for k := range f {
			if v := f.Get(k); k != "kind" && len(v) > 3 && !strings.Contains(page, v) {
				t.Errorf("%s: %s is lost", name, k)
			}
		}
	}
	if code, page, _ := g.ask(g.desk, "POST", "/listing/new", listed("name-km", strings.Repeat("ក", krama.MaxName),
		"about-km", strings.Repeat("ក", krama.MaxAbout), "org-km",
		strings.Repeat("ក", krama.MaxName))...); code != 200 ||
		!strings.Contains(page, strings.Repeat("ក", krama.MaxAbout)) {
		t.Errorf("as long as it may be: %d", code)
	}
}
