package krama

import "testing"

// TestTypedAsMeant: codes, slips and numbers are read whatever keyboard they come from.
func TestTypedAsMeant(t *testing.T) {
	code, err := NewCode(zeros{})
	if err != nil {
		t.Fatal(err)
	}
	for _, typed := range []string{"000000", "០០-០០០-០", "00\u200b0000", "00\u2011000\u20110", "\ufeff00 000 0",
		"oo\u00a0OOO\u2013O", "００００００", "00\u2212000\u00ad0"} {
		if got, err := ParseCode(typed); err != nil || got != code {
			t.Errorf("%q: %v, %v", typed, got, err)
		}
	}
	slip, err := NewSlipCode(zeros{})
	if err != nil {
		t.Fatal(err)
	}
	for _, typed := range []string{"០០០០-០០០០-០០០០", "0000\u20110000\u20110000\u200d", "0000\u2003 0000\t0000"} {
		if got, err := ParseSlipCode(typed); err != nil || got != slip {
			t.Errorf("%q: %v, %v", typed, got, err)
		}
	}
	for _, typed := range []string{"00000", "00000!", "0000០១", "ក00000"} {
		if got, err := ParseCode(typed); err == nil {
			t.Errorf("%q is read as %s", typed, got)
		}
	}
	for typed, want := range map[string]string{"០១២ ៣៤៥": "012 345", "a\u200bb": "ab", "ក្រចេះ": "ក្រចេះ",
		"１２－３": "12-3"} {
		if got := Plain(typed); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestLetters(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "អ្នកចុះផ្សព្វផ្សាយ ១": 20, "🌸": 2} {
		if got := Letters(text); got != want {
			t.Errorf("%q has %d letters, want %d", text, got, want)
		}
		if len(text) > 3*Letters(text) {
			t.Errorf("%q: %d bytes of %d letters", text, len(text), Letters(text))
		}
	}
}

// TestNightHours: hours past midnight are kept as two spans that every version takes, and told as one.
func TestNightHours(t *testing.T) {
	days := Set(0).With(1).With(7)
	got := Spans(days, 20*60, 2*60)
	if len(got) != 2 || got[0] != (Hours{days, 1200, 1440}) || got[1] != (Hours{Set(0).With(1).With(2), 0, 120}) {
		t.Fatalf("%+v", got)
	}
	for _, h := range [][]Hours{got, Spans(days, 480, 1020), Spans(days, 1200, 0), {{0xfe, 0, 1440}}} {
		l := &Listing{Key: ListingID{1}, Kind: KindService, Org: Words{EN: "o"}, Name: Words{EN: "n"},
			Operator: OperatorNGO, Hours: h}
		if err := l.Validate(); err != nil {
			t.Errorf("%+v: %v", h, err)
		}
	}
	if n := Nights(got); len(n) != 1 || n[0] != (Hours{days, 1200, 120}) {
		t.Errorf("told as %+v", n)
	}
	if n := Nights([]Hours{{days, 1200, 1440}}); len(n) != 1 || n[0].Close != 0 {
		t.Errorf("until midnight: %+v", n)
	}
	if n := Nights([]Hours{{0xfe, 0, 1440}}); len(n) != 1 || n[0] != (Hours{0xfe, 0, 1440}) {
		t.Errorf("always: %+v", n)
	}
}
