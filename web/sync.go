package web

import (
	"context"
	"time"

	"krama/replica"
	"krama/web/http"
)

// A sync in the background, and its page.

// startSync begins a sync in the background and shows its progress.
func (s *session) startSync(w http.ResponseWriter, r *http.Request) {
	s.BeginSync()
	redirect(w, r, "/sync")
}

// BeginSync starts a sync. While one is running it has another follow: what it was asked for may lie behind the place
// where the running one is already. None follows one that fails.
func (s *Server) BeginSync() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beginSync()
}

// beginSync is BeginSync with the lock held.
func (s *Server) beginSync() {
	rep := s.rep
	if rep == nil || s.sync.running {
		s.sync.again = rep != nil
		return
	}
	s.sync = syncState{running: true, at: replica.Progress{Stage: replica.StageRoster}}
	go func() {
		// Ten minutes in all, whether or not the browser still waits.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		err := rep.Sync(ctx, func(p replica.Progress) { s.mu.Lock(); s.sync.at = p; s.mu.Unlock() })
		if err == nil && s.tend != nil {
			err = s.tend(s.session(), ctx, rep)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		again := s.sync.again && s.rep == rep && err == nil
		s.sync.running, s.sync.again, s.sync.err = false, false, err
		if again {
			s.beginSync()
		}
	}()
}

// syncPage shows how a sync stands, and asks for itself again while one runs.
func (s *session) syncPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	st := s.sync
	s.mu.Unlock()
	s.page(w, r, 200, "sync.now", "", syncView(st, syncError(st.err)))
}
