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
	out := part{Type: Type{Kind: Number}, kids: []part{a, b}}
	switch (kinds{a.Kind, b.Kind, n.text}) {
	case kinds{Number, Number, "+"}:
		out.do = plus
	case kinds{Number, Number, "-"}:
		out.do = minus
	case kinds{Number, Number, "*"}:
		out.do = product
	case kinds{Number, Number, "/"}:
		out.do = ratio
	case kinds{Day, Number, "+"}:
		out.Kind, out.do, out.n = Day, move, 1
	case kinds{Day, Number, "-"}:
		out.Kind, out.do, out.n = Day, move, -1
	case kinds{Day, Span, "+"}:
		out.Kind, out.do, out.n = Day, shift, 1
	case kinds{Day, Span, "-"}:
		out.Kind, out.do, out.n = Day, shift, -1
	case kinds{Day, Day, "-"}:
		out.do, out.kids = apart, []part{b, a}
	default:
		return p, fault(n, "%s and %s cannot be joined by %s", a.describe(), b.describe(), n.text)
	}
	return out, nil
}

// minus compiles a number below zero.
func (c *checker) minus(n *node) (p part, err error) {
	q, err := c.as(n.kids[0], Type{Kind: Number})
	return part{Type: q.Type, do: minus, kids: []part{q}}, err
}
