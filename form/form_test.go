package form

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"krama"
	"krama/form/expr"
)

func shippedSet(t testing.TB) *Set {
	t.Helper()
	s, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// part is the bytes of a record's part.
func part(t testing.TB, rec *krama.Record, n int) Entry {
	t.Helper()
	b, err := rec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var m map[int]cbor.RawMessage
	if err := cbor.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return Entry(m[n])
}

// drawContact draws a contact that may be wrong in any way a struct allows.
func drawContact(t *rapid.T) *krama.Contact {
	odd := func(name string, most, odd int) int {
		if rapid.IntRange(0, 30).Draw(t, name+" odd") == 0 {
			return rapid.IntRange(0, odd).Draw(t, name)
		}
		return rapid.IntRange(0, most).Draw(t, name)
	}
	day := krama.Day(20000 + odd("date", 1000, 70000) - 10*odd("early", 0, 2000))
	c := &krama.Contact{Date: day, District: uint16(odd("district", 1010, 65535)),
		Place: uint8(1 + odd("place", 6, 254)), Topics: krama.Set(odd("topics", 1023, 1<<40)) << 1,
		Test: uint8(odd("test", 4, 255)), Services: krama.Set(odd("services", 1023, 1<<40)) << 1,
		Safety: uint8(odd("safety", 4, 255)), Attendees: uint16(odd("group", 500, 65535))}
	for i := range c.Given {
		c.Given[i] = uint16(odd("given", 2000, 65535))
	}
	if rapid.Bool().Draw(t, "agreed") {
		c.Next = day + krama.Day(1+odd("next", 729, 2000)-odd("back", 0, 3))
	}
	return c
}

// TestContactIsItsForm: the form of a contact takes what a contact takes and refuses what it refuses, reads every
// answer as the struct does, and writes the same bytes.
func TestContactIsItsForm(t *testing.T) {
	f := shippedSet(t).Form("contact")
	good := 0
	rapid.Check(t, func(rt *rapid.T) {
		c := drawContact(rt)
		b, err := cborMode.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		e, bad := Entry(b), c.Validate() != nil
		if wrong := f.Validate(e, c.Date); bad != (len(wrong) > 0) {
			rt.Fatalf("%+v: the struct says %v, the form %v", c, c.Validate(), wrong)
		}
		if bad {
			return
		}
		good++
		answers := map[int]Answer{1: {N: int64(c.Date)}, 2: {N: int64(c.District)}, 3: {N: int64(c.Place)},
			4: {N: int64(c.Topics)}, 5: {}, 6: {N: int64(c.Test)}, 7: {N: int64(c.Services)}, 8: {N: int64(c.Safety)},
			10: {N: int64(c.Attendees)}}
		if c.Next != 0 {
			answers[9] = Answer{N: int64(c.Next)}
		}
		sum := int64(0)
		for i, n := range c.Given {
			if got, ok := e.Value(f.Numbered(5), i); !ok || got != int64(n) {
				rt.Fatalf("of %v the form reads %d at %d", c.Given, got, i)
			}
			sum += int64(n)
			answers[5] = Answer{Counts: append(answers[5].Counts, int64(n))}
		}
		if got, ok := e.Value(f.Numbered(5), expr.Sum); !ok || got != sum {
			rt.Fatalf("%v are %d to the form", c.Given, got)
		}
		for n, a := range answers {
			if got, ok := e.Value(f.Numbered(n), -1); n != 5 && (!ok || got != a.N) {
				rt.Fatalf("%s is %d to the form, and %d to the struct", f.Numbered(n).Name, got, a.N)
			}
		}
		if _, ok := e.Value(f.Numbered(9), -1); ok != (c.Next != 0) {
			rt.Fatal("a day that was not agreed is an answer")
		}
		again, err := f.Encode(answers, c.Date)
		if err != nil || !bytes.Equal(again, e) {
			rt.Fatalf("%v: the form writes %x, the struct %x", err, again, e)
		}
	})
	if good < 20 {
		t.Errorf("only %d good contacts were drawn", good)
	}
}

var cborMode = func() cbor.EncMode { m, _ := cbor.CoreDetEncOptions().EncMode(); return m }()

// TestListsAreTheVocabulary: the lists of the forms are those of the code, in the same order.
func TestListsAreTheVocabulary(t *testing.T) {
	s := shippedSet(t)
	for name, terms := range map[string][]krama.Term{"gender": krama.Genders, "age": krama.AgeBands,
		"language": krama.Languages, "category": krama.Categories, "place": krama.Places, "topic": krama.Topics,
		"service": krama.Services, "test": krama.Tests, "safety": krama.Safety, "commodity": krama.Commodities} {
		var got []krama.Term
		for _, c := range s.lists[name].Codes {
			got = append(got, krama.Term{Code: c.N, Key: c.Key})
		}
		if !slices.Equal(got, terms) {
			t.Errorf("%s is %v, and in the code %v", name, got, terms)
		}
	}
}

// TestHarmIsOfAField: no catalogue says whom a field hurts that no form has.
func TestHarmIsOfAField(t *testing.T) {
	s := shippedSet(t)
	b, err := os.ReadFile("../locale/en.json")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		key, _, ok := strings.Cut(strings.TrimPrefix(line, `"`), `.harm"`)
		form, field, _ := strings.Cut(key, ".")
		if ok && (s.Form(form) == nil || s.Form(form).Field(field) == nil) {
			t.Errorf("%s has no field", key)
		}
	}
}

// small is a set that is right; tests change one thing of it.
const small = `{"form": "visit", "part": 30, "revision": 1, "circle": "clinical", "about": "person", "source": "a test",
"groups": [{"group": "one", "fields": [
	{"n": 1, "name": "date", "type": "day", "is": ["required"], "constraint": "date <= today()"},
	{"n": 2, "name": "test", "type": "choice", "list": "test"},
	{"n": 3, "name": "weight", "type": "number", "min": 200, "max": 2500, "decimals": 1, "relevant": "test = accepted"},
	{"name": "hello", "type": "note"},
	{"n": 4, "name": "q1", "type": "number", "min": 0, "max": 3}, {"n": 5, "name": "q2", "type": "number", "min": 0, "max": 3},
	{"n": 6, "name": "score", "type": "score", "calculated": "sum(q1 ... q2)"},
	{"n": 7, "name": "more", "type": "yesno", "relevant": "score >= 3 and any(visit where date < this.date)",
		"constraint": "any(visit where date < this.date)"},
	{"n": 8, "name": "again", "type": "number", "min": 1, "max": 9, "is": ["required"], "relevant": "test = declined"}
]}]}`

const smallLists = `{"test": [[1, "accepted"], [2, "declined"], [3, "old", "retired"]], "yesno": [[1, "yes"], [2, "no"]]}`

func readSmall(lists, form string, lacks ...string) (*Set, error) {
	return Read(map[string][]byte{"lists": []byte(lists)}, map[string][]byte{"visit": []byte(form)},
		func(key string) bool { return !slices.Contains(lacks, key) })
}

// TestRefused: each fault of a form is said with its file, its field and a sentence, and no set comes of it.
func TestRefused(t *testing.T) {
	if _, err := readSmall(smallLists, small); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, field, say string }{
		{`"type": "day"`, `"type": "name"`, "date", "no type"},
		{`"type": "day"`, `"type": "text"`, "date", "no type"},
		{`"n": 5, "name": "q2", "type": "number", "min": 0, "max": 3`, `"n": 5, "name": "q2", "type": "gps"`, "q2",
			"no type"},
		{`"n": 5`, `"n": 4`, "q2", "no other has"},
		{`"n": 5`, `"n": 0`, "q2", "no other has"},
		{`"name": "q2"`, `"name": "q1"`, "q1", "a name of its own"},
		{`"name": "q2"`, `"name": "Q 2"`, "Q 2", "a name of its own"},
		{`"list": "test"`, `"list": "tests"`, "test", "no list"},
		{`"n": 4, "name": "q1", "type": "number"`, `"n": 4, "name": "q1", "type": "number", "list": "test"`, "q1",
			"has no list"},
		{`"min": 200, "max": 2500`, `"min": 2500, "max": 200`, "weight", "least is more"},
		{`"decimals": 1`, `"decimals": 4`, "weight", "three decimals"},
		{`date <= today()`, `date <= tomorrow()`, "date", "no function tomorrow"},
		{`date <= today()`, `date < date + 0 and weight < 3 and weight > 5`, "date", "never hold"},
		{`test = accepted`, `test = acepted`, "weight", "no acepted"},
		{`test = accepted`, `score > 3`, "", ""},
		{`"list": "test"`, `"list": "test", "relevant": "weight > 30"`, "test", "by way of itself"},
		{`sum(q1 ... q2)`, `score + 1`, "score", "by way of itself"},
		{`, "calculated": "sum(q1 ... q2)"`, ``, "score", "a score is calculated"},
		{`"is": ["required"]`, `"is": ["requierd"]`, "date", "means nothing"},
		{`"relevant": "test`, `"relevent": "test`, "weight", "means nothing"},
		{`"circle": "clinical"`, `"circle": "clinic"`, "", "no circle"},
		{`"about": "person"`, `"about": "house"`, "", "about a person"},
		{`"source": "a test"`, `"source": ""`, "", "where its questions come from"},
		{`"revision": 1`, `"revision": 0`, "", "revision"},
		{`any(visit where`, `any(contact where`, "more", "no form contact"},
		{`{"form"`, `{"from": "x", "form"`, "", "means nothing"},
		{`}]}`, `}]`, "", "not written as form files are"},
		{`"type": "note"`, `"type": "note", "is": ["required"]`, "hello", "cannot be required"},
		{`"part": 30`, `"part": 3`, "", "a part from 30"},
		{`"part": 30`, `"part": 21`, "", "a part from 30"},
		{`"n": 5`, `"n": 256`, "q2", "no other has"},
		{`"n": 5`, `"n": 4294967297`, "q2", "no other has"},
		{`"name": "q2"`, `"name": "this"`, "this", "no word of the rules"},
		{`"is": ["required"]`, `"is": "required"`, "date", "is should be a list"},
		{`"constraint": "date <= today()"`, `"constraint": ["date <= today()"]`, "date", "should be a text"},
		{`"constraint": "date <= today()"`, `"constraint": "true", "constraint": "date <= today()"`, "",
			"not written as"},
		{`"groups": [`, `"groups": [5, `, "", "a group has"},
		{`"group": "one"`, `"group": "harm"`, "", "is no name"},
		{`"type": "note"`, `"type": "note", "constraint": "true"`, "hello", "nothing is answered"},
		{`"list": "test"`, `"list": "test", "is": ["default"]`, "test", "not the answer zero"},
		{`"is": ["required"]`, `"is": ["default"]`, "date", "not the answer zero"},
		{`sum(q1 ... q2)`, `count(visit where score > 1)`, "score", "no field score"},
		{`"max": 3}, {`, `"max": 3, "offer": [7]}, {`, "q1", "a day offers"},
	} {
		if !strings.Contains(small, c.old) {
			t.Fatal(c.old)
		}
		s, err := readSmall(smallLists, strings.Replace(small, c.old, c.new, 1))
		if c.say == "" {
			if err != nil {
				t.Errorf("%s: %v", c.new, err)
			}
			continue
		}
		var f *Fault
		if s != nil || !errors.As(err, &f) || f.File == "" || !strings.Contains(err.Error(), c.say) ||
			!strings.Contains(err.Error(), c.field) {
			t.Errorf("%s: %v, want %s: %s", c.new, err, c.field, c.say)
		}
	}
	for _, c := range []struct{ lists, lacks, say string }{
		{smallLists, "visit.weight.harm", "who is hurt"},
		{smallLists, "visit.weight", "lacks its words"},
		{smallLists, "visit.title", "lacks its words"},
		{smallLists, "visit.group.one", "lacks its words"},
		{smallLists, "test.old", "lacks its words"},
		{`{"test": [[1, "accepted"], [1, "declined"]], "yesno": [[1, "yes"]]}`, "", "that another has"},
		{`{"test": [[61, "accepted"]], "yesno": [[1, "yes"]]}`, "", "below 61"},
		{`{"test": [["7", "accepted"]], "yesno": [[1, "yes"]]}`, "", "below 61"},
		{`{"test": [5], "yesno": [[1, "yes"]]}`, "", "below 61"},
		{`{"test": 5, "yesno": [[1, "yes"]]}`, "", "empty"},
		{`{"test": [], "yesno": [[1, "yes"]]}`, "", "empty"},
	} {
		if s, err := readSmall(c.lists, small, c.lacks); s != nil || err == nil ||
			!strings.Contains(err.Error(), c.say) {
			t.Errorf("%s without %s: %v", c.lists, c.lacks, err)
		}
	}
}

// TestValidate: what of an entry does not fit is said by field, and what a later version wrote is left alone.
func TestValidate(t *testing.T) {
	s, err := readSmall(smallLists, small)
	if err != nil {
		t.Fatal(err)
	}
	f, day := s.Form("visit"), int64(krama.Date(2026, 3, 31))
	for _, c := range []struct {
		in   map[int]any
		want string
	}{
		{map[int]any{1: day, 2: 1, 3: 685}, "[]"},
		{map[int]any{1: day, 2: 1, 99: "later"}, "[]"},
		{map[int]any{2: 1}, "[date: missing]"},
		{map[int]any{1: day, 2: 2}, "[again: missing]"},
		{map[int]any{1: day + 1, 2: 1}, "[date: broken]"},
		{map[int]any{1: 3, 2: 1}, "[date: outside]"},
		{map[int]any{1: "today", 2: 1}, "[date: unreadable]"},
		{map[int]any{1: day, 2: 3}, "[]"}, // retired, and still read
		{map[int]any{1: day, 2: 9, 3: 20, 4: -1, 5: 4.5},
			"[test: unreadable weight: outside q1: outside q2: unreadable]"},
		{map[int]any{1: day, 2: []int{1}, 8: 1}, "[test: unreadable]"},
		{map[int]any{1: day, 2: 1, 3: nil}, "[]"},
		{map[int]any{1: 0, 2: 1}, "[date: missing]"},
		{map[int]any{1: day, 2: 1, 7: 1}, "[]"},
	} {
		b, _ := cborMode.Marshal(c.in)
		if got := fmt.Sprint(f.Validate(b, krama.Day(day))); got != c.want {
			t.Errorf("%v: %s, want %s", c.in, got, c.want)
		}
	}
	// What is asked follows the answers.
	b, _ := cborMode.Marshal(map[int]any{1: day, 2: 1, 4: 1, 5: 2})
	if v, ok := f.at(b, krama.Day(day)).Value(0, 0, 6, -1); !ok || v != 3000 {
		t.Errorf("the score is %d, %v", v, ok)
	}
	if v := f.at(b, krama.Day(day)).holds(f.Field("weight").Relevant); v != expr.Yes {
		t.Error("a weight is not asked")
	}
}

// TestUnsound: bytes that are no map of answers, each once and in rising order, are believed in nothing.
func TestUnsound(t *testing.T) {
	f := shippedSet(t).Form("contact")
	good := part(t, &krama.Record{ID: krama.RecordID{1}, Contact: &krama.Contact{Date: 20500, Place: 1}}, 3)
	if wrong := f.Validate(good, 20500); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	for name, e := range map[string]Entry{
		"a pair too few":    append(Entry{good[0] + 1}, good[1:]...),
		"cut":               good[:len(good)-1],
		"bytes behind it":   append(slices.Clone(good), 0),
		"a number twice":    {0xa2, 0x03, 0x01, 0x03, 0x01},
		"falling":           {0xa2, 0x03, 0x01, 0x01, 0x19, 0x50, 0x00},
		"2^63 pairs":        {0xa1, 0x18, 0x63, 0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0},
		"a key of text":     {0xa1, 0x61, 'x', 0x01},
		"an array":          {0x80},
		"nothing":           {},
		"of unknown length": {0xbf, 0x01, 0x01, 0xff},
	} {
		if wrong := f.Validate(e, 20500); len(wrong) != len(f.Fields()) || wrong[0].Why != Unreadable {
			t.Errorf("%s: %v", name, wrong)
		}
	}
	if v, ok := (Entry{0xa1, 0x0b, 0xf9, 0x00, 0x15}).Value(f.Field("void"), -1); ok {
		t.Errorf("half of a number is read as %d", v)
	}
}

// TestScoresAreCalculatedOnce: a chain of scores, each twice the one before, is judged in no time.
func TestScoresAreCalculatedOnce(t *testing.T) {
	var fields strings.Builder
	fmt.Fprint(&fields, `{"n": 1, "name": "q", "type": "number", "min": 0, "max": 3}`)
	before := "q"
	for i := range 50 {
		name := fmt.Sprintf("s%d", i)
		fmt.Fprintf(&fields, `, {"n": %d, "name": %q, "type": "score", "calculated": "%s + %s - %s"}`, i+2, name,
			before, before,
			before)
		before = name
	}
	fmt.Fprintf(&fields, `, {"n": 60, "name": "z", "type": "number", "min": 0, "max": 3, "constraint": "%s >= 2"}`,
		before)
	set, err := readSmall(smallLists, strings.Split(small, `"groups"`)[0]+`"groups": [{"fields": [`+
		fields.String()+`]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := cborMode.Marshal(map[int]any{1: 2, 60: 1})
	if wrong := set.Form("visit").Validate(b, 20500); len(wrong) > 0 {
		t.Error(wrong)
	}
	b, _ = cborMode.Marshal(map[int]any{1: 1, 60: 1})
	if got := fmt.Sprint(set.Form("visit").Validate(b, 20500)); got != "[z: broken]" {
		t.Error(got)
	}
}

// TestEncodeRefuses: nothing is written that a reader would refuse.
func TestEncodeRefuses(t *testing.T) {
	f := shippedSet(t).Form("contact")
	good := func() map[int]Answer { return map[int]Answer{1: {N: 20500}, 3: {N: 1}, 5: {}} }
	if e, err := f.Encode(good(), 20500); err != nil || len(f.Validate(e, 20500)) > 0 {
		t.Fatal(err)
	}
	for name, change := range map[string]func(map[int]Answer){
		"no place":        func(m map[int]Answer) { delete(m, 3) },
		"no such place":   func(m map[int]Answer) { m[3] = Answer{N: 99} },
		"below zero":      func(m map[int]Answer) { m[5] = Answer{Counts: []int64{-1}} },
		"too many":        func(m map[int]Answer) { m[5] = Answer{Counts: []int64{2001}} },
		"too many counts": func(m map[int]Answer) { m[5] = Answer{Counts: make([]int64, 6)} },
		"the same day":    func(m map[int]Answer) { m[9] = Answer{N: 20500} },
		"no such field":   func(m map[int]Answer) { m[77] = Answer{N: 1} },
	} {
		m := good()
		change(m)
		if _, err := f.Encode(m, 20500); err == nil || krama.KindOf(err) != krama.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOneCircle: a rule goes over entries of its own circle about a person, and no others.
func TestOneCircle(t *testing.T) {
	stock := strings.NewReplacer(`"visit"`, `"stock"`, `"part": 30`, `"part": 31`, `any(visit`,
		`any(stock`).Replace(small)
	for change, fits := range map[string]bool{`x`: true, `"circle": "safeguarding"`: false,
		`"about": "nobody"`: false} {
		other := stock
		if k, _, ok := strings.Cut(change, ":"); ok {
			other = strings.Replace(other, k+`: "clinical"`, change, 1)
			other = strings.Replace(other, k+`: "person"`, change, 1)
			other = strings.ReplaceAll(other, `any(stock where date < this.date)`, `true`)
		}
		mine := strings.Replace(small, `any(visit`, `any(stock`, 1)
		_, err := Read(map[string][]byte{"lists": []byte(smallLists)},
			map[string][]byte{"a": []byte(mine), "b": []byte(other)}, func(string) bool { return true })
		if (err == nil) != fits {
			t.Errorf("%s: %v", change, err)
		}
	}
}

// FuzzEntry: whatever bytes are read as an entry, nothing panics, and what is read of well-formed maps with rising keys
// is what a CBOR library reads.
func FuzzEntry(f *testing.F) {
	s, err := Shipped()
	if err != nil {
		f.Fatal(err)
	}
	form := s.Form("contact")
	rec := &krama.Record{ID: krama.RecordID{1}, Contact: &krama.Contact{Date: 20500, Place: 1,
		Given: krama.Supplies{12, 0, 3}, Topics: 6}}
	f.Add([]byte(part(f, rec, 3)))
	f.Add([]byte{0xa1, 0x01, 0x9f, 0xff})
	f.Add([]byte{0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	dec, _ := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 8, MaxArrayElements: 1024,
		IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden}.DecMode()
	f.Fuzz(func(t *testing.T, b []byte) {
		e := Entry(b)
		form.Validate(e, 20600)
		var m map[int]cbor.RawMessage
		if dec.Unmarshal(b, &m) != nil {
			return
		}
		if again, err := cborMode.Marshal(m); err != nil || !bytes.Equal(again, b) {
			return // not as records are written: a library takes much for a number
		}
		for _, n := range slices.Sorted(maps.Keys(m)) {
			if raw, ok := e.Raw(n); n >= 0 && n < 1<<31 && (!ok || !bytes.Equal(raw, m[n])) {
				t.Fatalf("%x: of field %d %x is read, and a library reads %x", b, n, raw, m[n])
			}
		}
	})
}

// FuzzRead: whatever is read as a form and its lists is refused in whole or read in whole.
func FuzzRead(f *testing.F) {
	f.Add(smallLists, small)
	f.Add(`{"a": [[1, "b"]]}`, strings.Repeat("[", 1000))
	f.Add(smallLists, strings.Replace(small, "sum(q1 ... q2)", "if(known(q1), q1, -q2)", 1))
	f.Fuzz(func(t *testing.T, lists, form string) {
		s, err := readSmall(lists, form)
		if (s == nil) == (err == nil) {
			t.Fatalf("%v and %v", s, err)
		}
		if s != nil && len(s.Forms()) != 1 {
			t.Fatal("one form is not one form")
		}
	})
}

// BenchmarkFields reads four fields of a contact's bytes.
func BenchmarkFields(b *testing.B) {
	f := shippedSet(b).Form("contact")
	rec := &krama.Record{ID: krama.RecordID{1}, Contact: &krama.Contact{Date: 20500, District: 1002, Place: 1,
		Given: krama.Supplies{12, 0, 3}, Topics: 6, Test: 2, Safety: 1, Next: 20528}}
	e := part(b, rec, 3)
	date, test, given, next := f.Field("date"), f.Field("test"), f.Field("given"), f.Field("next")
	for b.Loop() {
		e.Value(date, -1)
		e.Value(test, -1)
		e.Value(given, 0)
		e.Value(next, -1)
	}
}
