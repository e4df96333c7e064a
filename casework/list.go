package casework

import (
	"cmp"
	"slices"

	"krama"
)

// Row is a person in a list.
type Row struct {
	Subject  krama.SubjectID
	Code     krama.Code
	District uint16
	Last     krama.Day
	Next     krama.Day
	Local    bool
	Minor    bool
	Disputed bool
}

// Rows returns everybody, in the order of their codes.
func (s *State) Rows() []Row {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]Row, 0, len(s.people))
	for _, p := range s.people {
		if p.Record == (krama.RecordID{}) {
			continue
		}
		r := Row{Subject: p.Subject, Code: p.Value.Code, District: p.Value.District, Local: p.local, Minor: krama.Minor(p.Value.Age)}
		for _, i := range p.Contacts {
			c := s.contacts.at(i)
			r.Local = r.Local || c.Local
			if !c.Void && c.Date >= r.Last {
				r.Last, r.Next, r.District = c.Date, c.Next, c.District
			}
		}
		if refused(p) {
			r.Next = 0
		}
		r.Disputed = len(s.registers) > 0 && len(s.disputes(p)) > 0
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Row) int { return cmp.Compare(a.Code, b.Code) })
	return out
}

// dueFor is how long somebody stays on the due list; after that she is among those not seen, and not every morning's list.
const dueFor = 90

// Due returns who is due by a day, longest waiting first.
func (s *State) Due(by krama.Day) []Row {
	rows := slices.DeleteFunc(s.Rows(), func(r Row) bool { return r.Next == 0 || r.Next > by || r.Next < by-dueFor })
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.Next, b.Next) })
	return rows
}

// Recent returns the newest n contacts by date.
func (s *State) Recent(n int) []Contact {
	s.mu.RLock()
	defer s.mu.RUnlock()
	top := make([]int32, 0, n+1) // by falling date, later arrival first
	for i := s.contacts.n - 1; i >= 0; i-- {
		c := s.contacts.at(i)
		if c.Void || (len(top) == n && s.contacts.at(top[n-1]).Date >= c.Date) {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, c.Date, func(j int32, d krama.Day) int {
			if s.contacts.at(j).Date >= d {
				return -1
			}
			return 1
		})
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
	parts [][]Contact
	n     int32
}

const contactsPart = 4096

func (c *contacts) add(x Contact) int32 {
	if c.n%contactsPart == 0 {
		c.parts = append(c.parts, make([]Contact, 0, contactsPart))
	}
	last := &c.parts[len(c.parts)-1]
	*last = append(*last, x)
	c.n++
	return c.n - 1
}

func (c *contacts) at(i int32) *Contact { return &c.parts[i/contactsPart][i%contactsPart] }
