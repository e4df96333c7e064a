// Package form is what a record says, as data: one declaration for each kind of record, from which its page, its
// checks, its bytes, its line in an archive and its printed sheet are made. It reads and judges declarations and
// entries; it draws nothing, keeps nothing and calls nobody.
//
// A form's field numbers are the keys of its CBOR for ever: a number never changes its type or meaning and is never
// used again. Kinds of record that are older than forms keep the bytes they always had (Form.Part).
//
// There is no type for a name, a telephone number, an address, a coordinate, a picture or an amount earned: who adds a
// question cannot add one of these by accident. Every field but a few says who is hurt if it is read (harm).
package form

import (
	"krama"
	"krama/form/expr"
)

// Type is what an answer is.
type Type string

// Types of fields.
const (
	Choice   Type = "choice"   // one code of a list
	Choices  Type = "choices"  // codes of a list
	YesNo    Type = "yesno"    // yes, no, not known, not said: the list of that name
	Flag     Type = "flag"     // set or not, as in kinds older than yesno
	Number   Type = "number"   // from Min to Max, whole or with Decimals
	Counts   Type = "counts"   // a whole number for each code of a list, by its code's place
	DayType  Type = "day"      // a calendar day
	District Type = "district" // a district of the programme's area, 0 outside of it
	Score    Type = "score"    // a number that is calculated
	Note     Type = "note"     // words that are shown; it has no answer
	Drawn    Type = "code"     // characters drawn by chance, of a Format
	EntryID  Type = "entry"    // another record
	Entries  Type = "entries"  // other records, Max at most
	Listing  Type = "listing"  // a service of the directory
	Thread   Type = "thread"   // a conversation
)

// Form is one kind of record.
type Form struct {
	Name     string           // lower case, as in contact; the beginning of the keys of its words
	Part     int              // its key in a record
	Revision int              // from 1
	Circle   krama.CircleKind // where its entries stand
	Person   bool             // an entry is about a registered person
	Source   Source
	Groups   []Group
	fields   []*Field // all of them, in the order of the screen
}

// Source says where a form's questions come from, and who has held them against it. VerifiedBy is empty while nobody
// has.
type Source struct{ Source, Version, ValidFrom, VerifiedBy, VerifiedOn string }

// Group is some fields under one heading, one page of the paper sheet's order.
type Group struct {
	Name   string
	Fields []*Field
}

// Field is one question, and what its answer may be.
type Field struct {
	N        int // its CBOR key, from 1
	Name     string
	Type     Type
	List     *List // of choice, choices, yesno and counts
	Required bool  // an entry without an answer is not taken

	// Min to Max bounds a number, each count, and how many days a day lies from Base; both 0 for no bound.
	Min, Max int64
	Decimals int    // of a number: 0 to 3; its answer is whole, in the last decimal's unit
	Format   string // of a code: person or slip
	Words    string // the key of its label where it is not Label's own

	// Default is the code that an answer has which is not written: kinds older than forms leave out a zero.
	Default bool
	// Always has a zero written all the same; only of numbers, counts, districts and flags of such kinds.
	Always bool
	// Amended fields are asked on no page: an amendment sets them.
	Amended bool

	Relevant   *expr.Rule // the question is asked where it holds, or where that is not known
	Constraint *expr.Rule // an answer is taken unless it is known not to hold
	Calculated *expr.Rule // of a score
	Offer      []int64    // of a day: how many days ahead are one tap away
	Prefill    bool       // begins as in the last entry
}

// List is a closed list of codes. A code never changes its meaning and is never used again; one that is retired is read
// and no more offered.
type List struct {
	Name  string
	Codes []Code // in the order of the screen
}

// Code is one of a list.
type Code struct {
	N       uint8
	Key     string
	Retired bool
}

// Code finds a code by its number.
func (l *List) Code(n uint8) (Code, bool) {
	for _, c := range l.Codes {
		if c.N == n {
			return c, true
		}
	}
	return Code{}, false
}

// Key finds a code by its key.
func (l *List) Key(key string) (Code, bool) {
	for _, c := range l.Codes {
		if c.Key == key {
			return c, true
		}
	}
	return Code{}, false
}

// Fields are a form's fields in the order of the screen.
func (f *Form) Fields() []*Field { return f.fields }

// Field finds a field by its name, or nil.
func (f *Form) Field(name string) *Field {
	for _, x := range f.fields {
		if x.Name == name {
			return x
		}
	}
	return nil
}

// Numbered finds a field by its number, or nil.
func (f *Form) Numbered(n int) *Field {
	for _, x := range f.fields {
		if x.N == n {
			return x
		}
	}
	return nil
}

// Label is the key of a field's words.
func (f *Form) Label(x *Field) string {
	if x.Words != "" {
		return x.Words
	}
	return f.Name + "." + x.Name
}

// Harm is the key of the sentence that says who is hurt if a field's answer is read, and what limits that.
func (f *Form) Harm(x *Field) string { return f.Name + "." + x.Name + ".harm" }

// Answered reports whether a field has an answer that is written: notes are shown, scores calculated.
func (f *Field) Answered() bool { return f.Type != Note && f.Type != Score }

// Set is forms and their lists. It does not change once it was read.
type Set struct {
	forms []*Form
	lists map[string]*List
}

// Forms are all forms, by name.
func (s *Set) Forms() []*Form { return s.forms }

// Form finds a form by its name, or nil.
func (s *Set) Form(name string) *Form {
	for _, f := range s.forms {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Part finds the form whose entries stand under a record's key, or nil.
func (s *Set) Part(part int) *Form {
	for _, f := range s.forms {
		if f.Part == part {
			return f
		}
	}
	return nil
}
