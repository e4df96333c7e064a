package measure

import (
	"krama"
	"krama/guide"
)

// What leaves a programme is counted over the rule's own reporting windows, whole and over, and over nothing else. No
// two of them share a day, so that nothing follows from two reports that one alone does not say; with periods of
// anybody's choice, two that differ by a day name who was met on it.

// Closed lists the n latest reporting windows that are over on a day, the latest first.
func Closed(rule *guide.Rule, today krama.Day, n int) (out []krama.Period) {
	for p := Window(rule, Window(rule, today).From-1); len(out) < n; p = Window(rule, p.From-1) {
		out = append(out, p)
	}
	return out
}

// Offered reports whether a period is a reporting window that is over.
func Offered(rule *guide.Rule, p krama.Period, today krama.Day) bool {
	return p.To < today && p == Window(rule, p.From)
}

// Counts are the numbers of one period before anything is hidden.
type Counts struct {
	// Small numbers too. Whoever reads them learns what a release hides: see krama.Released for where they lie.
	Cross map[uint8][3]int `cbor:"1,keyasint"` // by reporting category and testing services
	Left  [4]int           `cbor:"2,keyasint"` // reached but not counted, by reason
	Given Given            `cbor:"3,keyasint"`
}

// Sound reports whether counts can be: no number below zero, and not more groups or places than a programme has.
func (c Counts) Sound() bool {
	if len(c.Cross) > 32 || len(c.Given) > 32 {
		return false
	}
	for _, row := range c.Cross {
		if min(row[0], row[1], row[2]) < 0 {
			return false
		}
	}
	for _, at := range c.Given {
		for _, g := range at {
			if g.People < 0 || g.Pieces < 0 || g.People == 0 && g.Pieces > 0 {
				return false
			}
		}
	}
	return min(c.Left[0], c.Left[1], c.Left[2], c.Left[3]) >= 0
}

// Hold returns c as it may follow old, what was released of the same period before. Records come late and are
// corrected: a number that would differ from the one that left by one to four people stays as it left, until the
// difference is nobody's. Pieces follow the people who got them.
func (c Counts) Hold(old Counts) Counts {
	out := Counts{Cross: map[uint8][3]int{}, Left: c.Left, Given: Given{}}
	for k := range keysOf(c.Cross, old.Cross) {
		row := c.Cross[k]
		for i := range row {
			row[i] = held(row[i], old.Cross[k][i])
		}
		out.Cross[k] = row
	}
	for i := range out.Left {
		out.Left[i] = held(out.Left[i], old.Left[i])
	}
	for p := range keysOf(c.Given, old.Given) {
		at := c.Given[p]
		for i := range at {
			// People and pieces of a place move together: new pieces beside old people would be what few people got.
			if was := old.Given[p][i]; at[i].People == was.People || held(at[i].People, was.People) == was.People {
				at[i] = was
			}
		}
		out.Given[p] = at
	}
	return out
}

// held is now, or old while the two differ by one to four people: the difference would be a small count.
func held(now, old int) int {
	if d := now - old; -smallest < d && d < smallest {
		return old
	}
	return now
}

// keysOf are the keys of both maps: what is gone from one must be held, too.
func keysOf[K comparable, V any](a, b map[K]V) map[K]bool {
	out := map[K]bool{}
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}
