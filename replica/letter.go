package replica

import (
	"slices"

	"krama"
	"krama/seal"
)

// Letters, wraps asked for and control keys, as the journal tells them.

// mailbag is the letters to this device: what waits for a person, and what was decided.
type mailbag struct {
	letters []*Mail
	done    map[[32]byte]bool // the ids of letters that were decided
}

// letter finds a letter, or nil.
func (m *mailbag) letter(id [32]byte) *Mail {
	if i := m.index(id); i >= 0 {
		return m.letters[i]
	}
	return nil
}

// index is where a letter lies among those that wait, or -1.
func (m *mailbag) index(id [32]byte) int {
	return slices.IndexFunc(m.letters, func(m *Mail) bool { return m.ID == id })
}

// decide takes note that a letter was decided, and reports whether its bytes must go from the file.
func (m *mailbag) decide(id [32]byte) (untidy bool) {
	m.done[id] = true
	i := m.index(id)
	if i >= 0 {
		m.letters = slices.Delete(m.letters, i, i+1)
	}
	return i >= 0
}

// Mail is a letter to this device that a person must look at: work that nobody could send, or a statement that waits
// for a second signature. It is kept until somebody decides.
// Day is when this desk found it. The body is kept as it came, less what has arrived in another way or is of erased
// people.
type Mail struct {
	ID   [32]byte
	Kind seal.LetterKind
	From krama.DeviceID
	Day  krama.Day
	body []byte
}

// wanted reports whether a person must decide about the letter.
func (m *Mail) wanted() bool { return m.Kind == seal.LetterLate || m.Kind == seal.LetterDraft }

// addControl makes a key the newest; one that was there moves.
func (l *ledger) addControl(s [32]byte) {
	l.controls = append(slices.DeleteFunc(l.controls, func(o [32]byte) bool { return o == s }), s)
}

// askRewrap remembers that an epoch's wrap did not come; sendRewraps asks for it.
func (l *ledger) askRewrap(c krama.CircleID, epoch uint32) error {
	if c != krama.OrgCircle { // without circle 0's keys there is nowhere to ask
		l.rewraps[rewrap{l.dev.ID(), c, epoch}] = true
	}
	return nil
}

// askedRewrap notes a colleague's request.
func (l *ledger) askedRewrap(e *entry, it *entryItem) {
	// A circle and an epoch (doc/format.md, 2); anything else is no wish for a wrap.
	if len(it.Body) == 20 && l.dev != nil && e.author != l.dev.ID() && l.host.Office {
		l.rewraps[rewrap{e.author, krama.CircleID(it.Body), be32(it.Body[16:])}] = true
	}
}

// letterEntry keeps a letter until it is decided.
func letterEntry(m *Mail) []byte {
	return tagged(tagLetter, m.ID[:], []byte{byte(m.Kind)}, m.From[:], u64(uint64(m.Day)), m.body)
}

// devicesOf lists a member's devices.
func devicesOf(ro *seal.Roster, m krama.MemberID) (out []krama.DeviceID) {
	for id, d := range ro.Devices {
		if d.Member == m && d.Removed == 0 {
			out = append(out, id)
		}
	}
	return out
}
