// Package office does what a programme's office does beside its pages: it draws and destroys intakes' keys, fetches
// what was reported, answers, publishes the door, ends what was kept long enough, and keeps who looked at what. Day is
// all of it that is due every day; the desk, krama sync and the demo call it alike.
package office

import (
	"context"
	"io"
	"net/url"
	"sync"
	"time"

	"krama"
	"krama/casework"
	"krama/guide"
	"krama/replica"
	"krama/seal"
)

// Config is what an office needs from its host.
type Config struct {
	// Guide is shared and read only. Rand and Now are the host's, so that a test can decide them.
	Guide  *guide.Guide
	Rand   io.Reader
	Now    func() time.Time
	Demo   bool     // its people are invented: nobody's retention ends
	Topics []string // of texts about rights that a programme can review and publish

	// Visit asks the public site for a page as a visitor's browser does; nil where nobody looks.
	Visit func(ctx context.Context, site string, form url.Values, lang string) ([]byte, error)
	// tries whether pages can be made of a door, with a directory.PartError if not; nil takes any
	CheckDoor func([]byte) error
}

// Office is the office of an unlocked device. It is safe for concurrent use; it ends when the device is locked.
type Office struct {
	Config
	Rep   *replica.Replica // this device; never nil
	State *casework.State  // what its records say; locks for itself

	// Each is held from a look to what is kept because of it, by a page and by the day's work beside it; none is taken
	// with another held.
	auditing sync.Mutex // the day's audit lines
	drawing  sync.Mutex // whether an intake's next keys are due
	taking   sync.Mutex // what was taken in of an intake's reports

	mu sync.Mutex // keys
	// of intakes, as derived from what is in State; nil when the office is closed
	keys map[krama.Intake]*seal.IntakeKeys
}

// New returns the office of a device that was unlocked.
func New(c Config, rep *replica.Replica, st *casework.State) *Office {
	return &Office{Config: c, Rep: rep, State: st, keys: map[krama.Intake]*seal.IntakeKeys{}}
}

// Close forgets intakes' keys. What is under way ends as it can.
func (o *Office) Close() {
	o.mu.Lock()
	o.keys = nil
	o.mu.Unlock()
}

// today is the day of this desk's clock.
func (o *Office) today() krama.Day { return krama.DayOf(o.Now()) }

// RelayDay is today by the relay's clock, as far as it is known: a computer whose own is a year slow dates nothing
// back, and what ends a number of days later does not end at once.
func (o *Office) RelayDay() krama.Day { return krama.DayOf(o.Now().Add(o.Rep.ClockError())) }

// WriteNew keeps a record under a new id.
// Repeating it makes a second record; what must be one on two desks has an id that follows from what it says.
func WriteNew(rep *replica.Replica, k krama.CircleKind, who krama.SubjectID, rec *krama.Record) error {
	id, err := rep.NewRecord()
	if err != nil {
		return err
	}
	rec.ID = id
	return rep.Write(k, who, rec)
}

// Feed returns a replica's feed that folds into st.
func Feed(st *casework.State) func(replica.Event) {
	return func(e replica.Event) {
		switch {
		// Without a record the event says that the subject was erased.
		case e.Record == nil:
			st.Forget(e.Subject)
		default:
			st.ApplyIn(e.Circle, e.Subject, e.Record, e.Author, e.Local)
		}
	}
}

// WriteLabel gives a member a label inside the outreach circle: "Outreach 4", never a name.
func WriteLabel(rep *replica.Replica, m krama.MemberID, label string) error {
	return WriteNew(rep, krama.KindOutreach, krama.SubjectID{}, &krama.Record{Staff: &krama.Staff{Member: m,
		Label: label}})
}
