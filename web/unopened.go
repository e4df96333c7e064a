package web

import (
	"cmp"
	"maps"
	"slices"

	"krama"
	"krama/casework"
	"krama/web/http"
)

// unopened is how many reports of one day to one intake did not open. Noise that anybody sends does not; nor does what was locked with a
// key that somebody else put on the public page.
type unopened struct {
	Circle krama.CircleKind
	From   krama.Day // the intake's first day
	Day    krama.Day
	N      int
}

// unopened are those that nobody has set aside, the newest first.
func (s *Server) unopened() (out []unopened) {
	for _, in := range s.intakes(s.rep, s.state) {
		for day, ids := range s.state.Unopened(in.Subject) {
			out = append(out, unopened{in.Circle, in.From, day, len(ids)})
		}
	}
	slices.SortFunc(out, func(a, b unopened) int {
		return cmp.Or(-cmp.Compare(a.Day, b.Day), cmp.Compare(a.Circle, b.Circle), cmp.Compare(a.From, b.From))
	})
	return out
}

// inboxUnopened keeps that staff have seen what did not open, up to and with the newest day that their page showed.
func (s *Server) inboxUnopened(w http.ResponseWriter, r *http.Request) {
	s.saving.Lock()
	defer s.saving.Unlock()
	upTo, err := krama.ParseDay(form(r).Get("day"))
	if err != nil {
		s.notFound(w, r)
		return
	}
	for _, in := range s.intakes(s.rep, s.state) {
		if err := s.seeUnopened(in, upTo); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	redirect(w, r, "/inbox")
}

func (s *Server) seeUnopened(in casework.Intake, upTo krama.Day) error {
	of := s.state.Unopened(in.Subject)
	for _, day := range slices.Sorted(maps.Keys(of)) {
		if day > upTo {
			continue
		}
		if err := keepTaken(s.rep, in, krama.TakenSeen, s.relayDay(s.rep), of[day]); err != nil {
			return err
		}
	}
	return nil
}
