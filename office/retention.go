package office

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"krama"
	"krama/casework"
	"krama/replica"
	"krama/seal"
)

// Expiring is somebody whose record will be erased because the circle keeps records only so long.
type Expiring struct {
	casework.Row
	On krama.Day
}

// AnnounceDays is how long before its day an automatic erasure is announced.
const AnnounceDays = 30

// Expiries lists who is erased within the coming days, soonest first. A record's time runs from the last contact, and
// nobody is erased who was not on this list for a month: each has a notice of her own, by this desk's clock.
func (o *Office) Expiries() []Expiring {
	list, _ := o.expiries()
	return list
}

// expiries is Expiries, and the notices as they are to be kept.
func (o *Office) expiries() (out []Expiring, notes string) {
	keep := o.KeepDays()
	if keep == 0 {
		return nil, ""
	}
	// Since when each is on the list, by her subject.
	notices := map[string]krama.Day{}
	for _, line := range strings.Fields(o.Rep.Value(announcedSince)) {
		who, day, _ := strings.Cut(line, "=")
		if d, err := krama.ParseDay(day); err == nil {
			notices[who] = d
		}
	}
	var lines []string
	for _, row := range o.State.Rows(o.today()) {
		last := row.Last
		if last+keep > o.today()+AnnounceDays { // most people
			continue
		}
		// Who was registered after her last contact, or was never met, is kept from her registration on.
		if v, ok := o.State.Person(row.Subject, o.today()); ok && v.Value.Registered > last {
			last = v.Value.Registered
		}
		on := last + keep
		if on > o.today()+AnnounceDays || row.Ahead { // whose dates are unclear is not erased by a date
			continue
		}
		who := row.Subject.String()
		since, told := notices[who]
		if !told || since > o.today() { // a clock that was ahead has announced nothing
			since = o.today()
		}
		lines = append(lines, who+"="+since.String())
		// Never sooner than a month from her notice: a retention that was shortened today erases nobody tomorrow.
		out = append(out, Expiring{row, max(on, since+AnnounceDays)})
	}
	slices.Sort(lines)
	slices.SortFunc(out, func(a, b Expiring) int {
		return cmp.Or(cmp.Compare(a.On, b.On), cmp.Compare(a.Code, b.Code))
	})
	return out, strings.Join(lines, " ")
}

// announcedSince is since when each coming erasure is announced: a list of people and days.
var announcedSince = replica.NewSetting("retention", replica.OfEach)

// KeepDays is how long the outreach circle keeps a record after the last contact; 0 for ever.
func (o *Office) KeepDays() (days krama.Day) {
	c, ok := o.Rep.Kinds()[krama.KindOutreach]
	if ok {
		o.Rep.Roster(func(ro *seal.Roster) { days = krama.Day(ro.Circles[c].RetentionDays) })
	}
	return days
}

// clockTrust is how far this computer's clock may be from the relay's for it to erase anybody by itself.
const clockTrust = 24 * time.Hour

// Expire erases whose day has come. From when on each was announced is kept first: a desk that cannot keep that erases
// nobody the sooner.
func (o *Office) Expire() error {
	if d := o.Rep.ClockError(); d > clockTrust || d < -clockTrust {
		return nil
	}
	list, notes := o.expiries()
	var err error
	if o.KeepDays() > 0 {
		err = o.Rep.SetValue(announcedSince, notes)
	}
	if o.Demo {
		return err
	}
	for _, e := range list {
		// They are sorted by their day.
		if e.On > o.today() {
			break
		}
		if err := o.Rep.Erasing().Shred(krama.KindOutreach, e.Subject, replica.ShredExpired); err != nil {
			return err
		}
	}
	return errors.Join(err, o.expireThreads())
}

// ThreadKeep is how long a conversation is kept after the last thing that was said or done in it, in days.
const ThreadKeep = 60

// ThreadEnds is the day on which a conversation is erased, or 0 while somebody waits for staff.
func ThreadEnds(t *casework.Thread) (last krama.Day) {
	if Waits(t.State()) == 0 {
		return 0
	}
	for _, a := range t.Acts {
		last = max(last, a.Day)
	}
	return max(last, t.Last()) + ThreadKeep
}

// expireThreads erases the conversations whose day has come. An incident that she said yes to is kept: it has its own
// erasure.
func (o *Office) expireThreads() error {
	for _, t := range o.State.Threads() {
		if end := ThreadEnds(t); end == 0 || end > o.today() {
			continue
		}
		if err := o.eraseThread(t); err != nil {
			return err
		}
	}
	return nil
}

// eraseThread erases a conversation. First it is kept, under the intakes it came by, which reports it was made of: the
// relay may give their bytes again, and as long as an intake's seed is there they would open.
func (o *Office) eraseThread(t *casework.Thread) error {
	for _, in := range o.Intakes() {
		keys, err := o.Keys(in)
		if err != nil {
			return err
		}
		var ids []krama.RecordID
		for _, r := range t.Reports {
			if r.Intake == keys.ID() {
				ids = append(ids, r.Record)
			}
		}
		// A device that may not write in the circle leaves both to one that may.
		if err := o.keepTaken(in, krama.TakenErased, ids); err != nil && krama.KindOf(err) != krama.NotAllowed {
			return err
		}
	}
	for _, who := range t.Subjects {
		if err := o.Rep.Erasing().Shred(t.Circle, who, replica.ShredExpired); err != nil &&
			krama.KindOf(err) != krama.NotAllowed && krama.KindOf(err) != krama.NotFound {
			return err
		}
	}
	return nil
}
