package measure

import "slices"

// Cell is a count as it may leave the programme. least and most are what somebody who knows this file can tell of a hidden one before he
// adds anything up: that it is small, or that it is not and was the least of its line.
type Cell struct {
	N           int
	Hidden      bool
	least, most int
}

// unbounded is more people than there are.
const unbounded = 1 << 40

// smallest is the least count that is shown; 1 to smallest-1 are hidden.
const smallest = 5

// Table is a table of counts with its margins: rows by columns, the last of each being the total.
type Table [][]Cell

// NewTable adds margins to rows of counts, all of one length.
func NewTable(rows [][]int) Table {
	width := 0
	if len(rows) > 0 {
		width = len(rows[0])
	}
	t := make(Table, len(rows)+1)
	t[len(rows)] = make([]Cell, width+1)
	for i, r := range rows {
		t[i] = make([]Cell, width+1)
		for j, n := range r {
			t[i][j].N = n
			t[i][width].N += n
			t[len(rows)][j].N += n
			t[len(rows)][width].N += n
		}
	}
	return t
}

// line is a row or a column of a table, margin included.
type line []*Cell

func (t Table) lines() (out []line) {
	for i := range t {
		var l line
		for j := range t[i] {
			l = append(l, &t[i][j])
		}
		out = append(out, l)
	}
	for j := range t[0] {
		var l line
		for i := range t {
			l = append(l, &t[i][j])
		}
		out = append(out, l)
	}
	return out
}

// Suppress hides every count of 1 to 4 and as many others as it takes that no hidden one can be worked out from the rest
// of the table: in each row and column at least two are hidden or none, their sum is not itself small, and no bound that
// follows from the shown counts fixes a hidden one.
func (t Table) Suppress() Table {
	for i := range t {
		for j := range t[i] {
			c := &t[i][j]
			c.Hidden, c.least, c.most = c.N > 0 && c.N < smallest, 1, smallest-1
		}
	}
	lines := t.lines()
	for {
		again := false
		for _, l := range lines {
			hidden, sum := l.hidden()
			if hidden > 0 && (hidden < 2 || sum < smallest) && l.hideOne() {
				again = true
			}
		}
		if again {
			continue
		}
		if c := t.fixed(lines); c != nil {
			again = false
			for _, l := range lines {
				for _, x := range l {
					if x == c {
						again = l.hideOne() || again
					}
				}
			}
		}
		if !again {
			return t
		}
	}
}

// hidden counts the hidden cells of a line and adds up those that are not its total.
func (l line) hidden() (n, sum int) {
	for i, c := range l {
		if c.Hidden {
			n++
			if i < len(l)-1 {
				sum += c.N
			}
		}
	}
	if n > 0 && l[len(l)-1].Hidden {
		sum = max(sum, smallest) // with the total hidden the sum of the others says nothing
	}
	return n, sum
}

// hideOne hides the least shown count of a line, one above zero if there is one, the total last.
func (l line) hideOne() bool {
	var best *Cell
	for pass := range 3 {
		for i, c := range l {
			last := i == len(l)-1
			if c.Hidden || last != (pass == 2) || (pass == 0 && c.N == 0) {
				continue
			}
			if best == nil || c.N < best.N {
				best = c
			}
		}
		if best != nil {
			best.Hidden, best.least, best.most = true, 0, unbounded
			if best.N > 0 {
				best.least = smallest
			}
			if pass == 0 {
				for i, c := range l[:len(l)-1] {
					if !c.Hidden && c.N > 0 {
						at := c.N
						if i < slices.Index(l, best) { // of two alike the first is hidden
							at--
						}
						best.most = min(best.most, at)
					}
				}
			}
			return true
		}
	}
	return false
}

// fixed returns a hidden cell whose value follows from the shown ones by bounds, or nil.
func (t Table) fixed(lines []line) *Cell {
	const most = unbounded
	type bound struct{ lo, hi int }
	b := map[*Cell]*bound{}
	for i := range t {
		for j := range t[i] {
			c := &t[i][j]
			if c.Hidden {
				b[c] = &bound{c.least, c.most}
			} else {
				b[c] = &bound{c.N, c.N}
			}
		}
	}
	for changed := true; changed; {
		changed = false
		set := func(x *bound, lo, hi int) {
			if lo > x.lo {
				x.lo, changed = lo, true
			}
			if hi < x.hi {
				x.hi, changed = hi, true
			}
		}
		for _, l := range lines {
			total := b[l[len(l)-1]]
			lo, hi := 0, 0
			for _, c := range l[:len(l)-1] {
				lo, hi = lo+b[c].lo, min(most, hi+b[c].hi)
			}
			set(total, lo, hi)
			for _, c := range l[:len(l)-1] {
				x := b[c]
				othersHi := most
				if hi < most {
					othersHi = hi - x.hi
				} else if x.hi >= most {
					othersHi = 0
					for _, o := range l[:len(l)-1] {
						if o != c {
							othersHi = min(most, othersHi+b[o].hi)
						}
					}
				}
				set(x, max(0, total.lo-othersHi), total.hi-(lo-x.lo))
			}
		}
	}
	for i := range t {
		for j := range t[i] {
			if c := &t[i][j]; c.Hidden && b[c].lo == b[c].hi {
				return c
			}
		}
	}
	return nil
}
