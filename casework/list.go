package casework

import (
	"bytes"
	"cmp"
	"slices"

	"krama"
)

// Row is a person in a list.
type Row struct {
	// Last is 0 where she was never met. Next is 0 where no day was agreed, or she said no to being contacted. District
	// is where she was met last; before the first contact, where she is usually met.
	Subject  krama.SubjectID
	Code     krama.Code
	District uint16
	Last     krama.Day
	Next     krama.Day
	Local    bool
	Minor    bool
	Disputed bool
	Ahead    bool // an entry is dated later than the reader's tomorrow
	NotSafe  bool
	Same     bool // somebody else has her code
}

// Rows returns everybody, in the order of their codes.
func (s *State) Rows(today krama.Day) []Row {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]Row, 0, len(s.people))
	for _, p := range s.people {
		// Something of hers came before her registration. There is no code to call her by.
		if p.Record == (krama.RecordID{}) {
			continue
		}
		m := s.met(p, today)
		r := Row{Subject: p.Subject, Code: p.Value.Code, District: p.Value.District, Local: p.local || m.local,
			Minor: krama.Minor(p.Value.Age),
			Ahead: m.ahead, NotSafe: m.notSafe, Same: len(s.byCode[p.Value.Code]) > 1}
		if m.last != nil {
			r.Last, r.Next, r.District = m.last.Date, m.last.Next, m.last.District
		}
		// Whatever was agreed before: a no takes her off the due list.
		if refused(p, today) {
			r.Next = 0
		}
		r.Disputed = len(s.amended) > 0 && len(s.disputes(p)) > 0
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), bytes.Compare(a.Subject[:], b.Subject[:]))
	})
	return out
}

// dueFor is how long somebody stays on the due list; after that she is among those not seen, and not every morning's
// list.
// It is in days; doc/decisions.md, 20.
const dueFor = 90

// Due returns who is due by a day, longest waiting first.
func (s *State) Due(today, by krama.Day) []Row {
	rows := slices.DeleteFunc(s.Rows(today), func(r Row) bool {
		return r.Next == 0 || r.Next > by ||
			r.Next < by-dueFor
	})
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.Next, b.Next) })
	return rows
}

// Recent returns the newest n contacts.
func (s *State) Recent(n int) []Contact {
	s.mu.RLock()
	defer s.mu.RUnlock()
	// One pass, with the n newest so far: sorting all for the sake of a page would keep a phone busy.
	top := make([]int32, 0, n+1) // the newest first
	for i := range s.contacts.n {
		c := s.contacts.at(i)
		if c.Void || (len(top) == n && s.contacts.at(top[n-1]).Compare(c) > 0) {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, c, func(j int32, c *Contact) int { return -s.contacts.at(j).Compare(c) })
		top = slices.Insert(top, at, i)
		top = top[:min(n, len(top))]
	}
	out := make([]Contact, len(top))
	for i, j := range top {
		out[i] = *s.contacts.at(j)
	}
	return out
}

// contacts is a list that grows without moving: at a million entries moving costs more than folding.
type contacts struct {
	// Only the last part has room, so what at returns stays in its place when more come. It is read and written under
	// the State's lock.
	parts [][]Contact
	n     int32
}

// contactsPart is how many contacts a part holds.
const contactsPart = 4096

// add keeps a contact and returns its place. Parts of a fixed size keep a big list from being copied as it grows.
func (c *contacts) add(x Contact) int32 {
	if c.n%contactsPart == 0 {
		c.parts = append(c.parts, make([]Contact, 0, contactsPart))
	}
	last := &c.parts[len(c.parts)-1]
	*last = append(*last, x)
	c.n++
	return c.n - 1
}

// at is the contact at a place.
func (c *contacts) at(i int32) *Contact { return &c.parts[i/contactsPart][i%contactsPart] }
