package replica

import (
	"maps"
	"slices"

	"krama"
)

// How many people one member's erasures may take in a day.

// bounds is what of a stream the bound on erasures rests on. Every reader makes it from the stream alone, but for times
// ahead of its own clock.
type bounds struct {
	times map[krama.MemberID]uint64   // newest time that a member gave, in milliseconds
	alone map[krama.MemberID][]uint64 // when the erasures were that took effect on one member's word
}

// clone is a copy of its own: a stream that is read anew begins with what it had.
func (b bounds) clone() bounds {
	out := bounds{maps.Clone(b.times), map[krama.MemberID][]uint64{}}
	for m, at := range b.alone {
		out.alone[m] = slices.Clone(at)
	}
	return out
}

// at is a member's time as the others' bear it out: not before the newest of theirs, and not a day after it. Her own
// clock buys nothing. Where nobody else has written there is nobody's work to protect, and hers counts.
func (b bounds) at(m krama.MemberID, ms uint64) uint64 {
	others := uint64(0)
	for o, t := range b.times {
		if o != m {
			others = max(others, t)
		}
	}
	if others == 0 {
		return max(ms, b.times[m])
	}
	return min(max(ms, others), others+uint64(day.Milliseconds()))
}

// takes notes an erasure on one member's word, unless she has had hers for the day.
func (b bounds) takes(m krama.MemberID, at uint64) bool {
	n := 0
	for _, t := range b.alone[m] {
		if t+uint64(day.Milliseconds()) > at {
			n++
		}
	}
	if n >= erasuresADay && boundErasures {
		return false
	}
	b.alone[m] = append(b.alone[m], at)
	slices.Sort(b.alone[m]) // the newest decide, and the others never will again
	b.alone[m] = b.alone[m][max(0, len(b.alone[m])-erasuresADay):]
	return true
}

// newBounds is before anybody wrote.
func newBounds() bounds {
	return bounds{map[krama.MemberID]uint64{}, map[krama.MemberID][]uint64{}}
}
