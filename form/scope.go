package form

import "krama/form/expr"

// scope is what names mean in the rules of a form.
type scope struct {
	set *Set
	*Form
	other bool // of an entry that is gone over, not of the one at hand
}

// Field is a field as rules see it. Notes have no answer.
func (s scope) Field(name string) (expr.Field, bool) {
	f := s.Form.Field(name)
	// The score of another entry would be calculated for each, and might go over entries itself.
	if f == nil || !f.readable() || s.other && f.Type == Score {
		return expr.Field{}, false
	}
	return f.seen(), true
}

// readable reports whether rules can read a field: notes have no answer, and an id or code drawn by chance says
// nothing.
func (f *Field) readable() bool {
	switch f.Type {
	case Note, Drawn, EntryID, Entries, Listing, Thread:
		return false
	}
	return true
}

// seen is the field's type in the language of rules.
func (f *Field) seen() expr.Field {
	out := expr.Field{N: f.N, Decimals: f.Decimals}
	switch f.Type {
	case Choice, YesNo:
		out.Type = expr.Type{Kind: expr.Choice, List: f.List.Name}
	case Choices:
		out.Type = expr.Type{Kind: expr.Choices, List: f.List.Name}
	case Counts:
		out.Type = expr.Type{Kind: expr.Counts, List: f.List.Name}
	case Flag:
		out.Kind = expr.Truth
	case DayType:
		out.Kind = expr.Day
	case Score:
		out.Kind, out.Decimals = expr.Number, 3
	default:
		out.Kind = expr.Number
	}
	return out
}

// Between gives the fields from one to another.
func (s scope) Between(from, to string) (out []expr.Field) {
	for _, f := range s.fields {
		if f.Name == from || len(out) > 0 {
			if f.readable() {
				out = append(out, f.seen())
			}
			if f.Name == to && len(out) > 0 {
				return out
			}
		}
	}
	return nil
}

// Code finds a code of a list.
func (s scope) Code(list, key string) (uint8, bool) {
	l := s.set.lists[list]
	if l == nil {
		return 0, false
	}
	c, ok := l.Key(key)
	return c.N, ok
}

// forms finds a form that can be gone over, by its place in the set, from 1: one of the same circle, whose entries too
// are about a person. What another circle knows about her does not decide what is asked in this one.
func (s scope) forms(name string) (int, *Form) {
	for i, f := range s.set.forms {
		if f.Name == name && !s.other && s.Person && f.Person && f.Circle == s.Circle {
			return i + 1, f
		}
	}
	return 0, nil
}

// inRules is scope as expr asks for it: Form is a field's name in it, and a method there.
type inRules struct{ scope }

// Form finds a form whose entries of one person can be gone over.
func (s inRules) Form(name string) (int, expr.Scope, bool) {
	n, f := s.forms(name)
	if f == nil {
		return 0, nil, false
	}
	return n, inRules{scope{s.set, f, true}}, true
}
