package memory

import (
	"bytes"
	"context"
	"crypto/ed25519"

	"krama"
	"krama/relay"
)

// Used implements relay.Store.
func (s *Store) Used(_ context.Context, programme [16]byte, k relay.Keep) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used[share{programme, k}], nil
}

// AddProgramme implements relay.Programmes.
func (s *Store) AddProgramme(_ context.Context, p relay.Programme) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.programmes[p.ID]; ok && (!old.Control.Equal(p.Control) || old.Site != p.Site) ||
		s.taken(p.Site, p.ID) {
		return krama.E("memory", krama.Conflict, "programme")
	}
	s.programmes[p.ID] = p
	return nil
}

// taken reports whether another programme than one has a name.
func (s *Store) taken(site, but [16]byte) bool {
	for _, p := range s.programmes {
		if site != ([16]byte{}) && p.Site == site && p.ID != but {
			return true
		}
	}
	return false
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

// Named implements relay.Programmes.
func (s *Store) Named(_ context.Context, site [16]byte) (relay.Programme, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.programmes {
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
	if n != 1 {
		return relay.Programme{}, krama.E("memory", krama.NotFound, "programme")
	}
	return out, nil
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

// AddMembers implements relay.Programmes.
func (s *Store) AddMembers(_ context.Context, id, site [16]byte, list []relay.Member) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.programmes[id]
	switch {
	case !ok:
		return krama.E("memory", krama.NotFound, "programme")
	case s.taken(site, id), p.Site != ([16]byte{}) && p.Site != site:
		return krama.E("memory", krama.Conflict, "name")
	}
	all := map[krama.DeviceID]relay.Member{}
	for k, m := range s.members[id] {
		all[k] = m
	}
	for _, m := range list {
		if _, there := all[m.ID]; !there {
			all[m.ID] = relay.Member{ID: m.ID, Key: bytes.Clone(m.Key)}
		}
	}
	if len(all) > relay.MaxMembers {
		return krama.E("memory", krama.Full, "members")
	}
	p.Site = site
	s.programmes[id], s.members[id] = p, all
	return nil
}

// Member implements relay.Programmes.
func (s *Store) Member(_ context.Context, id [16]byte, device krama.DeviceID) (relay.Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.members[id][device]
	if !ok {
		return m, krama.E("memory", krama.NotFound, "device")
	}
	return m, nil
}
