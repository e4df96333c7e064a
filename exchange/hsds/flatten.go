package hsds

import (
	"maps"
	"reflect"
	"slices"

	"krama"
)

// A Loss is something that the nested form said and the tables could not hold.
type Loss struct {
	Kind     Kind
	ID       string // of the row that kept what was said first
	Property string
}

// FromNested puts what documents hold into tables, an object a row, and describes them. The same object met again, here
// or in another document, adds what is new in it. Objects and rows share values with the documents.
//
// The tabular form holds every object, every property and every link of the specification's examples. It cannot hold,
// and FromNested reports as Loss:
//   - a property that two copies of one object give different values: the first stays;
//   - a second owner of the same kind, as one phone of two services: a row has one service_id;
//   - an owner that is not the one that the object's own link column names: the column stays.
//
// Full and Brief give back the same nested form but for these, which are not reported:
//   - how deep an object was nested, and that one copy of it had less than another: every copy has all of it;
//   - an empty list or null where the nested form holds objects: it is absent;
//   - a link column that repeats what nesting says, as organization_id beside organization: it is absent;
//   - the order of a list where it is not the order in which its objects were first met;
//   - which page or list an object was on, and the properties of the page.
//
// One thing is added: an attribute without link_entity and a metadata without resource_type, which the tabular form
// requires, get the name of their owner's table or kind. A null in such a column, or in a link column that nesting
// fills, gives way.
//
// It returns Invalid for a document of the form Base or without a Kind, an object without an id (the tabular form
// cannot point at it), an id twice in one list, and other than objects where the specification nests them; TooLarge
// beyond MaxObjects. A Tabular document is taken as it is.
func FromNested(docs ...*Document) (*Tables, []Loss, error) {
	const op = "hsds.FromNested"
	f := &flattener{op: op, t: &Tables{}, rows: map[Kind]map[string]Object{}}
	for _, d := range docs {
		if d.Form == Tabular {
			if err := f.tabular(d); err != nil {
				return nil, nil, err
			}
			continue
		}
		if shapeOf[d.Kind] == nil || d.Form == Base {
			return nil, nil, krama.E(op, krama.Invalid, "a document of no known kind")
		}
		for _, o := range d.Objects {
			if _, err := f.add(d.Kind, o, 0); err != nil {
				return nil, nil, err
			}
		}
	}
	f.t.sort()
	if err := f.t.check(op); err != nil {
		return nil, nil, err
	}
	f.t.Describe()
	return f.t, f.losses, nil
}

// flattener is one call of FromNested. rows are t's rows by kind and id, so that an object that is met again adds to
// its row.
type flattener struct {
	op     string
	t      *Tables
	rows   map[Kind]map[string]Object
	losses []Loss
}

// table finds a table, or begins one with the columns that the specification gives it.
func (f *flattener) table(name string) *Table {
	if x := f.t.named(name); x != nil {
		return x
	}
	x := &Table{Name: name, Columns: Columns(kindOf(name))}
	f.t.Tables = append(f.t.Tables, x)
	return x
}

// row finds the row of an object, or begins one.
func (f *flattener) row(k Kind, id string) Object {
	if r := f.rows[k][id]; r != nil {
		return r
	}
	if f.rows[k] == nil {
		f.rows[k] = map[string]Object{}
	}
	r := Object{}
	f.rows[k][id] = r
	x := f.table(TableOf(k))
	x.Rows = append(x.Rows, r)
	return r
}

// set gives a row a value. What the row has already stays; a value that differs is a Loss.
func (f *flattener) set(k Kind, row Object, name string, v any) {
	have, ok := row[name]
	if !ok {
		row[name] = v
	} else if !reflect.DeepEqual(have, v) {
		id, _ := row["id"].(string)
		f.losses = append(f.losses, Loss{k, id, name})
	}
}

// link is set for what nesting says; a null in its place says nothing.
func (f *flattener) link(k Kind, row Object, column, id string) {
	if row[column] == nil {
		delete(row, column)
	}
	f.set(k, row, column, id)
}

// add puts an object and what is nested in it into rows and returns its id.
func (f *flattener) add(k Kind, o Object, depth int) (string, error) {
	// Documents need not come from ReadJSON, which has looked at their depth: whoever made one may have made a loop.
	if depth == MaxDepth {
		return "", krama.E(f.op, krama.TooLarge, "objects nested too deep")
	}
	id, _ := o["id"].(string)
	if id == "" {
		return "", krama.E(f.op, krama.Invalid, "a "+string(k)+" has no id")
	}
	row, s := f.row(k, id), shapeOf[k]
	// The object's own columns first: what it says of its owners counts for more than where it stands.
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if s.part(name) == nil {
			f.set(k, row, name, o[name])
		}
	}
	for _, p := range s.parts {
		v, err := f.nested(k, p, o[p.name])
		if err != nil {
			return "", err
		}
		for _, child := range v {
			childID, err := f.add(p.kind, child, depth+1)
			if err != nil {
				return "", err
			}
			// Of one object the owner's row has the id; of a list each part's row has the owner's.
			if !p.list {
				f.link(k, row, p.link, childID)
				continue
			}
			r := f.rows[p.kind][childID]
			f.link(p.kind, r, p.link, id)
			// The link of these may lead to any table, so the row says which. What it said itself stays.
			switch c := entity[p.kind]; {
			case c == "" || r[c] != nil:
			case p.kind == Attribute:
				r[c] = s.table
			case p.kind == Metadata:
				r[c] = string(k)
			}
		}
	}
	return id, nil
}

// entity is the column that says to which table a link leads, where the link may lead to any.
var entity = map[Kind]string{Attribute: "link_entity", Metadata: "resource_type"}

// nested returns the objects that a part holds.
func (f *flattener) nested(k Kind, p part, v any) ([]Object, error) {
	bad := krama.E(f.op, krama.Invalid, "the "+p.name+" of a "+string(k)+" are not what the specification nests there")
	switch v := v.(type) {
	case nil:
		return nil, nil
	case Object:
		if !p.list {
			return []Object{v}, nil
		}
	case []any:
		if !p.list {
			return nil, bad
		}
		all, err := objects(f.op, v)
		if err != nil {
			return nil, bad
		}
		// Twice in one list is a fault. In two places of a document it is how the nested form repeats an object.
		seen := map[string]bool{}
		for _, o := range all {
			id, _ := o["id"].(string)
			if id != "" && seen[id] {
				return nil, krama.E(f.op, krama.Invalid, "an id twice in the "+p.name+" of a "+string(k))
			}
			seen[id] = true
		}
		return all, nil
	}
	return nil, bad
}

// tabular adds the rows of a tabular.json.
func (f *flattener) tabular(d *Document) error {
	if len(d.Objects) != 1 {
		return krama.E(f.op, krama.Invalid, "this form holds one object")
	}
	for _, name := range slices.Sorted(maps.Keys(d.Objects[0])) {
		list, ok := d.Objects[0][name].([]any)
		if !ok {
			return krama.E(f.op, krama.Invalid, "a table is not a list of rows")
		}
		rows, err := objects(f.op, list)
		if err != nil {
			return err
		}
		// A name shorter than ".csv" comes only in a document that no reader made; check refuses the table without a
		// name.
		table := name[:max(0, len(name)-len(".csv"))]
		k := kindOf(table)
		x := f.table(table)
		if k == "" {
			// Of a table of somebody's own nothing is known but its rows: check looks at their ids.
			x.Rows = append(x.Rows, rows...)
			continue
		}
		seen := map[string]bool{}
		for _, o := range rows {
			id, _ := o["id"].(string)
			if id == "" || seen[id] {
				return krama.E(f.op, krama.Invalid, "a row of "+table+" has no id, or that of a row before it")
			}
			seen[id] = true
			r := f.row(k, id)
			for _, c := range slices.Sorted(maps.Keys(o)) {
				f.set(k, r, c, o[c])
			}
		}
	}
	return nil
}
