//go:build !js && !light

package replica

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"krama"
	"krama/journal"
	"krama/relay"
	"krama/relay/memory"
	"krama/relay/sqlite"
	"krama/seal"
)

// old is what testdata/version1 holds: copies of its devices, and its relay's store as this version opens it.
type old struct {
	*world
	phone *device
	want  []oldRecord
}

type oldRecord struct{ Subject, Record, What, Code, Typed string }

func (o oldRecord) id() krama.RecordID { b, _ := hex.DecodeString(o.Record); return krama.RecordID(b) }
func (o oldRecord) subject() krama.SubjectID {
	b, _ := hex.DecodeString(o.Subject)
	return krama.SubjectID(b)
}
func (o oldRecord) unsent() bool { return o.Typed == "phone-sealed" || o.Typed == "phone-unsent" }

func openOld(t *testing.T, days int) *old {
	t.Helper()
	const from = "testdata/version1"
	read := func(name ...string) []byte {
		b, err := os.ReadFile(filepath.Join(append([]string{from}, name...)...))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	db := filepath.Join(t.TempDir(), "relay.db")
	if err := os.WriteFile(db, read("relay.db"), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(db, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := &world{t: t, now: time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC).AddDate(0, 0, days), store: memory.New()}
	w.relay = relay.New(store, "token", relay.DefaultLimits, w.clock)
	o := &old{world: w}
	w.must(json.Unmarshal(read("records.json"), &o.want))
	device := func(name string, office bool) *device {
		d := &device{dir: &journal.MemDir{}, wire: &wire{h: w.relay}}
		for _, n := range []string{"vault", "journal"} {
			f, err := d.dir.Open(n)
			w.must(err)
			_, err = f.WriteAt(read(name, n), 0)
			w.must(err)
			w.must(f.Close())
		}
		d.cfg = Config{Dir: d.dir, Rand: rand.Reader, Now: w.clock, Platform: name, Office: office,
			Cost: seal.CostFloor,
			Dial: func(string) Remote { return d.wire }, Feed: func(e Event) { d.events = append(d.events, e) },
			Reset: func() { d.events = nil }}
		d.Replica, err = Unlock(d.cfg, words)
		w.must(err)
		return d
	}
	w.desk, o.phone = device("desk", true), device("phone", false)
	return o
}

// shows checks that a device's screen has exactly what the old version had, and the same values.
func (o *old) shows(d *device, unsent bool) {
	o.t.Helper()
	got := map[krama.RecordID]Event{}
	for _, e := range d.events {
		if e.Record != nil && e.Record.Circle == nil {
			got[e.Record.ID] = e
		}
	}
	n := 0
	for _, r := range o.want {
		if r.unsent() && !unsent {
			continue
		}
		n++
		e, ok := got[r.id()]
		switch {
		case !ok || e.Subject != r.subject() || e.Circle != krama.KindOutreach:
			o.t.Errorf("a %s that %s typed is not shown", r.What, r.Typed)
		case r.What == "person" && (e.Record.Person == nil || string(e.Record.Person.Code) != r.Code),
			r.What == "contact" && (e.Record.Contact == nil || e.Record.Contact.Given[0]%10 != 0),
			r.What == "consent" && e.Record.Consent == nil, r.What == "amend" && e.Record.Amend == nil,
			r.What == "staff" && (e.Record.Staff == nil || e.Record.Staff.Label != "Outreach 1"):
			o.t.Errorf("a %s that %s typed reads differently", r.What, r.Typed)
		}
	}
	if len(got) != n {
		o.t.Errorf("%d records are shown, want %d", len(got), n)
	}
}

// TestUpgrade opens the data of the first version in this one and does with it everything that the first could not.
func TestUpgrade(t *testing.T) {
	w := openOld(t, 1)
	ctx := context.Background()
	phone := w.phone
	if len(w.want) < 10 {
		t.Fatalf("only %d records in the fixture: the test proves nothing", len(w.want))
	}
	w.shows(w.desk, false)
	w.shows(phone, true)
	if n := phone.Status().Unsent; n != 2 {
		t.Errorf("%d unsent, want 2", n)
	}
	if w.desk.Value(Setting{"language"}) != "km" {
		t.Error("a setting of the old version is gone")
	}
	w.sync(phone, w.desk) // what was never sent arrives
	w.shows(w.desk, true)
	if n := phone.Status().Unsent; n != 0 {
		t.Errorf("%d unsent after a sync", n)
	}
	w.noAlarm(w.desk, phone)

	var a krama.SubjectID
	for _, r := range w.want {
		if r.What == "person" && r.Typed == "phone" {
			a = r.subject()
			break
		}
	}
	for _, c := range append(w.desk.circles(), krama.OrgCircle) {
		w.must(w.desk.Admin().Rotate(ctx, c))
	}
	w.contact(phone, a)
	w.sync(phone, w.desk)
	late := w.world.phone() // a device of this version reads the first one's history
	w.sync(late)
	w.have(w.desk.all(), phone, late)
	for _, d := range []*device{w.desk, phone} {
		w.again(d)
		w.sync(d)
	}
	w.have(w.desk.all(), phone, late)
	w.noAlarm(w.desk, phone, late)

	// Erasure reaches into the old file: nothing of hers is left in it, and the file of the first version is gone.
	circle := w.outreach(w.desk)
	key, code := w.desk.led.keys[circle][a], w.desk.code(a)
	w.must(w.desk.Erasing().Shred(krama.KindOutreach, a, ShredAsked))
	w.sync(w.desk, phone, late)
	w.must(w.desk.Admin().Maintain(ctx))
	w.sync(phone, late, w.desk, phone, late, w.desk)
	for i, d := range []*device{w.desk, phone} {
		if plain := w.dump(d, d.files(), d.vk); bytes.Contains(plain, key[:]) || bytes.Contains(plain, []byte(code)) {
			t.Errorf("device %d keeps an erased person on disk", i)
		}
		if d.dir.File("journal") != nil {
			t.Errorf("device %d keeps the first version's file", i)
		}
	}
	if e := w.desk.Erasing().Erasures(); len(e) != 1 || !e[0].Complete() {
		t.Errorf("the erasure is not complete: %+v", e)
	}

	if w.desk.led.roster.Delay {
		t.Error("an old programme waits before anybody said so")
	}
	cards := w.trustees(2, 3)
	if !w.desk.led.roster.Delay {
		t.Error("its first announcement did not say that it waits")
	}

	s := w.person(phone)
	w.sync(phone, w.desk)
	lateWork := w.contact(phone, s)
	w.must(w.desk.Admin().RemoveDevice(ctx, phone.led.dev.ID(), seal.ReasonLost, nil))
	if err := phone.Sync(ctx, nil); err == nil || !phone.Wiped() {
		t.Errorf("the removed phone goes on: %v", err)
	}
	w.sync(w.desk)
	mail := w.desk.Admin().Mail()
	if len(mail) != 1 {
		t.Fatalf("%d letters, want the removed phone's unsent contact", len(mail))
	}
	if items, whole := mail[0].Late(); !whole || len(items) != 1 || items[0].Record.ID != lateWork {
		t.Fatalf("%d items, whole %v", len(items), whole)
	}
	w.must(w.desk.Admin().AcceptLate(mail[0].ID))
	w.sync(w.desk, late)
	if !slices.Contains(late.all(), lateWork) {
		t.Error("late work did not arrive")
	}
	if len(late.all()) != len(w.desk.all()) {
		t.Errorf("the new phone shows %d records, the desk %d", len(late.all()), len(w.desk.all()))
	}
	w.noAlarm(w.desk, late)

	// The trustees bring back the programme that the first version founded.
	found := w.fresh()
	w.must(found.Newcomer().Recover(ctx, cards[1:], "", true, nil))
	w.noAlarm(found)
	w.have(w.desk.all(), found)
}

// TestUpgradePhoneLast: the office is on this version and has rotated before the phone, still with the first version's
// file, comes back with what it sealed in epoch 0 and never sent.
func TestUpgradePhoneLast(t *testing.T) {
	w := openOld(t, 40)
	ctx := context.Background()
	w.sync(w.desk)
	w.must(w.desk.Admin().Maintain(ctx)) // after 40 days every circle is due
	if e := w.desk.led.streams[w.outreach(w.desk)].epoch.Epoch; e != 1 {
		t.Fatalf("epoch %d, want 1", e)
	}
	w.sync(w.phone, w.desk)
	w.shows(w.desk, true)
	w.shows(w.phone, true)
	w.again(w.phone)
	w.shows(w.phone, true)
	if n := w.phone.Status().Unsent; n != 0 {
		t.Errorf("%d unsent", n)
	}
	w.noAlarm(w.desk, w.phone)
}
