// Package casework folds records into what a screen needs: people, their contacts, who is due, what two people disagree
// about. It holds everything in memory and forgets it with the process.
package casework

import (
	"maps"
	"slices"
	"sync"

	"krama"
)

// State is the folded programme of one device. It is safe for concurrent use. The same records in any order give the
// same state.
type State struct {
	// Records come from the replica's feed, through Apply and ApplyIn; Forget is an erasure. Exported methods take the
	// lock, the others are called with it held.
	mu        sync.RWMutex // guards everything below
	people    map[krama.SubjectID]*Person
	byCode    map[krama.Code][]krama.SubjectID // one, but where two phones drew the same
	contacts  contacts
	contactAt map[krama.RecordID]int32
	personAt  map[krama.RecordID]*Person // by the registration that stands
	amended   map[amendedAt]*amended
	unknown   map[krama.RecordID]bool // of a later version
	drills    map[[4]byte]map[uint8][]krama.Day
	accepted  []krama.Day // when admins accepted permanent loss
	labels    map[krama.MemberID]label
	released  map[releasedAt]Release // of two desks that used one id both
	version   uint64
	door      // listings, reports and referrals
}

// label is what a member is called, and the record that says so.
type label struct {
	text string
	said
}

// said is where a record stands among those of one day: by when it was typed, and then by its id.
type said struct {
	Written uint32 // krama.Record
	Record  krama.RecordID
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
	s.people, s.byCode, s.contacts = map[krama.SubjectID]*Person{}, map[krama.Code][]krama.SubjectID{}, contacts{}
	s.contactAt, s.personAt, s.amended = map[krama.RecordID]int32{}, map[krama.RecordID]*Person{},
		map[amendedAt]*amended{}
	s.released = map[releasedAt]Release{}
	s.labels, s.drills = map[krama.MemberID]label{}, map[[4]byte]map[uint8][]krama.Day{}
	s.unknown, s.accepted, s.version = map[krama.RecordID]bool{}, nil, v+1
	s.door.reset()
}

// Forget drops everything about a subject: she was erased.
func (s *State) Forget(id krama.SubjectID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.door.forget(id)
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

// ApplyIn folds in a record of any circle. People are of the outreach circle alone; of the others only what the door,
// the inbox and the audit show is taken, and what is of a later version is counted.
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
	if !s.door.take(k, subject, rec, author) && rec.Later() {
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

// add puts a day into a sorted list of days, once.
func add(days []krama.Day, d krama.Day) []krama.Day {
	at, there := slices.BinarySearch(days, d)
	if there {
		return days
	}
	return slices.Insert(days, at, d)
}

// latest is the newest of sorted days that a reader's clock bears out; today where all are ahead of it, because it was
// done on some day, and 0 if there is none.
func latest(days []krama.Day, today krama.Day) krama.Day {
	for _, d := range slices.Backward(days) {
		if !ahead(d, today) {
			return d
		}
	}
	if len(days) > 0 {
		return today
	}
	return 0
}

// ahead reports whether a day has not come where the reader is. What a phone dated so, whose clock was wrong, decides
// nothing. One day is not held against it: midnight does not come everywhere at once.
func ahead(d, today krama.Day) bool { return d > today+1 }

// Version changes whenever the state does.
func (s *State) Version() uint64 { s.mu.RLock(); defer s.mu.RUnlock(); return s.version }

// Unknown is how many records of a later version are kept and not shown.
func (s *State) Unknown() int { s.mu.RLock(); defer s.mu.RUnlock(); return len(s.unknown) }

// Label returns a member's label, or "".
func (s *State) Label(m krama.MemberID) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.labels[m].text
}

// Namesake reports whether another member has this one's label.
func (s *State) Namesake(m krama.MemberID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for o, l := range s.labels {
		if o != m && l.text == s.labels[m].text {
			return true
		}
	}
	return false
}

// Labels returns every member's label.
func (s *State) Labels() map[krama.MemberID]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[krama.MemberID]string{}
	for m, l := range s.labels {
		out[m] = l.text
	}
	return out
}

// Drills returns when each share of a set was last shown, and when an admin accepted permanent loss (0 if nobody did).
func (s *State) Drills(set [4]byte, today krama.Day) (shown map[uint8]krama.Day, accepted krama.Day) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	shown = map[uint8]krama.Day{}
	for x, days := range s.drills[set] {
		shown[x] = latest(days, today)
	}
	return shown, latest(s.accepted, today)
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
