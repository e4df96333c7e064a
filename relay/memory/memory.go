// Package memory is a relay store that forgets when its process ends: for tests and the model of the other stores.
package memory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"krama"
	"krama/relay"
	"krama/relay/rules"
	"krama/seal"
)

// Store keeps everything in maps.
// Every method holds mu from its beginning to its end, those that read too. A list or a body that is in a map is
// replaced and never written over: undo, Clone and answers that were given keep what they had.
// The numbers (made, lastItem, lastReport) only rise, and a write that is undone does not take them back: what was
// called by one once is never something else.
type Store struct {
	rules.Writer // over write

	mu         sync.Mutex // all below
	programmes map[[16]byte]relay.Programme
	used       map[share]int64
	members    map[[16]byte]map[krama.DeviceID]relay.Member
	streams    map[seal.StreamID]*stream
	byK        map[int64]*stream
	boxes      map[relay.Box][]item
	lastItem   uint64
	blobs      map[[32]byte]blob
	doors      map[[16]byte][]byte
	published  [][16]byte // programmes with a door, in the order of their first
	intakes    map[[16]byte][16]byte
	reports    map[[16]byte][]report
	lastReport int64
	made       int64 // how many streams there were
}

// stream is a stream with what it holds.
// An entry's place is its index plus one. at has the id of every entry, whether its body is a tombstone by now or not.
// start is the head it was made with, from which a rewind follows the chain.
type stream struct {
	relay.Stream
	line    seal.StreamID // the first of its line
	k       int64         // in what order streams were made
	start   seal.Head
	entries []relay.Entry
	at      map[[32]byte]bool
}

// item is one item of a box.
// Its number is its place, in the order in which items came to the store, whatever the box. A zero owner is nobody's.
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

// report is one with the programme it is charged to.
type report struct {
	relay.Report
	programme [16]byte
}

// blob is one blob.
type blob struct {
	programme [16]byte
	body      []byte
}

var _ relay.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	s := &Store{programmes: map[[16]byte]relay.Programme{}, used: map[share]int64{},
		streams: map[seal.StreamID]*stream{}, byK: map[int64]*stream{},
		members: map[[16]byte]map[krama.DeviceID]relay.Member{}, boxes: map[relay.Box][]item{},
		blobs: map[[32]byte]blob{},
		doors: map[[16]byte][]byte{}, intakes: map[[16]byte][16]byte{}, reports: map[[16]byte][]report{}}
	// Every write of rules.Writer comes through here.
	s.Do = s.write
	return s
}

// Close does nothing.
func (s *Store) Close() error { return nil }

// write is one transaction: what it did is undone, last first, if it fails.
func (s *Store) write(ctx context.Context, f func(rules.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Asked before anything changes: once begun, a write runs to its end, as in a store that has queued it.
	if err := ctx.Err(); err != nil {
		return krama.Wrap("memory", err)
	}
	tx := &tx{s: s}
	err := f(tx)
	if err != nil {
		// Last first: of a thing that was changed twice, what stands there in the end is what was there before both.
		for _, undo := range slices.Backward(tx.undo) {
			undo()
		}
	}
	return err
}

// find finds a stream.
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
	// Looked up each time: the later stream makes it true without touching this one.
	out := st.Stream
	out.Succeeded = s.succeeded(st)
	return out, nil
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
	// Entry i stands at place i+1, so what comes after a place begins at its index.
	for i := after; i < uint64(len(st.entries)) && len(out) < seal.MaxListed; i++ {
		size += len(st.entries[i].Body)
		if size > max && len(out) > 0 {
			break
		}
		out = append(out, st.entries[i])
	}
	return out, nil
}

// succeeded reports whether a stream of the same line was made later.
// Streams are numbered as they are made and never go, so a higher number in the line is enough.
func (s *Store) succeeded(st *stream) bool {
	for _, o := range s.streams {
		if o.line == st.line && o.k > st.k {
			return true
		}
	}
	return false
}

// Clone returns a store with the same streams, boxes, pages and programmes, so that a model can go on from one moment
// many times. Doors, intakes and reports are not in it: the model publishes nothing and takes no reports.
func (s *Store) Clone() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := New()
	c.made, c.lastItem, c.lastReport = s.made, s.lastItem, s.lastReport
	// These maps' values are replaced and never changed, so a copy of the map is a copy.
	for k, v := range s.programmes {
		c.programmes[k] = v
	}
	for k, v := range s.used {
		c.used[k] = v
	}
	for k, v := range s.streams {
		// Entries are shared. Without room behind them, a clone that appends moves to an array of its own; ids are in a
		// map, which is changed in place, and are copied.
		st := &stream{Stream: v.Stream, line: v.line, k: v.k, start: v.start,
			entries: v.entries[:len(v.entries):len(v.entries)], at: map[[32]byte]bool{}}
		for id := range v.at {
			st.at[id] = true
		}
		c.streams[k], c.byK[v.k] = st, st
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
