package office

import (
	"cmp"
	"crypto/ed25519"
	"io"
	"maps"
	"slices"

	"krama"
	"krama/casework"
	"krama/directory"
	"krama/replica"
	"krama/seal"
)

// IntakeCircles take reports: the support team, and the few who look after safety, who also read what is about staff.
var IntakeCircles = []krama.CircleKind{krama.KindCasework, krama.KindSafeguarding}

// An intake's keys are offered for a month, drawn three weeks before the old ones end, and destroyed 60 days after
// that. Three weeks, because an office closes for two, and who reports then must find an intake. They are drawn by
// time: earlier only when somebody left who may have them, never because an epoch was opened.
const (
	IntakeDays   = 31
	IntakeBefore = 21
	IntakeKeep   = 60
	// IntakesListed bounds how many intakes of one circle the door lists: those offered now and the newest of the
	// others, which answers are signed with. The relay takes 64 in all.
	IntakesListed = 16
)

// Keys derives an intake's keys, by the version it was drawn in, once: a desk opens each of them several times a day.
func (o *Office) Keys(in casework.Intake) (*seal.IntakeKeys, error) {
	o.mu.Lock()
	keys := o.keys[in.Intake]
	o.mu.Unlock()
	if keys != nil {
		return keys, nil
	}
	// Without the lock. Two that derive at once make the same keys.
	keys, err := seal.OpenIntake(in.Seed, in.Stream, in.Version == krama.IntakeBound)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.keys != nil { // what is locked keeps nothing
		o.keys[in.Intake] = keys
	}
	return keys, nil
}

// closeIntakes forgets the keys of intakes that are not here any more.
func (o *Office) closeIntakes() {
	here := map[krama.Intake]bool{}
	for _, in := range o.State.Intakes() {
		here[in.Intake] = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.keys, func(in krama.Intake, _ *seal.IntakeKeys) bool { return !here[in] })
}

// Intakes are the programme's intakes that are what they say: bound to a stream of the circle that they lie in. A
// colleague could write another, whose reports somebody outside the circle would fetch.
func (o *Office) Intakes() (out []casework.Intake) {
	for _, k := range IntakeCircles {
		streams := o.Rep.Reports().Streams(k)
		for _, in := range o.State.Intakes() {
			if in.Circle == k && streams[in.Stream] && in.Version <= krama.IntakeBound {
				out = append(out, in)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b casework.Intake) int { return cmp.Compare(a.From, b.From) })
	return out
}

// sound are the intakes of a circle that may be offered: their id commits to their key, and nobody has left the circle
// who may have the seed.
func (o *Office) sound(list []casework.Intake, k krama.CircleKind) (out []casework.Intake) {
	left := map[[16]byte]bool{} // by stream
	for _, in := range list {
		if in.Circle != k || in.Version != krama.IntakeBound {
			continue
		}
		gone, asked := left[in.Stream]
		if !asked {
			gone = o.Rep.Reports().Departed(k, in.Stream)
			left[in.Stream] = gone
		}
		if !gone {
			out = append(out, in)
		}
	}
	return out
}

// covered is the last day up to which, from today on, one of the intakes is offered on every day; yesterday when none
// is today. The intakes are sorted by their first day.
func covered(list []casework.Intake, today krama.Day) krama.Day {
	end := today - 1
	for _, in := range list {
		if in.From <= end+1 {
			end = max(end, in.Until)
		}
	}
	return end
}

// tendIntakes draws the next month's keys where they are due and destroys those whose time is over. Only where this
// desk's clock is near the relay's: a clock a year ahead would destroy keys that reports wait for.
func (o *Office) tendIntakes() (drew bool, err error) {
	o.drawing.Lock()
	defer o.drawing.Unlock()
	if d := o.Rep.ClockError(); d > clockTrust || d < -clockTrust {
		return false, nil
	}
	today := krama.DayOf(o.Now())
	if err := o.dropIntakes(today); err != nil {
		return false, err
	}
	o.closeIntakes()
	list := o.Intakes()
	for _, k := range IntakeCircles {
		// A circle that this desk does not hold is tended by one that does.
		stream, ok := o.Rep.Reports().Stream(k)
		if !ok {
			continue
		}
		end := covered(o.sound(list, k), today)
		if end > today+IntakeBefore {
			continue
		}
		in := &krama.Intake{From: end + 1, Until: end + IntakeDays, Stream: stream, Version: krama.IntakeBound}
		if _, err := io.ReadFull(o.Rand, in.Seed[:]); err != nil {
			return drew, err
		}
		// A subject of its own: the seed is destroyed by erasing that, on every device.
		who, err := o.Rep.NewSubject()
		if err != nil {
			return drew, err
		}
		if err := WriteNew(o.Rep, k, who, &krama.Record{Intake: in}); err == nil {
			drew = true
		} else if krama.KindOf(err) != krama.NotAllowed {
			return drew, err
		}
	}
	return drew, nil
}

// dropIntakes destroys the keys of intakes whose time is over.
func (o *Office) dropIntakes(today krama.Day) error {
	for _, in := range o.State.Intakes() {
		if in.Until+IntakeKeep >= today || !o.State.Alone(in.Subject) {
			// a colleague may have written it under somebody
			continue
		}
		// What this desk remembers of its reports at the relay goes too.
		if keys, err := o.Keys(in); err == nil {
			if err := o.Rep.SetValue(fetchedOf(keys.ID()), ""); err != nil {
				return err
			}
		}
		// Another desk may have been first, and a member who may not erase leaves it to one who may.
		err := o.Rep.Erasing().Shred(in.Circle, in.Subject, replica.ShredExpired)
		if err != nil && krama.KindOf(err) != krama.NotAllowed && krama.KindOf(err) != krama.NotFound {
			return err
		}
	}
	return nil
}

// listedIntakes are the intakes that the door lists on a day, at most IntakesListed of a circle. One that somebody who
// left may read is listed as ended once there is another, for its answers.
func (o *Office) listedIntakes(today krama.Day) (out []directory.Intake, err error) {
	list := o.Intakes()
	for _, k := range IntakeCircles {
		sound := map[krama.RecordID]bool{}
		for _, in := range o.sound(list, k) {
			sound[in.Record] = true
		}
		var of []directory.Intake
		for _, in := range list {
			if in.Circle != k {
				continue
			}
			keys, err := o.Keys(in)
			if err != nil {
				return nil, err
			}
			if len(sound) > 0 && !sound[in.Record] {
				// It was never offered, so no answer waits for its keys.
				if in.From > today {
					continue
				}
				in.Until = min(in.Until, today-1)
				in.From = min(in.From, in.Until)
			}
			shown := directory.Intake{Circle: k, ID: keys.ID(), Kem: keys.KEM.PublicKey().Bytes(),
				Sig: keys.Sig.Public().(ed25519.PublicKey), From: in.From, Until: in.Until}
			if place := seal.IntakePlace(keys.Stream); keys.Bound {
				shown.Place = place[:]
			}
			of = append(of, shown)
		}
		out = append(out, newestIntakes(of, today)...)
	}
	return out, nil
}

// newestIntakes keeps IntakesListed of one circle's intakes: what is offered now first, then those that end last.
func newestIntakes(list []directory.Intake, today krama.Day) []directory.Intake {
	if len(list) <= IntakesListed {
		return list
	}
	now := (&directory.Door{Intakes: list}).Offered(today)
	offered := func(in directory.Intake) int {
		if slices.ContainsFunc(now, func(o directory.Intake) bool { return o.ID == in.ID }) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b directory.Intake) int {
		return cmp.Or(cmp.Compare(offered(a), offered(b)), -cmp.Compare(a.Until, b.Until), -cmp.Compare(a.From, b.From))
	})
	return list[:IntakesListed]
}
