package expr

// call compiles a function.
func (c *checker) call(n *node) (p part, err error) {
	switch n.text {
	case "today":
		if len(n.kids) != 0 {
			return p, fault(n, "today() takes nothing")
		}
		return part{Type: Type{Kind: Day}, do: today}, nil
	case "months":
		if len(n.kids) != 1 || n.kids[0].op != opNumber || n.kids[0].n%1000 != 0 || n.kids[0].n > 1200*1000 {
			return p, fault(n, "months() takes a whole number up to 1200")
		}
		return fixed(Type{Kind: Span}, n.kids[0].n/1000), nil
	case "days":
		kids, err := c.args(n, Type{Kind: Day}, 2)
		if err != nil {
			return p, err
		}
		return part{Type: Type{Kind: Number}, do: apart, kids: kids}, nil
	case "known":
		return c.isKnown(n)
	case "if":
		return c.choose(n)
	case "coalesce":
		return c.coalesce(n)
	case "count":
		return c.countSet(n)
	case "sum", "min", "max":
		return c.fold(n)
	}
	if aggregates[n.text] {
		return p, fault(n, "%s goes over the entries of a form: %s(form where …)", n.text, n.text)
	}
	return p, fault(n, "there is no function %s", n.text)
}

// args compiles a number of arguments of one type.
func (c *checker) args(n *node, t Type, count int) (out []part, err error) {
	if len(n.kids) != count {
		return nil, fault(n, "%s() takes %d", n.text, count)
	}
	for _, k := range n.kids {
		q, err := c.as(k, t)
		if err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	return out, nil
}

// isKnown compiles known(x): whether there is an answer. It is never unknown itself.
func (c *checker) isKnown(n *node) (p part, err error) {
	if len(n.kids) != 1 {
		return p, fault(n, "known() takes one")
	}
	q, err := c.part(n.kids[0])
	if err != nil {
		return p, err
	}
	return part{do: known, kids: []part{q}}, nil
}

// choose compiles if(condition, one, other). Without knowing the condition nothing is known.
func (c *checker) choose(n *node) (p part, err error) {
	if len(n.kids) != 3 {
		return p, fault(n, "if() takes a condition, one and other")
	}
	cond, err := c.as(n.kids[0], Type{Kind: Truth})
	if err != nil {
		return p, err
	}
	a, b, err := c.pair(&node{at: n.at, kids: n.kids[1:]})
	if err != nil {
		return p, err
	}
	return part{Type: a.Type, do: choose, kids: []part{cond, a, b}}, nil
}

// coalesce compiles coalesce(a, b): the first that is known.
func (c *checker) coalesce(n *node) (p part, err error) {
	if len(n.kids) < 2 {
		return p, fault(n, "coalesce() takes two or more")
	}
	var kids []part
	for i, k := range n.kids {
		var q part
		if i == 0 {
			q, err = c.part(k)
		} else {
			q, err = c.as(k, kids[0].Type)
		}
		if err != nil {
			return p, err
		}
		kids = append(kids, q)
	}
	return part{Type: kids[0].Type, do: first, kids: kids}, nil
}

// countSet compiles count(topics): how many choices there are.
func (c *checker) countSet(n *node) (p part, err error) {
	if len(n.kids) != 1 {
		return p, fault(n, "count() takes choices, or a form")
	}
	q, err := c.part(n.kids[0])
	if err != nil {
		return p, err
	}
	if q.Kind != Choices {
		return p, fault(n, "count() takes choices, or a form")
	}
	return part{Type: Type{Kind: Number}, do: size, kids: []part{q}}, nil
}

// fold compiles sum, min and max over what stands in the bracket: of numbers, or for min and max also of days. What
// lacks one of them is not known.
func (c *checker) fold(n *node) (p part, err error) {
	if len(n.kids) == 0 {
		return p, fault(n, "%s() takes numbers", n.text)
	}
	var kids []part
	for i, k := range n.kids {
		var q part
		if i == 0 {
			q, err = c.part(k)
		} else {
			q, err = c.as(k, kids[0].Type)
		}
		if err != nil {
			return p, err
		}
		if q.Kind != Number && (q.Kind != Day || n.text == "sum") {
			return p, fault(k, "%s() takes numbers", n.text)
		}
		kids = append(kids, q)
	}
	return part{Type: kids[0].Type, do: folds[n.text], kids: kids}, nil
}

// folds by the function's name.
var folds = map[string]act{"sum": total, "min": least, "max": most}

// between compiles sum(phq1 ... phq9).
func (c *checker) between(n *node) (p part, err error) {
	from, to := n.kids[0], n.kids[1]
	fields := c.scope.Between(from.text, to.text)
	if len(fields) == 0 || folds[n.text] == 0 {
		return p, fault(n, "%s(%s ... %s): the two are fields of this form, the first above the second",
			n.text, from.text,
			to.text)
	}
	if c.parts += len(fields); c.parts > maxNodes {
		return p, fault(n, "too long: write it as two rules")
	}
	var kids []part
	for _, f := range fields {
		if f.Kind != Number {
			return p, fault(n, "between %s and %s stands a field that is no number", from.text, to.text)
		}
		kids = append(kids, c.field(f, -1, false))
	}
	return part{Type: Type{Kind: Number}, do: folds[n.text], kids: kids}, nil
}
