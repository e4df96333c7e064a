//go:build !js

package web

import (
	"sync"
	"testing"
	"time"
)

// TestLockWhilePagesRender locks and unlocks a desk while pages of it are read and forms are sent from several windows:
// each request ends with a page or the gate, none in a panic, and under the race detector (scripts/test) none reads
// what another writes.
func TestLockWhilePagesRender(t *testing.T) {
	g := newRig(t)
	g.setUp()
	who := g.register()
	if err := g.phone.rep.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	g.syncOffice()
	end := time.Now().Add(1500 * time.Millisecond)
	rep, st := g.office, g.desk.state
	var wg sync.WaitGroup
	worker := func(f func(n int)) {
		wg.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				f(n)
			}
		})
	}
	worker(func(int) { // locked, and opened again without the seconds that words take
		g.desk.mu.Lock()
		g.desk.let()
		g.desk.mu.Unlock()
		time.Sleep(time.Millisecond)
		g.desk.Use(rep, st)
		time.Sleep(2 * time.Millisecond)
	})
	paths := []string{"/", "/people", who, who + "/contact", who + "/amend", "/contacts", "/overview", "/report",
		"/devices", "/inbox", "/door", "/erasures", "/directory", "/settings", "/trustees", "/incidents",
		"/audit", "/sync"}
	for w := range 3 {
		worker(func(n int) {
			path := paths[(n*5+w)%len(paths)]
			if a := serve(g.desk, "GET", path, ""); a.code >= 500 {
				t.Errorf("%s: %d", path, a.code)
			}
		})
	}
	worker(func(int) {
		g.ask(g.desk, "POST", who+"/contact", contactForm1...)
		g.ask(g.desk, "POST", "/lang", "lang", "en", "to", "/")
	})
	worker(func(int) {
		g.desk.Tend(t.Context())
		g.desk.BeginSync()
		time.Sleep(5 * time.Millisecond)
	})
	wg.Wait()
	for syncing(g.desk) {
		time.Sleep(time.Millisecond)
	}
}
