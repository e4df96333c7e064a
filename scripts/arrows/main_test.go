package main

import "testing"

// TestSort: in a chain no arrow runs back up, in a ring of three one does.
func TestSort(t *testing.T) {
	for want, arrows := range [][]arrow{{{"a", "b"}, {"b", "c"}, {"a", "c"}}, {{"a", "b"}, {"b", "c"}, {"c", "a"}}} {
		h := &house{arrows: map[arrow]map[string]bool{}}
		for _, a := range arrows {
			h.arrows[a] = map[string]bool{}
		}
		if h.sort(); h.up != want || len(h.order) != 3 {
			t.Errorf("%v: %v with %d back up, want %d", arrows, h.order, h.up, want)
		}
	}
}

// TestMeasure: this package's own file uses nothing of another, and a package that is known to have arrows has some.
func TestMeasure(t *testing.T) {
	all, err := measure(".", "krama/journal")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].path != "krama/journal" || len(all[0].order) < 3 {
		t.Errorf("%+v", all)
	}
}
