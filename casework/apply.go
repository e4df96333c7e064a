package casework

import (
	"maps"
	"slices"

	"krama"
)

// A record, folded in.

// Forget drops everything about a subject: she was erased.
func (s *State) Forget(id krama.SubjectID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.matters.forget(id)
	maps.DeleteFunc(s.amended, func(at amendedAt, _ *amended) bool { return at.subject == id })
	p := s.people[id]
	if p == nil {
		return
	}
	// Contacts are known by their places, so hers stay, emptied. Void keeps them out of every list and count.
	for _, i := range p.Contacts {
		c := s.contacts.at(i)
		delete(s.contactAt, c.Record)
		*c = Contact{Contact: krama.Contact{Void: true}}
	}
	s.uncode(p.Value.Code, id)
	delete(s.personAt, p.Record)
	delete(s.people, id)
}

// Apply folds in one record about a subject. A record that is there already only loses its local mark.
func (s *State) Apply(subject krama.SubjectID, rec *krama.Record, author krama.DeviceID, local bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	switch {
	case rec.Person != nil:
		s.register(subject, rec, author, local)
	case rec.Contact != nil:
		// Once as it was typed here, once as it was read back: then it is on this device alone no more.
		if i, ok := s.contactAt[rec.ID]; ok {
			c := s.contacts.at(i)
			c.Local = c.Local && local
			return
		}
		i := s.contacts.add(Contact{*rec.Contact, said{rec.Written, rec.ID}, subject, author, local})
		s.contactAt[rec.ID] = i
		p := s.person(subject)
		p.Contacts = append(p.Contacts, i)
		// An amendment of it may have been here before it.
		s.resolve(amendedAt{subject, rec.ID})
	case rec.Consent != nil:
		p := s.person(subject)
		if !slices.ContainsFunc(p.Consents, func(c Consent) bool { return c.Record == rec.ID }) {
			p.Consents = append(p.Consents, Consent{*rec.Consent, rec.ID})
		}
	case rec.Amend != nil:
		s.amend(subject, rec, author)
	case rec.Staff != nil:
		is := label{rec.Staff.Label, said{rec.Written, rec.ID}}
		if was, ok := s.labels[rec.Staff.Member]; !ok || was.before(is.said) {
			s.labels[rec.Staff.Member] = is
		}
	case rec.Trust != nil:
		s.trust(rec.Trust)
	case rec.Released != nil:
		// Under a person it would go when she is erased, and later releases would be held against nothing.
		if subject == (krama.SubjectID{}) {
			s.released[releasedAt{rec.ID, author}] = Release{*rec.Released, said{rec.Written, rec.ID}, author}
		}
	case rec.Circle != nil:
		// What a circle is for the replica knows; there is nothing to show.
	default:
		s.elsewhere(krama.KindOutreach, subject, rec, author)
	}
}

// ApplyIn folds in a record of any circle. People are of the outreach circle alone; of the others only what is no
// person's is taken, and what is of a later version is counted.
func (s *State) ApplyIn(k krama.CircleKind, subject krama.SubjectID, rec *krama.Record, author krama.DeviceID,
	local bool) {
	if k == krama.KindOutreach {
		s.Apply(subject, rec, author, local)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.elsewhere(k, subject, rec, author)
}

// elsewhere takes what is no person's.
// What is known here and comes from another circle than its own counts for nothing, not as of a later version.
func (s *State) elsewhere(k krama.CircleKind, subject krama.SubjectID, rec *krama.Record, author krama.DeviceID) {
	if !s.matters.take(k, subject, rec, author) && rec.Later() {
		s.unknown[rec.ID] = true
	}
}

// trust takes what was done about trustees: a card that was shown, or an admin's word that there will be none.
func (s *State) trust(t *krama.Trust) {
	if t.X == 0 {
		s.accepted = add(s.accepted, t.Day)
		return
	}
	if s.drills[t.Set] == nil {
		s.drills[t.Set] = map[uint8][]krama.Day{}
	}
	s.drills[t.Set][t.X] = add(s.drills[t.Set][t.X], t.Day)
}
