package exchange

import (
	"encoding/json"
	"reflect"
	"testing"

	"krama"
	"krama/exchange/hsds"
)

// TestTimesAreUnderstoodWhole: what other directories write as a time of day is read whole, or not at all.
func TestTimesAreUnderstoodWhole(t *testing.T) {
	mo, tu, su := krama.Set(0).With(1), krama.Set(0).With(2), krama.Set(0).With(7)
	for name, tc := range map[string]struct {
		open, shut string
		zone       any
		want       []krama.Hours
	}{
		"plain": {"08:00", "17:00", nil, []krama.Hours{{Days: mo, Open: 480, Close: 1020}}},
		"ours": {"08:00", "17:00", json.Number("7"),
			[]krama.Hours{{Days: mo, Open: 480, Close: 1020}}},
		"seconds":        {"08:00:00", "17:00:00", nil, []krama.Hours{{Days: mo, Open: 480, Close: 1020}}},
		"until midnight": {"08:00", "00:00", nil, []krama.Hours{{Days: mo, Open: 480, Close: 1440}}},
		"a night": {"20:00", "02:00", nil, []krama.Hours{{Days: mo, Open: 1200, Close: 1440},
			{Days: tu, Open: 0, Close: 120}}},
		"UTC": {"01:00Z", "10:00Z", nil, []krama.Hours{{Days: mo, Open: 480, Close: 1020}}},
		"an offset": {"09:00+08:00", "18:00+08:00", nil,
			[]krama.Hours{{Days: mo, Open: 480, Close: 1020}}},
		"a zone of the schedule": {"01:00", "10:00", json.Number("0"),
			[]krama.Hours{{Days: mo, Open: 480, Close: 1020}}},
		"another day here": {"20:00Z", "22:00Z", nil, []krama.Hours{{Days: tu, Open: 180, Close: 300}}},
		"the day before here": {"03:00+14:00", "05:00+14:00", nil, []krama.Hours{{Days: su, Open: 1200,
			Close: 1320}}},
		"twelve hours":              {"1:00 PM", "05:30 pm", nil, []krama.Hours{{Days: mo, Open: 780, Close: 1050}}},
		"a zone that is no number":  {"08:00", "17:00", "Asia/Phnom_Penh", nil},
		"words":                     {"morning", "17:00", nil, nil},
		"something after the time":  {"08:00 or so", "17:00", nil, nil},
		"opens and closes together": {"08:00", "08:00", nil, nil},
	} {
		x := hsds.Object{"freq": "WEEKLY", "byday": "MO", "opens_at": tc.open, "closes_at": tc.shut}
		if tc.zone != nil {
			x["timezone"] = tc.zone
		}
		got, ok := hsdsHours(x)
		if ok != (tc.want != nil) || ok && !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %v %v, want %v", name, got, ok, tc.want)
		}
	}
}
