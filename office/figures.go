package office

import (
	"bytes"
	"slices"

	"krama"
	"krama/casework"
	"krama/guide"
	"krama/measure"
	"krama/replica"
	"krama/seal"
)

// count counts a period.
func count(g *guide.Guide, st *casework.State, p krama.Period, today krama.Day) (*measure.KPPrev, measure.Counts) {
	kp := measure.Count(&g.KPPrev, p, func(yield func(*measure.Reached)) {
		var one measure.Reached
		st.EachPerson(today, func(who *krama.Person, counted bool, contacts []krama.Contact) {
			if counted {
				one = measure.Reached{Category: who.Category, Contacts: contacts}
				yield(&one)
			}
		})
	})
	return kp, measure.Counts{Cross: kp.Cross, Left: [4]int{kp.NoOffer, kp.OnlyOffer, kp.Recent, kp.NoCategory},
		Given: measure.Distribution(p, func(yield func(krama.SubjectID, *krama.Contact)) {
			st.EachContact(func(c *casework.Contact) { yield(c.Subject, &c.Contact) })
		})}
}

// Compile counts a period as it may leave when nothing of it has left before.
func Compile(g *guide.Guide, st *casework.State, p krama.Period, today krama.Day) *measure.Figures {
	kp, c := count(g, st, p, today)
	return measure.Cover(g, p, kp, c)
}

// ReleasedAs is what this desk released of a period last, whether others heed it or not.
func ReleasedAs(p krama.Period) replica.Setting { return releasedOf.Of(p.From.String()) }

// releasedOf is the family, by a period's first day. What it keeps is counts, and names nobody.
var releasedOf = replica.NewSetting(".released/", replica.OfNobody)

// Released compiles a period that is over as it may follow what this desk and admins' desks released of it before, and
// remembers it when it leaves now: here, and where this is an admin's desk on all others. Another period is Invalid.
// What a colleague released and this desk has not received yet it cannot heed.
func (o *Office) Released(p krama.Period, today krama.Day, leaves bool) (*measure.Figures, error) {
	const op = "office.Released"
	g, st, rep := o.Guide, o.State, o.Rep
	if !measure.Offered(&g.KPPrev, p, today) {
		return nil, krama.E(op, krama.Invalid, "the period")
	}
	kp, c := count(g, st, p, today)
	before := releases(st, rep, p)
	// Held against each of them in turn: whoever has both releases must learn nothing from the difference.
	for _, old := range before {
		c = c.Hold(old)
	}
	if leaves {
		b, err := krama.EncodeValue(c)
		if err != nil {
			return nil, krama.Wrap(op, err)
		}
		if !slices.ContainsFunc(before, func(old measure.Counts) bool { return sameCounts(b, old) }) ||
			rep.Value(ReleasedAs(p)) != string(b) {
			// Who may not write there releases all the same, and so does a desk whose counts are too long for a record:
			// this desk alone then remembers them.
			err := WriteNew(rep, krama.KindOutreach, krama.SubjectID{},
				&krama.Record{Released: &krama.Released{From: p.From, To: p.To, Counts: b}})
			if kind := krama.KindOf(err); err != nil && kind != krama.NotAllowed && kind != krama.Invalid &&
				kind != krama.TooLarge {
				return nil, err
			}
			// Last, so that a try that failed in between tells the others at the next.
			if err := rep.SetValue(ReleasedAs(p), string(b)); err != nil {
				return nil, err
			}
		}
	}
	return measure.Cover(g, p, kp, c), nil
}

// releases are what was released of a period last: by an admin's desk, as its record says, and by this one. What
// another writes, or what cannot be counts, rules nothing: it could move a report's numbers.
func releases(st *casework.State, rep *replica.Replica, p krama.Period) (out []measure.Counts) {
	take := func(b []byte) bool {
		var c measure.Counts
		if krama.DecodeValue(b, &c) != nil || !c.Sound() {
			return false
		}
		out = append(out, c)
		return true
	}
	for _, r := range st.Released(p) {
		admin := false
		rep.Roster(func(ro *seal.Roster) {
			if d := ro.Devices[r.Author]; d != nil { // also of one who has left since
				admin = ro.Members[d.Member] != nil &&
					(ro.Members[d.Member].Roles|ro.Members[d.Member].Held)&krama.RoleAdmin != 0
			}
		})
		// The newest that is an admin's and makes sense. Those before it were held against when it was made.
		if admin && take(r.Counts) {
			break
		}
	}
	if v := rep.Value(ReleasedAs(p)); v != "" {
		take([]byte(v))
	}
	return out
}

// sameCounts reports whether counts are those of some bytes. Their encoding is deterministic, so equal counts have
// equal bytes.
func sameCounts(b []byte, c measure.Counts) bool {
	was, err := krama.EncodeValue(c)
	return err == nil && bytes.Equal(b, was)
}
