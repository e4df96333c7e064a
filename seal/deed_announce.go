package seal

import (
	"slices"

	"krama"
)

// What a lone admin says a day before she does it (delay.go). An admin said it, or check is not reached.

// DelaySet makes readers refuse a lone admin's guarded statement that was not announced. Founding says it; programmes
// of earlier versions say it before they first announce something, so that what they had signed stays valid.
type DelaySet struct{}

func (d *DelaySet) kind() string     { return "delay.set" }
func (d *DelaySet) fields() [][]byte { return nil }

func parseDelaySet(f fields) (Deed, error) {
	if !f.sized() {
		return nil, malformed("delay.set")
	}
	return &DelaySet{}, nil
}

// check always holds: a programme that waits already waits on.
func (d *DelaySet) check(r *Roster, _ signers) (func(), error) { return func() { r.Delay = true }, nil }

func (d *DelaySet) guarded(*Roster, krama.DeviceID) bool { return false }
func (d *DelaySet) named() Deed                          { return nil }

// log shows what was announced, not that something was.
func (d *DelaySet) log(*Logged) {}

// Announce says what its author will state once After has come by its own clock.
type Announce struct {
	After uint64     // milliseconds
	What  *Statement // its nonce and last position say nothing
}

func (d *Announce) kind() string     { return "announce" }
func (d *Announce) fields() [][]byte { return [][]byte{u64(d.After), d.What.Marshal()} }

func parseAnnounce(f fields) (Deed, error) {
	if !f.sized(8, -1) {
		return nil, malformed("announce")
	}
	what, err := ParseStatement(f[1])
	if err != nil {
		return nil, err // of a later version: who cannot say what is announced cannot show it
	}
	if deedID(what.Deed) == ([32]byte{}) {
		return nil, malformed("announce")
	}
	return &Announce{f.u64(0), what}, nil
}

// check holds for a lone admin, for a deed that is not announced yet, at least a day ahead of the author's own time.
// With two admins the second one's signature stands for the day.
func (d *Announce) check(r *Roster, by signers) (func(), error) {
	id := deedID(d.What.Deed)
	switch {
	case r.Announced(d.What.Deed) != nil:
		return refused(krama.Invalid, "announced already")
	case r.need() != 1:
		return refused(krama.NotAllowed, "two admins sign together")
	case d.After < by.timeMS || d.After-by.timeMS < uint64(Delay.Milliseconds()):
		return refused(krama.Invalid, "less than a day")
	}
	return func() {
		r.forget(id) // of a device that speaks no more
		r.announced = append(r.announced, &Announced{id, d.What, by.author, d.After})
	}, nil
}

func (d *Announce) guarded(*Roster, krama.DeviceID) bool { return false }
func (d *Announce) named() Deed                          { return nil }

func (d *Announce) log(l *Logged) {
	*l = d.What.logged()
	l.Type, l.What = d.kind(), l.Type
}

// Withdraw takes an announcement back.
type Withdraw struct{ Deed [32]byte }

func (d *Withdraw) kind() string     { return "withdraw" }
func (d *Withdraw) fields() [][]byte { return [][]byte{d.Deed[:]} }

func parseWithdraw(f fields) (Deed, error) {
	if !f.sized(32) {
		return nil, malformed("withdraw")
	}
	return &Withdraw{[32]byte(f[0])}, nil
}

// check holds for what is announced.
func (d *Withdraw) check(r *Roster, _ signers) (func(), error) {
	if !slices.ContainsFunc(r.announced, func(a *Announced) bool { return a.Deed == d.Deed }) {
		return refused(krama.Invalid, "nothing like it is announced")
	}
	return func() { r.forget(d.Deed) }, nil
}

func (d *Withdraw) guarded(*Roster, krama.DeviceID) bool { return false }
func (d *Withdraw) named() Deed                          { return nil }
func (d *Withdraw) log(*Logged)                          {} // what it takes back only the roster knows: see plain
