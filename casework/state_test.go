package casework

import (
	"math/rand/v2"
	"testing"

	"krama"
)

func amend(id byte, field uint8, v any, replaces ...krama.RecordID) *krama.Record {
	raw, err := krama.EncodeValue(v)
	if err != nil {
		panic(err)
	}
	return &krama.Record{ID: krama.RecordID{id}, Amend: &krama.Amend{Target: krama.RecordID{1}, Date: 20000,
		Changes: []krama.Change{{Field: field, Value: raw, Replaces: replaces}}}}
}

// TestOrderDoesNotMatter folds the same records in many orders and repetitions.
func TestOrderDoesNotMatter(t *testing.T) {
	who := krama.SubjectID{1}
	base := krama.RecordID{1}
	records := []*krama.Record{
		{ID: base, Person: &krama.Person{Code: "000000", Gender: 1, Age: 4, Category: 1, District: 1001,
			Registered: 20000}},
		{ID: krama.RecordID{2}, Contact: &krama.Contact{Date: 20001, Place: 1, Next: 20010}},
		{ID: krama.RecordID{3}, Contact: &krama.Contact{Date: 20003, Place: 2, Next: 20040}},
		amend(4, 6, uint16(1002), base),
		amend(5, 6, uint16(1003), base),
		amend(6, 2, uint8(2), base),
		amend(7, 2, uint8(3), krama.RecordID{6}),
		{ID: krama.RecordID{8}, Consent: &krama.Consent{Purpose: krama.PurposeCount, Given: true, Date: 20000}},
		{ID: krama.RecordID{9}, Consent: &krama.Consent{Purpose: krama.PurposeCount, Given: false, Date: 20000}},
	}
	for range 500 {
		s := New()
		for _, i := range rand.Perm(len(records)) {
			s.Apply(who, records[i], krama.DeviceID{}, true)
			if rand.IntN(2) == 0 {
				s.Apply(who, records[i], krama.DeviceID{}, false)
			}
		}
		for _, r := range records {
			s.Apply(who, r, krama.DeviceID{}, false)
		}
		v, ok := s.Person(who, 20100)
		if !ok || len(v.Contacts) != 2 || v.Last != 20003 || v.Next != 20040 || v.Local != 0 {
			t.Fatalf("%+v", v)
		}
		if v.Value.Gender != 3 || v.Value.District != 1002 {
			t.Fatalf("gender %d want 3, district %d want 1002", v.Value.Gender, v.Value.District)
		}
		if len(v.Disputes) != 1 || v.Disputes[0].Field != 6 || len(v.Disputes[0].Heads) != 2 {
			t.Fatalf("disputes %+v", v.Disputes)
		}
		if v.Consented(krama.PurposeCount) {
			t.Fatal("on one day a withdrawal outranks a consent")
		}
		s.Apply(who, amend(10, 6, uint16(1003), s.Heads(base, 6)...), krama.DeviceID{}, false)
		if v, _ = s.Person(who, 20100); len(v.Disputes) != 0 || v.Value.District != 1003 {
			t.Fatalf("after deciding: %+v", v)
		}
	}
}

func TestVoidAndDue(t *testing.T) {
	s, who := New(), krama.SubjectID{1}
	s.Apply(who, &krama.Record{ID: krama.RecordID{9}, Person: &krama.Person{Code: "000000", Gender: 1, Age: 1,
		Category: 1, Registered: 20000}}, krama.DeviceID{}, false)
	s.Apply(who, &krama.Record{ID: krama.RecordID{1}, Contact: &krama.Contact{Date: 20000, Place: 1, Next: 20010}},
		krama.DeviceID{}, false)
	if d := s.Due(20009, 20009); len(d) != 0 {
		t.Errorf("due too early: %v", d)
	}
	if d := s.Due(20010, 20010); len(d) != 1 || !d[0].Minor {
		t.Errorf("due: %v", d)
	}
	s.Apply(who, amend(2, 11, true, krama.RecordID{1}), krama.DeviceID{}, false)
	if d := s.Due(20010, 20010); len(d) != 0 {
		t.Errorf("due by a contact entered by mistake: %v", d)
	}
	if len(s.Recent(5)) != 0 {
		t.Error("a mistake is listed")
	}
}

func TestRecentIsNewestByDate(t *testing.T) {
	s := New()
	for i := range 100 {
		s.Apply(krama.SubjectID{1}, &krama.Record{ID: krama.RecordID{byte(i + 1)},
			Contact: &krama.Contact{Date: 20000 + krama.Day(i*37%100), Place: 1}}, krama.DeviceID{}, false)
	}
	got := s.Recent(10)
	for i, c := range got {
		if c.Date != 20099-krama.Day(i) {
			t.Fatalf("place %d: %d", i, c.Date)
		}
	}
}

// TestForgetMatters: what is kept of no registered person under a subject goes with her key, at once.
func TestForgetMatters(t *testing.T) {
	s := New()
	who, day := krama.SubjectID{1}, krama.Date(2026, 3, 2)
	s.ApplyIn(krama.KindSafeguarding, who, &krama.Record{ID: krama.RecordID{1}, Incident: &krama.Incident{Day: day,
		What: 2, Consent: true}}, krama.DeviceID{}, false)
	s.ApplyIn(krama.KindCasework, who, &krama.Record{ID: krama.RecordID{2},
		Report: &krama.Report{Thread: krama.ThreadID{1}, Day: day, Topic: 1, Text: "t"}}, krama.DeviceID{}, false)
	s.ApplyIn(krama.KindOutreach, who, &krama.Record{ID: krama.RecordID{3}, Referral: &krama.Referral{Day: day}},
		krama.DeviceID{}, false)
	if len(s.Incidents()) != 1 || len(s.Threads()) != 1 || len(s.Referrals(who)) != 1 {
		t.Fatal("not folded")
	}
	s.Forget(who)
	if len(s.Incidents()) != 0 || len(s.Threads()) != 0 || len(s.Referrals(who)) != 0 {
		t.Error("something of an erased subject is still shown")
	}
}
