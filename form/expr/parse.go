package expr

import (
	"strings"
)

// node is a part of an expression as it was written.
type node struct {
	op   op
	at   int
	text string // of a name, a code, a function
	n    int64  // of a number, in thousandths
	kids []*node
	// of an aggregate: the form is text; field is what is added up or looked at, "" for the entries themselves; where
	// is kids[0] if there is one
	field string
}

type op uint8

const (
	opName   op = iota // a field, or a code where its neighbour says so
	opCode             // a quoted code
	opNumber           // thousandths
	opTruth            // true or false
	opSet              // {a, b}
	opDot              // given.condom, this.date, last(…).date: kids[0] is what stands before
	opCall             // today(), days(a, b)
	opOver             // any(form where …)
	opRange            // phq1 ... phq9, in a sum
	opNot
	opAnd
	opOr
	opCompare // text is the sign
	opIn
	opHas
	opBetween
	opArith // text is the sign
	opMinus
)

// maxDepth bounds how deep an expression nests, maxNodes how many parts it has: each costs time at every evaluation.
const maxDepth, maxNodes = 80, 400

// parser reads an expression from its words.
type parser struct {
	in    []token
	depth int
	nodes int
}

// parse reads a whole expression.
func parse(src string) (*node, error) {
	in, err := words(src)
	if err != nil {
		return nil, err
	}
	p := &parser{in: in}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != end {
		return nil, &Error{t.at, "nothing should stand here: " + t.text}
	}
	return n, nil
}

func (p *parser) peek() token { return p.in[0] }

func (p *parser) next() token {
	t := p.in[0]
	if t.kind != end {
		p.in = p.in[1:]
	}
	return t
}

// word takes a word of the language if it comes next.
func (p *parser) word(w string) bool {
	if t := p.peek(); t.kind == name && t.text == w {
		p.next()
		return true
	}
	return false
}

// mark takes a sign if it comes next.
func (p *parser) mark(s string) bool {
	if t := p.peek(); t.kind == sign && t.text == s {
		p.next()
		return true
	}
	return false
}

// need takes a sign that must come next.
func (p *parser) need(s string) error {
	if t := p.peek(); !p.mark(s) {
		return &Error{t.at, "expected " + s}
	}
	return nil
}

// make counts a part, so that no source makes more of them than a phone can carry.
func (p *parser) make(n node) (*node, error) {
	if p.nodes++; p.nodes > maxNodes {
		return nil, &Error{n.at, "too long: write it as two rules"}
	}
	return &n, nil
}

// chain reads operands with one operator between them.
func (p *parser) chain(w string, o op, each func() (*node, error)) (*node, error) {
	first, err := each()
	if err != nil {
		return nil, err
	}
	kids := []*node{first}
	for at := p.peek().at; p.word(w); {
		k, err := each()
		if err != nil {
			return nil, err
		}
		if kids = append(kids, k); len(kids) > maxNodes {
			return nil, &Error{at, "too long: write it as two rules"}
		}
	}
	if len(kids) == 1 {
		return first, nil
	}
	return p.make(node{op: o, at: first.at, kids: kids})
}

func (p *parser) or() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, &Error{p.peek().at, "too many brackets within brackets"}
	}
	defer func() { p.depth-- }()
	return p.chain("or", opOr, p.and)
}

func (p *parser) and() (*node, error) { return p.chain("and", opAnd, p.not) }

func (p *parser) not() (*node, error) {
	at, nots := p.peek().at, 0
	for p.word("not") {
		nots++
	}
	n, err := p.compare()
	if err != nil || nots%2 == 0 {
		return n, err
	}
	return p.make(node{op: opNot, at: at, kids: []*node{n}})
}

func (p *parser) compare() (*node, error) {
	a, err := p.sum()
	if err != nil {
		return nil, err
	}
	t := p.peek()
	switch {
	case p.word("in"), p.word("has"):
		b, err := p.sum()
		if err != nil {
			return nil, err
		}
		o := opIn
		if t.text == "has" {
			o = opHas
		}
		return p.make(node{op: o, at: t.at, kids: []*node{a, b}})
	case p.word("between"):
		b, err := p.sum()
		if err != nil {
			return nil, err
		}
		if at := p.peek().at; !p.word("and") {
			return nil, &Error{at, "expected and"}
		}
		c, err := p.sum()
		if err != nil {
			return nil, err
		}
		return p.make(node{op: opBetween, at: t.at, kids: []*node{a, b, c}})
	case t.kind == sign && strings.Contains(" = != < <= > >= ", " "+t.text+" "):
		p.next()
		b, err := p.sum()
		if err != nil {
			return nil, err
		}
		return p.make(node{op: opCompare, at: t.at, text: t.text, kids: []*node{a, b}})
	}
	return a, nil
}

func (p *parser) sum() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, &Error{p.peek().at, "too many brackets within brackets"}
	}
	defer func() { p.depth-- }()
	return p.arith("+-", p.product)
}

func (p *parser) product() (*node, error) { return p.arith("*/", p.unary) }

func (p *parser) unary() (*node, error) {
	at := p.peek().at
	if !p.mark("-") {
		return p.dotted()
	}
	n, err := p.dotted()
	if err != nil {
		return nil, err
	}
	return p.make(node{op: opMinus, at: at, kids: []*node{n}})
}

// dotted reads a primary, and what of it is meant.
func (p *parser) dotted() (*node, error) {
	n, err := p.primary()
	for err == nil && p.mark(".") {
		t := p.next()
		if t.kind != name && t.kind != quoted {
			return nil, &Error{t.at, "expected a name behind the point"}
		}
		n, err = p.make(node{op: opDot, at: t.at, text: t.text, kids: []*node{n}})
	}
	return n, err
}

// words of the language, which no field, form or code that stands alone may have.
var reserved = map[string]bool{"and": true, "or": true, "not": true, "in": true, "has": true, "between": true,
	"where": true, "true": true, "false": true, "if": true, "this": true}

// aggregates go over the entries of a form.
var aggregates = map[string]bool{"any": true, "all": true, "exists": true, "count": true, "sum": true, "min": true,
	"max": true, "first": true, "last": true}

func (p *parser) primary() (*node, error) {
	t := p.next()
	switch {
	case t.kind == number:
		n, why := thousandths(t.text)
		if why != "" {
			return nil, &Error{t.at, why}
		}
		return p.make(node{op: opNumber, at: t.at, n: n})
	case t.kind == quoted:
		return p.make(node{op: opCode, at: t.at, text: t.text})
	case t.kind == sign && t.text == "(":
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		return n, p.need(")")
	case t.kind == sign && t.text == "{":
		kids, err := p.list("}", p.sum)
		if err != nil {
			return nil, err
		}
		return p.make(node{op: opSet, at: t.at, kids: kids})
	case t.kind == name && (t.text == "true" || t.text == "false"):
		n := node{op: opTruth, at: t.at}
		if t.text == "true" {
			n.n = 1
		}
		return p.make(n)
	case t.kind == name && (!reserved[t.text] || t.text == "if" || t.text == "this"):
		if p.mark("(") {
			return p.call(t)
		}
		if t.text == "if" {
			return nil, &Error{t.at, "if is written if(condition, one, other)"}
		}
		return p.make(node{op: opName, at: t.at, text: t.text})
	case t.kind == end:
		return nil, &Error{t.at, "something is missing at the end"}
	}
	return nil, &Error{t.at, "this cannot stand here: " + t.text}
}

// list reads what stands between commas up to a closing sign.
func (p *parser) list(closing string, each func() (*node, error)) (kids []*node, err error) {
	if p.mark(closing) {
		return nil, nil
	}
	for {
		k, err := each()
		if err != nil {
			return nil, err
		}
		if kids = append(kids, k); p.mark(closing) {
			return kids, nil
		}
		if err := p.need(","); err != nil {
			return nil, err
		}
	}
}

// call reads a function's arguments behind its bracket. An aggregate's first is a form, perhaps with a field of it; the
// checker decides whether a name is a form or a field.
func (p *parser) call(f token) (*node, error) {
	if aggregates[f.text] && p.peek().kind == name && !reserved[p.peek().text] {
		// Tried as an aggregate; anything but "form", "form.field" and "where" behind them is an ordinary call.
		saved := *p
		form, field := p.next(), ""
		if p.mark(".") {
			t := p.next()
			if t.kind != name {
				return nil, &Error{t.at, "expected a name behind the point"}
			}
			field = t.text
		}
		if p.word("where") {
			n, err := p.or()
			if err == nil {
				err = p.need(")")
			}
			if err != nil {
				return nil, err
			}
			return p.make(node{op: opOver, at: f.at, text: f.text, field: field, kids: []*node{
				{op: opName, at: form.at, text: form.text}, n}})
		}
		if p.mark(")") {
			return p.make(node{op: opOver, at: f.at, text: f.text, field: field, kids: []*node{
				{op: opName, at: form.at, text: form.text}}})
		}
		if field == "" && p.mark("...") {
			to := p.next()
			if to.kind != name {
				return nil, &Error{to.at, "expected a field behind the dots"}
			}
			if err := p.need(")"); err != nil {
				return nil, err
			}
			return p.make(node{op: opRange, at: f.at, text: f.text, kids: []*node{
				{op: opName, at: form.at, text: form.text}, {op: opName, at: to.at, text: to.text}}})
		}
		*p = saved
	}
	kids, err := p.list(")", p.or)
	if err != nil {
		return nil, err
	}
	return p.make(node{op: opCall, at: f.at, text: f.text, kids: kids})
}

// Reserved reports whether a word belongs to the language: a field of that name could be read by no rule.
func Reserved(word string) bool { return reserved[word] }
func (p *parser) arith(of string, each func() (*node, error)) (*node, error) {
	a, err := each()
	for err == nil {
		t := p.peek()
		if t.kind != sign || len(t.text) != 1 || !strings.Contains(of, t.text) {
			break
		}
		p.next()
		var b *node
		if b, err = each(); err != nil {
			break
		}
		a, err = p.make(node{op: opArith, at: t.at, text: t.text, kids: []*node{a, b}})
	}
	return a, err
}
