package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxPage is the most objects asked for in one page: an API may refuse or cap more, the specification does not say.
const maxPage = 100

// A page is one page of a list, already valid.
type page struct {
	raw      object
	contents []object
	ids      []string
}

// n returns a count of the page.
func (p *page) n(name string) int {
	v, _ := p.raw[name].(json.Number)
	n, _ := strconv.Atoi(v.String())
	return n
}

// page fetches one page and validates it and each of its contents; item is "" for contents that have no schema.
func (a *api) page(path string, q url.Values, item string) (*page, error) {
	x, err := a.get(path, q)
	if err != nil {
		return nil, err
	}
	return a.readPage(x, item)
}

// readPage validates an answer as a page. Without an id nothing in it could be compared, so each object must have one.
func (a *api) readPage(x *answer, item string) (*page, error) {
	v, err := x.json()
	if err != nil {
		return nil, err
	}
	if err := a.byName["page"].Validate(v); err != nil {
		return nil, err
	}
	p := &page{raw: v.(object)}
	for _, c := range p.raw["contents"].([]any) {
		if item != "" {
			if err := a.byName[item].Validate(c); err != nil {
				return nil, err
			}
		}
		o, ok := c.(object)
		if !ok {
			return nil, fmt.Errorf("contents hold %v", c)
		}
		id, ok := o["id"].(string)
		if !ok {
			return nil, errors.New("something in contents has no id")
		}
		p.contents, p.ids = append(p.contents, o), append(p.ids, id)
	}
	return p, nil
}

// honest holds what a page says of itself to what it is: the number-th of a list of total objects in pages of per.
func (p *page) honest(number, total, per int) error {
	pages := (total + per - 1) / per
	want := map[string]any{"total_items": total, "page_number": number, "size": len(p.contents),
		"first_page": number == 1, "last_page": number >= pages, "empty": len(p.contents) == 0}
	got := map[string]any{"total_items": p.n("total_items"), "page_number": p.n("page_number"), "size": p.n("size"),
		"first_page": p.raw["first_page"], "last_page": p.raw["last_page"], "empty": p.raw["empty"]}
	// An empty list may be said to have one page or no page.
	if n := p.n("total_pages"); n != pages && (total > 0 || n != 1) {
		got["total_pages"], want["total_pages"] = n, pages
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("page %d says %v, want %v", number, got, want)
	}
	// Every page but the last is full, so that a client may ask for several at once.
	if fill := min(per, total-(number-1)*per); len(p.contents) != max(fill, 0) {
		return fmt.Errorf("page %d holds %d, want %d", number, len(p.contents), max(fill, 0))
	}
	return nil
}

// walk follows a list page by page and returns all it holds.
func (a *api) walk(path string, q url.Values, item string, per int) (ids []string, items []object, err error) {
	// What the first page says of the whole, every other is held to.
	total := -1
	for number := 1; ; number++ {
		next := url.Values{"page": {strconv.Itoa(number)}, "per_page": {strconv.Itoa(per)}}
		for k, v := range q {
			next[k] = v
		}
		p, err := a.page(path, next, item)
		if err != nil {
			return nil, nil, fmt.Errorf("page %d: %w", number, err)
		}
		if total < 0 {
			total = p.n("total_items")
		}
		if err := p.honest(number, total, per); err != nil {
			return nil, nil, err
		}
		ids, items = append(ids, p.ids...), append(items, p.contents...)
		// The page says so itself, and honest has held it to the count: an API that never says it does not keep us
		// here.
		if p.raw["last_page"] == true {
			break
		}
	}
	// Pages that overlap, or leave something out, show in the whole.
	if once := slices.Compact(slices.Sorted(slices.Values(ids))); len(once) != len(ids) || len(ids) != total {
		return nil, nil, fmt.Errorf("walking gives %d ids, %d different, of %d", len(ids), len(once), total)
	}
	return ids, items, nil
}

// checkList walks a list in pages of two sizes and takes down what it holds.
func (a *api) checkList(r *resource) {
	list := "/" + r.path
	first, err := a.page(list, nil, r.item)
	if err == nil && len(first.contents) == 0 {
		err = errors.New("empty: there is nothing to check")
	}
	if err != nil {
		a.report.check(list+" is valid", err)
		return
	}
	a.check1(list, "page", first.raw, nil)
	// The one that says most can be broken in most ways.
	richest := slices.MaxFunc(first.contents, func(a, b object) int { return size(a) - size(b) })
	a.check1(list+" contents", r.item, richest, nil)

	total := first.n("total_items")
	a.report.check(list+" says truly which page it is", first.honest(1, total, max(len(first.contents), 1)))
	per := min(max((total+2)/3, 1), maxPage-1) // three pages, when there are three objects
	r.ids, r.items, err = a.walk(list, nil, r.item, per)
	if err == nil && len(r.ids) != total {
		err = fmt.Errorf("got %d, want %d", len(r.ids), total)
	}
	a.report.check(fmt.Sprintf("%s by pages of %d gives every id once", list, per), err)
	// In another size of page the order must be the same, or a client that changes it misses objects.
	other, _, err := a.walk(list, nil, r.item, per+1)
	if err == nil && !slices.Equal(other, r.ids) {
		err = errors.New("the order depends on the size of a page")
	}
	a.report.check(fmt.Sprintf("%s by pages of %d gives the same", list, per+1), err)
	a.report.check(list+" beyond the last page is empty or 404", a.beyond(r, total))
}

// beyond asks for a page far past the end: 404, or an empty page that says truly what it is.
func (a *api) beyond(r *resource, total int) error {
	x, err := a.get("/"+r.path, url.Values{"page": {strconv.Itoa(total + 7)}, "per_page": {"1"}})
	if err != nil || x.status == 404 {
		return err
	}
	p, err := a.readPage(x, r.item)
	if err == nil && (len(p.contents) != 0 || p.n("size") != 0 || p.n("total_items") != total ||
		p.raw["first_page"] == true) {
		err = fmt.Errorf("it says %v", p.raw)
	}
	return err
}

// checkForms asks for a list as lines, in full and in the least form.
func (a *api) checkForms(r *resource) {
	list := "/" + r.path
	a.report.check(list+"?format=ndjson is every object, a line each", a.lines(r))
	per := min(max(len(r.ids), 1), maxPage)
	if slices.Contains(r.bools, "full") {
		ids, items, err := a.walk(list, url.Values{"full": {"true"}}, r.one, per)
		if err == nil {
			err = sameIDs(ids, r.ids)
		}
		// A service is the same wherever it is full; an organization may be told with its services or without.
		if err == nil && r.path != "organizations" {
			for i, id := range ids {
				if !reflect.DeepEqual(items[i], r.full[id]) {
					err = fmt.Errorf("%s is not what %s/{id} answers", id, list)
				}
			}
		}
		a.report.check(list+"?full=true is every object in full", err)
		_, items, err = a.walk(list, url.Values{"full": {"false"}}, r.item, per)
		if err == nil && !reflect.DeepEqual(items, r.items) {
			err = errors.New("not the list as it is")
		}
		a.report.check(list+"?full=false is the list as it is", err)
	}
	if slices.Contains(r.bools, "minimal") {
		// Without a schema: the least form has ids and dates, which no schema of a whole object would take.
		ids, items, err := a.walk(list, url.Values{"minimal": {"true"}}, "", per)
		if err == nil {
			err = sameIDs(ids, r.ids)
		}
		if err == nil {
			for _, o := range items {
				for name := range o {
					if name != "id" && name != "last_modified" && name != "modified_date" {
						err = fmt.Errorf("it tells %s", name)
					}
				}
			}
		}
		a.report.check(list+"?minimal=true is every id, and dates alone", err)
	}
}

// lines reads a list as lines, each an object and valid by itself, and in all the same objects as by pages.
func (a *api) lines(r *resource) error {
	x, err := a.get("/"+r.path, url.Values{"format": {"ndjson"}})
	if err != nil {
		return err
	}
	if x.status != 200 || !strings.Contains(x.typ, "ndjson") {
		return fmt.Errorf("status %d, content type %q", x.status, x.typ)
	}
	var ids []string
	for line := range bytes.Lines(x.body) {
		v, err := decode(line)
		if err != nil || !json.Valid(line) {
			return fmt.Errorf("line %d is not one JSON value", len(ids)+1)
		}
		if err := a.byName[r.item].Validate(v); err != nil {
			return fmt.Errorf("line %d: %w", len(ids)+1, err)
		}
		id, _ := at(v, "id").(string)
		ids = append(ids, id)
	}
	return sameIDs(ids, r.ids)
}

// sameIDs compares two lists whose order does not matter.
func sameIDs(got, want []string) error {
	g, w := slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(g, w) {
		return fmt.Errorf("got %d objects %.3v…, want %d %.3v…", len(g), g, len(w), w)
	}
	if len(w) == 0 {
		return errors.New("there is nothing to check")
	}
	return nil
}
