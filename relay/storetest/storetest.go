// Package storetest is the contract of relay.Store as tests: every store and every wrapper passes it.
package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/seal"
)

// plenty is room that no test fills.
const plenty = 1 << 40

// Run runs the contract against stores that open returns, each empty.
// Each test runs twice, on stores of their own: as it is, and over a line that breaks (lossy), because who hears no
// answer says the same again.
func Run(t *testing.T, open func(*testing.T) relay.Store) {
	for name, f := range map[string]func(*testing.T, relay.Store){
		"programmes": programmes, "order": order, "idempotent": idempotent, "conditional": conditional,
		"all or none": allOrNone,
		"closed":      closed, "quota": quota, "shares": shares, "members": members, "circle 0": circle0,
		"owners":           owners,
		"programmes apart": apart, "pages": pages, "boxes": boxes, "blobs": blobs, "concurrent": concurrent,
		"line": line, "control": control, "rewind": rewind, "tombstones": tombstones, "kept boxes": keptBoxes,
		"dropped blobs": droppedBlobs, "bytes are owned": owned, "doors": doors, "reports": reports,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			defer s.Close()
			f(t, s)
		})
		t.Run(name+" over a line that breaks", func(t *testing.T) {
			s := open(t)
			defer s.Close()
			f(t, lossy{s})
		})
	}
}

// Envelope returns random bytes of an envelope's size.
func Envelope(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	return b
}

// NewStream makes a programme with one empty stream.
// Its ids are drawn, so that a test may have several and none meets another.
func NewStream(t testing.TB, s relay.Store) relay.Stream {
	t.Helper()
	p := relay.Programme{Control: make([]byte, 32)}
	rand.Read(p.ID[:])
	st := relay.Stream{Programme: p.ID, Access: make([]byte, 32)}
	rand.Read(st.ID[:])
	rand.Read(st.Head.H[:])
	if err := s.AddProgramme(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateStream(context.Background(), st, nil); err != nil {
		t.Fatal(err)
	}
	return st
}

// want fails unless an error is of a kind.
func want(t *testing.T, err error, k krama.Kind) {
	t.Helper()
	if err == nil || krama.KindOf(err) != k {
		t.Errorf("got %v want %v", err, k)
	}
}

// ok ends the test at an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// programmes: a programme is added once, under one key.
func programmes(t *testing.T, s relay.Store) {
	ctx := context.Background()
	p := relay.Programme{ID: [16]byte{1}, Control: bytes.Repeat([]byte{1}, 32)}
	ok(t, s.AddProgramme(ctx, p))
	ok(t, s.AddProgramme(ctx, p))
	want(t, s.AddProgramme(ctx, relay.Programme{ID: p.ID, Control: bytes.Repeat([]byte{2}, 32)}), krama.Conflict)
	got, err := s.Programme(ctx, p.ID)
	ok(t, err)
	if !got.Control.Equal(p.Control) {
		t.Error("control key changed")
	}
	// NotFound and no other kind: by it the rules tell what is new from what failed.
	_, err = s.Programme(ctx, [16]byte{9})
	want(t, err, krama.NotFound)
	_, err = s.Stream(ctx, seal.StreamID{9})
	want(t, err, krama.NotFound)
	_, err = s.Append(ctx, seal.StreamID{9}, nil, [][]byte{Envelope(1024)}, plenty)
	want(t, err, krama.NotFound)
}

// order: envelopes stand in the order in which they were appended, and their chain ends at the head.
func order(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	head := st.Head
	var all [][]byte
	for i := range 20 {
		batch := [][]byte{Envelope(1024), Envelope(2048 + i)}
		// Devices work out the same chain by themselves. A head that differs is a fork to them, and they stop sending.
		for _, e := range batch {
			head = head.Link(seal.EnvelopeID(e))
		}
		all = append(all, batch...)
		got, err := s.Append(ctx, st.ID, nil, batch, plenty)
		ok(t, err)
		if got != head {
			t.Fatalf("head after batch %d: got %d want %d", i, got.N, head.N)
		}
	}
	entries, err := s.List(ctx, st.ID, 0, plenty)
	ok(t, err)
	for i, e := range entries {
		if e.N != uint64(i+1) || !bytes.Equal(e.Body, all[i]) || e.ID != seal.EnvelopeID(all[i]) {
			t.Fatalf("entry %d is another", i)
		}
	}
	if len(entries) != len(all) {
		t.Errorf("got %d entries want %d", len(entries), len(all))
	}
}

// idempotent: what is there already is not added again, wherever in a batch it stands.
func idempotent(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	a, b, c := Envelope(1024), Envelope(1024), Envelope(1024)
	_, err := s.Append(ctx, st.ID, nil, [][]byte{a, b}, plenty)
	ok(t, err)
	// A device whose answer was lost sends the same bytes at the head it knew, and must hear that they are there.
	zero := uint64(0)
	head, err := s.Append(ctx, st.ID, &zero, [][]byte{a, b}, plenty)
	ok(t, err)
	if head.N != 2 {
		t.Errorf("repeated append: head %d want 2", head.N)
	}
	head, err = s.Append(ctx, st.ID, nil, [][]byte{b, c, c}, plenty)
	ok(t, err)
	if head.N != 3 {
		t.Errorf("overlapping append: head %d want 3", head.N)
	}
	st.Access = bytes.Clone(st.Access)
	st.Access[0] ^= 1
	want(t, s.CreateStream(ctx, st, nil), krama.Conflict)
}

// conditional: an append at another head than the stream's is refused, unless all of it is there.
func conditional(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	// Words in circle 0 are said so: of two admins at once, one reads what the other said before she says her own.
	zero := uint64(0)
	_, err := s.Append(ctx, st.ID, &zero, [][]byte{Envelope(1024)}, plenty)
	ok(t, err)
	_, err = s.Append(ctx, st.ID, &zero, [][]byte{Envelope(1024)}, plenty)
	want(t, err, krama.Conflict)
	got, err := s.Stream(ctx, st.ID)
	ok(t, err)
	if got.Head.N != 1 {
		t.Errorf("head %d after a refused append", got.Head.N)
	}
}

// allOrNone: of a batch that is refused nothing is added.
func allOrNone(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	// Two of the three would fit. Half a batch would be a head that its author does not know.
	_, err := s.Append(ctx, st.ID, nil, [][]byte{Envelope(1024), Envelope(1024), Envelope(4096)}, 4096)
	want(t, err, krama.Full)
	if e, err := s.List(ctx, st.ID, 0, plenty); err != nil || len(e) != 0 {
		t.Errorf("%d entries of a refused batch, %v", len(e), err)
	}
	// The whole room is free: a refused batch is charged for nothing.
	_, err = s.Append(ctx, st.ID, nil, [][]byte{Envelope(4096)}, 4096)
	ok(t, err)
}

// quota: a programme fills its room and no more.
func quota(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	for range 4 {
		_, err := s.Append(ctx, st.ID, nil, [][]byte{Envelope(1024)}, 4096)
		ok(t, err)
	}
	_, err := s.Append(ctx, st.ID, nil, [][]byte{Envelope(1024)}, 4096)
	want(t, err, krama.Full)
	if used, err := s.Used(ctx, st.Programme, relay.Content); err != nil || used != 4096 {
		t.Errorf("%d bytes are charged, %v", used, err)
	}
	ok(t, s.PutBlob(ctx, st.Programme, [32]byte{1}, make([]byte, 10), 10)) // a share of its own
	want(t, s.PutBlob(ctx, st.Programme, [32]byte{2}, make([]byte, 10), 10), krama.Full)
}

// pages: a list gives at most so many bytes, but at least one entry.
func pages(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	for range 10 {
		_, err := s.Append(ctx, st.ID, nil, [][]byte{Envelope(1024)}, plenty)
		ok(t, err)
	}
	// A caller on a bad line asks page by page, after the last place it has.
	var n uint64
	for calls := 0; n < 10; calls++ {
		page, err := s.List(ctx, st.ID, n, 3000)
		ok(t, err)
		if len(page) == 0 || len(page) > 2 || calls > 10 {
			t.Fatalf("a page of 3,000 bytes holds %d envelopes of 1,024", len(page))
		}
		n = page[len(page)-1].N
	}
	if e, err := s.List(ctx, st.ID, 10, 1); err != nil || len(e) != 0 {
		t.Errorf("after the end: %d, %v", len(e), err)
	}
	if e, err := s.List(ctx, st.ID, 9, 1); err != nil || len(e) != 1 {
		t.Errorf("a page smaller than an envelope: %d, %v", len(e), err)
	}
	if e, err := s.List(ctx, st.ID, 1<<63, 1); err != nil || len(e) != 0 {
		t.Errorf("after a position that cannot be: %d, %v", len(e), err)
	}
}

// shares: each sort of thing has its own room, and all of them give it back.
func shares(t *testing.T, s relay.Store) {
	ctx := context.Background()
	p := NewStream(t, s).Programme
	ok(t, s.SetDoor(ctx, p, []byte("door"), [][16]byte{{1}}))
	ok(t, s.PutReport(ctx, [16]byte{1}, 1, []byte("report"), 9, 6))
	want(t, s.PutReport(ctx, [16]byte{1}, 1, []byte("more"), 9, 6), krama.Full)
	for k, want := range map[relay.Keep]int64{relay.Published: 4, relay.Inbox: 6, relay.Content: 0, relay.Pages: 0} {
		if got, err := s.Used(ctx, p, k); err != nil || got != want {
			t.Errorf("sort %d: %d bytes, want %d, %v", k, got, want, err)
		}
	}
	// What a desk has taken in makes room, or old reports would close the intake for ever.
	ok(t, s.DropReports(ctx, [16]byte{1}, 1<<40, nil))
	if got, _ := s.Used(ctx, p, relay.Inbox); got != 0 {
		t.Errorf("%d bytes are charged for reports that were dropped", got)
	}
	ok(t, s.PutReport(ctx, [16]byte{1}, 1, []byte("again"), 9, 6))
}

// members: a programme has a name and devices, and nobody else has them.
func members(t *testing.T, s relay.Store) {
	ctx := context.Background()
	p, other := relay.Programme{ID: [16]byte{1}, Control: make([]byte, 32)}, relay.Programme{ID: [16]byte{2},
		Control: make([]byte, 32), Site: [16]byte{22}}
	ok(t, s.AddProgramme(ctx, p))
	ok(t, s.AddProgramme(ctx, other))
	if got, err := s.Unnamed(ctx); err != nil || got.ID != p.ID {
		t.Errorf("without a name: %v, %v", got.ID, err)
	}
	a, b := relay.Member{ID: krama.DeviceID{1}, Key: bytes.Repeat([]byte{1}, 32)}, relay.Member{ID: krama.DeviceID{2},
		Key: bytes.Repeat([]byte{2}, 32)}
	// A refused call does nothing: neither the name nor the device is there afterwards.
	want(t, s.AddMembers(ctx, p.ID, other.Site, []relay.Member{a}), krama.Conflict)
	want(t, s.AddMembers(ctx, [16]byte{9}, [16]byte{9}, nil), krama.NotFound)
	_, err := s.Member(ctx, p.ID, a.ID)
	want(t, err, krama.NotFound)
	for range 2 { // repeating is safe
		ok(t, s.AddMembers(ctx, p.ID, [16]byte{11}, []relay.Member{a}))
		ok(t, s.AddMembers(ctx, p.ID, [16]byte{11}, []relay.Member{b}))
	}
	want(t, s.AddMembers(ctx, p.ID, [16]byte{12}, nil), krama.Conflict)
	if m, err := s.Member(ctx, p.ID, a.ID); err != nil || !m.Key.Equal(a.Key) {
		t.Errorf("got %v, %v", m, err)
	}
	_, err = s.Member(ctx, other.ID, a.ID)
	want(t, err, krama.NotFound)
	if got, err := s.Named(ctx, [16]byte{11}); err != nil || got.ID != p.ID || got.Site != [16]byte{11} {
		t.Errorf("by its name: %v, %v", got, err)
	}
	// Where every programme has a name, nobody is taken for one of the first version.
	_, err = s.Unnamed(ctx)
	want(t, err, krama.NotFound)
	_, err = s.Named(ctx, [16]byte{})
	want(t, err, krama.NotFound)
	want(t, s.AddProgramme(ctx, relay.Programme{ID: [16]byte{3}, Control: make([]byte, 32), Site: [16]byte{11}}),
		krama.Conflict)
}

// blobs: a blob is given to its programme.
func blobs(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	ok(t, s.PutBlob(ctx, st.Programme, [32]byte{1}, []byte("sealed"), plenty))
	ok(t, s.PutBlob(ctx, st.Programme, [32]byte{1}, []byte("sealed"), plenty))
	if got, err := s.Blob(ctx, st.Programme, [32]byte{1}); err != nil || string(got) != "sealed" {
		t.Errorf("%q %v", got, err)
	}
	// Another programme hears what it would hear if the blob were not there.
	_, err := s.Blob(ctx, [16]byte{9}, [32]byte{1})
	want(t, err, krama.NotFound)
	_, err = s.Blob(ctx, st.Programme, [32]byte{2})
	want(t, err, krama.NotFound)
}

// concurrent: batches that come at once are not split.
func concurrent(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for range 16 {
		wg.Go(func() {
			for range 10 {
				a, b := Envelope(1024), Envelope(1024)
				if _, err := s.Append(ctx, st.ID, nil, [][]byte{a, b}, plenty); err != nil {
					errs <- err
					return
				}
				e, err := s.List(ctx, st.ID, 0, plenty)
				if err != nil {
					errs <- err
					return
				}
				for i := range e { // a batch is never split by another
					if bytes.Equal(e[i].Body, a) && (i+1 >= len(e) || !bytes.Equal(e[i+1].Body, b)) {
						errs <- fmt.Errorf("a batch was split at %d", i)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Fatal(err)
	}
	e, err := s.List(ctx, st.ID, 0, plenty)
	ok(t, err)
	// The listed ids lead to the head: no append was counted that is not there.
	head := st.Head
	for _, x := range e {
		head = head.Link(x.ID)
	}
	got, err := s.Stream(ctx, st.ID)
	ok(t, err)
	if len(e) != 320 || got.Head != head {
		t.Errorf("%d entries, head %d; the chain of entries is another", len(e), got.Head.N)
	}
}

// owned: bytes that the caller changes later are not the store's.
func owned(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	e := Envelope(1024)
	keep := bytes.Clone(e)
	_, err := s.Append(ctx, st.ID, nil, [][]byte{e}, plenty)
	ok(t, err)
	// After the call the caller may do with her bytes what she likes.
	clear(e)
	got, err := s.List(ctx, st.ID, 0, plenty)
	ok(t, err)
	if len(got) != 1 || !bytes.Equal(got[0].Body, keep) {
		t.Error("the store shares the caller's bytes")
	}
}

// control: a programme's key is changed, and repeating is safe.
func control(t *testing.T, s relay.Store) {
	ctx := context.Background()
	p := relay.Programme{ID: [16]byte{4}, Control: bytes.Repeat([]byte{1}, 32)}
	ok(t, s.AddProgramme(ctx, p))
	key := bytes.Repeat([]byte{2}, 32)
	ok(t, s.SetControl(ctx, p.ID, key))
	ok(t, s.SetControl(ctx, p.ID, key))
	got, err := s.Programme(ctx, p.ID)
	ok(t, err)
	if !bytes.Equal(got.Control, key) {
		t.Error("the control key is the old one")
	}
	want(t, s.SetControl(ctx, [16]byte{5}, key), krama.NotFound)
}

// droppedBlobs: a blob that its programme drops is gone, and its room is free.
func droppedBlobs(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	body := Envelope(5000)
	id := seal.Hash("blob", body)
	ok(t, s.PutBlob(ctx, st.Programme, id, body, 6000))
	ok(t, s.DropBlobs(ctx, [16]byte{1}, [][32]byte{id})) // another programme's: nothing happens
	if _, err := s.Blob(ctx, st.Programme, id); err != nil {
		t.Errorf("another programme dropped the blob: %v", err)
	}
	ok(t, s.DropBlobs(ctx, st.Programme, [][32]byte{id, {1}}))
	_, err := s.Blob(ctx, st.Programme, id)
	want(t, err, krama.NotFound)
	more := Envelope(5000) // its room is free again
	ok(t, s.PutBlob(ctx, st.Programme, seal.Hash("blob", more), more, 6000))
}

// doors: a door is replaced whole, or not at all.
func doors(t *testing.T, s relay.Store) {
	ctx := context.Background()
	a, b := NewStream(t, s).Programme, NewStream(t, s).Programme
	_, err := s.Door(ctx, a)
	want(t, err, krama.NotFound)
	_, err = s.Door(ctx, [16]byte{})
	want(t, err, krama.NotFound)
	for range 2 { // repeating is safe
		if err := s.SetDoor(ctx, a, []byte("a"), [][16]byte{{1}, {2}, {1}}); err != nil {
			t.Fatal(err)
		}
	}
	want(t, s.SetDoor(ctx, b, []byte("b"), [][16]byte{{3}, {2}}), krama.Conflict)
	_, err = s.Door(ctx, b)
	want(t, err, krama.NotFound) // nothing of a refused door stays
	want(t, s.PutReport(ctx, [16]byte{3}, 1, []byte("x"), 9, plenty), krama.NotFound)
	if err := s.SetDoor(ctx, b, []byte("b"), nil); err != nil {
		t.Fatal(err)
	}
	// Zero asks for what the relay's own site shows: the first to publish.
	if d, err := s.Door(ctx, [16]byte{}); err != nil || string(d) != "a" {
		t.Errorf("the first door: got %q, %v", d, err)
	}
	if d, err := s.Door(ctx, b); err != nil || string(d) != "b" {
		t.Errorf("got %q, %v", d, err)
	}
	if err := s.SetDoor(ctx, a, []byte("a2"), [][16]byte{{2}}); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Door(ctx, a); err != nil || string(d) != "a2" {
		t.Errorf("got %q, %v", d, err)
	}
	want(t, s.PutReport(ctx, [16]byte{1}, 1, []byte("x"), 9, plenty), krama.NotFound) // no longer open
}

// reports: reports wait in order, within a limit, until they are dropped or are too old.
func reports(t *testing.T, s relay.Store) {
	ctx := context.Background()
	p := NewStream(t, s).Programme
	in, other := [16]byte{7}, [16]byte{8}
	if err := s.SetDoor(ctx, p, nil, [][16]byte{in, other}); err != nil {
		t.Fatal(err)
	}
	today := krama.DayOf(time.Now())
	for _, body := range []string{"one", "two", "one", "three"} {
		if err := s.PutReport(ctx, in, today, []byte(body), 3, plenty); err != nil {
			t.Fatal(err)
		}
	}
	// A flood is refused; what came before it is not pushed out.
	want(t, s.PutReport(ctx, in, today, []byte("four"), 3, plenty), krama.Full)
	// Who heard no answer sends again, and an intake that is full has hers already.
	if err := s.PutReport(ctx, in, today, []byte("two"), 3, plenty); err != nil {
		t.Errorf("one that is there already: %v", err)
	}
	if err := s.PutReport(ctx, other, today-relay.ReportKeep-1, []byte("old"), 3, plenty); err != nil {
		t.Fatal(err)
	}
	list, waiting, err := s.Reports(ctx, in, 0, 1)
	if err != nil || waiting != 3 || len(list) != 1 || string(list[0].Body) != "one" || list[0].Day != today {
		t.Fatalf("got %v, %d waiting, %v", list, waiting, err)
	}
	first := list[0].K
	if list, waiting, err = s.Reports(ctx, in, first, 1<<20); err != nil || waiting != 2 || len(list) != 2 ||
		string(list[1].Body) != "three" {
		t.Fatalf("got %v, %d waiting, %v", list, waiting, err)
	}
	// By their sums, because a restored relay counts anew: a number alone could mean another report.
	for range 2 {
		if err := s.DropReports(ctx, in, 0, [][32]byte{sha256.Sum256(list[0].Body), {9}}); err != nil {
			t.Fatal(err)
		}
	}
	if list, _, err = s.Reports(ctx, in, 0, 1<<20); err != nil || len(list) != 2 || string(list[1].Body) != "three" {
		t.Errorf("got %v, %v", list, err)
	}
	if err := s.DropReports(ctx, in, first, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(ctx, time.Now()); err != nil {
		t.Fatal(err)
	}
	if list, _, _ := s.Reports(ctx, other, 0, 1<<20); len(list) != 0 {
		t.Errorf("a report that nobody fetched for %d days is still there", relay.ReportKeep)
	}
	if list, _, _ := s.Reports(ctx, in, 0, 1<<20); len(list) != 1 {
		t.Errorf("a young report was forgotten")
	}
}
