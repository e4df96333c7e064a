package web

import (
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"krama"
)

// fieldsOf are the fields of a page's form as a browser sends them.
func fieldsOf(page string) (out []string) {
	page = page[strings.Index(page, "<form method=\"post\" action=\"/listing/"):]
	page = page[:strings.Index(page, "</form>")]
	attr := func(tag, name string) string {
		m := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(tag)
		if m == nil {
			return ""
		}
		return strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#39;", "'", "&quot;", `"`).Replace(m[1])
	}
	for _, tag := range regexp.MustCompile(`<input [^>]*>`).FindAllString(page, -1) {
		switch typ := attr(tag, "type"); {
		case (typ == "checkbox" || typ == "radio") && !strings.Contains(tag, " checked"):
		case typ == "time" && !regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d$`).MatchString(attr(tag, "value")):
			out = append(out, attr(tag, "name"), "") // what a browser makes of 24:00
		default:
			out = append(out, attr(tag, "name"), attr(tag, "value"))
		}
	}
	for _, s := range regexp.MustCompile(`(?s)<select name="([^"]*)".*?</select>`).FindAllStringSubmatch(page, -1) {
		if m := regexp.MustCompile(`value="([^"]*)" selected`).FindStringSubmatch(s[0]); m != nil {
			out = append(out, s[1], m[1])
		}
	}
	return out
}

// TestAListingSavedUnchanged: what was imported with six numbers, one for named staff, an address of each sort, night
// hours and a district of another province is opened for change and saved as it is: nothing is written. With one word
// changed nothing else is.
func TestAListingSavedUnchanged(t *testing.T) {
	g := newRig(t)
	key := krama.ListingID{9}
	l := krama.Listing{Key: key, Kind: krama.KindService, Operator: krama.OperatorNGO, Org: krama.Words{EN: "Group"},
		Name:  krama.Words{EN: "Night clinic", KM: "គ្លីនិក"},
		Needs: krama.Set(0).With(1).With(2), Districts: []uint16{1002, 1407}, Address: krama.Words{EN: "1 Open Street"},
		Shown: krama.TierPublic, Source: "import", Public: true,
		Hours: append(krama.Spans(krama.Set(0).With(1).With(7), 20*60, 2*60), krama.Hours{Days: krama.Set(0).With(3),
			Open: 480, Close: 1440}, krama.Hours{Days: krama.Set(0).With(4), Open: 480, Close: 720})}
	for i := range 5 {
		l.Phones = append(l.Phones, krama.Phone{Number: "000 10" + itoa(i), Use: krama.UseCall, Tier: krama.TierPublic})
	}
	guarded := krama.Guarded{Key: key, Address: krama.Words{EN: "2 Hidden Street"},
		Phones: []krama.Phone{{Number: "000 999", Use: krama.UseCall, Tier: krama.TierNamed}}}
	for k, rec := range map[krama.CircleKind]*krama.Record{krama.KindOutreach: {Listing: &l},
		krama.KindSafeguarding: {Guarded: &guarded}} {
		if err := g.desk.session().writeNew(k, krama.SubjectID{}, rec); err != nil {
			t.Fatal(err)
		}
	}
	path := "/listing/" + url.PathEscape(strings.ToLower(hexOf(key[:])))
	before := *g.desk.state.Listing(key)
	_, page, _ := g.ask(g.desk, "GET", path+"/edit")
	form := fieldsOf(page)
	if code, page, _ := g.ask(g.desk, "POST", path+"/edit", form...); code != 200 {
		t.Fatalf("%d %.1500s", code, page)
	}
	after := *g.desk.state.Listing(key)
	if after.Record != before.Record || !reflect.DeepEqual(after.GuardAt, before.GuardAt) {
		t.Fatalf("saved unchanged, and written: %+v", after.Listing)
	}
	g.ask(g.desk, "POST", path+"/edit", with(form, "about-en", "Open at night")...)
	after = *g.desk.state.Listing(key)
	after.Listing.Replaces, after.Guarded.Replaces = nil, nil
	l.About = krama.Words{EN: "Open at night"}
	if got := listingForm(&after); !reflect.DeepEqual(after.Phones, l.Phones) || !reflect.DeepEqual(after.Districts,
		l.Districts) || !reflect.DeepEqual(after.Address, l.Address) ||
		!reflect.DeepEqual(*after.Guarded, guarded) || after.About != l.About ||
		!reflect.DeepEqual(krama.Nights(after.Hours), krama.Nights(l.Hours)) {
		t.Errorf("one word was changed: %+v\n%+v\n%s", after.Listing, after.Guarded, got.Encode())
	}
}

func hexOf(b []byte) string {
	const d = "0123456789abcdef"
	out := ""
	for _, c := range b {
		out += string(d[c>>4]) + string(d[c&15])
	}
	return out
}
