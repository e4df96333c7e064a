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

// EachPerson calls f with every registered person, whether she may be counted, and her contacts, unsorted. The slices
// are valid during the call only.
func (s *State) EachPerson(today krama.Day, f func(p *krama.Person, counted bool, contacts []krama.Contact)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var buf []krama.Contact
	for _, p := range s.people {
		if p.Record == (krama.RecordID{}) {
			continue
		}
		buf = buf[:0]
		for _, i := range p.Contacts {
			if c := s.contacts.at(i); !c.Void {
				buf = append(buf, c.Contact)
			}
		}
		// Who was not asked is counted. A no leaves her out of every indicator.
		said, asked := consents(p, today)[krama.PurposeCount]
		f(&p.Value, !asked || said.Given, buf)
	}
}

// EachContact calls f with every contact that was not entered by mistake, unsorted.
func (s *State) EachContact(f func(c *Contact)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range s.contacts.n {
		if c := s.contacts.at(i); !c.Void {
			f(c)
		}
	}
}

// Counts returns the number of people, and of contacts that stand: not those that were taken off as mistakes.
func (s *State) Counts() (people, contacts int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, i := range s.contactAt {
		if !s.contacts.at(i).Void {
			contacts++
		}
	}
	return len(s.personAt), contacts
}

// Contact returns one contact.
func (s *State) Contact(id krama.RecordID) (Contact, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, ok := s.contactAt[id]
	if !ok {
		return Contact{}, false
	}
	return *s.contacts.at(i), true
}
