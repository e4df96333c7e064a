package measure

import (
	"fmt"
	"strings"
	"testing"
)

// TestWhoKnowsTheRuleLearnsNoSmallCount: somebody knows what was released and this program's text, so that he can try
// which counts would have given just this release. For every line of two and three counts of up to 30 people, each
// small count that is hidden can still be one of two. For tables of two by two he is left with one pattern, the same
// for all sizes, which doc/threat-model.md names.
func TestWhoKnowsTheRuleLearnsNoSmallCount(t *testing.T) {
	for _, tc := range []struct{ rows, columns, people, told int }{{1, 2, 30, 0}, {1, 3, 30, 0}, {2, 2, 24, 14}} {
		type spread struct{ least, most []int }
		by := map[string]*spread{}
		x := make([]int, tc.rows*tc.columns)
		var try func(k, left int)
		try = func(k, left int) {
			if k < len(x) {
				for v := 0; v <= left; v++ {
					x[k] = v
					try(k+1, left-v)
				}
				return
			}
			var rows [][]int
			for i := range tc.rows {
				rows = append(rows, x[i*tc.columns:(i+1)*tc.columns])
			}
			tab := NewTable(rows).Suppress()
			if tab[tc.rows][tc.columns].Hidden { // it may be of more people than are tried here
				return
			}
			var b strings.Builder
			for _, r := range tab {
				for _, c := range r {
					if c.Hidden {
						b.WriteString("* ")
					} else {
						fmt.Fprintf(&b, "%d ", c.N)
					}
				}
			}
			s := by[b.String()]
			if s == nil {
				s = &spread{append([]int(nil), x...), append([]int(nil), x...)}
				by[b.String()] = s
			}
			for i, v := range x {
				s.least[i], s.most[i] = min(s.least[i], v), max(s.most[i], v)
			}
		}
		try(0, tc.people)
		told := 0
		for out, s := range by {
			for i := range x {
				if s.least[i] == s.most[i] && s.least[i] > 0 && s.least[i] < smallest {
					if told++; tc.told == 0 {
						t.Errorf("%s is only %v", out, s.least)
					}
				}
			}
		}
		if told > tc.told {
			t.Errorf("%d by %d: %d releases give a small count away, %d are known", tc.rows, tc.columns, told, tc.told)
		}
		if len(by) < 300 {
			t.Errorf("%d by %d: only %d releases were tried", tc.rows, tc.columns, len(by))
		}
	}
}
