package casework

import (
	"bytes"
	"cmp"
	"slices"

	"krama"
)

// Compare is the one order of contacts: by date, when they were typed, and record. It is the same on every device.
func (c *Contact) Compare(o *Contact) int {
	return cmp.Or(cmp.Compare(c.Date, o.Date), c.said.compare(o.said))
}

// Unsafe reports whether she said that she is not safe, or asked for help.
func (c *Contact) Unsafe() bool { return c.Safety == krama.SafeNo || c.Safety == krama.SafeHelp }

// person finds a person, or begins one of whom something came before she did.
func (s *State) person(id krama.SubjectID) *Person {
	p := s.people[id]
	if p == nil {
		p = &Person{Subject: id}
		s.people[id] = p
	}
	return p
}

// register takes in a registration. Of several the first stands.
func (s *State) register(subject krama.SubjectID, rec *krama.Record, author krama.DeviceID, local bool) {
	p := s.person(subject)
	// The same one comes twice: as it was typed here, and as it was read back from the relay.
	at := slices.IndexFunc(p.regs, func(r registration) bool { return r.Record == rec.ID })
	if at < 0 {
		p.regs = append(p.regs, registration{*rec.Person, said{rec.Written, rec.ID}, author, local})
		slices.SortFunc(p.regs, func(a, b registration) int {
			return cmp.Or(cmp.Compare(a.Registered, b.Registered), a.said.compare(b.said))
		})
	} else {
		p.regs[at].local = p.regs[at].local && local
	}
	first := &p.regs[0]
	if p.local = first.local; p.Record == first.Record {
		return
	}
	// Her first registration, or one that came after another and is dated before it. Code and amendments follow it.
	delete(s.personAt, p.Record)
	s.uncode(p.Value.Code, subject)
	p.Record, p.Value, p.Author = first.Record, first.Person, first.author
	s.personAt[p.Record] = p
	s.code(p.Value.Code, subject)
	// Amendments of it may have been here before it.
	s.resolve(amendedAt{subject, p.Record})
}

// View is a person as a screen shows her.
type View struct {
	Subject   krama.SubjectID
	Record    krama.RecordID
	Value     krama.Person
	Contacts  []Contact // newest first, without those entered by mistake
	Ahead     []Contact // dated later than the reader's tomorrow: they decide nothing until somebody corrects them
	Consents  map[uint8]krama.Consent
	Last      krama.Day // 0 when never met
	Next      krama.Day // 0 when none was agreed
	NotSafe   bool      // an entry of the last day, or one from ahead, says so
	NoContact bool      // she said no to being contacted again: she is never due
	Local     int       // records of hers that are only on this device
	Disputes  []Dispute
	Namesakes []krama.SubjectID // others with her code
	Later     bool              // of them all, somebody else was registered first
}

// Consented reports what she said last about a purpose.
func (v *View) Consented(purpose uint8) bool { return v.Consents[purpose].Given }

// meeting is what a person's contacts say together.
type meeting struct {
	last    *Contact // the newest that counts, or nil
	notSafe bool
	ahead   bool
	local   bool
}

// met sums up a person's contacts.
func (s *State) met(p *Person, today krama.Day) (m meeting) {
	for _, i := range p.Contacts {
		c := s.contacts.at(i)
		m.local = m.local || c.Local
		switch {
		case c.Void:
		case ahead(c.Date, today):
			// It decides nothing, but it must not hide that she asked for help.
			m.ahead = true
			m.notSafe = m.notSafe || c.Unsafe()
		case m.last == nil || m.last.Compare(c) < 0:
			m.last = c
		}
	}
	if m.last == nil {
		return m
	}
	// A colleague may have met her on the same day: one answer that she is safe does not take back the other.
	for _, i := range p.Contacts {
		c := s.contacts.at(i)
		m.notSafe = m.notSafe || !c.Void && c.Date == m.last.Date && c.Unsafe()
	}
	return m
}

// view is a person as a page shows her.
func (s *State) view(p *Person, today krama.Day) View {
	v := View{Subject: p.Subject, Record: p.Record, Value: p.Value, Consents: consents(p, today)}
	if p.local {
		v.Local++
	}
	for _, i := range p.Contacts {
		c := *s.contacts.at(i)
		if c.Local {
			v.Local++
		}
		switch {
		case c.Void:
		case ahead(c.Date, today):
			v.Ahead = append(v.Ahead, c)
		default:
			v.Contacts = append(v.Contacts, c)
		}
	}
	for _, list := range [][]Contact{v.Contacts, v.Ahead} {
		slices.SortFunc(list, func(a, b Contact) int { return -a.Compare(&b) })
	}
	m := s.met(p, today)
	if v.NotSafe = m.notSafe; m.last != nil {
		v.Last, v.Next = m.last.Date, m.last.Next
	}
	if v.NoContact = refused(p, today); v.NoContact {
		v.Next = 0
	}
	v.Disputes = s.disputes(p)
	// Two phones drew one code while neither knew of the other. Later says that it is she who gets a new one; of two
	// namesakes it is true of one, so that two desks change the same.
	for _, id := range s.byCode[p.Value.Code] {
		if id == p.Subject {
			continue
		}
		v.Namesakes = append(v.Namesakes, id)
		o, mine := s.people[id], &p.regs[0]
		v.Later = v.Later || cmp.Or(cmp.Compare(o.regs[0].Registered, mine.Registered),
			o.regs[0].said.compare(mine.said)) < 0
	}
	return v
}

// standing are her words about a purpose that no later one replaces, of those that count.
func standing(p *Person, purpose uint8, counts func(*Consent) bool) (out []*Consent) {
	var gone map[krama.RecordID]bool
	for i := range p.Consents {
		if c := &p.Consents[i]; c.Purpose == purpose && counts(c) {
			for _, r := range c.Replaces {
				if r != c.Record {
					if gone == nil {
						gone = map[krama.RecordID]bool{}
					}
					gone[r] = true
				}
			}
			out = append(out, c)
		}
	}
	return slices.DeleteFunc(out, func(c *Consent) bool { return gone[c.Record] })
}

// lastWord is her last word about a purpose, of those that no other replaces. Of one day a withdrawal outranks a
// consent. A consent from ahead of the reader's clock neither counts nor replaces anything; a refusal from there
// counts: no clock makes a no a yes.
func lastWord(p *Person, purpose uint8, today krama.Day) (last krama.Consent, ok bool) {
	for _, c := range standing(p, purpose, func(c *Consent) bool { return !c.Given || !ahead(c.Date, today) }) {
		now, then := min(c.Date, today+1), min(last.Date, today+1)
		if !ok || now > then || now == then && !c.Given {
			last, ok = c.Consent, true
		}
	}
	return last, ok
}

// consents returns the last word per purpose.
func consents(p *Person, today krama.Day) map[uint8]krama.Consent {
	out := map[uint8]krama.Consent{}
	for _, t := range krama.Purposes {
		if c, ok := lastWord(p, t.Code, today); ok {
			out[t.Code] = c
		}
	}
	return out
}

// Said are the records of what a person said about a purpose that stand: what a new word of hers replaces.
// It is at most krama.MaxReplaces of them: a record names no more.
func (s *State) Said(id krama.SubjectID, purpose uint8) (out []krama.RecordID) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.people[id]; p != nil {
		for _, c := range standing(p, purpose, func(*Consent) bool { return true }) {
			out = append(out, c.Record)
		}
	}
	slices.SortFunc(out, func(a, b krama.RecordID) int { return bytes.Compare(a[:], b[:]) })
	return out[:min(len(out), krama.MaxReplaces)]
}

// refused reports whether she said no to being contacted again.
func refused(p *Person, today krama.Day) bool {
	said, asked := lastWord(p, krama.PurposeContact, today)
	return asked && !said.Given
}

// Person returns one person.
func (s *State) Person(id krama.SubjectID, today krama.Day) (View, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.people[id]
	if p == nil || p.Record == (krama.RecordID{}) {
		return View{}, false
	}
	return s.view(p, today), true
}

// Find returns the people with a code: one, but where two phones drew the same while neither knew of the other.
func (s *State) Find(c krama.Code) []krama.SubjectID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.byCode[c])
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
