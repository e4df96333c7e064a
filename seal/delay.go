package seal

import (
	"encoding/binary"
	"slices"
	"time"

	"krama"
)

// Where two admins must sign and there is only one, a day's wait stands for the second: what she means to do is announced in
// the roster, every device shows it, and the same device says it a day later unless it was withdrawn. The times are those of
// one device's own clock; nobody can prove that it is right.

// Delay is how long before it counts a lone admin's guarded statement is announced.
const Delay = 24 * time.Hour

// DelaySet makes readers refuse a lone admin's guarded statement that was not announced. Founding says it; programmes of
// earlier versions say it before they first announce something, so that what they had signed stays valid.
type DelaySet struct{}

// Announce says what its author will state once After has come by its own clock.
type Announce struct {
	After uint64     // milliseconds
	What  *Statement // its nonce and last position say nothing
}

// Withdraw takes an announcement back.
type Withdraw struct{ Deed [32]byte }

// Announced is a statement that waits for its day.
type Announced struct {
	Deed   [32]byte
	What   *Statement
	Author krama.DeviceID // only she can say it
	After  uint64         // milliseconds, by her clock
}

// deed names what a statement does, however often and in whichever epoch it is said. It is zero for what cannot be announced.
func (s *Statement) deed() [32]byte {
	if s.MemberAdd == nil && s.MemberRole == nil && s.MemberRemove == nil && s.DeviceAdd == nil && s.CircleCreate == nil &&
		s.CirclePolicy == nil && s.EpochGrant == nil && s.TrusteesSet == nil && s.ReleasePin == nil && s.Export == nil {
		return [32]byte{}
	}
	bare := *s
	bare.Nonce, bare.NotAfter = [16]byte{}, 0
	if g := s.EpochGrant; g != nil {
		bare.EpochGrant = &EpochGrant{Circle: g.Circle, Device: g.Device}
	}
	return Hash("deed", bare.Marshal())
}

func (s *Statement) delayed() (string, [][]byte) {
	switch {
	case s.DelaySet != nil:
		return "delay.set", nil
	case s.Announce != nil:
		return "announce", [][]byte{u64(s.Announce.After), s.Announce.What.Marshal()}
	case s.Withdraw != nil:
		return "withdraw", [][]byte{s.Withdraw.Deed[:]}
	}
	panic("seal: empty statement")
}

func (s *Statement) parseDelayed(typ string, f [][]byte, sized func(...int) bool) error {
	bad := malformed(typ)
	switch typ {
	case "delay.set":
		if !sized() {
			return bad
		}
		s.DelaySet = &DelaySet{}
	case "announce":
		if !sized(8, -1) {
			return bad
		}
		what, err := ParseStatement(f[1])
		if err != nil {
			return err // of a later version: who cannot say what is announced cannot show it
		}
		if what.deed() == ([32]byte{}) {
			return bad
		}
		s.Announce = &Announce{binary.BigEndian.Uint64(f[0]), what}
	case "withdraw":
		if !sized(32) {
			return bad
		}
		s.Withdraw = &Withdraw{[32]byte(f[0])}
	default:
		return krama.E("seal.ParseStatement", krama.NotYet, "a statement of a later version")
	}
	return nil
}

// checkDelayed is check for the statements of this file. An admin said them.
func (r *Roster) checkDelayed(st *Statement, by signers) (do func(), err error) {
	const op = "seal.Roster"
	switch {
	case st.DelaySet != nil:
		return func() { r.Delay = true }, nil

	case st.Announce != nil:
		a := st.Announce
		deed := a.What.deed()
		switch {
		case r.Announced(a.What) != nil:
			return nil, krama.E(op, krama.Invalid, "announced already")
		case r.need() != 1:
			return nil, krama.E(op, krama.NotAllowed, "two admins sign together")
		case a.After < by.timeMS || a.After-by.timeMS < uint64(Delay.Milliseconds()):
			return nil, krama.E(op, krama.Invalid, "less than a day")
		}
		return func() {
			r.forget(deed) // of a device that speaks no more
			r.announced = append(r.announced, &Announced{deed, a.What, by.author, a.After})
		}, nil

	case st.Withdraw != nil:
		if !slices.ContainsFunc(r.announced, func(a *Announced) bool { return a.Deed == st.Withdraw.Deed }) {
			return nil, krama.E(op, krama.Invalid, "nothing like it is announced")
		}
		return func() { r.forget(st.Withdraw.Deed) }, nil
	}
	return nil, krama.E(op, krama.Invalid, "an empty statement")
}

func (r *Roster) forget(deed [32]byte) {
	r.announced = slices.DeleteFunc(r.announced, func(a *Announced) bool { return a.Deed == deed })
}

// Announcements lists what waits for its day, oldest first. What a device announced that is an admin's no more will never be
// said and is not listed.
func (r *Roster) Announcements() (out []*Announced) {
	for _, a := range r.announced {
		if r.Admin(a.Author) {
			out = append(out, a)
		}
	}
	return out
}

// Announced returns the announcement of what a statement does, or nil.
func (r *Roster) Announced(st *Statement) *Announced {
	deed := st.deed()
	for _, a := range r.Announcements() {
		if a.Deed == deed {
			return a
		}
	}
	return nil
}

// agreed reports whether enough stands behind a guarded statement: two admins, or a lone one's announcement of a day before.
// While the founder's device is the only one there ever was, nobody is there to be told.
func (r *Roster) agreed(st *Statement, by signers) bool {
	if by.admins < r.need() {
		return false
	}
	if r.need() != 1 || !r.Delay || len(r.Devices) == 1 || by.replayed {
		return true
	}
	a := r.Announced(st)
	return a != nil && a.Author == by.author && by.timeMS >= a.After
}

// Way is how a statement comes about in a roster as it stands.
type Way byte

// Ways.
const (
	AtOnce   Way = iota // by one admin's signature
	BySecond            // by another admin's too
	AfterDay            // nobody else can sign: it is announced a day before
)

// Way tells how a device's statement can come about now.
func (r *Roster) Way(st *Statement, author krama.DeviceID) Way {
	switch {
	case !r.guarded(st, author) || len(r.Devices) == 1:
		return AtOnce
	case r.need() > 1:
		return BySecond
	}
	return AfterDay
}

// Again returns what makes a statement say what was announced: a grant is for the epoch that is open now.
func (r *Roster) Again(a *Announced) func(*Statement) {
	what := *a.What
	if g := what.EpochGrant; g != nil {
		if e := r.Latest(g.Circle); e != nil {
			what.EpochGrant = &EpochGrant{g.Circle, e.Epoch, g.Device}
		}
	}
	return func(s *Statement) {
		nonce, until := s.Nonce, s.NotAfter
		*s = what
		s.Nonce, s.NotAfter = nonce, until
	}
}

// Refuses returns which rule a statement of an admin's device breaks now, how many must sign it and since when it is announced
// apart; nil when none. Who asks first spares everybody an alarm.
func (r *Roster) Refuses(st *Statement, author krama.DeviceID) error {
	_, err := r.check(st, signers{author: author, devices: []krama.DeviceID{author}, admins: 1, at: r.At().N + 1})
	return err
}

// Late reports whether a statement was said already, or may not be said any more.
func (r *Roster) Late(st *Statement) bool { return r.nonces[st.Nonce] || r.At().N+1 > st.NotAfter }

// plain is what a statement would do, in plain parts; a withdrawal names what it takes back.
func (r *Roster) plain(st *Statement) Logged {
	l := st.logged()
	if st.Withdraw == nil {
		return l
	}
	for _, a := range r.announced {
		if a.Deed == st.Withdraw.Deed {
			l = a.What.logged()
			l.Type, l.What = "withdraw", l.Type
		}
	}
	return l
}
