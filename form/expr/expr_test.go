package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"krama"
)

// visit is the form at hand in tests, test and referral the forms of a person's entries.
var lists = map[string][]string{
	"offer": {"not-offered", "offered", "accepted", "declined", "referred"},
	"need":  {"hiv", "prep", "legal"},
	"age":   {"under-15", "15-17", "adult"},
	"goods": {"condom", "lubricant"},
}

// names is a scope made of a list of fields, the number of each its place.
type names struct {
	fields []Field
	byName []string
	forms  []string
}

func (s *names) Field(n string) (Field, bool) {
	i := slices.Index(s.byName, n)
	if i < 0 {
		return Field{}, false
	}
	f := s.fields[i]
	f.N = i + 1
	return f, true
}

func (s *names) Between(from, to string) (out []Field) {
	for i := slices.Index(s.byName, from); i >= 0 && i < len(s.byName); i++ {
		f, _ := s.Field(s.byName[i])
		if out = append(out, f); s.byName[i] == to {
			return out
		}
	}
	return nil
}

func (s *names) Code(list, key string) (uint8, bool) {
	i := slices.Index(lists[list], key)
	return uint8(i), i >= 0
}

func (s *names) Form(n string) (int, Scope, bool) {
	if i := slices.Index(s.forms, n); i >= 0 {
		return i + 1, []*names{tests, referrals}[i], true
	}
	return 0, nil, false
}

func scopeOf(forms []string, fields ...any) *names {
	s := &names{forms: forms}
	for i := 0; i < len(fields); i += 2 {
		s.byName = append(s.byName, fields[i].(string))
		switch f := fields[i+1].(type) {
		case Field:
			s.fields = append(s.fields, f)
		case Type:
			s.fields = append(s.fields, Field{Type: f})
		case Kind:
			s.fields = append(s.fields, Field{Type: Type{Kind: f}})
		}
	}
	return s
}

var (
	tests     = scopeOf(nil, "date", Day, "result", Type{Choice, "offer"}, "kits", Number)
	referrals = scopeOf(nil, "date", Day, "closed", Truth, "need", Type{Choice, "need"})
	visit     = scopeOf([]string{"test", "referral"}, "date", Day, "next", Day, "test", Type{Choice, "offer"},
		"needs", Type{Choices, "need"}, "weight", Field{Type: Type{Kind: Number}, Decimals: 1}, "age",
		Type{Choice, "age"},
		"given", Type{Counts, "goods"}, "pregnant", Truth, "q1", Number, "q2", Number, "q3", Number,
		"other", Type{Choice, "offer"}, "accepted", Truth)
)

// entries are a person's, by form; the first is the one at hand. A part of counts lies at field*100+part.
type entries [][]map[int]int64

func (e entries) Len(form int) int { return len(e[form]) }

func (e entries) Value(form, entry, field, part int) (int64, bool) {
	if part == Sum {
		n, any := int64(0), false
		for k, v := range e[form][entry] {
			if k/100 == field && k >= 100 {
				n, any = n+v, true
			}
		}
		return n, any
	}
	if part >= 0 {
		field = field*100 + part
	}
	v, ok := e[form][entry][field]
	return v, ok
}

var march = krama.Date(2026, 3, 31)

// one is a visit in which most is known, and what came before it.
func one() entries {
	d := int64(march)
	return entries{
		{{1: d, 3: 2, 4: 0b101, 5: 685, 6: 1, 700: 12, 701: 3, 8: 1, 9: 1, 10: 2, 12: 1}},
		{{1: d - 400, 2: 1, 3: 2}, {1: d - 100, 2: 2}, {1: d - 30, 3: 5}},
		{{1: d - 20, 2: 0, 3: 1}, {1: d - 10, 3: 2}},
	}
}

// TestTruth: conditions over a visit, and what comes of what is not known.
func TestTruth(t *testing.T) {
	for src, want := range map[string]Tri{
		"test = accepted'":                                          99,
		"test = 'accepted'":                                         Yes,
		"test in {'accepted', referred}":                            Yes,
		"test in {declined, referred}":                              No,
		"declined = test":                                           No,
		"test != other":                                             Yes,
		"weight between 20 and 250":                                 Yes,
		"weight = 68.5":                                             Yes,
		"weight > 68.499 and weight < 68.501":                       Yes,
		"next > date":                                               Unknown,
		"next > date or test = 'accepted'":                          Yes,
		"next > date and test = declined":                           No,
		"not next > date":                                           Unknown,
		"not not pregnant":                                          Yes,
		"known(next)":                                               No,
		"known(next > date)":                                        No,
		"date <= today()":                                           Yes,
		"needs has hiv":                                             Yes,
		"needs has {hiv, legal}":                                    Yes,
		"needs has {hiv, prep}":                                     No,
		"age = '15-17'":                                             Yes,
		"age in {'under-15', '15-17'}":                              Yes,
		"given.condom >= 12":                                        Yes,
		"given.condom + given.lubricant = sum(given)":               Yes,
		"sum(given.condom, 1) = 13":                                 Yes,
		"max(given.condom) = 12":                                    Yes,
		"3000000 * 1000000 = 3000000000000":                         Yes,
		"3000000000000 / 3 = 1000000000000":                         Yes,
		"date + 1.9 > date":                                         Unknown,
		"sum(given) = 15":                                           Yes,
		"count(needs) = 2":                                          Yes,
		"sum(q1 ... q2) = 3":                                        Yes,
		"sum(q1 … q3) >= 0":                                         Unknown,
		"coalesce(q3, 7) = 7":                                       Yes,
		"if(pregnant, q1, q2) = 1":                                  Yes,
		"if(next > date, q1, q2) = 1":                               Unknown,
		"1 / 0 = 1":                                                 Unknown,
		"7 / 2 = 3.5":                                               Yes,
		"-7 / 2 = -3.5":                                             Yes,
		"0.5 * 0.5 = 0.25":                                          Yes,
		"2 + 3 * 4 = 14":                                            Yes,
		"(2 + 3) * 4 = 20":                                          Yes,
		"max(q1, q2, 5) = 5":                                        Yes,
		"min(date, today() - 1) = today() - 1":                      Yes,
		"days(date, today()) = 0":                                   Yes,
		"today() - date = 0":                                        Yes,
		"any(test where result = offered)":                          Yes,
		"any(test where result = declined)":                         Unknown,
		"exists(test)":                                              Yes,
		"all(test where date < today())":                            Yes,
		"all(test where result = offered)":                          No,
		"all(referral where not closed)":                            Unknown,
		"count(test where known(result)) = 2":                       Yes,
		"count(test) = 3":                                           Yes,
		"sum(test.kits) = 7":                                        Yes,
		"sum(test.kits where date > today() - 200) = 5":             Yes,
		"sum(test.kits where date > today()) = 0":                   Yes,
		"max(test.kits where date > today()) = 0":                   Unknown,
		"max(test.date) = today() - 30":                             Yes,
		"last(test where known(result)).date = today() - 100":       Yes,
		"first(test).result = offered":                              Yes,
		"last(test where date > today()).result = offered":          Unknown,
		"last(referral where need = prep).closed":                   No,
		"any(referral where need = prep and date < this.date - 14)": Yes,
		"any(referral where date > this.next)":                      Unknown,
		"1000000000000 * 1000000 > 0":                               Unknown,
		"today() + months(100) > today()":                           Yes,
		"pregnant and (test = 'accepted' or test = declined) and true": Yes,
	} {
		r, err := Compile(src, visit, Truth)
		if want == 99 {
			if err == nil {
				t.Errorf("%s is taken", src)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got := r.Truth(march, one()); got != want {
			t.Errorf("%s is %d, want %d", src, got, want)
		}
	}
}

// TestMonthsEnd: months end where their last day is, also in a leap year.
func TestMonthsEnd(t *testing.T) {
	for day, want := range map[krama.Day]krama.Day{
		krama.Date(2026, 1, 31):  krama.Date(2026, 4, 30),
		krama.Date(2023, 11, 30): krama.Date(2024, 2, 29),
		krama.Date(2026, 11, 30): krama.Date(2027, 2, 28),
	} {
		r, err := Compile("last(test).date + months(3)", visit, Day)
		if err != nil {
			t.Fatal(err)
		}
		e := entries{{{}}, {{1: int64(day)}}, nil}
		if got, ok := r.Value(march, e); !ok || krama.Day(got) != want {
			t.Errorf("three months from %s are %s, want %s", day, krama.Day(got), want)
		}
	}
}

// TestRefused: what is wrong is said with its place, in a sentence.
func TestRefused(t *testing.T) {
	for src, say := range map[string]string{
		"":                                   "missing at the end",
		"tests = offered":                    "no field tests",
		"test = offerd":                      "the list offer has no offerd",
		"test = accepted":                    "accepted is a field and a code of offer",
		"test < offered":                     "none is more than another",
		"weight = date":                      "this is a day and should be a number",
		"date + date = today()":              "cannot be joined by +",
		"date > 2026":                        "this is a number and should be a day",
		"weight":                             "this is a number and should be a yes or no",
		"given = 3":                          "of given one number is meant",
		"given.tea = 3":                      "the list goods has no tea",
		"weight.kg = 3":                      "weight is not counts",
		"coalesce(needs, hiv) has hiv":       "no field hiv",
		"if(pregnant, legal, needs) has hiv": "no field legal",
		"date + 9300000000000000 = date":     "never known",
		"weight between 20and 250":           "runs into a word",
		"sum(q1 ... 'q2') = 1":               "expected a field",
		"sum(test.'kits') = 1":               "expected a name",
		"q1 = " + strings.Repeat("{", 600):   "too many brackets",
		"needs = hiv":                        "choices of need cannot be compared",
		"test has offered":                   "has stands behind choices",
		"needs in {hiv}":                     "in stands between a choice and codes",
		"any(test where any(referral))":      "cannot stand within another",
		"any(offer where true)":              "no form offer",
		"test where true":                    "nothing should stand here",
		"first(test)":                        "a field is meant",
		"sum(test)":                          "takes numbers",
		"sum(test where true)":               "of a field",
		"count(test.kits) = 1":               "of entries",
		"today(1) = date":                    "takes nothing",
		"months(1.5)":                        "whole number",
		"date + months(date) = date":         "whole number",
		"frob(1)":                            "no function frob",
		"if(pregnant, 1)":                    "takes a condition",
		"weight < 20 and weight > 250":       "never hold",
		"test = offered and test = declined": "never hold",
		"test in {offered} and not (test = offered or pregnant)": "never hold",
		"needs has hiv and not needs has hiv":                    "never hold",
		"any(test where kits > 3 and kits < 2)":                  "never hold",
		"false":                                                  "never hold",
		"weight = 1.2345":                                        "three digits",
		"weight = 'x":                                            "a quote that does not end",
		"weight = 1 ; true":                                      "a sign that the language does not have",
		"sum(q3 ... q1) = 1":                                     "the first above the second",
		"sum(date ... q1) = 1":                                   "a field that is no number",
		"(((":                                                    "missing at the end",
		strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60):     "too many brackets",
		"true" + strings.Repeat(" and true", 300):                      "longer than",
		"q1 = 0" + strings.Repeat("+1", 500):                           "too long",
		strings.Repeat("not ", 200) + "pregnant and " + "needs has {}": "an empty set",
		"weight between 1 and date":                                    "should be a number",
		"pregnant = true":                                              "cannot be compared",
	} {
		_, err := Compile(src, visit, Truth)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Why, say) {
			t.Errorf("%.60q: %v, want %q", src, err, say)
		} else if e.At < 0 || e.At > len(src) {
			t.Errorf("%q: a place outside: %d", src, e.At)
		}
	}
}

// TestExplain: who asks why gets the entries that decided, and what is read at hand is known.
func TestExplain(t *testing.T) {
	for src, want := range map[string][]Used{
		"any(test where result = offered or known(kits))":   {{1, 0}, {1, 2}},
		"all(test where known(kits))":                       {{1, 1}},
		"count(test where known(result)) > 1":               {{1, 0}, {1, 1}},
		"last(referral where need = legal).date > date":     {{2, 1}},
		"sum(test.kits) > 0 and exists(test)":               {{1, 0}, {1, 2}, {1, 1}},
		"pregnant or all(test where known(kits))":           nil,
		"not pregnant and exists(test)":                     nil,
		"not (exists(test) and any(referral where closed))": {{1, 0}, {1, 1}, {1, 2}},
		"weight > 20": nil,
	} {
		r, err := Compile(src, visit, Truth)
		if err != nil {
			t.Fatal(src, err)
		}
		if got := r.Explain(march, one()); !slices.Equal(got, want) {
			t.Errorf("%s rests on %v, want %v", src, got, want)
		}
	}
	r, err := Compile("any(referral where date < this.next) or weight > 3 and sum(given) > 2", visit, Truth)
	if err != nil || !slices.Equal(r.Reads, []int{2, 5, 7}) {
		t.Errorf("reads %v, %v", r.Reads, err)
	}
}

// TestNeverIsRight: a condition that is refused because it can never hold holds for no answers of a small world.
func TestNeverIsRight(t *testing.T) {
	parts := []string{"q1 < 2", "q1 > 1", "q1 = 2", "q1 != 2", "q1 between 1 and 2", "not q1 >= 2", "test = offered",
		"test != offered", "test in {offered, declined}", "needs has hiv", "not needs has hiv", "needs has {hiv, prep}",
		"pregnant", "not pregnant"}
	refused := 0
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range parts {
				for _, how := range []string{"%s and %s and %s", "(%s or %s) and not (%s)", "%s and not (%s and %s)"} {
					src := fmt.Sprintf(how, a, b, c)
					_, err := Compile(src, visit, Truth)
					if err == nil {
						continue
					}
					refused++
					n, _ := parse(src)
					p, err := (&checker{here: visit, scope: visit, reads: map[int]bool{}}).part(n)
					if err != nil {
						t.Fatal(src, err)
					}
					for q := range int64(4) {
						for code := range int64(5) {
							for needs := range int64(8) {
								for preg := range int64(2) {
									e := entries{{{9: q, 3: code, 4: needs, 8: preg}}, nil, nil}
									if tri((&run{today: 1, from: e}).eval(&p)) == Yes {
										t.Fatalf("%s holds for %v", src, e[0])
									}
								}
							}
						}
					}
				}
			}
		}
	}
	if refused < 400 {
		t.Errorf("only %d refused: the search sees too little", refused)
	}
}
