package casework

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"krama"
)

// register holds the values of a field that no later record has replaced.
type register struct {
	heads    []Head
	replaced map[krama.RecordID]bool
}

// Head is one standing value of a field and the record that said it.
type Head struct {
	Record  krama.RecordID
	Value   cbor.RawMessage // nil for the value of the registration or contact itself
	Author  krama.DeviceID
	Date    krama.Day
	written uint32
}

// Dispute is a field for which two values stand, or one that cannot stand with the record's other values.
type Dispute struct {
	Target krama.RecordID
	Field  uint8
	Heads  []Head
	Cannot bool // the value of the only head cannot stand: what is shown is another
}

// amend keeps changes of a record, whether or not the record has come yet.
func (s *State) amend(subject krama.SubjectID, rec *krama.Record, author krama.DeviceID) {
	at := amendedAt{subject, rec.Amend.Target}
	a := s.amended[at]
	if a == nil {
		a = &amended{fields: map[uint8]*register{}}
		s.amended[at] = a
	}
	for _, c := range rec.Amend.Changes {
		reg := a.fields[c.Field]
		if reg == nil {
			// The record's own value stands first, under the record's id: by that it is replaced.
			reg = &register{heads: []Head{{Record: rec.Amend.Target}}, replaced: map[krama.RecordID]bool{}}
			a.fields[c.Field] = reg
		}
		for _, old := range c.Replaces {
			// Kept also of what is not here yet: an amendment may come before the one it replaces.
			reg.replaced[old] = true
		}
		if !slices.ContainsFunc(reg.heads, func(h Head) bool { return h.Record == rec.ID }) {
			reg.heads = append(reg.heads, Head{rec.ID, c.Value, author, rec.Amend.Date, rec.Written})
		}
		reg.heads = slices.DeleteFunc(reg.heads, func(h Head) bool { return reg.replaced[h.Record] })
		// By id, and not as they came: every device shows the first.
		slices.SortFunc(reg.heads, func(a, b Head) int { return bytes.Compare(a.Record[:], b.Record[:]) })
	}
	s.resolve(at)
}

// resolve writes the standing values of a record's amended fields into its folded form. Where two stand, the one with
// the smaller record id is shown until somebody decides, so that every device shows the same.
func (s *State) resolve(at amendedAt) {
	a := s.amended[at]
	if a == nil {
		return
	}
	if p := s.personAt[at.target]; p != nil && p.Subject == at.subject {
		was := p.Value.Code
		p.Value, a.refused = stand(a, p.regs[0].Person, setPerson, (*krama.Person).Validate)
		// She is found by her new code, and by the old one no more.
		if p.Value.Code != was {
			s.uncode(was, p.Subject)
			s.code(p.Value.Code, p.Subject)
		}
		return
	}
	i, ok := s.contactAt[at.target]
	if !ok || s.contacts.at(i).Subject != at.subject {
		return
	}
	c := s.contacts.at(i)
	// Amendments apply to the contact as it was written. Applied to what earlier ones made of it, their order of
	// arrival would count.
	if a.contact == nil {
		first := c.Contact
		a.contact = &first
	}
	c.Contact, a.refused = stand(a, *a.contact, setContact, (*krama.Contact).Validate)
}

// stand applies what stands of amendments to a record as it was written, and judges the whole. If the whole cannot be,
// because two people changed what belongs together, whole amendments are taken in their order as far as each can be;
// the others' fields are refused, and a screen asks.
func stand[T any](a *amended, first T, set func(*T, uint8, cbor.RawMessage) bool, valid func(*T) error) (T,
	map[uint8]bool) {
	shown := map[krama.RecordID][]uint8{} // fields by the amendment whose value is shown
	var order []Head
	all := first
	fits := true
	// All of them together first: a date and the next one that belongs to it could each be refused alone.
	for _, n := range slices.Sorted(maps.Keys(a.fields)) {
		heads := a.fields[n].heads
		if len(heads) == 0 || heads[0].Value == nil {
			continue
		}
		if h := heads[0]; shown[h.Record] == nil {
			order = append(order, h)
		}
		shown[heads[0].Record] = append(shown[heads[0].Record], n)
		fits = set(&all, n, heads[0].Value) && fits
	}
	if fits && valid(&all) == nil {
		return all, nil
	}
	// In an order that follows from the amendments alone: on every device the same ones are taken.
	slices.SortFunc(order, func(a, b Head) int {
		return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(a.written, b.written), bytes.Compare(a.Record[:],
			b.Record[:]))
	})
	out, refused := first, map[uint8]bool{}
	// In rounds, because one that cannot be now may be when another has been taken.
	for left := order; len(left) > 0; {
		var again []Head
		for _, h := range left {
			try, ok := out, true
			for _, n := range shown[h.Record] {
				ok = set(&try, n, a.fields[n].heads[0].Value) && ok
			}
			if ok && valid(&try) == nil {
				out = try
			} else {
				again = append(again, h)
			}
		}
		if len(again) == len(left) { // none of them can be
			for _, h := range again {
				for _, n := range shown[h.Record] {
					refused[n] = true
				}
			}
			break
		}
		left = again
	}
	return out, refused
}

// setPerson sets an amended field and reports whether the value is one. A field of a later version is left alone. The
// registration day never changes; a code does where two people had one.
func setPerson(p *krama.Person, n uint8, raw cbor.RawMessage) bool {
	var err error
	switch n {
	case 1:
		err = krama.DecodeValue(raw, &p.Code)
	case 2:
		err = krama.DecodeValue(raw, &p.Gender)
	case 3:
		err = krama.DecodeValue(raw, &p.Age)
	case 4:
		err = krama.DecodeValue(raw, &p.Languages)
	case 5:
		err = krama.DecodeValue(raw, &p.Category)
	case 6:
		err = krama.DecodeValue(raw, &p.District)
	}
	return err == nil
}

// setContact sets one field of a contact; what does not decode is no change.
func setContact(c *krama.Contact, n uint8, raw cbor.RawMessage) bool {
	var err error
	switch n {
	case 1:
		err = krama.DecodeValue(raw, &c.Date)
	case 2:
		err = krama.DecodeValue(raw, &c.District)
	case 3:
		err = krama.DecodeValue(raw, &c.Place)
	case 4:
		err = krama.DecodeValue(raw, &c.Topics)
	case 5:
		err = krama.DecodeValue(raw, &c.Given)
	case 6:
		err = krama.DecodeValue(raw, &c.Test)
	case 7:
		err = krama.DecodeValue(raw, &c.Services)
	case 8:
		err = krama.DecodeValue(raw, &c.Safety)
	case 9:
		err = krama.DecodeValue(raw, &c.Next)
	case 10:
		err = krama.DecodeValue(raw, &c.Attendees)
	case 11:
		err = krama.DecodeValue(raw, &c.Void)
	}
	return err == nil
}

// disputes are fields of which two versions stand beside each other: a person chooses.
func (s *State) disputes(p *Person) (out []Dispute) {
	if len(s.amended) == 0 {
		return nil
	}
	targets := []krama.RecordID{p.Record}
	for _, i := range p.Contacts {
		targets = append(targets, s.contacts.at(i).Record)
	}
	slices.SortFunc(targets, func(a, b krama.RecordID) int { return bytes.Compare(a[:], b[:]) })
	for _, t := range targets {
		a := s.amended[amendedAt{p.Subject, t}]
		if a == nil {
			continue
		}
		for _, n := range slices.Sorted(maps.Keys(a.fields)) {
			heads := a.fields[n].heads
			// Values that replace each other in a circle leave nothing; only a broken program writes such.
			if len(heads) == 0 {
				continue
			}
			differ := slices.ContainsFunc(heads[1:], func(h Head) bool { return !bytes.Equal(h.Value, heads[0].Value) })
			if differ || a.refused[n] {
				out = append(out, Dispute{t, n, slices.Clone(heads), a.refused[n] && !differ})
			}
		}
	}
	return out
}

// Heads returns the records whose value of a field stands: what an amendment of the field replaces.
// It is the record itself where nothing of the field was amended, or nothing of the record is here.
func (s *State) Heads(target krama.RecordID, number uint8) []krama.RecordID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a := s.of(target)
	if a == nil || a.fields[number] == nil || len(a.fields[number].heads) == 0 {
		return []krama.RecordID{target}
	}
	var out []krama.RecordID
	for _, h := range a.fields[number].heads {
		out = append(out, h.Record)
	}
	// One amendment names so many; what it leaves standing is asked about again.
	return out[:min(len(out), krama.MaxReplaces)]
}

// Refused reports whether a field's standing value cannot stand with the record's others, so that another one is shown.
func (s *State) Refused(target krama.RecordID, number uint8) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a := s.of(target)
	return a != nil && a.refused[number]
}

// of are the amendments of a record that is here, or nil.
func (s *State) of(target krama.RecordID) *amended {
	if p := s.personAt[target]; p != nil {
		return s.amended[amendedAt{p.Subject, target}]
	}
	if i, ok := s.contactAt[target]; ok {
		return s.amended[amendedAt{s.contacts.at(i).Subject, target}]
	}
	return nil
}
