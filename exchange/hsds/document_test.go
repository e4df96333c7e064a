package hsds

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"krama"
)

func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// document reads a file of testdata.
func document(t *testing.T, name string) *Document {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := ReadJSON(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return d
}

// again writes a document and reads it back.
func again(t *testing.T, d *Document) *Document {
	t.Helper()
	var b bytes.Buffer
	if err := d.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	back, err := ReadJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestJSONComesBack(t *testing.T) {
	for name, want := range map[string]struct {
		form Form
		kind Kind
		n    int
	}{
		"service.json":    {One, Service, 1},
		"services.json":   {Page, Service, 2},
		"services.ndjson": {Lines, Service, 3},
		"tabular.json":    {Tabular, "", 1},
		"base.json":       {Base, "", 1},
	} {
		d := document(t, name)
		if d.Form != want.form || d.Kind != want.kind || len(d.Objects) != want.n {
			t.Errorf("%s: got form %d, kind %q, %d objects; want %+v", name, d.Form, d.Kind, len(d.Objects), want)
		}
		if got := again(t, d); !reflect.DeepEqual(got, d) {
			t.Errorf("%s: got %v, want %v", name, got, d)
		}
	}
	d := &Document{Form: List, Objects: document(t, "services.json").Objects, Kind: Service}
	if got := again(t, d); !reflect.DeepEqual(got, d) {
		t.Errorf("a list: got %v, want %v", got, d)
	}
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	var b bytes.Buffer
	if err := document(t, "service.json").WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"x_exact": 12345678901234567890.10`, `"minimum_age": 15.50`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got %s, want %s in it", b.String(), want)
		}
	}
}

func TestKindIsNotGuessedWhenTwoFit(t *testing.T) {
	for text, want := range map[string]Kind{
		`{"id":"a","name":"b","description":"c"}`: "",
		`{"id":"a"}`: "",
		`{"id":"a","name":"b","description":"c","code":"d"}`:    TaxonomyTerm,
		`{"id":"a","location_type":"virtual"}`:                  Location,
		`{"id":"a","location":{"id":"b"},"service":{"id":"c"}}`: ServiceAtLocation,
		`{"contents":[]}`: "",
		`[{"id":"a","name":"b","status":"active"},{"id":"c","name":"d"}]`:     "",
		`{"id":"a","name":"b","description":"c","uri":"d","version":"3"}`:     Taxonomy,
		`{"id":"a","name":"b","description":"c","website":"d","email":"e@f"}`: Organization,
	} {
		d, err := ReadJSON(strings.NewReader(text))
		if err != nil || d.Kind != want {
			t.Errorf("%s: got %v, %v; want kind %q", text, d, err, want)
		}
	}
}

func TestHostileJSON(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	for name, c := range map[string]struct {
		text string
		want krama.Kind
	}{
		"empty":              {"", krama.Invalid},
		"text":               {`"a"`, krama.Invalid},
		"cut":                {`{"id":"a"`, krama.Invalid},
		"bad UTF-8":          {"{\"id\":\"\xff\"}", krama.Invalid},
		"half a pair":        {`{"id":"\ud800"}`, krama.Invalid},
		"low half":           {`{"id":"\udc00\ud800"}`, krama.Invalid},
		"name twice":         {`{"id":"a","id":"b"}`, krama.Invalid},
		"id twice":           {`[{"id":"a"},{"id":"a"}]`, krama.Invalid},
		"id twice in a page": {`{"contents":[{"id":"a"},{"id":"a"}]}`, krama.Invalid},
		"list of numbers":    {`[1]`, krama.Invalid},
		"lines of numbers":   {"1\n2\n", krama.Invalid},
		"two on a line":      {`{"id":"a"} {"id":"b"}`, krama.Invalid},
		"too deep":           {`{"a":` + deep + `}`, krama.TooLarge},
		"far too deep":       {strings.Repeat("[", 1<<20), krama.Invalid},
		"too many":           {"[" + strings.Repeat("{},", MaxObjects) + "{}]", krama.TooLarge},
	} {
		_, err := ReadJSON(strings.NewReader(c.text))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := ReadJSON(&endless{}); !errors.Is(err, krama.TooLarge) {
		t.Errorf("endless: got %v, want %v", err, krama.TooLarge)
	}
	d, err := ReadJSON(strings.NewReader("\ufeff" + `{"id":"\ud83d\ude00 \\ud800"}`))
	if err != nil || d.Objects[0]["id"] != "😀 \\ud800" {
		t.Errorf("a pair: got %v, %v", d, err)
	}
}

// endless never ends.
type endless struct{}

func (*endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestWriteJSONRefuses(t *testing.T) {
	for name, d := range map[string]*Document{
		"nothing":     {Form: One},
		"a channel":   {Form: One, Objects: []Object{{"id": make(chan int)}}},
		"two objects": {Form: One, Objects: []Object{{}, {}}},
	} {
		if err := d.WriteJSON(&bytes.Buffer{}); !errors.Is(err, krama.Invalid) {
			t.Errorf("%s: got %v, want %v", name, err, krama.Invalid)
		}
	}
}

// FuzzReadJSON: what is read can be written and is the same when read again.
func FuzzReadJSON(f *testing.F) {
	files, _ := filepath.Glob("testdata/*json")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`[{"id":"\ud800"}]`))
	f.Add([]byte(`{"a":[{"a":1e999}],"contents":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ReadJSON(bytes.NewReader(b))
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := d.WriteJSON(&first); err != nil {
			t.Fatal(err)
		}
		back, err := ReadJSON(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("written, then refused: %v\n%s", err, &first)
		}
		if err := back.WriteJSON(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("%v: got\n%s\nwant\n%s", err, &second, &first)
		}
	})
}
