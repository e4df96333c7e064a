package measure

import "slices"

// Cell is a count as it may leave the programme.
type Cell struct {
	N      int
	Hidden bool
}

// unbounded is more people than there are.
// Several of them still add up without running over.
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

// lines are the rows and then the columns. They share the table's cells: what is hidden in one is hidden in the other.
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

// Suppress hides every count of 1 to 4 and as many others as it takes that no hidden one can be worked out from the
// rest of the table: in each row and column at least two are hidden or none, their sum is not itself small, and no
// bound that follows from the shown counts fixes a hidden one.
func (t Table) Suppress() Table {
	for i := range t {
		for j := range t[i] {
			c := &t[i][j]
			c.Hidden = c.N > 0 && c.N < smallest
		}
	}
	// chosen has the line in which a cell was hidden for others' sake. A cell that is small itself has no such line.
	lines, chosen := t.lines(), map[*Cell]line{}
	for {
		// Each round but the last hides one cell at least, so there is a last one.
		again := false
		for _, l := range lines {
			hidden, sum := l.hidden()
			if hidden > 0 && (hidden < 2 || sum < smallest) && l.hideOne(chosen) {
				again = true
			}
		}
		if again {
			continue
		}
		// Once each line is right by itself, all lines together must not tell more.
		for _, c := range t.fixed(lines, chosen) {
			for _, l := range lines {
				if slices.Contains(l, c) {
					again = l.hideOne(chosen) || again
				}
			}
			if again {
				break
			}
		}
		if !again {
			return t
		}
	}
}

// told is what somebody who knows this file can tell of a hidden count before he adds anything up: that it is small, or
// that it is not, and was the least of the line in which it was chosen.
func told(c *Cell, chosen map[*Cell]line) (least, most int) {
	l := chosen[c]
	if l == nil {
		return 1, smallest - 1
	}
	most = unbounded
	if c.N < smallest {
		return 0, most
	}
	at := slices.Index(l, c)
	if at < len(l)-1 {
		for i, o := range l[:len(l)-1] {
			if !o.Hidden && o.N > 0 {
				n := o.N
				if i < at { // of two alike the first is hidden
					n--
				}
				most = min(most, n)
			}
		}
	}
	return smallest, most
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

// hideOne hides the least shown count of a line, one above zero if there is one, the total last, and keeps in which
// line it was chosen.
func (l line) hideOne(chosen map[*Cell]line) bool {
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
			best.Hidden, chosen[best] = true, l
			return true
		}
	}
	return false
}

// fixed returns the hidden cells whose values follow from the shown ones by bounds.
func (t Table) fixed(lines []line, chosen map[*Cell]line) (out []*Cell) {
	const most = unbounded
	type bound struct{ lo, hi int }
	b := map[*Cell]*bound{}
	for i := range t {
		for j := range t[i] {
			c := &t[i][j]
			if c.Hidden {
				least, most := told(c, chosen)
				b[c] = &bound{least, most}
			} else {
				b[c] = &bound{c.N, c.N}
			}
		}
	}
	impossible := false
	for changed := true; changed && !impossible; {
		changed = false
		set := func(x *bound, lo, hi int) {
			if lo > x.lo {
				x.lo, changed = lo, true
			}
			if hi < x.hi {
				x.hi, changed = hi, true
			}
			if x.lo > x.hi { // counts that cannot be, such as negative ones: nothing follows from them
				impossible = true
			}
		}
		for _, l := range lines {
			// A total lies between the sums of its parts' bounds. A part is the total without the others.
			total := b[l[len(l)-1]]
			lo, hi := 0, 0
			for _, c := range l[:len(l)-1] {
				lo, hi = lo+b[c].lo, min(most, hi+b[c].hi)
			}
			set(total, lo, hi)
			for _, c := range l[:len(l)-1] {
				x := b[c]
				// Beside a part without a bound the sum has none either; so the others are added up without this one.
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
				out = append(out, c)
			}
		}
	}
	return out
}
