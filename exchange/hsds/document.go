package hsds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"krama"
)

// Form is how objects stand in a JSON text.
type Form uint8

// The forms.
const (
	One     Form = iota // one object, as /services/{id} answers
	List                // an array of objects
	Page                // what /services answers: {"total_items": …, "contents": […]}
	Lines               // an object a line, as format=ndjson answers
	Base                // what / answers: version, profile, openapi_url
	Tabular             // tables in JSON: {"services.csv": [{…}], …}
)

// A Document is one JSON text of the nested form (or a tabular.json), as it was read.
type Document struct {
	Form Form

	// Kind is what every object is; "" for Base and Tabular. JSON does not say it, so ReadJSON guesses from the names
	// of the properties and leaves "" when more than one kind fits. Set it where you know.
	Kind Kind

	Objects []Object // one for One, Base and Tabular
	Page    Object   // the properties beside contents; nil unless the form is Page
}

// ReadJSON reads one text of UTF-8, with or without a byte order mark.
//
// It returns Invalid for what is not JSON or not of one of the forms, for a name twice in one object, an id twice among
// Objects, or half of a surrogate pair; TooLarge beyond MaxBytes, MaxObjects or MaxDepth. An empty text is Invalid: an
// empty list in the form Lines cannot be told from a lost answer.
func ReadJSON(r io.Reader) (*Document, error) {
	const op = "hsds.ReadJSON"
	b, err := readAll(op, r, MaxBytes)
	if err != nil {
		return nil, err
	}
	dec := &decoder{op: op, objects: MaxObjects}
	d := &Document{}
	// Lines are tried only where the text is not one JSON value as a whole.
	if json.Valid(b) {
		v, err := dec.decode(b)
		if err != nil {
			return nil, err
		}
		if err := d.take(op, v); err != nil {
			return nil, err
		}
	} else if err := d.takeLines(op, dec, b); err != nil {
		return nil, err
	}
	// In tables the two would be one row.
	seen := map[string]bool{}
	for _, o := range d.Objects {
		if id, ok := o["id"].(string); ok && seen[id] {
			return nil, krama.E(op, krama.Invalid, "an id twice in one list")
		} else if ok {
			seen[id] = true
		}
	}
	// What these two hold has no kind.
	if d.Form != Base && d.Form != Tabular {
		d.Kind = guess(d.Objects)
	}
	return d, nil
}

// take finds out which form a value is of. An object that is of no other form is One.
func (d *Document) take(op string, v any) (err error) {
	switch v := v.(type) {
	case []any:
		d.Form = List
		d.Objects, err = objects(op, v)
		return err
	case Object:
		if contents, ok := v["contents"].([]any); ok {
			d.Form, d.Page = Page, v
			delete(v, "contents")
			d.Objects, err = objects(op, contents)
			return err
		}
		d.Objects = []Object{v}
		switch {
		case isTabular(v):
			d.Form = Tabular
		case v["id"] == nil && v["version"] != nil && (v["profile"] != nil || v["openapi_url"] != nil):
			d.Form = Base
		}
		return nil
	}
	return krama.E(op, krama.Invalid, "neither an object nor an array")
}

// takeLines reads an object a line; blank lines are passed over. Its error names the first line that holds something
// else.
func (d *Document) takeLines(op string, dec *decoder, b []byte) error {
	d.Form = Lines
	n := 0
	for line := range bytes.Lines(b) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if !json.Valid(line) {
			var x any
			return &krama.Error{Op: op, Kind: krama.Invalid,
				Why: fmt.Sprintf("not JSON, and line %d of it is not either", n), Err: json.Unmarshal(line, &x)}
		}
		v, err := dec.decode(line)
		if err != nil {
			return err
		}
		o, ok := v.(Object)
		if !ok {
			return krama.E(op, krama.Invalid, fmt.Sprintf("line %d is not an object", n))
		}
		d.Objects = append(d.Objects, o)
	}
	if len(d.Objects) == 0 {
		return krama.E(op, krama.Invalid, "empty")
	}
	return nil
}

// objects are the objects of a list that may hold nothing else.
func objects(op string, list []any) ([]Object, error) {
	out := make([]Object, 0, len(list))
	for _, v := range list {
		o, ok := v.(Object)
		if !ok {
			return nil, krama.E(op, krama.Invalid, "a list holds something other than objects")
		}
		out = append(out, o)
	}
	return out, nil
}

// isTabular reports whether an object has files for names; no property of the specification ends so.
func isTabular(o Object) bool {
	for name := range o {
		if !strings.HasSuffix(strings.ToLower(name), ".csv") {
			return false
		}
	}
	return len(o) > 0
}

// guess returns the one kind whose required properties are all there and which knows most of the others.
func guess(all []Object) (best Kind) {
	if len(all) == 0 {
		return ""
	}
	most := 0
	for _, s := range shapes {
		fits := !slices.ContainsFunc(all, func(o Object) bool {
			return slices.ContainsFunc(s.required, func(name string) bool { _, has := o[name]; return !has })
		})
		if !fits {
			continue
		}
		known := 0
		for _, o := range all {
			for name := range o {
				if slices.Contains(s.columns, name) || s.part(name) != nil {
					known++
				}
			}
		}
		// Two kinds that fit alike are no answer: whoever reads must say which.
		if known > most {
			best, most = s.kind, known
		} else if known == most {
			best = ""
		}
	}
	return best
}

// part is the part of a kind that has a name, or nil.
func (s *shape) part(name string) *part {
	for i := range s.parts {
		if s.parts[i].name == name {
			return &s.parts[i]
		}
	}
	return nil
}

// WriteJSON writes the document in its form, indented but for Lines, with the names of each object in alphabetical
// order. ReadJSON reads it as the same values. It returns Invalid for a value that is none of Object's, TooLarge beyond
// MaxBytes, and otherwise what w returns.
func (d *Document) WriteJSON(w io.Writer) error {
	const op = "hsds.WriteJSON"
	var b []byte
	var err error
	switch d.Form {
	case List:
		b, err = encode(op, or(d.Objects), "  ")
	case Page:
		// The contents are Objects, whatever Page has under that name.
		page := Object{"contents": or(d.Objects)}
		for name, v := range d.Page {
			if name != "contents" {
				page[name] = v
			}
		}
		b, err = encode(op, page, "  ")
	case Lines:
		for _, o := range d.Objects {
			line, e := encode(op, o, "")
			if e != nil {
				return e
			}
			b = append(b, line...)
		}
	default:
		if len(d.Objects) != 1 {
			return krama.E(op, krama.Invalid, "this form holds one object")
		}
		b, err = encode(op, d.Objects[0], "  ")
	}
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return krama.Wrap(op, err)
}

// or makes an empty list of a nil one, which JSON would write as null.
func or(list []Object) []Object {
	if list == nil {
		return []Object{}
	}
	return list
}
