package hsds

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"krama"
)

// parse reads one JSON object as the package does.
func parse(t *testing.T, text string) Object {
	t.Helper()
	d, err := ReadJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d.Objects[0]
}

// flatten puts one object into tables.
func flatten(t *testing.T, k Kind, o Object) (*Tables, []Loss) {
	t.Helper()
	tables, losses, err := FromNested(&Document{Kind: k, Objects: []Object{o}})
	if err != nil {
		t.Fatal(err)
	}
	return tables, losses
}

func full(t *testing.T, tables *Tables, k Kind, ids ...string) []Object {
	t.Helper()
	all, err := tables.Full(k, ids...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		g, _ := json.MarshalIndent(got, "", " ")
		w, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("got %s\nwant %s", g, w)
	}
}

func TestNestedComesBackFromTables(t *testing.T) {
	d := document(t, "service.json")
	tables, losses := flatten(t, Service, d.Objects[0])
	if losses != nil {
		t.Errorf("got losses %v, want none", losses)
	}
	same(t, full(t, tables, Service), d.Objects)

	// The same tables nest from every other end.
	org := d.Objects[0]["organization"].(Object)
	got := full(t, tables, Organization)[0]
	service := got["services"].([]any)[0].(Object)
	if service["organization"] != nil || service["id"] != id(2) {
		t.Errorf("an organization's service: got %v", service)
	}
	delete(got, "services")
	same(t, got, org)
	at := full(t, tables, ServiceAtLocation)[0]
	same(t, at["service"].(Object)["organization"], org)
	if at["service"].(Object)["service_at_locations"] != nil {
		t.Error("a service at location leads back to itself")
	}
	same(t, full(t, tables, Location)[0], at["location"])

	page := document(t, "services.json")
	tables, losses, err := FromNested(page)
	if err != nil || losses != nil {
		t.Fatal(err, losses)
	}
	brief, err := tables.Brief(Service)
	if err != nil {
		t.Fatal(err)
	}
	same(t, brief, page.Objects)
}

func TestRowsAreLinked(t *testing.T) {
	tables, _ := flatten(t, Service, document(t, "service.json").Objects[0])
	phones := tables.Table(Phone)
	if len(phones.Rows) != 1 {
		t.Fatalf("got %d phones, want the one that five objects share", len(phones.Rows))
	}
	for column, want := range map[string]string{"service_id": id(2), "organization_id": id(1), "location_id": id(3),
		"contact_id": id(32), "service_at_location_id": id(5)} {
		if got := phones.Rows[0][column]; got != want {
			t.Errorf("%s: got %v, want %s", column, got, want)
		}
	}
	if got := tables.Table(Metadata).Rows[0]["resource_id"]; got != id(2) {
		t.Errorf("resource_id: got %v, want %s", got, id(2))
	}
	var p struct{ Resources []struct{ Path string } }
	if err := json.Unmarshal(tables.Datapackage, &p); err != nil || len(p.Resources) != len(tables.Tables) {
		t.Errorf("datapackage: got %v, %v; want %d resources", p, err, len(tables.Tables))
	}
}

// TestWhatTablesCannotHold is the list in the comment of FromNested.
func TestWhatTablesCannotHold(t *testing.T) {
	reported := func(text string, want ...Loss) *Tables {
		t.Helper()
		d, err := ReadJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		d.Kind = Service
		tables, got, err := FromNested(d)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
		return tables
	}
	reported(`{"id":"s","languages":[{"id":"l","name":"A"}],"phones":[{"id":"p","languages":[{"id":"l","name":"B"}]}]}`,
		Loss{Language, "l", "name"})
	two := reported(`[{"id":"s","phones":[{"id":"p"}]},{"id":"t","phones":[{"id":"p"}]}]`,
		Loss{Phone, "p", "service_id"})
	if got := two.Table(Phone).Rows[0]["service_id"]; got != "s" {
		t.Errorf("a phone of two: got service %v, want the first", got)
	}
	own := reported(`{"id":"s","phones":[{"id":"p","service_id":"other"}]}`, Loss{Phone, "p", "service_id"})
	if got := own.Table(Phone).Rows[0]["service_id"]; got != "other" {
		t.Errorf("a phone that names another: got service %v, want what it says", got)
	}

	unreported := func(text, want string) {
		t.Helper()
		same(t, full(t, reported(text), Service)[0], parse(t, want))
	}
	// how much of a copy was nested
	unreported(`{"id":"s","contacts":[{"id":"c","phones":[{"id":"p"}]}],"phones":[{"id":"p","number":"1"}]}`,
		`{"id":"s","contacts":[{"id":"c","phones":[{"id":"p","number":"1"}]}],"phones":[{"id":"p","number":"1"}]}`)
	// empty lists and null
	unreported(`{"id":"s","phones":[],"program":null,"contacts":null}`, `{"id":"s"}`)
	// a link beside what it links to, and a null where nesting says more
	unreported(`{"id":"s","organization_id":"o","program_id":null,"organization":{"id":"o"},"program":{"id":"q"}}`,
		`{"id":"s","organization":{"id":"o"},"program":{"id":"q"}}`)
	// a link to what is not there stays
	unreported(`{"id":"s","organization_id":"o"}`, `{"id":"s","organization_id":"o"}`)
	// the order of a list
	unreported(`{"id":"s","phones":[{"id":"b"},{"id":"a"}],"contacts":[{"id":"c","phones":[{"id":"a"},{"id":"b"}]}]}`,
		`{"id":"s","phones":[{"id":"b"},{"id":"a"}],"contacts":[{"id":"c","phones":[{"id":"b"},{"id":"a"}]}]}`)
	// what is added
	unreported(`{"id":"s","attributes":[{"id":"a"}],"metadata":[{"id":"m"}]}`,
		`{"id":"s","attributes":[{"id":"a","link_entity":"services"}],"metadata":[{"id":"m","resource_type":"service"}]}`)
}

func TestAttributesOfTwoObjectsWithOneID(t *testing.T) {
	text := `{"id":"x","attributes":[{"id":"a"}],"service_at_locations":[{"id":"y","location":{"id":"x","attributes":[{"id":"b"}]}}]}`
	want := `{"id":"x","attributes":[{"id":"a","link_entity":"services"}],
		"service_at_locations":[{"id":"y","location":{"id":"x","attributes":[{"id":"b","link_entity":"locations"}]}}]}`
	tables, _ := flatten(t, Service, parse(t, text))
	same(t, full(t, tables, Service)[0], parse(t, want))
}

func TestFromNestedRefuses(t *testing.T) {
	for text, want := range map[string]krama.Kind{
		`{"id":"s","phones":[{"number":"1"}]}`:                  krama.Invalid,
		`{"id":7}`:                                              krama.Invalid,
		`{"id":"s","phones":"1"}`:                               krama.Invalid,
		`{"id":"s","phones":[1]}`:                               krama.Invalid,
		`{"id":"s","phones":{"id":"p"}}`:                        krama.Invalid,
		`{"id":"s","program":[{"id":"p"}]}`:                     krama.Invalid,
		`{"id":"s","phones":[{"id":"p"},{"id":"p"}]}`:           krama.Invalid,
		`{"services.csv":[{"id":"s"},{"id":"s"}]}`:              krama.Invalid,
		`{"services.csv":[{"name":"s"}]}`:                       krama.Invalid,
		`{"services.csv":{"id":"s"}}`:                           krama.Invalid,
		`{"../services.csv":[{"id":"s"}]}`:                      krama.Invalid,
		`{"services.csv":[{"id":"s","phones":"1"}]}`:            krama.Invalid,
		`{"version":"3.0","openapi_url":"https://e.org/a"}`:     krama.Invalid,
		`{"services.csv":[],"Services.csv":[]}`:                 krama.Invalid,
		`{"x.csv":[{"id":"s"` + manyColumns(MaxColumns) + `}]}`: krama.TooLarge,
	} {
		d, err := ReadJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if d.Form == One {
			d.Kind = Service
		}
		if _, _, err := FromNested(d); !errors.Is(err, want) {
			t.Errorf("%.80s: got %v, want %v", text, err, want)
		}
	}
	if _, _, err := FromNested(&Document{Objects: []Object{{"id": "s"}}}); !errors.Is(err, krama.Invalid) {
		t.Errorf("no kind: got %v, want %v", err, krama.Invalid)
	}
}

func manyColumns(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"c` + string(rune('a'+i/26)) + string(rune('a'+i%26)) + `":1`)
	}
	return b.String()
}

func TestNestRefuses(t *testing.T) {
	tables, _ := flatten(t, Service, document(t, "service.json").Objects[0])
	for _, k := range []Kind{Service, MetaTableDescription, "nonsense"} {
		if _, err := tables.Full(k, "nobody"); !errors.Is(err, krama.NotFound) {
			t.Errorf("%s: got %v, want %v", k, err, krama.NotFound)
		}
	}
	if all, err := tables.Full("nonsense"); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v; want nothing", all, err)
	}
	// 1,000 services each with an organization of 1,000 locations would be a million objects.
	big := &Tables{Tables: []*Table{{Name: "organizations", Rows: []Object{{"id": "o"}}}, {Name: "services"},
		{Name: "locations"}}}
	for i := range 1000 {
		big.Tables[1].Rows = append(big.Tables[1].Rows, Object{"id": id(i), "organization_id": "o"})
		big.Tables[2].Rows = append(big.Tables[2].Rows, Object{"id": id(i), "organization_id": "o"})
	}
	if _, err := big.Full(Service); !errors.Is(err, krama.TooLarge) {
		t.Errorf("got %v, want %v", err, krama.TooLarge)
	}
	if all, err := big.Full(Service, id(7)); err != nil || len(all) != 1 {
		t.Errorf("one of them: got %d, %v; want 1", len(all), err)
	}
}

func TestTabularJSONComesBack(t *testing.T) {
	d := document(t, "tabular.json")
	tables, losses, err := FromNested(d)
	if err != nil || losses != nil {
		t.Fatal(err, losses)
	}
	same(t, again(t, tables.Document()).Objects, d.Objects)
}

// FuzzFromNested: whatever is nested, its tables can be written, nest again from every kind, and flatten to the same
// tables.
func FuzzFromNested(f *testing.F) {
	for _, name := range []string{"service.json", "services.json", "tabular.json"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, string(Service))
	}
	f.Fuzz(func(t *testing.T, b []byte, kind string) {
		d, err := ReadJSON(bytes.NewReader(b))
		if err != nil {
			return
		}
		if d.Form != Tabular {
			d.Kind = Kind(kind)
		}
		tables, _, err := FromNested(d)
		if err != nil {
			return
		}
		zipped(t, tables)
		for _, s := range shapes {
			if _, err := tables.Full(s.kind); err != nil && !errors.Is(err, krama.TooLarge) {
				t.Fatal(err)
			}
		}
		again, losses, err := FromNested(tables.Document())
		if err != nil || losses != nil {
			t.Fatal(err, losses)
		}
		if got, want := again.Document(), tables.Document(); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
