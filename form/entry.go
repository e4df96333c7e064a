package form

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"krama"
)

// Entry is one answered form as the bytes that were sealed: the CBOR map of its part, by field number. It is kept so,
// and read field by field: that takes less time and room than a struct of every answer, and a field that this version
// does not know stays what it is.
type Entry []byte

// step reads the head of one CBOR item: its major type, its argument, and what follows. ok is false where the bytes end
// or the item is of indefinite length.
func step(b []byte) (major byte, n uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, 0, nil, false
	}
	major, info := b[0]>>5, b[0]&31
	b = b[1:]
	size := 0
	switch {
	case info < 24:
		return major, uint64(info), b, true
	case info <= 27:
		size = 1 << (info - 24)
	}
	if size == 0 || len(b) < size {
		return 0, 0, nil, false
	}
	for _, c := range b[:size] {
		n = n<<8 | uint64(c)
	}
	return major, n, b[size:], true
}

// maxNested bounds how deep an item nests, as records do.
const maxNested = 8

// skip steps over one item.
func skip(b []byte, deep int) (rest []byte, ok bool) {
	if len(b) > 0 && b[0]&31 < 24 && (b[0] < 0x40 || b[0] >= 0xe0) { // a number or a yes or no in one byte
		return b[1:], true
	}
	major, n, b, ok := step(b)
	if !ok || deep > maxNested {
		return nil, false
	}
	switch major {
	case 2, 3:
		if n > uint64(len(b)) {
			return nil, false
		}
		return b[n:], true
	case 4, 5:
		if major == 5 {
			n *= 2
		}
		if n > uint64(len(b)) { // each item has a byte at least
			return nil, false
		}
		for range n {
			if b, ok = skip(b, deep+1); !ok {
				return nil, false
			}
		}
		return b, true
	case 6:
		return nil, false // tags, which no record has
	}
	return b, true
}

// Raw gives the bytes of a field's answer. ok is false where it has none.
func (e Entry) Raw(field int) (raw []byte, ok bool) {
	major, n, b, ok := step(e)
	if !ok || major != 5 {
		return nil, false
	}
	for range n {
		var rest []byte
		hers := false
		if len(b) > 0 && b[0] < 24 { // nearly every key: a small whole number in its first byte
			hers, rest = int(b[0]) == field, b[1:]
		} else if major, key, after, ok := step(b); ok && major == 0 {
			hers, rest = key == uint64(field), after
		} else if rest, ok = skip(b, 1); !ok { // a key that no form has
			return nil, false
		}
		if b, ok = skip(rest, 1); !ok {
			return nil, false
		}
		if hers {
			return rest[:len(rest)-len(b)], true
		}
	}
	return nil, false
}

// Value reads an answer: a code, bits of choices, a number in its last decimal's unit, a day, 1 or 0 of a flag. Of
// counts part is a code, or expr.Sum for all together. ok is false where there is none or what is there does not fit
// the field's type; whether it fits its list and bounds, Validate says.
func (e Entry) Value(f *Field, part int) (n int64, ok bool) {
	raw, ok := e.Raw(f.N)
	if !ok {
		return 0, f.Default
	}
	major, v, rest, ok := step(raw)
	if !ok {
		return 0, false
	}
	switch f.Type {
	case Flag:
		return int64(v & 1), major == 7 && (v == 20 || v == 21)
	case Counts:
		return countOf(major, v, rest, part)
	case Note, Score:
		return 0, false
	}
	switch {
	case major == 0 && v < 1<<63:
		return int64(v), true
	case major == 1 && v < 1<<63 && (f.Type == Number || f.Type == DayType):
		return -1 - int64(v), true
	}
	return 0, false
}

// countOf reads one count of an array, or their sum.
func countOf(major byte, n uint64, b []byte, part int) (sum int64, ok bool) {
	if major != 4 || n > MaxCodes {
		return 0, false
	}
	for i := range int(n) {
		major, v, rest, ok := step(b)
		if !ok || major != 0 || v > 1<<40 {
			return 0, false
		}
		if i == part {
			return int64(v), true
		}
		sum, b = sum+int64(v), rest
	}
	return sum, part < 0
}

// Answer is an answer that is to be written: N as Value reads it, and of counts one number for each place.
type Answer struct {
	N      int64
	Counts []int64
}

// Encode writes an entry: every answer under its field's number, in rising order, as records always were written. An
// answer that is zero is left out where the field's kind always did so.
func (f *Form) Encode(answers map[int]Answer) (Entry, error) {
	out := map[int]any{}
	for n, a := range answers {
		x := f.Numbered(n)
		if x == nil {
			return nil, krama.E("form.Encode", krama.Invalid, "no such field")
		}
		switch {
		case x.Type == Note || x.Type == Score:
			return nil, krama.E("form.Encode", krama.Invalid, "what is shown or calculated is not written")
		case x.Type == Counts:
			if x.Always || !zero(a.Counts) {
				out[n] = a.Counts
			}
		case x.Default && a.N == 0 && !x.Always:
		case x.Type == Flag:
			out[n] = a.N != 0
		default:
			out[n] = a.N
		}
	}
	b, err := encMode.Marshal(out)
	return b, krama.Wrap("form.Encode", err)
}

func zero(ns []int64) bool {
	for _, n := range ns {
		if n != 0 {
			return false
		}
	}
	return true
}

var encMode = func() cbor.EncMode {
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return m
}()

// Wrong is one answer that does not fit, and why.
type Wrong struct {
	Field *Field
	Why   Why
}

// Why is what does not fit about an answer.
type Why string

// What can be wrong with an answer.
const (
	Missing    Why = "missing"    // required, and not there
	Unreadable Why = "unreadable" // of another type, or of a later version's list
	Outside    Why = "outside"    // beyond its bounds
	Broken     Why = "broken"     // its constraint does not hold
)

// String is a message without what was answered.
func (w Wrong) String() string { return fmt.Sprintf("%s: %s", w.Field.Name, w.Why) }

// here is an entry as rules read it.
type here struct {
	form  *Form
	today krama.Day
	Entry
}

// Len has no other entries.
func (h here) Len(int) int { return 0 }

// Value reads the entry at hand.
func (h here) Value(_, _, field, part int) (int64, bool) {
	x := h.form.Numbered(field)
	if x == nil {
		return 0, false
	}
	if x.Type == Score {
		if x.Calculated == nil {
			return 0, false
		}
		return x.Calculated.Value(h.today, h)
	}
	return h.Entry.Value(x, part)
}

// Validate says what of an entry does not fit its form, in the order of the screen. Fields that the form does not have
// are a later version's, and are left alone. Constraints that go over a person's other entries are judged as if she had
// none: they are for the page, and no reader throws out what was taken once.
func (f *Form) Validate(e Entry, today krama.Day) (out []Wrong) {
	say := func(x *Field, why Why) { out = append(out, Wrong{x, why}) }
	for _, x := range f.fields {
		if x.Type == Note || x.Type == Score {
			continue
		}
		raw, there := e.Raw(x.N)
		if !there {
			if x.Required && !x.Default {
				say(x, Missing)
			}
			continue
		}
		n, ok := e.Value(x, x.whole())
		switch {
		case !ok || !x.fits(n, raw):
			say(x, Unreadable)
		case x.Type == DayType && !x.plausible(n), x.Max != 0 && !x.within(n, raw):
			say(x, Outside)
		case x.Constraint != nil && x.Constraint.Truth(today, here{f, today, e}) < 0:
			say(x, Broken)
		}
	}
	return out
}

// whole is the part that stands for a whole answer.
func (f *Field) whole() int {
	if f.Type == Counts {
		return -2
	}
	return -1
}

// fits reports whether an answer's codes are in its list. A count for a code that the list does not have does not fit.
func (f *Field) fits(n int64, raw []byte) bool {
	switch f.Type {
	case Choice, YesNo:
		_, ok := f.List.Code(uint8(n))
		return ok && n < MaxCodes
	case Choices:
		for i := range MaxCodes {
			if _, ok := f.List.Code(uint8(i)); n>>i&1 == 1 && !ok {
				return false
			}
		}
	case Counts:
		_, places, _, _ := step(raw)
		return int(places) == f.places()
	case District:
		return n >= 0 && n < 1<<16
	}
	return true
}

// places is how many numbers counts have: one for each code up to the greatest.
func (f *Field) places() (n int) {
	for _, c := range f.List.Codes {
		n = max(n, int(c.N)+1)
	}
	return n
}

// within reports whether a number, or each count, keeps its bounds.
func (f *Field) within(n int64, raw []byte) bool {
	if f.Type != Counts {
		return n >= f.Min && n <= f.Max
	}
	_, places, b, _ := step(raw)
	for range places {
		_, v, rest, _ := step(b)
		if int64(v) < f.Min || int64(v) > f.Max {
			return false
		}
		b = rest
	}
	return true
}

// plausible takes days from 2000 to 2199, as records do. A day that is agreed ahead may lie two years behind that.
func (f *Field) plausible(d int64) bool {
	end := int64(84006)
	if len(f.Offer) > 0 {
		end += krama.MaxAhead
	}
	return d >= 10957 && d < end
}
