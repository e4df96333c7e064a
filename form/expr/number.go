package expr

import (
	"math/bits"
	"strconv"
	"strings"
)

// Numbers and days. What leaves its bounds is not known.

// largest bounds every number, in thousandths: what leaves it is not known, on a phone as on a desk.
const largest = 1e18

// maxDay is past every day that a record may hold, and what is agreed two years ahead of the last.
const maxDay = 90000

func magnitude(a int64) int64 { return max(a, -a) }

// add adds.
func add(a, b int64) (int64, bool) {
	v := a + b // neither is beyond the largest
	return v, v <= largest && v >= -largest
}

// times multiplies and divides, towards zero, without losing what lies between. By zero nothing is known.
func times(a, b, by int64) (int64, bool) {
	if by == 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(magnitude(a)), uint64(magnitude(b)))
	d := uint64(magnitude(by))
	if hi >= d {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, d)
	if q > largest {
		return 0, false
	}
	if (a < 0) != (b < 0) != (by < 0) {
		return -int64(q), true
	}
	return int64(q), true
}

// days takes a number for whole days; with a part of one nothing is known.
func days(n int64) (int64, bool) { return n / 1000, n%1000 == 0 && n/1000 < 1e6 && n/1000 > -1e6 }

// day is a day that a calendar has; a sum beyond it is not known.
func day(d int64) (int64, bool) { return d, d > 0 && d < maxDay }

// thousandths reads 12 or 12.345, or says why not.
func thousandths(s string) (n int64, why string) {
	whole, part, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n >= largest/1000 {
		return 0, "a number that large is never known"
	}
	if len(part) > 3 {
		return 0, "a number has at most three digits behind the point"
	}
	f := int64(0)
	for i := range 3 {
		f *= 10
		if i < len(part) {
			f += int64(part[i] - '0')
		}
	}
	return n*1000 + f, ""
}
