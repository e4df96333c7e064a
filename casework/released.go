package casework

import (
	"slices"

	"krama"
)

// release is what left of one period, and when that was said.
type release struct {
	krama.Released
	said
}

// Released are the counts that desks let leave of a period, as bytes, the latest first. The order is the same on every desk.
func (s *State) Released(p krama.Period) (out [][]byte) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []release
	for _, r := range s.released {
		if r.From == p.From && r.To == p.To {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b release) int {
		if a.before(b.said) {
			return 1
		}
		return -1
	})
	for _, r := range all {
		out = append(out, r.Counts)
	}
	return out
}
