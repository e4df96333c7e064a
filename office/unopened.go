package office

import (
	"cmp"
	"maps"
	"slices"

	"krama"
)

// Unopened is how many reports of one day to one intake did not open. Noise that anybody sends does not; nor does what
// was locked with a key that somebody else put on the public page.
type Unopened struct {
	Circle krama.CircleKind
	From   krama.Day // the intake's first day
	Day    krama.Day
	N      int
}

// Unopened are those that nobody has set aside, the newest first.
func (o *Office) Unopened() (out []Unopened) {
	for _, in := range o.Intakes() {
		for day, ids := range o.State.Unopened(in.Subject) {
			out = append(out, Unopened{in.Circle, in.From, day, len(ids)})
		}
	}
	slices.SortFunc(out, func(a, b Unopened) int {
		return cmp.Or(-cmp.Compare(a.Day, b.Day), cmp.Compare(a.Circle, b.Circle), cmp.Compare(a.From, b.From))
	})
	return out
}

// SeeUnopened keeps that staff have seen what did not open, up to and with a day.
func (o *Office) SeeUnopened(upTo krama.Day) error {
	for _, in := range o.Intakes() {
		of := o.State.Unopened(in.Subject)
		for _, day := range slices.Sorted(maps.Keys(of)) {
			if day > upTo {
				continue
			}
			if err := o.keepTaken(in, krama.TakenSeen, of[day]); err != nil {
				return err
			}
		}
	}
	return nil
}
