package replica

import (
	"slices"

	"krama"
)

// Letters, wraps asked for and control keys, as the journal tells them.

// addControl makes a key the newest; one that was there moves.
func (l *ledger) addControl(s [32]byte) {
	l.controls = append(slices.DeleteFunc(l.controls, func(o [32]byte) bool { return o == s }), s)
}

// rewrap is a wrap that a device asked for.
type rewrap struct {
	device krama.DeviceID
	circle krama.CircleID
	epoch  uint32
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

// letter finds a letter, or nil.
func (l *ledger) letter(id [32]byte) *Mail {
	for _, m := range l.letters {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// dropLetter forgets a letter, and notes that its bytes must go from the file.
func (l *ledger) dropLetter(id [32]byte) {
	for i, m := range l.letters {
		if m.ID == id {
			l.letters = append(l.letters[:i], l.letters[i+1:]...)
			l.untidy = true
			break
		}
	}
	l.done[id] = true
}

// letterEntry keeps a letter until it is decided.
func letterEntry(m *Mail) []byte {
	return tagged(tagLetter, m.ID[:], []byte{byte(m.Kind)}, m.From[:], u64(uint64(m.Day)), m.body)
}

// devicesOf lists a member's devices.
func (l *ledger) devicesOf(m krama.MemberID) (out []krama.DeviceID) {
	for id, d := range l.roster.Devices {
		if d.Member == m && d.Removed == 0 {
			out = append(out, id)
		}
	}
	return out
}
