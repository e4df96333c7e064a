package directory

import (
	"bytes"
	"cmp"
	"slices"

	"krama"
)

// Fold gathers versions, guarded parts and checks of listings, in any order, into entries. It is not safe for
// concurrent use; the same records in any order give the same entries.
type Fold struct {
	// By listing, and then by record: what comes again stands where it stood.
	listings map[krama.ListingID]map[krama.RecordID]*krama.Listing
	guarded  map[krama.ListingID]map[krama.RecordID]*krama.Guarded
	checks   map[krama.ListingID]map[krama.RecordID]Found
	starter  []krama.Listing
}

// NewFold returns a fold that begins with a starter directory: what a record says of one of its keys replaces it.
func NewFold(starter []krama.Listing) *Fold {
	return &Fold{map[krama.ListingID]map[krama.RecordID]*krama.Listing{},
		map[krama.ListingID]map[krama.RecordID]*krama.Guarded{}, map[krama.ListingID]map[krama.RecordID]Found{},
		starter}
}

// Begin sets the starter directory.
func (f *Fold) Begin(starter []krama.Listing) { f.starter = starter }

// Take adds a record that is a listing, a guarded part or a check.
func (f *Fold) Take(rec *krama.Record, author krama.DeviceID) {
	switch {
	case rec.Listing != nil:
		put(f.listings, rec.Listing.Key, rec.ID, rec.Listing)
	case rec.Guarded != nil:
		put(f.guarded, rec.Guarded.Key, rec.ID, rec.Guarded)
	case rec.Check != nil:
		is := Found{*rec.Check, author, rec.ID}
		if was, ok := f.checks[rec.Check.Key][rec.ID]; !ok || cmp.Or(cmp.Compare(is.Day, was.Day),
			bytes.Compare(author[:], was.Author[:])) < 0 {
			put(f.checks, rec.Check.Key, rec.ID, is) // of two desks that took in one word the first
		}
	}
}

// put keeps what a record says of a listing.
func put[T any](m map[krama.ListingID]map[krama.RecordID]T, k krama.ListingID, id krama.RecordID, v T) {
	if m[k] == nil {
		m[k] = map[krama.RecordID]T{}
	}
	m[k][id] = v
}

// Entries are the listings, in the order of their keys.
func (f *Fold) Entries() (out []*Entry) {
	for k := range f.listings {
		out = append(out, f.Entry(k))
	}
	for _, l := range f.starter {
		if f.listings[l.Key] == nil {
			out = append(out, f.Entry(l.Key))
		}
	}
	slices.SortFunc(out, func(a, b *Entry) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return out
}

// Entry is one listing, or nil.
func (f *Fold) Entry(k krama.ListingID) *Entry {
	e := &Entry{}
	if vs := f.listings[k]; vs != nil {
		heads := standing(vs, func(l *krama.Listing) []krama.RecordID { return l.Replaces })
		e.Listing, e.Record, e.Heads = *vs[heads[0]], heads[0], heads
		for _, h := range heads[1:] {
			e.Others = append(e.Others, vs[h])
		}
	} else if i := slices.IndexFunc(f.starter, func(l krama.Listing) bool { return l.Key == k }); i >= 0 {
		e.Listing, e.Starter = f.starter[i], true
	} else {
		return nil
	}
	if gs := f.guarded[k]; len(gs) > 0 {
		e.GuardAt = standing(gs, func(g *krama.Guarded) []krama.RecordID { return g.Replaces })
		for _, id := range e.GuardAt {
			e.Guards = append(e.Guards, gs[id])
		}
		e.Guarded = e.Guards[0]
	}
	for _, c := range f.checks[k] {
		e.Checks = append(e.Checks, c)
	}
	slices.SortFunc(e.Checks, func(a, b Found) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Says, b.Says), bytes.Compare(a.Record[:], b.Record[:]))
	})
	e.fold()
	return e
}

// standing are the versions that no other one replaces, in the order of their ids. Versions that replace each other in
// a circle, which only a broken program writes, all stand.
func standing[T any](vs map[krama.RecordID]T, replaces func(T) []krama.RecordID) (out []krama.RecordID) {
	gone := map[krama.RecordID]bool{}
	for id, v := range vs {
		for _, r := range replaces(v) {
			if r != id {
				gone[r] = true
			}
		}
	}
	for id := range vs {
		if !gone[id] {
			out = append(out, id)
		}
	}
	if len(out) == 0 {
		for id := range vs {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b krama.RecordID) int { return bytes.Compare(a[:], b[:]) })
	return out
}
