package measure

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"krama"
	"krama/guide"
)

func rule(t testing.TB) *guide.Rule {
	g, err := guide.Load()
	if err != nil {
		t.Fatal(err)
	}
	return &g.KPPrev
}

func day(m time.Month, d int) krama.Day {
	y := 2026
	if m >= time.October {
		y = 2025
	}
	return krama.Date(y, m, d)
}

func count(t *testing.T, p krama.Period, people ...Reached) *KPPrev {
	t.Helper()
	k := Count(rule(t), p, func(yield func(*Reached)) {
		for i := range people {
			yield(&people[i])
		}
	})
	sum, cross := 0, 0
	for _, n := range k.ByCategory {
		sum += n
	}
	for _, x := range k.Cross {
		cross += x[0] + x[1] + x[2]
	}
	if sum != k.Total || cross != k.Total || k.ByTesting[0]+k.ByTesting[1]+k.ByTesting[2] != k.Total {
		t.Errorf("disaggregates do not add up: %+v", k)
	}
	return k
}

var (
	q2 = krama.Period{From: day(10, 1), To: day(3, 31)}
	q4 = krama.Period{From: day(4, 1), To: day(9, 30)}
)

// TestKPPrevCases are the reference cases K1 to K8 of MER 2.6.1.
func TestKPPrevCases(t *testing.T) {
	condoms := krama.Supplies{20}
	c := func(d krama.Day, test uint8, g krama.Supplies) krama.Contact {
		return krama.Contact{Date: d, Test: test, Given: g}
	}
	talk := func(n uint16) krama.Contact {
		return krama.Contact{Date: day(1, 9), Test: krama.TestOffered, Topics: krama.Set(0).With(1), Attendees: n}
	}
	for name, tc := range map[string]struct {
		who    Reached
		period krama.Period
		total  int
		test   Testing
	}{
		"K1 declined": {Reached{Category: 1, Contacts: []krama.Contact{c(day(2, 3),
			krama.TestDeclined, condoms)}}, q2, 1, Declined},
		"K3 no offer": {Reached{Category: 1, Contacts: []krama.Contact{c(day(2, 3), 0, condoms),
			c(day(3, 3), 0, condoms)}}, q2, 0, 0},
		"K4 known positive": {Reached{Category: 1, KnownPositive: day(10, 1) - 300,
			Contacts: []krama.Contact{c(day(2, 3), 0, condoms)}}, q2, 1, KnownPositive},
		"K5 newly positive, returns": {Reached{Category: 1, KnownPositive: day(11, 5), Contacts: []krama.Contact{
			c(day(11, 5), krama.TestAccepted, condoms), c(day(12, 9), 0, condoms)}}, q2, 1, NewlyTested},
		"K6 group of 26": {Reached{Category: 1, Contacts: []krama.Contact{talk(26)}}, q2, 0, 0},
		"K7 group of 25": {Reached{Category: 1, Contacts: []krama.Contact{talk(25)}}, q2, 1,
			NewlyTested},
		"K8 injects, identifies as FSW": {Reached{Category: 1, Contacts: []krama.Contact{c(day(2, 3),
			krama.TestReferred, condoms)}}, q2, 1, NewlyTested},
		"offer and nothing else": {Reached{Category: 1, Contacts: []krama.Contact{c(day(2, 3),
			krama.TestAccepted, krama.Supplies{})}}, q2, 0, 0},
		"no category": {Reached{Category: 6, Contacts: []krama.Contact{c(day(2, 3),
			krama.TestAccepted, condoms)}}, q2, 0, 0},
		"outside the period": {Reached{Category: 1, Contacts: []krama.Contact{c(day(4, 1),
			krama.TestAccepted, condoms)}}, q2, 0, 0},
		"last day": {Reached{Category: 1, Contacts: []krama.Contact{c(day(9, 30),
			krama.TestAccepted, condoms)}}, q4, 1, NewlyTested},
		"counted at Q2 already": {Reached{Category: 1, Contacts: []krama.Contact{c(day(2, 3),
			krama.TestAccepted, condoms), c(day(5, 3), krama.TestAccepted, condoms)}}, q4, 0, 0},
		"reached at Q2 but not counted": {Reached{Category: 1, Contacts: []krama.Contact{c(day(2, 3), 0, condoms),
			c(day(5, 3), krama.TestAccepted, condoms)}}, q4, 1, NewlyTested},
		"recent negative and no offer": {Reached{Category: 1, LastNegative: day(1, 1),
			Contacts: []krama.Contact{c(day(2, 3), 0, condoms)}}, q2, 0, 0},
		"declined once, accepted later": {Reached{Category: 1, Contacts: []krama.Contact{c(day(2, 3),
			krama.TestDeclined, condoms), c(day(3, 3), krama.TestAccepted, condoms)}}, q2, 1, NewlyTested},
		"a self-test is not other service": {Reached{Category: 1, Contacts: []krama.Contact{c(day(2, 3), 0,
			krama.Supplies{0, 0, 0, 1})}}, q2, 0, 0},
	} {
		k := count(t, tc.period, tc.who)
		if k.Total != tc.total || (tc.total == 1 && k.ByTesting[tc.test] != 1) {
			t.Errorf("%s: total %d want %d, testing %v", name, k.Total, tc.total, k.ByTesting)
		}
	}
}

func TestFiscalBoundaries(t *testing.T) {
	r := rule(t)
	if w := Window(r, krama.Date(2026, 9, 30)); w != q4 {
		t.Errorf("30 September: %v", w)
	}
	if w := Window(r, krama.Date(2025, 10, 1)); w != q2 {
		t.Errorf("1 October: %v", w)
	}
	late := time.Date(2026, 9, 30, 23, 59, 0, 0, krama.Indochina)
	if krama.DayOf(late) != q4.To || krama.DayOf(late.Add(time.Minute)) != q4.To+1 {
		t.Error("the local date decides")
	}
	if Earlier(r, q4) != q2 || Earlier(r, q2) != (krama.Period{}) || Earlier(r, krama.Period{From: q4.From,
		To: q4.To - 1}) != (krama.Period{}) {
		t.Error("only the second half of a fiscal year leaves the first out")
	}
}

// TestHalvesAddUp: each person is counted at most once in the two halves of a fiscal year.
func TestHalvesAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var people []Reached
		for range rapid.IntRange(0, 20).Draw(rt, "people") {
			p := Reached{Category: uint8(rapid.IntRange(1, 6).Draw(rt, "category"))}
			for range rapid.IntRange(0, 6).Draw(rt, "contacts") {
				p.Contacts = append(p.Contacts, krama.Contact{Date: q2.From + krama.Day(rapid.IntRange(0,
					364).Draw(rt, "day")),
					Test:  uint8(rapid.IntRange(0, 4).Draw(rt, "test")),
					Given: krama.Supplies{uint16(rapid.IntRange(0, 1).Draw(rt, "condoms"))}})
			}
			people = append(people, p)
		}
		a, b := count(t, q2, people...), count(t, q4, people...)
		if a.Total+b.Total > len(people) {
			rt.Errorf("%d + %d people of %d", a.Total, b.Total, len(people))
		}
	})
}

// TestNoHiddenCountCanBeWorkedOut tries every table of counts an attacker could fill in for the hidden cells.
func TestNoHiddenCountCanBeWorkedOut(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 9), 3, 3), 2, 2).Draw(rt, "rows")
		tab := NewTable(rows).Suppress()
		possible := make([]map[int]bool, 6)
		for i := range possible {
			possible[i] = map[int]bool{}
		}
		// The 2x3 tables of 0..14 that agree with all that is shown, until each hidden count was seen to be one of two.
		var x [6]int
		var try func(k int)
		agrees := func() bool {
			y := NewTable([][]int{x[:3], x[3:]})
			for i := range y {
				for j := range y[i] {
					if !tab[i][j].Hidden && y[i][j].N != tab[i][j].N {
						return false
					}
				}
			}
			return true
		}
		done := false
		try = func(k int) {
			if done {
				return
			}
			if k%3 == 0 && k > 0 { // a finished row must agree with its total
				if m := tab[k/3-1][3]; !m.Hidden && x[k-3]+x[k-2]+x[k-1] != m.N {
					return
				}
			}
			if k == 6 {
				if agrees() {
					for i, v := range x {
						possible[i][v] = true
					}
					done = true
					for i := range x { // each that is hidden can be one of two: more tables tell nothing
						done = done && (!tab[i/3][i%3].Hidden || len(possible[i]) > 1)
					}
				}
				return
			}
			c := tab[k/3][k%3]
			if !c.Hidden {
				x[k] = c.N
				try(k + 1)
				return
			}
			for v := range 15 {
				x[k] = v
				try(k + 1)
			}
		}
		try(0)
		for k := range 6 {
			c := tab[k/3][k%3]
			if c.N > 0 && c.N < 5 && !c.Hidden {
				rt.Errorf("%v: %d is shown", rows, c.N)
			}
			if c.Hidden && c.N > 0 && c.N < 5 && len(possible[k]) < 2 {
				rt.Errorf("%v: the hidden %d at %d can only be one value", rows, c.N, k)
			}
		}
		for _, l := range tab.lines() { // nor are those whose sum is known few people together
			last, sum := l[len(l)-1], 0
			for _, c := range l[:len(l)-1] {
				if c.Hidden {
					sum += c.N
				}
			}
			if !last.Hidden && sum > 0 && sum < 5 {
				rt.Errorf("%v: %d people are hidden in one line, and its total is shown", rows, sum)
			}
		}
	})
}

// TestNoBoundFixesAHiddenCount: in these tables, two of three million, each row and column hides enough, and yet counts
// follow from several together: they hide more. For each hidden count another table is looked for that agrees with what
// is shown.
func TestNoBoundFixesAHiddenCount(t *testing.T) {
	for _, rows := range [][][]int{{{9, 0, 0}, {0, 0, 3}, {0, 5, 3}, {20, 0, 0}}, {{0, 6, 6, 0}, {9, 0, 1, 3},
		{0, 6, 0, 0}}} {
		tab, width := NewTable(rows).Suppress(), len(rows[0])
		n := len(rows) * width
		x := make([][]int, len(rows))
		for i := range x {
			x[i] = make([]int, width)
		}
		agrees := func(i, j int) bool { // with the row up to j and the column up to i
			row, column := 0, 0
			for _, v := range x[i][:j+1] {
				row += v
			}
			for _, r := range x[:i+1] {
				column += r[j]
			}
			of, up := tab[i][width], tab[len(rows)][j]
			return (of.Hidden || row == of.N || row < of.N && j < width-1) && (up.Hidden || column == up.N ||
				column < up.N && i < len(rows)-1)
		}
		all := tab[len(rows)][width]
		other := 0 // the hidden count that must be another than it is
		var try func(k, sum int) bool
		try = func(k, sum int) bool { // from what is true outwards: what agrees is found soon, if there is anything
			if k == n {
				return all.Hidden || sum == all.N
			}
			i, j := k/width, k%width
			c := tab[i][j]
			for step := range 50 {
				v := c.N + (step+1)/2*(1-step%2*2)
				if v < 0 || step > 0 && !c.Hidden || v == c.N && k == other {
					continue
				}
				if x[i][j] = v; agrees(i, j) && try(k+1, sum+v) {
					return true
				}
			}
			return false
		}
		for other = range n {
			if tab[other/width][other%width].Hidden && !try(0, 0) {
				t.Errorf("%v: the hidden count at %d can only be one value", rows, other)
			}
		}
	}
}

func TestNothingSmallNothingHidden(t *testing.T) {
	for _, r := range NewTable([][]int{{5, 0, 7}, {9, 0, 12}}).Suppress() {
		for _, c := range r {
			if c.Hidden {
				t.Fatal("hidden without need")
			}
		}
	}
}
