package hsds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"krama"
)

// GatherJSON reads one JSON text of services, or of what k says where the objects do not tell. Beside what ReadJSON and
// FromNested take, it takes numbers for ids, parts without ids, and one object where the specification has a list of
// them. What is not an object where one belongs, an object of the list without an id, an id twice, a line that is not
// JSON, and what two copies of one object say differently are named.
func GatherJSON(r io.Reader, k Kind) (*Tables, []Remark, error) {
	g := &gatherer{op: "hsds.GatherJSON"}
	d, err := g.document(r, k)
	if err != nil {
		return nil, g.remarks, err
	}
	t, losses, err := FromNested(d)
	for _, l := range losses {
		g.remark(quote(string(l.Kind)+" "+l.ID), "told in two ways, the first is taken: "+quote(l.Property))
	}
	return t, g.remarks, err
}

// document reads a text into one list of objects of one kind, or, where it is a tabular.json, into its tables. k is
// what the caller expects.
func (g *gatherer) document(r io.Reader, k Kind) (*Document, error) {
	b, err := readAll(g.op, r, MaxBytes)
	if err != nil {
		return nil, err
	}
	dec := &decoder{op: g.op, objects: MaxObjects}
	var list []any
	d := &Document{Form: List, Kind: k}
	if json.Valid(b) {
		v, err := dec.decode(b)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case []any:
			list = v
		case Object:
			if contents, ok := v["contents"].([]any); ok {
				list = contents
			} else if isTabular(v) {
				return g.tabular(v), nil
			} else {
				list = []any{v}
			}
		default:
			return nil, krama.E(g.op, krama.Invalid, "neither an object nor an array")
		}
	} else if list, err = g.lines(dec, b); err != nil {
		return nil, err
	}
	var all []Object
	for i, v := range list {
		o, ok := v.(Object)
		if !ok {
			g.remark(fmt.Sprintf("number %d of the list", i+1), "not an object")
			continue
		}
		all = append(all, o)
	}
	// What the objects are like counts for more than what was expected, so that a list of organizations is not taken
	// for services. It gives way where one of them is more like the expected kind.
	if told := guess(all); told != "" && told != k && !slices.ContainsFunc(all, func(o Object) bool {
		return likes(o, k) > likes(o, told)
	}) {
		d.Kind = told
	}
	// A table without a name, only to sort out ids that come twice as in tables.
	x := &Table{}
	seen := map[string]Object{}
	for i, o := range all {
		where := fmt.Sprintf("number %d of the list", i+1)
		g.clean(d.Kind, o, where, 0)
		if idOf(o["id"]) == "" {
			g.remark(where, "without an id it could not be known again")
			continue
		}
		g.row(x, o, where, "", seen)
	}
	// An error, or it would look like a directory without services.
	if len(x.Rows) == 0 && len(list) > 0 {
		return nil, krama.E(g.op, krama.Invalid, "none of it can be read: "+g.remarks[0].String())
	}
	d.Objects = x.Rows
	return d, nil
}

// likes is how many of an object's properties are a kind's.
func likes(o Object, k Kind) (n int) {
	s := shapeOf[k]
	for name := range o {
		if s != nil && (slices.Contains(s.columns, name) || s.part(name) != nil) {
			n++
		}
	}
	return n
}

// lines takes an object a line; a text whose first line is none is taken for broken JSON, not for lines.
func (g *gatherer) lines(dec *decoder, b []byte) (list []any, err error) {
	n := 0
	for line := range bytes.Lines(b) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var v any
		if json.Valid(line) {
			v, err = dec.decode(line)
		} else {
			var x any
			err = &krama.Error{Op: g.op, Kind: krama.Invalid,
				Why: fmt.Sprintf("not JSON, and line %d of it is not either", n), Err: json.Unmarshal(line, &x)}
		}
		// A bound that was crossed ends the reading in whatever line.
		if _, ok := v.(Object); err != nil && len(list) == 0 || krama.KindOf(err) == krama.TooLarge && err != nil {
			return nil, err
		} else if err != nil || !ok {
			g.remark(fmt.Sprintf("line %d", n), "not a JSON object")
			err = nil
			continue
		}
		list = append(list, v)
	}
	if len(list) == 0 {
		return nil, krama.E(g.op, krama.Invalid, "empty")
	}
	return list, nil
}

// clean brings an object and what is nested in it into the specification's shape, in place.
func (g *gatherer) clean(k Kind, o Object, where string, depth int) {
	s := shapeOf[k]
	if s == nil || depth == MaxDepth {
		return
	}
	tidyIDs(o)
	for _, p := range s.parts {
		v, has := o[p.name]
		if !has || v == nil {
			continue
		}
		list, many := v.([]any)
		one, single := v.(Object)
		switch {
		case single && p.list:
			// As some programs write a list of one.
			list = []any{one}
		case single:
			g.part(p.kind, one, idOf(o["id"])+"/"+p.name, where, depth)
			continue
		case !many || !p.list:
			g.remark(where, "other than an object is left out: "+quote(p.name+" "+text(v)))
			delete(o, p.name)
			continue
		}
		// One bad phone must not cost a service its others.
		var kept []any
		seen := map[string]bool{}
		for i, v := range list {
			child, ok := v.(Object)
			if !ok {
				g.remark(where, "other than an object is left out: "+quote(p.name+" "+text(v)))
				continue
			}
			g.part(p.kind, child, fmt.Sprintf("%s/%s/%d", idOf(o["id"]), p.name, i+1), where, depth)
			if id := idOf(child["id"]); seen[id] {
				g.remark(where, "an id twice is left out: "+quote(p.name+" "+id))
			} else {
				seen[id], kept = true, append(kept, child)
			}
		}
		o[p.name] = kept
	}
}

// part gives an object an id of its place where it has none.
func (g *gatherer) part(k Kind, o Object, place, where string, depth int) {
	if id := idOf(o["id"]); id != "" {
		o["id"] = id
	} else {
		o["id"] = place // before what is nested in it is named after it
	}
	g.clean(k, o, where, depth+1)
}

// text is a value in one line.
func text(v any) string {
	b, _ := encode("hsds.text", v, "")
	return strings.TrimSpace(string(b))
}

// tabular takes the rows of a tabular.json as those of tables.
func (g *gatherer) tabular(o Object) *Document {
	out := Object{}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		file := strings.ToLower(name)
		rows, ok := o[name].([]any)
		if x := strings.TrimSuffix(file, ".csv"); !ok || !tableName.MatchString(x) || out[file] != nil {
			g.remark(quote(name), "not a table, and not read")
			continue
		}
		x := &Table{Name: strings.TrimSuffix(file, ".csv")}
		seen := map[string]Object{}
		for i, v := range rows {
			where := fmt.Sprintf("%s row %d", quote(x.Name), i+1)
			row, ok := v.(Object)
			if !ok {
				g.remark(where, "not an object")
				continue
			}
			tidyIDs(row)
			// check would refuse the whole table for such a column.
			for c := range row {
				if s := shapeOf[kindOf(x.Name)]; s != nil && s.part(c) != nil {
					g.remark(where, "a column where the nested form holds objects is left out: "+quote(c))
					delete(row, c)
				}
			}
			g.row(x, row, where, fmt.Sprintf("row %d", i+1), seen)
		}
		list := make([]any, len(x.Rows))
		for i, r := range x.Rows {
			list[i] = r
		}
		out[file] = list
	}
	return &Document{Form: Tabular, Objects: []Object{out}}
}
