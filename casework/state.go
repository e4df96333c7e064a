// Package casework folds records into what a screen needs: people, their contacts, who is due, what two people disagree
// about. It holds everything in memory and forgets it with the process.
package casework

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"krama"
)

// State is the folded programme of one device. It is safe for concurrent use. The same records in any order give the same
// state.
type State struct {
	mu        sync.RWMutex
	people    map[krama.SubjectID]*Person
	byCode    map[krama.Code]krama.SubjectID
	contacts  contacts
	contactAt map[krama.RecordID]int32
	personAt  map[krama.RecordID]*Person
	registers map[field]*register
	unknown   int
	drills    map[[4]byte]map[uint8]krama.Day
	accepted  krama.Day // when an admin accepted permanent loss; 0 if nobody did
	labels    map[krama.MemberID]string
	version   uint64
	door      // listings, reports and referrals
}

// Person is a person as folded.
type Person struct {
	Subject  krama.SubjectID
	Record   krama.RecordID // of the registration; zero while only later records have come
	Value    krama.Person   // with amendments applied
	Contacts []int32        // indexes of her contacts, in order of arrival
	Consents []Consent
	Author   krama.DeviceID
	local    bool
}

// Consent is a consent record with its id.
type Consent struct {
	krama.Consent
	Record krama.RecordID
}

// Contact is a contact as folded.
type Contact struct {
	krama.Contact
	Record  krama.RecordID
	Subject krama.SubjectID
	Author  krama.DeviceID
	Local   bool // only on this device so far
}

// field is one field of one record.
type field struct {
	target krama.RecordID
	number uint8
}

// register holds the values of a field that no later record has replaced.
type register struct {
	heads    []Head
	replaced map[krama.RecordID]bool
}

// Head is one standing value of a field and the record that said it.
type Head struct {
	Record krama.RecordID
	Value  cbor.RawMessage // nil for the value of the registration or contact itself
	Author krama.DeviceID
	Date   krama.Day
}

// New returns an empty state.
func New() *State {
	s := &State{}
	s.Reset()
	return s
}

// Reset forgets everything, in place.
func (s *State) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.version
	s.people, s.byCode, s.contacts = map[krama.SubjectID]*Person{}, map[krama.Code]krama.SubjectID{}, contacts{}
	s.contactAt, s.personAt, s.registers = map[krama.RecordID]int32{}, map[krama.RecordID]*Person{}, map[field]*register{}
	s.labels, s.drills, s.unknown, s.accepted, s.version = map[krama.MemberID]string{}, map[[4]byte]map[uint8]krama.Day{}, 0, 0, v+1
	s.door.reset()
}

// Forget drops everything about a subject: she was erased.
func (s *State) Forget(id krama.SubjectID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.door.forget(id)
	p := s.people[id]
	if p == nil {
		return
	}
	gone := map[krama.RecordID]bool{p.Record: true}
	for _, i := range p.Contacts {
		c := s.contacts.at(i)
		gone[c.Record] = true
		delete(s.contactAt, c.Record)
		*c = Contact{Contact: krama.Contact{Void: true}}
	}
	for f := range s.registers {
		if gone[f.target] {
			delete(s.registers, f)
		}
	}
	if s.byCode[p.Value.Code] == id {
		delete(s.byCode, p.Value.Code)
	}
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
		p := s.person(subject)
		if p.Record == rec.ID {
			p.local = p.local && local
			return
		}
		if p.Record != (krama.RecordID{}) {
			return // one registration per subject; the first in order stands
		}
		p.Record, p.Value, p.Author, p.local = rec.ID, *rec.Person, author, local
		s.personAt[rec.ID] = p
		s.byCode[rec.Person.Code] = subject
		s.resolve(rec.ID)
	case rec.Contact != nil:
		if i, ok := s.contactAt[rec.ID]; ok {
			c := s.contacts.at(i)
			c.Local = c.Local && local
			return
		}
		i := s.contacts.add(Contact{*rec.Contact, rec.ID, subject, author, local})
		s.contactAt[rec.ID] = i
		p := s.person(subject)
		p.Contacts = append(p.Contacts, i)
		s.resolve(rec.ID)
	case rec.Consent != nil:
		p := s.person(subject)
		if !slices.ContainsFunc(p.Consents, func(c Consent) bool { return c.Record == rec.ID }) {
			p.Consents = append(p.Consents, Consent{*rec.Consent, rec.ID})
		}
	case rec.Amend != nil:
		s.amend(rec, author)
	case rec.Staff != nil:
		s.labels[rec.Staff.Member] = rec.Staff.Label
	case rec.Trust != nil:
		t := rec.Trust
		if t.X == 0 {
			s.accepted = max(s.accepted, t.Day)
			break
		}
		if s.drills[t.Set] == nil {
			s.drills[t.Set] = map[uint8]krama.Day{}
		}
		s.drills[t.Set][t.X] = max(s.drills[t.Set][t.X], t.Day)
	case rec.Circle != nil:
	default:
		if !s.door.take(krama.KindOutreach, subject, rec, author) {
			s.unknown++
		}
	}
}

// ApplyIn folds in a record of any circle. People are of the outreach circle alone; of the others only what the door, the inbox
// and the audit show is taken.
func (s *State) ApplyIn(k krama.CircleKind, subject krama.SubjectID, rec *krama.Record, author krama.DeviceID, local bool) {
	if k == krama.KindOutreach {
		s.Apply(subject, rec, author, local)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.door.take(k, subject, rec, author)
}

func (s *State) person(id krama.SubjectID) *Person {
	p := s.people[id]
	if p == nil {
		p = &Person{Subject: id}
		s.people[id] = p
	}
	return p
}

func (s *State) amend(rec *krama.Record, author krama.DeviceID) {
	for _, c := range rec.Amend.Changes {
		f := field{rec.Amend.Target, c.Field}
		reg := s.registers[f]
		if reg == nil {
			reg = &register{heads: []Head{{Record: f.target}}, replaced: map[krama.RecordID]bool{}}
			s.registers[f] = reg
		}
		for _, old := range c.Replaces {
			reg.replaced[old] = true
		}
		if !slices.ContainsFunc(reg.heads, func(h Head) bool { return h.Record == rec.ID }) {
			reg.heads = append(reg.heads, Head{rec.ID, c.Value, author, rec.Amend.Date})
		}
		reg.heads = slices.DeleteFunc(reg.heads, func(h Head) bool { return reg.replaced[h.Record] })
		slices.SortFunc(reg.heads, func(a, b Head) int { return slices.Compare(a.Record[:], b.Record[:]) })
	}
	s.resolve(rec.Amend.Target)
}

// resolve writes the standing values of a record's amended fields into its folded form. Where two stand, the one with the
// smaller record id is shown until somebody decides, so that every device shows the same.
func (s *State) resolve(target krama.RecordID) {
	p, i := s.personAt[target], int32(-1)
	if at, ok := s.contactAt[target]; ok {
		i = at
	}
	if p == nil && i < 0 || len(s.registers) == 0 {
		return
	}
	for n := uint8(1); n <= 16; n++ {
		reg := s.registers[field{target, n}]
		if reg == nil || len(reg.heads) == 0 || reg.heads[0].Value == nil {
			continue
		}
		if p != nil {
			setPerson(&p.Value, n, reg.heads[0].Value)
		} else {
			setContact(&s.contacts.at(i).Contact, n, reg.heads[0].Value)
		}
	}
}

// setPerson sets an amended field; a value that does not fit is left alone. Code and registration day never change.
func setPerson(p *krama.Person, n uint8, raw cbor.RawMessage) {
	q := *p
	var err error
	switch n {
	case 2:
		err = krama.DecodeValue(raw, &q.Gender)
	case 3:
		err = krama.DecodeValue(raw, &q.Age)
	case 4:
		err = krama.DecodeValue(raw, &q.Languages)
	case 5:
		err = krama.DecodeValue(raw, &q.Category)
	case 6:
		err = krama.DecodeValue(raw, &q.District)
	}
	if err == nil && q.Validate() == nil {
		*p = q
	}
}

func setContact(c *krama.Contact, n uint8, raw cbor.RawMessage) {
	q := *c
	var err error
	switch n {
	case 1:
		err = krama.DecodeValue(raw, &q.Date)
	case 2:
		err = krama.DecodeValue(raw, &q.District)
	case 3:
		err = krama.DecodeValue(raw, &q.Place)
	case 4:
		err = krama.DecodeValue(raw, &q.Topics)
	case 5:
		err = krama.DecodeValue(raw, &q.Given)
	case 6:
		err = krama.DecodeValue(raw, &q.Test)
	case 7:
		err = krama.DecodeValue(raw, &q.Services)
	case 8:
		err = krama.DecodeValue(raw, &q.Safety)
	case 9:
		err = krama.DecodeValue(raw, &q.Next)
	case 10:
		err = krama.DecodeValue(raw, &q.Attendees)
	case 11:
		err = krama.DecodeValue(raw, &q.Void)
	}
	if err == nil && q.Validate() == nil {
		*c = q
	}
}

// Version changes whenever the state does.
func (s *State) Version() uint64 { s.mu.RLock(); defer s.mu.RUnlock(); return s.version }

// Unknown is how many records of a later version are kept and not shown.
func (s *State) Unknown() int { s.mu.RLock(); defer s.mu.RUnlock(); return s.unknown }

// Label returns a member's label, or "".
func (s *State) Label(m krama.MemberID) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.labels[m]
}

// Drills returns when each share of a set was last shown, and when an admin accepted permanent loss (0 if nobody did).
func (s *State) Drills(set [4]byte) (shown map[uint8]krama.Day, accepted krama.Day) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.drills[set]), s.accepted
}

// View is a person as a screen shows her.
type View struct {
	Subject   krama.SubjectID
	Record    krama.RecordID
	Value     krama.Person
	Contacts  []Contact // newest first, without those entered by mistake
	Consents  map[uint8]krama.Consent
	Last      krama.Day // 0 when never met
	Next      krama.Day // 0 when none was agreed
	NoContact bool      // she said no to being contacted again: she is never due
	Local     int       // records of hers that are only on this device
	Disputes  []Dispute
}

// Dispute is a field for which two values stand.
type Dispute struct {
	Target krama.RecordID
	Field  uint8
	Heads  []Head
}

// Consented reports what she said last about a purpose.
func (v *View) Consented(purpose uint8) bool { return v.Consents[purpose].Given }

func (s *State) view(p *Person) View {
	v := View{Subject: p.Subject, Record: p.Record, Value: p.Value, Consents: consents(p)}
	if p.local {
		v.Local++
	}
	for _, i := range p.Contacts {
		c := *s.contacts.at(i)
		if c.Local {
			v.Local++
		}
		if !c.Void {
			v.Contacts = append(v.Contacts, c)
		}
	}
	slices.SortStableFunc(v.Contacts, func(a, b Contact) int { return -cmp.Compare(a.Date, b.Date) })
	if len(v.Contacts) > 0 {
		v.Last, v.Next = v.Contacts[0].Date, v.Contacts[0].Next
	}
	if v.NoContact = refused(p); v.NoContact {
		v.Next = 0
	}
	v.Disputes = s.disputes(p)
	return v
}

// consents returns the last word per purpose. On one day a withdrawal outranks a consent.
func consents(p *Person) map[uint8]krama.Consent {
	out := map[uint8]krama.Consent{}
	for _, c := range p.Consents {
		old, ok := out[c.Purpose]
		if !ok || c.Date > old.Date || (c.Date == old.Date && !c.Given) {
			out[c.Purpose] = c.Consent
		}
	}
	return out
}

// refused reports whether she said no to being contacted again.
func refused(p *Person) bool {
	said, asked := consents(p)[krama.PurposeContact]
	return asked && !said.Given
}

func (s *State) disputes(p *Person) (out []Dispute) {
	if len(s.registers) == 0 {
		return nil
	}
	targets := []krama.RecordID{p.Record}
	for _, i := range p.Contacts {
		targets = append(targets, s.contacts.at(i).Record)
	}
	for _, t := range targets {
		for n := uint8(1); n <= 16; n++ {
			reg := s.registers[field{t, n}]
			if reg == nil || len(reg.heads) < 2 {
				continue
			}
			for _, h := range reg.heads[1:] {
				if !slices.Equal(h.Value, reg.heads[0].Value) {
					out = append(out, Dispute{t, n, slices.Clone(reg.heads)})
					break
				}
			}
		}
	}
	return out
}

// Heads returns the records whose value of a field stands: what an amendment of the field replaces.
func (s *State) Heads(target krama.RecordID, number uint8) []krama.RecordID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	reg := s.registers[field{target, number}]
	if reg == nil {
		return []krama.RecordID{target}
	}
	var out []krama.RecordID
	for _, h := range reg.heads {
		out = append(out, h.Record)
	}
	return out
}

// Person returns one person.
func (s *State) Person(id krama.SubjectID) (View, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.people[id]
	if p == nil || p.Record == (krama.RecordID{}) {
		return View{}, false
	}
	return s.view(p), true
}

// Find returns the person with a code.
func (s *State) Find(c krama.Code) (krama.SubjectID, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	id, ok := s.byCode[c]
	return id, ok
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

// EachPerson calls f with every registered person, her consents resolved, and her contacts in order of arrival. The
// slices are valid during the call only.
func (s *State) EachPerson(f func(p *krama.Person, counted bool, contacts []krama.Contact)) {
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
		said, asked := consents(p)[krama.PurposeCount]
		f(&p.Value, !asked || said.Given, buf)
	}
}

// EachContact calls f with every contact that was not entered by mistake, in order of arrival.
func (s *State) EachContact(f func(c *Contact)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range s.contacts.n {
		if c := s.contacts.at(i); !c.Void {
			f(c)
		}
	}
}

// Counts returns the number of people and contacts.
func (s *State) Counts() (people, contacts int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.personAt), len(s.contactAt)
}

// Code returns a subject's code, or "".
func (s *State) Code(id krama.SubjectID) krama.Code {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.people[id]; p != nil {
		return p.Value.Code
	}
	return ""
}
