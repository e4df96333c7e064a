package casework

import (
	"bytes"
	"slices"

	"krama"
)

// Released are what desks let leave of a period, the latest first. The order is the same on every desk.
// Whose word counts is for the caller: what somebody who is no admin wrote stands here, too.
func (s *State) Released(p krama.Period) (all []Release) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.released {
		if r.From == p.From && r.To == p.To {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b Release) int {
		switch {
		case a.before(b.said):
			return 1
		case b.before(a.said):
			return -1
		}
		return bytes.Compare(a.Author[:], b.Author[:])
	})
	return all
}
