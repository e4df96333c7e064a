package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	nonsense = "zqxjkvwqzzxjq" // in no directory
	nobody   = "00000000-0000-4000-8000-00000000dead"
)

// answers returns the ids that a list gives for parameters.
// It asks for as few pages as there may be, and every page is held to what it says of itself.
func (a *api) answers(r *resource, q url.Values) ([]string, error) {
	ids, _, err := a.walk("/"+r.path, q, r.item, min(max(len(r.ids), 1), maxPage))
	return ids, err
}

// A filter is what a list can be asked for, with the ids that it must and may answer.
type filter struct {
	name, value string
	must, may   map[string]bool
}

// set makes a set of ids, as must and may are.
func set(ids ...string) map[string]bool {
	m := map[string]bool{}
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// holds tells whether an answer has all that it must and nothing that it may not.
func (f *filter) holds(got []string) error {
	for id := range f.must {
		if !slices.Contains(got, id) {
			return fmt.Errorf("%s=%s: %s is missing", f.name, f.value, id)
		}
	}
	for _, id := range got {
		if !f.may[id] {
			return fmt.Errorf("%s=%s: %s does not belong", f.name, f.value, id)
		}
	}
	return nil
}

// checkFilters asks a list for each thing it can be asked for, and for two at once.
func (a *api) checkFilters(r *resource, by map[string]*resource) {
	// Every list takes search; what else it takes, the resource says.
	byName := map[string][]filter{"search": searches(r)}
	for _, name := range r.filters {
		switch name {
		case "organization_id":
			byName[name] = organizations(r, by["organizations"])
		case "taxonomy_term_id", "taxonomy_id":
			byName[name] = terms(r, name, by["taxonomy_terms"])
		case "modified_after":
			byName[name] = dates(r)
		}
	}
	for name, all := range byName {
		var err error
		// A filter that nothing can be asked of was not checked, and must not pass for one that was.
		if len(all) == 0 {
			err = errors.New("nothing in this directory to ask for")
		}
		for _, f := range all {
			got, e := a.answers(r, url.Values{f.name: {f.value}})
			if e == nil {
				e = f.holds(got)
			}
			if e != nil {
				err = e
				break
			}
		}
		a.report.check(fmt.Sprintf("/%s?%s of %d values", r.path, name, len(all)), err)
	}
	if len(byName) > 1 {
		a.report.check("/"+r.path+" filters combine with AND", a.and(r, byName))
	}
}

// and asks two things at once: the answer is what both alone have in common. One pair of them is always told apart from
// OR: something, and a word that is nowhere.
func (a *api) and(r *resource, byName map[string][]filter) error {
	var all []filter
	// In a fixed order, and three values of each at the most: every pair is a request.
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, byName[name][:min(3, len(byName[name]))]...)
	}
	alone := map[string][]string{}
	for _, f := range all {
		got, err := a.answers(r, url.Values{f.name: {f.value}})
		if err != nil {
			return err
		}
		alone[f.name+f.value] = got
	}
	for i, f := range all {
		for _, g := range all[:i] {
			if f.name == g.name {
				continue
			}
			got, err := a.answers(r, url.Values{f.name: {f.value}, g.name: {g.value}})
			if err != nil {
				return err
			}
			var want []string
			for _, id := range alone[f.name+f.value] {
				if slices.Contains(alone[g.name+g.value], id) {
					want = append(want, id)
				}
			}
			if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
				return fmt.Errorf("%s=%s and %s=%s: got %d, want %d", f.name, f.value, g.name, g.value,
					len(got), len(want))
			}
		}
	}
	return nil
}

// searches are words from names: the object must be found, in either case; and a word that is nowhere. What else is
// found is the API's own wisdom.
func searches(r *resource) (all []filter) {
	everything := set(r.ids...)
	for i, o := range r.items {
		name, _ := o["name"].(string)
		if s, ok := at(o, "service", "name").(string); ok {
			name = s // a service at location is found by its service
		}
		// Words of a to z, because how other scripts are cut into words is the API's affair; five of them are enough.
		words := strings.FieldsFunc(name, func(r rune) bool { return !('a' <= r|0x20 && r|0x20 <= 'z') })
		if len(words) == 0 || len(all) == 5 {
			continue
		}
		longest := slices.MaxFunc(words, func(a, b string) int { return len(a) - len(b) })
		all = append(all, filter{"search", strings.ToUpper(longest), set(r.ids[i]), everything})
	}
	if all == nil {
		return nil
	}
	// What is answered to a word that is nowhere does not belong. It comes first, so that the pairs of and always hold
	// it.
	return append([]filter{{"search", nonsense, nil, nil}}, all...)
}

// organizations are those that the list's objects name, and one that does not exist.
func organizations(r, orgs *resource) (all []filter) {
	for _, org := range orgs.ids {
		must := map[string]bool{}
		for i, o := range r.items {
			// By its id or as an object, in the object or in its service: each list says it in its own way.
			for _, id := range []any{at(o, "organization", "id"), o["organization_id"], at(o, "service", "organization",
				"id"), at(o, "service", "organization_id")} {
				if id == org {
					must[r.ids[i]] = true
				}
			}
		}
		if len(must) > 0 {
			all = append(all, filter{"organization_id", org, must, must})
		}
	}
	return absent(all, "organization_id")
}

// absent adds a filter by an id that nothing has.
func absent(all []filter, name string) []filter {
	if all == nil {
		return nil
	}
	return append(all, filter{name, nobody, nil, nil})
}

// terms are the taxonomy terms, or the taxonomies, that full objects carry. The object's own attributes must be found;
// whether those of what is nested in it count, the specification does not say.
func terms(r *resource, name string, known *resource) []filter {
	taxonomy := map[string]string{} // of a term
	for i, t := range known.items {
		// A term has its taxonomy as an object or by its id.
		id, _ := at(t, "taxonomy_detail", "id").(string)
		if id == "" {
			id, _ = t["taxonomy_id"].(string)
		}
		taxonomy[known.ids[i]] = id
	}
	by := map[string]*filter{}
	add := func(id, value string, must bool) {
		if value == "" {
			return
		}
		if by[value] == nil {
			by[value] = &filter{name, value, map[string]bool{}, map[string]bool{}}
		}
		if by[value].may[id] = true; must {
			by[value].must[id] = true
		}
	}
	if r == known { // terms by their taxonomy
		for _, id := range r.ids {
			add(id, taxonomy[id], true)
		}
	}
	for id, o := range r.full {
		own, _ := o["attributes"].([]any)
		// What a service carries, the service at a location carries as well.
		if service, ok := at(o, "service", "attributes").([]any); ok {
			own = append(slices.Clone(own), service...)
		}
		if r == known {
			continue
		}
		for value := range carried(own, name, taxonomy) {
			add(id, value, true)
		}
		// Deeper inside it may count or not.
		for value := range carried(o, name, taxonomy) {
			add(id, value, false)
		}
	}
	var all []filter
	for _, f := range by {
		all = append(all, *f)
	}
	// A map has no order, and two runs must print the same.
	slices.SortFunc(all, func(a, b filter) int { return strings.Compare(a.value, b.value) })
	return absent(all, name)
}

// carried are the ids of the terms, or of their taxonomies, anywhere in v.
func carried(v any, name string, taxonomy map[string]string) map[string]bool {
	out := map[string]bool{}
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				look(x)
			}
		case object:
			if id, ok := at(v, "taxonomy_term", "id").(string); ok {
				if name == "taxonomy_id" {
					id = taxonomy[id]
				}
				out[id] = true
			}
			for _, x := range v {
				look(x)
			}
		}
	}
	look(v)
	return out
}

// dates are the days that objects say they were changed on: those of that day and later must be found. An object
// without a date may be.
func dates(r *resource) (all []filter) {
	changed := map[string]string{} // the day, by id
	for i, o := range r.items {
		s, _ := o["last_modified"].(string)
		if s == "" {
			s, _ = at(o, "service", "last_modified").(string)
		}
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			changed[r.ids[i]] = t.UTC().Format(time.DateOnly)
		}
	}
	// On a day after all of them nothing that has a date is found.
	days := map[string]bool{"2999-12-31": true}
	for _, d := range changed {
		days[d] = true
	}
	for day := range days {
		f := filter{"modified_after", day, map[string]bool{}, map[string]bool{}}
		for _, id := range r.ids {
			if d, known := changed[id]; !known || d >= day {
				if f.may[id] = true; known {
					f.must[id] = true
				}
			}
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b filter) int { return strings.Compare(a.value, b.value) })
	if n := len(all); n > 8 { // the first, the last and some between
		all = append(slices.Clone(all[:4]), all[n-4:]...)
	}
	return all
}

// checkTwins asks the same by GET, by a posted form and by posted JSON: what is searched for need not stand in an
// address.
func (a *api) checkTwins(r *resource) {
	list := "/" + r.path
	word := nonsense
	if s := searches(r); len(s) > 1 {
		word = s[1].value
	}
	var err error
	// Each kind of answer: everything, what is found, another page, lines, and nothing.
	for _, q := range []url.Values{{}, {"search": {word}}, {"page": {"2"}, "per_page": {"1"}}, {"format": {"ndjson"}},
		{"search": {nonsense}}} {
		if e := a.twins(list, q); e != nil {
			err = fmt.Errorf("%s: %w", q.Encode(), e)
		}
	}
	for _, b := range r.bools {
		if e := a.twins(list, url.Values{b: {"true"}, "per_page": {"2"}}); e != nil {
			err = fmt.Errorf("%s: %w", b, e)
		}
	}
	a.report.check("POST "+list+" answers as GET does", err)
	// What is wrong in a body must be refused as it is in an address.
	x, err := a.post(list, "application/json", "{")
	if err == nil && x.status != 400 {
		err = fmt.Errorf("status %d, want 400", x.status)
	}
	a.report.check("POST "+list+" of broken JSON is 400", err)
	x, err = a.post(list, "application/x-www-form-urlencoded", "page=0")
	if err == nil && x.status != 400 {
		err = fmt.Errorf("status %d, want 400", x.status)
	}
	a.report.check("POST "+list+" of a bad parameter is 400", err)
}

// twins compares status, type and content of three answers to one question. A page past the end may be 404, if it is
// that for all three.
func (a *api) twins(list string, q url.Values) error {
	want, err := a.get(list, q)
	if err != nil {
		return err
	}
	if want.status != 200 && want.status != 404 {
		return fmt.Errorf("GET has status %d", want.status)
	}
	form, err := a.post(list, "application/x-www-form-urlencoded", q.Encode())
	if err != nil {
		return err
	}
	// JSON has numbers and booleans, which an address writes as text.
	body := object{}
	for k, v := range q {
		switch n, err := strconv.Atoi(v[0]); {
		case err == nil:
			body[k] = n
		case v[0] == "true":
			body[k] = true
		default:
			body[k] = v[0]
		}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	posted, err := a.post(list, "application/json", string(b))
	if err != nil {
		return err
	}
	for what, got := range map[string]*answer{"a form": form, "JSON": posted} {
		if got.status != want.status || got.typ != want.typ || !sameBody(got.body, want.body) {
			return fmt.Errorf("%s gives status %d and %d bytes, GET %d and %d", what, got.status, len(got.body),
				want.status, len(want.body))
		}
	}
	return nil
}

// sameBody compares as JSON, or as bytes where there is more than one value.
func sameBody(a, b []byte) bool {
	if json.Valid(a) && json.Valid(b) {
		x, errX := decode(a)
		y, errY := decode(b)
		return errX == nil && errY == nil && reflect.DeepEqual(x, y)
	}
	return string(a) == string(b)
}
