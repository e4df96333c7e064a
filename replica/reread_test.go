package replica

import (
	"context"
	"slices"
	"testing"

	"krama"
	"krama/seal"
)

// confirmed is what the device read from the stream, in its order, each once.
func (d *device) confirmed() (out []krama.RecordID) {
	for _, e := range d.events {
		if e.Record != nil && e.Record.Circle == nil && !e.Local && !slices.Contains(out, e.Record.ID) {
			out = append(out, e.Record.ID)
		}
	}
	return out
}

// shows checks that devices show the same in the same order and have nothing to send, also after a restart.
func (w *world) shows(n int, ds ...*device) {
	w.t.Helper()
	for range 2 {
		want := ds[0].confirmed()
		for i, d := range ds {
			if got := d.confirmed(); len(got) != n || !slices.Equal(got, want) || d.Status().Unsent != 0 {
				w.t.Errorf("device %d shows %x, the first %x, want %d; unsent %d", i, got, want, n, d.Status().Unsent)
			}
			w.again(d)
		}
	}
}

// TestA14ReadAgainThenClosed: a claim is reached, so that the epoch is read again, and meanwhile an admin who was
// shown less has closed it before what this phone had sent: it is sent into the next epoch, and stands where it stands
// for everybody.
func TestA14ReadAgainThenClosed(t *testing.T) {
	w := newSmallWorld(t)
	a, b, bad := w.phone(), w.phone(), w.phone()
	w.sync(w.desk, a, b, bad)
	c := w.outreach(bad)
	w.claims(bad, c, func(h *seal.Header) { h.Roster.N += 2 })
	w.sync(w.desk)
	seen := w.desk.led.streams[c].head.N
	w.contact(a, w.person(a)) // a person and her first contact
	w.sync(a)
	hide := liar{w.stream(w.desk, krama.KindOutreach), func(after uint64, l *seal.Listing) {
		l.Head, l.Entries = w.desk.led.streams[c].head, l.Entries[:seen-after]
	}}
	w.desk.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if path == seal.PathClose {
			return nil, nil // where the relay has more it would not close: this one says that it has
		}
		return hide.answer(path, call, answer, err)
	}
	ctx := context.Background()
	w.contact(w.desk, w.person(w.desk))
	w.must(w.desk.Admin().Rotate(ctx, krama.OrgCircle))
	w.must(w.desk.Admin().Rotate(ctx, c))
	w.desk.wire.twist = nil
	w.sync(a, b, w.desk, a, b, w.desk)
	w.shows(4, w.desk, a, b)
}

// TestA14JudgedAgainInOrder: what was stepped over and counts after all stands in its place, and what is shown stays
// while the line breaks in the second reading.
func TestA14JudgedAgainInOrder(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	w.sync(a, b)
	n, head := a.led.roster.Head.N, a.led.roster.Head
	late := w.phone()
	w.contact(b, w.person(b))
	w.sync(b, late)
	a.wire.twist = liar{w.stream(a, krama.KindOrg), func(after uint64, l *seal.Listing) {
		if after >= n {
			l.Head, l.Entries = head, nil
		}
	}}.answer
	w.contact(a, w.person(a))
	w.sync(a, b)
	shown := len(a.all())
	one := liar{w.stream(a, krama.KindOutreach), func(_ uint64, l *seal.Listing) { l.Entries = l.Entries[:1] }}
	a.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if c, e := seal.ParseCall(call); e == nil && path == seal.PathList && c.Principal == one.id {
			if l, _ := seal.ParseList(c.Payload); l.After > 0 {
				return nil, krama.E("test", krama.Offline, "")
			}
		}
		return one.answer(path, call, answer, err)
	}
	if err := a.Sync(context.Background(), nil); err == nil {
		t.Fatal("the line held")
	}
	if a.led.streams[w.outreach(a)].floor.N == 0 {
		t.Fatal("nothing is read again")
	}
	for range 2 {
		if got := len(a.all()); got != shown {
			t.Errorf("while it is read again %d are shown, before %d", got, shown)
		}
		w.again(a)
	}
	a.wire.twist = nil
	w.sync(a, b, late)
	w.shows(4, b, a, late)
	w.noAlarm(b)
}

// TestA14LessTheSecondTime: a relay that shows less of an epoch when it is read again is found out, and one that says
// it has the rest and does not give it is waited for: nothing is written that could take the place of what it hides.
func TestA14LessTheSecondTime(t *testing.T) {
	for name, alarm := range map[string]bool{"less": true, "nothing": false} {
		t.Run(name, func(t *testing.T) {
			w := newSmallWorld(t)
			a, b := w.phone(), w.phone()
			w.sync(a, b)
			for range 2 {
				w.contact(a, w.person(a))
				w.sync(a)
			}
			c, before := w.outreach(a), a.led.streams[w.outreach(a)].head.N
			a.mu.Lock()
			w.must(a.commit(tagged(tagAgain, c[:], u32(0))))
			a.led.judgeAgain(place{c, 0})
			a.mu.Unlock()
			start, _ := a.led.roster.StartOf(c, 0)
			a.wire.twist = liar{w.stream(a, krama.KindOutreach), func(after uint64, l *seal.Listing) {
				if alarm {
					l.Head, l.Entries = start, nil
				} else {
					l.Entries = l.Entries[:max(0, min(len(l.Entries), int(before-1-after)))]
				}
			}}.answer
			w.contact(a, w.person(a))
			for range 2 {
				a.Sync(context.Background(), nil)
				if a.has(AlarmRollback) != alarm || len(a.led.sealed) != 0 || a.Status().Unsent < 2 {
					t.Errorf("alarms %v, %d sealed, %d unsent", a.Status().Alarms, len(a.led.sealed), a.Status().Unsent)
				}
				w.again(a)
			}
			if got := a.led.streams[c].floor.N; got != before {
				t.Errorf("it is to be read to %d, want %d", got, before)
			}
			a.wire.twist = nil
			w.sync(a)
			if a.Status().Stopped != alarm {
				t.Errorf("stopped %v", a.Status().Stopped)
			}
			if alarm {
				return
			}
			w.sync(a, b)
			w.shows(6, a, b)
			if n := len(b.records()); n != 6 {
				t.Errorf("%d records were sent, want 6", n)
			}
		})
	}
}

// readsAgain begins a second reading of the open first epoch, as a roster that explains something does.
func (w *world) readsAgain(d *device) (c krama.CircleID) {
	w.t.Helper()
	c = w.outreach(d)
	d.mu.Lock()
	defer d.mu.Unlock()
	w.must(d.commit(tagged(tagAgain, c[:], u32(0))))
	d.led.judgeAgain(place{c, 0})
	return c
}

// TestA14RepairedBelow: while a phone reads again, its relay is restored and repaired to less than it had read. It
// follows, sends its own again, and what a colleague's phone that was lost had written comes back by way of the
// admins.
func TestA14RepairedBelow(t *testing.T) {
	for name, when := range map[string]int{"before": 1, "after": 2, "not at all": 0} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			w := newSmallWorld(t)
			a, b, lost := w.phone(), w.phone(), w.phone()
			s := w.person(a)
			w.sync(a, b, lost, w.desk)
			backup := w.store.Clone()
			w.contact(a, s)
			w.contact(lost, s)
			w.sync(a, lost, a)
			if when == 1 {
				w.readsAgain(a)
			}
			w.restore(backup, a, b, lost, w.desk)
			w.contact(b, s)
			w.sync(b)
			a.Sync(ctx, nil)
			if when == 2 {
				w.readsAgain(a)
			}
			a.Sync(ctx, nil)
			w.sync(w.desk)
			w.must(w.desk.Admin().Repair(ctx, nil))
			w.must(w.desk.Admin().RemoveDevice(ctx, lost.led.dev.ID(), seal.ReasonLost, nil))
			w.sync(a, w.desk)
			for _, m := range w.desk.Admin().Mail() {
				w.must(w.desk.Admin().AcceptLate(m.ID))
			}
			w.sync(w.desk, a, b, w.desk)
			w.shows(4, w.desk, a, b)
			w.noStanding(w.desk, a, b)
		})
	}
}

func (w *world) noStanding(ds ...*device) {
	w.t.Helper()
	for i, d := range ds {
		for _, al := range d.Status().Alarms {
			if !al.Mended {
				w.t.Errorf("device %d: an alarm stands: %v", i, al)
			}
		}
	}
}

// TestA14LessEnds: a relay that gives a page and a head before what it had shown is told of once, and asked no more in
// that sync.
func TestA14LessEnds(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	w.sync(a, b)
	for range 2 {
		w.contact(a, w.person(a))
		w.sync(a)
	}
	c := w.readsAgain(a)
	start, _ := a.led.roster.StartOf(c, 0)
	calls := 0
	a.wire.twist = liar{w.stream(a, krama.KindOutreach), func(after uint64, l *seal.Listing) {
		calls++
		l.Entries = l.Entries[:min(1, len(l.Entries))]
		if l.Head = start; len(l.Entries) > 0 {
			l.Head = start.Link(seal.EnvelopeID(l.Entries[0]))
		}
	}}.answer
	a.Sync(context.Background(), nil)
	if !a.has(AlarmRollback) || calls > 2 {
		t.Errorf("%d calls, alarms %v", calls, a.Status().Alarms)
	}
}

// TestA14AnotherHistoryTheSecondTime: a relay that shows as much and something else is found out, and what a colleague
// had written in the first history is kept for her.
func TestA14AnotherHistoryTheSecondTime(t *testing.T) {
	w := newSmallWorld(t)
	a, b, d := w.phone(), w.phone(), w.phone()
	w.sync(a, b, d)
	other := w.store.Clone()
	s := w.person(b)
	w.contact(b, s)
	w.sync(b, a)
	c := w.readsAgain(a)
	w.restore(other, a, d)
	w.contact(d, w.person(d))
	w.sync(d)
	a.Sync(context.Background(), nil)
	if !a.has(AlarmFork) || len(a.led.orphans) < 2 || a.led.streams[c].rereading() {
		t.Errorf("alarms %v, %d kept", a.Status().Alarms, len(a.led.orphans))
	}
	w.again(a)
	if len(a.led.orphans) < 2 {
		t.Errorf("%d are kept after a restart", len(a.led.orphans))
	}
}

// TestErasedWhileReadAgain: an erasure that was typed before a second reading is sent after it, and she is not shown
// again meanwhile.
func TestErasedWhileReadAgain(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	w.sync(a, b)
	s := w.person(b)
	w.contact(b, s)
	w.sync(b, a)
	w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
	w.readsAgain(a)
	if len(a.all()) != 0 {
		t.Error("she is shown")
	}
	for range 3 {
		w.sync(a, b)
		w.again(a)
		if len(a.all()) != 0 {
			t.Error("she is shown again")
		}
	}
	if a.Status().Unsent != 0 || len(b.led.shreds) != 1 || len(b.all()) != 0 {
		t.Errorf("%d unsent, %d erasures at a colleague's, who shows %d", a.Status().Unsent, len(b.led.shreds),
			len(b.all()))
	}
	w.noAlarm(a, b)
}

// TestNoCloseInASecondReading: an admin's desk that reads an epoch again closes it nowhere before what it had read,
// and gives a restored relay back what it has from the first reading.
func TestNoCloseInASecondReading(t *testing.T) {
	ctx := context.Background()
	w := newSmallWorld(t)
	b := w.phone()
	w.sync(b, w.desk)
	backup := w.store.Clone()
	s := w.person(b)
	w.contact(b, s)
	w.sync(b, w.desk)
	c := w.readsAgain(w.desk)
	hide := liar{w.stream(w.desk, krama.KindOutreach), func(_ uint64, l *seal.Listing) { l.Entries = nil }}
	w.desk.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if path == seal.PathClose {
			return nil, nil
		}
		return hide.answer(path, call, answer, err)
	}
	if err := w.desk.Admin().Rotate(ctx, c); krama.KindOf(err) != krama.CannotDecrypt {
		t.Errorf("it rotates: %v", err)
	}
	if _, closed := w.desk.led.roster.ClosedAt(c, 0); closed {
		t.Fatal("it was closed")
	}
	w.desk.wire.twist = nil
	w.restore(backup, b, w.desk)
	w.desk.Sync(ctx, nil)
	w.must(w.desk.Admin().Repair(ctx, nil))
	late := w.phone()
	w.sync(late)
	w.shows(2, w.desk, late)
	w.noStanding(w.desk, late)
}

// TestReadTwiceIsTidied: what only the first reading showed does not stay in the file, however it came about.
func TestReadTwiceIsTidied(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	w.sync(a, b)
	for range 2 {
		w.contact(a, w.person(a))
		w.sync(a)
	}
	c := w.readsAgain(a)
	n := a.led.streams[c].floor.N
	a.wire.twist = liar{w.stream(a, krama.KindOutreach), func(after uint64, l *seal.Listing) {
		l.Entries = l.Entries[:max(0, min(len(l.Entries), int(n-1)-int(after)))]
	}}.answer
	w.sync(a) // rewritten in the middle
	a.wire.twist = nil
	w.sync(a)
	w.again(a)
	if a.led.streams[c].head.N != n || len(a.led.left) > 0 {
		t.Errorf("%d envelopes want %d; readings left out %v", a.led.streams[c].head.N, n, a.led.left)
	}
}

// TestOrderAcrossReading: two records of one second keep their order, also where the journal was read anew between.
func TestOrderAcrossReading(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	s := w.person(a)
	last := func() uint32 { return a.events[len(a.events)-1].Record.Written }
	w.contact(a, s)
	first := last()
	a.mu.Lock()
	err := a.reload()
	a.mu.Unlock()
	w.must(err)
	w.contact(a, s)
	if last() <= first {
		t.Errorf("typed at %d, and then at %d", first, last())
	}
}
