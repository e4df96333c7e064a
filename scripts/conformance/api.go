package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// An api is the running API under test.
type api struct {
	*report
	*schemas
	base string
	http http.Client
}

// A resource is one kind of object that the API serves at /path and /path/{id}.
type resource struct {
	path    string
	item    string // the schema of one of a list's contents
	one     string // the schema of one object with all that belongs to it
	filters []string
	bools   []string // parameters that are true or false
	ids     []string // found by walking the list
	items   []object // of the list, in its order
	full    map[string]object
}

// listed are the parameters of every list: the API's description of itself must name them.
var listed = []string{"search", "page", "per_page", "format"}

// resources are the five of the specification's openapi.json. It names service.json for one service at location, by
// mistake: its own example of one does not pass that, and passes service_at_location.json.
func resources() []*resource {
	return []*resource{
		{path: "services", item: "compiled/service_list.json", one: "compiled/service.json",
			filters: []string{"taxonomy_term_id", "taxonomy_id", "organization_id", "modified_after"},
			bools:   []string{"minimal", "full"}},
		{path: "organizations", item: "compiled/organization_list.json", one: "compiled/organization.json",
			bools: []string{"full", "full_service"}},
		{path: "service_at_locations", item: "compiled/service_at_location_list.json",
			one:     "compiled/service_at_location.json",
			filters: []string{"taxonomy_term_id", "taxonomy_id", "organization_id", "modified_after"},
			bools:   []string{"full"}},
		{path: "taxonomies", item: "taxonomy.json", one: "taxonomy.json"},
		{path: "taxonomy_terms", item: "taxonomy_term.json", one: "taxonomy_term.json",
			filters: []string{"taxonomy_id"}},
	}
}

// maxAnswer bounds what one answer may hold.
// An API that does not stop must not fill the memory here.
const maxAnswer = 64 << 20

// An answer is what came back.
type answer struct {
	status int
	typ    string
	body   []byte
}

// get asks for a path below the base.
func (a *api) get(path string, q url.Values) (*answer, error) {
	u := a.base + path
	if len(q) > 0 {
		u += "?" + q.Encode()
	}
	req, err := http.NewRequest("GET", u, nil)
	if err != nil {
		return nil, err
	}
	return a.do(req)
}

// post asks with a body, as a client does whose words must not stand in an address.
func (a *api) post(path, typ, body string) (*answer, error) {
	req, err := http.NewRequest("POST", a.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", typ)
	return a.do(req)
}

// do reads a whole answer and does not judge its status: some checks want a refusal.
func (a *api) do(req *http.Request) (*answer, error) {
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	// One byte more than is allowed, so that an answer which is cut is not taken for a whole one.
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(b) > maxAnswer {
		err = fmt.Errorf("an answer of more than %d bytes", maxAnswer)
	}
	return &answer{resp.StatusCode, resp.Header.Get("Content-Type"), b}, err
}

// json returns the value of an answer that is 200 and JSON.
func (x *answer) json() (any, error) {
	if x.status != 200 {
		return nil, fmt.Errorf("status %d, want 200", x.status)
	}
	if !strings.HasPrefix(x.typ, "application/json") {
		return nil, fmt.Errorf("content type %q, want application/json", x.typ)
	}
	if !json.Valid(x.body) {
		return nil, fmt.Errorf("not JSON")
	}
	return decode(x.body)
}

// object fetches one object and validates it.
func (a *api) object(path string, q url.Values, sch string) (object, error) {
	x, err := a.get(path, q)
	if err != nil {
		return nil, err
	}
	v, err := x.json()
	if err != nil {
		return nil, err
	}
	if err := a.byName[sch].Validate(v); err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("not an object")
	}
	return o, nil
}

// status fetches and compares the status alone.
func (a *api) status(path string, q url.Values, want ...int) error {
	x, err := a.get(path, q)
	if err != nil {
		return err
	}
	for _, w := range want {
		if x.status == w {
			return nil
		}
	}
	return fmt.Errorf("status %d, want %d", x.status, want)
}

// check runs every check. Each needs what those before it found: lists give ids, ids the full objects, and filters are
// held to both.
func (a *api) check() {
	base, err := a.object("/", nil, "base")
	if err == nil && !strings.HasPrefix(fmt.Sprint(base["version"]), "3.") {
		err = fmt.Errorf("version %v, want 3.x", base["version"])
	}
	a.check1("/", "base", base, err)
	a.checkOpenAPI()
	all := resources()
	byPath := map[string]*resource{}
	for _, r := range all {
		byPath[r.path] = r
		a.checkList(r)
		a.checkEach(r)
		a.checkForms(r)
		a.checkRefusals(r)
	}
	// Filters by an organization or a taxonomy need those lists, so all lists are walked before.
	for _, r := range all {
		a.checkFilters(r, byPath)
		a.checkTwins(r)
	}
	a.report.check("/nothing is 404", a.status("/nothing", nil, 404))
}

// check1 reports whether an answer was valid and whether broken it is not.
func (a *api) check1(name, sch string, v object, err error) {
	if err != nil {
		a.report.check(name+" is valid", err)
		return
	}
	n, err := a.refuses(a.byName[sch], v)
	a.report.check(fmt.Sprintf("%s is valid, and broken in %d ways is not", name, n), err)
}

// checkEach fetches every object by its id.
func (a *api) checkEach(r *resource) {
	r.full = map[string]object{}
	var failed error
	var richest object // the one that says most is broken in most ways
	for _, id := range r.ids {
		o, err := a.object("/"+r.path+"/"+url.PathEscape(id), nil, r.one)
		if err == nil && o["id"] != id {
			err = fmt.Errorf("it has another id")
		}
		if err != nil {
			failed = fmt.Errorf("%s: %w", id, err)
			break
		}
		r.full[id] = o
		if richest == nil || size(o) > size(richest) {
			richest = o
		}
	}
	if failed == nil && richest == nil {
		failed = fmt.Errorf("nothing to fetch")
	}
	a.check1(fmt.Sprintf("/%s/{id} of %d", r.path, len(r.ids)), r.one, richest, failed)
}

// size is how much an object says.
func size(o object) int {
	var b bytes.Buffer
	json.NewEncoder(&b).Encode(o)
	return b.Len()
}

// checkRefusals asks for what is not there and in ways that cannot be meant.
func (a *api) checkRefusals(r *resource) {
	list := "/" + r.path
	a.report.check(list+"/{unknown id} is 404", a.status(list+"/00000000-0000-4000-8000-00000000dead", nil, 404))
	a.report.check(list+"/{no id} is 404 or 400", a.status(list+"/nobody", nil, 404, 400))
	// What cannot be meant must be refused: an API that takes page 0 for page 1 hides a client's fault from it.
	bad := map[string][]string{"page": {"0", "-1", "x", "1.5", "99999999999999999999"}, "per_page": {"0", "-1", "x"},
		"format": {"xml"}}
	for _, f := range r.filters {
		if f == "modified_after" {
			bad[f] = []string{"yesterday", "2026-13-01"}
		}
	}
	for _, b := range r.bools {
		bad[b] = []string{"perhaps"}
	}
	var err error
	for name, values := range bad {
		for _, v := range values {
			if e := a.status(list, url.Values{name: {v}}, 400); e != nil {
				err = fmt.Errorf("%s=%s: %w", name, v, e)
			}
		}
	}
	a.report.check(list+" with bad parameters is 400", err)
}

// checkOpenAPI holds the API's description of itself to what it serves.
func (a *api) checkOpenAPI() {
	const name = "/openapi.json describes every path"
	x, err := a.get("/openapi.json", nil)
	if err != nil {
		a.report.check(name, err)
		return
	}
	doc, err := x.json()
	if err != nil {
		a.report.check(name, err)
		return
	}
	// All that is missing is told at once: whoever mends it wants the whole list.
	var missing []string
	if v, _ := at(doc, "openapi").(string); !strings.HasPrefix(v, "3.1") {
		missing = append(missing, `"openapi": "3.1…"`)
	}
	for _, p := range []string{"title", "version"} {
		if v, _ := at(doc, "info", p).(string); v == "" {
			missing = append(missing, "info."+p)
		}
	}
	// need takes down what the document does not say of one operation.
	need := func(path, method string, params ...string) {
		op, ok := at(doc, "paths", path, method).(object)
		if !ok || at(op, "responses", "200") == nil {
			missing = append(missing, method+" "+path)
			return
		}
		have := parameters(doc, op)
		for _, p := range params {
			if !have[p] {
				missing = append(missing, method+" "+path+" "+p)
			}
		}
	}
	need("/", "get")
	for _, r := range resources() {
		need("/"+r.path, "get", append(append(append([]string{}, listed...), r.filters...), r.bools...)...)
		need("/"+r.path, "post")
		need("/"+r.path+"/{id}", "get")
	}
	if missing != nil {
		err = fmt.Errorf("missing: %s", strings.Join(missing, ", "))
	}
	a.report.check(name, err)
}

// parameters are the names of an operation's, through references into the document.
func parameters(doc any, op object) map[string]bool {
	have := map[string]bool{}
	list, _ := op["parameters"].([]any)
	for _, p := range list {
		if ref, ok := at(p, "$ref").(string); ok {
			p = at(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
		if name, ok := at(p, "name").(string); ok {
			have[name] = true
		}
	}
	return have
}
