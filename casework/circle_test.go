package casework

import (
	"testing"

	"krama"
)

// TestRecordsOfTheirCircle: what a worker writes into a circle of hers does not count as another circle's: no shelter's
// place, no intake, no incident, and no words in a conversation that is not there.
func TestRecordsOfTheirCircle(t *testing.T) {
	day, who, key := krama.Date(2026, 3, 2), krama.SubjectID{1}, krama.ListingID{9}
	for _, k := range []krama.CircleKind{krama.KindOutreach, krama.KindCasework, krama.KindSafeguarding} {
		s := New()
		n := byte(0)
		put := func(k krama.CircleKind, of krama.SubjectID, r *krama.Record) {
			n++
			r.ID = krama.RecordID{n}
			s.ApplyIn(k, of, r, krama.DeviceID{}, false)
		}
		put(krama.KindOutreach, krama.SubjectID{}, &krama.Record{Listing: &krama.Listing{Key: key,
			Kind: krama.KindShelter, Operator: 1, Public: true}})
		put(k, krama.SubjectID{}, &krama.Record{Guarded: &krama.Guarded{Key: key,
			Address: krama.Words{EN: "a street"}}})
		put(k, who, &krama.Record{Intake: &krama.Intake{From: day, Until: day + 30}})
		put(k, who, &krama.Record{Incident: &krama.Incident{Day: day, What: 2, Consent: true}})
		put(k, who, &krama.Record{Report: &krama.Report{Thread: krama.ThreadID{1}, Day: day, Topic: 1, Text: "hers"}})
		want := map[string]bool{"place": k == krama.KindSafeguarding, "intake": k != krama.KindOutreach,
			"incident": k == krama.KindSafeguarding, "report": k != krama.KindOutreach}
		e := s.Listing(key)
		for name, got := range map[string]bool{"place": e != nil && e.Guarded != nil, "intake": len(s.Intakes()) > 0,
			"incident": len(s.Incidents()) > 0, "report": len(s.Threads()) > 0} {
			if got != want[name] {
				t.Errorf("circle %d: its %s counts %v, want %v", k, name, got, want[name])
			}
		}
	}
	s := New()
	in := func(id byte, k krama.CircleKind, text string) {
		s.ApplyIn(k, who, &krama.Record{ID: krama.RecordID{id}, Report: &krama.Report{Thread: krama.ThreadID{1},
			Day: day, Topic: 1, Text: text}}, krama.DeviceID{}, false)
	}
	in(1, krama.KindSafeguarding, "hers")
	in(2, krama.KindCasework, "a stranger's")
	if th := s.Threads(); len(th) != 1 || len(th[0].Messages) != 1 || th[0].Messages[0].Text != "hers" {
		t.Errorf("words of another circle stand in the conversation: %+v", th)
	}
	s.ApplyIn(krama.KindCasework, krama.SubjectID{}, &krama.Record{ID: krama.RecordID{3},
		Intake: &krama.Intake{From: day, Until: day + 30}}, krama.DeviceID{}, false)
	if len(s.Intakes()) != 0 {
		t.Error("an intake of nobody counts: nothing can destroy it")
	}
}
