//go:build !phone

package web

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"krama/web/http"
)

// answered is what a server answers.
type answered struct {
	code         int
	page         string
	to           string // Location
	cacheControl string
}

// serve asks a server as a browser does.
func serve(s *Server, method, path, form string) answered {
	r := httptest.NewRequest(method, path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept-Language", "en")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return answered{w.Code, w.Body.String(), w.Header().Get("Location"), w.Header().Get("Cache-Control")}
}

// nobody takes an answer that nobody looks at.
func nobody() http.ResponseWriter { return httptest.NewRecorder() }

// TestAClosedTabEnrols: what a form set going ends though nobody waits for the answer any more, as when its browser sends it again.
func TestAClosedTabEnrols(t *testing.T) {
	g := newRig(t)
	page := g.tap(g.words())
	_, page, _ = g.ask(g.desk, "POST", "/enrol/scan", "code", qrOf(page), "label", "Outreach 1", "role", "4")
	g.ask(g.phone, "POST", "/join/scan", "code", qrOf(page))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(gone, "POST", "/enrol/finish", strings.NewReader(formOf(page, "/enrol/finish").Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	g.desk.ServeHTTP(w, r)
	if to := w.Header().Get("Location"); to != "/enrol/done" {
		t.Errorf("%d, led to %q", w.Code, to)
	}
}
