// Package memory is a relay store that forgets when its process ends: for tests and the model of the other stores.
package memory

import (
	"bytes"
	"context"
	"maps"
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
	used       map[share]int64
	members    map[[16]byte]map[krama.DeviceID]relay.Member
	streams    map[seal.StreamID]*stream
	boxes      map[relay.Box][]item
	lastItem   uint64
	blobs      map[[32]byte]blob
	doors      map[[16]byte][]byte
	published  [][16]byte // programmes with a door, in the order of their first
	intakes    map[[16]byte][16]byte
	reports    map[[16]byte][]relay.Report
	reportsOf  map[[16]byte][16]byte // the programme that an intake's reports are charged to
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
	k       uint64
	owner   [16]byte
	body    []byte
	expires time.Time
}

// share is what a programme keeps of one sort.
type share struct {
	programme [16]byte
	keep      relay.Keep
}

type blob struct {
	programme [16]byte
	body      []byte
}

var _ relay.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{programmes: map[[16]byte]relay.Programme{}, used: map[share]int64{},
		streams: map[seal.StreamID]*stream{},
		members: map[[16]byte]map[krama.DeviceID]relay.Member{}, boxes: map[relay.Box][]item{},
		blobs: map[[32]byte]blob{},
		doors: map[[16]byte][]byte{}, intakes: map[[16]byte][16]byte{}, reports: map[[16]byte][]relay.Report{},
		reportsOf: map[[16]byte][16]byte{}}
}

// Close does nothing.
func (s *Store) Close() error { return nil }

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
		if before != nil && o.line == line && !st.Roster {
			o.Access = st.Access
		}
	}
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
	out := st.Stream
	out.Succeeded = s.succeeded(st)
	return out, nil
}

// Line implements relay.Streams.
func (s *Store) Line(_ context.Context, programme [16]byte, ids []seal.StreamID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if st, ok := s.streams[id]; !ok || st.Programme != programme {
			return krama.E("memory", krama.NotFound, "stream")
		}
	}
	for _, id := range ids {
		st := s.streams[id]
		if st.line = ids[0]; !st.Roster {
			size := int64(0)
			for _, e := range st.entries {
				size += int64(len(e.Body))
			}
			s.used[share{programme, relay.Content}] -= size
			s.used[share{programme, relay.Roster}] += size
			st.Roster = true
		}
	}
	return nil
}

// Append implements relay.Streams.
func (s *Store) Append(_ context.Context, id seal.StreamID, ifHead *uint64, envelopes [][]byte,
	room int64) (seal.Head, error) {
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
	case s.used[share{st.Programme, st.Keep()}]+size > room:
		return st.Head, krama.E("memory", krama.Full, "quota")
	}
	for _, e := range add {
		st.at[e.ID] = true
	}
	st.entries, st.Head = append(st.entries, add...), head
	s.used[share{st.Programme, st.Keep()}] += size
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
		s.used[share{st.Programme, st.Keep()}] -= int64(len(e.Body))
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
			s.used[share{st.Programme, st.Keep()}] += int64(len(e.Body) - len(st.entries[p.N-1].Body))
			st.entries = slices.Clone(st.entries) // a copy of the store may share them
			st.entries[p.N-1] = e
			continue
		}
		st.at[e.ID] = true
		st.entries, st.Head = append(st.entries, e), st.Head.Link(e.ID)
		s.used[share{st.Programme, st.Keep()}] += int64(len(e.Body))
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

// Clone returns a store with the same content: a model can go on from one moment many times.
func (s *Store) Clone() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := New()
	c.made, c.lastItem, c.lastReport = s.made, s.lastItem, s.lastReport
	for k, v := range s.programmes {
		c.programmes[k] = v
	}
	for k, v := range s.used {
		c.used[k] = v
	}
	for k, v := range s.streams {
		st := &stream{Stream: v.Stream, line: v.line, made: v.made, start: v.start,
			entries: v.entries[:len(v.entries):len(v.entries)], at: map[[32]byte]bool{}}
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
	for k, v := range s.members {
		c.members[k] = maps.Clone(v)
	}
	return c
}
