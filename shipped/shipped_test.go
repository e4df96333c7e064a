package shipped

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// plain turns what Read returns into what encoding/json returns.
func plain(v any) any {
	switch v := v.(type) {
	case Object:
		o := map[string]any{}
		for k, x := range v {
			o[k] = plain(x)
		}
		return o
	case []any:
		l := make([]any, len(v))
		for i, x := range v {
			l[i] = plain(x)
		}
		return l
	case int64:
		return float64(v)
	}
	return v
}

// TestShippedFiles: every file the program carries is JSON and is read as encoding/json reads it.
func TestShippedFiles(t *testing.T) {
	var files []string
	for _, dir := range []string{"../locale/*.json", "../guide/data/*.json"} {
		f, _ := filepath.Glob(dir)
		if len(f) == 0 {
			t.Errorf("no files in %s", dir)
		}
		files = append(files, f...)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var want any
		if err := json.Unmarshal(b, &want); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		got, err := Read(b)
		if err != nil {
			t.Errorf("%s: %v", f, err)
		}
		if !reflect.DeepEqual(plain(got), want) {
			t.Errorf("%s: read otherwise than encoding/json reads it", f)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, s := range []string{``, `[]`, `"a"`, `1`, `{`, `{"a"}`, `{"a":}`, `{"a":1`, `{"a":1,}`, `{"a":1}}`,
		`{"a":1.5}`, `{"a":true}`, `{"a":null}`,
		`{"a":[1,]}`, `{"a":[1`, `{a:1}`, `{"a":"b}`, `{"a":"\/"}`, `{"a":"\`, "{\"a\":\"\n\"}",
		`{"a":99999999999999999999}`} {
		if o, err := Read([]byte(s)); err == nil {
			t.Errorf("%s: got %v, want a refusal", s, o)
		}
	}
}

// FuzzRead: what both read is the same.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"a": "b\n\u17d2", "n": -12, "l": [1, "x", {"o": {}}], "e": []}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Read(b)
		var want any
		if err != nil || json.Unmarshal(b, &want) != nil {
			return
		}
		if !reflect.DeepEqual(plain(got), want) {
			t.Errorf("got %v want %v", plain(got), want)
		}
	})
}
