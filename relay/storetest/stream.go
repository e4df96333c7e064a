package storetest

import (
	"bytes"
	"context"
	"testing"

	"krama"
	"krama/relay"
	"krama/seal"
)

// closed: a closed stream takes nothing more.
func closed(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	a := Envelope(1024)
	head, err := s.Append(ctx, st.ID, nil, [][]byte{a}, plenty)
	ok(t, err)
	// Somebody wrote after the admin had read: she must read on before she closes, or the last envelope would lie
	// outside.
	want(t, s.CloseStream(ctx, st.ID, st.Head), krama.Conflict)
	ok(t, s.CloseStream(ctx, st.ID, head))
	ok(t, s.CloseStream(ctx, st.ID, head))
	// Past the close nothing is added. What is there already is no conflict: its author did not hear the answer.
	_, err = s.Append(ctx, st.ID, nil, [][]byte{Envelope(1024)}, plenty)
	want(t, err, krama.Conflict)
	_, err = s.Append(ctx, st.ID, nil, [][]byte{a}, plenty)
	ok(t, err)
}

// circle0: its streams keep their own keys, and the store tells which have a successor.
func circle0(t *testing.T, s relay.Store) {
	ctx, first := context.Background(), NewStream(t, s)
	_, err := s.Append(ctx, first.ID, nil, [][]byte{Envelope(1024)}, plenty)
	ok(t, err)
	next := relay.Stream{ID: seal.StreamID{2}, Programme: first.Programme, Access: bytes.Repeat([]byte{9}, 32),
		Roster: true}
	ok(t, s.CreateStream(ctx, next, nil)) // as a version made them that did not say so
	// Twice, and charged once: the last lines look.
	for range 2 {
		ok(t, s.Line(ctx, first.Programme, []seal.StreamID{first.ID, next.ID}))
	}
	// A stream that is not there and one of another programme are the same answer: nobody hears what others have.
	want(t, s.Line(ctx, first.Programme, []seal.StreamID{first.ID, {77}}), krama.NotFound)
	want(t, s.Line(ctx, NewStream(t, s).Programme, []seal.StreamID{first.ID}), krama.NotFound)
	last := relay.Stream{ID: seal.StreamID{3}, Programme: first.Programme, Access: bytes.Repeat([]byte{8}, 32),
		Roster: true}
	ok(t, s.CreateStream(ctx, last, &next.ID))
	// A device that was away reads circle 0 stream by stream, each with its own key. Succeeded has the relay give an
	// old key the list and nothing else.
	for _, st := range []relay.Stream{first, next, last} {
		got, err := s.Stream(ctx, st.ID)
		ok(t, err)
		if !got.Roster || got.Succeeded != (st.ID != last.ID) || !got.Access.Equal(st.Access) {
			t.Errorf("stream %d: roster %v, succeeded %v, own key %v", st.ID[0], got.Roster, got.Succeeded,
				got.Access.Equal(st.Access))
		}
	}
	// What was appended before anybody said whose stream it is has moved to circle 0's share.
	content, _ := s.Used(ctx, first.Programme, relay.Content)
	if roster, _ := s.Used(ctx, first.Programme, relay.Roster); roster != 1024 || content != 0 {
		t.Errorf("charged: roster %d, content %d", roster, content)
	}
}

// line: a line's streams answer to the newest key.
func line(t *testing.T, s relay.Store) {
	ctx, first := context.Background(), NewStream(t, s)
	other := relay.Stream{ID: seal.StreamID{1}, Programme: first.Programme, Access: bytes.Repeat([]byte{9}, 32)}
	ok(t, s.CreateStream(ctx, other, nil))
	before := first.ID
	for i := range byte(3) {
		next := relay.Stream{ID: seal.StreamID{2, i}, Programme: first.Programme, Access: bytes.Repeat([]byte{i}, 32)}
		ok(t, s.CreateStream(ctx, next, &before))
		// The answer may be lost between making the stream and hearing of it.
		ok(t, s.CreateStream(ctx, next, &before))
		got, err := s.Stream(ctx, first.ID)
		ok(t, err)
		// Who holds the newest key reads the whole line, and a removed member's key opens nothing of it any more.
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
	// before must be there and of the same programme, or anybody could give another's line a key of her own.
	missing := seal.StreamID{77}
	want(t, s.CreateStream(ctx, relay.Stream{ID: seal.StreamID{3}, Programme: first.Programme, Access: other.Access},
		&missing), krama.NotFound)
	stranger := NewStream(t, s)
	want(t, s.CreateStream(ctx, relay.Stream{ID: seal.StreamID{3}, Programme: stranger.Programme, Access: other.Access},
		&before), krama.NotFound)
}

// rewind: a stream goes back to a head of its own, and nowhere else.
func rewind(t *testing.T, s relay.Store) {
	ctx, st := context.Background(), NewStream(t, s)
	heads := []seal.Head{st.Head}
	var all [][]byte
	// The room is five envelopes exactly: unless a rewind gives room back, the last append is Full.
	for range 5 {
		e := Envelope(1024)
		all = append(all, e)
		h, err := s.Append(ctx, st.ID, nil, [][]byte{e}, 5*1024)
		ok(t, err)
		heads = append(heads, h)
	}
	// A relay goes back to its own past and nowhere else: another head is another history.
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
	// What is closed is signed where it ends, and nothing takes it back.
	ok(t, s.CloseStream(ctx, st.ID, heads[5]))
	want(t, s.Rewind(ctx, st.ID, heads[1]), krama.Conflict)
}

// tombstones: a tombstone stands in the place of its envelope in a closed stream, or is put next where a relay was
// restored.
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
	// The id must be that of the envelope in its place, and one wrong tombstone refuses the whole call.
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
	// The chain is made of ids, which stay: every device finds the head that it knows.
	if got.Head != head || !bytes.Equal(list[0].Body, stone(a)) || list[0].ID != seal.EnvelopeID(a) ||
		!bytes.Equal(list[1].Body, b) {
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
	// Without a successor its members still write into it, and nothing is put next but envelopes.
	want(t, s.PutTombstones(ctx, []relay.Tombstone{next}), krama.Conflict)
	ok(t, s.CreateStream(ctx, relay.Stream{ID: seal.StreamID{22}, Programme: st.Programme, Access: st.Access,
		Head: st.Head}, &old.ID))
	// One envelope has one place in a stream, dropped or not.
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
	// Closed, it takes no next one.
	want(t, s.PutTombstones(ctx, []relay.Tombstone{{Stream: old.ID, N: 3, Body: stone(Envelope(10))}}), krama.Conflict)
	// what was dropped is room again
	_, err = s.Append(ctx, seal.StreamID{22}, nil, [][]byte{Envelope(1024)}, 2*int64(seal.TombstoneSize)+700+1024+1024)
	ok(t, err)
}
