package door

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"krama"
	"krama/exchange"
	"krama/exchange/hsds"
	"krama/locale"
)

// hsdsData is the public directory as HSDS 3.0, made when the pages are.
type hsdsData struct {
	// By the names of the lists in addresses. Shared by all requests, and never changed.
	kinds   map[string]*hsdsKind
	openapi []byte
}

// hsdsKind is one list of the interface. Items are in the order of the directory.
type hsdsKind struct {
	// full is an object with what belongs to it, brief what a page of a list shows of it.
	ids         []string
	full, brief map[string]json.RawMessage
	meta        map[string]hsdsMeta
}

// hsdsMeta is what a list can be narrowed by.
type hsdsMeta struct {
	text     string // lower case
	terms    map[string]bool
	taxonomy map[string]bool
	org      string
	modified time.Time
	day      string
	parent   string
}

// hsdsLists are the lists by their names in addresses, and the filters each has.
var hsdsLists = []struct {
	name    string
	kind    hsds.Kind
	filters []string
}{
	{"services", hsds.Service, []string{"search", "page", "per_page", "format", "taxonomy_term_id", "taxonomy_id",
		"organization_id", "modified_after", "minimal", "full"}},
	{"organizations", hsds.Organization, []string{"search", "full_service", "full", "page", "per_page", "format",
		"taxonomy_term_id", "taxonomy_id"}},
	{"service_at_locations", hsds.ServiceAtLocation, []string{"search", "taxonomy_term_id", "taxonomy_id",
		"organization_id", "modified_after", "full", "page", "per_page", "format"}},
	{"taxonomies", hsds.Taxonomy, []string{"search", "page", "per_page", "format"}},
	{"taxonomy_terms", hsds.TaxonomyTerm, []string{"search", "page", "per_page", "format", "taxonomy_id"}},
}

// makeHSDS writes the public directory down as HSDS, once for all who ask.
func (d *Door) makeHSDS(p *pages) (*hsdsData, error) {
	const op = "door.makeHSDS"
	// Its readers are other programs: the words of closed lists are in English. From the public part only, as the pages
	// are.
	en := locale.New("en")
	t := exchange.HSDS(p.door.Views(p.today), d.Guide, p.today, func(k string) string { return en.T(k) })
	out := &hsdsData{kinds: map[string]*hsdsKind{}}
	for _, l := range hsdsLists {
		full, err := t.Full(l.kind)
		if err != nil {
			return nil, krama.Wrap(op, err)
		}
		brief, err := t.Brief(l.kind)
		if err != nil {
			return nil, krama.Wrap(op, err)
		}
		k := &hsdsKind{full: map[string]json.RawMessage{}, brief: map[string]json.RawMessage{},
			meta: map[string]hsdsMeta{}}
		for i, o := range full {
			id, _ := o["id"].(string)
			f, err1 := json.Marshal(o)
			b, err2 := json.Marshal(brief[i])
			if err1 != nil || err2 != nil {
				return nil, krama.E(op, krama.Internal, "an object that JSON cannot hold")
			}
			k.ids = append(k.ids, id)
			k.full[id], k.brief[id] = f, b
			// Gathered now: a search only compares.
			m := hsdsMeta{text: strings.ToLower(texts(o)), terms: map[string]bool{}, taxonomy: map[string]bool{}}
			m.walk(o)
			k.meta[id] = m
		}
		out.kinds[l.name] = k
	}
	var err error
	out.openapi, err = json.MarshalIndent(openapi(), "", " ")
	return out, krama.Wrap(op, err)
}

// texts are all the words of an object, for searching.
func texts(v any) string {
	switch x := v.(type) {
	case string:
		return x + " "
	case []any:
		var b strings.Builder
		for _, y := range x {
			b.WriteString(texts(y))
		}
		return b.String()
	case hsds.Object:
		var b strings.Builder
		// Ids are no words: a search for part of one would find everything that refers to it.
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if k != "id" && !strings.HasSuffix(k, "_id") {
				b.WriteString(texts(x[k]))
			}
		}
		return b.String()
	}
	return ""
}

// walk gathers what an object can be found by, in it and in what is nested in it.
func (m *hsdsMeta) walk(v any) {
	switch x := v.(type) {
	case []any:
		for _, y := range x {
			m.walk(y)
		}
	case hsds.Object:
		// HSDS nests a term in an attribute and its taxonomy in the term, whole or as an id.
		if term, ok := x["taxonomy_term"].(hsds.Object); ok {
			m.terms[fmt.Sprint(term["id"])] = true
			if tax, ok := term["taxonomy_detail"].(hsds.Object); ok {
				m.taxonomy[fmt.Sprint(tax["id"])] = true
			}
			if id, ok := term["taxonomy_id"].(string); ok {
				m.taxonomy[id] = true
			}
		}
		if tax, ok := x["taxonomy_detail"].(hsds.Object); ok {
			m.taxonomy[fmt.Sprint(tax["id"])] = true
		}
		if id, ok := x["taxonomy_id"].(string); ok {
			m.taxonomy[id] = true
		}
		if o, ok := x["organization"].(hsds.Object); ok {
			m.org = fmt.Sprint(o["id"])
		}
		// An object is as new as the newest thing in it.
		if s, ok := x["last_modified"].(string); ok {
			if t, err := time.Parse(time.RFC3339, s); err == nil && t.After(m.modified) {
				m.modified, m.day = t, s
			}
		}
		for k, y := range x {
			// An organisation's own terms are not its services'.
			if k != "organization" {
				m.walk(y)
			}
		}
	}
}

// hsdsRoutes registers the interface. A list can be asked for by POST too, so that what is looked for stands in no
// address.
func (d *Door) hsdsRoutes() {
	d.mux.HandleFunc("GET /hsds", d.hsdsBase)
	d.mux.HandleFunc("GET /hsds/{$}", d.hsdsBase)
	d.mux.HandleFunc("GET /hsds/openapi.json", func(w http.ResponseWriter, r *http.Request) {
		sendJSON(w, d.now.Load().hsds.openapi)
	})
	d.mux.HandleFunc("GET /hsds/{list}", d.hsdsList)
	d.mux.HandleFunc("POST /hsds/{list}", d.hsdsList)
	d.mux.HandleFunc("GET /hsds/{list}/{id}", d.hsdsOne)
}

// sendJSON sends bytes that are JSON already.
func sendJSON(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(b)
}

// hsdsError says what was wrong with a request, without repeating any of it.
func hsdsError(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": why})
}

// scheme is how the caller reached us: behind a proxy or with a certificate of our own the address is https.
func scheme(r *http.Request) string {
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https://"
	}
	return "http://"
}

// hsdsBase tells a program what this is and where it is described.
func (d *Door) hsdsBase(w http.ResponseWriter, r *http.Request) {
	at := scheme(r) + r.Host + "/hsds/"
	b, _ := json.Marshal(map[string]string{"version": "3.0", "profile": at, "openapi_url": at + "openapi.json"})
	sendJSON(w, b)
}

// hsdsOne is one object, whole.
func (d *Door) hsdsOne(w http.ResponseWriter, r *http.Request) {
	k := d.now.Load().hsds.kinds[r.PathValue("list")]
	if k == nil {
		hsdsError(w, http.StatusNotFound, "no such list")
		return
	}
	b, ok := k.full[r.PathValue("id")]
	if !ok {
		hsdsError(w, http.StatusNotFound, "no such id")
		return
	}
	sendJSON(w, b)
}

// parameters are those of the address, or of a posted form or JSON object: posting keeps what is looked for out of
// addresses.
func parameters(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	if r.Method != http.MethodPost {
		v, err := url.ParseQuery(r.URL.RawQuery)
		return v, err == nil
	}
	// 16 KiB is far more than all filters together need.
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<10))
	if err != nil {
		return nil, false
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if len(bytes.TrimSpace(b)) == 0 {
			return url.Values{}, true
		}
		var in map[string]any
		dec := json.NewDecoder(bytes.NewReader(b))
		// A number stays as it was written: a large one would become a power of ten otherwise.
		dec.UseNumber()
		if dec.Decode(&in) != nil {
			return nil, false
		}
		v := url.Values{}
		for k, x := range in {
			switch x.(type) {
			case string, json.Number, bool:
				v.Set(k, fmt.Sprint(x))
			default:
				return nil, false
			}
		}
		return v, true
	}
	v, err := url.ParseQuery(string(b))
	return v, err == nil
}

// maxPerPage bounds a page of a list. Who asks for more gets so many and is told how many pages there are.
const maxPerPage = 200

// hsdsList is a page of a list, narrowed by what was asked. A parameter with a value that it cannot have is refused;
// one that is not known here is passed over.
func (d *Door) hsdsList(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("list")
	k := d.now.Load().hsds.kinds[name]
	if k == nil {
		hsdsError(w, http.StatusNotFound, "no such list")
		return
	}
	v, ok := parameters(w, r)
	if !ok {
		hsdsError(w, http.StatusBadRequest, "the parameters cannot be read")
		return
	}
	pageNo, ok1 := number(v, "page", 1, 1<<31)
	per, ok2 := number(v, "per_page", 50, maxPerPage)
	full, ok3 := truth(v, "full")
	minimal, ok4 := truth(v, "minimal")
	// Known to the standard and without effect here: it must be well formed all the same.
	_, ok5 := truth(v, "full_service")
	after, ok6 := moment(v.Get("modified_after"))
	format := v.Get("format")
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || format != "" && format != "json" && format != "ndjson" {
		hsdsError(w, http.StatusBadRequest, "a parameter has a value that it cannot have")
		return
	}
	var found []string
	search := strings.ToLower(v.Get("search"))
	for _, id := range k.ids {
		// No term has a parent in this directory, so whoever asks for the children of one finds nothing.
		m := k.meta[id]
		if search != "" && !strings.Contains(m.text, search) || v.Get("taxonomy_term_id") != "" &&
			!m.terms[v.Get("taxonomy_term_id")] ||
			v.Get("taxonomy_id") != "" && !m.taxonomy[v.Get("taxonomy_id")] || v.Get("organization_id") != "" &&
			m.org != v.Get("organization_id") ||
			!after.IsZero() && m.modified.Before(after) || v.Get("parent_id") != "" {
			continue
		}
		found = append(found, id)
	}
	item := func(id string) json.RawMessage {
		switch {
		case minimal:
			b, _ := json.Marshal(map[string]string{"id": id, "last_modified": k.meta[id].day})
			return b
		case full:
			return k.full[id]
		}
		return k.brief[id]
	}
	w.Header().Set("Cache-Control", "no-store")
	// All of them, a line each: this form has no pages.
	if format == "ndjson" {
		w.Header().Set("Content-Type", "application/x-ndjson")
		for _, id := range found {
			w.Write(append(bytes.Clone(item(id)), '\n'))
		}
		return
	}
	// Ids and days are asked for to compare a whole directory, so they come in one piece.
	if minimal && v.Get("per_page") == "" {
		per = max(1, len(found))
	}
	total := (len(found) + per - 1) / per
	from := min(len(found), (pageNo-1)*per)
	shown := found[from:min(len(found), from+per)]
	if pageNo > max(1, total) {
		hsdsError(w, http.StatusNotFound, "there are not so many pages")
		return
	}
	// The frame alone. Its opening brace is left out below, where the contents stand before it.
	b, _ := json.Marshal(map[string]any{"total_items": len(found), "total_pages": total, "page_number": pageNo,
		"size":       len(shown),
		"first_page": pageNo == 1, "last_page": pageNo >= total, "empty": len(shown) == 0})
	w.Header().Set("Content-Type", "application/json")
	// piece by piece from what all requests share: who does not read holds no list of her own
	io.WriteString(w, `{"contents":[`)
	for i, id := range shown {
		if i > 0 {
			io.WriteString(w, ",")
		}
		w.Write(item(id))
	}
	io.WriteString(w, "],")
	w.Write(b[1:])
}

// number reads a parameter from 1 up. A page past most is refused, a size past it is cut to it.
func number(v url.Values, name string, def, most int) (int, bool) {
	if v.Get(name) == "" {
		return def, true
	}
	n, err := strconv.Atoi(v.Get(name))
	if err != nil || n < 1 || n > most && name == "page" {
		return 0, false
	}
	return min(n, most), true
}

// truth reads a parameter that is true or false, as text or as JSON.
func truth(v url.Values, name string) (bool, bool) {
	switch v.Get(name) {
	case "", "false":
		return false, true
	case "true":
		return true, true
	}
	return false, false
}

// moment reads a day or a time; nothing is no bound. A time without a zone is UTC.
func moment(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// openapi describes the interface as it is served.
func openapi() map[string]any {
	answer := func(what string) map[string]any {
		return map[string]any{"200": map[string]any{"description": what,
			"content": map[string]any{"application/json": map[string]any{"schema": map[string]any{"type": "object"}}}}}
	}
	paths := map[string]any{"/": map[string]any{"get": map[string]any{
		"summary": "Version, profile and description of this interface", "responses": answer("What this is")}}}
	for _, l := range hsdsLists {
		var ps []any
		props := map[string]any{}
		for _, f := range l.filters {
			// Every filter that is not listed here is a text.
			typ := map[string]any{"type": map[string]string{"page": "integer", "per_page": "integer", "full": "boolean",
				"minimal": "boolean", "full_service": "boolean"}[f]}
			if typ["type"] == "" {
				typ["type"] = "string"
			}
			ps = append(ps, map[string]any{"name": f, "in": "query", "required": false, "schema": typ})
			props[f] = typ
		}
		body := map[string]any{"schema": map[string]any{"type": "object", "properties": props}}
		paths["/"+l.name] = map[string]any{
			"get": map[string]any{"summary": "A page of " + l.name, "parameters": ps, "responses": answer("A page")},
			"post": map[string]any{
				"summary": "The same, with the parameters in the body, so that what is looked for stands in no " +
					"address",
				"responses": answer("A page"),
				"requestBody": map[string]any{"content": map[string]any{"application/json": body,
					"application/x-www-form-urlencoded": body}}}}
		paths["/"+l.name+"/{id}"] = map[string]any{"get": map[string]any{"summary": "One of " + l.name + ", whole",
			"responses": answer("The object"),
			"parameters": []any{map[string]any{"name": "id", "in": "path", "required": true,
				"schema": map[string]any{"type": "string", "format": "uuid"}}}}}
	}
	return map[string]any{"openapi": "3.1.0", "info": map[string]any{"title": "HSDS 3.0, read only", "version": "3.0"},
		"servers": []any{map[string]any{"url": "/hsds"}}, "paths": paths}
}
