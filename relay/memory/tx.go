package memory

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"krama"
	"krama/relay"
	"krama/relay/rules"
	"krama/seal"
)

// tx implements rules.Tx over a store whose lock is held.
type tx struct {
	s    *Store
	undo []func() // what puts things back, in the order they were done
}

// put sets a key of one of the store's maps, and remembers how it was.
func put[K comparable, V any](t *tx, m map[K]V, k K, v V) {
	restore(t, m, k)
	m[k] = v
}

// drop removes a key, and remembers what was there.
func drop[K comparable, V any](t *tx, m map[K]V, k K) {
	restore(t, m, k)
	delete(m, k)
}

// restore remembers how a key was.
func restore[K comparable, V any](t *tx, m map[K]V, k K) {
	old, there := m[k]
	t.undo = append(t.undo, func() {
		// A key that was not there goes again: with a zero value it would look like something.
		if m[k] = old; !there {
			delete(m, k)
		}
	})
}

// change changes a stream. Its entries are replaced or added to, never written over: a copy of the store may share
// them.
func (t *tx) change(k int64, f func(*stream)) error {
	st := t.s.byK[k]
	// The whole value is kept, so head, key, line and list go back at once. at is a map, and has its own undo.
	old := *st
	t.undo = append(t.undo, func() { *st = old })
	f(st)
	return nil
}

func (t *tx) Programme(id [16]byte) (relay.Programme, error) { return t.s.programme(id) }

func (t *tx) Named(site [16]byte) (relay.Programme, error) { return t.s.named(site) }

func (t *tx) SetProgramme(p relay.Programme) error {
	p.Control = bytes.Clone(p.Control)
	put(t, t.s.programmes, p.ID, p)
	return nil
}

func (t *tx) AddMember(programme [16]byte, m relay.Member) error {
	if _, there := t.s.members[programme][m.ID]; there {
		return nil
	}
	// In a new map, because undo puts the old one back as it was.
	all := maps.Clone(t.s.members[programme])
	if all == nil {
		all = map[krama.DeviceID]relay.Member{}
	}
	all[m.ID] = relay.Member{ID: m.ID, Key: bytes.Clone(m.Key)}
	put(t, t.s.members, programme, all)
	return nil
}

func (t *tx) Members(programme [16]byte) (int, error) { return len(t.s.members[programme]), nil }

func (t *tx) Charge(programme [16]byte, k relay.Keep, bytes int64) (int64, error) {
	sort := share{programme, k}
	put(t, t.s.used, sort, max(0, t.s.used[sort]+bytes))
	return t.s.used[sort], nil
}

func (t *tx) Stream(id seal.StreamID) (rules.Row, error) {
	st, err := t.s.find(id)
	if err != nil {
		return rules.Row{}, err
	}
	row := rules.Row{Stream: st.Stream, K: st.k, Line: st.line}
	row.Succeeded = t.s.succeeded(st)
	return row, nil
}

func (t *tx) AddStream(s relay.Stream, line seal.StreamID) error {
	t.s.made++ // a number that is not used is lost
	st := &stream{Stream: s, line: line, k: t.s.made, start: s.Head, at: map[[32]byte]bool{}}
	put(t, t.s.streams, s.ID, st)
	put(t, t.s.byK, st.k, st)
	return nil
}

func (t *tx) SetAccess(programme [16]byte, line seal.StreamID, key ed25519.PublicKey) error {
	for _, st := range t.s.streams {
		if st.line == line && st.Programme == programme {
			t.change(st.k, func(st *stream) { st.Access = bytes.Clone(key) })
		}
	}
	return nil
}

func (t *tx) SetRoster(k int64, line seal.StreamID) error {
	return t.change(k, func(st *stream) { st.Roster, st.line = true, line })
}

func (t *tx) SetHead(k int64, head seal.Head) error {
	return t.change(k, func(st *stream) { st.Head = head })
}

func (t *tx) SetClosed(k int64) error { return t.change(k, func(st *stream) { st.Closed = true }) }

func (t *tx) Start(k int64) ([32]byte, bool, error) { return t.s.byK[k].start.H, true, nil }

func (t *tx) Has(k int64, id [32]byte) (bool, error) { return t.s.byK[k].at[id], nil }

func (t *tx) Entry(k int64, n uint64) (relay.Entry, error) {
	st := t.s.byK[k]
	// Places begin at 1, and a caller may name any.
	if n == 0 || n > uint64(len(st.entries)) {
		return relay.Entry{}, krama.E("memory", krama.NotFound, "entry")
	}
	return st.entries[n-1], nil
}

func (t *tx) AddEntry(k int64, e relay.Entry) (bool, error) {
	st := t.s.byK[k]
	if st.at[e.ID] {
		return false, nil
	}
	e.Body = bytes.Clone(e.Body)
	// Both are undone together: an id that stayed without its entry would have a repeated append skip the envelope.
	put(t, st.at, e.ID, true)
	return true, t.change(k, func(st *stream) { st.entries = append(st.entries, e) })
}

func (t *tx) SetBody(k int64, n uint64, body []byte) error {
	return t.change(k, func(st *stream) {
		// Copied first: undo, or a clone of the store, may hold the same entries.
		st.entries = slices.Clone(st.entries)
		st.entries[n-1].Body = bytes.Clone(body)
	})
}

func (t *tx) IDs(k int64, upTo uint64, each func([32]byte) bool) error {
	for i, e := range t.s.byK[k].entries {
		if uint64(i) >= upTo || !each(e.ID) {
			break
		}
	}
	return nil
}

func (t *tx) Size(k int64, after uint64) (size int64, err error) {
	entries := t.s.byK[k].entries
	for _, e := range entries[min(after, uint64(len(entries))):] {
		size += int64(len(e.Body))
	}
	return size, nil
}

func (t *tx) CutAfter(k int64, n uint64) error {
	st := t.s.byK[k]
	for _, e := range st.entries[n:] {
		drop(t, st.at, e.ID)
	}
	// Without room behind it: the next append must not write over what undo would put back.
	return t.change(k, func(st *stream) { st.entries = st.entries[:n:n] })
}

func (t *tx) Renew(it relay.Item, expires time.Time) (bool, error) {
	for i, old := range t.s.boxes[it.Box] {
		if bytes.Equal(old.body, it.Body) {
			// An owner stays. What an earlier version kept for nobody becomes hers who puts it again.
			if old.expires = expires; old.owner == ([16]byte{}) {
				old.owner = it.Owner
			}
			list := slices.Clone(t.s.boxes[it.Box])
			list[i] = old
			put(t, t.s.boxes, it.Box, list)
			return true, nil
		}
	}
	return false, nil
}

func (t *tx) AddItem(it relay.Item, expires time.Time) error {
	// The number is spent even where the write is undone: nobody who has read up to a place may miss a later item.
	t.s.lastItem++
	put(t, t.s.boxes, it.Box, append(slices.Clone(t.s.boxes[it.Box]),
		item{t.s.lastItem, it.Owner, bytes.Clone(it.Body), expires}))
	return nil
}

func (t *tx) InBox(b relay.Box) (items int, bytes int64, err error) {
	for _, it := range t.s.boxes[b] {
		items, bytes = items+1, bytes+int64(len(it.body))
	}
	return items, bytes, nil
}

func (t *tx) Owned(programme [16]byte, k relay.Keep, owner [16]byte) (items int, bytes int64, err error) {
	// All boxes of the store are gone through: a model may be slow where SQL has an index.
	for b, list := range t.s.boxes {
		for _, it := range list {
			if b.Programme == programme && b.Keep == k && it.owner == owner {
				items, bytes = items+1, bytes+int64(len(it.body))
			}
		}
	}
	return items, bytes, nil
}

func (t *tx) Empty(b relay.Box) error {
	drop(t, t.s.boxes, b)
	return nil
}

func (t *tx) DropItems(now time.Time) (out []rules.Freed, err error) {
	// Keys are removed or replaced while the map is walked, which Go allows; none is added.
	for b, list := range t.s.boxes {
		var left []item
		for _, it := range list {
			if it.expires.After(now) {
				left = append(left, it)
			} else {
				out = append(out, rules.Freed{Programme: b.Programme, Keep: b.Keep, Bytes: int64(len(it.body))})
			}
		}
		if len(left) == 0 {
			drop(t, t.s.boxes, b)
		} else if len(left) < len(list) {
			put(t, t.s.boxes, b, left)
		}
	}
	return out, nil
}

func (t *tx) AddBlob(programme [16]byte, id [32]byte, body []byte) (bool, error) {
	if _, there := t.s.blobs[id]; there {
		return false, nil
	}
	put(t, t.s.blobs, id, blob{programme, bytes.Clone(body)})
	return true, nil
}

func (t *tx) DropBlob(programme [16]byte, id [32]byte) (int64, error) {
	b, ok := t.s.blobs[id]
	if !ok || b.programme != programme {
		return 0, nil
	}
	drop(t, t.s.blobs, id)
	return int64(len(b.body)), nil
}

func (t *tx) SetDoor(programme [16]byte, body []byte) (before int64, err error) {
	old, there := t.s.doors[programme]
	if !there {
		// A new list: undo keeps the one from before.
		list := t.s.published
		t.undo = append(t.undo, func() { t.s.published = list })
		t.s.published = append(slices.Clone(list), programme)
	}
	put(t, t.s.doors, programme, bytes.Clone(body))
	return int64(len(old)), nil
}

func (t *tx) Intake(id [16]byte) ([16]byte, error) { return t.s.intake(id) }

func (t *tx) SetIntakes(programme [16]byte, ids [][16]byte) error {
	for id, p := range t.s.intakes {
		if p == programme {
			drop(t, t.s.intakes, id)
		}
	}
	for _, id := range ids {
		put(t, t.s.intakes, id, programme)
	}
	return nil
}

func (t *tx) Reports(intake [16]byte, but [32]byte) (n int, err error) {
	for _, r := range t.s.reports[intake] {
		if sha256.Sum256(r.Body) != but {
			n++
		}
	}
	return n, nil
}

func (t *tx) AddReport(programme, intake [16]byte, day krama.Day, sum [32]byte, body []byte) (bool, error) {
	// Over all intakes, as the sum is unique in SQL: the same bytes are one report, wherever they are sent.
	for _, list := range t.s.reports {
		for _, r := range list {
			if sha256.Sum256(r.Body) == sum {
				return false, nil
			}
		}
	}
	t.s.lastReport++
	put(t, t.s.reports, intake, append(slices.Clone(t.s.reports[intake]),
		report{relay.Report{K: t.s.lastReport, Day: day, Body: bytes.Clone(body)}, programme}))
	return true, nil
}

func (t *tx) DropReports(w rules.Which) (out []rules.Freed, err error) {
	for intake, list := range t.s.reports {
		if w.Intake != nil && *w.Intake != intake {
			continue
		}
		var left []report
		for _, r := range list {
			gone := r.K <= w.UpTo
			switch {
			case w.Intake == nil:
				gone = r.Day < w.Before
			case w.Sum != nil:
				gone = sha256.Sum256(r.Body) == *w.Sum
			}
			if gone {
				out = append(out, rules.Freed{Programme: r.programme, Keep: relay.Inbox, Bytes: int64(len(r.Body))})
			} else {
				left = append(left, r)
			}
		}
		// A list that nothing left stays as it is, and needs no undo.
		if len(left) < len(list) {
			put(t, t.s.reports, intake, left)
		}
	}
	return out, nil
}
