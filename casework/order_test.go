package casework

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"krama"
)

// fold gives records to a state in an order of its own, some of them twice.
func fold(who krama.SubjectID, k krama.CircleKind, records []*krama.Record) *State {
	s := New()
	for _, i := range rand.Perm(len(records)) {
		s.ApplyIn(k, who, records[i], krama.DeviceID{}, false)
		if rand.IntN(3) == 0 {
			s.ApplyIn(k, who, records[i], krama.DeviceID{}, false)
		}
	}
	return s
}

// same folds records in 200 orders and fails if what is looked at differs.
func same(t *testing.T, k krama.CircleKind, records []*krama.Record, look func(*State) any) any {
	t.Helper()
	var first any
	for i := range 200 {
		got := look(fold(krama.SubjectID{1}, k, records))
		if i == 0 {
			first = got
		} else if !reflect.DeepEqual(got, first) {
			t.Fatalf("another order: %+v, before %+v", got, first)
		}
	}
	return first
}

func changes(id byte, day krama.Day, ch ...krama.Change) *krama.Record {
	return &krama.Record{ID: krama.RecordID{id}, Amend: &krama.Amend{Target: krama.RecordID{1}, Date: day, Changes: ch}}
}

func change(n uint8, v any, replaces ...byte) krama.Change {
	raw, err := krama.EncodeValue(v)
	if err != nil {
		panic(err)
	}
	c := krama.Change{Field: n, Value: raw}
	for _, r := range replaces {
		c.Replaces = append(c.Replaces, krama.RecordID{r})
	}
	return c
}

var herself = &krama.Record{ID: krama.RecordID{99}, Person: &krama.Person{Code: "000000", Gender: 1, Age: 4,
	Category: 1, District: 1001, Registered: 20000}}

// TestAnAmendmentIsJudgedWhole: a date and the next one that belongs to it are moved together, forward and back.
func TestAnAmendmentIsJudgedWhole(t *testing.T) {
	for name, to := range map[string]krama.Day{"forward": 20100, "beyond two years back": 19000,
		"beyond two years forward": 21000} {
		met := &krama.Record{ID: krama.RecordID{1}, Contact: &krama.Contact{Date: 20010, Place: 1, Next: 20017}}
		moved := changes(2, 20110, change(1, to, 1), change(9, to+28, 1))
		got := same(t, krama.KindOutreach, []*krama.Record{herself, met, moved}, func(s *State) any {
			c, _ := s.Contact(krama.RecordID{1})
			v, _ := s.Person(krama.SubjectID{1}, 22000)
			return []any{c.Date, c.Next, len(v.Disputes)}
		})
		if want := []any{to, to + 28, 0}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestWhatCannotStandIsAsked: two people change what belongs together, each right alone. One of the two counts on every
// device, and the other is asked about until somebody saves what is right.
func TestWhatCannotStandIsAsked(t *testing.T) {
	met := &krama.Record{ID: krama.RecordID{1}, Contact: &krama.Contact{Date: 20010, Place: 1, Next: 20017}}
	date, next := changes(2, 20110, change(1, krama.Day(20016), 1)), changes(3, 20110, change(9, krama.Day(20012), 1))
	records := []*krama.Record{herself, met, date, next}
	look := func(s *State) any {
		c, _ := s.Contact(krama.RecordID{1})
		v, _ := s.Person(krama.SubjectID{1}, 22000)
		var asked []any
		for _, d := range v.Disputes {
			asked = append(asked, d.Field, d.Cannot, d.Heads[0].Record)
		}
		return []any{c.Date, c.Next, asked}
	}
	got := same(t, krama.KindOutreach, records, look)
	if want := []any{krama.Day(20016), krama.Day(20017), []any{uint8(9), true, krama.RecordID{3}}}; !reflect.DeepEqual(
		got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	settled := append(records, changes(4, 20111, change(9, krama.Day(20030), 3)))
	got = same(t, krama.KindOutreach, settled, look)
	if want := []any{krama.Day(20016), krama.Day(20030), []any(nil)}; !reflect.DeepEqual(got, want) {
		t.Errorf("settled: %v, want %v", got, want)
	}
}

// TestFieldsAboveSixteen: there is no bound below which a field's number must lie, and a field of a later version harms
// none.
func TestFieldsAboveSixteen(t *testing.T) {
	met := &krama.Record{ID: krama.RecordID{1}, Contact: &krama.Contact{Date: 20010, Place: 1}}
	s := fold(krama.SubjectID{1}, krama.KindOutreach, []*krama.Record{herself, met,
		changes(2, 20110, change(17, "later", 1), change(3, uint8(2), 1))})
	if c, _ := s.Contact(krama.RecordID{1}); c.Place != 2 {
		t.Errorf("place %d, want 2", c.Place)
	}
	if h := s.Heads(krama.RecordID{1}, 17); len(h) != 1 || h[0] != (krama.RecordID{2}) {
		t.Errorf("the later version's field stands with %v", h)
	}
}

// TestOneDayHasOneOrder: of one day the entry that was typed last decides what is due, wherever it was read, on the
// page and in the list; and that she is not safe is shown whichever of them says it.
func TestOneDayHasOneOrder(t *testing.T) {
	at := func(id byte, written uint32, c krama.Contact) *krama.Record {
		c.Place = 1
		return &krama.Record{ID: krama.RecordID{id}, Written: written, Contact: &c}
	}
	records := []*krama.Record{herself,
		at(9, 100, krama.Contact{Date: 20010, Next: 20020, District: 1002, Safety: krama.SafeHelp}),
		at(8, 200, krama.Contact{Date: 20010, Next: 20030, District: 1003, Safety: krama.SafeYes}),
		at(7, 300, krama.Contact{Date: 20009, Next: 20040, District: 1004, Safety: krama.SafeYes}),
		at(6, 0, krama.Contact{Date: 20010, Next: 20050, District: 1005}),
		at(5, 0, krama.Contact{Date: 20010, Next: 20060, District: 1005})}
	got := same(t, krama.KindOutreach, records, func(s *State) any {
		v, _ := s.Person(krama.SubjectID{1}, 20020)
		r := s.Rows(20020)[0]
		var ids []byte
		for _, c := range v.Contacts {
			ids = append(ids, c.Record[0])
		}
		newest := s.Recent(2)
		return []any{v.Last, v.Next, v.NotSafe, r.Last, r.Next, r.District, r.NotSafe, ids, newest[0].Record[0],
			newest[1].Record[0]}
	})
	if want := []any{krama.Day(20010), krama.Day(20030), true, krama.Day(20010), krama.Day(20030), uint16(1003), true,
		[]byte{8, 9, 6, 5, 7}, byte(8), byte(9)}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestTheFutureRulesNothing: an entry of a phone whose clock was a year ahead decides nothing and is shown as what it
// is; that she needs help is not forgotten for it.
func TestTheFutureRulesNothing(t *testing.T) {
	today := krama.Day(20010)
	later := &krama.Record{ID: krama.RecordID{1}, Contact: &krama.Contact{Date: today + 400, Place: 1,
		Next: today + 428, District: 1009, Safety: krama.SafeHelp}}
	now := &krama.Record{ID: krama.RecordID{2}, Contact: &krama.Contact{Date: today - 1, Place: 1, Next: today + 1,
		District: 1002}}
	midnight := &krama.Record{ID: krama.RecordID{3}, Contact: &krama.Contact{Date: today + 1, Place: 1, Next: today + 9,
		District: 1003}}
	no := &krama.Record{ID: krama.RecordID{4}, Consent: &krama.Consent{Purpose: krama.PurposeShare, Date: today}}
	yes := &krama.Record{ID: krama.RecordID{5}, Consent: &krama.Consent{Purpose: krama.PurposeShare, Given: true,
		Date: today + 400, Replaces: []krama.RecordID{{4}}}}
	trust := &krama.Record{ID: krama.RecordID{6}, Trust: &krama.Trust{X: 1, Day: today + 400}}
	shown := &krama.Record{ID: krama.RecordID{7}, Trust: &krama.Trust{X: 1, Day: today - 5}}
	records := []*krama.Record{herself, later, now, no, yes, trust, shown}
	look := func(s *State) any {
		v, _ := s.Person(krama.SubjectID{1}, today)
		d, _ := s.Drills([4]byte{}, today)
		return []any{v.Last, v.Next, len(v.Ahead), v.NotSafe, len(s.Due(today, today+3)), s.Rows(today)[0].Ahead,
			v.Consented(krama.PurposeShare), d[1]}
	}
	got := same(t, krama.KindOutreach, records, look)
	if want := []any{today - 1, today + 1, 1, true, 1, true, false, today - 5}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	got = same(t, krama.KindOutreach, append(records, midnight), look)
	if want := []any{today + 1, today + 9, 1, true, 0, true, false, today - 5}; !reflect.DeepEqual(got, want) {
		t.Errorf("with tomorrow's: %v, want %v", got, want)
	}
	fixed := append(records, changes(8, today, change(1, today-3, 1)))
	if v, _ := fold(krama.SubjectID{1}, krama.KindOutreach, fixed).Person(krama.SubjectID{1},
		today); len(v.Ahead) != 0 || v.Last != today-1 {
		t.Errorf("corrected: %+v", v)
	}
}

// TestTheLastWordOfADay: consent that is given, withdrawn and given again on one day stands; of two that know nothing
// of each other the withdrawal does.
func TestTheLastWordOfADay(t *testing.T) {
	word := func(id byte, given bool, replaces ...byte) *krama.Record {
		c := &krama.Consent{Purpose: krama.PurposeContact, Given: given, Date: 20000}
		for _, r := range replaces {
			c.Replaces = append(c.Replaces, krama.RecordID{r})
		}
		return &krama.Record{ID: krama.RecordID{id}, Consent: c}
	}
	for name, tc := range map[string]struct {
		words []*krama.Record
		want  bool
	}{
		"yes, no, yes":        {[]*krama.Record{word(1, true), word(2, false, 1), word(3, true, 2)}, true},
		"yes, no":             {[]*krama.Record{word(1, true), word(2, false, 1)}, false},
		"two at once":         {[]*krama.Record{word(1, true), word(2, false, 1), word(3, true, 1)}, false},
		"of the first format": {[]*krama.Record{word(1, true), word(2, false), word(3, true)}, false},
		"replaces itself":     {[]*krama.Record{word(2, false, 2), word(3, true)}, false},
	} {
		got := same(t, krama.KindOutreach, append(tc.words, herself), func(s *State) any {
			v, _ := s.Person(krama.SubjectID{1}, 20000)
			return []any{v.Consented(krama.PurposeContact), v.NoContact}
		})
		if !reflect.DeepEqual(got, []any{tc.want, !tc.want}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestTwoOfOneCode: both are found, and the one who was registered later may be given another code.
func TestTwoOfOneCode(t *testing.T) {
	for range 100 {
		s := New()
		a, b := krama.SubjectID{7}, krama.SubjectID{3}
		recs := []func(){
			func() {
				s.Apply(a, &krama.Record{ID: krama.RecordID{1}, Written: 5, Person: &krama.Person{Code: "000000",
					Gender: 1, Age: 4, Category: 1, Registered: 20000}}, krama.DeviceID{}, false)
			},
			func() {
				s.Apply(b, &krama.Record{ID: krama.RecordID{2}, Written: 6, Person: &krama.Person{Code: "000000",
					Gender: 2, Age: 4, Category: 1, Registered: 20000}}, krama.DeviceID{}, false)
			},
		}
		for _, i := range rand.Perm(2) {
			recs[i]()
		}
		if got := s.Find("000000"); len(got) != 2 {
			t.Fatalf("found %v", got)
		}
		va, _ := s.Person(a, 20000)
		vb, _ := s.Person(b, 20000)
		if len(va.Namesakes) != 1 || len(vb.Namesakes) != 1 || va.Later || !vb.Later || !s.Rows(20000)[0].Same {
			t.Fatalf("%+v %+v", va, vb)
		}
		next, err := krama.ParseCode("123453")
		for c := byte('0'); err != nil; c++ {
			next, err = krama.ParseCode("12345" + string(c))
		}
		raw, _ := krama.EncodeValue(next)
		s.Apply(b, &krama.Record{ID: krama.RecordID{3}, Amend: &krama.Amend{Target: krama.RecordID{2}, Date: 20000,
			Changes: []krama.Change{{Field: 1, Value: raw, Replaces: s.Heads(krama.RecordID{2},
				1)}}}}, krama.DeviceID{}, false)
		if vb, _ = s.Person(b, 20000); vb.Value.Code != next || len(vb.Namesakes) != 0 || len(s.Find("000000")) != 1 ||
			len(s.Find(next)) != 1 {
			t.Fatalf("with a new code: %+v", vb)
		}
		s.Forget(b)
		if len(s.Find(next)) != 0 {
			t.Fatal("an erased person's code is found")
		}
	}
}

// TestWhatComesTwiceStandsInOneOrder: labels, registrations, outcomes and acts of one day.
func TestWhatComesTwiceStandsInOneOrder(t *testing.T) {
	m := krama.MemberID{1}
	reg := func(id byte, gender uint8) *krama.Record {
		return &krama.Record{ID: krama.RecordID{id}, Written: uint32(id), Person: &krama.Person{Code: "000000",
			Gender: gender, Age: 4, Category: 1, Registered: 20000}}
	}
	records := []*krama.Record{
		{ID: krama.RecordID{40}, Written: 10, Staff: &krama.Staff{Member: m, Label: "Outreach 1"}},
		{ID: krama.RecordID{30}, Written: 20, Staff: &krama.Staff{Member: m, Label: "Outreach 2"}},
		reg(1, 1), reg(2, 2), changes(3, 20001, change(5, uint8(2), 1)),
		{ID: krama.RecordID{50}, Referral: &krama.Referral{Day: 20001}},
		{ID: krama.RecordID{52}, Written: 5, Outcome: &krama.Outcome{Referral: krama.RecordID{50}, Day: 20002,
			What: krama.OutcomeCouldNot}},
		// of a second desk
		{ID: krama.RecordID{52}, Written: 9, Outcome: &krama.Outcome{Referral: krama.RecordID{50}, Day: 20002,
			What: krama.OutcomeCouldNot}},
		{ID: krama.RecordID{51}, Written: 6, Outcome: &krama.Outcome{Referral: krama.RecordID{50}, Day: 20002,
			What: krama.OutcomeDone}},
		{ID: krama.RecordID{60}}, {ID: krama.RecordID{61}},
	}
	got := same(t, krama.KindOutreach, records, func(s *State) any {
		v, _ := s.Person(krama.SubjectID{1}, 20010)
		return []any{s.Label(m), v.Record, v.Value.Gender, v.Value.Category, len(s.Find("000000")),
			s.Referrals(krama.SubjectID{})[0].Outcome(), s.Unknown()}
	})
	if want := []any{"Outreach 2", krama.RecordID{1}, uint8(1), uint8(2), 1, krama.OutcomeDone, 2}; !reflect.DeepEqual(
		got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestPartsNameTheirMessage: two long reports of one day, their parts in any order, are two whole messages; acts stand
// in the order they were typed, and what came with an act's day and is not counted in it is not answered.
func TestPartsNameTheirMessage(t *testing.T) {
	th := krama.ThreadID{1}
	part := func(id, of, n, p byte, text string) *krama.Record {
		r := &krama.Report{Thread: th, Day: 20000, Topic: 1, Part: p, Text: text, N: uint32(n)}
		if p > 0 {
			r.Of = krama.RecordID{of}
		} else {
			r.KEM = make([]byte, 1216)
		}
		return &krama.Record{ID: krama.RecordID{id}, Report: r}
	}
	act := func(id byte, written uint32, what uint8, messages uint16) *krama.Record {
		return &krama.Record{ID: krama.RecordID{id}, Written: written, Act: &krama.Act{Threads: []krama.ThreadID{th},
			What: what, Day: 20000, Messages: messages}}
	}
	records := []*krama.Record{part(9, 9, 3, 0, "a"), part(9, 9, 1, 0, "a"), part(8, 9, 1, 1, "b"),
		part(7, 9, 1, 2, "c"), part(6, 6, 2, 0, "1"), part(5, 6, 2, 1, "2"),
		act(20, 7, krama.ActReopen, 2), act(21, 8, krama.ActClose, 2), act(22, 6, krama.ActClose, 1)}
	got := same(t, krama.KindCasework, records, func(s *State) any {
		m := s.Thread(th).Messages
		return []any{len(m), m[0].Text, m[1].Text, s.Thread(th).State(), len(s.Thread(th).Reports), s.Unknown()}
	})
	if want := []any{2, "abc", "12", ThreadClosed, 2, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	got = same(t, krama.KindCasework, append(records[:6:6], act(23, 9, krama.ActClose, 0)), func(s *State) any {
		return s.Thread(th).State()
	})
	if got != ThreadOpen {
		t.Errorf("an act that does not say what it had seen: state %v", got)
	}
	got = same(t, krama.KindSafeguarding, []*krama.Record{{ID: krama.RecordID{70}}, {ID: krama.RecordID{71}}},
		func(s *State) any { return s.Unknown() })
	if got != 2 {
		t.Errorf("%v records of a later version are counted, want 2", got)
	}
}
