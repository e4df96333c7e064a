package casework

import (
	"slices"
	"testing"

	"krama"
)

// TestReleasesInAnyOrder: two desks that used one id both stand, the latest first, in whatever order they come.
func TestReleasesInAnyOrder(t *testing.T) {
	p := krama.Period{From: 20000, To: 20100}
	rec := func(id byte, written uint32, counts string) *krama.Record {
		return &krama.Record{ID: krama.RecordID{id}, Written: written, Released: &krama.Released{From: p.From, To: p.To,
			Counts: []byte(counts)}}
	}
	all := []struct {
		rec    *krama.Record
		author krama.DeviceID
	}{{rec(1, 10, "a"), krama.DeviceID{1}}, {rec(1, 10, "b"), krama.DeviceID{2}}, {rec(2, 20, "c"), krama.DeviceID{1}}}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0, 1}} {
		st := New()
		for _, i := range order {
			st.ApplyIn(krama.KindOutreach, krama.SubjectID{}, all[i].rec, all[i].author, false)
		}
		st.ApplyIn(krama.KindCasework, krama.SubjectID{}, rec(3, 30, "elsewhere"), krama.DeviceID{1}, false)
		st.ApplyIn(krama.KindOutreach, krama.SubjectID{1}, rec(4, 40, "somebody's"), krama.DeviceID{1}, false)
		var got []string
		for _, r := range st.Released(p) {
			got = append(got, string(r.Counts))
		}
		if !slices.Equal(got, []string{"c", "a", "b"}) {
			t.Errorf("%v: %v", order, got)
		}
	}
}
