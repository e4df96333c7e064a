package expr

// Arithmetic. It never fails.

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
		f = func(x, y int64) (int64, bool) { return times(x, y, 1000) }
	case kinds{Number, Number, "/"}:
		f = func(x, y int64) (int64, bool) { return times(x, 1000, y) }
	case kinds{Day, Number, "+"}:
		to, f = Day, move
	case kinds{Day, Number, "-"}:
		to, f = Day, func(x, y int64) (int64, bool) { return move(x, -y) }
	case kinds{Day, Span, "+"}:
		to, f = Day, shift
	case kinds{Day, Span, "-"}:
		to, f = Day, func(x, y int64) (int64, bool) { return shift(x, -y) }
	case kinds{Day, Day, "-"}:
		f = func(x, y int64) (int64, bool) { return times(x-y, 1000, 1) }
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
