package krama

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
)

func TestCodeDetectsOneWrongAndTwoExchanged(t *testing.T) {
	for range 300 {
		c, err := NewCode(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseCode(strings.ToLower(c.String())); err != nil || got != c {
			t.Fatalf("%s: %v", c, err)
		}
		for i := range 6 {
			for _, r := range crockford {
				b := []byte(c)
				if b[i] == byte(r) {
					continue
				}
				b[i] = byte(r)
				if _, err := ParseCode(string(b)); err == nil {
					t.Fatalf("%s accepted as %s", b, c)
				}
			}
			for j := range i {
				b := []byte(c)
				b[i], b[j] = b[j], b[i]
				if _, err := ParseCode(string(b)); err == nil && string(b) != string(c) {
					t.Fatalf("%s accepted as %s", b, c)
				}
			}
		}
	}
	if _, err := ParseCode("K7-3MQ"); err == nil {
		t.Error("a short code was accepted")
	}
	if c, _ := NewCode(bytes.NewReader([]byte{0, 1, 0, 1, 0})); c.String()[:6] != "01-010" {
		t.Errorf("groups: %s", c)
	}
	want, _ := NewCode(bytes.NewReader([]byte{0, 1, 0, 1, 0}))
	if o, _ := ParseCode(strings.NewReplacer("0", "O", "1", "l").Replace(string(want))); o != want || o == "" {
		t.Errorf("O and l: %s, want %s", o, want)
	}
}

func TestRecordRoundTripAndRefusals(t *testing.T) {
	c, _ := NewCode(rand.Reader)
	day := Date(2026, 3, 31)
	good := &Record{ID: RecordID{1}, Contact: &Contact{Date: day, District: 1001, Place: 1,
		Topics: Set(0).With(1).With(3),
		Given:  Supplies{12, 0, 6}, Test: TestDeclined, Safety: SafeYes, Next: day + 28}}
	b, err := good.Encode()
	if err != nil || len(b) > 64 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	got, err := DecodeRecord(b)
	if err != nil || *got.Contact != *good.Contact {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, r := range map[string]*Record{
		"no id": {Contact: good.Contact},
		"two parts": {ID: RecordID{1}, Contact: good.Contact, Consent: &Consent{Purpose: 1, Given: true,
			Date: day}},
		"due before":    {ID: RecordID{1}, Contact: &Contact{Date: day, Place: 1, Next: day}},
		"clock at 1970": {ID: RecordID{1}, Contact: &Contact{Date: 3, Place: 1}},
		"unknown topic": {ID: RecordID{1}, Contact: &Contact{Date: day, Place: 1, Topics: Set(0).With(40)}},
		"unknown place": {ID: RecordID{1}, Contact: &Contact{Date: day, Place: 99}},
		"9,000 condoms": {ID: RecordID{1}, Contact: &Contact{Date: day, Place: 1, Given: Supplies{9000}}},
		"bad code": {ID: RecordID{1}, Person: &Person{Code: "AAAAAB", Gender: 1, Age: 4, Category: 1,
			Registered: day}},
		"unknown gender": {ID: RecordID{1}, Person: &Person{Code: c, Gender: 99, Age: 4, Category: 1, Registered: day}},
		"long label":     {ID: RecordID{1}, Staff: &Staff{Label: strings.Repeat("x", 41)}},
	} {
		if _, err := r.Encode(); KindOf(err) != Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	later, _ := encMode.Marshal(map[int]any{1: RecordID{1}, 99: "a part of a later version"})
	if r, err := DecodeRecord(later); err != nil || r.ID != (RecordID{1}) {
		t.Errorf("a later record: %v", err)
	}
}

func TestDays(t *testing.T) {
	if d, err := ParseDay("2026-02-28"); err != nil || d.String() != "2026-02-28" ||
		d.AddMonths(-1).String() != "2026-01-28" {
		t.Errorf("%v %v", d, err)
	}
	if d := Date(2026, 3, 31).AddMonths(-1); d.String() != "2026-02-28" {
		t.Errorf("clamp: %v", d)
	}
	for _, s := range []string{"", "2026-02-30", "1969-01-01", "31/01/2026"} {
		if _, err := ParseDay(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	b, _ := (&Record{ID: RecordID{1}, Circle: &Circle{KindOutreach}}).Encode()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := DecodeRecord(b); err == nil {
			if _, err := r.Encode(); err != nil {
				t.Errorf("a valid record does not encode: %v", err)
			}
		}
	})
}
