package expr

import "fmt"

// What the checking of an expression knows while it goes on.

// checker turns what was written into what can be evaluated, or says why it cannot.
type checker struct {
	here   Scope // of the entry at hand
	scope  Scope // what names mean: here, or inside an aggregate the fields of its form
	inside int   // the form of the aggregate, 0 outside of any
	reads  map[int]bool
	others bool // it goes over a person's other entries
	parts  int  // of ranges, which are one part as they are written
}

// field compiles the reading of a field; outer reads it of the entry at hand from inside an aggregate.
func (c *checker) field(f Field, one int, outer bool) part {
	if outer || c.inside == 0 {
		c.reads[f.N] = true
	}
	t := f.Type
	if t.Kind == Counts {
		t = Type{Kind: Number}
	}
	scale := int64(1)
	if t.Kind == Number {
		for range 3 - min(3, f.Decimals) {
			scale *= 10
		}
	}
	return part{Type: t, do: field, n: int64(f.N), one: one, scale: scale, outer: outer}
}

// codes reads a set of codes of a list as bits.
func (c *checker) codes(n *node, list string) (bits int64, err error) {
	kids := n.kids
	if n.op != opSet {
		kids = []*node{n}
	}
	if len(kids) == 0 {
		return 0, fault(n, "an empty set")
	}
	for _, k := range kids {
		if k.op != opName && k.op != opCode {
			return 0, fault(k, "a set holds codes")
		}
		code, ok := c.scope.Code(list, k.text)
		if !ok || code > 63 {
			return 0, fault(k, "the list %s has no %s", list, k.text)
		}
		bits |= 1 << code
	}
	return bits, nil
}

// fault is an error at a node.
func fault(n *node, format string, args ...any) error {
	return &Error{n.at, fmt.Sprintf(format, args...)}
}

func (p part) describe() string { return describe(p.Type) }

func describe(t Type) string {
	if t.List == "" {
		return t.Kind.String()
	}
	return t.Kind.String() + " of " + t.List
}
