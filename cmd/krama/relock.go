package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"

	"krama"
	"krama/web"
)

// Locking a desk destroys what the process knew by replacing the process: what Go's memory held of words, codes and
// records would lie there until it happened to be written over. The same program takes its place under the same process
// number, with the listener it inherits, so that the browser that was let in goes on at the same address and sees the
// gate.

// errLocked ends the service of a desk that was locked.
var errLocked = errors.New("locked")

// session is what a desk hands to the one that takes its place. It goes through a pipe, not through the environment or
// the command line, which others can read.
// cookie is what the browser that was let in shows, ticket what lets one in while nobody has used it, lang the language
// of the page that was locked.
type session struct{ cookie, ticket, lang string }

// String is a session as one process hands it to the next.
func (s session) String() string { return strings.Join([]string{s.cookie, s.ticket, s.lang}, "\n") }

// parseSession reads that.
func parseSession(b []byte) (s session, ok bool) {
	p := strings.Split(string(b), "\n")
	// The cookie is 24 bytes in hexadecimal digits (newGuard).
	if len(p) != 3 || len(p[0]) != 48 {
		return s, false
	}
	return session{p[0], p[1], p[2]}, true
}

// replacer takes the process's place: listeners stay open, and the new one finds said in a pipe. It returns only when
// it could not.
type replacer func(listeners []*os.File, said []byte) error

// relocking returns ctx, which ends when s locks, and what to do when the desk's service has ended. Where the process
// cannot be replaced, locking forgets what it can and the desk goes on.
func relocking(ctx context.Context, e *env, s *web.Server, g *guard, ls []net.Listener) (context.Context,
	func(error) error) {
	// Copies, taken now: when the service has ended, its own listeners are closed.
	var files []*os.File
	for _, l := range ls {
		if t, ok := l.(*net.TCPListener); ok {
			if f, err := t.File(); err == nil {
				files = append(files, f)
			}
		}
	}
	// As in tests, and under Windows.
	if e.replace == nil || len(files) != len(ls) {
		return ctx, func(err error) error { return err }
	}
	ctx, stop := context.WithCancelCause(ctx)
	s.OnLocked = func() { stop(errLocked) } // the answer that is being given is still given
	return ctx, func(err error) error {
		// A signal, or an address that failed, ends the desk for good.
		locked := context.Cause(ctx) == errLocked
		stop(nil)
		if !locked || err != nil {
			return err
		}
		// It comes back only where it failed: the desk is locked then, and nobody answers at its address.
		err = e.replace(files, []byte(g.session(web.Lang(s)).String()))
		return hint{krama.E("desk", krama.Internal, "locked, but the program could not start anew: "+err.Error()),
			"start the desk again: krama desk"}
	}
}
