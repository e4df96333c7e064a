package replica

import (
	"context"
	"testing"
	"time"

	"krama"
	"krama/relay/memory"
	"krama/seal"
)

func (w *world) desk2(least bool) *device {
	w.t.Helper()
	for {
		d := w.device("desk")
		id, me := d.led.dev.ID(), w.desk.led.dev.ID()
		if (string(id[:]) < string(me[:])) != least {
			continue
		}
		d.Office, d.cfg.Office = true, true
		w.enrol(d, krama.RoleAdmin|krama.RoleOutreach)
		return d
	}
}

// handover has the desk that drops bodies go away after its first batch, and the other one take over.
func handover(t *testing.T, remove bool) {
	w := newSmallWorld(t)
	a := w.phone()
	desk2 := w.desk2(true)
	w.sync(w.desk, desk2, a)
	c := w.outreach(w.desk)
	var people []krama.SubjectID
	for range 4 {
		people = append(people, w.person(a))
		w.sync(a)
	}
	w.person(desk2) // it has written something: it is seen
	w.sync(desk2, w.desk, a)
	first := w.desk.led.streams[c].epoch
	before := w.bodies(first.StreamID())
	dropped := map[krama.SubjectID]bool{}
	day := 0
	look := func() {
		fresh := map[krama.SubjectID]bool{}
		n := 0
		for i, b := range w.bodies(first.StreamID())[:len(before)] {
			if _, stone := seal.TombstoneID(b); !stone {
				continue
			}
			env, _ := first.Open(before[i])
			for j := range env.Len() {
				if s, _ := env.Peek(j); !dropped[s] {
					fresh[s] = true
					n++
				}
			}
		}
		if len(fresh) == 1 {
			t.Errorf("day %d: the relay was told the envelopes of one person", day)
		}
		for s := range fresh {
			dropped[s] = true
		}
	}
	erase := func(i int) { w.must(a.Erasing().Shred(krama.KindOutreach, people[i], ShredAsked)); w.sync(a) }
	pass := func(n int, ds ...*device) {
		for range n {
			w.now = w.now.Add(24 * time.Hour)
			day++
			for _, d := range ds {
				w.sync(a, d)
				w.must(d.Admin().Maintain(t.Context()))
				look()
			}
		}
	}
	erase(0)
	erase(1)
	pass(3, w.desk, desk2)
	erase(2)
	if remove {
		w.must(w.desk.Admin().RemoveDevice(t.Context(), desk2.led.dev.ID(), 1, nil))
		pass(3, w.desk)
	} else {
		pass(40, w.desk, desk2) // both meet the relay on every day
	}
}

// TestDropHandover: the desk that had bodies dropped is removed, or seems away; the one that takes over does not tell
// the relay the envelopes of one person.
func TestDropHandover(t *testing.T) {
	handover(t, false)
	handover(t, true)
}

// TestDropAfterAnothersRepair: a desk that does not drop bodies repairs a restored relay; the one that does drops them
// again.
func TestDropAfterAnothersRepair(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	desk2 := w.desk2(true) // undertaker
	w.sync(w.desk, desk2, a)
	c := w.outreach(w.desk)
	x := w.person(a)
	w.sync(a)
	y := w.person(a)
	w.sync(a)
	w.person(desk2)
	w.sync(desk2, w.desk, a)
	e := w.desk.led.streams[c].epoch
	backup := w.store.Clone()
	w.must(a.Erasing().Shred(krama.KindOutreach, x, ShredAsked))
	w.must(a.Erasing().Shred(krama.KindOutreach, y, ShredAsked))
	pass := func(n int) {
		for range n {
			w.now = w.now.Add(24 * time.Hour)
			w.sync(a)
			for _, d := range []*device{desk2, w.desk} { // desk2 beats: it is seen
				w.sync(d)
				w.must(d.Admin().Maintain(t.Context()))
			}
		}
	}
	pass(4)
	if n := stones(w.bodies(e.StreamID())); n != 2 {
		t.Fatalf("%d stones", n)
	}
	all := []*device{a, desk2, w.desk}
	w.restore(backup, all...)
	w.desk.Sync(context.Background(), nil)
	w.must(w.desk.Admin().Repair(t.Context(), nil))
	for range 2 {
		for _, d := range all {
			d.Sync(context.Background(), nil)
		}
	}
	pass(70)
	if n := stones(w.bodies(e.StreamID())); n != 2 {
		t.Errorf("70 days after the repair %d of 2 erased bodies are dropped; flag %q", n,
			w.desk.led.values.of(unburiedKey(c)))
	}
}

// TestDropCallFails: the call that has bodies dropped fails once.
func TestDropCallFails(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	x := w.person(a)
	w.sync(a)
	y := w.person(a)
	w.sync(a, w.desk)
	c := w.outreach(w.desk)
	e := w.desk.led.streams[c].epoch
	w.must(a.Erasing().Shred(krama.KindOutreach, x, ShredAsked))
	w.must(a.Erasing().Shred(krama.KindOutreach, y, ShredAsked))
	failed := 0
	w.desk.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if path == seal.PathTombstone && failed == 0 {
			failed++
			return nil, krama.E("test", krama.Offline, "")
		}
		return answer, err
	}
	for range 25 {
		w.now = w.now.Add(24 * time.Hour)
		w.sync(a, w.desk)
		w.desk.Admin().Maintain(t.Context())
	}
	if n := stones(w.bodies(e.StreamID())); failed != 1 || n != 2 || w.desk.led.values.of(unburiedKey(c)) != "" {
		t.Errorf("%d of 2 were dropped in 25 days", n)
	}
}

// TestDropOfACircleOfFew: the desk with the least id, let in by voice, does not hold safeguarding; another drops its
// bodies.
func TestDropOfACircleOfFew(t *testing.T) {
	w := newWorld(t)
	var d *device
	for d == nil {
		x := w.device("desk")
		id, me := x.led.dev.ID(), w.desk.led.dev.ID()
		if string(id[:]) < string(me[:]) {
			d = x
		}
	}
	d.Office, d.cfg.Office = true, true
	ctx := t.Context()
	w.must(d.Newcomer().Introduce(ctx, "relay"))
	inv, err := w.desk.Admin().Invite(ctx, d.Newcomer().Scan1().String())
	w.must(err)
	inv.ByVoice = true
	w.must(d.Newcomer().Accept(ctx, inv.Code.String()))
	_, err = w.desk.Admin().Enrol(ctx, inv, krama.MemberID{77}, krama.RoleAdmin)
	if err == ErrDay {
		w.tomorrow()
		err = nil
	}
	w.must(err)
	_, err = d.Newcomer().Join(ctx, nil)
	w.must(err)
	for range 3 {
		w.now = w.now.Add(24 * time.Hour)
		w.sync(w.desk, d)
		w.must(w.desk.Admin().Maintain(ctx))
		d.Admin().Maintain(ctx)
	}
	if _, holds := d.Kinds()[krama.KindSafeguarding]; holds {
		t.Fatal("let in by voice, and it holds safeguarding: the test proves nothing")
	}
	c := w.desk.Kinds()[krama.KindSafeguarding]
	e := w.desk.led.streams[c].epoch
	var who []krama.SubjectID
	for range 3 {
		s, _ := w.desk.NewSubject()
		id, _ := w.desk.NewRecord()
		w.must(w.desk.Write(krama.KindSafeguarding, s, &krama.Record{ID: id,
			Contact: &krama.Contact{Date: krama.DayOf(w.now), District: 1002, Place: 1, Given: krama.Supplies{10},
				Test: krama.TestOffered}}))
		w.sync(w.desk)
		who = append(who, s)
	}
	for _, s := range who {
		w.must(w.desk.Erasing().Shred(krama.KindSafeguarding, s, ShredAsked))
	}
	for range 70 {
		w.now = w.now.Add(24 * time.Hour)
		w.sync(d, w.desk)
		d.Admin().Maintain(ctx)
		w.must(w.desk.Admin().Maintain(ctx))
	}
	if n := stones(w.bodies(e.StreamID())); n == 0 {
		t.Errorf("70 days later none of 3 people's bodies is dropped; epoch now %d", w.desk.led.streams[c].epoch.Epoch)
	}
}

// TestAttackTombstoneInTheRoster: a relay with a worker's keys shows a tombstone in circle 0. It ends the sync, and is
// kept by nobody.
func TestAttackTombstoneInTheRoster(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	w.sync(a, w.desk)
	e := w.desk.led.streams[krama.OrgCircle].epoch
	h := w.desk.led.streams[krama.OrgCircle].head
	x, err := e.SealTombstone(a.cfg.Rand, seal.Tombstone{ID: [32]byte{9}, Author: a.led.dev.ID(), Seq: 1},
		krama.DeviceID{7}, a.led.dev.Sig)
	w.must(err)
	lie := seal.Listing{Head: h.Link([32]byte{9}), Entries: [][]byte{x}}
	calls := 0
	a.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if c, perr := seal.ParseCall(call); perr == nil && path == seal.PathList &&
			seal.StreamID(c.Principal) == e.StreamID() {
			if calls++; calls > 200000 {
				return nil, krama.E("test", krama.Offline, "enough")
			}
			return lie.Marshal(), nil
		}
		return answer, err
	}
	if err := a.Sync(t.Context(), nil); krama.KindOf(err) != krama.Tampered || calls > 10 {
		t.Errorf("%d calls in one sync: %v", calls, err)
	}
	a.wire.twist = nil
	w.sync(a)
	w.noAlarm(a)
}

// strange has a desk and a colleague not hear of a new phone while it already writes: what it wrote is judged twice.
// early is the relay before any of it, first the stream.
func strange(t *testing.T, strangerFirst bool) (w *world, a, office *device, first seal.StreamID, early *memory.Store) {
	w = newSmallWorld(t)
	a = w.phone()
	office = w.desk2(true)
	w.sync(w.desk, office, a)
	w.person(office)
	w.sync(office, w.desk, a)
	org := w.stream(office, krama.KindOrg)
	n, head := office.led.roster.Head.N, office.led.roster.Head
	lie := liar{org, func(after uint64, l *seal.Listing) {
		if after >= n {
			l.Head, l.Entries = head, nil
		}
	}}.answer
	p := w.phone()
	a.wire.twist, office.wire.twist = lie, lie
	early = w.store.Clone()
	var x, y krama.SubjectID
	theirs := func() { x = w.person(p); w.sync(p) }
	ours := func() { y = w.person(a); a.Sync(context.Background(), nil) }
	if strangerFirst {
		theirs()
		ours()
	} else {
		ours()
		theirs()
	}
	office.Sync(context.Background(), nil)
	a.wire.twist, office.wire.twist = nil, nil
	for range 2 {
		w.sync(a, office, w.desk)
	}
	first = w.desk.led.streams[w.outreach(w.desk)].epoch.StreamID()
	w.must(a.Erasing().Shred(krama.KindOutreach, x, ShredAsked))
	w.must(a.Erasing().Shred(krama.KindOutreach, y, ShredAsked))
	w.sync(a)
	for range 4 {
		w.now = w.now.Add(24 * time.Hour)
		w.sync(a)
		for _, d := range []*device{office, w.desk} {
			w.sync(d)
			w.must(d.Admin().Maintain(t.Context()))
		}
	}
	return
}

// TestDropOfWhatWasReadAgain: an envelope that was judged twice is dropped once, and given back once.
func TestDropOfWhatWasReadAgain(t *testing.T) {
	for _, strangerFirst := range []bool{true, false} {
		w, a, office, first, early := strange(t, strangerFirst)
		if n := stones(w.bodies(first)); n != 2 {
			t.Errorf("%d of 2 were dropped", n)
		}
		w.restore(early, a, office, w.desk)
		office.Sync(context.Background(), nil)
		w.must(office.Admin().Repair(t.Context(), nil))
		if n := stones(w.bodies(first)); n != 2 {
			t.Errorf("%d of 2 were given back as tombstones", n)
		}
	}
}

// TestDropWhileLocked: the desk is locked between two calls; it ends with an error and goes on the next day.
func TestDropWhileLocked(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	x, y := w.person(a), w.person(a)
	w.sync(a)
	for range seal.MaxBatch + 5 {
		w.contact(a, x)
		w.contact(a, y)
		w.sync(a)
		w.now = w.now.Add(time.Second)
	}
	w.sync(w.desk)
	first := w.stream(w.desk, krama.KindOutreach)
	w.must(a.Erasing().Shred(krama.KindOutreach, x, ShredAsked))
	w.must(a.Erasing().Shred(krama.KindOutreach, y, ShredAsked))
	w.sync(a)
	calls := 0
	w.desk.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if path == seal.PathTombstone {
			if calls++; calls == 1 {
				w.desk.Close()
			}
		}
		return answer, err
	}
	for range 3 {
		w.now = w.now.Add(24 * time.Hour)
		if w.desk.State() != Enrolled {
			w.again(w.desk)
		}
		w.desk.Sync(context.Background(), nil)
		w.desk.Admin().Maintain(t.Context())
	}
	if n := stones(w.bodies(first)); n < seal.MaxBatch+5 || calls < 2 {
		t.Errorf("%d were dropped in %d calls", n, calls)
	}
}

// TestDropWaitsForTheClose: an erasure in an epoch that is not closed yet drops nothing: the relay may lose it, and the
// people live on.
func TestDropWaitsForTheClose(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	office := w.desk2(true)
	w.sync(w.desk, office, a)
	w.person(a)
	w.sync(a)
	x := w.person(a)
	w.sync(a)
	y := w.person(a)
	w.sync(a, w.desk, office)
	w.person(office)
	w.sync(office, w.desk, a)
	c := w.outreach(w.desk)
	w.must(w.desk.Admin().Rotate(t.Context(), c))
	for range 2 {
		w.sync(w.desk, a, office)
	}
	first := w.desk.led.streams[c].known[0].StreamID()
	backup := w.store.Clone()
	w.must(a.Erasing().Shred(krama.KindOutreach, x, ShredAsked))
	w.must(a.Erasing().Shred(krama.KindOutreach, y, ShredAsked))
	w.sync(a)
	office.wire.gate = func(path string) error { // the rotation cannot be done
		if path == seal.PathClose {
			return krama.E("test", krama.Offline, "")
		}
		return nil
	}
	w.sync(office)
	office.Admin().Maintain(t.Context())
	office.wire.gate = nil
	if n := stones(w.bodies(first)); n != 0 {
		t.Errorf("%d were dropped before the close", n)
	}
	w.restore(backup, w.desk, office) // the phone is lost, and the erasures with it
	w.desk.Sync(context.Background(), nil)
	w.desk.Admin().Rotate(t.Context(), c)
	for range 50 {
		w.now = w.now.Add(24 * time.Hour)
		for _, d := range []*device{w.desk, office} {
			d.Sync(context.Background(), nil)
			d.Admin().Maintain(t.Context())
		}
	}
	w.desk.Admin().Repair(t.Context(), nil)
	late := w.phone()
	late.Sync(context.Background(), nil)
	if n := len(late.all()); n != len(w.desk.all()) || n < 4 || stones(w.bodies(first)) != 0 {
		t.Errorf("who joins late has %d records, the desk %d; %d dropped", n, len(w.desk.all()),
			stones(w.bodies(first)))
	}
}
