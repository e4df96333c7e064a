// Package expr is the one language that rules of forms are written in: when a question is asked, what an answer must
// be, what is calculated, what is due, who is on a working list, what is counted.
//
// It is typed and total: an expression is checked when it is loaded, every evaluation ends, and none has a side effect
// or fails. What is not known stays unknown, in three-valued logic: not known and no is no, not known or yes is yes,
// and anything else that rests on what is not known is not known. Numbers are whole thousandths and days are whole
// days, so that a phone and a desk find the same. What stands in form files and comes from other programmes is read as
// hostile: length, depth and parts are bounded, and so is work, by the number of parts times the entries of one person.
//
// The language is described for those who write forms in doc/forms.md.
package expr

import (
	"krama"
)

// Kind is what a value is.
type Kind uint8

// Kinds of values.
const (
	Truth   Kind = iota // yes, no or not known
	Number              // thousandths
	Day                 // days since 1970
	Choice              // a code of a list
	Choices             // codes of a list, bit i for code i
	Counts              // a number for each code of a list: a field can be of it, a value cannot
	Span                // months, to be added to a day
)

// String names a kind as messages about expressions do.
func (k Kind) String() string {
	return [...]string{"a yes or no", "a number", "a day", "a choice", "choices", "counts", "months"}[k]
}

// Type is a kind and, of choices and counts, the name of the list of codes.
type Type struct {
	Kind Kind
	List string
}

// Tri is a truth value that may be unknown. The lesser of two is their and, the greater their or.
type Tri int8

// Truth values.
const (
	No      Tri = -1
	Unknown Tri = 0
	Yes     Tri = 1
)

// Field is a field as expressions see it.
type Field struct {
	Type
	N        int // its number in its form
	Decimals int // of a number: how many of its digits stand behind the point, 0 to 3
}

// Scope is what the names of an expression mean.
type Scope interface {
	// Field finds a field of the entry at hand.
	Field(name string) (Field, bool)
	// Between gives the fields from one to another in the form's order, both within it; nil where there is no such
	// order.
	Between(from, to string) []Field
	// Code finds a code of a list by its key.
	Code(list, key string) (code uint8, ok bool)
	// Form finds a form whose entries of one person can be gone over: its number, from 1, and its fields.
	Form(name string) (form int, fields Scope, ok bool)
}

// Source is what an expression is evaluated over: one entry at hand, and the entries of the person it is about.
type Source interface {
	// Len is how many entries of a form there are; of form 0, the entry at hand, it is not asked.
	Len(form int) int
	// Value reads a field of an entry, the oldest first: of counts the part with that code, else part is -1. Numbers
	// are as the field holds them, choices are codes, several are bits. ok is false where there is no answer.
	Value(form, entry, field, part int) (n int64, ok bool)
}

// Rule is an expression that was checked. It is safe for concurrent use.
type Rule struct {
	Source string
	Type   Type
	// Reads are the numbers of fields of the entry at hand that it reads, in rising order.
	Reads []int
	// Others tells that it goes over a person's other entries: without them it says nothing.
	Others bool
	part   part
}

// Used is an entry that a result rests on.
type Used struct{ Form, Entry int }

// run is one evaluation.
type run struct {
	today       int64
	from        Source
	form, entry int     // what names mean now; 0, 0 is the entry at hand
	used        *[]Used // nil where nobody asks
}

// Truth evaluates a rule of kind Truth; of any other kind it is Unknown.
func (r *Rule) Truth(today krama.Day, from Source) Tri {
	if r.Type.Kind != Truth {
		return Unknown
	}
	return tri((&run{today: int64(today), from: from}).eval(&r.part))
}

// Value evaluates a rule of any other kind: thousandths, days, a code or bits. Nothing is known of a truth.
func (r *Rule) Value(today krama.Day, from Source) (n int64, ok bool) {
	if r.Type.Kind == Truth {
		return 0, false
	}
	return (&run{today: int64(today), from: from}).eval(&r.part)
}

// Explain gives the person's entries that the result rests on, each once, in the order they were looked at: of any
// those for which it holds, of all those for which it does not, of a count or sum those that were counted, of first
// and last that entry.
func (r *Rule) Explain(today krama.Day, from Source) []Used {
	var used []Used
	x := &run{today: int64(today), from: from, used: &used}
	x.eval(&r.part)
	seen := map[Used]bool{}
	out := used[:0]
	for _, u := range used {
		if !seen[u] {
			seen[u] = true
			out = append(out, u)
		}
	}
	return out
}

// note remembers an entry for Explain.
func (r *run) note(form, entry int) {
	if r.used != nil {
		*r.used = append(*r.used, Used{form, entry})
	}
}
