package hsds

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"krama"
)

// wide writes a text as a spreadsheet saves "Unicode text".
func wide(text string, big bool) (out []byte) {
	for _, u := range utf16.Encode([]rune("\ufeff" + text)) {
		if big {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}

// TestOtherDialectsAreRead: the same two services in each way in which other programs write tables.
func TestOtherDialectsAreRead(t *testing.T) {
	plain := "id,organization_id,name,status\n1,o,ជំនួយ,active\n2,o,\"Two, b\",active\n"
	swap := func(c string) string {
		return strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(plain, `"Two, b"`, "Two@ b"), ",", c), "@", ",")
	}
	for name, text := range map[string][]byte{
		"commas":        []byte(plain),
		"a mark":        []byte("\ufeff" + plain),
		"semicolons":    []byte(swap(";")),
		"Excel's line":  []byte("sep=;\r\n" + swap(";")),
		"tabs":          []byte(swap("\t")),
		"bars":          []byte(swap("|")),
		"UTF-16":        wide(swap("\t"), false),
		"UTF-16, other": wide(plain, true),
		"blank rows":    []byte(plain + ",,,\n\n, ,,\n"),
		"blank columns": []byte(strings.ReplaceAll(plain, "\n", ",,\n")),
		"blank inside": []byte(strings.NewReplacer("id,organ", "id,,organ", "1,o", "1,,o", "2,o",
			"2,,o").Replace(plain)),
		"capitals": []byte(strings.Replace(plain, "id,organization_id,name,status",
			"ID, Organization_ID ,Name,STATUS", 1)),
		"CR LF":         []byte(strings.ReplaceAll(plain, "\n", "\r\n")),
		"CR alone":      []byte(strings.ReplaceAll(plain, "\n", "\r")),
		"twice the row": []byte(plain + "2,o,\"Two, b\",active\n"),
	} {
		for _, file := range []string{"services.csv", "SERVICES.CSV"} {
			got, remarks, err := GatherDir(fstest.MapFS{file: {Data: text}, ".DS_Store": {}})
			if err != nil || len(remarks) > 0 {
				t.Errorf("%s: %v %v", name, remarks, err)
				continue
			}
			want := []Object{{"id": "1", "organization_id": "o", "name": "ជំនួយ", "status": "active"},
				{"id": "2", "organization_id": "o", "name": "Two, b", "status": "active"}}
			if x := got.Table(Service); x == nil || !reflect.DeepEqual(x.Rows, want) {
				t.Errorf("%s in %s: %v", name, file, got.Tables[0])
			}
		}
	}
}

// TestABadRowIsNamed: what cannot be taken is named with its place and reason, and all else comes in.
func TestABadRowIsNamed(t *testing.T) {
	for name, tc := range map[string]struct{ services, where, why string }{
		"short":    {"id,name\n1,A\n2\n3,C\n", `"services" line 3`, "1 cells under 2 columns"},
		"long":     {"id,name\n1,A\n2,B,C\n3,C\n", `"services" line 3`, `a cell under no column: "C"`},
		"nameless": {"id,,name\n1,,A\n2,x,B\n3,,C\n", `"services" line 3`, `a cell under no column: "x"`},
		"no id": {"id,name\n1,A\n,B\n3,C\n", `"services" line 3`,
			"a service without an id could not be known again"},
		"id of another": {"id,name\n1,A\n1,B\n3,C\n", `"services" line 3`, `the id of another before it: "1"`},
		"stray quote": {"id,name\n1,A\n2,B \"x\"\n3,C\n", `"services" line 3`,
			"a quotation mark that is not in a pair"},
		"quote over two": {"id,name\n1,A\n2,\"B\nx\"y\n3,C\n", `"services" line 3 to 4`,
			"a quotation mark that is not in a pair"},
	} {
		got, remarks, err := GatherDir(fstest.MapFS{"services.csv": {Data: []byte(tc.services)}})
		if err != nil || len(remarks) != 1 || remarks[0] != (Remark{tc.where, tc.why}) {
			t.Errorf("%s: %q %v", name, remarks, err)
			continue
		}
		if n, want := len(got.Table(Service).Rows), 2; n < want {
			t.Errorf("%s: %d rows came in", name, n)
		}
	}
	got, remarks, err := GatherDir(fstest.MapFS{"services.csv": {Data: []byte("id,name\n1,A\n")},
		"phones.csv": {Data: []byte("service_id,number\n1,023\n1,024\n")}, "read me.csv": {}, "notes.txt": {}})
	if err != nil || len(remarks) != 2 || len(got.Table(Phone).Rows) != 2 {
		t.Fatalf("%v %q %v", got, remarks, err)
	}
	if full, err := got.Full(Service); err != nil || len(full[0]["phones"].([]any)) != 2 {
		t.Errorf("phones without ids: %v %v", full, err)
	}
}

// TestForeignFilesInAZip: the tables are found where they lie, and what lies elsewhere is named.
func TestForeignFilesInAZip(t *testing.T) {
	const csv = "id,name\n1,A\n"
	pack := func(names ...string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, n := range names {
			w, err := z.Create(n)
			if err != nil {
				t.Fatal(err)
			}
			w.Write([]byte(csv))
		}
		z.Close()
		return b.Bytes()
	}
	for name, tc := range map[string]struct {
		zip  []byte
		said int
		want error
	}{
		"plain":          {pack("services.csv"), 0, nil},
		"dot slash":      {pack("./services.csv"), 0, nil},
		"a Mac's":        {pack("d/services.csv", "__MACOSX/d/._services.csv"), 0, nil},
		"a Mac's, flat":  {pack("services.csv", "__MACOSX/._services.csv"), 0, nil},
		"with a note":    {pack("d/services.csv", "README.txt"), 1, nil},
		"note beside it": {pack("d/services.csv", "d/README.txt"), 1, nil},
		"two folders":    {pack("a/services.csv", "b/services.csv"), 0, krama.Invalid},
		"out of it":      {pack("../services.csv"), 0, krama.Invalid},
		"twice":          {pack("services.csv", "./services.csv"), 0, krama.Invalid},
		"none":           {pack("README.txt"), 1, krama.NotFound},
	} {
		got, remarks, err := GatherZip(bytes.NewReader(tc.zip), int64(len(tc.zip)))
		if !errors.Is(err, tc.want) || len(remarks) != tc.said && err == nil {
			t.Errorf("%s: %q %v", name, remarks, err)
		} else if err == nil && len(got.Table(Service).Rows) != 1 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestOtherJSONIsRead: what the specification does not allow and programs write all the same.
func TestOtherJSONIsRead(t *testing.T) {
	for name, tc := range map[string]struct {
		text           string
		services, said int
	}{
		"numbers as ids": {`[{"id":7,"name":"A","status":"active","organization_id":3}]`, 1, 0},
		"no status": {
			`{"total_items":2,"contents":[{"id":"a","name":"A","description":"x"},{"id":"b","name":"B","description":"y"}]}`, 2, 0},
		"some have a status": {
			`[{"id":"a","name":"A","description":"x","organization":{"id":"o","name":"O"}},{"id":"b","name":"B","description":"x","status":"active"}]`, 2, 0},
		"parts without ids": {
			`[{"id":"a","name":"A","status":"active","phones":[{"number":"1"},{"number":"2"}],"organization":{"name":"O"}}]`, 1, 0},
		"one, not a list":    {`[{"id":"a","name":"A","status":"active","phones":{"number":"1"}}]`, 1, 0},
		"texts, not objects": {`[{"id":"a","name":"A","status":"active","phones":["1"],"schedules":"daily"}]`, 1, 2},
		"no id":              {`[{"name":"A","status":"active"},{"id":"b","name":"B","status":"active"}]`, 1, 1},
		"an id twice": {`[{"id":"a","name":"A","status":"active"},{"id":"a","name":"B","status":"active"}]`, 1,
			1},
		"the same twice": {`[{"id":"a","name":"A","status":"active"},{"id":"a","name":"A","status":"active"}]`, 1,
			0},
		"not an object": {`[{"id":"a","name":"A","status":"active"},7]`, 1, 1},
		"a broken line": {
			`{"id":"a","name":"A","status":"active"}` + "\n{\"id\":\n" + `{"id":"b","name":"B","status":"active"}` + "\n", 2, 1},
		"tables": {
			`{"services.csv":[{"id":1,"name":"A","status":"active"},{"name":"B"}],"PHONES.CSV":[{"service_id":1,"number":"1"}]}`, 1, 1},
		"UTF-16": {string(wide(`[{"id":"a","name":"A","status":"active"}]`, false)), 1, 0},
	} {
		got, remarks, err := GatherJSON(strings.NewReader(tc.text), Service)
		if err != nil || len(remarks) != tc.said {
			t.Errorf("%s: %q %v", name, remarks, err)
			continue
		}
		full, err := got.Full(Service)
		if err != nil || len(full) != tc.services {
			t.Errorf("%s: %v %v", name, full, err)
		}
		if strings.Contains(name, "parts") && (len(full[0]["phones"].([]any)) != 2 ||
			full[0]["organization"].(Object)["name"] != "O") {
			t.Errorf("%s: %v", name, full[0])
		}
	}
	for name, text := range map[string]string{"empty": "", "half a list": "[{\"id\":\"a\"},\n{\"id\":\"b\"}\n",
		"Latin letters": "[{\"id\":\"caf\xe9\"}]", "a text": `"a"`} {
		if _, _, err := GatherJSON(strings.NewReader(text), Service); !errors.Is(err, krama.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOthersKinds: a list of organisations is not taken for services.
func TestOthersKinds(t *testing.T) {
	got, _, err := GatherJSON(strings.NewReader(`[{"id":"a","name":"A","description":"x","website":"w","tax_id":"1"}]`),
		Service)
	if err != nil || got.Table(Service) != nil || got.Table(Organization) == nil {
		t.Errorf("%v %v", got, err)
	}
}

// FuzzGather: nothing that is gathered does harm, and all of it can be written and nests.
func FuzzGather(f *testing.F) {
	f.Add([]byte("id;name\n1;A\n;B\n\"x\n"), []byte(`[{"id":7,"phones":{"number":1},"organization":"x"}]`))
	f.Add([]byte("ID\tname\r\n\r\n1\t'=2\t\r\n"), []byte("{\"id\":1}\n7\n{"))
	f.Add([]byte("sep=|\nid|phones\n1|2\n"), []byte(`{"Services.csv":[{"id":1},{"phones":1}]}`))
	f.Fuzz(func(t *testing.T, table, text []byte) {
		dir, _, err := GatherDir(fstest.MapFS{"services.csv": {Data: table}})
		if err == nil {
			zipped(t, dir)
			if _, err := dir.Full(Service); err != nil && !errors.Is(err, krama.TooLarge) {
				t.Fatal(err)
			}
		}
		nested, remarks, err := GatherJSON(bytes.NewReader(text), Service)
		if err == nil {
			zipped(t, nested)
		}
		for _, r := range remarks {
			if b, err := json.Marshal(r); err != nil || strings.ContainsAny(r.String(), "\x1b\n") {
				t.Fatalf("%q %v", b, err)
			}
		}
	})
}

// TestGatheredPartsStayApart: what is nested in parts without ids is each its own; ids with spaces around them still
// lead to their owners; a file of nothing but faults is told of in bounds.
func TestGatheredPartsStayApart(t *testing.T) {
	got, remarks, err := GatherJSON(strings.NewReader(`[{"id":"a","name":"A","status":"active","attributes":[{"taxonomy_term":{"code":"hurt"}},{"taxonomy_term":{"code":"test"}}]},
		{"id":"b","name":"B","status":"active","attributes":[{"taxonomy_term":{"code":"money"}}]}]`), Service)
	if err != nil || len(remarks) > 0 {
		t.Fatalf("%q %v", remarks, err)
	}
	full, err := got.Full(Service)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, s := range full {
		for _, a := range s["attributes"].([]any) {
			codes = append(codes, a.(Object)["taxonomy_term"].(Object)["code"].(string))
		}
	}
	if strings.Join(codes, " ") != "hurt test money" {
		t.Errorf("needs: %v", codes)
	}
	tables, remarks, err := GatherDir(fstest.MapFS{"services.csv": {Data: []byte("id,name\n1 ,A\n")},
		"phones.csv": {Data: []byte("service_id,number\n1 ,023\n")}})
	if err != nil || len(remarks) > 0 {
		t.Fatalf("%q %v", remarks, err)
	}
	if full, err := tables.Full(Service); err != nil || len(full[0]["phones"].([]any)) != 1 {
		t.Errorf("an id with a space: %v %v", full, err)
	}
	_, remarks, err = GatherDir(fstest.MapFS{"services.csv": {Data: []byte("id,name\n" + strings.Repeat("\"x\"y\n",
		5000) + "1,A" + strings.Repeat(",z", 5000) + "\n")}})
	if err != nil || len(remarks) != maxRemarks {
		t.Errorf("%d remarks, %v", len(remarks), err)
	}
}
