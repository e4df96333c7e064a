package exchange

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"krama"
	"krama/exchange/hsds"
)

// imported reads one invented service with what is nested in it.
func imported(t *testing.T, more string) (krama.Listing, []Left) {
	t.Helper()
	text := `[{"id":"11111111-0000-4000-8000-000000000001","name":"Synthetic service","description":"Invented.",` +
		more + `"organization":{"id":"o","name":"Synthetic org"}}]`
	tables, remarks, err := hsds.GatherJSON(strings.NewReader(text), hsds.Service)
	if err != nil || len(remarks) > 0 {
		t.Fatalf("%s: %v %v", more, remarks, err)
	}
	in, err := FromHSDS(tables, loadGuide(t), "", "test")
	if err != nil || len(in.Services) != 1 {
		t.Fatalf("%s: %+v %v", more, in, err)
	}
	return in.Services[0].Listing, in.Left
}

// TestNumbersAreUnderstoodWhole: what another directory calls a number is taken whole or left behind, and what stands
// beside it is said.
func TestNumbersAreUnderstoodWhole(t *testing.T) {
	for number, tc := range map[string]struct {
		more string // other columns
		want []string
		left int
	}{
		"023 555 010":           {"", []string{"023 555 010"}, 0},
		"1299 / 023 555 010":    {"", []string{"1299", "023 555 010"}, 0},
		"023 555 010; 011":      {"", nil, 1},
		"023 555 010 / 118":     {"", nil, 1},
		"117 / 118":             {"", []string{"117", "118"}, 0},
		"023 555 010/011":       {"", nil, 1},
		"+855 (0)23 555 010":    {"", []string{"+855 23 555 010"}, 0},
		"00855 23 555 010":      {"", []string{"+855 23 555 010"}, 0},
		"០២៣ ៥៥៥ ០១០":           {"", []string{"023 555 010"}, 0},
		"023\u00a0555\u2011010": {"", []string{"023 555 010"}, 0},
		"023–555–011":           {"", []string{"023 555 011"}, 0},
		"023 555 010 ext 5":     {"", []string{"023 555 010"}, 1},
		"023 555 012":           {`,"extension":12,"description":"women only"`, []string{"023 555 012"}, 2},
		"023 555 013":           {`,"type":"fax"`, nil, 1},
		"023 555 014":           {`,"type":"textphone"`, nil, 1},
		"ask at reception":      {"", nil, 1},
		"call 023 555 010":      {"", nil, 1},
		"8.5523555E+10":         {"", nil, 1},
	} {
		b, _ := json.Marshal(number)
		l, left := imported(t, `"status":"active","phones":[{"number":`+string(b)+tc.more+`}],`)
		var got []string
		for _, p := range l.Phones {
			if got = append(got, p.Number); p.Tier != krama.TierPartner {
				t.Errorf("%s: for tier %d", number, p.Tier)
			}
		}
		if !slices.Equal(got, tc.want) || len(left) != tc.left {
			t.Errorf("%s: %q %v, want %q and %d said", number, got, left, tc.want, tc.left)
		}
		for _, x := range left {
			if x.Service != "Synthetic service" || x.What != "phone" || x.Value == "" {
				t.Errorf("%s: said %+v", number, x)
			}
		}
	}
	var many []string
	for i := range krama.MaxPhones + 1 {
		many = append(many, fmt.Sprintf(`{"number":"023 555 %03d"}`, i))
	}
	if l, left := imported(t, `"status":"active","phones":[`+strings.Join(many, ",")+`],`); len(
		l.Phones) != krama.MaxPhones || len(left) != 1 || !strings.Contains(left[0].Value, "023 555 006") {
		t.Errorf("seven numbers: %v %v", l.Phones, left)
	}
}

// TestAreasAreUnderstoodWhole: an area in words that this directory has no code for is not everywhere.
func TestAreasAreUnderstoodWhole(t *testing.T) {
	g := loadGuide(t)
	d := g.Province.Districts[0]
	var whole []uint16
	for _, d := range g.Province.Districts {
		whole = append(whole, uint16(d.Code))
	}
	iso := fmt.Sprintf("KH-%d", g.Province.Code)
	other := fmt.Sprintf("KH-%d", g.Province.Code+2)
	for name, tc := range map[string]struct {
		areas string
		want  []uint16
		left  int
	}{
		"none": {``, nil, 0},
		"ours": {fmt.Sprintf(`{"extent":"KH-%d","extent_type":"NCDD code"}`, d.Code),
			[]uint16{uint16(d.Code)}, 0},
		"of another province": {`{"extent":"KH-1201","extent_type":"NCDD code"}`, []uint16{1201}, 0},
		"a district in words": {`{"name":"` + d.EN + `"}`, []uint16{uint16(d.Code)}, 0},
		"a district in Khmer": {`{"name":"` + d.KM + `"}`, []uint16{uint16(d.Code)}, 0},
		"the province": {`{"name":"` + g.Province.EN + `","extent":"` + iso + `","extent_type":"ISO 3166-2"}`,
			whole, 0},
		"the country": {`{"name":"Cambodia"}`, nil, 0},
		"elsewhere in words": {`{"name":"An invented town","description":"Residents only"}`,
			[]uint16{krama.Elsewhere}, 1},
		"another province's ISO": {`{"name":"Invented","extent":"` + other + `","extent_type":"ISO 3166-2"}`,
			[]uint16{krama.Elsewhere}, 1},
		"here and elsewhere": {`{"name":"` + d.EN + `"},{"name":"An invented town"}`, []uint16{uint16(d.Code),
			krama.Elsewhere}, 1},
		"without a name": {`{"description":"Residents only"}`, []uint16{krama.Elsewhere}, 1},
		"said beside it": {`{"name":"` + d.EN + `","description":"Residents only"}`,
			[]uint16{uint16(d.Code)}, 1},
	} {
		l, left := imported(t, `"status":"active","service_areas":[`+tc.areas+`],`)
		if !slices.Equal(l.Districts, tc.want) || len(left) != tc.left {
			t.Errorf("%s: %v %v, want %v and %d said", name, l.Districts, left, tc.want, tc.left)
		}
		if words := "An invented town"; slices.Contains(l.Districts, krama.Elsewhere) && strings.Contains(tc.areas,
			words) && !strings.Contains(l.About.EN, words) {
			t.Errorf("%s: who verifies it does not see where: %q", name, l.About.EN)
		}
	}
}

// TestStatusesAreSaid: what is not exactly "active" comes in and is said; only what says so is closed.
func TestStatusesAreSaid(t *testing.T) {
	for status, tc := range map[string]struct {
		closed bool
		left   int
	}{`"active"`: {false, 0}, `"Active"`: {false, 0}, `""`: {false, 1}, `null`: {false, 1}, `"open"`: {false, 1},
		`"temporarily closed"`: {true, 1}, `"Inactive"`: {true, 1}, `"defunct"`: {true, 1}} {
		if l, left := imported(t, `"status":`+status+`,`); l.Closed != tc.closed || len(left) != tc.left || l.Public {
			t.Errorf("%s: closed %v, said %v", status, l.Closed, left)
		}
	}
	if l, left := imported(t, ""); l.Closed || len(left) != 1 {
		t.Errorf("no status: closed %v, said %v", l.Closed, left)
	}
}

// TestHoursThatAreNotWeekly: a schedule that holds for some weeks only is no week's, and is said.
func TestHoursThatAreNotWeekly(t *testing.T) {
	for name, tc := range map[string]struct {
		more string
		want int
		left int
	}{
		"plain":              {``, 1, 0},
		"days with spaces":   {`"byday":"MO, TU",`, 1, 0},
		"a zone of nothing":  {`"timezone":"NaN",`, 0, 1},
		"a zone of infinity": {`"timezone":"Inf",`, 0, 1},
		"every second week":  {`"interval":2,`, 0, 1},
		"until a day":        {`"until":"2026-01-01",`, 0, 1},
		"the first of month": {`"bymonthday":"1",`, 0, 1},
		"with a note":        {`"notes":"not on holidays",`, 1, 1},
	} {
		day := `"byday":"MO",`
		if strings.Contains(tc.more, "byday") {
			day = ""
		}
		l, left := imported(t, `"status":"active","schedules":[{`+day+tc.more+
			`"freq":"WEEKLY","opens_at":"08:00","closes_at":"17:00"}],`)
		if len(l.Hours) != tc.want || len(left) != tc.left {
			t.Errorf("%s: %v %v", name, l.Hours, left)
		}
	}
	if l, _ := imported(t,
		`"status":"active","schedules":[{"freq":"WEEKLY","byday":"MO,TU,WE,TH,FR,SA,SU","opens_at":"00:00","closes_at":"23:59"}],`); len(l.Hours) != 1 || l.Hours[0] != (krama.Hours{Days: 0xfe, Open: 0, Close: 1440}) {
		t.Errorf("a day of 24 hours: %v", l.Hours)
	}
}

// TestIDsBelongToTheirDirectory: the first service of one directory is not the first of another; the same directory's
// next file is known.
func TestIDsBelongToTheirDirectory(t *testing.T) {
	read := func(owner, name string) (*Import, error) {
		tables, _, err := hsds.GatherJSON(strings.NewReader(`[{"id":1,"name":"`+name+`","status":"active"}]`),
			hsds.Service)
		if err != nil {
			t.Fatal(err)
		}
		return FromHSDS(tables, loadGuide(t), owner, "test")
	}
	if _, err := read("", "Synthetic"); krama.KindOf(err) != krama.Invalid {
		t.Errorf("ids of nobody's: %v", err)
	}
	north, err1 := read("north", "Northern")
	later, err2 := read("north", "Northern, renamed")
	south, err3 := read("south", "Southern")
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	if north.Services[0].Listing.Key != later.Services[0].Listing.Key ||
		north.Services[0].Listing.Key == south.Services[0].Listing.Key {
		t.Error("a key is not of its directory and id")
	}
}

// TestNamesCanBeSeen: a name of nothing but invisible letters is none, and wrong types are said, not guessed at.
func TestNamesCanBeSeen(t *testing.T) {
	tables, _, err := hsds.GatherJSON(
		strings.NewReader(
			`[{"id":"1","name":"\u200b\u200b","status":"active"},{"id":"2","name":12345,"status":"active"},{"id":"3","name":["a"],"status":"active"}]`), hsds.Service)
	if err != nil {
		t.Fatal(err)
	}
	in, err := FromHSDS(tables, loadGuide(t), "x", "test")
	if err != nil || len(in.Services) != 1 || in.Services[0].Listing.Name.EN != "12345" || len(in.Left) != 3 {
		t.Errorf("%+v %v", in, err)
	}
}
