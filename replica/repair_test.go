package replica

import (
	"context"
	mrand "math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"krama"
	"krama/journal"
	"krama/relay"
	"krama/relay/memory"
	"krama/seal"
)

// restore puts the relay back to an older store.
func (w *world) restore(s *memory.Store, ds ...*device) {
	w.store = s
	w.relay = relay.New(s, "token", relay.DefaultLimits, w.clock)
	for _, d := range ds {
		d.wire.h = w.relay
	}
}

// seeds is how many drawn histories a test goes through: the usual number, or as many as KRAMA_SEEDS says.
func seeds(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("KRAMA_SEEDS")); err == nil {
		return n
	}
	return usual
}

// TestRestoredRelay restores the relay from a backup of a random moment: with phones that had seen more, less, or had
// unsent work, with rotations and removals since, and with somebody who writes before the office repairs. In the end
// everybody has everything that any device still had, once.
func TestRestoredRelay(t *testing.T) {
	ctx := context.Background()
	first := newSmallWorld(t)
	phones := []*device{first.phone(), first.phone(), first.phone()}
	s := first.person(phones[0])
	var others []krama.SubjectID // to be erased
	for range 4 {
		others = append(others, first.person(phones[0]))
	}
	for range 2 {
		first.sync(append(phones, first.desk)...)
	}
	for seed := range uint64(seeds(60)) {
		rnd := mrand.New(mrand.NewPCG(seed, 7))
		w, ds := first.clone(t, phones...)
		ds = append([]*device{w.desk}, ds...)
		typed := map[krama.RecordID]bool{}
		for _, id := range w.desk.all() {
			typed[id] = true
		}
		left := slices.Clone(others)
		erase := func(d *device) {
			if len(left) == 0 {
				return
			}
			w.must(d.Erasing().Shred(krama.KindOutreach, left[0], ShredAsked))
			for _, e := range first.desk.events {
				if e.Subject == left[0] && e.Record != nil {
					delete(typed, e.Record.ID)
				}
			}
			left = left[1:]
		}
		var backup *memory.Store
		steps := 6 + rnd.IntN(14)
		at := rnd.IntN(steps)
		for i := range steps {
			if i == at {
				backup = w.store.Clone()
			}
			d := ds[rnd.IntN(len(ds))]
			switch k := rnd.IntN(12); {
			case k == 10:
				erase(d)
				d.Sync(ctx, nil)
			case k == 11:
				w.now = w.now.Add(rekeyEvery) // whoever meets the relay from here on says a new key
			case k < 5:
				typed[w.contact(d, s)] = true
			case k < 8:
				d.Sync(ctx, nil)
			case k == 8:
				w.must(w.desk.Admin().Rotate(ctx, []krama.CircleID{w.outreach(w.desk), krama.OrgCircle}[rnd.IntN(2)]))
			default:
				d.Sync(ctx, nil)
				w.again(d)
			}
		}
		if rnd.IntN(2) == 0 { // the office has met everybody; otherwise phones know what it does not
			w.sync(w.desk)
		}
		w.restore(backup, ds...)
		if rnd.IntN(2) == 0 { // somebody meets the restored relay first
			d := ds[1+rnd.IntN(3)]
			typed[w.contact(d, s)] = true
			if rnd.IntN(2) == 0 {
				erase(d)
			}
			d.Sync(ctx, nil)
		}
		w.desk.Sync(ctx, nil)
		if err := w.desk.Admin().Repair(ctx, nil); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for range 4 {
			for i, d := range ds {
				if err := d.Sync(ctx, nil); err != nil {
					t.Fatalf("seed %d: device %d after the repair: %v", seed, i, err)
				}
			}
		}
		want := w.desk.records()
		once := map[krama.RecordID]bool{}
		for _, id := range want {
			once[id] = true
		}
		for id := range typed {
			if !once[id] {
				for i, d := range ds {
					t.Logf("device %d: has %v, orphans %d, unsent %d, alarms %v, cuts %v", i, slices.Contains(d.all(),
						id), len(d.led.orphans), d.Status().Unsent, d.Status().Alarms, d.led.cuts)
				}
				t.Fatalf("seed %d: a record is lost", seed)
			}
		}
		for i, d := range ds {
			got := d.all()
			if len(got) != len(typed) {
				t.Fatalf("seed %d: device %d shows %d records, want %d", seed, i, len(got), len(typed))
			}
			for _, a := range d.Status().Alarms {
				if !a.Mended {
					t.Fatalf("seed %d: device %d still raises %s", seed, i, a.What)
				}
			}
			if n := d.Status().Unsent; n != 0 {
				t.Fatalf("seed %d: device %d has %d unsent", seed, i, n)
			}
		}
		if seed%8 != 0 { // it costs as much as the rest
			continue
		}
		late := w.phone()
		w.sync(late)
		if len(late.all()) != len(typed) {
			t.Fatalf("seed %d: who joins later has %d records, want %d", seed, len(late.all()), len(typed))
		}
	}
}

// TestRestoredRelayLostAuthor: what a phone had sent, the relay lost, and the phone is lost too, comes back from who
// had read it, by way of the quarantine when the office had not.
func TestRestoredRelayLostAuthor(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	backup := w.store.Clone()
	id := w.contact(a, s)
	w.sync(a, b) // b has read it; the office has not
	w.restore(backup, a, b, w.desk)
	w.sync(w.desk)
	b.Sync(ctx, nil)
	if !b.has(AlarmRollback) {
		t.Fatal("no alarm")
	}
	w.must(w.desk.Admin().Repair(ctx, nil))
	w.must(w.desk.Admin().RemoveDevice(ctx, a.led.dev.ID(), seal.ReasonLost, nil)) // a is at the bottom of the river
	w.sync(b, w.desk)
	mail := w.desk.Admin().Mail()
	if len(mail) != 1 {
		t.Fatalf("%d letters", len(mail))
	}
	w.must(w.desk.Admin().AcceptLate(mail[0].ID))
	w.sync(w.desk, b, w.desk)
	if !slices.Contains(w.desk.all(), id) || !slices.Contains(b.all(), id) {
		t.Error("the record of the lost phone did not come back")
	}
}

// opens counts how often each file of a device is opened.
type opens struct {
	journal.Dir
	n map[string]int
}

func (o opens) Open(name string) (journal.File, error) {
	o.n[name]++
	return o.Dir.Open(name)
}

// TestARepairReadsAFewTimes: what the office reads of its own file for a repair does not grow with the number of epochs
// there have been.
func TestARepairReadsAFewTimes(t *testing.T) {
	reads := func(epochs int) int {
		w := newSmallWorld(t)
		a := w.phone()
		s := w.person(a)
		w.sync(a, w.desk)
		for range epochs {
			w.must(w.desk.Admin().Rotate(t.Context(), w.outreach(w.desk)))
			w.contact(a, s)
			w.sync(a, w.desk)
		}
		backup := w.store.Clone()
		w.contact(a, s)
		w.sync(a, w.desk)
		w.restore(backup, a, w.desk)
		w.desk.Sync(t.Context(), nil)
		n := map[string]int{}
		w.desk.Dir = opens{w.desk.Dir, n}
		w.must(w.desk.Admin().Repair(t.Context(), nil))
		w.sync(a, w.desk)
		if got := len(w.desk.all()); got != epochs+2 {
			t.Fatalf("%d epochs: %d records, want %d", epochs, got, epochs+2)
		}
		return n[keysFile] // opened before each reading
	}
	if few, many := reads(2), reads(12); few == 0 || many > few {
		t.Errorf("%d readings with 2 epochs, %d with 12", few, many)
	}
}
