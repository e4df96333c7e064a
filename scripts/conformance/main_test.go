package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// specification is the folder of the specification's schemas and examples, which are not ours to carry.
func specification(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("HSDS")
	if dir == "" {
		t.Skip("not checked: set HSDS to the folder of the HSDS 3.0 schema/ and examples/")
	}
	return dir
}

// outcome runs the program against a server and returns what it printed.
func outcome(t *testing.T, dir string, s *server) (string, error) {
	t.Helper()
	web := httptest.NewServer(s)
	defer web.Close()
	var out bytes.Buffer
	err := run(dir, web.URL+"/hsds", &out)
	return out.String(), err
}

func TestRightServerPasses(t *testing.T) {
	out, err := outcome(t, specification(t), &server{tables: directory(7)})
	if err != nil || strings.Contains(out, "FAIL") || !strings.HasSuffix(out, " passed, 0 failed\n") {
		t.Errorf("got %v:\n%s", err, out)
	}
	t.Log(out)
}

// TestWrongServersAreCaught: each does one thing wrong, and the line that says so is among the failures.
func TestWrongServersAreCaught(t *testing.T) {
	dir := specification(t)
	for fault, want := range map[string]string{
		"relative address": "FAIL / is valid",
		"bad status":       "FAIL /services is valid",
		"no name":          "FAIL /services is valid",
		"text":             "FAIL /services is valid",
		"another object":   "FAIL /services/{id} of 7 is valid",
		"200 for nobody":   "FAIL /services/{unknown id} is 404",
		"forgives all":     "FAIL /services with bad parameters is 400",
		"pages overlap":    "FAIL /services by pages of 3 gives every id once",
		"miscounts":        "FAIL /services says truly which page it is",
		"always last":      "FAIL /services by pages of 3 gives every id once",
		"never minimal":    "FAIL /services?minimal=true",
		"lines are pages":  "FAIL /services?format=ndjson",
		"combines with OR": "FAIL /services filters combine with AND",
		"no taxonomies":    "FAIL /services?taxonomy_id",
		"ignores dates":    "FAIL /services?modified_after",
		"deaf to posts":    "FAIL POST /services answers as GET does",
		"a path untold":    "FAIL /openapi.json describes every path",
	} {
		out, err := outcome(t, dir, &server{tables: directory(7), fault: fault})
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: got %v, want a line %q in\n%s", fault, err, want, out)
		}
	}
}

func TestEmptyServerIsNoSuccess(t *testing.T) {
	out, err := outcome(t, specification(t), &server{tables: directory(0)})
	if err == nil || !strings.Contains(out, "there is nothing to check") {
		t.Errorf("got %v:\n%s", err, out)
	}
}

func TestNobodyThere(t *testing.T) {
	var out bytes.Buffer
	if err := run(specification(t), "http://127.0.0.1:1/hsds", &out); err == nil {
		t.Errorf("got no error:\n%s", &out)
	}
}

func TestNoSpecification(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.TempDir(), "http://127.0.0.1:1/hsds", &out); err == nil {
		t.Errorf("got no error:\n%s", &out)
	}
}

// TestLaxSchemaIsCaught: a reference that leads nowhere is no schema, and a validator that lets a broken answer pass is
// found by breaking it.
func TestLaxSchemaIsCaught(t *testing.T) {
	dir := specification(t)
	lax := t.TempDir()
	if err := os.CopyFS(lax, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(lax, "schema", "openapi.json")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte(`"total_items": {
            "type": "integer",`), []byte(`"total_items": {
            "type": "integer", "$ref": "#/nowhere",`), 1)
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := load(lax); err == nil { // also when nothing was replaced
		t.Error("a reference to nowhere: got no error")
	}
	schemas, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	taxonomy, term := schemas.byName["taxonomy.json"], schemas.byName["taxonomy_term.json"]
	mixed := &schema{name: "mixed", url: term.url, source: term.source, Schema: taxonomy.Schema}
	valid := object{"id": id(1), "name": "a", "description": "b", "language": "km"}
	if n, err := schemas.refuses(mixed, valid); err == nil {
		t.Errorf("a validator that does not look at language: got %d ways and no error", n)
	}
}
