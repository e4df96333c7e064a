package web

import (
	"context"
	"encoding/hex"
	"time"

	"krama"
	"krama/web/http"
)

// withdraw takes an announcement back: on every admin's device, her phone too, because her desk may be what was taken.
func (s staffPages) withdraw(w http.ResponseWriter, r *http.Request) {
	b, err := hex.DecodeString(r.PathValue("id"))
	if err != nil || len(b) != 32 {
		s.notFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	// One that has been stated or withdrawn meanwhile is no error: nothing is said a second time.
	if err := s.rep.Admin().Withdraw(ctx, [32]byte(b)); err != nil {
		s.page(w, r, krama.Status(err), "announce.title", "", notice(jobError(err)))
		return
	}
	redirect(w, r, "/")
}
