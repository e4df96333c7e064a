package seal

import (
	"slices"
	"time"

	"krama"
)

// Where two admins must sign and there is only one, a day's wait stands for the second: what she means to do is
// announced in the roster, every device shows it, and the same device says it a day later unless it was withdrawn. The
// times are those of one device's own clock; nobody can prove that it is right.

// Delay is how long before it counts a lone admin's guarded statement is announced.
const Delay = 24 * time.Hour

// Announced is a statement that waits for its day.
type Announced struct {
	Deed   [32]byte
	What   *Statement
	Author krama.DeviceID // only she can say it
	After  uint64         // milliseconds, by her clock
}

// forget takes an announcement away: it was said, or withdrawn.
func (r *Roster) forget(deed [32]byte) {
	r.announced = slices.DeleteFunc(r.announced, func(a *Announced) bool { return a.Deed == deed })
}

// Announcements lists what waits for its day, oldest first. What a device announced that is an admin's no more will
// never be said and is not listed.
func (r *Roster) Announcements() (out []*Announced) {
	for _, a := range r.announced {
		if r.Admin(a.Author) {
			out = append(out, a)
		}
	}
	return out
}

// Announced returns the announcement of a deed, or nil.
func (r *Roster) Announced(deed Deed) *Announced {
	id := deedID(deed)
	for _, a := range r.Announcements() {
		if a.Deed == id {
			return a
		}
	}
	return nil
}

// agreed reports whether enough stands behind a guarded statement: two admins, or a lone one's announcement of a day
// before. While the founder's device is the only one there ever was, nobody is there to be told.
func (r *Roster) agreed(st *Statement, by signers) bool {
	if by.admins < r.need() {
		return false
	}
	if r.need() != 1 || !r.Delay || len(r.Devices) == 1 || by.replayed {
		return true
	}
	a := r.Announced(st.Deed)
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

// Way tells how what a device means to say can come about now.
func (r *Roster) Way(deed Deed, author krama.DeviceID) Way {
	switch {
	case !deed.guarded(r, author) || len(r.Devices) == 1:
		return AtOnce
	case r.need() > 1:
		return BySecond
	}
	return AfterDay
}

// Again returns what says now what was announced: a grant is for the epoch that is open now.
func (r *Roster) Again(a *Announced) Deed {
	g, grant := a.What.Deed.(*EpochGrant)
	if e := (*RosterEpoch)(nil); grant {
		if e = r.Latest(g.Circle); e != nil {
			return &EpochGrant{g.Circle, e.Epoch, g.Device}
		}
	}
	return a.What.Deed
}

// Refuses returns the rule that a deed would break if this admin's device said it now, leaving aside how many must sign
// it and since when it is announced; nil when none. Ask before saying: a refused statement raises an alarm on every
// device.
func (r *Roster) Refuses(deed Deed, author krama.DeviceID) error {
	_, err := r.check(deed, signers{author: author, devices: []krama.DeviceID{author}, admins: 1, at: r.At().N + 1})
	return err
}

// Late reports whether a statement was said already, or may not be said any more.
func (r *Roster) Late(st *Statement) bool { return r.nonces[st.Nonce] || r.At().N+1 > st.NotAfter }

// plain is what a statement would do, in plain parts; a withdrawal names what it takes back.
func (r *Roster) plain(st *Statement) Logged {
	l := st.logged()
	w, ok := st.Deed.(*Withdraw)
	if !ok {
		return l
	}
	for _, a := range r.announced {
		if a.Deed == w.Deed {
			l = a.What.logged()
			l.Type, l.What = "withdraw", l.Type
		}
	}
	return l
}
