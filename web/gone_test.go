//go:build !js && !phone

package web

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAClosedTabEnrols: what a form set going ends though nobody waits for the answer any more, as when its browser
// sends it again.
func TestAClosedTabEnrols(t *testing.T) {
	g := newRig(t)
	page := g.tap(g.words())
	_, page, _ = g.ask(g.desk, "POST", "/enrol/scan", "code", qrOf(page), "label", "Outreach 1", "role", "4")
	g.ask(g.phone, "POST", "/join/scan", "code", qrOf(page))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(gone, "POST", "/enrol/finish",
		strings.NewReader(formOf(page, "/enrol/finish").Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	g.desk.ServeHTTP(w, r)
	if to := w.Header().Get("Location"); to != "/enrol/done" {
		t.Errorf("%d, led to %q", w.Code, to)
	}
}
