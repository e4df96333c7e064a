package casework

import (
	"cmp"
	"slices"

	"krama"
	"krama/directory"
)

// door folds what is not about a registered person: the directory, reports and what was done about them, referrals.
type door struct {
	starter   []krama.Listing
	listings  *directory.Fold
	rights    map[krama.RecordID]*krama.RightsText
	intakes   map[krama.RecordID]Intake
	threads   map[krama.ThreadID]*Thread
	referrals map[krama.RecordID]*Referral
	outcomes  map[krama.RecordID]map[krama.RecordID]krama.Outcome
	incidents map[krama.RecordID]Incident
	audits    []Audit
	taken     map[krama.SubjectID]map[krama.RecordID]fate // by the intake's subject and the report
	seen      map[krama.RecordID]bool
}

// Intake is an intake's secret and where it lives.
type Intake struct {
	krama.Intake
	Circle  krama.CircleKind
	Subject krama.SubjectID
	Record  krama.RecordID
}

// Message is one message of a thread, put together from its parts.
type Message struct {
	Text  string
	Day   krama.Day
	Topic uint8
	Place uint16
}

// Act is something staff did about a thread.
type Act struct {
	krama.Act
	Record krama.RecordID
	Author krama.DeviceID
	After  int // messages that were there before it
}

// Thread is a conversation with somebody who reported.
type Thread struct {
	ID       krama.ThreadID
	Circle   krama.CircleKind
	Auth     [32]byte
	KEM      []byte
	Intake   [16]byte
	Mailbox  [16]byte
	Subjects []krama.SubjectID // whose records it is made of; the first is written under
	Messages []Message
	Acts     []Act
	Reports  []ReportRef // what it is made of
}

// ReportRef is a report of a conversation: its first record, and the intake it came by.
type ReportRef struct {
	Record krama.RecordID
	Intake [16]byte
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

// Audit is one line of who read what.
type Audit struct {
	krama.Audit
	Author krama.DeviceID
	Circle krama.CircleKind
}

func (d *door) reset() {
	*d = door{starter: d.starter, listings: directory.NewFold(d.starter), rights: map[krama.RecordID]*krama.RightsText{}, intakes: map[krama.RecordID]Intake{},
		threads: map[krama.ThreadID]*Thread{}, referrals: map[krama.RecordID]*Referral{}, outcomes: map[krama.RecordID]map[krama.RecordID]krama.Outcome{},
		incidents: map[krama.RecordID]Incident{}, taken: map[krama.SubjectID]map[krama.RecordID]fate{}, seen: map[krama.RecordID]bool{}}
}

// take folds a record in and reports whether it was one of the door's.
func (d *door) take(k krama.CircleKind, subject krama.SubjectID, rec *krama.Record, author krama.DeviceID) bool {
	intake := k == krama.KindCasework || k == krama.KindSafeguarding
	switch {
	case rec.Listing != nil, rec.Check != nil:
		if k == krama.KindOutreach {
			d.listings.Take(rec, author)
		}
	case rec.Guarded != nil:
		if k == krama.KindSafeguarding {
			d.listings.Take(rec, author)
		}
	case rec.RightsText != nil:
		d.rights[rec.ID] = rec.RightsText
	case rec.Intake != nil:
		if intake && subject != (krama.SubjectID{}) {
			d.intakes[rec.ID] = Intake{*rec.Intake, k, subject, rec.ID}
		}
	case rec.Report != nil:
		if intake {
			d.report(k, subject, rec.ID, rec.Report)
		}
	case rec.Act != nil:
		if intake && !d.seen[rec.ID] {
			d.seen[rec.ID] = true
			for _, id := range rec.Act.Threads {
				if t := d.thread(id); t != nil {
					after := len(t.Messages)
					if n := int(rec.Act.Messages); n > 0 {
						after = n // what came meanwhile on another desk is not answered by it
					}
					t.Acts = append(t.Acts, Act{*rec.Act, rec.ID, author, after})
				}
			}
		}
	case rec.Referral != nil:
		if d.referrals[rec.ID] == nil {
			d.referrals[rec.ID] = &Referral{Referral: *rec.Referral, Record: rec.ID, Subject: subject, Author: author}
		}
	case rec.Outcome != nil:
		of := rec.Outcome.Referral
		if d.outcomes[of] == nil {
			d.outcomes[of] = map[krama.RecordID]krama.Outcome{}
		}
		d.outcomes[of][rec.ID] = *rec.Outcome
	case rec.Incident != nil:
		if k == krama.KindSafeguarding {
			d.incidents[rec.ID] = Incident{*rec.Incident, rec.ID, subject, author}
		}
	case rec.Audit != nil:
		if (intake || rec.Audit.What == krama.AuditRefused) && !d.seen[rec.ID] {
			d.seen[rec.ID] = true
			d.audits = append(d.audits, Audit{*rec.Audit, author, k})
		}
	case rec.Taken != nil:
		if intake && subject != (krama.SubjectID{}) {
			d.takeFate(subject, rec.Taken)
		}
	default:
		return false
	}
	return true
}

func (d *door) thread(id krama.ThreadID) *Thread {
	t := d.threads[id]
	if t == nil {
		t = &Thread{ID: id}
		d.threads[id] = t
	}
	return t
}

func (d *door) report(k krama.CircleKind, subject krama.SubjectID, id krama.RecordID, r *krama.Report) {
	t := d.thread(r.Thread)
	if len(t.Messages) > 0 && t.Circle != k {
		return // a thread is of one circle: its id says which
	}
	t.Circle = k
	if !slices.Contains(t.Subjects, subject) {
		t.Subjects = append(t.Subjects, subject) // of two desks that took it in at once, too: both are erased with it
	}
	if d.seen[id] {
		return
	}
	d.seen[id] = true
	if r.Part == 0 {
		t.Reports = append(t.Reports, ReportRef{id, r.Intake})
	}
	if len(r.KEM) > 0 {
		if t.KEM == nil {
			t.KEM, t.Auth, t.Mailbox = r.KEM, r.Auth, r.Mailbox
		}
		t.Intake = r.Intake // the newest: its keys answer
	}
	if n := len(t.Messages); r.Part > 0 && n > 0 {
		t.Messages[n-1].Text += r.Text
		return
	}
	t.Messages = append(t.Messages, Message{r.Text, r.Day, r.Topic, r.Place})
}

// forget drops what was written under a subject.
func (d *door) forget(id krama.SubjectID) {
	for k, r := range d.referrals {
		if r.Subject == id {
			delete(d.referrals, k)
			delete(d.outcomes, k)
		}
	}
	for k, in := range d.intakes {
		if in.Subject == id {
			delete(d.intakes, k)
		}
	}
	delete(d.taken, id)
	for k, i := range d.incidents {
		if i.Subject == id {
			delete(d.incidents, k)
		}
	}
	for k, t := range d.threads {
		if slices.Contains(t.Subjects, id) {
			delete(d.threads, k)
		}
	}
}

// Alone reports whether nothing but an intake, and what became of its reports, is kept under a subject.
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
	for _, e := range s.Listings() {
		if e.Key == k {
			return e
		}
	}
	return nil
}

// RightsTexts returns the programme's own text about a topic in a language that stands, newest review first, and its record.
func (s *State) RightsTexts(topic, lang string) (out []*krama.RightsText, ids []krama.RecordID) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	gone := s.replacedRights()
	for id, t := range s.rights {
		if t.Topic == topic && t.Lang == lang && !gone[id] {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b krama.RecordID) int {
		return cmp.Or(-cmp.Compare(s.rights[a].ReviewedOn, s.rights[b].ReviewedOn), slices.Compare(a[:], b[:]))
	})
	for _, id := range ids {
		out = append(out, s.rights[id])
	}
	return out, ids
}

// replacedRights are the texts that another one replaces.
func (d *door) replacedRights() map[krama.RecordID]bool {
	gone := map[krama.RecordID]bool{}
	for _, t := range d.rights {
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
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Circle, b.Circle), slices.Compare(a.Record[:], b.Record[:]))
	})
	return out
}

// State of a thread.
const (
	ThreadNew uint8 = iota
	ThreadOpen
	ThreadAnswered
	ThreadClosed
	ThreadAside
)

// State tells where a thread stands: what she wrote after the last act makes it open again.
func (t *Thread) State() uint8 {
	state := ThreadNew
	for _, a := range t.Acts {
		fresh := a.After >= len(t.Messages)
		switch {
		case a.What == krama.ActAside && fresh:
			state = ThreadAside
		case a.What == krama.ActClose && fresh:
			state = ThreadClosed
		case a.What == krama.ActAnswer && fresh:
			state = ThreadAnswered
		default:
			state = ThreadOpen
		}
	}
	return state
}

// Assigned is the member it was last assigned to, or zero.
func (t *Thread) Assigned() (m krama.MemberID) {
	for _, a := range t.Acts {
		if a.What == krama.ActAssign {
			m = a.Member
		}
	}
	return m
}

// Last is the day of her last message.
func (t *Thread) Last() (d krama.Day) {
	for _, m := range t.Messages {
		d = max(d, m.Day)
	}
	return d
}

// Threads are the conversations of the circles this device holds, the newest message first.
func (s *State) Threads() (out []*Thread) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.threads {
		if len(t.Messages) > 0 {
			c := *t
			c.Messages, c.Acts, c.Reports = slices.Clone(t.Messages), slices.Clone(t.Acts), slices.Clone(t.Reports)
			out = append(out, &c)
		}
	}
	slices.SortFunc(out, func(a, b *Thread) int {
		return cmp.Or(-cmp.Compare(a.Last(), b.Last()), slices.Compare(a.ID[:], b.ID[:]))
	})
	return out
}

// Thread returns one conversation, or nil.
func (s *State) Thread(id krama.ThreadID) *Thread {
	for _, t := range s.Threads() {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// Referrals are the slips given, the newest first; of one subject, or of all when it is zero.
func (s *State) Referrals(of krama.SubjectID) (out []Referral) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id, r := range s.referrals {
		if of != (krama.SubjectID{}) && r.Subject != of {
			continue
		}
		c := *r
		for _, o := range s.outcomes[id] {
			c.Outcomes = append(c.Outcomes, o)
		}
		slices.SortFunc(c.Outcomes, func(a, b krama.Outcome) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.What, b.What)) })
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
	out := slices.Clone(s.audits)
	slices.Reverse(out)
	return out
}
