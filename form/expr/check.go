package expr

import (
	"fmt"
	"slices"
)

// Compile checks an expression that is to be of a kind. The error is an *Error.
func Compile(src string, s Scope, want Kind) (*Rule, error) {
	n, err := parse(src)
	if err != nil {
		return nil, err
	}
	c := &checker{here: s, scope: s, reads: map[int]bool{}}
	p, err := c.part(n)
	if err != nil {
		return nil, err
	}
	if p.Kind != want {
		return nil, &Error{n.at, fmt.Sprintf("this is %s and should be %s", p.Kind, want)}
	}
	if want == Truth && c.never(n) {
		return nil, &Error{n.at, "this can never hold"}
	}
	r := &Rule{Source: src, Type: p.Type, Others: c.others, part: p}
	for f := range c.reads {
		r.Reads = append(r.Reads, f)
	}
	slices.Sort(r.Reads)
	return r, nil
}

// part compiles a node that must have a type by itself.
func (c *checker) part(n *node) (p part, err error) {
	switch n.op {
	case opName:
		return c.name(n)
	case opCode:
		return p, fault(n, "the code '%s' can only stand beside a choice", n.text)
	case opNumber:
		return fixed(Type{Kind: Number}, n.n), nil
	case opTruth:
		return fixed(Type{}, n.n), nil
	case opSet:
		return p, fault(n, "a set can only stand behind in or has")
	case opDot:
		return c.dot(n)
	case opCall:
		return c.call(n)
	case opOver:
		return c.over(n)
	case opRange:
		return c.between(n)
	case opNot, opAnd, opOr:
		return c.logic(n)
	case opCompare:
		return c.compare(n)
	case opIn:
		return c.in(n)
	case opHas:
		return c.has(n)
	case opBetween:
		return c.within(n)
	case opArith:
		return c.arith(n)
	}
	return c.minus(n)
}

// name compiles a field's name.
func (c *checker) name(n *node) (p part, err error) {
	f, ok := c.scope.Field(n.text)
	switch {
	case !ok:
		if _, _, form := c.scope.Form(n.text); form {
			return p, fault(n, "%s is a form: it can be gone over with any, all, count, sum, first or last", n.text)
		}
		return p, fault(n, "there is no field %s", n.text)
	case f.Kind == Counts:
		return p, fault(n, "of %s one number is meant: write %s and a point and its code, or sum(%s)", n.text, n.text,
			n.text)
	}
	return c.field(f, -1, false), nil
}

// dot compiles given.condom, this.date and last(…).date.
func (c *checker) dot(n *node) (p part, err error) {
	of := n.kids[0]
	switch {
	case of.op == opOver && (of.text == "first" || of.text == "last"):
		return c.one(of, n)
	case of.op != opName:
		return p, fault(n, "a point can stand behind counts, this, first(…) and last(…)")
	case of.text == "this":
		f, ok := c.here.Field(n.text)
		if !ok || f.Kind == Counts {
			return p, fault(n, "there is no field %s in the entry at hand that could be read so", n.text)
		}
		return c.field(f, -1, true), nil
	}
	f, ok := c.scope.Field(of.text)
	if !ok || f.Kind != Counts {
		return p, fault(of, "%s is not counts: nothing of it can stand behind a point", of.text)
	}
	code, ok := c.scope.Code(f.List, n.text)
	if !ok {
		return p, fault(n, "the list %s has no %s", f.List, n.text)
	}
	return c.field(f, int(code), false), nil
}

// pair compiles two parts of one type. A code takes its list from the other side.
func (c *checker) pair(n *node) (a, b part, err error) {
	left, right := n.kids[0], n.kids[1]
	if c.bare(left) && !c.bare(right) {
		if b, err = c.part(right); err == nil {
			a, err = c.as(left, b.Type)
		}
	} else if a, err = c.part(left); err == nil {
		b, err = c.as(right, a.Type)
	}
	return a, b, err
}

// bare reports whether a node can only be a code.
func (c *checker) bare(n *node) bool {
	if n.op != opName {
		return n.op == opCode
	}
	_, ok := c.scope.Field(n.text)
	return !ok
}

// as compiles a node that must be of a type.
func (c *checker) as(n *node, t Type) (part, error) {
	if (n.op == opName || n.op == opCode) && t.Kind == Choice {
		_, field := c.scope.Field(n.text)
		field = field && n.op == opName
		code, ok := c.scope.Code(t.List, n.text)
		switch {
		case ok && field:
			return part{}, fault(n, "%s is a field and a code of %s: write the code as '%s'", n.text, t.List, n.text)
		case ok:
			return fixed(Type{Choice, t.List}, int64(code)), nil
		case !field:
			return part{}, fault(n, "the list %s has no %s", t.List, n.text)
		}
	}
	p, err := c.part(n)
	if err == nil && p.Type != t {
		err = fault(n, "this is %s and should be %s", p.describe(), describe(t))
	}
	return p, err
}

// logic compiles not, and, or.
func (c *checker) logic(n *node) (p part, err error) {
	out := part{do: map[op]act{opNot: negate, opAnd: and, opOr: or}[n.op]}
	for _, k := range n.kids {
		q, err := c.as(k, Type{Kind: Truth})
		if err != nil {
			return p, err
		}
		out.kids = append(out.kids, q)
	}
	return out, nil
}

// compare compiles = != < <= > >=.
func (c *checker) compare(n *node) (p part, err error) {
	for _, k := range n.kids {
		if f, ok := c.scope.Field(k.text); ok && k.op == opName && f.Kind == Choices {
			return p, fault(n, "%s cannot be compared: use has", describe(f.Type))
		}
	}
	a, b, err := c.pair(n)
	if err != nil {
		return p, err
	}
	ordered := a.Kind == Number || a.Kind == Day
	if a.Kind != Choice && !ordered {
		return p, fault(n, "%s cannot be compared with %s", a.describe(), n.text)
	}
	if a.Kind == Choice && n.text != "=" && n.text != "!=" {
		return p, fault(n, "of codes none is more than another: use =, != or in")
	}
	if n.text[0] == '>' {
		a, b = b, a
	}
	return part{do: comparisons[n.text], kids: []part{a, b}}, nil
}

// comparisons by their sign; > and >= are < and <= of the two exchanged.
var comparisons = map[string]act{"=": equal, "!=": unequal, "<": less, ">": less, "<=": lessOrEqual, ">=": lessOrEqual}

// in compiles test in {accepted, referred}: the choice is one of them.
func (c *checker) in(n *node) (p part, err error) {
	a, err := c.part(n.kids[0])
	if err != nil {
		return p, err
	}
	if a.Kind != Choice || n.kids[1].op != opSet {
		return p, fault(n, "in stands between a choice and codes in braces")
	}
	bits, err := c.codes(n.kids[1], a.List)
	if err != nil {
		return p, err
	}
	return part{do: in, n: bits, kids: []part{a}}, nil
}

// has compiles topics has prep and topics has {prep, hiv}: all of them are among the choices.
func (c *checker) has(n *node) (p part, err error) {
	a, err := c.part(n.kids[0])
	if err != nil {
		return p, err
	}
	if a.Kind != Choices {
		return p, fault(n, "has stands behind choices")
	}
	bits, err := c.codes(n.kids[1], a.List)
	if err != nil {
		return p, err
	}
	return part{do: has, n: bits, kids: []part{a}}, nil
}

// within compiles a between b and c, both ends included.
func (c *checker) within(n *node) (p part, err error) {
	var t Type
	out := part{do: within}
	for i, k := range n.kids {
		q, err := c.part(k)
		if err != nil {
			return p, err
		}
		if i == 0 {
			if t = q.Type; t.Kind != Number && t.Kind != Day {
				return p, fault(n, "%s cannot lie between two", q.describe())
			}
		} else if q.Type != t {
			return p, fault(k, "this is %s and should be %s", q.describe(), describe(t))
		}
		out.kids = append(out.kids, q)
	}
	return out, nil
}
