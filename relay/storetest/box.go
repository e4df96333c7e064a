package storetest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"krama"
	"krama/relay"
)

// put is an item of a mailbox of nobody in particular.
func put(box [16]byte, body string) []relay.Item {
	return []relay.Item{{Box: relay.Box{Keep: relay.Mail, ID: box}, Body: []byte(body)}}
}

// read is what lies in that mailbox.
func read(t *testing.T, s relay.Store, box [16]byte, now time.Time) (out []string) {
	t.Helper()
	list, err := s.Items(context.Background(), relay.Box{Keep: relay.Mail, ID: box}, [16]byte{}, now, 0, plenty)
	ok(t, err)
	for i, h := range list {
		// Places rise, and 0 is no place: it ends an answer (seal.Held).
		if h.K == 0 || i > 0 && h.K <= list[i-1].K {
			t.Errorf("item %d stands at %d", i, h.K)
		}
		out = append(out, string(h.Body))
	}
	return out
}

// boxes: what is put is there until it expires, once, in order, within its bound.
func boxes(t *testing.T, s relay.Store) {
	ctx, now := context.Background(), time.Unix(1_800_000_000, 0)
	box, two := [16]byte{3}, relay.Bound{Items: 2, Room: plenty}
	// The same twice takes one of the two places: a desk that tries again fills no mailbox.
	ok(t, s.PutItems(ctx, put(box, "one"), now.Add(time.Hour), two))
	ok(t, s.PutItems(ctx, put(box, "one"), now.Add(time.Hour), two))
	ok(t, s.PutItems(ctx, put(box, "two"), now.Add(time.Minute), two))
	want(t, s.PutItems(ctx, put(box, "three"), now.Add(time.Hour), two), krama.Full)
	if got := read(t, s, box, now); len(got) != 2 || got[0] != "one" || got[1] != "two" {
		t.Errorf("got %q", got)
	}
	// The time is the caller's: what has expired is gone for readers before anybody sweeps.
	later := now.Add(2 * time.Minute)
	if got := read(t, s, box, later); len(got) != 1 {
		t.Errorf("an expired item is shown: %q", got)
	}
	// Swept, its place is free; put again, an item lasts until the new time and not the old one.
	ok(t, s.Sweep(ctx, later))
	ok(t, s.PutItems(ctx, put(box, "three"), later.Add(time.Hour), two))
	ok(t, s.PutItems(ctx, put(box, "one"), later.Add(9*time.Hour), two))
	if got := read(t, s, box, later.Add(8*time.Hour)); len(got) != 1 || got[0] != "one" {
		t.Errorf("an item put again expires as before: %q", got)
	}
	if got := read(t, s, [16]byte{4}, now); len(got) != 0 {
		t.Errorf("another box: %q", got)
	}
	// A phone reads its mailbox in pages, after the last place it has. One item is given, however small the page.
	first, err := s.Items(ctx, relay.Box{Keep: relay.Mail, ID: box}, [16]byte{}, later, 0, 1)
	ok(t, err)
	if len(first) != 1 {
		t.Fatalf("a page smaller than an item holds %d", len(first))
	}
	rest, err := s.Items(ctx, relay.Box{Keep: relay.Mail, ID: box}, [16]byte{}, later, first[0].K, plenty)
	if ok(t, err); len(rest) != 1 || bytes.Equal(rest[0].Body, first[0].Body) {
		t.Errorf("after the first: %d", len(rest))
	}
	// The second goes beyond the room, and the first must not stay: a desk counts on all or nothing when it sends
	// wraps.
	want(t, s.PutItems(ctx, append(put([16]byte{5}, "a"), put([16]byte{5}, "far too long")...), later.Add(time.Hour),
		relay.Bound{Room: 12}), krama.Full)
	if got := read(t, s, [16]byte{5}, later); len(got) != 0 {
		t.Errorf("of a refused call something stays: %q", got)
	}
}

// apart: what one programme or sort keeps, another does not see, change or drop.
func apart(t *testing.T, s relay.Store) {
	ctx, now := context.Background(), time.Unix(1_800_000_000, 0)
	later := now.Add(time.Hour)
	var all []relay.Box
	// One id, in two programmes and seven sorts, each with room for its own five bytes: boxes that shared anything
	// would be full.
	for _, p := range [][16]byte{NewStream(t, s).Programme, NewStream(t, s).Programme} {
		for k := relay.Mail; k <= relay.Peppers; k++ {
			b := relay.Box{Programme: p, Keep: k, ID: [16]byte{7}}
			all = append(all, b)
			ok(t, s.PutItems(ctx, []relay.Item{{Box: b, Body: append(p[:4:4], byte(k))}}, later,
				relay.Bound{Items: 1, Room: 5}))
		}
	}
	// One is replaced and one emptied. The others must be found as they were.
	ok(t, s.SetItems(ctx, all[0], [][]byte{[]byte("other")}, later, 5))
	ok(t, s.SetItems(ctx, all[1], nil, later, 5))
	// A public site knows a slip's code and no programme: what it puts is nobody's, and every programme reads it, as a
	// slip and as nothing else.
	nobodys := relay.Box{Keep: relay.Slips, ID: [16]byte{8}}
	ok(t, s.PutItems(ctx, []relay.Item{{Box: nobodys, Body: []byte("any")}}, later, relay.Bound{Room: plenty}))
	for _, b := range all {
		b.ID = nobodys.ID
		list, err := s.Items(ctx, b, [16]byte{}, now, 0, plenty)
		if ok(t, err); (len(list) == 1) != (b.Keep == relay.Slips) {
			t.Errorf("what is nobody's, as sort %d: %d items", b.Keep, len(list))
		}
	}
	for i, b := range all {
		list, err := s.Items(ctx, b, [16]byte{}, now, 0, plenty)
		ok(t, err)
		switch mine := append(b.Programme[:4:4], byte(b.Keep)); {
		case i == 1:
			if len(list) != 0 {
				t.Error("an emptied box is not empty")
			}
		case len(list) != 1, i == 0 && string(list[0].Body) != "other", i > 0 && !bytes.Equal(list[0].Body, mine):
			t.Errorf("box %d holds %d items, or others", i, len(list))
		}
		// To the byte and in its own share: a charge that drifts would close a sort that is empty.
		if used, err := s.Used(ctx, b.Programme, b.Keep); err != nil || used != int64(5*len(list)) {
			t.Errorf("box %d is charged %d bytes, %v", i, used, err)
		}
	}
	// What expires gives its room back to whoever was charged for it.
	ok(t, s.Sweep(ctx, later))
	for i, b := range all {
		if used, _ := s.Used(ctx, b.Programme, b.Keep); used != 0 {
			t.Errorf("box %d is charged %d bytes after it was swept", i, used)
		}
	}
}

// owners: each owner has its own share, over all boxes of the sort, and reads its own.
func owners(t *testing.T, s relay.Store) {
	ctx, now := context.Background(), time.Unix(1_800_000_000, 0)
	p := NewStream(t, s).Programme
	left := func(box, owner byte, body string) error {
		return s.PutItems(ctx, []relay.Item{{Box: relay.Box{Programme: p, Keep: relay.Left, ID: [16]byte{box}},
			Owner: [16]byte{owner}, Body: []byte(body)}},
			now.Add(time.Hour), relay.Bound{OwnerItems: 2, OwnerBytes: 9, Room: plenty})
	}
	ok(t, left(1, 1, "aaa"))
	ok(t, left(2, 1, "bbb"))
	// Its box is empty: what is full is the owner's share, over all boxes.
	want(t, left(3, 1, "c"), krama.Full)
	ok(t, left(1, 2, "dddd"))
	// Two items may be, but four and eight bytes are more than nine.
	want(t, left(1, 2, "eeeeeeee"), krama.Full)
	// A device reads what it left; the zero owner stands for an admin, who reads everybody's.
	for owner, n := range map[byte]int{0: 2, 1: 1, 2: 1, 3: 0} {
		list, err := s.Items(ctx, relay.Box{Programme: p, Keep: relay.Left, ID: [16]byte{1}}, [16]byte{owner},
			now, 0, plenty)
		if ok(t, err); len(list) != n {
			t.Errorf("owner %d reads %d items, want %d", owner, len(list), n)
		}
	}
}

// keptBoxes: a box that is set holds what was set and nothing else.
func keptBoxes(t *testing.T, s relay.Store) {
	ctx, now := context.Background(), time.Unix(1e9, 0)
	box := relay.Box{Keep: relay.Mail, ID: [16]byte{6}}
	ok(t, s.PutItems(ctx, put(box.ID, "old"), now.Add(time.Hour), relay.Bound{Items: 4, Room: plenty}))
	// The trustees' mailbox and peppers are set: what lay there before must not open anything any more.
	ok(t, s.SetItems(ctx, box, [][]byte{[]byte("a"), []byte("b")}, now.Add(1000*time.Hour), plenty))
	if items := read(t, s, box.ID, now.Add(500*time.Hour)); len(items) != 2 || items[0] != "a" || items[1] != "b" {
		t.Errorf("got %q", items)
	}
	want(t, s.SetItems(ctx, box, [][]byte{make([]byte, 9)}, now.Add(time.Hour), 8), krama.Full)
	for _, set := range [][][]byte{{{0}}, nil, {[]byte("a")}, nil} { // emptied, and taken again
		ok(t, s.SetItems(ctx, box, set, now.Add(1000*time.Hour), plenty))
		items := read(t, s, box.ID, now)
		if len(items) != len(set) || len(set) > 0 && items[0] != string(set[0]) {
			t.Errorf("got %q want %q", items, set)
		}
	}
}
