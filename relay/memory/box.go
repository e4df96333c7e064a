package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"krama"
	"krama/relay"
	"krama/seal"
)

// Items implements relay.Boxes.
func (s *Store) Items(_ context.Context, box relay.Box, owner [16]byte, now time.Time, after uint64,
	max int) ([]seal.Held, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []seal.Held
	size := 0
	all := s.boxes[box]
	// What is nobody's is read beside the programme's own, in the order in which both came. Concat makes a new list:
	// sorting must not move the store's.
	if box.Programme != ([16]byte{}) {
		nobodys := box
		nobodys.Programme = [16]byte{}
		all = slices.Concat(all, s.boxes[nobodys])
		slices.SortFunc(all, func(a, b item) int { return cmp.Compare(a.k, b.k) })
	}
	for _, it := range all {
		if !it.expires.After(now) || it.k <= after || owner != ([16]byte{}) && it.owner != owner {
			continue
		}
		// The first is given whatever its size, or a small page would never come past it.
		if size += len(it.body); size > max && len(out) > 0 {
			break
		}
		out = append(out, seal.Held{K: it.k, Body: it.body})
	}
	return out, nil
}

// Holders implements relay.Boxes.
func (s *Store) Holders(_ context.Context, k relay.Keep, id [16]byte) (out [][16]byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// In a map's order, as good as any: a caller looks at all of them.
	for b, list := range s.boxes {
		if b.Keep == k && b.ID == id && len(list) > 0 {
			out = append(out, b.Programme)
		}
	}
	return out, nil
}

// Blob implements relay.Blobs.
func (s *Store) Blob(_ context.Context, programme [16]byte, id [32]byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.blobs[id]
	// Another programme's blob is as good as not there: nobody hears what others keep.
	if !ok || b.programme != programme {
		return nil, krama.E("memory", krama.NotFound, "blob")
	}
	return b.body, nil
}

// Door implements relay.Doors.
func (s *Store) Door(_ context.Context, programme [16]byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The first to publish stands for the relay's own site; a door that is replaced keeps its turn.
	if programme == ([16]byte{}) && len(s.published) > 0 {
		programme = s.published[0]
	}
	d, ok := s.doors[programme]
	if !ok {
		return nil, krama.E("memory", krama.NotFound, "door")
	}
	return bytes.Clone(d), nil
}

// Intake implements relay.Doors.
func (s *Store) Intake(_ context.Context, id [16]byte) ([16]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.intake(id)
}

// intake is Intake with the lock held.
func (s *Store) intake(id [16]byte) ([16]byte, error) {
	p, ok := s.intakes[id]
	if !ok {
		return p, krama.E("memory", krama.NotFound, "intake")
	}
	return p, nil
}

// Reports implements relay.Reports.
func (s *Store) Reports(_ context.Context, intake [16]byte, after int64, max int) (out []relay.Report, waiting int,
	err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := 0
	for _, r := range s.reports[intake] {
		if r.K <= after {
			continue
		}
		// All are counted, and those given that fit: the desk tells how many still wait.
		waiting++
		if size += len(r.Body); size <= max || len(out) == 0 {
			out = append(out, relay.Report{K: r.K, Day: r.Day, Body: bytes.Clone(r.Body)})
		}
	}
	return out, waiting, nil
}
