package hsds

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"krama"
)

// Tables is a directory in the tabular form.
type Tables struct {
	// Tables in the order they were read or made. Tables that HSDS does not know are kept as they are.
	Tables []*Table

	// Datapackage is datapackage.json (Frictionless Data), byte for byte as it was read; nil for none. A text that is
	// not JSON is kept too: a checkout without symbolic links leaves the link's target there.
	Datapackage []byte
}

// A Table is one CSV file.
type Table struct {
	Name    string   // "services": the file's name without ".csv"
	Columns []string // in the file's order; a row may lack any of them
	Rows    []Object // each with an id that no other row of the table has
}

// Table returns the table of a kind, or nil.
func (t *Tables) Table(k Kind) *Table { return t.named(TableOf(k)) }

// named is the table of a name, or nil.
func (t *Tables) named(name string) *Table {
	for _, x := range t.Tables {
		if x.Name == name {
			return x
		}
	}
	return nil
}

// tableName is what a table may be called: it becomes a file's name.
var tableName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// check holds every Tables that enters or leaves the package to its bounds and to what makes rows addressable.
func (t *Tables) check(op string) error {
	names, rows := map[string]bool{}, 0
	for _, x := range t.Tables {
		if !tableName.MatchString(x.Name) {
			return krama.E(op, krama.Invalid, "a table's name is not 1–64 letters, digits, _ or -: "+quote(x.Name))
		}
		lower := strings.ToLower(x.Name) // many disks take Services.csv and services.csv for one file
		if names[lower] {
			return krama.E(op, krama.Invalid, "two tables named "+lower)
		}
		names[lower] = true
		if rows += len(x.Rows); rows > MaxObjects {
			return krama.E(op, krama.TooLarge, fmt.Sprintf("more than %d rows", MaxObjects))
		}
		if err := x.check(op); err != nil {
			return err
		}
	}
	return nil
}

// check holds one table to its bounds: no column twice, and in each row an id that no other row has.
func (x *Table) check(op string) error {
	columns := x.columns()
	if len(columns) > MaxColumns {
		return krama.E(op, krama.TooLarge, fmt.Sprintf("%s has more than %d columns", x.Name, MaxColumns))
	}
	s := shapeOf[kindOf(x.Name)]
	for i, c := range columns {
		switch {
		case c == "":
			return krama.E(op, krama.Invalid, x.Name+" has a column without a name")
		case slices.Contains(columns[:i], c):
			return krama.E(op, krama.Invalid, x.Name+" has two columns named "+quote(c))
		// Full puts the objects there, and the column's values would be lost in silence.
		case s != nil && s.part(c) != nil:
			return krama.E(op, krama.Invalid, x.Name+" has a column where the nested form holds objects: "+quote(c))
		}
	}
	ids := make(map[string]bool, len(x.Rows))
	for i, r := range x.Rows {
		id, ok := r["id"].(string)
		if !ok || id == "" {
			return krama.E(op, krama.Invalid, fmt.Sprintf("row %d of %s has no id", i+1, x.Name))
		}
		if ids[id] {
			return krama.E(op, krama.Invalid, fmt.Sprintf("row %d of %s has the id of a row before it", i+1, x.Name))
		}
		ids[id] = true
	}
	return nil
}

// columns are Columns and then what rows hold beside them: the specification's in its order, others alphabetically.
func (x *Table) columns() []string {
	have := map[string]bool{}
	for _, c := range x.Columns {
		have[c] = true
	}
	more := map[string]bool{}
	for _, r := range x.Rows {
		for name := range r {
			if !have[name] {
				more[name] = true
			}
		}
	}
	out := slices.Clone(x.Columns)
	for _, c := range Columns(kindOf(x.Name)) {
		if more[c] {
			out = append(out, c)
			delete(more, c)
		}
	}
	return append(out, slices.Sorted(maps.Keys(more))...)
}

// Document gives the tables as a tabular.json, which holds every value exactly but no datapackage.json and no column
// that is empty in all rows. The rows are shared, not copied.
func (t *Tables) Document() *Document {
	all := Object{}
	for _, x := range t.Tables {
		rows := make([]any, len(x.Rows))
		for i, r := range x.Rows {
			rows[i] = r
		}
		all[x.Name+".csv"] = rows
	}
	return &Document{Form: Tabular, Objects: []Object{all}}
}

// Describe makes Datapackage anew from the tables as they are now. Call it after adding tables or columns.
func (t *Tables) Describe() {
	var resources []any
	for _, x := range t.Tables {
		var fields []any
		for _, c := range x.columns() {
			fields = append(fields, Object{"name": c, "type": x.columnType(c)})
		}
		resources = append(resources, Object{"name": x.Name, "path": x.Name + ".csv", "format": "csv",
			"mediatype": "text/csv",
			"profile":   "tabular-data-resource", "schema": Object{"fields": fields, "primaryKey": "id"}})
	}
	// Names and types are text, which JSON has a form for.
	t.Datapackage, _ = encode("hsds.Describe", Object{"name": "hsds", "profile": "tabular-data-package",
		"resources": resources}, "  ")
}

// columnType is the Frictionless type of a column: the specification's, or for a column of somebody's own what all its
// values are.
func (x *Table) columnType(column string) string {
	if s := shapeOf[kindOf(x.Name)]; s != nil && slices.Contains(s.columns, column) {
		if s.numbers[column] {
			return "number"
		}
		return "string"
	}
	// Values of two types, or no value, make it text: every value has a form as text.
	all := ""
	for _, r := range x.Rows {
		t := "string"
		switch r[column].(type) {
		case nil:
			continue
		case bool:
			t = "boolean"
		case json.Number:
			t = "number"
		case []any:
			t = "array"
		case Object:
			t = "object"
		}
		if all != "" && all != t {
			return "string"
		}
		all = t
	}
	if all == "" {
		return "string"
	}
	return all
}

// columnTypes reads what a datapackage.json says of columns that the specification does not know: by table, by column.
// What is not understood says nothing: the file's rows can be read without it.
func columnTypes(datapackage []byte) map[string]map[string]string {
	var p struct {
		Resources []struct {
			Path   any
			Schema struct {
				Fields []struct{ Name, Type string }
			}
		}
	}
	if json.Unmarshal(datapackage, &p) != nil {
		return nil
	}
	all := map[string]map[string]string{}
	for _, r := range p.Resources {
		// Frictionless lets a path be a list of files. Such a resource says nothing here.
		path, _ := r.Path.(string)
		name, ok := strings.CutSuffix(path, ".csv")
		if !ok {
			continue
		}
		all[name] = map[string]string{}
		for _, f := range r.Schema.Fields {
			all[name][f.Name] = f.Type
		}
	}
	return all
}
