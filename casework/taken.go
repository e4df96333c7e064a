package casework

import (
	"bytes"
	"slices"

	"krama"
)

// takeFate folds in what became of an intake's reports. The order of arrival does not matter.
func (m *matters) takeFate(intake krama.SubjectID, t *krama.Taken) {
	of := m.taken[intake]
	if of == nil {
		of = map[krama.RecordID]fate{}
		m.taken[intake] = of
	}
	for _, id := range t.Reports {
		old, had := of[id]
		f := fate{t.What, t.Day}
		if had {
			// Of two desks' words the one that goes further, with the earlier day.
			f.what, f.day = max(f.what, old.what), min(f.day, old.day)
		}
		of[id] = f
	}
}

// Took reports whether a report's record is here, or the report has ended.
// A desk that fetches it again keeps nothing of it.
func (s *State) Took(id krama.RecordID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.seen[id] || s.ended(id)
}

// Ended reports whether a report was erased with its conversation, or never opened.
func (s *State) Ended(id krama.RecordID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.ended(id)
}

// ended reports whether a report stands in a list of what became of reports: erased, unopened, seen.
func (m *matters) ended(id krama.RecordID) bool {
	for _, of := range m.taken {
		if _, ok := of[id]; ok {
			return true
		}
	}
	return false
}

// Unopened are an intake's reports that did not open and that nobody of the staff has seen, by the day they came.
func (s *State) Unopened(intake krama.SubjectID) map[krama.Day][]krama.RecordID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[krama.Day][]krama.RecordID{}
	for id, f := range s.taken[intake] {
		if f.what == krama.TakenUnopened {
			out[f.day] = append(out[f.day], id)
		}
	}
	for _, ids := range out {
		slices.SortFunc(ids, func(a, b krama.RecordID) int { return bytes.Compare(a[:], b[:]) })
	}
	return out
}
