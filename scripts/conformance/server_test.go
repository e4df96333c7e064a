package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"krama/exchange/hsds"
)

func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// directory is an invented directory of n services.
func directory(n int) *hsds.Tables {
	t := &hsds.Tables{}
	add := func(k hsds.Kind, row hsds.Object) {
		x := t.Table(k)
		if x == nil {
			x = &hsds.Table{Name: hsds.TableOf(k), Columns: hsds.Columns(k)}
			t.Tables = append(t.Tables, x)
		}
		x.Rows = append(x.Rows, row)
	}
	for i := range 2 {
		add(hsds.Organization, hsds.Object{"id": id(100 + i), "name": fmt.Sprintf("Organization %c", 'A'+i),
			"description": "Invented",
			"email":       "desk@example.org", "year_incorporated": json.Number("2011")})
		add(hsds.Taxonomy, hsds.Object{"id": id(200 + i), "name": fmt.Sprintf("Taxonomy %c", 'A'+i),
			"description": "Invented", "uri": "https://example.org/t"})
		add(hsds.TaxonomyTerm, hsds.Object{"id": id(210 + i), "name": fmt.Sprintf("Term %c", 'A'+i),
			"description": "Invented", "taxonomy_id": id(200 + i)})
	}
	add(hsds.Location, hsds.Object{"id": id(300), "location_type": "virtual", "name": "A line"})
	for i := range n {
		add(hsds.Service, hsds.Object{"id": id(i), "organization_id": id(100 + i%2),
			"name":   "Service " + strings.Repeat(string(rune('a'+i)), 5),
			"status": "active", "last_modified": fmt.Sprintf("2026-03-%02dT08:00:00Z", 1+i),
			"minimum_age": json.Number("15")})
		add(hsds.Phone, hsds.Object{"id": id(400 + i), "service_id": id(i), "number": "023 000 001"})
		add(hsds.Attribute, hsds.Object{"id": id(500 + i), "link_id": id(i), "link_entity": "services",
			"taxonomy_term_id": id(210 + i/2%2)})
		add(hsds.ServiceAtLocation, hsds.Object{"id": id(600 + i), "service_id": id(i), "location_id": id(300)})
	}
	return t
}

var kinds = map[string]hsds.Kind{"services": hsds.Service, "organizations": hsds.Organization,
	"service_at_locations": hsds.ServiceAtLocation, "taxonomies": hsds.Taxonomy, "taxonomy_terms": hsds.TaxonomyTerm}

// A server is a small HSDS API in memory. Fault is the one thing that it does wrong.
type server struct {
	tables *hsds.Tables
	fault  string
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/hsds")
	switch path {
	case "/":
		base := object{"version": "3.0", "profile": "https://example.org/profile",
			"openapi_url": "https://example.org/openapi.json"}
		if s.fault == "relative address" {
			base["profile"] = "profile"
		}
		reply(w, 200, base)
		return
	case "/openapi.json":
		reply(w, 200, s.openapi())
		return
	}
	name, one, isOne := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	k, ok := kinds[name]
	if !ok {
		reply(w, 404, nil)
		return
	}
	if isOne {
		all, err := s.tables.Full(k, one)
		if err != nil {
			if s.fault == "200 for nobody" {
				reply(w, 200, object{})
				return
			}
			reply(w, 404, nil)
			return
		}
		if s.fault == "another object" {
			all, _ = s.tables.Full(k)
		}
		reply(w, 200, all[0])
		return
	}
	q, ok := query(r)
	if r.Method == "POST" && s.fault == "deaf to posts" {
		q = url.Values{}
	}
	if !ok {
		reply(w, 400, nil)
		return
	}
	s.list(w, name, k, q)
}

func query(r *http.Request) (url.Values, bool) {
	if r.Method != "POST" {
		return r.URL.Query(), true
	}
	if r.Header.Get("Content-Type") != "application/json" {
		return r.PostForm, r.ParseForm() == nil
	}
	var body object
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	if d.Decode(&body) != nil {
		return nil, false
	}
	q := url.Values{}
	for k, v := range body {
		q.Set(k, fmt.Sprint(v))
	}
	return q, true
}

// number reads a positive number, or 0 for a bad one.
func number(q url.Values, name string, otherwise int) int {
	if !q.Has(name) {
		return otherwise
	}
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 1 {
		return 0
	}
	return n
}

func (s *server) list(w http.ResponseWriter, name string, k hsds.Kind, q url.Values) {
	page, per := number(q, "page", 1), number(q, "per_page", 50)
	bad := page == 0 || per == 0 || q.Has("format") && q.Get("format") != "ndjson" && q.Get("format") != "json"
	for _, b := range []string{"full", "minimal", "full_service"} {
		bad = bad || q.Has(b) && q.Get(b) != "true" && q.Get(b) != "false"
	}
	if after := q.Get("modified_after"); after != "" {
		_, err := time.Parse(time.DateOnly, after)
		bad = bad || err != nil
	}
	if bad && s.fault != "forgives all" {
		reply(w, 400, nil)
		return
	}
	page, per = max(page, 1), max(per, 1)
	full, _ := s.tables.Full(k)
	brief, _ := s.tables.Brief(k)
	items := []any{}
	for i, o := range full {
		if !s.matches(o, q) {
			continue
		}
		switch {
		case q.Get("full") == "true":
			items = append(items, o)
		case q.Get("minimal") == "true" && s.fault != "never minimal":
			items = append(items, object{"id": o["id"], "last_modified": o["last_modified"]})
		default:
			items = append(items, brief[i])
		}
		if last, _ := items[len(items)-1].(object); s.fault == "bad status" && last["status"] != nil {
			last["status"] = "open"
		} else if s.fault == "no name" && i == 1 {
			delete(last, "name")
		}
	}
	if q.Get("format") == "ndjson" {
		w.Header().Set("Content-Type", "application/x-ndjson")
		if s.fault == "lines are pages" {
			items = items[:min(len(items), 2)]
		}
		for _, o := range items {
			json.NewEncoder(w).Encode(o)
		}
		return
	}
	if len(q) == 0 && s.fault == "text" {
		w.Write([]byte("{}"))
		return
	}
	pages := int(math.Ceil(float64(len(items)) / float64(per)))
	from := min((page-1)*per, len(items))
	if s.fault == "pages overlap" && from > 0 {
		from--
	}
	contents := items[from:min(from+per, len(items))]
	total := len(items)
	if s.fault == "miscounts" {
		total++
	}
	reply(w, 200, object{"total_items": total, "total_pages": pages, "page_number": page, "size": len(contents),
		"first_page": page == 1, "last_page": page >= pages || s.fault == "always last", "empty": len(contents) == 0,
		"contents": contents})
}

func (s *server) matches(o object, q url.Values) bool {
	b := new(bytes.Buffer)
	json.NewEncoder(b).Encode(o)
	text := strings.ToLower(b.String())
	service := o
	if inner, ok := o["service"].(object); ok {
		service = inner
	}
	var tests []bool
	for name, v := range q {
		switch name {
		case "search":
			tests = append(tests, strings.Contains(text, strings.ToLower(v[0])))
		case "organization_id":
			tests = append(tests, at(service, "organization", "id") == v[0])
		case "taxonomy_term_id":
			tests = append(tests, strings.Contains(text, v[0]))
		case "taxonomy_id":
			tests = append(tests, strings.Contains(text, v[0]) && s.fault != "no taxonomies")
		case "modified_after":
			changed, _ := service["last_modified"].(string)
			tests = append(tests, changed >= v[0] || s.fault == "ignores dates")
		}
	}
	if s.fault == "combines with OR" && len(tests) > 0 {
		return slices.Contains(tests, true)
	}
	return !slices.Contains(tests, false)
}

func (s *server) openapi() object {
	ok := object{"200": object{"description": "what was asked for"}}
	paths := object{"/": object{"get": object{"responses": ok}}}
	for _, r := range resources() {
		var params []any
		for _, p := range slices.Concat(listed, r.filters, r.bools) {
			params = append(params, object{"name": p, "in": "query"})
		}
		if s.fault != "a path untold" || r.path != "taxonomies" {
			paths["/"+r.path] = object{"get": object{"parameters": params, "responses": ok},
				"post": object{"responses": ok}}
		}
		paths["/"+r.path+"/{id}"] = object{"get": object{"responses": ok}}
	}
	return object{"openapi": "3.1.0", "info": object{"title": "Invented", "version": "1"}, "paths": maps.Clone(paths)}
}
