package expr

import "math"

// never reports whether a condition can hold for no answers at all: weight < 20 and weight > 250. It looks at fields of
// one entry that are compared with what stands there, and takes everything else for possible, so that it never says so
// of a condition that can hold.
func (c *checker) never(n *node) bool {
	ways, ok := c.ways(n, true)
	if !ok {
		return false
	}
	for _, w := range ways {
		if w.possible() {
			return false
		}
	}
	return true
}

// mostWays bounds into how many ways a condition is taken apart; one with more is taken for possible.
const mostWays = 64

// way is what must be so at once for a condition to hold, by field: all of its bounds, and none of its codes but these.
type way []bound

// bound is what a comparison says of one field.
type bound struct {
	field  string
	lo, hi int64  // of numbers and days
	codes  uint64 // of choices: those that are left
	choice bool
	needs  uint64 // of choices: those that must be among them
	lacks  uint64 // of several choices: not all of these
}

// possible reports whether the bounds of a way fit each other.
func (w way) possible() bool {
	all := map[string]bound{}
	for _, b := range w {
		a, ok := all[b.field]
		if !ok {
			a = bound{lo: math.MinInt64, hi: math.MaxInt64, codes: math.MaxUint64}
		}
		a.lo, a.hi, a.codes, a.needs = max(a.lo, b.lo), min(a.hi, b.hi), a.codes&b.codes, a.needs|b.needs
		all[b.field] = a
		if a.lo > a.hi || a.codes == 0 {
			return false
		}
	}
	for _, b := range w {
		if b.lacks != 0 && all[b.field].needs&b.lacks == b.lacks {
			return false
		}
	}
	return true
}

// ways takes a condition apart into ways in which it has the value want. ok is false where there are too many.
func (c *checker) ways(n *node, want bool) (out []way, ok bool) {
	join := n.op
	if !want && (join == opAnd || join == opOr) { // not (a and b) is not a or not b
		join = opAnd + opOr - join
	}
	switch join {
	case opNot:
		return c.ways(n.kids[0], !want)
	case opTruth:
		if (n.n == 1) == want {
			return []way{nil}, true
		}
		return nil, true
	case opOr:
		for _, k := range n.kids {
			ws, ok := c.ways(k, want)
			if out = append(out, ws...); !ok || len(out) > mostWays {
				return nil, false
			}
		}
		return out, true
	case opAnd:
		out = []way{nil}
		for _, k := range n.kids {
			ws, ok := c.ways(k, want)
			if !ok || len(out)*len(ws) > mostWays {
				return nil, false
			}
			var next []way
			for _, a := range out {
				for _, b := range ws {
					next = append(next, append(append(way(nil), a...), b...))
				}
			}
			out = next
		}
		return out, true
	}
	return c.atom(n, want), true
}

// atom takes a comparison for what it says of one field; anything else for possible.
func (c *checker) atom(n *node, want bool) []way {
	free := bound{lo: math.MinInt64, hi: math.MaxInt64, codes: math.MaxUint64}
	possible := []way{nil}
	if n.op != opCompare && n.op != opIn && n.op != opHas && n.op != opBetween || n.kids[0].op != opName {
		return possible
	}
	f, ok := c.scope.Field(n.kids[0].text)
	if !ok {
		return possible
	}
	free.field = n.kids[0].text
	switch n.op {
	case opIn, opHas:
		bits, err := c.codes(n.kids[1], f.List)
		if err != nil {
			return possible
		}
		switch {
		case n.op == opHas && want:
			free.needs = uint64(bits)
		case n.op == opHas:
			free.lacks = uint64(bits)
		case want:
			free.codes = uint64(bits)
		default:
			free.codes = ^uint64(bits)
		}
		return []way{{free}}
	case opBetween:
		lo, hi := n.kids[1], n.kids[2]
		if lo.op != opNumber || hi.op != opNumber || !want {
			return possible
		}
		free.lo, free.hi = lo.n, hi.n
		return []way{{free}}
	}
	with := n.kids[1]
	if f.Kind == Choice {
		code, ok := c.scope.Code(f.List, with.text)
		if with.op != opName && with.op != opCode || !ok || code > 63 {
			return possible
		}
		if free.codes = 1 << code; (n.text == "=") != want {
			free.codes = ^free.codes
		}
		return []way{{free}}
	}
	if with.op != opNumber {
		return possible
	}
	sign := n.text
	if !want {
		sign = opposite[sign]
	}
	switch sign {
	case "=":
		free.lo, free.hi = with.n, with.n
	case "<":
		free.hi = with.n - 1
	case "<=":
		free.hi = with.n
	case ">":
		free.lo = with.n + 1
	case ">=":
		free.lo = with.n
	default:
		return possible
	}
	return []way{{free}}
}

// opposite is the sign of what does not hold.
var opposite = map[string]string{"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
