package krama

import (
	"slices"
	"testing"
)

// TestHoursRuns: days are said in runs of three and more.
func TestHoursRuns(t *testing.T) {
	days := func(list ...uint8) (s Set) {
		for _, d := range list {
			s = s.With(d)
		}
		return s
	}
	for name, c := range map[string]struct {
		days Set
		want [][2]uint8
	}{
		"working days": {days(1, 2, 3, 4, 5), [][2]uint8{{1, 5}}},
		"two in a row": {days(6, 7), [][2]uint8{{6, 6}, {7, 7}}},
		"mixed":        {days(1, 3, 4, 5, 7), [][2]uint8{{1, 1}, {3, 5}, {7, 7}}},
		"all":          {0xfe, [][2]uint8{{1, 7}}},
		"none":         {0, nil},
	} {
		if got := (Hours{Days: c.days}).Runs(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if !(Hours{Days: 0xfe, Close: 1440}).Always() || (Hours{Days: 0xfe, Close: 1439}).Always() {
		t.Error("what never closes is all days from 0 to 24")
	}
	for m, want := range map[uint16]string{0: "00:00", 450: "07:30", 1439: "23:59", 1440: "24:00"} {
		if got := Clock(m); got != want {
			t.Errorf("%d minutes: %s, want %s", m, got, want)
		}
	}
}
