package web

import (
	"krama"
	"krama/web/http"
)

// inboxUnopened keeps that staff have seen what did not open, up to and with the newest day that their page showed.
func (s inboxPages) inboxUnopened(w http.ResponseWriter, r *http.Request) {
	s.saving.Lock()
	defer s.saving.Unlock()
	// The day comes from the page: what did not open since it was drawn has not been seen.
	upTo, err := krama.ParseDay(posted(r).Get("day"))
	if err != nil {
		s.notFound(w, r)
		return
	}
	if err := s.office.SeeUnopened(upTo); err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/inbox")
}
