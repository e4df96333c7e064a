// Package casework folds records into what a screen needs: people, their contacts, who is due, what two people disagree
// about. It holds everything in memory and forgets it with the process.
package casework

import (
	"bytes"
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
	matters   // listings, reports and referrals
}

// label is what a member is called, and the record that says so.
type label struct {
	text string
	said
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
	s.matters.reset()
}

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

// Release is what left of one period, whose desk says so, and when.
type Release struct {
	krama.Released
	said
	Author krama.DeviceID
}

// releasedAt is where a release stands: nobody's record takes the place of another's, whatever its id.
type releasedAt struct {
	record krama.RecordID
	author krama.DeviceID
}

// amendedAt names the amendments of a record: what is written under one subject changes nothing of another's.
type amendedAt struct {
	subject krama.SubjectID
	target  krama.RecordID
}

// amended holds the amendments of one record: values stand until a later record replaces them, and what stands is
// judged as a whole. It may be here before the record.
type amended struct {
	fields  map[uint8]*register
	contact *krama.Contact // as it was written, once it is here; a registration's is in its Person
	refused map[uint8]bool // fields whose standing value cannot stand with the others
}

// Person is a person as folded.
type Person struct {
	// Under the State's lock; a screen gets a View. local says that the registration is only on this device.
	Subject  krama.SubjectID
	Record   krama.RecordID // of the registration that stands; zero while only later records have come
	Value    krama.Person   // with amendments applied
	Contacts []int32        // indexes of her contacts, in order of arrival
	Consents []Consent
	Author   krama.DeviceID
	local    bool
	regs     []registration // all of hers; one, but where two devices registered one subject
}

// registration is a registration as it was written.
type registration struct {
	krama.Person
	said
	author krama.DeviceID
	local  bool
}

// Consent is a consent record with its id.
type Consent struct {
	krama.Consent
	Record krama.RecordID
}

// Contact is a contact as folded.
type Contact struct {
	krama.Contact
	said
	Subject krama.SubjectID
	Author  krama.DeviceID
	Local   bool // only on this device so far
}

// code notes whose a code is.
// The list is sorted, so that every device names the same people in the same order.
func (s *State) code(c krama.Code, id krama.SubjectID) {
	of := append(s.byCode[c], id)
	slices.SortFunc(of, func(a, b krama.SubjectID) int { return bytes.Compare(a[:], b[:]) })
	s.byCode[c] = of
}

// uncode takes that back.
func (s *State) uncode(c krama.Code, id krama.SubjectID) {
	of := slices.DeleteFunc(s.byCode[c], func(o krama.SubjectID) bool { return o == id })
	if s.byCode[c] = of; len(of) == 0 {
		delete(s.byCode, c)
	}
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
