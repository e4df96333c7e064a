package memory

import (
	"context"

	"krama"
	"krama/relay"
)

// Used implements relay.Store.
func (s *Store) Used(_ context.Context, programme [16]byte, k relay.Keep) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used[share{programme, k}], nil
}

// Programme implements relay.Programmes.
func (s *Store) Programme(_ context.Context, id [16]byte) (relay.Programme, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.programme(id)
}

// programme is Programme with the lock held.
func (s *Store) programme(id [16]byte) (relay.Programme, error) {
	p, ok := s.programmes[id]
	if !ok {
		return p, krama.E("memory", krama.NotFound, "programme")
	}
	return p, nil
}

// Named implements relay.Programmes.
func (s *Store) Named(_ context.Context, site [16]byte) (relay.Programme, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.named(site)
}

// named is Named with the lock held.
func (s *Store) named(site [16]byte) (relay.Programme, error) {
	for _, p := range s.programmes {
		// Zero is no name: every programme of an earlier version would answer to it.
		if site != ([16]byte{}) && p.Site == site {
			return p, nil
		}
	}
	return relay.Programme{}, krama.E("memory", krama.NotFound, "programme")
}

// Unnamed implements relay.Programmes.
func (s *Store) Unnamed(context.Context) (out relay.Programme, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, p := range s.programmes {
		if p.Site == ([16]byte{}) {
			out = p
			n++
		}
	}
	// With two of them nobody could say which one a call without a name means.
	if n != 1 {
		return relay.Programme{}, krama.E("memory", krama.NotFound, "programme")
	}
	return out, nil
}

// Member implements relay.Programmes.
func (s *Store) Member(_ context.Context, id [16]byte, device krama.DeviceID) (relay.Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A programme without devices has no map of its own, and to look into it finds nothing.
	m, ok := s.members[id][device]
	if !ok {
		return m, krama.E("memory", krama.NotFound, "device")
	}
	return m, nil
}
