package main

import (
	"fmt"
	"net/url"
	"strings"
)

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
