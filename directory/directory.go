// Package directory is what the programme knows of services and hotlines: how fresh each listing is, who may see which
// part of it, and which few to show to somebody with a need in a place. It decides and draws nothing.
package directory

import (
	"cmp"
	"slices"

	"krama"
)

// MaxAge is how long a verification lasts, in days. The rule is the field's: directories that do not expire go stale
// and send people to closed doors.
const MaxAge = 180

// dueBefore is how many days before its expiry a listing is put on the week's list, and grace how many after it a stale
// listing is still shown, marked.
const (
	dueBefore = 21
	grace     = 30
)

// Status is how far a listing can be believed today.
type Status uint8

// Statuses, best first.
const (
	Fresh      Status = iota // verified, and not expired
	Unverified               // nobody has verified it; its source is shown instead
	Doubted                  // somebody found it wrong, and nobody has verified it since
	Stale                    // expired not long ago
	Hidden                   // expired long ago, found wrong by who verifies, closed, or not for the public
)

// Found is one check of a listing and whose it is.
type Found struct {
	krama.Check
	Author krama.DeviceID
	Record krama.RecordID
}

// Entry is a listing as folded.
type Entry struct {
	// Of versions that stand beside each other the one with the smallest record id is shown, on every device.
	krama.Listing
	Record   krama.RecordID   // the version that is shown
	Others   []*krama.Listing // other versions that stand: two people changed it at once
	Heads    []krama.RecordID // all versions that stand
	Guarded  *krama.Guarded   // nil on devices without the safeguarding circle
	Guards   []*krama.Guarded // all that stand, Guarded first
	GuardAt  []krama.RecordID // their records
	Checks   []Found          // oldest first
	Verified krama.Day
	Starter  bool // from the shipped starter directory, untouched so far
}

// Expires is the last day its verification holds, or 0.
func (e *Entry) Expires() krama.Day {
	if e.Verified == 0 {
		return 0
	}
	return e.Verified + MaxAge
}

// Status of the entry on a day. A verification from the future is none: clocks are wrong, and a listing must not live
// longer for it.
func (e *Entry) Status(today krama.Day) Status {
	e = e.at(today)
	if e.Closed || !e.Public {
		return Hidden
	}
	return statusOf(e.Verified, e.doubt(), e.wrong(), today)
}

// statusOf is Status without an entry. A door carries days and no checks; what was found wrong is not in it.
func statusOf(verified, doubt krama.Day, wrong bool, today krama.Day) Status {
	switch {
	case wrong:
		return Hidden
	case verified == 0 || verified > today+1:
		if doubt != 0 {
			return Hidden // never verified, and found wrong
		}
		return Unverified
	case today > verified+MaxAge+grace:
		return Hidden
	case today > verified+MaxAge:
		return Stale
	case doubt > 0:
		return Doubted
	}
	return Fresh
}

// at is the entry without checks from the future, where there are any: a clock that was a year ahead must not answer
// every doubt until then.
func (e *Entry) at(today krama.Day) *Entry {
	ahead := func(c Found) bool { return c.Day > today+1 }
	if !slices.ContainsFunc(e.Checks, ahead) {
		return e
	}
	c := *e
	c.Checks = slices.DeleteFunc(slices.Clone(e.Checks), ahead)
	c.fold()
	return &c
}

// last is the newest day of a check that says one of these.
func (e *Entry) last(says ...uint8) (d krama.Day) {
	for _, c := range e.Checks {
		if slices.Contains(says, c.Says) {
			d = max(d, c.Day)
		}
	}
	return d
}

// standing is the newest day of a check that says one of these and that no verification has answered: one of a later
// day, or of the same day whose author knew of it.
func (e *Entry) standing(says ...uint8) (d krama.Day) {
	for _, c := range e.Checks {
		if slices.Contains(says, c.Says) && !slices.ContainsFunc(e.Checks, func(v Found) bool {
			return v.Says == krama.CheckTrue && (v.Day > c.Day || v.Day == c.Day && slices.Contains(v.Seen, c.Record))
		}) {
			d = max(d, c.Day)
		}
	}
	return d
}

// doubt is when somebody in the field last found it wrong, 0 if a verification has answered that.
func (e *Entry) doubt() krama.Day { return e.standing(krama.CheckDoubt, krama.CheckChanged) }

// wrong reports whether who verifies found it wrong, and nobody has found it true since.
func (e *Entry) wrong() bool { return e.standing(krama.CheckWrong) > 0 }

// fold works out Verified: the newest day on which somebody found it true.
func (e *Entry) fold() { e.Verified = e.last(krama.CheckTrue) }

// Due lists what somebody should verify this week, the most urgent first: found wrong in the field, expired, about to,
// never verified.
func Due(all []*Entry, today krama.Day) (out []*Entry) {
	rank := func(e *Entry) int {
		switch {
		case e.Closed || e.wrong():
			return 0
		case e.doubt() != 0:
			return 4
		case e.Verified != 0 && today > e.Expires():
			return 3
		case e.Verified != 0 && today > e.Expires()-dueBefore:
			return 2
		case e.Verified == 0:
			return 1
		}
		return 0
	}
	for _, e := range all {
		if e = e.at(today); rank(e) > 0 {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b *Entry) int {
		return cmp.Or(-cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Verified, b.Verified), cmp.Compare(a.Name.In("en"),
			b.Name.In("en")), slices.Compare(a.Key[:], b.Key[:]))
	})
	return out
}

// View is what one tier may see of a listing. Only For makes one, so that whatever writes a directory out cannot hold
// more.
type View struct {
	krama.Listing
	Verified krama.Day
	Status   Status
	tier     krama.Tier
}

// Tier is whom the view was made for.
func (v *View) Tier() krama.Tier { return v.tier }

// For cuts the entry down to what a tier may see on a day. The public sees nothing of a hidden listing.
func (e *Entry) For(t krama.Tier, today krama.Day) (View, bool) {
	e = e.at(today)
	st := e.Status(today)
	if t == krama.TierPublic && st == Hidden {
		return View{}, false
	}
	v := View{Listing: cut(e.Listing, t), Verified: e.Verified, Status: st, tier: t}
	if t == krama.TierNamed && e.Guarded != nil {
		v.Phones = append(v.Phones, e.Guarded.Phones...)
		if v.Address.Empty() && !e.Guarded.Address.Empty() {
			v.Address, v.Shown = e.Guarded.Address, krama.TierNamed
		}
	}
	return v, true
}

// cut drops every field of a listing that is not for the tier. A shelter has no address for anybody but named staff,
// whatever a record says.
func cut(l krama.Listing, t krama.Tier) krama.Listing {
	l.Replaces = nil
	phones := l.Phones
	l.Phones = nil
	for _, p := range phones {
		if p.Tier != 0 && p.Tier <= t {
			l.Phones = append(l.Phones, p)
		}
	}
	if l.Shown == 0 || l.Shown > t || l.Kind == krama.KindShelter {
		l.Address, l.Shown = krama.Words{}, 0
	}
	return l
}

// Answers are the few listings to show for a need in a place: at most five, best first. place 0 is anywhere. What
// cannot be believed comes after what can, and the police last unless the need is about them; only a listing that
// answers the need is in it.
func Answers(all []View, need uint8, place uint16) (out []View) {
	for _, v := range all {
		// Without districts it serves everywhere. One that serves krama.Elsewhere alone is shown for no district.
		if !v.Needs.Has(need) || v.Status == Hidden || place != 0 && len(v.Districts) > 0 &&
			!slices.Contains(v.Districts, place) {
			continue
		}
		out = append(out, v)
	}
	slices.SortStableFunc(out, func(a, b View) int {
		return cmp.Or(
			cmp.Compare(late(&a, need), late(&b, need)),
			cmp.Compare(a.Status, b.Status),
			cmp.Compare(nearness(&a, place), nearness(&b, place)),
			cmp.Compare(b2i(len(a.Phones) == 0 && a.Address.Empty()), b2i(len(b.Phones) == 0 && b.Address.Empty())),
			slices.Compare(a.Key[:], b.Key[:]))
	})
	return out[:min(5, len(out))]
}

// late puts the police behind everybody who can help without them.
func late(v *View, need uint8) int {
	return b2i(v.Operator == krama.OperatorPolice && need != krama.NeedPolice)
}

// nearness is 0 for a service of just this district, 1 for one of several, 2 for one that serves everywhere.
func nearness(v *View, place uint16) int {
	switch {
	case place == 0 || len(v.Districts) == 0:
		return 2
	case len(v.Districts) == 1:
		return 0
	}
	return 1
}

// b2i is 1 for true.
func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Believed reports whether any of the answers is one that somebody verified: where none is, a page must not leave them
// alone.
func Believed(vs []View) bool {
	return slices.ContainsFunc(vs, func(v View) bool { return v.Status == Fresh })
}
