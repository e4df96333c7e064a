package exchange

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"krama"
	"krama/exchange/hsds"
	"krama/guide"
)

func loadGuide(t *testing.T) *guide.Guide {
	t.Helper()
	g, err := guide.Load()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestFromHSDS reads the specification's own example: what is taken is to verify, and what is not is named.
func TestFromHSDS(t *testing.T) {
	f, err := os.Open("hsds/testdata/service.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := hsds.ReadJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	tables, _, err := hsds.FromNested(d)
	if err != nil {
		t.Fatal(err)
	}
	in, err := FromHSDS(tables, loadGuide(t), "", "test")
	if err != nil || len(in.Services) != 1 {
		t.Fatalf("%+v %v", in, err)
	}
	l := in.Services[0].Listing
	if l.Public || !l.Address.Empty() || l.Name.Empty() || l.Org.Empty() || l.Source != "test" {
		t.Errorf("%+v", l)
	}
	again, err := FromHSDS(tables, loadGuide(t), "", "later")
	if err != nil || again.Services[0].Listing.Key != l.Key || in.Services[0].ID != again.Services[0].ID {
		t.Error("another key at the second reading")
	}
	for _, what := range []string{"contacts", "cost_options", "locations", "services.alert", "services.minimum_age"} {
		if in.Lost[what] == 0 {
			t.Errorf("%s is lost and not said: %v", what, slices.Sorted(maps.Keys(in.Lost)))
		}
	}
}

// TestFromHSDSHostile: text that hides or reorders other text is cleaned, what does not fit is refused or counted.
func TestFromHSDSHostile(t *testing.T) {
	row := func(id, name string) hsds.Object {
		return hsds.Object{"id": id, "name": name, "status": "active", "organization_id": "o"}
	}
	tables := &hsds.Tables{Tables: []*hsds.Table{
		{Name: "services", Rows: []hsds.Object{row("1", "A\x1b[2J\u202eB\n  C"), row("2", " \t"),
			row("3", strings.Repeat("ក", 200)), {"id": "4", "name": "N", "status": "active", "x\x1b": "y"}}},
		{Name: "phones", Rows: []hsds.Object{{"id": "1", "service_id": "1", "number": "call me"},
			{"id": "2", "service_id": "1", "number": "(012) 34-56"}, {"id": "3", "service_id": "2", "number": "012"}}},
		{Name: "schedules", Rows: []hsds.Object{{"id": "1", "service_id": "1", "freq": "WEEKLY", "byday": "MO,SU",
			"opens_at": "08:00", "closes_at": "00:00"}, {"id": "2", "service_id": "1", "freq": "MONTHLY",
			"byday": "2MO", "opens_at": "08:00", "closes_at": "09:00"},
			{"id": "3", "service_id": "1", "freq": "WEEKLY", "byday": "MO", "opens_at": "8", "closes_at": "09:00"},
			{"id": "4", "service_id": "1", "freq": "WEEKLY", "byday": "MO", "opens_at": "19:00",
				"closes_at": "03:00"}}},
		{Name: "service_areas", Rows: []hsds.Object{{"id": "1", "service_id": "1", "extent": "KH-1001",
			"extent_type": "NCDD code"}, {"id": "2", "service_id": "1", "extent": "KH-99999999",
			"extent_type": "NCDD code"}, {"id": "3", "service_id": "1", "extent": "KH-1002"}}},
	}}
	in, err := FromHSDS(tables, loadGuide(t), "test", strings.Repeat("s", 300))
	if err != nil || len(in.Services) != 3 {
		t.Fatalf("%+v %v", in, err)
	}
	a, c := in.Services[0].Listing, in.Services[1].Listing
	if a.Name.EN != "A [2J B C" || len(a.Phones) != 1 || a.Phones[0] != (krama.Phone{Number: "012 34 56",
		Use: krama.UseCall, Tier: krama.TierPartner}) || len(a.Source) != krama.MaxSource {
		t.Errorf("%+v", a)
	}
	night := krama.Spans(krama.Set(0).With(1), 19*60, 3*60)
	if !slices.Equal(a.Hours, append([]krama.Hours{{Days: krama.Set(0).With(1).With(7), Open: 480, Close: 1440}},
		night...)) || !slices.Equal(a.Districts, []uint16{1001, krama.Elsewhere}) {
		t.Errorf("hours %v, districts %v", a.Hours, a.Districts)
	}
	if c.Name.EN != strings.Repeat("ក", krama.MaxName) {
		t.Errorf("cut to %q", c.Name.EN)
	}
	if want := map[string]int{"services, columns of its own": 1}; !maps.Equal(in.Lost, want) {
		t.Errorf("lost: got %v want %v", in.Lost, want)
	}
	said := map[string]int{}
	for _, l := range in.Left {
		said[l.What]++
	}
	if want := map[string]int{"phone": 1, "hours": 2, "area": 2, "text": 1, "service": 1}; !maps.Equal(said, want) {
		t.Errorf("said: got %v want %v", said, want)
	}
}

// TestImportIsBounded: a package that says little a great many times is refused before it is unfolded, and long texts
// are cut first.
func TestImportIsBounded(t *testing.T) {
	org := "id,name,description\no," + strings.Repeat("x", 1<<20) + ",d\n"
	services := func(n int) string {
		var b strings.Builder
		b.WriteString("id,organization_id,name,description,status\n")
		for i := range n {
			fmt.Fprintf(&b, "s%d,o,n,d,active\n", i)
		}
		return b.String()
	}
	read := func(n int) (*Import, error) {
		x, err := hsds.ReadTables(fstest.MapFS{"services.csv": {Data: []byte(services(n))},
			"organizations.csv": {Data: []byte(org)}})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		in, err := FromHSDS(x, loadGuide(t), "x", "x")
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("%d services took %v", n, d)
		}
		return in, err
	}
	if _, err := read(60_000); krama.KindOf(err) != krama.TooLarge {
		t.Errorf("60,000 services: %v", err)
	}
	if in, err := read(MaxImport); err != nil || len(in.Services) != MaxImport || len(in.Left) != MaxImport {
		t.Errorf("%d services: %v", MaxImport, err)
	}
}
