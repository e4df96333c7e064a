package measure

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"krama"
	"krama/guide"
)

// TestA34NoTwoPeriodsShareADay tries every pair of periods that are offered over ten years of days: from none can
// another be subtracted. What is not a whole window that is over is not offered, a day more or less included.
func TestA34NoTwoPeriodsShareADay(t *testing.T) {
	g, err := guide.Load()
	if err != nil {
		t.Fatal(err)
	}
	offered := map[krama.Period]bool{}
	first, last := krama.Date(2020, time.January, 1), krama.Date(2030, time.December, 31)
	for today := first; today <= last; today += 13 {
		for _, p := range Closed(&g.KPPrev, today, 8) {
			if p.To >= today || !Offered(&g.KPPrev, p, today) {
				t.Fatalf("%v is offered on %v", p, today)
			}
			offered[p] = true
		}
		if p := Window(&g.KPPrev, today); Offered(&g.KPPrev, p, today) || Offered(&g.KPPrev, p, p.To) {
			t.Fatalf("%v is offered while it runs", p)
		}
		for from := today - 400; from < today; from += 29 {
			for to := from; to <= today+10; to += 17 {
				if p := (krama.Period{From: from, To: to}); Offered(&g.KPPrev, p, today) {
					offered[p] = true
				}
			}
		}
	}
	for a := range offered {
		for b := range offered {
			if a != b && a.From <= b.To && b.From <= a.To {
				t.Fatalf("%v and %v overlap", a, b)
			}
		}
		for _, p := range []krama.Period{{From: a.From, To: a.To + 1}, {From: a.From, To: a.To - 1}, {From: a.From - 1,
			To: a.To}, {From: a.From + 1, To: a.To}} {
			if Offered(&g.KPPrev, p, last) {
				t.Errorf("%v is offered beside %v", p, a)
			}
		}
	}
	if len(offered) < 20 {
		t.Errorf("%d periods were tried", len(offered))
	}
}

// TestA34LateRecords releases one period again and again while records come late and are corrected: no two releases
// differ by one to four people in any number, and nothing is held back for ever.
func TestA34LateRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := Counts{Cross: map[uint8][3]int{}, Given: Given{}}
		var out []Counts
		for range rapid.IntRange(2, 12).Draw(t, "releases") {
			for range rapid.IntRange(0, 6).Draw(t, "late") {
				k := uint8(rapid.IntRange(1, 3).Draw(t, "group"))
				row := now.Cross[k]
				i := rapid.IntRange(0, 2).Draw(t, "testing")
				row[i] = max(0, row[i]+rapid.IntRange(-3, 9).Draw(t, "people"))
				now.Cross[k] = row
				place := uint16(rapid.IntRange(1, 3).Draw(t, "place"))
				at := now.Given[place]
				at[i].People = max(0, at[i].People+rapid.IntRange(-3, 9).Draw(t, "got"))
				at[i].Pieces = int64(at[i].People) * int64(rapid.IntRange(1, 40).Draw(t, "pieces"))
				now.Given[place] = at
			}
			next := now
			if len(out) > 0 {
				next = now.Hold(out[len(out)-1])
			}
			for _, old := range out[max(0, len(out)-1):] {
				for k := range keysOf(next.Cross, old.Cross) {
					for i := range 3 {
						if d := next.Cross[k][i] - old.Cross[k][i]; d != 0 && -smallest < d && d < smallest {
							t.Fatalf("two releases differ by %d people", d)
						}
						if d := now.Cross[k][i] - next.Cross[k][i]; d <= -smallest || d >= smallest {
							t.Fatalf("%d people are held back", d)
						}
					}
				}
				for p := range keysOf(next.Given, old.Given) {
					for i := range next.Given[p] {
						a, b := next.Given[p][i], old.Given[p][i]
						if d := a.People - b.People; a != b && -smallest < d && d < smallest {
							t.Fatalf("pieces of %d people are told apart", d)
						}
					}
				}
			}
			out = append(out, next)
		}
	})
}

// TestA34PiecesOfFewPeople tries tables of districts: whatever can be worked out from the total and the districts that
// are shown is of five people or more, and no number of fewer people is shown.
func TestA34PiecesOfFewPeople(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := Given{}
		for p := range uint16(rapid.IntRange(0, 8).Draw(t, "districts")) {
			var at [5]Gave
			for i := range at {
				n := rapid.SampledFrom([]int{0, 0, 1, 1, 2, 4, 5, 6, 20}).Draw(t, "people")
				at[i] = Gave{int64(n * rapid.IntRange(1, 50).Draw(t, "each")), n}
			}
			g[1000+p] = at
		}
		d := g.Cover()
		for what := range d.Pieces {
			hidden, people, all := 0, 0, 0
			for p := range g {
				n := g[p][what].People
				all += n
				switch {
				case d.HiddenAt[p][what]:
					hidden, people = hidden+1, people+n
				case n > 0 && n < smallest:
					t.Fatalf("what %d people got is shown", n)
				}
			}
			if !d.Hidden[what] && hidden > 0 && (hidden < 2 || people < smallest) {
				t.Fatalf("%d districts of %d people follow from the total", hidden, people)
			}
			if !d.Hidden[what] && all > 0 && all < smallest {
				t.Fatalf("a total of %d people is shown", all)
			}
		}
	})
	// The table that was tried: 397 in all, 120 and 140 shown, and one district left, of one woman.
	g := Given{1: {{120, 30}}, 2: {{140, 35}}, 3: {{137, 1}}}
	if d := g.Cover(); !d.HiddenAt[3][0] || !d.HiddenAt[1][0] || d.HiddenAt[2][0] || d.Hidden[0] {
		t.Errorf("got %+v", d)
	}
}
