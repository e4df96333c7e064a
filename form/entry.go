package form

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"krama"
	"krama/form/expr"
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

// null is the bytes of an answer that says there is none.
const null = 0xf6

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
		if n > uint64(len(b)) { // each item has a byte at least
			return nil, false
		}
		if major == 5 {
			n *= 2
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
			return rest[:len(rest)-len(b)], rest[0] != null
		}
	}
	return nil, false
}

// sound reports whether an entry is one map and nothing behind it, whose items end where they say, each number once and
// in rising order, as every record is written. Of one that is not, nothing is believed.
func (e Entry) sound() bool {
	major, n, b, ok := step(e)
	if !ok || major != 5 || n > uint64(len(b)) {
		return false
	}
	last := -1
	for range n {
		major, key, rest, ok := step(b)
		if !ok || major != 0 || key > 1<<31 || int(key) <= last {
			return false
		}
		if last, b = int(key), rest; len(b) == 0 {
			return false
		}
		if b, ok = skip(b, 1); !ok {
			return false
		}
	}
	return len(b) == 0
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
		return int64(v & 1), len(raw) == 1 && major == 7 && (v == 20 || v == 21)
	case Counts:
		return countOf(major, v, rest, part)
	case Note, Score, Drawn, EntryID, Entries, Listing, Thread:
		return 0, false
	}
	switch {
	case f.Type == DayType && len(raw) == 1 && raw[0] == 0:
		return 0, false // no day
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

// Text reads a code that was drawn. ok is false where there is none, or no text.
func (e Entry) Text(f *Field) (s string, ok bool) {
	raw, ok := e.Raw(f.N)
	major, n, b, read := step(raw)
	if !ok || !read || major != 3 || n != uint64(len(b)) {
		return "", false
	}
	return string(b), true
}

// IDs reads what an answer names: one record, listing or conversation, or several records. One of zeros names nothing.
// ok is false where there is none, or no ids.
func (e Entry) IDs(f *Field) (ids [][16]byte, ok bool) {
	raw, ok := e.Raw(f.N)
	if !ok {
		return nil, false
	}
	n, b := uint64(1), raw
	if f.Type == Entries {
		var major byte
		if major, n, b, ok = step(raw); !ok || major != 4 || n > uint64(len(b)) {
			return nil, false
		}
	}
	for range n {
		major, size, rest, ok := step(b)
		if !ok || major != 2 || size != 16 || len(rest) < 16 {
			return nil, false
		}
		if id := [16]byte(rest); f.Type == Entries || id != [16]byte{} {
			ids = append(ids, id)
		}
		b = rest[16:]
	}
	return ids, len(b) == 0
}

// Answer is an answer that is to be written: N as Value reads it, of counts one number for each place, of a code its
// Text, of others what they name.
type Answer struct {
	N      int64
	Counts []int64
	Text   string
	IDs    [][16]byte
}

// Encode writes an entry: every answer under its field's number, in rising order, as records always were written. An
// answer that is zero is left out where the field's kind always did so. What Validate would refuse is Invalid.
func (f *Form) Encode(answers map[int]Answer, today krama.Day) (Entry, error) {
	out := map[int]any{}
	for n, a := range answers {
		x := f.Numbered(n)
		if x == nil {
			return nil, krama.E("form.Encode", krama.Invalid, "no such field")
		}
		switch {
		case !x.Answered():
			return nil, krama.E("form.Encode", krama.Invalid, "what is shown or calculated is not written")
		case x.Type == Counts:
			counts := append([]int64(nil), a.Counts...)
			for len(counts) < x.places() {
				counts = append(counts, 0)
			}
			if len(counts) > x.places() {
				return nil, krama.E("form.Encode", krama.Invalid, "more counts than codes")
			}
			if x.Always || !x.Default || !zero(counts) {
				out[n] = counts
			}
		case x.Type == Drawn:
			out[n] = a.Text
		case x.Type == Entries:
			if len(a.IDs) > 0 {
				out[n] = a.IDs
			}
		case x.Type == EntryID || x.Type == Listing || x.Type == Thread:
			if len(a.IDs) != 1 {
				return nil, krama.E("form.Encode", krama.Invalid, "one is to be named")
			}
			out[n] = a.IDs[0]
		case x.Default && a.N == 0 && !x.Always:
		case x.Type == Flag:
			out[n] = a.N != 0
		default:
			out[n] = a.N
		}
	}
	b, err := encMode.Marshal(out)
	if err != nil {
		return nil, krama.Wrap("form.Encode", err)
	}
	if wrong := f.Validate(b, today); len(wrong) > 0 {
		return nil, krama.E("form.Encode", krama.Invalid, wrong[0].String())
	}
	return b, nil
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

// here is an entry as rules read it, without the person's others.
type here struct {
	form  *Form
	today krama.Day
	Entry
	scores map[int]score // each is calculated once
}

type score struct {
	n  int64
	ok bool
}

// at is an entry for one judging of its rules.
func (f *Form) at(e Entry, today krama.Day) *here { return &here{f, today, e, map[int]score{}} }

// Len has no other entries.
func (h *here) Len(int) int { return 0 }

// Value reads the entry at hand. A score that rests on others is not known.
func (h *here) Value(_, _, field, part int) (int64, bool) {
	x := h.form.Numbered(field)
	switch {
	case x == nil:
		return 0, false
	case x.Type != Score:
		return h.Entry.Value(x, part)
	}
	s, done := h.scores[field]
	if !done {
		if x.Calculated != nil && !x.Calculated.Others {
			s.n, s.ok = x.Calculated.Value(h.today, h)
		}
		h.scores[field] = s
	}
	return s.n, s.ok
}

// holds judges a rule; what rests on other entries is not known here.
func (h *here) holds(r *expr.Rule) expr.Tri {
	if r.Others {
		return expr.Unknown
	}
	return r.Truth(h.today, h)
}

// Validate says what of an entry does not fit its form, in the order of the screen. Fields that the form does not have
// are a later version's, and are left alone. What rests on a person's other entries is not judged: that is for the
// page, and no reader throws out what was taken once. Of an entry that is no map of answers every field is Unreadable.
func (f *Form) Validate(e Entry, today krama.Day) (out []Wrong) {
	say := func(x *Field, why Why) { out = append(out, Wrong{x, why}) }
	at, sound := f.at(e, today), e.sound()
	for _, x := range f.fields {
		if !x.Answered() {
			continue
		}
		if !sound {
			say(x, Unreadable)
			continue
		}
		raw, there := e.Raw(x.N)
		if there && x.Type == DayType && len(raw) == 1 && raw[0] == 0 {
			there = false
		}
		if !there {
			if x.Required && !x.Default && (x.Relevant == nil || at.holds(x.Relevant) != expr.No) {
				say(x, Missing)
			}
			continue
		}
		if !x.readable() {
			if why := x.named(e); why != "" {
				say(x, why)
			}
			continue
		}
		n, ok := e.Value(x, x.whole())
		switch {
		case !ok || !x.fits(n):
			say(x, Unreadable)
		case x.Type == DayType && !x.plausible(n), x.Max != 0 && !x.within(n, raw):
			say(x, Outside)
		case x.Constraint != nil && at.holds(x.Constraint) == expr.No:
			say(x, Broken)
		}
	}
	return out
}

// named says what does not fit about a code or about what an answer names; "" if all does.
func (f *Field) named(e Entry) Why {
	if f.Type == Drawn {
		s, ok := e.Text(f)
		if !ok {
			return Unreadable
		}
		fits := false
		switch f.Format {
		case "person":
			c, err := krama.ParseCode(s)
			fits = err == nil && string(c) == s
		case "slip":
			c, err := krama.ParseSlipCode(s)
			fits = err == nil && string(c) == s
		}
		if !fits {
			return Outside
		}
		return ""
	}
	ids, ok := e.IDs(f)
	switch {
	case !ok:
		return Unreadable
	case f.Type == Entries && int64(len(ids)) > f.Max:
		return Outside
	case f.Required && len(ids) == 0:
		return Missing
	}
	return ""
}

// whole is the part that stands for a whole answer.
func (f *Field) whole() int {
	if f.Type == Counts {
		return -2
	}
	return -1
}

// fits reports whether an answer's codes are in its list. Counts may be shorter, of an earlier version, or longer, of a
// later one whose list has more: what this list does not have is kept and not judged.
func (f *Field) fits(n int64) bool {
	switch f.Type {
	case Choice, YesNo:
		_, ok := f.List.Code(uint8(n))
		return ok && n < MaxCodes
	case Choices:
		for i := range 63 {
			if _, ok := f.List.Code(uint8(i)); n>>i&1 == 1 && !ok {
				return false
			}
		}
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
	for range min(int(places), f.places()) {
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
