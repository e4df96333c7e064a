package expr

import (
	"math"
	"math/bits"

	"krama"
)

// Arithmetic. It never fails: what leaves its bounds is not known.

// joins by the function's name.
var joins = map[string]func(a, b int64) (int64, bool){
	"sum": plus,
	"min": func(a, b int64) (int64, bool) { return min(a, b), true },
	"max": func(a, b int64) (int64, bool) { return max(a, b), true },
}

// most bounds every number, in thousandths: what leaves it is not known, on a phone as on a desk.
const most = math.MaxInt64 / 4

// arith compiles + - * /. A day and months make a day, a day and a number of days too; two days make a number of days.
func (c *checker) arith(n *node) (p part, err error) {
	a, err := c.part(n.kids[0])
	if err != nil {
		return p, err
	}
	b, err := c.part(n.kids[1])
	if err != nil {
		return p, err
	}
	type kinds struct {
		a, b Kind
		sign string
	}
	var f func(x, y int64) (int64, bool)
	to := Number
	switch (kinds{a.Kind, b.Kind, n.text}) {
	case kinds{Number, Number, "+"}:
		f = plus
	case kinds{Number, Number, "-"}:
		f = func(x, y int64) (int64, bool) { return plus(x, -y) }
	case kinds{Number, Number, "*"}:
		f = func(x, y int64) (int64, bool) { v, ok := times(x, y); return v / 1000, ok }
	case kinds{Number, Number, "/"}:
		f = over1000
	case kinds{Day, Number, "+"}:
		to, f = Day, func(x, y int64) (int64, bool) { return day(x + y/1000) }
	case kinds{Day, Number, "-"}:
		to, f = Day, func(x, y int64) (int64, bool) { return day(x - y/1000) }
	case kinds{Day, Span, "+"}:
		to, f = Day, func(x, y int64) (int64, bool) { return day(int64(krama.Day(x).AddMonths(int(y)))) }
	case kinds{Day, Span, "-"}:
		to, f = Day, func(x, y int64) (int64, bool) { return day(int64(krama.Day(x).AddMonths(int(-y)))) }
	case kinds{Day, Day, "-"}:
		f = func(x, y int64) (int64, bool) { return times(x-y, 1000) }
	default:
		return p, fault(n, "%s and %s cannot be joined by %s", a.describe(), b.describe(), n.text)
	}
	x, y := a.num, b.num
	return part{Type: Type{Kind: to}, num: func(r *run) (int64, bool) {
		v, ok := x(r)
		w, also := y(r)
		if !ok || !also {
			return 0, false
		}
		return f(v, w)
	}}, nil
}

// minus compiles a number below zero.
func (c *checker) minus(n *node) (p part, err error) {
	q, err := c.as(n.kids[0], Type{Kind: Number})
	if err != nil {
		return p, err
	}
	return part{Type: q.Type, num: func(r *run) (int64, bool) { v, ok := q.num(r); return -v, ok }}, nil
}

// plus adds.
func plus(a, b int64) (int64, bool) {
	v := a + b // neither is beyond most
	return v, v <= most && v >= -most
}

// times multiplies.
func times(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(magnitude(a)), uint64(magnitude(b)))
	if hi != 0 || lo > most {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(lo), true
	}
	return int64(lo), true
}

// over1000 divides thousandths, towards zero. By zero nothing is known.
func over1000(a, b int64) (int64, bool) {
	v, ok := times(a, 1000)
	if !ok || b == 0 {
		return 0, false
	}
	return v / b, true
}

func magnitude(a int64) int64 { return max(a, -a) }

// day is a day that a calendar has; a sum beyond it is not known.
func day(d int64) (int64, bool) { return d, d > 0 && d < 84006 }
