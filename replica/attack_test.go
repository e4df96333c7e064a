package replica

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// inject appends an envelope to a circle's stream as a member who holds its keys could.
func (w *world) inject(d *device, c krama.CircleID, h seal.Header, it seal.Item) {
	w.t.Helper()
	st := d.led.streams[c]
	wire, err := st.epoch.Seal(d.Rand, d.led.dev, h, []seal.Item{it}, nil)
	w.must(err)
	_, err = w.store.Append(context.Background(), st.epoch.StreamID(), nil, [][]byte{wire}, 1<<30)
	w.must(err)
}

// TestStatementInAnotherCircle puts a roster statement where none belongs: the roster must not notice.
func TestStatementInAnotherCircle(t *testing.T) {
	w := newWorld(t)
	a, b := w.phone(), w.phone()
	w.sync(w.desk, a, b)
	st := &seal.Statement{NotAfter: 1 << 40, Deed: &seal.MemberAdd{Member: krama.MemberID{99},
		Roles: krama.RoleOutreach}}
	h := a.led.header(mustCircle(a), seal.EnvRoster)
	w.inject(a, mustCircle(a), h, seal.Item{Kind: seal.KindStatement, Body: seal.StatementBody(st.Marshal())})
	w.sync(w.desk, b)
	if w.desk.led.roster.Head != w.desk.led.streams[krama.OrgCircle].head ||
		w.desk.led.roster.Members[krama.MemberID{99}] != nil {
		t.Fatal("the roster moved")
	}
	w.phone() // and still grows
	w.contact(b, w.person(b))
	w.sync(b, w.desk)
	if b.Status().Unsent != 0 || len(w.desk.records()) != 2 {
		t.Errorf("work no longer arrives: %v", w.desk.Status().Alarms)
	}
}

// TestUnsignedClaimInTheRoster has an outsider with circle 0's key claim a roster far ahead: everybody goes on.
func TestUnsignedClaimInTheRoster(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	w.sync(w.desk, a)
	st := a.led.streams[krama.OrgCircle]
	thief, _ := seal.NewDevice(a.Rand, "thief")
	wire, err := st.epoch.Seal(a.Rand, thief, seal.Header{Author: thief.ID(), Kind: seal.EnvContent, Seq: 1,
		Head: st.head, Roster: seal.Head{N: 1 << 60}},
		[]seal.Item{{Kind: seal.KindHeartbeat}}, nil)
	w.must(err)
	_, err = w.store.Append(context.Background(), st.epoch.StreamID(), nil, [][]byte{wire}, 1<<30)
	w.must(err)
	w.contact(a, w.person(a))
	w.sync(a, w.desk)
	if !a.has(AlarmUnauthorised) || a.Status().Unsent != 0 {
		t.Errorf("alarms %v, unsent %d", a.Status().Alarms, a.Status().Unsent)
	}
}

// TestForgedClaimDoesNotStopACircle has a holder of a circle's keys forge an author nobody knows, with a roster far
// ahead.
func TestForgedClaimDoesNotStopACircle(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	w.sync(w.desk, a)
	st := a.led.streams[mustCircle(a)]
	thief, _ := seal.NewDevice(a.Rand, "thief")
	wire, err := st.epoch.Seal(a.Rand, thief, seal.Header{Author: thief.ID(), Kind: seal.EnvContent, Seq: 1,
		Head: st.head, Roster: seal.Head{N: 1 << 60}},
		[]seal.Item{{Kind: seal.KindCircleRecord, Body: []byte("x")}}, nil)
	w.must(err)
	_, err = w.store.Append(context.Background(), st.epoch.StreamID(), nil, [][]byte{wire}, 1<<30)
	w.must(err)
	w.contact(a, w.person(a))
	w.sync(a, w.desk)
	if a.Status().Unsent != 0 || len(w.desk.records()) != 2 || !w.desk.has(AlarmUnauthorised) {
		t.Errorf("unsent %d, the desk has %d records, alarms %v", a.Status().Unsent, len(w.desk.records()),
			w.desk.Status().Alarms)
	}
}

// TestKnownColleagueAhead: a colleague we know, whose signature holds, has seen roster statements that the relay hides.
func TestKnownColleagueAhead(t *testing.T) {
	w := newWorld(t)
	a, b := w.phone(), w.phone()
	w.sync(a, b)
	n, head := a.led.roster.Head.N, a.led.roster.Head
	w.phone()
	w.contact(b, w.person(b))
	w.sync(b)
	a.wire.twist = liar{w.stream(a, krama.KindOrg), func(after uint64, l *seal.Listing) {
		if after >= n {
			l.Head, l.Entries = head, nil
		}
	}}.answer
	a.Sync(context.Background(), nil)
	if !a.has(AlarmWithheld) {
		t.Errorf("alarms %v want withheld", a.Status().Alarms)
	}
}

// TestStatementOutOfOrder skips a sequence number in the roster and fills it afterwards: the statement stays refused,
// and a restart agrees.
func TestStatementOutOfOrder(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	w.sync(w.desk, a)
	h := a.led.header(krama.OrgCircle, seal.EnvRoster)
	h.Seq += 1
	st := &seal.Statement{NotAfter: 1 << 40, Deed: &seal.MemberAdd{Member: krama.MemberID{99},
		Roles: krama.RoleOutreach}}
	w.inject(a, krama.OrgCircle, h, seal.Item{Kind: seal.KindStatement, Body: seal.StatementBody(st.Marshal())})
	w.sync(w.desk)
	h = a.led.header(krama.OrgCircle, seal.EnvContent)
	w.inject(a, krama.OrgCircle, h, seal.Item{Kind: seal.KindHeartbeat})
	w.sync(w.desk)
	check := func() {
		t.Helper()
		if w.desk.led.roster.Head != w.desk.led.streams[krama.OrgCircle].head ||
			w.desk.led.roster.Members[krama.MemberID{99}] != nil {
			t.Fatal("a statement out of order was taken, or moved the roster")
		}
	}
	check()
	w.reopen(w.desk)
	check()
	w.sync(w.desk)
	// An admin's, which would be folded in when what was missing came.
	h = w.desk.led.header(krama.OrgCircle, seal.EnvRoster)
	h.Seq += 1
	w.inject(w.desk, krama.OrgCircle, h, seal.Item{Kind: seal.KindStatement, Body: seal.StatementBody(st.Marshal())})
	w.sync(a)
	w.inject(w.desk, krama.OrgCircle, w.desk.led.header(krama.OrgCircle, seal.EnvContent),
		seal.Item{Kind: seal.KindHeartbeat})
	w.sync(a)
	for range 2 {
		if a.led.roster.Head != a.led.streams[krama.OrgCircle].head ||
			a.led.roster.Members[krama.MemberID{99}] != nil ||
			!a.has(AlarmUnauthorised) {
			t.Fatalf("an admin's statement out of order was taken: alarms %v", a.Status().Alarms)
		}
		w.reopen(a)
	}
}

// TestRelayCannotDateHeartbeats lies about the time to the office.
func TestRelayCannotDateHeartbeats(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	w.sync(w.desk, a)
	w.now = w.now.Add(25 * time.Hour)
	w.desk.wire.clock = 70 * 365 * 24 * time.Hour // every answer comes from another century
	w.desk.Sync(context.Background(), nil)
	w.desk.wire.clock = 0
	w.sync(a)
	w.now = w.now.Add(80 * time.Hour)
	w.sync(a)
	if !a.has(AlarmFrozen) {
		t.Error("a heartbeat from the future hides a relay that holds back")
	}
}

// TestLockDuringSync locks a device at every call of a sync.
func TestLockDuringSync(t *testing.T) {
	for stop := 1; stop < 8; stop++ {
		w := newWorld(t)
		a := w.phone()
		w.contact(a, w.person(a))
		n := 0
		a.wire.twist = func(_ string, _, answer []byte, err error) ([]byte, error) {
			if n++; n == stop {
				a.Close()
			}
			return answer, err
		}
		err := a.Sync(context.Background(), nil)
		if n >= stop && krama.KindOf(err) != krama.NotAllowed {
			t.Errorf("locked at call %d: %v", stop, err)
		}
		a.wire.twist = nil
		w.reopen(a)
		w.sync(a, w.desk)
		if len(w.desk.records()) != 2 || len(w.desk.Status().Alarms) != 0 {
			t.Errorf("locked at call %d: the desk has %d records, alarms %v", stop, len(w.desk.records()),
				w.desk.Status().Alarms)
		}
	}
}

// TestRotAnywhere flips a bit in each tenth byte of a phone's file: it opens or says that its keys are gone, it never
// crashes, and what it typed and had not sent is lost only with the commit that was hit.
func TestRotAnywhere(t *testing.T) {
	w := newWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(b)
	for range 3 {
		w.contact(b, s)
		w.sync(b, a)
	}
	for range 4 {
		w.contact(a, s)
	}
	a.dir.Crash()
	vk, err := OpenKey(a.dir, words)
	w.must(err)
	whole := bytes.Clone(a.dir.File(journalName(1)).Data)
	for at := 40; at < len(whole); at += 10 {
		a.dir.File(journalName(1)).Data = bytes.Clone(whole)
		a.dir.File(journalName(1)).Data[at] ^= 4
		a.dir.Crash()
		r, err := Load(a.cfg, vk)
		if err != nil {
			if krama.KindOf(err) != krama.Tampered {
				t.Fatalf("flip at %d: %v", at, err)
			}
			continue
		}
		if n := r.Status().Unsent; n < 3 {
			t.Fatalf("flip at %d: %d of 4 typed records left", at, n)
		}
		r.Close()
	}
}

// TestFirstSyncGoesOnWhereItWasCut cuts a first sync after its second page, restarts the phone, and looks what it asks
// for.
func TestFirstSyncGoesOnWhereItWasCut(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	s := w.person(a)
	for range 50 {
		var recs []*krama.Record
		for range 430 {
			id, _ := a.NewRecord()
			recs = append(recs, &krama.Record{ID: id, Contact: &krama.Contact{Date: krama.DayOf(w.now), Place: 1}})
		}
		w.must(a.Write(krama.KindOutreach, s, recs...))
	}
	w.sync(a)
	pages, stages := 0, 0
	w.desk.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		c, _ := seal.ParseCall(call)
		if path == seal.PathList && seal.StreamID(c.Principal) == w.stream(w.desk, krama.KindOutreach) {
			if pages++; pages == 3 {
				return nil, krama.E("test", krama.Offline, "")
			}
		}
		return answer, err
	}
	if err := w.desk.Sync(context.Background(), nil); krama.KindOf(err) != krama.Offline {
		t.Fatalf("a cut sync: %v", err)
	}
	got := len(w.desk.records())
	w.reopen(w.desk)
	if n := len(w.desk.records()); n != got || got == 0 {
		t.Fatalf("%d records after a restart, %d before", n, got)
	}
	var first uint64
	w.desk.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		c, _ := seal.ParseCall(call)
		if path == seal.PathList && seal.StreamID(c.Principal) == w.stream(w.desk, krama.KindOutreach) && first == 0 {
			l, _ := seal.ParseList(c.Payload)
			first = l.After
		}
		return answer, err
	}
	w.must(w.desk.Sync(context.Background(), func(p Progress) {
		if p.Stage == StagePull && p.Total > 0 && p.Done <= p.Total {
			stages++
		}
	}))
	if first < 10 || stages < 2 || len(w.desk.records()) != 1+50*430 {
		t.Errorf("went on after position %d, %d steps of progress, %d records", first, stages, len(w.desk.records()))
	}
}

func FuzzEntry(f *testing.F) {
	e := &entry{n: 3, seq: 2, items: []entryItem{{Item: seal.Item{Kind: seal.KindRecord, Body: []byte("x")}}},
		wire: []byte("w")}
	f.Add(e.marshal()[1:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := parseEnvelope(tagEnvelope, b); err == nil {
			e.decode()
			if again, err := parseEnvelope(tagEnvelope, e.marshal()[1:]); err != nil || again.n != e.n ||
				len(again.items) != len(e.items) {
				t.Errorf("an entry does not survive: %v", err)
			}
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	s := w.person(a)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				id, _ := a.NewRecord()
				a.Write(krama.KindOutreach, s, &krama.Record{ID: id, Contact: &krama.Contact{Date: krama.DayOf(w.now),
					Place: 1}})
				a.Sync(context.Background(), nil)
				a.Status()
			}
		})
	}
	wg.Wait()
	w.sync(a, w.desk)
	if got := len(w.desk.records()); got != 81 || a.Status().Unsent != 0 {
		t.Errorf("the desk has %d records want 81, unsent %d", got, a.Status().Unsent)
	}
}
