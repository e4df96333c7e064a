package expr

import (
	"math/bits"

	"krama"
)

// part is a part of an expression that was checked. One evaluator serves all of them: a closure for each made the
// phone's program 16 kB larger (Brotli), and a rule took nearly twice as long.
type part struct {
	Type
	do    act
	n     int64 // a constant; bits of codes; a field's number; the form of what goes over entries
	one   int   // of a field: which part of counts, or -1
	scale int64 // of a number: what its field's unit is in thousandths
	outer bool  // a field of the entry at hand, read from inside what goes over others
	kids  []part
}

// act is what a part does. Of what goes over entries kids[0] is the condition and kids[1] the field.
type act uint8

const (
	constant act = iota // n; of a truth 1 is yes, and -1 that nothing is known
	field
	today
	negate
	and
	or
	equal
	unequal
	less
	lessOrEqual
	in     // the code is among the bits of n
	has    // all bits of n are there
	within // between kids[1] and kids[2]
	known  // whether kids[0] is known
	choose // kids[1] or kids[2]
	first  // the first of kids that is known
	size   // how many choices
	plus   // numbers; so are the next three
	minus  // the second from the first, or one below zero
	product
	ratio
	move  // a day by days; back where n is -1
	shift // a day by months; back where n is -1
	apart // days from kids[0] to kids[1]
	total // the sum of kids
	least
	most
	anyOf // of a person's entries; so is all that follows
	allOf
	count
	totalOf
	leastOf
	mostOf
	firstOf
	lastOf
)

// fixed is a part that is always the same.
func fixed(t Type, n int64) part { return part{Type: t, do: constant, n: n} }

// tri is a truth value that was evaluated.
func tri(n int64, ok bool) Tri {
	switch {
	case !ok:
		return Unknown
	case n != 0:
		return Yes
	}
	return No
}

// truth is a truth value as the evaluator has it.
func truth(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

// eval evaluates a part: a truth as 1 or 0, a number in thousandths, a day, a code, bits. ok is false where it is not
// known.
func (r *run) eval(p *part) (n int64, ok bool) {
	switch p.do {
	case constant:
		return p.n, true
	case today:
		return r.today, true
	case field:
		return r.field(p)
	case and:
		return r.decide(p, No)
	case or:
		return r.decide(p, Yes)
	case choose:
		switch tri(r.eval(&p.kids[0])) {
		case Yes:
			return r.eval(&p.kids[1])
		case No:
			return r.eval(&p.kids[2])
		}
		return 0, false
	case first:
		for i := range p.kids {
			if n, ok = r.eval(&p.kids[i]); ok {
				return n, true
			}
		}
		return 0, false
	case known:
		_, ok = r.eval(&p.kids[0])
		return truth(ok), true
	case within:
		v, a := r.eval(&p.kids[0])
		lo, b := r.eval(&p.kids[1])
		hi, d := r.eval(&p.kids[2])
		// A bound that is not known leaves open what the other does not decide.
		t := min(tri(truth(v >= lo), a && b), tri(truth(v <= hi), a && d))
		return truth(t == Yes), t != Unknown
	case total, least, most:
		for i := range p.kids {
			w, ok := r.eval(&p.kids[i])
			if ok && i > 0 {
				w, ok = join(p.do, n, w)
			}
			if !ok {
				return 0, false
			}
			n = w
		}
		return n, true
	case anyOf, allOf, count, totalOf, leastOf, mostOf:
		return r.over(p)
	case firstOf, lastOf:
		return r.pick(p)
	}
	a, ok := r.eval(&p.kids[0])
	if !ok {
		return 0, false
	}
	if len(p.kids) == 1 {
		return single(p, a)
	}
	b, ok := r.eval(&p.kids[1])
	if !ok {
		return 0, false
	}
	return double(p, a, b)
}

// single is a part that needs one value.
func single(p *part, a int64) (int64, bool) {
	switch p.do {
	case negate:
		return 1 - a, true
	case in:
		return truth(a >= 0 && a < 64 && p.n>>a&1 == 1), true
	case has:
		return truth(a&p.n == p.n), true
	case size:
		return 1000 * int64(bits.OnesCount64(uint64(a))), true
	}
	return -a, true // minus
}

// double is a part that needs two values.
func double(p *part, a, b int64) (int64, bool) {
	switch p.do {
	case equal:
		return truth(a == b), true
	case unequal:
		return truth(a != b), true
	case less:
		return truth(a < b), true
	case lessOrEqual:
		return truth(a <= b), true
	case plus:
		return add(a, b)
	case minus:
		return add(a, -b)
	case product:
		return times(a, b, 1000)
	case ratio:
		return times(a, 1000, b)
	case move:
		return moved(a, b*p.n)
	case shift:
		return shifted(a, b*p.n)
	}
	return times(b-a, 1000, 1) // apart
}

// join is one step of a sum, a least or a most.
func join(do act, a, b int64) (int64, bool) {
	switch do {
	case least, leastOf:
		return min(a, b), true
	case most, mostOf:
		return max(a, b), true
	}
	return add(a, b)
}

// field reads a field.
func (r *run) field(p *part) (int64, bool) {
	form, entry := r.form, r.entry
	if p.outer {
		form, entry = 0, 0
	}
	v, ok := r.from.Value(form, entry, int(p.n), p.one)
	switch {
	case !ok:
		return 0, false
	case p.Kind == Truth:
		return truth(v != 0), true
	case p.Kind == Number:
		return times(v, p.scale, 1)
	}
	return v, true
}

// decide is or, which one yes decides, and and, which one no does. Where somebody asks why, all are looked at, and what
// rests on others than those that decided is left out.
func (r *run) decide(p *part, by Tri) (int64, bool) {
	v := -by
	better := func(t Tri) {
		if v != by && (t == by || t == Unknown) {
			v = t
		}
	}
	if r.used == nil {
		for i := range p.kids {
			if better(tri(r.eval(&p.kids[i]))); v == by {
				break
			}
		}
		return truth(v == Yes), v != Unknown
	}
	to := r.used
	var decided, others []Used
	for i := range p.kids {
		mine := []Used{}
		r.used = &mine
		got := tri(r.eval(&p.kids[i]))
		better(got)
		if got == by {
			decided = append(decided, mine...)
		} else {
			others = append(others, mine...)
		}
	}
	if v != by {
		decided = append(decided, others...)
	}
	r.used = to
	*to = append(*to, decided...)
	return truth(v == Yes), v != Unknown
}

// over goes over the entries of a form, the oldest first.
func (r *run) over(p *part) (n int64, ok bool) {
	form, at, entry := int(p.n), r.form, r.entry
	defer func() { r.form, r.entry = at, entry }()
	where := &p.kids[0]
	switch p.do {
	case anyOf, allOf:
		by := Yes
		if p.do == allOf {
			by = No
		}
		v := -by
		for i := range r.from.Len(form) {
			r.form, r.entry = form, i
			switch t := tri(r.eval(where)); {
			case t == by:
				v = by
				r.note(form, i)
			case t == Unknown && v != by:
				v = Unknown
			}
			if v == by && r.used == nil {
				break
			}
		}
		return truth(v == Yes), v != Unknown
	}
	found := false
	for i := range r.from.Len(form) {
		r.form, r.entry = form, i
		w := int64(1000)
		if p.do != count {
			var has bool
			if w, has = r.eval(&p.kids[1]); !has {
				continue
			}
		}
		if tri(r.eval(where)) != Yes {
			continue
		}
		r.note(form, i)
		if !found {
			n, found = w, true
		} else if n, ok = join(p.do, n, w); !ok {
			return 0, false
		}
	}
	// The sum of nothing is nothing; the least of nothing is not known.
	return n, found || p.do == count || p.do == totalOf
}

// pick reads a field of the first or last entry that counts.
func (r *run) pick(p *part) (n int64, ok bool) {
	form, at, entry := int(p.n), r.form, r.entry
	defer func() { r.form, r.entry = at, entry }()
	all := r.from.Len(form)
	for i := range all {
		if p.do == lastOf {
			i = all - 1 - i
		}
		r.form, r.entry = form, i
		if tri(r.eval(&p.kids[0])) == Yes {
			r.note(form, i)
			return r.eval(&p.kids[1])
		}
	}
	return 0, false
}

// moved moves a day by a number of days.
func moved(d, n int64) (int64, bool) {
	whole, ok := days(n)
	if _, is := day(d); !ok || !is {
		return 0, false
	}
	return day(d + whole)
}

// shifted moves a day by months.
func shifted(d, months int64) (int64, bool) {
	if _, ok := day(d); !ok {
		return 0, false
	}
	return day(int64(krama.Day(d).AddMonths(int(months))))
}
