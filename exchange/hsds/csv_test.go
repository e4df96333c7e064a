package hsds

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"krama"
)

func folder(t *testing.T) *Tables {
	t.Helper()
	tables, err := ReadTables(os.DirFS("testdata/tables"))
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func zipped(t *testing.T, tables *Tables) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tables.WriteZip(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unzip(b []byte) (*Tables, error) { return ReadZip(bytes.NewReader(b), int64(len(b))) }

func TestTablesComeBack(t *testing.T) {
	want := folder(t)
	got, err := unzip(zipped(t, want))
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)

	dir := filepath.Join(t.TempDir(), "new")
	if err := want.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	if got, err = ReadTables(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	files, _ := filepath.Glob("testdata/tables/*")
	for _, name := range files {
		// these are written as encoding/csv writes them: the same bytes, behind a mark where Excel needs one
		a, _ := os.ReadFile(name)
		if filepath.Base(name) == "services.csv" { // it has Khmer letters
			a = append([]byte("\ufeff"), a...)
		}
		b, err := os.ReadFile(filepath.Join(dir, filepath.Base(name)))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: got %q, %v; want %q", name, b, err, a)
		}
	}
	if err := want.WriteDir(dir); !errors.Is(err, krama.Conflict) {
		t.Errorf("over an older export: got %v, want %v", err, krama.Conflict)
	}
	if a, b := zipped(t, want), zipped(t, want); !bytes.Equal(a, b) {
		t.Error("two zip files of the same tables differ")
	}
}

func TestCellsHaveTheirColumnsType(t *testing.T) {
	rows := folder(t).Table(Service).Rows
	for column, want := range map[string]any{
		"minimum_age": "007", // not a number in JSON: kept as text rather than mended
		"alert":       "=1+1 is text here",
		"x_walk_in":   true,
		"x_beds":      Object{"free": json.Number("3")},
	} {
		if got := rows[0][column]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, want %#v", column, got, want)
		}
	}
	if got := rows[1]["minimum_age"]; got != json.Number("15.50") {
		t.Errorf("got %#v, want the digits 15.50", got)
	}
	if got, has := rows[1]["alert"]; has {
		t.Errorf("an empty cell: got %#v, want nothing", got)
	}
}

func TestTablesNest(t *testing.T) {
	got := full(t, folder(t), Service, id(2))[0]
	if org := got["organization"].(Object); org["name"] != "Lotus Example" || got["organization_id"] != nil {
		t.Errorf("got %v", got)
	}
	term := got["attributes"].([]any)[0].(Object)["taxonomy_term"].(Object)
	if term["taxonomy_id"] != id(99) {
		t.Errorf("a taxonomy that is not there: got %v, want its id kept", term)
	}
}

// TestNestedComesBackFromFiles takes the nested form through tables and CSV: but for null, which CSV has no form for,
// all of it comes back.
func TestNestedComesBackFromFiles(t *testing.T) {
	d := document(t, "service.json")
	tables, _ := flatten(t, Service, d.Objects[0])
	back, err := unzip(zipped(t, tables))
	if err != nil {
		t.Fatal(err)
	}
	want := dropNull(d.Objects[0]).(Object)
	want["x_beds"] = d.Objects[0]["x_beds"] // one cell: JSON inside keeps its null
	same(t, full(t, back, Service)[0], want)
}

func dropNull(v any) any {
	switch v := v.(type) {
	case Object:
		out := Object{}
		for name, x := range v {
			if x != nil && x != "" {
				out[name] = dropNull(x)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, x := range v {
			out = append(out, dropNull(x))
		}
		return out
	}
	return v
}

// TestWhatCSVCannotHold is the list in the comment of WriteDir.
func TestWhatCSVCannotHold(t *testing.T) {
	in := &Table{Name: "services", Rows: []Object{
		{"id": "1", "name": nil, "alert": "", "fees": json.Number("5"), "minimum_age": "12", "status": true,
			"x": json.Number("1"), "description": "a\r\nb"},
		{"id": "2", "x": "1", "licenses": []any{"a"}},
	}}
	tables := &Tables{Tables: []*Table{in}}
	tables.Describe()
	back, err := unzip(zipped(t, tables))
	if err != nil {
		t.Fatal(err)
	}
	same(t, back.Tables[0].Rows, []Object{
		{"id": "1", "fees": "5", "minimum_age": json.Number("12"), "status": "true", "x": "1", "description": "a\nb"},
		{"id": "2", "x": "1", "licenses": `["a"]`},
	})
	exact, _, err := FromNested(again(t, tables.Document()))
	if err != nil {
		t.Fatal(err)
	}
	same(t, exact.Tables[0].Rows, in.Rows)
}

func TestFormulas(t *testing.T) {
	for text, want := range map[string]string{
		"=1+1":                   "'=1+1",
		`=cmd|' /C calc'!A0`:     `'=cmd|' /C calc'!A0`,
		"@SUM(A1)":               "'@SUM(A1)",
		"-2+3+cmd|' /C calc'!A0": "'-2+3+cmd|' /C calc'!A0",
		" \t=A1":                 "' \t=A1",
		"\tA1":                   "'\tA1",
		"\r=A1":                  "'\r=A1",
		"\u00a0=A1":              "'\u00a0=A1",
		"＝A1":                    "'＝A1",
		"'=1":                    "''=1",
		"''=1":                   "'''=1",
		"+855 23 000 001":        "+855 23 000 001",
		"+855 (0)23-000.001":     "+855 (0)23-000.001",
		"-12.5":                  "-12.5",
		"'quoted'":               "'quoted'",
		"plain = text":           "plain = text",
		"":                       "",
		"+855 23 000 001 (Dara)": "'+855 23 000 001 (Dara)",
		"- a list in plain text": "'- a list in plain text",
		"\"=1\"":                 "\"=1\"",
		"ភាសាខ្មែរ":              "ភាសាខ្មែរ",
	} {
		got := neutralise(text)
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		if back := restore(got); back != text {
			t.Errorf("%q: came back as %q", text, back)
		}
	}
	b := zipped(t, &Tables{Tables: []*Table{{Name: "x", Rows: []Object{{"id": "=1", "=2": "@3"}}}}})
	back, err := unzip(b)
	if err != nil {
		t.Fatal(err)
	}
	same(t, back.Tables[0].Rows, []Object{{"id": "=1", "=2": "@3"}})
}

func TestHostileFolders(t *testing.T) {
	many := fstest.MapFS{}
	for i := range MaxFiles + 1 {
		many[fmt.Sprintf("t%d.csv", i)] = &fstest.MapFile{Data: []byte("id\na\n")}
	}
	one := func(text string) fstest.MapFS { return fstest.MapFS{"services.csv": {Data: []byte(text)}} }
	for name, c := range map[string]struct {
		folder fs.FS
		want   krama.Kind
	}{
		"no CSV":            {fstest.MapFS{"a.txt": {Data: []byte("id\na\n")}}, krama.NotFound},
		"CSV in a folder":   {fstest.MapFS{"a/services.csv": {Data: []byte("id\na\n")}}, krama.NotFound},
		"empty":             {one(""), krama.Invalid},
		"no id":             {one("name\na\n"), krama.Invalid},
		"empty id":          {one("id,name\n,a\n"), krama.Invalid},
		"id twice":          {one("id\na\na\n"), krama.Invalid},
		"column twice":      {one("id,name,name\na,b,c\n"), krama.Invalid},
		"column twice, hid": {one("id,'=x,=x\na,b,c\n"), krama.Invalid},
		"column of objects": {one("id,phones\na,b\n"), krama.Invalid},
		"nameless column":   {one("id,\na,b\n"), krama.Invalid},
		"short row":         {one("id,name\na\n"), krama.Invalid},
		"long row":          {one("id\na,b\n"), krama.Invalid},
		"open quote":        {one("id\n\"a\n"), krama.Invalid},
		"bad UTF-8":         {one("id\n\xff\n"), krama.Invalid},
		"bad name":          {fstest.MapFS{"a b.csv": {Data: []byte("id\na\n")}}, krama.Invalid},
		"a link": {fstest.MapFS{"services.csv": {Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink}},
			krama.Invalid},
		"too many files":   {many, krama.TooLarge},
		"too many columns": {one("id" + strings.Repeat(",x", MaxColumns) + "\n"), krama.TooLarge},
		"too many rows":    {one("id\n" + strings.Repeat("a\n", MaxObjects+1)), krama.TooLarge},
		"too large":        {one("id\n" + strings.Repeat("a", MaxBytes)), krama.TooLarge},
		"too large together": {fstest.MapFS{"a.csv": {Data: bytes.Repeat([]byte("a"), MaxBytes-1)},
			"b.csv": {Data: []byte("id")}}, krama.TooLarge},
	} {
		if _, err := ReadTables(c.folder); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	withMark := fstest.MapFS{"services.csv": {Data: []byte("\ufeffid\r\na\r\n")},
		"datapackage.json": {Data: []byte("../datapackage.json")}}
	tables, err := ReadTables(withMark)
	if err != nil || len(tables.Tables[0].Rows) != 1 || tables.Tables[0].Rows[0]["id"] != "a" {
		t.Errorf("a byte order mark: got %v, %v", tables, err)
	}
	if got := string(tables.Datapackage); got != "../datapackage.json" {
		t.Errorf("what a link left: got %q", got)
	}
}

// archive makes a zip file of names, each holding text.
func archive(t *testing.T, text string, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHostileZips(t *testing.T) {
	var many []string
	for i := range 2*MaxFiles + 1 {
		many = append(many, fmt.Sprintf("t%d.txt", i))
	}
	cut := archive(t, "id\na\n", "services.csv")
	for name, c := range map[string]struct {
		zip  []byte
		want krama.Kind
	}{
		"not a zip":       {[]byte("id\na\n"), krama.Invalid},
		"cut":             {cut[:len(cut)-9], krama.Invalid},
		"out of it":       {archive(t, "id\na\n", "services.csv", "../services.csv"), krama.Invalid},
		"out of a folder": {archive(t, "id\na\n", "a/../../services.csv"), krama.Invalid},
		"absolute":        {archive(t, "id\na\n", "/etc/services.csv"), krama.Invalid},
		"backslash":       {archive(t, "id\na\n", `..\services.csv`), krama.Invalid},
		"twice":           {archive(t, "id\na\n", "services.csv", "services.csv"), krama.Invalid},
		"a bomb":          {archive(t, "id\n"+strings.Repeat("\n", MaxBytes), "services.csv"), krama.TooLarge},
		"many":            {archive(t, "", many...), krama.TooLarge},
		"nothing":         {archive(t, ""), krama.NotFound},
	} {
		if _, err := unzip(c.zip); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := ReadZip(bytes.NewReader(nil), MaxBytes+1); !errors.Is(err, krama.TooLarge) {
		t.Errorf("large: got %v, want %v", err, krama.TooLarge)
	}
	if tables, err := unzip(archive(t, "id\na\n", "hsds/", "hsds/services.csv")); err != nil ||
		len(tables.Tables) != 1 {
		t.Errorf("in a folder: got %v, %v; want one table", tables, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, tables := range map[string]*Tables{
		"a path":   {Tables: []*Table{{Name: "../services"}}},
		"twice":    {Tables: []*Table{{Name: "services"}, {Name: "Services"}}},
		"id twice": {Tables: []*Table{{Name: "services", Rows: []Object{{"id": "a"}, {"id": "a"}}}}},
	} {
		dir := t.TempDir()
		if err := tables.WriteDir(dir); !errors.Is(err, krama.Invalid) {
			t.Errorf("%s: got %v, want %v", name, err, krama.Invalid)
		}
		if there, _ := os.ReadDir(dir); len(there) > 0 {
			t.Errorf("%s: got %v written, want nothing", name, there)
		}
	}
}

// FuzzReadTables: what is read from CSV is the same when written and read again, and no cell of it is a formula.
func FuzzReadTables(f *testing.F) {
	files, _ := filepath.Glob("testdata/tables/*.csv")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, []byte(`{"resources":[{"path":"services.csv","schema":{"fields":[{"name":"x","type":"array"}]}}]}`))
	}
	f.Add([]byte("id,x\na,\"[1, 2]\"\nb,'=1\nc,''+x\n"), []byte(nil))
	f.Fuzz(func(t *testing.T, table, datapackage []byte) {
		folder := fstest.MapFS{"services.csv": {Data: table}, "datapackage.json": {Data: datapackage}}
		tables, err := ReadTables(folder)
		if err != nil {
			return
		}
		back, err := unzip(zipped(t, tables))
		if err != nil {
			t.Fatalf("written, then refused: %v", err)
		}
		for _, r := range tables.Tables[0].Rows {
			for name, v := range r {
				if s, ok := v.(string); ok && strings.Contains(s, "\r\n") {
					r[name] = strings.ReplaceAll(s, "\r\n", "\n") // what CSV cannot hold
				}
			}
		}
		for i, c := range tables.Tables[0].Columns {
			if strings.Contains(c, "\r\n") {
				t.Skip(i)
			}
		}
		if !reflect.DeepEqual(back.Tables, tables.Tables) {
			g, _ := json.Marshal(back.Tables)
			w, _ := json.Marshal(tables.Tables)
			t.Fatalf("got %s, want %s", g, w)
		}
	})
}

// FuzzReadZip: no zip file does harm, and what is read can be written.
func FuzzReadZip(f *testing.F) {
	tables, err := ReadTables(os.DirFS("testdata/tables"))
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := tables.WriteZip(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		tables, err := unzip(b)
		if err == nil {
			zipped(t, tables)
		}
	})
}

// FuzzCell: a text comes back from a cell, and the cell is no formula but for arithmetic.
func FuzzCell(f *testing.F) {
	for _, s := range []string{"=1", "'=1", "''", "+855 1", "\t", "'\t", "＝1", "-a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cell := neutralise(text)
		if got := restore(cell); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
		if !strings.HasPrefix(cell, "'") && formula(cell) && !arithmetic.MatchString(cell) {
			t.Errorf("%q is written as the formula %q", text, cell)
		}
	})
}
