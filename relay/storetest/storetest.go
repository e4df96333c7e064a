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

const plenty = 1 << 40

// Run runs the contract against stores that open returns, each empty.
func Run(t *testing.T, open func(*testing.T) relay.Store) {
	for name, f := range map[string]func(*testing.T, relay.Store){
		"programmes": programmes, "order": order, "idempotent": idempotent, "conditional": conditional, "atomic": atomic,
		"closed": closed, "quota": quota, "pages": pages, "boxes": boxes, "blobs": blobs, "concurrent": concurrent, "line": line, "control": control, "rewind": rewind, "tombstones": tombstones, "kept boxes": keptBoxes, "dropped blobs": droppedBlobs, "bytes are owned": owned, "doors": doors, "reports": reports,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			defer s.Close()
			f(t, s)
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

func want(t *testing.T, err error, k krama.Kind) {
	t.Helper()
	if err == nil || krama.KindOf(err) != k {
		t.Errorf("got %v want %v", err, k)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

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
	_, err = s.Programme(ctx, [16]byte{9})
	want(t, err, krama.NotFound)
	_, err = s.Stream(ctx, seal.StreamID{9})
	want(t, err, krama.NotFound)
	_, err = s.Append(ctx, seal.StreamID{9}, nil, [][]byte{Envelope(1024)}, plenty)
	want(t, err, krama.NotFound)
}

func order(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	head := st.Head
	var all [][]byte
	for i := range 20 {
		batch := [][]byte{Envelope(1024), Envelope(2048 + i)}
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

func idempotent(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	a, b, c := Envelope(1024), Envelope(1024), Envelope(1024)
	_, err := s.Append(ctx, st.ID, nil, [][]byte{a, b}, plenty)
	ok(t, err)
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

func conditional(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
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

func atomic(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	_, err := s.Append(ctx, st.ID, nil, [][]byte{Envelope(1024), Envelope(1024), Envelope(4096)}, 4096)
	want(t, err, krama.Full)
	if e, err := s.List(ctx, st.ID, 0, plenty); err != nil || len(e) != 0 {
		t.Errorf("%d entries of a refused batch, %v", len(e), err)
	}
	_, err = s.Append(ctx, st.ID, nil, [][]byte{Envelope(4096)}, 4096)
	ok(t, err)
}

func closed(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	a := Envelope(1024)
	head, err := s.Append(ctx, st.ID, nil, [][]byte{a}, plenty)
	ok(t, err)
	want(t, s.CloseStream(ctx, st.ID, st.Head), krama.Conflict)
	ok(t, s.CloseStream(ctx, st.ID, head))
	ok(t, s.CloseStream(ctx, st.ID, head))
	_, err = s.Append(ctx, st.ID, nil, [][]byte{Envelope(1024)}, plenty)
	want(t, err, krama.Conflict)
	_, err = s.Append(ctx, st.ID, nil, [][]byte{a}, plenty)
	ok(t, err)
}

func quota(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	for range 4 {
		_, err := s.Append(ctx, st.ID, nil, [][]byte{Envelope(1024)}, 4096)
		ok(t, err)
	}
	_, err := s.Append(ctx, st.ID, nil, [][]byte{Envelope(1024)}, 4096)
	want(t, err, krama.Full)
	want(t, s.PutBlob(ctx, st.Programme, [32]byte{1}, make([]byte, 10), 4096), krama.Full)
}

func pages(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	for range 10 {
		_, err := s.Append(ctx, st.ID, nil, [][]byte{Envelope(1024)}, plenty)
		ok(t, err)
	}
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

func boxes(t *testing.T, s relay.Store) {
	ctx, now := context.Background(), time.Unix(1_800_000_000, 0)
	box := [16]byte{3}
	ok(t, s.PutBox(ctx, []relay.BoxPut{{Box: box, Item: []byte("one")}}, now.Add(time.Hour), 2))
	ok(t, s.PutBox(ctx, []relay.BoxPut{{Box: box, Item: []byte("one")}}, now.Add(time.Hour), 2))
	ok(t, s.PutBox(ctx, []relay.BoxPut{{Box: box, Item: []byte("two")}}, now.Add(time.Minute), 2))
	want(t, s.PutBox(ctx, []relay.BoxPut{{Box: box, Item: []byte("three")}}, now.Add(time.Hour), 2), krama.Full)
	got, err := s.Box(ctx, box, now)
	ok(t, err)
	if len(got) != 2 || string(got[0]) != "one" || string(got[1]) != "two" {
		t.Errorf("got %q", got)
	}
	later := now.Add(2 * time.Minute)
	if got, _ := s.Box(ctx, box, later); len(got) != 1 {
		t.Errorf("an expired item is shown: %q", got)
	}
	ok(t, s.Sweep(ctx, later))
	ok(t, s.PutBox(ctx, []relay.BoxPut{{Box: box, Item: []byte("three")}}, later.Add(time.Hour), 2))
	ok(t, s.PutBox(ctx, []relay.BoxPut{{Box: box, Item: []byte("one")}}, later.Add(9*time.Hour), 2))
	if got, _ := s.Box(ctx, box, later.Add(8*time.Hour)); len(got) != 1 || string(got[0]) != "one" {
		t.Errorf("an item put again expires as before: %q", got)
	}
	if got, _ := s.Box(ctx, [16]byte{4}, now); len(got) != 0 {
		t.Errorf("another box: %q", got)
	}
}

func blobs(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	ok(t, s.PutBlob(ctx, st.Programme, [32]byte{1}, []byte("sealed"), plenty))
	ok(t, s.PutBlob(ctx, st.Programme, [32]byte{1}, []byte("sealed"), plenty))
	if got, err := s.Blob(ctx, st.Programme, [32]byte{1}); err != nil || string(got) != "sealed" {
		t.Errorf("%q %v", got, err)
	}
	_, err := s.Blob(ctx, [16]byte{9}, [32]byte{1})
	want(t, err, krama.NotFound)
	_, err = s.Blob(ctx, st.Programme, [32]byte{2})
	want(t, err, krama.NotFound)
}

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

func owned(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	e := Envelope(1024)
	keep := bytes.Clone(e)
	_, err := s.Append(ctx, st.ID, nil, [][]byte{e}, plenty)
	ok(t, err)
	clear(e)
	got, err := s.List(ctx, st.ID, 0, plenty)
	ok(t, err)
	if len(got) != 1 || !bytes.Equal(got[0].Body, keep) {
		t.Error("the store shares the caller's bytes")
	}
}

func line(t *testing.T, s relay.Store) {
	ctx, first := context.Background(), NewStream(t, s)
	other := relay.Stream{ID: seal.StreamID{1}, Programme: first.Programme, Access: bytes.Repeat([]byte{9}, 32)}
	ok(t, s.CreateStream(ctx, other, nil))
	before := first.ID
	for i := range byte(3) {
		next := relay.Stream{ID: seal.StreamID{2, i}, Programme: first.Programme, Access: bytes.Repeat([]byte{i}, 32)}
		ok(t, s.CreateStream(ctx, next, &before))
		ok(t, s.CreateStream(ctx, next, &before))
		got, err := s.Stream(ctx, first.ID)
		ok(t, err)
		if !got.Access.Equal(next.Access) {
			t.Errorf("after successor %d the first stream answers to another key", i)
		}
		before = next.ID
	}
	got, err := s.Stream(ctx, other.ID)
	ok(t, err)
	if !got.Access.Equal(other.Access) {
		t.Error("a stream of another line changed its key")
	}
	missing := seal.StreamID{77}
	want(t, s.CreateStream(ctx, relay.Stream{ID: seal.StreamID{3}, Programme: first.Programme, Access: other.Access}, &missing), krama.NotFound)
	stranger := NewStream(t, s)
	want(t, s.CreateStream(ctx, relay.Stream{ID: seal.StreamID{3}, Programme: stranger.Programme, Access: other.Access}, &before), krama.NotFound)
}

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

func keptBoxes(t *testing.T, s relay.Store) {
	ctx, now := context.Background(), time.Unix(1e9, 0)
	box := [16]byte{6}
	ok(t, s.PutBox(ctx, []relay.BoxPut{{Box: box, Item: []byte("old")}}, now.Add(time.Hour), 4))
	ok(t, s.SetBox(ctx, box, [][]byte{[]byte("a"), []byte("b")}, now.Add(1000*time.Hour)))
	items, err := s.Box(ctx, box, now.Add(500*time.Hour))
	ok(t, err)
	if len(items) != 2 || string(items[0]) != "a" || string(items[1]) != "b" {
		t.Errorf("got %q", items)
	}
	for _, set := range [][][]byte{{{0}}, nil, {[]byte("a")}, nil} { // emptied, and taken again
		ok(t, s.SetBox(ctx, box, set, now.Add(1000*time.Hour)))
		items, err := s.Box(ctx, box, now)
		ok(t, err)
		if len(items) != len(set) || len(set) > 0 && !bytes.Equal(items[0], set[0]) {
			t.Errorf("got %q want %q", items, set)
		}
	}
}

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

func rewind(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	heads := []seal.Head{st.Head}
	var all [][]byte
	for range 5 {
		e := Envelope(1024)
		all = append(all, e)
		h, err := s.Append(ctx, st.ID, nil, [][]byte{e}, 5*1024)
		ok(t, err)
		heads = append(heads, h)
	}
	wrong := heads[3]
	wrong.H[0] ^= 1
	want(t, s.Rewind(ctx, st.ID, wrong), krama.Conflict)
	want(t, s.Rewind(ctx, st.ID, seal.Head{N: 9}), krama.Conflict)
	want(t, s.Rewind(ctx, seal.StreamID{9}, heads[1]), krama.NotFound)
	ok(t, s.Rewind(ctx, st.ID, heads[2]))
	ok(t, s.Rewind(ctx, st.ID, heads[2]))
	h, err := s.Append(ctx, st.ID, nil, all[2:], 5*1024) // its room is free again, and the same may come again
	ok(t, err)
	if h != heads[5] {
		t.Errorf("head %d after the same envelopes again", h.N)
	}
	ok(t, s.CloseStream(ctx, st.ID, heads[5]))
	want(t, s.Rewind(ctx, st.ID, heads[1]), krama.Conflict)
}

func tombstones(t *testing.T, s relay.Store) {
	ctx := context.Background()
	st := NewStream(t, s)
	a, b := Envelope(2048), Envelope(1024)
	stone := func(of []byte) []byte {
		id := seal.EnvelopeID(of)
		return append(append([]byte{2}, id[:]...), make([]byte, seal.TombstoneSize-33)...)
	}
	put := func(n uint64, of []byte) relay.Tombstone {
		return relay.Tombstone{Stream: st.ID, N: n, Body: stone(of)}
	}
	head, err := s.Append(ctx, st.ID, nil, [][]byte{a, b}, 3*1024)
	ok(t, err)
	want(t, s.PutTombstones(ctx, []relay.Tombstone{put(1, a)}), krama.Conflict) // not in an open stream
	want(t, s.PutTombstones(ctx, []relay.Tombstone{put(3, Envelope(9))}), krama.Conflict)
	ok(t, s.CloseStream(ctx, st.ID, head))
	want(t, s.PutTombstones(ctx, []relay.Tombstone{put(2, a)}), krama.Conflict)
	want(t, s.PutTombstones(ctx, []relay.Tombstone{put(1, a), put(3, Envelope(9))}), krama.Conflict)
	want(t, s.PutTombstones(ctx, []relay.Tombstone{put(0, a)}), krama.Conflict)
	want(t, s.PutTombstones(ctx, []relay.Tombstone{{Stream: seal.StreamID{9}, N: 1, Body: stone(a)}}), krama.NotFound)
	list, err := s.List(ctx, st.ID, 0, plenty)
	ok(t, err)
	if len(list) != 2 || !bytes.Equal(list[0].Body, a) {
		t.Fatal("a refused call changed something")
	}
	for range 2 { // repeating is safe
		ok(t, s.PutTombstones(ctx, []relay.Tombstone{put(1, a)}))
	}
	got, err := s.Stream(ctx, st.ID)
	ok(t, err)
	list, err = s.List(ctx, st.ID, 0, plenty)
	ok(t, err)
	if got.Head != head || !bytes.Equal(list[0].Body, stone(a)) || list[0].ID != seal.EnvelopeID(a) || !bytes.Equal(list[1].Body, b) {
		t.Errorf("after a tombstone: head %d, %d bytes in the first place", got.Head.N, len(list[0].Body))
	}
	h, err := s.Append(ctx, st.ID, nil, [][]byte{a}, 3*1024) // the envelope itself does not come back
	ok(t, err)
	if h != head {
		t.Error("an envelope was added beside its tombstone")
	}

	// A restored relay gets tombstones in their places, in a stream that has a successor.
	old := relay.Stream{ID: seal.StreamID{21}, Programme: st.Programme, Access: st.Access, Head: st.Head}
	ok(t, s.CreateStream(ctx, old, nil))
	c, d := Envelope(1024), Envelope(700)
	_, err = s.Append(ctx, old.ID, nil, [][]byte{d}, plenty)
	ok(t, err)
	next := relay.Tombstone{Stream: old.ID, N: 2, Body: stone(c)}
	want(t, s.PutTombstones(ctx, []relay.Tombstone{next}), krama.Conflict)
	ok(t, s.CreateStream(ctx, relay.Stream{ID: seal.StreamID{22}, Programme: st.Programme, Access: st.Access, Head: st.Head}, &old.ID))
	twice := next
	twice.N = 3
	want(t, s.PutTombstones(ctx, []relay.Tombstone{next, twice}), krama.Conflict)
	ok(t, s.PutTombstones(ctx, []relay.Tombstone{next}))
	got, err = s.Stream(ctx, old.ID)
	ok(t, err)
	if want := st.Head.Link(seal.EnvelopeID(d)).Link(seal.EnvelopeID(c)); got.Head != want {
		t.Errorf("head %d, want %d", got.Head.N, want.N)
	}
	ok(t, s.CloseStream(ctx, old.ID, got.Head))
	want(t, s.PutTombstones(ctx, []relay.Tombstone{{Stream: old.ID, N: 3, Body: stone(Envelope(10))}}), krama.Conflict)
	_, err = s.Append(ctx, seal.StreamID{22}, nil, [][]byte{Envelope(1024)}, 2*int64(seal.TombstoneSize)+700+1024+1024) // what was dropped is room again
	ok(t, err)
}

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
	want(t, s.PutReport(ctx, [16]byte{3}, 1, []byte("x"), 9), krama.NotFound)
	if err := s.SetDoor(ctx, b, []byte("b"), nil); err != nil {
		t.Fatal(err)
	}
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
	want(t, s.PutReport(ctx, [16]byte{1}, 1, []byte("x"), 9), krama.NotFound) // no longer open
}

func reports(t *testing.T, s relay.Store) {
	ctx := context.Background()
	p := NewStream(t, s).Programme
	in, other := [16]byte{7}, [16]byte{8}
	if err := s.SetDoor(ctx, p, nil, [][16]byte{in, other}); err != nil {
		t.Fatal(err)
	}
	today := krama.DayOf(time.Now())
	for _, body := range []string{"one", "two", "one", "three"} {
		if err := s.PutReport(ctx, in, today, []byte(body), 3); err != nil {
			t.Fatal(err)
		}
	}
	want(t, s.PutReport(ctx, in, today, []byte("four"), 3), krama.Full)
	if err := s.PutReport(ctx, in, today, []byte("two"), 3); err != nil {
		t.Errorf("one that is there already: %v", err)
	}
	if err := s.PutReport(ctx, other, today-relay.ReportKeep-1, []byte("old"), 3); err != nil {
		t.Fatal(err)
	}
	list, waiting, err := s.Reports(ctx, in, 0, 1)
	if err != nil || waiting != 3 || len(list) != 1 || string(list[0].Body) != "one" || list[0].Day != today {
		t.Fatalf("got %v, %d waiting, %v", list, waiting, err)
	}
	first := list[0].K
	if list, waiting, err = s.Reports(ctx, in, first, 1<<20); err != nil || waiting != 2 || len(list) != 2 || string(list[1].Body) != "three" {
		t.Fatalf("got %v, %d waiting, %v", list, waiting, err)
	}
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
