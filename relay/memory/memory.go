// Package memory is a relay store that forgets when its process ends: for tests and the model of the other stores.
package memory

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"krama"
	"krama/relay"
	"krama/seal"
)

// Store keeps everything in maps.
type Store struct {
	mu         sync.Mutex
	programmes map[[16]byte]relay.Programme
	used       map[[16]byte]int64
	streams    map[seal.StreamID]*stream
	boxes      map[[16]byte][]item
	blobs      map[[32]byte]blob
	doors      map[[16]byte][]byte
	published  [][16]byte // programmes with a door, in the order of their first
	intakes    map[[16]byte][16]byte
	reports    map[[16]byte][]relay.Report
	lastReport int64
	made       int
}

type stream struct {
	relay.Stream
	line    seal.StreamID // the first of its line
	made    int           // in what order streams were made
	start   seal.Head
	entries []relay.Entry
	at      map[[32]byte]bool
}

type item struct {
	body    []byte
	expires time.Time
}

type blob struct {
	programme [16]byte
	body      []byte
}

var _ relay.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{programmes: map[[16]byte]relay.Programme{}, used: map[[16]byte]int64{}, streams: map[seal.StreamID]*stream{},
		boxes: map[[16]byte][]item{}, blobs: map[[32]byte]blob{},
		doors: map[[16]byte][]byte{}, intakes: map[[16]byte][16]byte{}, reports: map[[16]byte][]relay.Report{}}
}

// Close does nothing.
func (s *Store) Close() error { return nil }

// AddProgramme implements relay.Programmes.
func (s *Store) AddProgramme(_ context.Context, p relay.Programme) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.programmes[p.ID]; ok && !old.Control.Equal(p.Control) {
		return krama.E("memory", krama.Conflict, "programme")
	}
	s.programmes[p.ID] = p
	return nil
}

// Programme implements relay.Programmes.
func (s *Store) Programme(_ context.Context, id [16]byte) (relay.Programme, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.programmes[id]
	if !ok {
		return p, krama.E("memory", krama.NotFound, "programme")
	}
	return p, nil
}

// CreateStream implements relay.Streams.
func (s *Store) CreateStream(_ context.Context, st relay.Stream, before *seal.StreamID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := st.ID
	if before != nil {
		b, ok := s.streams[*before]
		if !ok || b.Programme != st.Programme {
			return krama.E("memory", krama.NotFound, "stream")
		}
		line = b.line
	}
	if old, ok := s.streams[st.ID]; ok {
		if old.Head != st.Head || !old.Access.Equal(st.Access) || old.Programme != st.Programme {
			return krama.E("memory", krama.Conflict, "stream")
		}
		return nil
	}
	s.made++
	s.streams[st.ID] = &stream{Stream: st, line: line, made: s.made, start: st.Head, at: map[[32]byte]bool{}}
	for _, o := range s.streams {
		if before != nil && o.line == line {
			o.Access = st.Access
		}
	}
	return nil
}

// SetControl implements relay.Programmes.
func (s *Store) SetControl(_ context.Context, id [16]byte, control ed25519.PublicKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.programmes[id]
	if !ok {
		return krama.E("memory", krama.NotFound, "programme")
	}
	p.Control = bytes.Clone(control)
	s.programmes[id] = p
	return nil
}

func (s *Store) find(id seal.StreamID) (*stream, error) {
	st, ok := s.streams[id]
	if !ok {
		return nil, krama.E("memory", krama.NotFound, "stream")
	}
	return st, nil
}

// Stream implements relay.Streams.
func (s *Store) Stream(_ context.Context, id seal.StreamID) (relay.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.find(id)
	if err != nil {
		return relay.Stream{}, err
	}
	return st.Stream, nil
}

// Append implements relay.Streams.
func (s *Store) Append(_ context.Context, id seal.StreamID, ifHead *uint64, envelopes [][]byte, quota int64) (seal.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.find(id)
	if err != nil {
		return seal.Head{}, err
	}
	var add []relay.Entry
	head, size := st.Head, int64(0)
	batch := map[[32]byte]bool{}
	for _, e := range envelopes {
		eid := seal.EnvelopeID(e)
		if st.at[eid] || batch[eid] {
			continue
		}
		batch[eid] = true
		head = head.Link(eid)
		add = append(add, relay.Entry{N: head.N, ID: eid, Body: bytes.Clone(e)})
		size += int64(len(e))
	}
	switch {
	case len(add) == 0:
		return st.Head, nil
	case st.Closed, ifHead != nil && *ifHead != st.Head.N:
		return st.Head, krama.E("memory", krama.Conflict, "head")
	case s.used[st.Programme]+size > quota:
		return st.Head, krama.E("memory", krama.Full, "quota")
	}
	for _, e := range add {
		st.at[e.ID] = true
	}
	st.entries, st.Head = append(st.entries, add...), head
	s.used[st.Programme] += size
	return head, nil
}

// List implements relay.Streams.
func (s *Store) List(_ context.Context, id seal.StreamID, after uint64, max int) ([]relay.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.find(id)
	if err != nil {
		return nil, err
	}
	var out []relay.Entry
	size := 0
	for i := after; i < uint64(len(st.entries)) && len(out) < seal.MaxListed; i++ {
		size += len(st.entries[i].Body)
		if size > max && len(out) > 0 {
			break
		}
		out = append(out, st.entries[i])
	}
	return out, nil
}

// Rewind implements relay.Streams.
func (s *Store) Rewind(_ context.Context, id seal.StreamID, head seal.Head) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.find(id)
	if err != nil {
		return err
	}
	h := st.start
	for h.N < head.N && h.N < uint64(len(st.entries)) {
		h = h.Link(st.entries[h.N].ID)
	}
	if h != head || st.Closed {
		return krama.E("memory", krama.Conflict, "head")
	}
	for _, e := range st.entries[h.N:] {
		delete(st.at, e.ID)
		s.used[st.Programme] -= int64(len(e.Body))
	}
	st.entries, st.Head = st.entries[:h.N:h.N], h
	return nil
}

// PutTombstones implements relay.Streams.
func (s *Store) PutTombstones(_ context.Context, puts []relay.Tombstone) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, added := map[seal.StreamID]uint64{}, map[[32]byte]bool{}
	for _, p := range puts { // all or none
		st, err := s.find(p.Stream)
		if err != nil {
			return err
		}
		n := max(next[p.Stream], uint64(len(st.entries)))
		id := seal.WireID(p.Body)
		switch {
		case st.Closed && p.N > 0 && p.N <= uint64(len(st.entries)) && st.entries[p.N-1].ID == id:
		case p.N == n+1 && !st.Closed && !st.at[id] && !added[id] && s.succeeded(st):
			next[p.Stream], added[id] = p.N, true
		default:
			return krama.E("memory", krama.Conflict, "tombstone")
		}
	}
	for _, p := range puts {
		st := s.streams[p.Stream]
		e := relay.Entry{N: p.N, ID: seal.WireID(p.Body), Body: bytes.Clone(p.Body)}
		if p.N <= uint64(len(st.entries)) {
			s.used[st.Programme] += int64(len(e.Body) - len(st.entries[p.N-1].Body))
			st.entries = slices.Clone(st.entries) // a copy of the store may share them
			st.entries[p.N-1] = e
			continue
		}
		st.at[e.ID] = true
		st.entries, st.Head = append(st.entries, e), st.Head.Link(e.ID)
		s.used[st.Programme] += int64(len(e.Body))
	}
	return nil
}

// succeeded reports whether a stream of the same line was made later.
func (s *Store) succeeded(st *stream) bool {
	for _, o := range s.streams {
		if o.line == st.line && o.made > st.made {
			return true
		}
	}
	return false
}

// CloseStream implements relay.Streams.
func (s *Store) CloseStream(_ context.Context, id seal.StreamID, head seal.Head) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.find(id)
	if err != nil {
		return err
	}
	if st.Head != head {
		return krama.E("memory", krama.Conflict, "head")
	}
	st.Closed = true
	return nil
}

// PutBox implements relay.Boxes.
func (s *Store) PutBox(_ context.Context, puts []relay.BoxPut, expires time.Time, limit int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	add := map[[16]byte][]item{}
next:
	for _, p := range puts {
		for i, it := range s.boxes[p.Box] {
			if bytes.Equal(it.body, p.Item) {
				s.boxes[p.Box][i].expires = expires
				continue next
			}
		}
		add[p.Box] = append(add[p.Box], item{bytes.Clone(p.Item), expires})
		if len(s.boxes[p.Box])+len(add[p.Box]) > limit {
			return krama.E("memory", krama.Full, "box")
		}
	}
	for box, items := range add {
		s.boxes[box] = append(s.boxes[box], items...)
	}
	return nil
}

// SetBox implements relay.Boxes.
func (s *Store) SetBox(_ context.Context, box [16]byte, items [][]byte, expires time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []item
	for _, b := range items {
		out = append(out, item{bytes.Clone(b), expires})
	}
	s.boxes[box] = out
	return nil
}

// Box implements relay.Boxes.
func (s *Store) Box(_ context.Context, box [16]byte, now time.Time) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out [][]byte
	for _, it := range s.boxes[box] {
		if it.expires.After(now) {
			out = append(out, it.body)
		}
	}
	return out, nil
}

// Sweep implements relay.Boxes.
func (s *Store) Sweep(_ context.Context, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for box, items := range s.boxes {
		var keep []item
		for _, it := range items {
			if it.expires.After(now) {
				keep = append(keep, it)
			}
		}
		if keep == nil {
			delete(s.boxes, box)
		} else {
			s.boxes[box] = keep
		}
	}
	for id, list := range s.reports {
		s.reports[id] = slices.DeleteFunc(list, func(r relay.Report) bool { return r.Day < krama.DayOf(now)-relay.ReportKeep })
	}
	return nil
}

// PutBlob implements relay.Blobs.
func (s *Store) PutBlob(_ context.Context, programme [16]byte, id [32]byte, body []byte, quota int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.blobs[id]; ok {
		return nil
	}
	if s.used[programme]+int64(len(body)) > quota {
		return krama.E("memory", krama.Full, "quota")
	}
	s.used[programme] += int64(len(body))
	s.blobs[id] = blob{programme, bytes.Clone(body)}
	return nil
}

// Blob implements relay.Blobs.
func (s *Store) Blob(_ context.Context, programme [16]byte, id [32]byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.blobs[id]
	if !ok || b.programme != programme {
		return nil, krama.E("memory", krama.NotFound, "blob")
	}
	return b.body, nil
}

// DropBlobs implements relay.Blobs.
func (s *Store) DropBlobs(_ context.Context, programme [16]byte, ids [][32]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if b, ok := s.blobs[id]; ok && b.programme == programme {
			s.used[programme] -= int64(len(b.body))
			delete(s.blobs, id)
		}
	}
	return nil
}

// Clone returns a store with the same content: a model can go on from one moment many times.
func (s *Store) Clone() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := New()
	c.made = s.made
	for k, v := range s.programmes {
		c.programmes[k] = v
	}
	for k, v := range s.used {
		c.used[k] = v
	}
	for k, v := range s.streams {
		st := &stream{Stream: v.Stream, line: v.line, made: v.made, start: v.start, entries: v.entries[:len(v.entries):len(v.entries)], at: map[[32]byte]bool{}}
		for id := range v.at {
			st.at[id] = true
		}
		c.streams[k] = st
	}
	for k, v := range s.boxes {
		c.boxes[k] = append([]item(nil), v...)
	}
	for k, v := range s.blobs {
		c.blobs[k] = v
	}
	return c
}

// SetDoor implements relay.Doors.
func (s *Store) SetDoor(_ context.Context, programme [16]byte, door []byte, intakes [][16]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range intakes {
		if p, ok := s.intakes[id]; ok && p != programme {
			return krama.E("memory", krama.Conflict, "intake")
		}
	}
	if _, ok := s.doors[programme]; !ok {
		s.published = append(s.published, programme)
	}
	s.doors[programme] = bytes.Clone(door)
	for id, p := range s.intakes {
		if p == programme {
			delete(s.intakes, id)
		}
	}
	for _, id := range intakes {
		s.intakes[id] = programme
	}
	return nil
}

// Door implements relay.Doors.
func (s *Store) Door(_ context.Context, programme [16]byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if programme == ([16]byte{}) && len(s.published) > 0 {
		programme = s.published[0]
	}
	d, ok := s.doors[programme]
	if !ok {
		return nil, krama.E("memory", krama.NotFound, "door")
	}
	return bytes.Clone(d), nil
}

// PutReport implements relay.Reports.
func (s *Store) PutReport(_ context.Context, intake [16]byte, day krama.Day, body []byte, limit int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.intakes[intake]; !ok {
		return krama.E("memory", krama.NotFound, "intake")
	}
	for _, r := range s.reports[intake] {
		if bytes.Equal(r.Body, body) {
			return nil
		}
	}
	if len(s.reports[intake]) >= limit {
		return krama.E("memory", krama.Full, "intake")
	}
	s.lastReport++
	s.reports[intake] = append(s.reports[intake], relay.Report{K: s.lastReport, Day: day, Body: bytes.Clone(body)})
	return nil
}

// Reports implements relay.Reports.
func (s *Store) Reports(_ context.Context, intake [16]byte, after int64, max int) (out []relay.Report, waiting int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := 0
	for _, r := range s.reports[intake] {
		if r.K <= after {
			continue
		}
		waiting++
		if size += len(r.Body); size <= max || len(out) == 0 {
			out = append(out, relay.Report{K: r.K, Day: r.Day, Body: bytes.Clone(r.Body)})
		}
	}
	return out, waiting, nil
}

// DropReports implements relay.Reports.
func (s *Store) DropReports(_ context.Context, intake [16]byte, upTo int64, sums [][32]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports[intake] = slices.DeleteFunc(s.reports[intake], func(r relay.Report) bool { return r.K <= upTo || slices.Contains(sums, sha256.Sum256(r.Body)) })
	return nil
}
