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
func (c *checker) where(n *node) (func(*run) Tri, error) {
	if len(n.kids) == 1 {
		return func(*run) Tri { return Yes }, nil
	}
	q, err := c.as(n.kids[1], Type{Kind: Truth})
	if err == nil && c.never(n.kids[1]) {
		err = fault(n.kids[1], "this can never hold")
	}
	return q.tri, err
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
	case n.text == "count" && f.Kind == Choices, joins[n.text] != nil:
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
	adds := joins[n.text] != nil
	if adds != (n.field != "") {
		return p, fault(n, "sum, min and max are of a field, as in sum(form.field where …); the others are of entries")
	}
	switch n.text {
	case "any", "exists":
		return quantifier(form, where, Yes), nil
	case "all":
		return quantifier(form, where, No), nil
	case "count":
		return part{Type: Type{Kind: Number}, num: func(r *run) (n int64, ok bool) {
			each(r, form, func(i int) bool {
				if where(r) == Yes {
					n += 1000
					r.note(form, i)
				}
				return true
			})
			return n, true
		}}, nil
	}
	f, ok = c.scope.Field(n.field)
	if !ok || f.Kind != Number && (f.Kind != Day || n.text == "sum") {
		return p, fault(n, "%s has no field %s that can be added up or compared", n.kids[0].text, n.field)
	}
	q, join, zero := c.field(f, -1, false), joins[n.text], n.text == "sum"
	return part{Type: q.Type, num: func(r *run) (v int64, ok bool) {
		ok = zero // the sum of nothing is nothing; the least of nothing is not known
		first := true
		each(r, form, func(i int) bool {
			w, has := q.num(r)
			if !has || where(r) != Yes {
				return true
			}
			r.note(form, i)
			if first {
				v, ok, first = w, true, false
			} else {
				v, ok = join(v, w)
			}
			return ok
		})
		return v, ok
	}}, nil
}

// quantifier is any, which one yes decides, or all, which one no does.
func quantifier(form int, where func(*run) Tri, decides Tri) part {
	return part{tri: func(r *run) Tri {
		out := -decides
		each(r, form, func(i int) bool {
			switch v := where(r); {
			case v == decides:
				out = decides
				r.note(form, i)
			case v == Unknown && out != decides:
				out = Unknown
			}
			return out != decides || r.used != nil
		})
		return out
	}}
}

// each goes over the entries of a form, the oldest first, until f says no.
func each(r *run, form int, f func(entry int) bool) {
	at, entry := r.form, r.entry
	for i := range r.from.Len(form) {
		if r.form, r.entry = form, i; !f(i) {
			break
		}
	}
	r.form, r.entry = at, entry
}

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
	q, last := c.field(f, -1, false), over.text == "last"
	find := func(r *run, use func()) {
		at, entry := r.form, r.entry
		n := r.from.Len(form)
		for i := range n {
			if last {
				i = n - 1 - i
			}
			if r.form, r.entry = form, i; where(r) == Yes {
				r.note(form, i)
				use()
				break
			}
		}
		r.form, r.entry = at, entry
	}
	if q.tri != nil {
		return part{tri: func(r *run) (v Tri) {
			find(r, func() { v = q.tri(r) })
			return v
		}}, nil
	}
	return part{Type: q.Type, num: func(r *run) (v int64, ok bool) {
		find(r, func() { v, ok = q.num(r) })
		return v, ok
	}}, nil
}
