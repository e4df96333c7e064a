//go:build !js && !light

package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"krama"
	"krama/casework"
	"krama/journal"
	"krama/office"
	"krama/relay"
	"krama/relay/sqlite"
	"krama/replica"
	"krama/seal"
)

// TestYears is ordinary use day by day, on a clock that is set: phones in the field, an office, a second admin's desk,
// the public, over the relay's own handler and its SQLite store. Once a week everything that could grow is counted
// (watch). 180 days have one of every event; KRAMA_DAYS=1826 is five years.
func TestYears(t *testing.T) {
	days := 180
	if n, err := strconv.Atoi(os.Getenv("KRAMA_DAYS")); err == nil {
		days = n
	} else if testing.Short() {
		days = 60
	}
	began := time.Now()
	// the machine has room
	t.Cleanup(func(was int) func() { return func() { debug.SetGCPercent(was) } }(debug.SetGCPercent(400)))
	l := newLife(t)
	for l.day = 0; l.day < days && !t.Failed(); l.day++ {
		l.live()
	}
	l.report(days, time.Since(began))
}

const aDay = 24 * time.Hour

// life is a programme that is used.
type life struct {
	*rig
	rnd       *mrand.Rand
	day       int
	dir       string // of the relay's store
	stores    int    // files of the store there have been
	sq        *sqlite.Store
	handler   *relay.Relay
	second    *handset // the other admin's desk
	phones    []*handset
	gone      []*handset // removed: each meets the relay once more, but those that were lost
	members   byte
	backups   []string // of the store, a week apart, the newest last
	counts    map[string]int
	reporters chan [][seal.WorkSize]byte // proofs of a day's reports, made ahead
	closed    int                        // days since the office was last open
	mute      map[string]bool
	restore   int // the day of the last restore; -100 before
	started   map[string]float64
	watched   watched
	parted    []int          // by day the office was open: how often somebody had left a circle that takes reports
	codes     int            // of what was reported
	waits     map[string]int // by desk: since which day something waits to be sent
}

// handset is a colleague's device.
type handset struct {
	name     string
	rep      *replica.Replica
	st       *casework.State
	desk     *Server // of an admin; nil on a phone
	cfg      replica.Config
	disk     *journal.MemDir
	line     *counted
	member   krama.MemberID
	roles    krama.Role
	rhythm   int           // days between two meetings with the relay
	away     int           // the day until which it meets nobody
	ahead    time.Duration // of its clock
	unsent   int           // since which day something waits here; -1 when nothing does
	wasAway  int           // of those, days away
	lastSync int           // the day
}

// counted is a device's line to the relay. Each call takes 20 milliseconds of the day.
type counted struct {
	l               *life
	calls, up, down int
}

func (c *counted) Call(_ context.Context, path string, body []byte) ([]byte, time.Time, error) {
	c.l.ms.Add(20)
	w := httptest.NewRecorder()
	c.l.relay.ServeHTTP(w, httptest.NewRequest("POST", path, bytes.NewReader(body)))
	c.calls, c.up, c.down = c.calls+1, c.up+len(body), c.down+w.Body.Len()
	return replica.Answer(w.Code, w.Header().Get(seal.TimeHeader), w.Body.Bytes())
}

func newLife(t *testing.T) *life {
	t.Helper()
	l := &life{rig: &rig{t: t}, rnd: mrand.New(mrand.NewPCG(9, 3)), counts: map[string]int{}, mute: map[string]bool{},
		waits: map[string]int{}, restore: -100, started: map[string]float64{}}
	l.dir = t.TempDir()
	if d, err := os.MkdirTemp("/dev/shm", "krama-years-"); err == nil { // a disk is not what is measured
		l.dir = d
		t.Cleanup(func() { os.RemoveAll(d) })
	}
	l.ms.Store(time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC).UnixMilli())
	l.open(l.file())
	t.Cleanup(func() { l.sq.Close() })
	line := &counted{l: l}
	l.found(func(string) replica.Remote { return line })
	l.trustees()
	l.ask(l.desk, "POST", "/door")
	l.second = l.newDesk("second desk")
	l.must(l.enrol(l.second, krama.RoleAdmin))
	for i := range 8 {
		h := l.newPhone(fmt.Sprint("phone ", i))
		h.rhythm = [...]int{1, 1, 1, 2, 2, 3, 4, 7}[i]
		roles := krama.RoleOutreach
		if i == 4 {
			roles |= krama.RoleCaseWorker
		}
		l.must(l.enrol(h, roles))
		l.phones = append(l.phones, h)
	}
	return l
}

func (l *life) file() string { return filepath.Join(l.dir, fmt.Sprintf("relay-%d.db", l.stores)) }

// open starts the relay over a file.
func (l *life) open(path string) {
	l.t.Helper()
	s, err := sqlite.Open(path, 0)
	l.must(err)
	l.sq = s
	l.handler = relay.New(s, "token", relay.DefaultLimits, l.clock)
	l.relay = l.handler
}

func (l *life) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("day %d: %v", l.day, err)
	}
}

func (l *life) pass(d time.Duration) { l.ms.Add(d.Milliseconds()) }

// newDevice makes a device that belongs to nobody yet.
func (l *life) newDevice(name string, host Host) *handset {
	l.t.Helper()
	h := &handset{name: name, disk: &journal.MemDir{}, line: &counted{l: l}, unsent: -1, st: casework.New(), rhythm: 1,
		lastSync: l.day}
	c := l.config(host, h.disk, func(string) replica.Remote { return h.line })
	h.cfg = c.Replica
	h.cfg.Now = func() time.Time { return l.clock().Add(h.ahead) }
	h.cfg.Feed, h.cfg.Reset = office.Feed(h.st), h.st.Reset
	var err error
	h.rep, err = replica.Create(h.cfg, "a b c d")
	l.must(err)
	if host == Desk {
		c.Replica = h.cfg
		h.desk = New(c)
		h.desk.DeskPages()
	}
	return h
}

func (l *life) newPhone(name string) *handset { return l.newDevice(name, Phone) }
func (l *life) newDesk(name string) *handset  { return l.newDevice(name, Desk) }

// enrol takes a new device through both scans, with the second admin's word or the day's wait where they are needed.
func (l *life) enrol(h *handset, roles krama.Role) error {
	l.t.Helper()
	ctx := l.t.Context()
	if err := h.rep.Newcomer().Introduce(ctx, "relay"); err != nil {
		return err
	}
	inv, err := l.office.Admin().Invite(ctx, h.rep.Newcomer().Scan1().String())
	if err != nil {
		return err
	}
	if err := h.rep.Newcomer().Accept(ctx, inv.Code.String()); err != nil {
		return err
	}
	if h.member == (krama.MemberID{}) {
		l.members++
		h.member = krama.MemberID{l.members}
	}
	h.roles = roles
	for range 8 {
		ok, err := l.office.Admin().Enrol(ctx, inv, h.member, roles)
		switch {
		case errors.Is(err, replica.ErrDay):
			l.tomorrow()
			ok = true
		case errors.Is(err, replica.ErrSecond):
			l.cosign()
			continue
		case err != nil:
			return err
		}
		if !ok {
			continue
		}
		l.cosign() // grants of safeguarding
		if ok, err = h.rep.Newcomer().Join(ctx, nil); err != nil {
			return err
		}
		if !ok {
			return errors.New("it did not join")
		}
		if h.desk != nil {
			h.desk.Use(h.rep, h.st)
		}
		l.counts["enrolled"]++
		h.lastSync = l.day
		return nil
	}
	return errors.New("it was never enrolled")
}

// tomorrow lets the day pass that a lone admin waits.
func (l *life) tomorrow() {
	l.t.Helper()
	l.pass(seal.Delay + time.Hour)
	l.must(l.office.Sync(l.t.Context(), nil))
	l.must(l.office.Admin().Maintain(l.t.Context()))
}

// cosign has the second admin sign what waits for her.
func (l *life) cosign() {
	l.t.Helper()
	if l.second == nil || l.second.rep.State() != replica.Enrolled {
		return
	}
	l.must(l.second.rep.Sync(l.t.Context(), nil))
	l.sign(l.second.rep)
	l.must(l.office.Sync(l.t.Context(), nil))
	l.must(l.office.Admin().Maintain(l.t.Context()))
}

// sign has an admin decide about every letter: she signs drafts and takes in late work; a draft whose time is over she
// files.
func (l *life) sign(rep *replica.Replica) {
	l.t.Helper()
	for _, m := range rep.Admin().Mail() {
		switch m.Kind {
		case seal.LetterLate:
			l.must(rep.Admin().AcceptLate(m.ID))
			l.counts["late work taken in"]++
		case seal.LetterDraft:
			err := rep.Admin().Cosign(l.t.Context(), m.ID)
			if krama.KindOf(err) == krama.NotAllowed && err != nil {
				l.counts["drafts too late to sign"]++
				err = rep.Admin().Decline(m.ID)
			} else {
				l.counts["signed by two"]++
			}
			l.must(err)
		}
	}
}

func (l *life) trustees() {
	l.t.Helper()
	cards, way, err := l.office.Admin().SetTrustees(l.t.Context(), 2, 3)
	l.must(err)
	switch way {
	case seal.AfterDay:
		l.tomorrow()
	case seal.BySecond:
		l.cosign()
	}
	for _, c := range cards[:2] {
		x, err := l.office.Admin().CheckCard(c.String())
		l.must(err)
		l.write(l.office, krama.SubjectID{}, &krama.Record{Trust: &krama.Trust{Set: c.Share.Set, X: uint8(x),
			Day: l.desk.today()}})
	}
	l.counts["trustees chosen"]++
}

// write keeps a record of the outreach circle on a device.
func (l *life) write(rep *replica.Replica, who krama.SubjectID, list ...*krama.Record) {
	l.t.Helper()
	for _, rec := range list {
		id, err := rep.NewRecord()
		l.must(err)
		rec.ID = id
	}
	l.must(rep.Write(krama.KindOutreach, who, list...))
	l.counts["records"] += len(list)
}

// live is one day.
func (l *life) live() {
	l.t.Helper()
	morning := l.ms.Load()
	l.steward()
	l.public()
	if l.isOpen() {
		l.openOffice()
		l.closed = 0
	} else {
		l.closed++
	}
	l.staffEvents()
	var evening []*handset
	for _, h := range l.phones {
		l.pass(5 * time.Minute)
		l.work(h)
		if l.day >= h.away && l.day%h.rhythm == 0 {
			evening = append(evening, h)
		} else if l.day < h.away {
			h.wasAway++
		}
	}
	l.meet(evening...)
	if l.day%3 == 0 && l.isOpen() {
		l.deskDay(l.second)
	}
	if l.isOpen() {
		l.officeMeets()
	}
	l.watchDay()
	if l.day%28 == 27 {
		l.watchMonth()
	}
	if now := l.ms.Load(); now < morning+aDay.Milliseconds() {
		l.ms.Store(morning + aDay.Milliseconds())
	}
}

// isOpen tells whether the office works: not at weekends, nor for two weeks of the year.
func (l *life) isOpen() bool {
	year := l.day % 365
	return l.day%7 < 5 && (year < 100 || year >= 114)
}

// work is what a colleague types on a day.
func (l *life) work(h *handset) {
	if l.day%7 == 6 {
		return
	}
	today := l.desk.today()
	rows := h.st.Rows(today)
	if len(rows) < 10 || l.rnd.IntN(12) == 0 {
		who, err := h.rep.NewSubject()
		l.must(err)
		code, err := krama.NewCode(rand.Reader)
		l.must(err)
		recs := []*krama.Record{{Person: &krama.Person{Code: code, Gender: 1, Age: 4, Category: 1, District: 1002,
			Registered: today}}}
		for _, p := range krama.Purposes {
			recs = append(recs, &krama.Record{Consent: &krama.Consent{Purpose: p.Code, Given: true, Date: today}})
		}
		l.write(h.rep, who, recs...)
		l.counts["people registered"]++
		return
	}
	for range l.rnd.IntN(3) {
		r := rows[l.rnd.IntN(len(rows))]
		if int(today-r.Last) > 60 && r.Last != 0 && l.rnd.IntN(4) > 0 { // people move on
			continue
		}
		l.write(h.rep, r.Subject, &krama.Record{Contact: &krama.Contact{Date: today, District: 1002, Place: 1,
			Given: krama.Supplies{10}, Test: 2, Safety: 1, Next: today + 28}})
		l.counts["contacts"]++
	}
	r := rows[l.rnd.IntN(len(rows))]
	switch n := l.rnd.IntN(200); {
	case n < 1:
		l.must(h.rep.Erasing().Shred(krama.KindOutreach, r.Subject, replica.ShredAsked))
		l.counts["erasures asked for"]++
	case n < 3:
		l.write(h.rep, r.Subject, &krama.Record{Consent: &krama.Consent{Purpose: krama.PurposeContact, Given: false,
			Date: today}})
		l.counts["consents withdrawn"]++
	case n < 6:
		code, err := krama.NewSlipCode(rand.Reader)
		l.must(err)
		l.write(h.rep, r.Subject, &krama.Record{Referral: &krama.Referral{Listing: krama.ListingID{1}, Day: today,
			Code: code}})
		l.counts["slips"]++
	}
}

// meet has devices meet the relay, two at a time, and looks at what each says then.
func (l *life) meet(list ...*handset) {
	l.t.Helper()
	errs := make([]error, len(list))
	var next atomic.Int32
	var wg sync.WaitGroup
	for range min(2, len(list)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				errs[i] = list[i].rep.Sync(l.t.Context(), nil)
			}
		})
	}
	wg.Wait()
	for i, h := range list {
		l.counts["meetings of phones"]++
		h.lastSync = l.day
		if errs[i] != nil && !l.excused(h, errs[i]) {
			l.t.Errorf("day %d: %s: %v", l.day, h.name, errs[i])
		}
		l.settled(h)
	}
}
