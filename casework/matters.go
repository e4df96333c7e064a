package casework

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"krama"
	"krama/directory"
)

// matters folds what is not about a registered person: the directory, reports and what was done about them, referrals.
type matters struct {
	// Under the lock of the State it is part of. All but starter comes from records and goes with a Reset. seen are the
	// records of reports, and of acts, that were taken in: what comes again adds nothing.
	starter   []krama.Listing
	listings  *directory.Fold
	rights    map[krama.RecordID]*krama.RightsText
	intakes   map[krama.RecordID]Intake
	threads   map[krama.ThreadID]*Thread
	referrals map[krama.RecordID]*Referral
	outcomes  map[krama.RecordID]map[krama.RecordID]outcome
	incidents map[krama.RecordID]Incident
	audits    map[auditAt]Audit
	taken     map[krama.SubjectID]map[krama.RecordID]fate // by the intake's subject and the report
	seen      map[krama.RecordID]bool
}

// Intake is an intake's secret and where it lives.
type Intake struct {
	// Seed opens every report to it; Subject is its own, and erasing that destroys it.
	krama.Intake
	Circle  krama.CircleKind
	Subject krama.SubjectID
	Record  krama.RecordID
}

// outcome is an outcome and when it was typed.
type outcome struct {
	krama.Outcome
	said
}

// Referral is a slip that was given to somebody.
type Referral struct {
	krama.Referral
	Record   krama.RecordID
	Subject  krama.SubjectID
	Author   krama.DeviceID
	Outcomes []krama.Outcome // by day
}

// Incident is an incident and its record.
type Incident struct {
	krama.Incident
	Record  krama.RecordID
	Subject krama.SubjectID
	Author  krama.DeviceID
}

// auditAt is where a line of the audit stands: nobody else's record of the same id replaces it.
type auditAt struct {
	record krama.RecordID
	author krama.DeviceID
	circle krama.CircleKind
}

// Audit is one line of who read what.
type Audit struct {
	krama.Audit
	said
	Author krama.DeviceID
	Circle krama.CircleKind
}

// reset forgets everything but the shipped listings.
func (m *matters) reset() {
	*m = matters{starter: m.starter, listings: directory.NewFold(m.starter),
		rights: map[krama.RecordID]*krama.RightsText{}, intakes: map[krama.RecordID]Intake{},
		threads: map[krama.ThreadID]*Thread{}, referrals: map[krama.RecordID]*Referral{},
		outcomes:  map[krama.RecordID]map[krama.RecordID]outcome{},
		incidents: map[krama.RecordID]Incident{}, audits: map[auditAt]Audit{},
		taken: map[krama.SubjectID]map[krama.RecordID]fate{}, seen: map[krama.RecordID]bool{}}
}

// take folds a record in and reports whether it is about one of these matters.
func (m *matters) take(k krama.CircleKind, subject krama.SubjectID, rec *krama.Record, author krama.DeviceID) bool {
	// Who may write in a circle may write a record of any kind there. What counts from its own circle alone is passed
	// over elsewhere: it is known, and not of a later version.
	intake := k == krama.KindCasework || k == krama.KindSafeguarding
	switch {
	case rec.Listing != nil, rec.Check != nil:
		if k == krama.KindOutreach {
			m.listings.Take(rec, author)
		}
	case rec.Guarded != nil:
		if k == krama.KindSafeguarding {
			m.listings.Take(rec, author)
		}
	case rec.RightsText != nil:
		m.rights[rec.ID] = rec.RightsText
	case rec.Intake != nil:
		if intake && subject != (krama.SubjectID{}) {
			in := Intake{*rec.Intake, k, subject, rec.ID}
			// Whoever writes under an id that is somebody else's writes nothing.
			if old, there := m.intakes[rec.ID]; !there || old.Subject == subject {
				m.intakes[rec.ID] = in
			}
		}
	case rec.Report != nil:
		if intake {
			m.report(k, subject, rec)
		}
	case rec.Act != nil:
		if intake && !m.seen[rec.ID] {
			m.seen[rec.ID] = true
			// An act may be here before the report it is about. It waits in a conversation without messages, which no
			// list has.
			for _, id := range rec.Act.Threads {
				t := m.thread(id)
				t.Acts = append(t.Acts, Act{*rec.Act, said{rec.Written, rec.ID}, author, 0})
				t.build()
			}
		}
	case rec.Referral != nil:
		if m.referrals[rec.ID] == nil {
			m.referrals[rec.ID] = &Referral{Referral: *rec.Referral, Record: rec.ID, Subject: subject, Author: author}
		}
	case rec.Outcome != nil:
		of := rec.Outcome.Referral
		if m.outcomes[of] == nil {
			m.outcomes[of] = map[krama.RecordID]outcome{}
		}
		if old, ok := m.outcomes[of][rec.ID]; !ok || rec.Written < old.Written {
			// two desks fetch one answer, each at its time
			m.outcomes[of][rec.ID] = outcome{*rec.Outcome, said{rec.Written, rec.ID}}
		}
	case rec.Incident != nil:
		if k == krama.KindSafeguarding {
			if old, there := m.incidents[rec.ID]; !there || old.Subject == subject {
				m.incidents[rec.ID] = Incident{*rec.Incident, rec.ID, subject, author}
			}
		}
	case rec.Audit != nil:
		if intake || rec.Audit.What == krama.AuditRefused {
			// A refusal may stand in any circle (office.BestCircle). What an author wrote first under an id stays:
			// nobody writes over what she has read.
			at := auditAt{rec.ID, author, k}
			if _, there := m.audits[at]; !there {
				m.audits[at] = Audit{*rec.Audit, said{rec.Written, rec.ID}, author, k}
			}
		}
	case rec.Taken != nil:
		if intake && subject != (krama.SubjectID{}) {
			m.takeFate(subject, rec.Taken)
		}
	default:
		return false
	}
	return true
}

// forget drops what was written under a subject.
func (m *matters) forget(id krama.SubjectID) {
	for k, r := range m.referrals {
		if r.Subject == id {
			delete(m.referrals, k)
			delete(m.outcomes, k)
		}
	}
	for k, in := range m.intakes {
		if in.Subject == id {
			delete(m.intakes, k)
		}
	}
	// With an intake's seed goes what became of its reports: nothing opens them any more.
	delete(m.taken, id)
	for k, i := range m.incidents {
		if i.Subject == id {
			delete(m.incidents, k)
		}
	}
	for k, t := range m.threads {
		// Two desks that took a report in at once gave it two subjects. With one of them all of it goes from here; the
		// office erases each.
		if slices.Contains(t.Subjects, id) {
			delete(m.threads, k)
		}
	}
}

// Alone reports whether nothing but an intake, and what became of its reports, is kept under a subject.
// The office asks before it erases an intake: a colleague may have written one under a person.
func (s *State) Alone(id krama.SubjectID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.people[id] != nil {
		return false
	}
	for _, t := range s.threads {
		if slices.Contains(t.Subjects, id) {
			return false
		}
	}
	for _, i := range s.incidents {
		if i.Subject == id {
			return false
		}
	}
	for _, r := range s.referrals {
		if r.Subject == id {
			return false
		}
	}
	return true
}

// Starter sets the listings that the directory begins with; records of the same keys replace them.
func (s *State) Starter(l []krama.Listing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starter = l
	s.listings.Begin(l)
}

// Listings are the directory as this device knows it.
func (s *State) Listings() []*directory.Entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.listings.Entries()
}

// Listing returns one listing, or nil.
func (s *State) Listing(k krama.ListingID) *directory.Entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.listings.Entry(k)
}

// RightsTexts returns the programme's own text about a topic in a language that stands, newest review first, and its
// record.
func (s *State) RightsTexts(topic, lang string) (out []*krama.RightsText, ids []krama.RecordID) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	gone := s.replacedRights()
	for id, t := range s.rights {
		if t.Topic == topic && t.Lang == lang && !gone[id] {
			ids = append(ids, id)
		}
	}
	// Of two that stand beside each other the one that was reviewed last is published.
	slices.SortFunc(ids, func(a, b krama.RecordID) int {
		return cmp.Or(-cmp.Compare(s.rights[a].ReviewedOn, s.rights[b].ReviewedOn), slices.Compare(a[:], b[:]))
	})
	for _, id := range ids {
		out = append(out, s.rights[id])
	}
	return out, ids
}

// replacedRights are the texts that another one replaces.
func (m *matters) replacedRights() map[krama.RecordID]bool {
	gone := map[krama.RecordID]bool{}
	for _, t := range m.rights {
		for _, r := range t.Replaces {
			gone[r] = true
		}
	}
	return gone
}

// Intakes are the programme's intakes that this device can open, oldest first.
func (s *State) Intakes() (out []Intake) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, in := range s.intakes {
		out = append(out, in)
	}
	slices.SortFunc(out, func(a, b Intake) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Circle, b.Circle), slices.Compare(a.Record[:],
			b.Record[:]))
	})
	return out
}

// Referrals are the slips given, the newest first; of one subject, or of all when it is zero.
func (s *State) Referrals(of krama.SubjectID) (out []Referral) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id, r := range s.referrals {
		if of != (krama.SubjectID{}) && r.Subject != of {
			continue
		}
		// A copy: the fold's own changes under its lock.
		c := *r
		of := slices.SortedFunc(maps.Values(s.outcomes[id]), func(a, b outcome) int {
			return cmp.Or(cmp.Compare(a.Day, b.Day), a.compare(b.said))
		})
		for _, o := range of {
			c.Outcomes = append(c.Outcomes, o.Outcome)
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Referral) int {
		return cmp.Or(-cmp.Compare(a.Day, b.Day), slices.Compare(a.Record[:], b.Record[:]))
	})
	return out
}

// Outcome is what became of it last, or 0.
func (r *Referral) Outcome() uint8 {
	if n := len(r.Outcomes); n > 0 {
		return r.Outcomes[n-1].What
	}
	return 0
}

// Incidents are the incidents kept, the newest first.
// They are here on devices with the safeguarding circle only. Whoever shows them leaves a line first (Office.Audited).
func (s *State) Incidents() (out []Incident) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, i := range s.incidents {
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b Incident) int {
		return cmp.Or(-cmp.Compare(a.Day, b.Day), slices.Compare(a.Record[:], b.Record[:]))
	})
	return out
}

// Audits are who read what, the newest first.
func (s *State) Audits() []Audit {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.SortedFunc(maps.Values(s.audits), func(a, b Audit) int {
		return -cmp.Or(cmp.Compare(a.Day, b.Day), a.compare(b.said), bytes.Compare(a.Author[:], b.Author[:]),
			cmp.Compare(a.Circle, b.Circle))
	})
}

// fate is what became of a report that no conversation holds.
type fate struct {
	what uint8 // krama.Takens; what is seen stays seen
	day  krama.Day
}
