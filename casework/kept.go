package casework

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"krama"
)

// Kept is all that is kept about one person, for an archive: unlike a View it holds contacts entered by mistake, every
// consent record, and people whose registration has not come yet.
type Kept struct {
	Subject  krama.SubjectID
	Record   krama.RecordID // of the registration; zero while only later records have come
	Value    krama.Person   // with amendments applied
	Author   krama.DeviceID
	Local    bool
	Contacts []Contact // by date
	Consents []Consent // by date
	Disputes []Dispute
	NoRecord bool // her last word is that no record is kept
}

// Everybody yields all that is kept, by code, the same for the same records. What it yields is valid until the next,
// and the state must not be changed or asked meanwhile.
func (s *State) Everybody(today krama.Day) iter.Seq[*Kept] {
	return func(yield func(*Kept) bool) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		all := slices.SortedFunc(maps.Values(s.people), func(a, b *Person) int {
			return cmp.Or(cmp.Compare(a.Value.Code, b.Value.Code), slices.Compare(a.Subject[:], b.Subject[:]))
		})
		var k Kept
		for _, p := range all {
			// The slices of the one before are used again: an archive takes the memory of one person, not of all.
			k = Kept{Subject: p.Subject, Record: p.Record, Value: p.Value, Author: p.Author, Local: p.local,
				Contacts: k.Contacts[:0], Consents: append(k.Consents[:0], p.Consents...), Disputes: s.disputes(p)}
			for _, i := range p.Contacts {
				k.Contacts = append(k.Contacts, *s.contacts.at(i))
			}
			slices.SortFunc(k.Contacts, func(a, b Contact) int { return a.Compare(&b) })
			slices.SortFunc(k.Consents, func(a, b Consent) int {
				return cmp.Or(cmp.Compare(a.Date, b.Date), slices.Compare(a.Record[:], b.Record[:]))
			})
			// Who was never asked about it is kept; a no is heeded even where her erasure has not come yet.
			said, asked := consents(p, today)[krama.PurposeRecord]
			k.NoRecord = asked && !said.Given
			if !yield(&k) {
				return
			}
		}
	}
}

// RightsText is one of the programme's own texts about rights, and its record.
type RightsText struct {
	krama.RightsText
	Record krama.RecordID
}

// Rights are all texts about rights that stand, by topic and language.
func (s *State) Rights() (out []RightsText) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	gone := s.replacedRights()
	for id, t := range s.rights {
		if !gone[id] {
			out = append(out, RightsText{*t, id})
		}
	}
	slices.SortFunc(out, func(a, b RightsText) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Lang, b.Lang), slices.Compare(a.Record[:],
			b.Record[:]))
	})
	return out
}
