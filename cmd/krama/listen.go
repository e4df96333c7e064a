package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"krama"
	"krama/directory/starter"
	"krama/guide"
	"krama/guide/rights"
	"krama/web/door"
)

// Serving addresses until the process is told to end.

// defaultExit is a page that many people have open.
const defaultExit = "https://km.wikipedia.org/"

// listener is an address and what answers there.
type listener struct {
	net.Listener
	http.Handler
}

// publicDoor is what the public pages of a relay's programme are made of.
// load and answer are the relay's own, or those of somebody who calls it; both are nil where pages are only tried.
// Relay and Asset are left to whoever shows the pages.
func publicDoor(load loadDoor, answer answerSlip, g *guide.Guide, exit string) (*door.Config, error) {
	// It becomes a link on every page, so nothing but an address of the web is taken.
	if u, err := url.Parse(exit); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, hint{krama.E("serve", krama.Invalid, "--exit"), "for example --exit https://www.example.org/"}
	}
	s, err := starter.Load()
	if err != nil {
		return nil, err
	}
	texts, err := rights.Load()
	if err != nil {
		return nil, err
	}
	return &door.Config{Guide: g, Starter: s, Rights: texts, Load: load, Answer: answer, Exit: exit, Now: time.Now}, nil
}

// tellPages says why pages of a door could not be made.
func tellPages(e *env) func(error) {
	return func(err error) { fmt.Fprintln(e.err, "public pages:", err) }
}

// serveAll serves at several addresses until the first fails or the process is to end, then lets calls under way
// finish.
func serveAll(ctx context.Context, ls ...listener) error {
	// Room for all of them: who ends after the first finds nobody waiting.
	errs := make(chan error, len(ls))
	var servers []*http.Server
	for _, l := range ls {
		s := server(l.Handler)
		servers = append(servers, s)
		go func() { errs <- s.Serve(l.Listener) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	// Calls under way get their answer. What is open after that is cut when the process ends.
	wait := 5 * time.Second
	if context.Cause(ctx) == errLocked {
		// keys are waiting to be destroyed; a connection that a browser opened in advance is not
		wait = time.Second
	}
	stop, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	for _, s := range servers {
		s.Shutdown(stop)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
