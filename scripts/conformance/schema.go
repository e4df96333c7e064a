package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// published is where the specification's openapi.json says its schemas are. They are read from the folder instead, and
// nothing is ever fetched.
const published = "https://raw.githubusercontent.com/openreferral/specification/3.0/schema/"

// object is a JSON object; numbers in it are json.Number.
type object = map[string]any

// A schema is one compiled schema and its source, which says how to break what it accepts.
type schema struct {
	name   string
	url    string
	source object
	*jsonschema.Schema
}

// Schemas are the specification's, by name: "page", "base", or a file as "compiled/service.json".
type schemas struct {
	files  folder
	byName map[string]*schema
}

// A folder loads the specification's schemas from disk.
type folder struct{ dir string }

// Load returns the schema at a published address.
func (f folder) Load(url string) (any, error) {
	// A reference must not lead out of the folder.
	name, ok := strings.CutPrefix(url, published)
	if !ok || !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, fmt.Errorf("%s is not the specification's", url)
	}
	file, err := os.Open(filepath.Join(f.dir, "schema", filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return jsonschema.UnmarshalJSON(file)
}

// load compiles all that a response or an example is held to.
func load(dir string) (*schemas, error) {
	s := &schemas{files: folder{dir}, byName: map[string]*schema{}}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020) // no schema names its draft
	// A format is held to: what is no address must not pass for one.
	c.AssertFormat()
	c.UseLoader(s.files)
	for _, name := range []string{"compiled/service.json", "compiled/service_list.json", "compiled/organization.json",
		"compiled/organization_list.json", "compiled/service_at_location.json",
		"compiled/service_at_location_list.json",
		"location.json", "taxonomy.json", "taxonomy_term.json"} {
		if err := s.add(c, name, published+name); err != nil {
			return nil, err
		}
	}
	doc, err := s.files.Load(published + "openapi.json")
	if err != nil {
		return nil, err
	}
	// The document requires nothing of these two. An answer without its counts, or without its version, says nothing,
	// so all that it names is required here.
	for name, path := range map[string][]string{
		"page": {"components", "schemas", "Page"},
		"base": {"paths", "/", "get", "responses", "200", "content", "application/json", "schema"},
	} {
		source, ok := at(doc, path...).(object)
		if !ok {
			return nil, fmt.Errorf("openapi.json has no %s", strings.Join(path, "/"))
		}
		properties, _ := source["properties"].(object)
		var required []any
		for p := range properties {
			required = append(required, p)
		}
		if name == "page" {
			properties["contents"] = object{"type": "array"}
			required = append(required, "contents")
		}
		source["required"] = required
		url := published + name + ".strict.json"
		if err := c.AddResource(url, source); err != nil {
			return nil, err
		}
		if err := s.compile(c, name, url, source); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add compiles a schema and keeps its source, which says how to break what it accepts.
func (s *schemas) add(c *jsonschema.Compiler, name, url string) error {
	doc, err := s.files.Load(url)
	if err != nil {
		return err
	}
	source, ok := doc.(object)
	if !ok {
		return fmt.Errorf("%s is no schema", name)
	}
	return s.compile(c, name, url, source)
}

func (s *schemas) compile(c *jsonschema.Compiler, name, url string, source object) error {
	compiled, err := c.Compile(url)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s.byName[name] = &schema{name: name, url: url, source: source, Schema: compiled}
	return nil
}

// at walks down objects.
// The result is nil where the way ends.
func at(v any, path ...string) any {
	for _, p := range path {
		o, _ := v.(object)
		v = o[p]
	}
	return v
}

// broken is one way to break a valid answer, in place.
type broken struct {
	name     string
	do, undo func()
}

// wrong is a value that each type and each format of the specification's schemas refuses.
var wrong = map[string]any{"string": object{"no": "string"}, "number": "seven", "integer": "seven", "boolean": "yes",
	"array": object{}, "object": []any{}, "uuid": "not-a-uuid", "uri": "no address", "email": "nobody",
	"date-time": "yesterday"}

// breaks lists every way that a schema gives to break v: each required property gone, each value of another type, null,
// out of its format or its enumeration. One place of a schema is broken once, however many objects stand there.
func (s *schemas) breaks(source object, base string, v any, where string, seen map[string]bool, all *[]broken) error {
	if ref, ok := source["$ref"].(string); ok {
		base = base[:strings.LastIndex(base, "/")+1] + ref // the plain schemas name their neighbours, nothing else
		doc, err := s.files.Load(base)
		if err != nil {
			return err
		}
		source, _ = doc.(object)
	}
	switch v := v.(type) {
	case []any:
		items, _ := source["items"].(object)
		for _, x := range v {
			if err := s.breaks(items, base, x, where+"[]", seen, all); err != nil {
				return err
			}
		}
	case object:
		add := func(kind, property string, do func()) {
			name := kind + " " + where + "/" + property
			if seen[name] {
				return
			}
			seen[name] = true
			// What stands there is taken now. Breaks are done and undone one after the other, so it is still what undo
			// must put back.
			old, had := v[property]
			*all = append(*all, broken{name, do, func() {
				if delete(v, property); had {
					v[property] = old
				}
			}})
		}
		required, _ := source["required"].([]any)
		for _, r := range required {
			add("drop", r.(string), func() { delete(v, r.(string)) })
		}
		properties, _ := source["properties"].(object)
		for name, p := range properties {
			x, there := v[name]
			if !there {
				continue
			}
			p := p.(object)
			typ, _ := p["type"].(string)
			// What is only a reference is taken for an object.
			if typ == "" && p["$ref"] != nil {
				typ = "object"
			}
			if bad, ok := wrong[typ]; ok {
				add("type", name, func() { v[name] = bad })
				add("null", name, func() { v[name] = nil })
			}
			if format, ok := p["format"].(string); ok {
				bad, ok := wrong[format]
				// Unnoticed, it would be a format that nobody checks.
				if !ok {
					return fmt.Errorf("%s/%s has a format that is not known here: %s", where, name, format)
				}
				add("format", name, func() { v[name] = bad })
			}
			if _, ok := p["enum"]; ok {
				add("enumeration", name, func() { v[name] = "open" })
			}
			if err := s.breaks(p, base, x, where+"/"+name, seen, all); err != nil {
				return err
			}
		}
	}
	return nil
}

// refuses breaks a valid answer in every way and returns how many ways there were, and an error naming those that still
// pass.
func (s *schemas) refuses(sch *schema, valid any) (int, error) {
	if err := sch.Validate(valid); err != nil {
		return 0, err
	}
	var all []broken
	if err := s.breaks(sch.source, sch.url, valid, "", map[string]bool{}, &all); err != nil {
		return 0, err
	}
	var passed []string
	// One at a time: of two faults the one would hide that the other passes.
	for _, b := range all {
		b.do()
		if sch.Validate(valid) == nil {
			passed = append(passed, b.name)
		}
		b.undo()
	}
	slices.Sort(passed)
	switch {
	case len(all) == 0:
		return 0, fmt.Errorf("no way to break it")
	case passed != nil:
		return len(all), fmt.Errorf("still passes: %s", strings.Join(passed, ", "))
	}
	return len(all), sch.Validate(valid) // undone, it passes again
}
