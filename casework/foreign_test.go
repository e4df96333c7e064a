package casework

import (
	"testing"

	"krama"
)

// TestNobodyWritesOverAnothers: a colleague in the circle who writes an incident or an intake under the id of one of
// somebody else's changes nothing.
func TestNobodyWritesOverAnothers(t *testing.T) {
	s := New()
	hers, other := krama.SubjectID{1}, krama.SubjectID{2}
	id, in := krama.RecordID{1}, krama.RecordID{2}
	feed := func(who krama.SubjectID, what krama.Set, seed byte) {
		s.ApplyIn(krama.KindSafeguarding, who, &krama.Record{ID: id, Incident: &krama.Incident{What: what}},
			krama.DeviceID{byte(what)}, false)
		s.ApplyIn(krama.KindSafeguarding, who, &krama.Record{ID: in, Intake: &krama.Intake{Seed: [32]byte{seed}}},
			krama.DeviceID{byte(what)}, false)
	}
	feed(hers, 2, 1)
	feed(other, 4, 2)
	if l := s.Incidents(); len(l) != 1 || l[0].Subject != hers || l[0].What != 2 {
		t.Errorf("incidents: %+v", l)
	}
	if l := s.Intakes(); len(l) != 1 || l[0].Subject != hers || l[0].Seed != [32]byte{1} {
		t.Errorf("intakes: %+v", l)
	}
}
