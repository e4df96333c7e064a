package casework

import (
	"bytes"
	"cmp"
	"slices"

	"krama"
)

// Message is one message of a thread, put together from its parts.
type Message struct {
	// Day is when the relay had it, as far as a desk believed that. Place is a district, 0 where she said nothing of
	// one.
	Text  string
	Day   krama.Day
	Topic uint8
	Place uint16
}

// Act is something staff did about a thread.
type Act struct {
	krama.Act
	said
	Author krama.DeviceID
	After  int // messages that were there before it
}

// Thread is a conversation with somebody who reported.
type Thread struct {
	// Under the State's lock while it is part of it; Threads gives out copies. Subjects are the conversation's own:
	// with one of them erased nothing of it is shown.
	ID       krama.ThreadID
	Circle   krama.CircleKind
	Senders  []Sender // keys that its messages brought; whose hash its id is, is hers
	Intake   [16]byte
	Subjects []krama.SubjectID // whose records it is made of; the first is written under
	Messages []Message
	Acts     []Act
	Reports  []ReportRef // what it is made of

	parts []part // the records, in any order: what is above follows from them
}

// Sender are the keys that a report brought: an answer is sealed to KEM and lies in Mailbox, where Auth fetches it.
type Sender struct {
	// Public halves, and a name. Who knows all three can send words that are taken for hers, so no archive has them.
	KEM     []byte
	Auth    [32]byte
	Mailbox [16]byte
}

// ReportRef is a report of a conversation: its first record, and the intake it came by.
type ReportRef struct {
	Record krama.RecordID
	Intake [16]byte
}

// part is a record of a report.
type part struct {
	*krama.Report
	id krama.RecordID
}

// says reports whether two records say the same but for the day and the number that desks took them in with.
func (p part) says(o *krama.Report) bool {
	return p.Auth == o.Auth && bytes.Equal(p.KEM, o.KEM) && p.Intake == o.Intake && p.Topic == o.Topic &&
		p.Part == o.Part && p.Text == o.Text &&
		p.Place == o.Place && p.Mailbox == o.Mailbox && p.Of == o.Of
}

// thread finds a conversation, or begins one.
func (m *matters) thread(id krama.ThreadID) *Thread {
	t := m.threads[id]
	if t == nil {
		t = &Thread{ID: id}
		m.threads[id] = t
	}
	return t
}

// report adds a reporter's words to their conversation.
func (m *matters) report(k krama.CircleKind, subject krama.SubjectID, rec *krama.Record) {
	t := m.thread(rec.Report.Thread)
	if len(t.parts) > 0 && t.Circle != k {
		return // a thread is of one circle: its id says which
	}
	t.Circle = k
	if !slices.Contains(t.Subjects, subject) { // of two desks that took it in at once, too: both are erased with it
		t.Subjects = append(t.Subjects, subject)
		slices.SortFunc(t.Subjects, func(a, b krama.SubjectID) int { return bytes.Compare(a[:], b[:]) })
	}
	// By this a desk knows that it need not take in what it fetches again.
	m.seen[rec.ID] = true
	at := slices.IndexFunc(t.parts, func(p part) bool { return p.id == rec.ID && p.says(rec.Report) })
	if at < 0 { // also what says something else under an id that is here: nobody's words are replaced
		t.parts = append(t.parts, part{rec.Report, rec.ID})
	} else { // two desks took it in, perhaps under two numbers of a relay that was restored
		if old := t.parts[at].Report; cmp.Or(cmp.Compare(rec.Report.Day, old.Day), cmp.Compare(rec.Report.N,
			old.N)) >= 0 {
			return
		}
		t.parts[at].Report = rec.Report
	}
	t.build()
}

// build puts a conversation together from its records: messages by day, then by the relay's number, each with its
// parts; acts by day and when they were typed.
func (t *Thread) build() {
	// In an order that follows from the records alone, down to what they say: whichever desk took them in, and in
	// whatever order they came, the conversation reads alike.
	slices.SortFunc(t.parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.N, b.N), cmp.Compare(btoi(a.Part > 0), btoi(b.Part > 0)),
			cmp.Compare(a.Part, b.Part), bytes.Compare(a.id[:], b.id[:]),
			cmp.Compare(a.Text, b.Text), bytes.Compare(a.KEM, b.KEM), bytes.Compare(a.Auth[:], b.Auth[:]),
			bytes.Compare(a.Mailbox[:], b.Mailbox[:]))
	})
	t.Messages, t.Reports, t.Senders = nil, nil, nil
	at := map[krama.RecordID]int{} // the message that begins with a record
	next := map[int]uint8{}        // the part that a message waits for
	// Beginnings first: a part may stand before the one it names.
	for _, p := range t.parts {
		if p.Part > 0 {
			continue
		}
		at[p.id], next[len(t.Messages)] = len(t.Messages), 1
		t.Messages = append(t.Messages, Message{p.Text, p.Day, p.Topic, p.Place})
		t.Reports = append(t.Reports, ReportRef{p.id, p.Intake})
		if len(p.KEM) > 0 {
			t.Senders = append(t.Senders, Sender{p.KEM, p.Auth, p.Mailbox})
			t.Intake = p.Intake // the newest: its keys answer
		}
	}
	whole := len(t.Messages)
	for _, p := range t.parts {
		if p.Part == 0 {
			continue
		}
		i, named := at[p.Of]
		if !named { // of the first version, which did not name it, or its first part is not here
			i = slices.IndexFunc(t.Messages[:whole], func(m Message) bool {
				return m.Day == p.Day && p.Of == krama.RecordID{}
			})
			for i >= 0 && i < whole && (t.Messages[i].Day != p.Day || next[i] != p.Part) {
				i++
			}
		}
		// Words without their beginning are a message of their own: they must not be lost.
		if i < 0 || i >= whole {
			t.Messages = append(t.Messages, Message{p.Text, p.Day, p.Topic, p.Place})
			continue
		}
		next[i] = p.Part + 1
		t.Messages[i].Text += p.Text
	}
	slices.SortFunc(t.Acts, func(a, b Act) int { return cmp.Or(cmp.Compare(a.Day, b.Day), a.compare(b.said)) })
	for i := range t.Acts {
		a := &t.Acts[i]
		if a.After = int(a.Messages); a.After == 0 { // not told: what came on its day is not answered by it
			for _, m := range t.Messages {
				if m.Day < a.Day {
					a.After++
				}
			}
		}
	}
}

// btoi is 1 for true.
func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// State of a thread.
const (
	// In a new one and in an open one somebody waits for staff; the others end a while after the last word. Aside is
	// out of sight and not deleted.
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
		// She wrote nothing that this act's author had not seen.
		fresh := a.After >= len(t.Messages)
		switch {
		case a.What == krama.ActAside && fresh:
			state = ThreadAside
		case a.What == krama.ActClose && fresh:
			state = ThreadClosed
		case a.What == krama.ActAnswer && fresh:
			state = ThreadAnswered
		case (a.What == krama.ActAssign || a.What == krama.ActIncident) && fresh && state != ThreadNew &&
			state != ThreadAside:
			// who takes it, and what is kept of it elsewhere, opens nothing again
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
			// With slices of its own: the caller reads them while more comes in.
			c := *t
			c.Messages, c.Acts, c.Reports = slices.Clone(t.Messages), slices.Clone(t.Acts), slices.Clone(t.Reports)
			c.Subjects, c.Senders = slices.Clone(t.Subjects), slices.Clone(t.Senders)
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
