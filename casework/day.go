package casework

import (
	"bytes"
	"cmp"
	"slices"

	"krama"
)

// When something was said, and days that a reader's clock bears out.

// said is where a record stands among those of one day: by when it was typed, and then by its id.
type said struct {
	Written uint32 // krama.Record
	Record  krama.RecordID
}

// compare orders what was said of one thing: by when it was written, then by record, so that every device agrees.
func (a said) compare(b said) int {
	return cmp.Or(cmp.Compare(a.Written, b.Written), bytes.Compare(a.Record[:], b.Record[:]))
}

// before reports whether a goes before b.
func (a said) before(b said) bool { return a.compare(b) < 0 }

// add puts a day into a sorted list of days, once.
func add(days []krama.Day, d krama.Day) []krama.Day {
	at, there := slices.BinarySearch(days, d)
	if there {
		return days
	}
	return slices.Insert(days, at, d)
}

// latest is the newest of sorted days that a reader's clock bears out; today where all are ahead of it, because it was
// done on some day, and 0 if there is none.
func latest(days []krama.Day, today krama.Day) krama.Day {
	for _, d := range slices.Backward(days) {
		if !ahead(d, today) {
			return d
		}
	}
	if len(days) > 0 {
		return today
	}
	return 0
}

// ahead reports whether a day has not come where the reader is. What a phone dated so, whose clock was wrong, decides
// nothing. One day is not held against it: midnight does not come everywhere at once.
func ahead(d, today krama.Day) bool { return d > today+1 }
