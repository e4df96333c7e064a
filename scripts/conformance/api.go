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

// check1 reports whether an answer was valid and whether broken it is not.
func (a *api) check1(name, sch string, v object, err error) {
	if err != nil {
		a.report.check(name+" is valid", err)
		return
	}
	n, err := a.refuses(a.byName[sch], v)
	a.report.check(fmt.Sprintf("%s is valid, and broken in %d ways is not", name, n), err)
}

// size is how much an object says.
func size(o object) int {
	var b bytes.Buffer
	json.NewEncoder(&b).Encode(o)
	return b.Len()
}
