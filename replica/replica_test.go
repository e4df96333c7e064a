package replica

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"krama"
	"krama/journal"
	"krama/relay"
	"krama/relay/memory"
	"krama/seal"
)

// wire is a Remote straight into a relay's handler. twist, when set, may change what comes back: the lying relay.
type wire struct {
	h     http.Handler
	clock time.Duration           // how far ahead the relay says its clock is
	gate  func(path string) error // before the call
	twist func(path string, call []byte, answer []byte, err error) ([]byte, error)
}

func (w *wire) Call(_ context.Context, path string, body []byte) ([]byte, time.Time, error) {
	if w.gate != nil {
		if err := w.gate(path); err != nil {
			return nil, time.Time{}, err
		}
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, httptest.NewRequest("POST", path, bytes.NewReader(body)))
	answer, now, err := Answer(rec.Code, rec.Header().Get(seal.TimeHeader), rec.Body.Bytes())
	if w.twist != nil {
		answer, err = w.twist(path, body, answer, err)
	}
	if w.clock != 0 && !now.IsZero() {
		now = now.Add(w.clock)
	}
	return answer, now, err
}

// world is a relay, an office and phones.
type world struct {
	t     *testing.T
	now   time.Time
	store *memory.Store
	relay *relay.Relay
	desk  *device
	n     byte
}

type device struct {
	*Replica
	cfg    Config
	dir    *journal.MemDir
	wire   *wire
	events []Event
}

func (d *device) records() (out []krama.RecordID) {
	for _, e := range d.events {
		if !e.Local && e.Record != nil && e.Record.Circle == nil {
			out = append(out, e.Record.ID)
		}
	}
	return out
}

// shown is how many different records a screen of the device would show.
func (d *device) shown() int {
	seen := map[krama.RecordID]bool{}
	for _, e := range d.events {
		if e.Record != nil && e.Record.Circle == nil {
			seen[e.Record.ID] = true
		}
	}
	return len(seen)
}

const words = "stone river lamp seven"

func (w *world) clock() time.Time { return w.now }

// newSmallWorld is a world of one content circle: five are five times the same.
func newSmallWorld(t *testing.T) *world {
	t.Helper()
	kindsMu.Lock()
	defer kindsMu.Unlock()
	all := krama.CircleKinds
	krama.CircleKinds = []krama.CircleKind{krama.KindOutreach}
	defer func() { krama.CircleKinds = all }()
	return newWorldOf(t)
}

var kindsMu sync.Mutex

func newWorld(t *testing.T) *world {
	t.Helper()
	kindsMu.Lock()
	defer kindsMu.Unlock()
	return newWorldOf(t)
}

func newWorldOf(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC), store: memory.New()}
	w.relay = relay.New(w.store, "token", relay.DefaultLimits, w.clock)
	w.desk = w.device("desk")
	w.desk.Office, w.desk.cfg.Office = true, true
	w.must(w.desk.Admin().Found(context.Background(), "relay", "token"))
	return w
}

// clone is a world of its own in which everything stands as in this one, with copies of the desk and of the devices:
// enrolling them anew, with the work that it costs, would be most of a test that begins many times.
func (w *world) clone(t *testing.T, ds ...*device) (*world, []*device) {
	t.Helper()
	c := &world{t: t, now: w.now, store: w.store.Clone(), n: w.n}
	c.relay = relay.New(c.store, "token", relay.DefaultLimits, c.clock)
	var out []*device
	for _, d := range append([]*device{w.desk}, ds...) {
		e := &device{dir: copyDir(d.dir), cfg: d.cfg, wire: &wire{h: c.relay}}
		e.cfg.Dir, e.cfg.Now, e.cfg.Dial = e.dir, c.clock, func(string) Remote { return e.wire }
		e.cfg.Feed, e.cfg.Reset = func(ev Event) { e.events = append(e.events, ev) }, func() { e.events = nil }
		var err error
		e.Replica, err = Load(e.cfg, d.vk)
		c.must(err)
		out = append(out, e)
	}
	c.desk = out[0]
	return c, out[1:]
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) device(platform string) *device {
	w.t.Helper()
	d := &device{dir: &journal.MemDir{}, wire: &wire{h: w.relay}}
	d.cfg = Config{Dir: d.dir, Rand: rand.Reader, Now: func() time.Time { return w.now }, Platform: platform,
		Cost: seal.CostFloor,
		Dial: func(string) Remote { return d.wire }, Feed: func(e Event) { d.events = append(d.events, e) },
		Reset: func() { d.events = nil }}
	r, err := Create(d.cfg, words)
	w.must(err)
	d.Replica = r
	return d
}

// box is what the relay keeps for the desk's programme in a box of a sort.
func (w *world) box(k relay.Keep, id [16]byte) (out [][]byte) {
	w.t.Helper()
	list, err := w.store.Items(w.t.Context(), w.place(k, id), [16]byte{}, w.now, 0, 1<<30)
	w.must(err)
	for _, h := range list {
		out = append(out, h.Body)
	}
	return out
}

// setBox replaces what lies there.
func (w *world) setBox(k relay.Keep, id [16]byte, items ...[]byte) {
	w.t.Helper()
	w.must(w.store.SetItems(w.t.Context(), w.place(k, id), items, w.now.Add(1000*time.Hour), 1<<30))
}

func (w *world) place(k relay.Keep, id [16]byte) relay.Box {
	w.t.Helper()
	p, err := w.store.Named(w.t.Context(), w.desk.Site())
	w.must(err)
	return relay.Box{Programme: p.ID, Keep: k, ID: id}
}

// heldOf is how a relay answers with items of a box.
func heldOf(items ...[]byte) []byte {
	var list []seal.Held
	for i, b := range items {
		list = append(list, seal.Held{K: uint64(i) + 1, Body: b})
	}
	return seal.MarshalHeld(list, 0, true)
}

// steals gives a device the programme's control keys: what nobody but an admin should have.
func (w *world) steals(d *device) { d.led.controls = slices.Clone(w.desk.led.controls) }

// enrol takes a new phone through both scans.
func (w *world) enrol(d *device, roles krama.Role) *device {
	w.t.Helper()
	ctx := context.Background()
	w.must(d.Newcomer().Introduce(ctx, "relay"))
	inv, err := w.desk.Admin().Invite(ctx, d.Newcomer().Scan1().String())
	w.must(err)
	w.must(d.Newcomer().Accept(ctx, inv.Code.String()))
	w.n++
	ok, err := w.desk.Admin().Enrol(ctx, inv, krama.MemberID{w.n}, roles)
	if err == ErrDay {
		w.tomorrow()
		ok, err = true, nil
	}
	w.must(err)
	if !ok {
		w.t.Fatal("the office did not see the proof")
	}
	ok, err = d.Newcomer().Join(ctx, nil)
	w.must(err)
	if !ok || d.State() != Enrolled {
		w.t.Fatal("the phone did not join")
	}
	return d
}

// tomorrow lets the day pass that a lone admin waits, and the desk do what it announced.
func (w *world) tomorrow() {
	w.t.Helper()
	w.now = w.now.Add(seal.Delay + time.Hour)
	w.sync(w.desk)
	w.must(w.desk.Admin().Maintain(context.Background()))
}

// trustees sets trustees and waits until they hold.
func (w *world) trustees(k, n int) []seal.Card {
	w.t.Helper()
	cards, way, err := w.desk.Admin().SetTrustees(context.Background(), k, n)
	w.must(err)
	if way == seal.AfterDay {
		w.tomorrow()
	}
	if way == seal.BySecond || len(cards) != n || w.desk.led.roster.Trustees.Set != cards[0].Share.Set {
		w.t.Fatalf("way %v, %d cards, or another set holds", way, len(cards))
	}
	return cards
}

func (w *world) phone() *device { return w.enrol(w.device("phone"), krama.RoleOutreach) }

// person registers somebody and returns her.
func (w *world) person(d *device) krama.SubjectID {
	w.t.Helper()
	s, err := d.NewSubject()
	w.must(err)
	id, _ := d.NewRecord()
	code, _ := krama.NewCode(rand.Reader)
	w.must(d.Write(krama.KindOutreach, s, &krama.Record{ID: id, Person: &krama.Person{Code: code, Gender: 1, Age: 4,
		Category: 1,
		District: 1002, Registered: krama.DayOf(w.now)}}))
	return s
}

func (w *world) contact(d *device, s krama.SubjectID) krama.RecordID {
	w.t.Helper()
	id, _ := d.NewRecord()
	w.must(d.Write(krama.KindOutreach, s, &krama.Record{ID: id, Contact: &krama.Contact{Date: krama.DayOf(w.now),
		District: 1002, Place: 1,
		Given: krama.Supplies{10}, Test: krama.TestOffered}}))
	return id
}

func (w *world) sync(ds ...*device) {
	w.t.Helper()
	for _, d := range ds {
		w.must(d.Sync(context.Background(), nil))
	}
}

// reopen locks a device, as the end of its process does, and unlocks it again.
func (w *world) reopen(d *device) {
	w.t.Helper()
	d.dir.Crash()
	d.events = nil
	r, err := Unlock(d.cfg, words)
	w.must(err)
	d.Replica = r
}

func TestOneContactEndToEnd(t *testing.T) {
	w := newWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.contact(a, s)
	if st := a.Status(); st.Unsent != 2 {
		t.Errorf("unsent %d want 2", st.Unsent)
	}
	w.reopen(a)
	if st := a.Status(); st.Unsent != 2 || a.shown() != 2 {
		t.Errorf("after a restart: unsent %d, shown %d; want 2, 2", st.Unsent, a.shown())
	}
	w.sync(a)
	if st := a.Status(); st.Unsent != 0 || len(st.Alarms) != 0 {
		t.Errorf("after sync: %+v", st)
	}
	w.sync(b, w.desk)
	w.contact(b, s)
	w.sync(b, a, w.desk)
	for name, d := range map[string]*device{"a": a, "b": b, "desk": w.desk} {
		if got := len(d.records()); got != 3 {
			t.Errorf("%s has %d records want 3", name, got)
		}
		w.reopen(d)
		if got := len(d.records()); got != 3 {
			t.Errorf("%s has %d records after a restart, want 3", name, got)
		}
		if al := d.Status().Alarms; len(al) != 0 {
			t.Errorf("%s: %v", name, al)
		}
	}
}

func TestManyRecordsSplitIntoEnvelopes(t *testing.T) {
	w := newWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(a)
	for range 1100 {
		w.contact(a, s)
	}
	w.sync(a, b)
	if got := len(b.records()); got != 1101 {
		t.Errorf("got %d records want 1101", got)
	}
	if st := a.Status(); st.Unsent != 0 {
		t.Errorf("unsent %d", st.Unsent)
	}
}

// TestLargeOutboxGoesInOrder types more than one append can carry, with a small last envelope that would still fit.
func TestLargeOutboxGoesInOrder(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	for range 2 {
		s := w.person(a)
		for range 80 {
			var recs []*krama.Record
			for range 430 {
				id, _ := a.NewRecord()
				recs = append(recs, &krama.Record{ID: id, Contact: &krama.Contact{Date: krama.DayOf(w.now), Place: 1}})
			}
			w.must(a.Write(krama.KindOutreach, s, recs...))
		}
		w.sync(a)
		if st := a.Status(); st.Unsent != 0 || len(st.Alarms) != 0 {
			t.Fatalf("unsent %d, alarms %v", st.Unsent, st.Alarms)
		}
	}
	w.sync(w.desk)
	if got := len(w.desk.records()); got != 2*(1+80*430) {
		t.Errorf("the desk has %d records", got)
	}
}

func TestWrongWords(t *testing.T) {
	w := newWorld(t)
	w.desk.dir.Crash()
	if _, err := Unlock(w.desk.cfg, "stone river lamp eight"); krama.KindOf(err) != krama.CannotDecrypt {
		t.Errorf("got %v", err)
	}
	w.reopen(w.desk)
	if _, err := Unlock(w.desk.cfg, words); krama.KindOf(err) != krama.Conflict {
		t.Errorf("a second holder: %v", err)
	}
	if _, err := Create(w.desk.cfg, words); krama.KindOf(err) == krama.Internal || err == nil {
		t.Errorf("creating over a vault: %v", err)
	}
}

func TestClockWrongByAYear(t *testing.T) {
	for _, years := range []int{-1, 1, -56} {
		w := newWorld(t)
		a := w.phone()
		real := a.cfg.Now
		a.cfg.Now = func() time.Time { return real().AddDate(years, 0, 0) }
		w.reopen(a)
		id, _ := a.NewRecord()
		w.must(a.Write(krama.KindOutreach, w.person0(a), &krama.Record{ID: id,
			Contact: &krama.Contact{Date: krama.DayOf(w.now), Place: 1}}))
		w.sync(a, w.desk)
		if got := len(w.desk.records()); got != 1 {
			t.Errorf("clock off by %d years: desk has %d records", years, got)
		}
	}
}

func (w *world) person0(d *device) krama.SubjectID { s, _ := d.NewSubject(); return s }
