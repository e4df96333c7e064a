package relay_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/relay/storetest"
	"krama/seal"
)

// The relay's part of attacks that once got through, each by its number in doc/threat-model.md.

// TestA1OldStreamKey: a phone that was removed holds the key of an old stream of circle 0. Once the stream has a
// successor the key lists it and does nothing else; what a removed device may leave goes through calls of its own, and
// fills its own share only.
func TestA1OldStreamKey(t *testing.T) {
	limit := relay.DefaultLimits
	limit.LeftItems, limit.LeftBytes = 4, 4<<10
	g := newRig(t, limit)
	old, oldID := g.org, g.orgID
	envelope := seal.AppendCall{Envelopes: [][]byte{storetest.Envelope(1024)}}.Marshal()
	g.must(200, seal.PathAppend, g.call(old, seal.PathAppend, oldID, envelope))
	g.create(seal.StreamID{88}, keyOf(88), oldID[:], 1)

	box := g.device.Mailbox()
	drop := keyOf(44)
	dropID := seal.DropID(pubOf(drop))
	g.must(200, seal.PathDropPut, g.call(drop, seal.PathDropPut, dropID, g.drop(drop, "request")))
	tries := map[string][]byte{
		seal.PathAppend:  seal.AppendCall{Envelopes: [][]byte{storetest.Envelope(1024)}}.Marshal(),
		seal.PathBlobPut: seal.Frame(make([]byte, 1<<20)),
		seal.PathBoxPut:  seal.Frame(box[:], bytes.Repeat([]byte("x"), 32)), seal.PathDropGet: seal.Frame(dropID[:]),
		seal.PathBlobGet:   seal.Frame(make([]byte, 32), make([]byte, 4)),
		seal.PathAnswerPut: seal.Frame(make([]byte, 16), make([]byte, seal.ReplyItem)),
		seal.PathSlips:     seal.Frame(make([]byte, 16)),
		seal.PathReports:   seal.Frame(pubOf(old), make([]byte, 8), nil),
		seal.PathLeaveGet: seal.Frame(make([]byte, 16),
			make([]byte, 8), make([]byte, 4)),
		seal.PathPepperPut: nil, seal.PathRestore: seal.Frame(oldID[:], envelope),
		seal.PathCreate: seal.Frame(make([]byte, 16), pubOf(old), make([]byte, 32), nil, []byte{0}),
	}
	for path, payload := range tries {
		if code, _ := g.ask(old, path, oldID, payload); code == 200 {
			t.Errorf("%s with an old stream's key: %d", path, code)
		}
	}
	if code, _ := g.ask(old, seal.PathList, oldID, seal.ListCall{Max: 1 << 20}.Marshal()); code != 200 {
		t.Errorf("an old stream's key does not list its stream: %d", code)
	}
	// What it may leave: as a device, and within bounds.
	left := [16]byte{5}
	ok := 0
	for i := range 9 {
		if code, _ := g.ask(g.device.Sig, seal.PathLeavePut, [16]byte(g.device.ID()), seal.Frame(left[:],
			bytes.Repeat([]byte{byte(i)}, 600))); code == 200 {
			ok++
		}
	}
	if ok != 4 {
		t.Errorf("one device left %d things, want 4", ok)
	}
	other, _ := seal.NewDevice(rand.Reader, "test")
	if code, _ := g.ask(other.Sig, seal.PathLeavePut, [16]byte(other.ID()), seal.Frame(left[:],
		sealed("x"))); code != 401 {
		t.Errorf("a device that nobody named leaves something: %d", code)
	}
	g.members(other)
	g.must(200, seal.PathLeavePut, g.call(other.Sig, seal.PathLeavePut, [16]byte(other.ID()), seal.Frame(left[:],
		sealed("mine"))))
	read := seal.Frame(left[:], make([]byte, 8), make([]byte, 4))
	if it := g.items(g.must(200, seal.PathLeaveMine, g.call(other.Sig, seal.PathLeaveMine, [16]byte(other.ID()),
		read))); len(it) != 1 || it[0] != string(sealed("mine")) {
		t.Errorf("it reads back %d things", len(it))
	}
	if it := g.items(g.must(200, seal.PathLeaveGet, g.call(g.control, seal.PathLeaveGet, g.programme(),
		read))); len(it) != 5 {
		t.Errorf("the admins read %d things, want 5", len(it))
	}
}

// TestA2EverythingIsCounted: whatever a programme can make the relay keep fills a share of its quota, and what a full
// share of one sort leaves free is there for rotation, removal and erasure.
func TestA2EverythingIsCounted(t *testing.T) {
	limit := relay.DefaultLimits
	limit.Quota, limit.Rate, limit.Burst = 1<<20, 1e6, 1e6
	g := newRig(t, limit)
	fill := func(name string, call func(i int) (int, []byte)) (n int) {
		t.Helper()
		for ; n < 5000; n++ {
			code, _ := call(n)
			if code == 507 {
				return n
			}
			if code != 200 {
				t.Fatalf("%s, number %d: status %d", name, n, code)
			}
		}
		t.Errorf("%s has no bound", name)
		return n
	}
	body := func(i, size int) []byte {
		b := make([]byte, size)
		binary.BigEndian.PutUint32(b, uint32(i))
		return b
	}
	box := func(i int) []byte { return body(i+1, 16) }
	fill("content", func(int) (int, []byte) {
		return g.ask(g.key, seal.PathAppend, g.id,
			seal.AppendCall{Envelopes: [][]byte{storetest.Envelope(8 << 10)}}.Marshal())
	})
	today := krama.DayOf(g.now)
	keys, _ := seal.OpenIntake([32]byte{1}, g.id, false)
	in := keys.ID()
	g.must(200, seal.PathDoor, g.call(g.control, seal.PathDoor, g.programme(), seal.Frame([]byte("door"), in[:])))
	for name, call := range map[string]func(i int) (int, []byte){
		"mailboxes": func(i int) (int, []byte) {
			return g.ask(g.control, seal.PathBoxPut, g.programme(), seal.Frame(box(i), body(i, 2000)))
		},
		"kept mailboxes": func(i int) (int, []byte) {
			return g.ask(g.control, seal.PathBoxKeep, g.programme(), seal.Frame(box(i), body(i, 2000)))
		},
		"pages": func(i int) (int, []byte) {
			return g.ask(g.control, seal.PathBlobPut, g.programme(), seal.Frame(body(i, 2000)))
		},
		"circle 0": func(i int) (int, []byte) {
			return g.ask(g.org, seal.PathAppend, g.orgID,
				seal.AppendCall{Envelopes: [][]byte{storetest.Envelope(2000)}}.Marshal())
		},
		"what devices left": func(i int) (int, []byte) {
			g.now = g.now.Add(time.Second)
			return g.ask(g.device.Sig, seal.PathLeavePut, [16]byte(g.device.ID()), seal.Frame(make([]byte, 16),
				body(i, 2000)))
		},
		"answers": func(i int) (int, []byte) {
			return g.ask(g.key, seal.PathAnswerPut, g.id, seal.Frame(box(i), body(i, seal.ReplyItem)))
		},
		"reports": func(i int) (int, []byte) {
			p, _ := seal.Work(rand.Reader, g.site, today)
			return g.post(seal.PathReport, seal.Frame(g.site[:], in[:], binary.BigEndian.AppendUint32(nil,
				uint32(today)), p[:], body(i, 4<<10+1136)))
		},
	} {
		if n := fill(name, call); n == 0 {
			t.Errorf("%s: not one fits beside a full share of content", name)
		}
	}
	var all int64
	for k := range relay.Keeps {
		n, err := g.store.Used(t.Context(), g.programme(), k)
		if err != nil || n > limit.Room(k) {
			t.Errorf("sort %d holds %d of %d bytes, %v", k, n, limit.Room(k), err)
		}
		all += n
	}
	if all > limit.Quota {
		t.Errorf("%d bytes are kept with a quota of %d", all, limit.Quota)
	}
}

// TestA3BoxesHaveTypes: a pepper, a mailbox, an answer, a slip, what was left and a drop can have one id, and no call
// reads, changes or fills another's.
func TestA3BoxesHaveTypes(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	d := g.device
	access := keyOf(55)
	pepper := seal.Pepper{Access: pubOf(access), Value: [32]byte{1}}
	g.must(200, seal.PathPepperPut, g.call(d.Sig, seal.PathPepperPut, [16]byte(d.ID()), seal.Frame(pepper.Marshal())))
	id := seal.PepperBox(d.ID())
	read := seal.Frame(id[:], make([]byte, 8), make([]byte, 4))
	for path, c := range map[string]struct {
		key     ed25519.PrivateKey
		who     [16]byte
		payload []byte
	}{
		seal.PathDropGet:   {g.control, g.programme(), seal.Frame(id[:])},
		seal.PathLeaveGet:  {g.control, g.programme(), read},
		seal.PathLeaveMine: {d.Sig, [16]byte(d.ID()), read},
		seal.PathSlips:     {g.key, g.id, seal.Frame(id[:])},
	} {
		_, out := g.ask(c.key, path, c.who, c.payload)
		if bytes.Contains(out, pepper.Value[:]) || bytes.Contains(out, pepper.Access) {
			t.Errorf("%s reads a pepper", path)
		}
	}
	// Whatever is put where the pepper lies by another call, it opens as before.
	item := make([]byte, seal.ReplyItem)
	for path, c := range map[string]struct {
		key     ed25519.PrivateKey
		who     [16]byte
		payload []byte
	}{
		seal.PathBoxPut:    {g.control, g.programme(), seal.Frame(id[:], make([]byte, 32))},
		seal.PathBoxKeep:   {g.control, g.programme(), seal.Frame(id[:], make([]byte, 32))},
		seal.PathAnswerPut: {g.key, g.id, seal.Frame(id[:], item)},
		seal.PathLeavePut:  {d.Sig, [16]byte(d.ID()), seal.Frame(id[:], make([]byte, 32))},
	} {
		if code, _ := g.ask(c.key, path, c.who, c.payload); code != 200 {
			t.Errorf("%s: %d", path, code)
		}
		g.now = g.now.Add(time.Minute)
		if code, out := g.ask(access, seal.PathPepperGet, id, nil); code != 200 || !bytes.Equal(out, pepper.Value[:]) {
			t.Errorf("after %s the phone does not open: %d", path, code)
		}
	}
	// An answer is an answer and nothing else, and lies where its reporter's key opens.
	if code, _ := g.ask(g.key, seal.PathAnswerPut, g.id, seal.Frame(id[:], []byte("short"))); code != 400 {
		t.Errorf("five bytes as an answer: %d", code)
	}
}

// TestA4ProgrammesApart: who founds a programme of her own at the relay, and knows every id of another one, reads,
// changes and drops nothing of it.
func TestA4ProgrammesApart(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	d, access := g.device, keyOf(55)
	box, pepper := d.Mailbox(), seal.PepperBox(d.ID())
	id := d.ID()
	page := []byte("a page of a keyring")
	g.must(200, seal.PathBoxPut, g.call(g.control, seal.PathBoxPut, g.programme(), seal.Frame(box[:], sealed("wrap"))))
	g.must(200, seal.PathPepperPut, g.call(d.Sig, seal.PathPepperPut, [16]byte(d.ID()),
		seal.Frame(seal.Pepper{Access: pubOf(access)}.Marshal())))
	blob := g.must(200, seal.PathBlobPut, g.call(g.control, seal.PathBlobPut, g.programme(), seal.Frame(page)))
	g.must(200, seal.PathLeavePut, g.call(d.Sig, seal.PathLeavePut, [16]byte(d.ID()), seal.Frame(make([]byte, 16),
		sealed("late work"))))
	g.must(200, seal.PathAppend, g.append(1))
	one := *g
	g.join(2)
	two := *g

	// In her own programme's name, with the other's ids.
	for path, payload := range map[string][]byte{
		seal.PathBoxKeep: seal.Frame(box[:]), seal.PathPepperDrop: seal.Frame(id[:]),
		seal.PathBlobDrop: seal.Frame(blob),
		seal.PathLine:     seal.Frame(one.id[:]), seal.PathMembers: seal.Frame(one.site[:]),
		seal.PathClose: seal.Frame(one.id[:], make([]byte, 40)), seal.PathRewind: seal.Frame(one.id[:],
			make([]byte, 40)),
		seal.PathRestore: seal.Frame(one.id[:],
			seal.AppendCall{Envelopes: [][]byte{storetest.Envelope(1024)}}.Marshal()),
	} {
		two.ask(two.control, path, two.programme(), payload)
	}
	if code, out := two.ask(two.control, seal.PathLeaveGet, two.programme(), seal.Frame(make([]byte, 16),
		make([]byte, 8), make([]byte, 4))); code != 200 || len(two.items(out)) != 0 {
		t.Errorf("she reads what the other's device left: %d", code)
	}
	if code, _ := two.ask(two.key, seal.PathBlobGet, two.id, seal.Frame(blob, make([]byte, 4))); code != 404 {
		t.Errorf("she reads the other's page: %d", code)
	}
	// The other's keys and ids in her programme's name, and hers in the other's.
	crossed := two
	for name, c := range map[string][]byte{
		"the other's stream":  crossed.call(one.key, seal.PathList, one.id, seal.ListCall{Max: 1}.Marshal()),
		"the other's control": crossed.call(one.control, seal.PathBlobDrop, one.programme(), seal.Frame(blob)),
		"the other's device":  crossed.call(d.Sig, seal.PathBoxGet, [16]byte(d.ID()), mailbox(d)),
		"her stream":          one.call(two.key, seal.PathList, two.id, seal.ListCall{Max: 1}.Marshal()),
		"her device": one.call(two.device.Sig, seal.PathBoxGet, [16]byte(two.device.ID()),
			mailbox(two.device)),
	} {
		path := seal.PathList
		switch name {
		case "the other's control":
			path = seal.PathBlobDrop
		case "the other's device", "her device":
			path = seal.PathBoxGet
		}
		if code, _ := g.post(path, c); code != 401 {
			t.Errorf("%s under the wrong name: %d", name, code)
		}
	}
	// Everything of the first programme is as it was.
	if it := one.items(one.must(200, seal.PathBoxGet, one.call(d.Sig, seal.PathBoxGet, [16]byte(d.ID()),
		mailbox(d)))); len(it) != 1 || it[0] != string(sealed("wrap")) {
		t.Errorf("the mailbox holds %q", it)
	}
	if code, _ := one.ask(access, seal.PathPepperGet, pepper, nil); code != 200 {
		t.Errorf("the phone in field mode: %d", code)
	}
	if code, out := one.ask(one.key, seal.PathBlobGet, one.id, seal.Frame(blob, make([]byte, 4))); code != 200 ||
		!bytes.Equal(out, page) {
		t.Errorf("the page: %d", code)
	}
	if st, err := g.store.Stream(t.Context(), one.id); err != nil || st.Head.N != 1 || st.Closed {
		t.Errorf("the stream: %d, closed %v, %v", st.Head.N, st.Closed, err)
	}
}

// TestOldProgrammeMoves: a programme that an earlier version founded has no name and no devices at the relay. Its
// streams and its control key are heard, its devices' own calls wait with "not yet" until the office has named them,
// and trustees read their mailbox all the same; then it is a programme like any other. With several such programmes
// each still has its own.
func TestOldProgrammeMoves(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	g.must(200, seal.PathAppend, g.append(1))
	control, key := keyOf(33), keyOf(34)
	id := seal.StreamID{33}
	p := relay.Programme{ID: seal.ProgrammeID(pubOf(control)), Control: pubOf(control)}
	if err := g.store.AddProgramme(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := g.store.CreateStream(t.Context(), relay.Stream{ID: id, Programme: p.ID, Access: pubOf(key)},
		nil); err != nil {
		t.Fatal(err)
	}
	g.control, g.key, g.id, g.site = control, key, id, [16]byte{33}
	for _, others := range []int{0, 1} {
		g.must(200, seal.PathAppend, g.append(1))
		g.must(200, seal.PathBoxPut, g.call(control, seal.PathBoxPut, p.ID, seal.Frame(make([]byte, 16),
			bytes.Repeat([]byte{byte(others)}, 32))))
		if others == 0 {
			if code, _ := g.ask(g.device.Sig, seal.PathLeaveMine, [16]byte(g.device.ID()), nil); code != 501 {
				t.Errorf("a device of a programme without a name: %d", code)
			}
			if code, _ := g.ask(g.device.Sig, seal.PathBoxGet, [16]byte(g.device.ID()),
				mailbox(g.device)); code != 200 {
				t.Errorf("its mailbox: %d", code)
			}
			if err := g.store.AddProgramme(t.Context(), relay.Programme{ID: [16]byte{99},
				Control: pubOf(keyOf(99))}); err != nil {
				t.Fatal(err)
			}
		}
	}
	g.members(g.device)
	g.must(200, seal.PathAppend, g.append(1))
	g.must(200, seal.PathBoxGet, g.call(g.device.Sig, seal.PathBoxGet, [16]byte(g.device.ID()), mailbox(g.device)))
}

// TestFirstVersionGetsASentence: every path of the first version is answered with "not yet", whatever is sent, and
// reads nothing.
func TestFirstVersionGetsASentence(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	for _, p := range []string{"/v1/list", "/v1/append", "/v1/box/get", "/v1/report", "/v1/whatever"} {
		if code, out := g.post(p, make([]byte, 1<<20)); code != krama.Status(krama.NotYet) ||
			string(out) != "not yet\n" {
			t.Errorf("%s: %d %q", p, code, out)
		}
	}
}

// TestA11NoncesOfOneProgramme: a member whose calls fill her programme's memory of nonces stops no other programme, and
// when the window has turned her own goes on.
func TestA11NoncesOfOneProgramme(t *testing.T) {
	limit := relay.DefaultLimits
	limit.Nonces, limit.Rate, limit.Burst = 200, 1e6, 1e6
	g := newRig(t, limit)
	one := *g
	full := false
	for range 300 {
		code, _ := g.ask(g.key, seal.PathList, g.id, seal.ListCall{Max: 1}.Marshal())
		full = full || code == 429
	}
	if !full {
		t.Fatal("the memory did not fill: the test proves nothing")
	}
	g.join(2)
	g.must(200, seal.PathAppend, g.append(1))
	g.now = g.now.Add(21 * time.Minute)
	one.now = g.now
	one.must(200, seal.PathList, one.call(one.key, seal.PathList, one.id, seal.ListCall{Max: 1}.Marshal()))
}

// TestA13OldestReportsStay: when an intake's share is full the newest report is refused, and those that came first are
// given.
func TestA13OldestReportsStay(t *testing.T) {
	limit := relay.DefaultLimits
	limit.Quota = 1 << 20
	g := newRig(t, limit)
	keys, _ := seal.OpenIntake([32]byte{1}, g.id, false)
	in, day := keys.ID(), krama.DayOf(g.now)
	g.must(200, seal.PathDoor, g.call(g.control, seal.PathDoor, g.programme(), seal.Frame([]byte("door"), in[:])))
	report := func(i int) int {
		p, _ := seal.Work(rand.Reader, g.site, day)
		code, _ := g.post(seal.PathReport, seal.Frame(g.site[:], in[:], binary.BigEndian.AppendUint32(nil, uint32(day)),
			p[:], bytes.Repeat([]byte{byte(i)}, 4<<10+1136)))
		return code
	}
	n := 0
	for ; n < 100 && report(n) == 200; n++ {
	}
	if n == 0 || n == 100 {
		t.Fatalf("%d reports were taken", n)
	}
	list, waiting, err := g.store.Reports(t.Context(), in, 0, 1<<30)
	if err != nil || waiting != n || len(list) != n || list[0].Body[0] != 0 {
		t.Errorf("%d of %d wait, %v", waiting, n, err)
	}
}

// TestA18ClockSetRight: the relay starts with its clock a year ahead, or behind, and somebody sets it right: callers
// are heard all the time, and what was said before is not taken again.
func TestA18ClockSetRight(t *testing.T) {
	for _, off := range []time.Duration{365 * 24 * time.Hour, -365 * 24 * time.Hour} {
		right := time.UnixMilli(1_800_000_000_000)
		run := time.Duration(0) // what the process's own clock says: nobody sets that
		g := newRig(t, relay.DefaultLimits)
		g.now = right.Add(off)
		g.relay = relay.New(g.store, "token", relay.DefaultLimits, func() time.Time { return g.now })
		g.relay.Elapsed = func() time.Duration { return run }
		said := g.append(1)
		g.must(200, seal.PathAppend, said)
		for range 3 {
			run += 20 * time.Minute
			g.now = right.Add(run)
			g.must(200, seal.PathAppend, g.append(1))
			if code, _ := g.post(seal.PathAppend, said); code != 401 {
				t.Errorf("off by %v: what was said before is taken again: %d", off, code)
			}
		}
	}
}
