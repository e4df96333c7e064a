package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"krama/exchange/hsds"
)

// schemaOf is the schema of each example that has one.
var schemaOf = map[string]string{"base.json": "base", "location.json": "location.json",
	"taxonomy.json":      "taxonomy.json",
	"taxonomy_term.json": "taxonomy_term.json", "service_full.json": "compiled/service.json",
	"organization_full.json":        "compiled/organization.json",
	"service_at_location_full.json": "compiled/service_at_location.json",
	"service_list.json":             "page", "organization_list.json": "page", "service_at_location_list.json": "page",
	"taxonomy_list.json": "page", "taxonomy_term_list.json": "page"}

// itemOf is the schema of what each example of a page holds.
var itemOf = map[string]string{"service_list.json": "compiled/service_list.json",
	"organization_list.json":        "compiled/organization_list.json",
	"service_at_location_list.json": "compiled/service_at_location_list.json", "taxonomy_list.json": "taxonomy.json",
	"taxonomy_term_list.json": "taxonomy_term.json"}

// checkExamples takes every example of the specification through package hsds and back.
func checkExamples(r *report, dir string, s *schemas) {
	files, _ := filepath.Glob(filepath.Join(dir, "examples", "*.json"))
	for _, file := range files {
		name := filepath.Base(file)
		b, err := os.ReadFile(file)
		if err != nil {
			r.check("example "+name, err)
			continue
		}
		r.check("example "+name+" comes back as JSON", jsonComesBack(b))
		if sch := s.byName[schemaOf[name]]; sch != nil {
			v, err := decode(b)
			n := 0
			if err == nil {
				n, err = s.refuses(sch, v)
			}
			r.check(fmt.Sprintf("example %s is valid, and broken in %d ways is not", name, n), err)
			// The schema of a page says nothing of what it holds, so one of its contents is held to a schema of its
			// own.
			if contents, ok := at(v, "contents").([]any); ok && len(contents) > 0 {
				n, err := s.refuses(s.byName[itemOf[name]], contents[0])
				r.check(fmt.Sprintf("example %s contents is valid, and broken in %d ways is not", name, n), err)
			}
		}
		// base.json says what the API is, and has no tables.
		if name != "base.json" {
			r.check("example "+name+" comes back from tables", tablesComeBack(b))
		}
	}
	// A wrong folder must not look like a success.
	if len(files) == 0 {
		r.check("examples", errors.New("no examples/*.json"))
	}
	folder := filepath.Join(dir, "examples", "csv")
	tables, err := hsds.ReadTables(os.DirFS(folder))
	if err != nil {
		r.check("examples/csv", err)
		return
	}
	r.check("examples/csv comes back as a folder", folderComesBack(folder, tables))
	r.check("examples/csv comes back as a zip file", zipComesBack(tables))
	services, err := tables.Full(hsds.Service)
	if err == nil && len(services) == 0 {
		err = errors.New("no service")
	}
	for _, o := range services {
		err = errors.Join(err, s.byName["compiled/service.json"].Validate(o))
	}
	r.check("examples/csv nests into valid services", err)
}

// decode reads JSON with its numbers as they are written, without package hsds, which is what is being checked.
func decode(b []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// jsonComesBack reads an example and writes it, and compares both as plain JSON: no value may be lost or changed.
func jsonComesBack(b []byte) error {
	d, err := hsds.ReadJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := d.WriteJSON(&out); err != nil {
		return err
	}
	want, err := decode(b)
	if err != nil {
		return err
	}
	got, err := decode(out.Bytes())
	if err == nil && !reflect.DeepEqual(got, want) {
		err = errors.New("written, it says something else")
	}
	return err
}

// tablesComeBack makes tables of an example and nests them again in the form it had. A loss that is told is a failure
// here: the examples hold nothing that tables cannot.
func tablesComeBack(b []byte) error {
	d, err := hsds.ReadJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	tables, losses, err := hsds.FromNested(d)
	if err != nil {
		return err
	}
	if losses != nil {
		return fmt.Errorf("lost %v", losses)
	}
	// Each form is nested as its examples are.
	var got []hsds.Object
	switch d.Form {
	case hsds.Tabular:
		got = tables.Document().Objects
	case hsds.Page:
		got, err = tables.Brief(d.Kind)
	default:
		got, err = tables.Full(d.Kind)
	}
	if err == nil && !reflect.DeepEqual(got, d.Objects) {
		err = errors.New("nested again, it says something else")
	}
	return err
}

// folderComesBack compares files with encoding/csv alone: the same columns and rows in the same order, and the same
// datapackage.json byte for byte.
func folderComesBack(folder string, tables *hsds.Tables) error {
	dir, err := os.MkdirTemp("", "hsds")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := tables.WriteDir(dir); err != nil {
		return err
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	written, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	// The loop would not see a file too many.
	if len(written) != len(files) {
		return fmt.Errorf("%d files became %d", len(files), len(written))
	}
	for _, f := range files {
		a, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		// What is no table must be the same bytes; a table may differ in its quotes and line ends.
		if !strings.HasSuffix(f.Name(), ".csv") {
			if !bytes.Equal(a, b) {
				return fmt.Errorf("%s differs", f.Name())
			}
			continue
		}
		want, err := csv.NewReader(bytes.NewReader(a)).ReadAll()
		if err != nil {
			return err
		}
		// the mark that spreadsheets need
		got, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff")))).ReadAll()
		if err != nil {
			return err
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			return fmt.Errorf("%s differs", f.Name())
		}
	}
	return nil
}

// zipComesBack writes tables as a zip file and reads them again.
func zipComesBack(tables *hsds.Tables) error {
	var b bytes.Buffer
	if err := tables.WriteZip(&b); err != nil {
		return err
	}
	back, err := hsds.ReadZip(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err == nil && !reflect.DeepEqual(back, tables) {
		err = errors.New("it says something else")
	}
	return err
}
