package expr

// What goes over the entries of a person.

// Sum is the part of counts that is all of them together.
const Sum = -2

// form enters the form of an aggregate: c.scope are its fields until leave is called.
func (c *checker) form(n *node) (form int, leave func(), err error) {
	name := n.kids[0]
	if c.inside != 0 {
		return 0, nil, fault(n, "what goes over entries cannot stand within another")
	}
	form, fields, ok := c.scope.Form(name.text)
	if !ok {
		return 0, nil, fault(name, "there is no form %s", name.text)
	}
	outer := c.scope
	c.scope, c.inside, c.others = fields, form, true
	return form, func() { c.scope, c.inside = outer, 0 }, nil
}

// where compiles the condition of an aggregate; without one every entry counts.
func (c *checker) where(n *node) (part, error) {
	if len(n.kids) == 1 {
		return fixed(Type{}, 1), nil
	}
	q, err := c.as(n.kids[1], Type{Kind: Truth})
	if err == nil && c.never(n.kids[1]) {
		err = fault(n.kids[1], "this can never hold")
	}
	return q, err
}

// over compiles what goes over the entries of a form. Where it is not known whether an entry counts, it does not; any
// and all are unknown then, unless another entry decides.
func (c *checker) over(n *node) (p part, err error) {
	// count(topics), sum(given) and max(weight) are written like count(contact): where there is such a field, it is
	// meant.
	f, ok := c.scope.Field(n.kids[0].text)
	switch {
	case ok && f.Kind == Counts && n.field != "" && len(n.kids) == 1: // sum(given.condom)
		dot := &node{op: opDot, at: n.at, text: n.field, kids: n.kids}
		return c.call(&node{op: opCall, at: n.at, text: n.text, kids: []*node{dot}})
	case !ok || len(n.kids) > 1 || n.field != "":
	case n.text == "sum" && f.Kind == Counts:
		return c.field(f, Sum, false), nil
	case n.text == "count" && f.Kind == Choices, folds[n.text] != 0:
		return c.call(&node{op: opCall, at: n.at, text: n.text, kids: n.kids})
	}
	if n.text == "first" || n.text == "last" {
		return p, fault(n, "of %s(…) a field is meant: write a point and its name behind it", n.text)
	}
	form, leave, err := c.form(n)
	if err != nil {
		return p, err
	}
	defer leave()
	where, err := c.where(n)
	if err != nil {
		return p, err
	}
	adds := folds[n.text] != 0
	if adds != (n.field != "") {
		return p, fault(n, "sum, min and max are of a field, as in sum(form.field where …); the others are of entries")
	}
	out := part{do: goesOver[n.text], n: int64(form), kids: []part{where}}
	if !adds {
		if out.do == count {
			out.Kind = Number
		}
		return out, nil
	}
	f, ok = c.scope.Field(n.field)
	if !ok || f.Kind != Number && (f.Kind != Day || n.text == "sum") {
		return p, fault(n, "%s has no field %s that can be added up or compared", n.kids[0].text, n.field)
	}
	q := c.field(f, -1, false)
	out.Type, out.kids = q.Type, append(out.kids, q)
	return out, nil
}

// goesOver are the acts over entries, by the function's name.
var goesOver = map[string]act{"any": anyOf, "exists": anyOf, "all": allOf, "count": count, "sum": totalOf,
	"min": leastOf, "max": mostOf, "first": firstOf, "last": lastOf}

// one compiles last(form where …).field.
func (c *checker) one(over, dot *node) (p part, err error) {
	if over.field != "" {
		return p, fault(over, "write %s(%s where …).%s", over.text, over.kids[0].text, over.field)
	}
	form, leave, err := c.form(over)
	if err != nil {
		return p, err
	}
	defer leave()
	where, err := c.where(over)
	if err != nil {
		return p, err
	}
	f, ok := c.scope.Field(dot.text)
	if !ok || f.Kind == Counts {
		return p, fault(dot, "%s has no field %s that could be read so", over.kids[0].text, dot.text)
	}
	q := c.field(f, -1, false)
	return part{Type: q.Type, do: goesOver[over.text], n: int64(form), kids: []part{where, q}}, nil
}
