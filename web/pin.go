package web

import (
	"crypto/subtle"
	"strings"
	"time"

	"krama"
	"krama/web/http"
)

const (
	// A guesser has five of a million. Then the words are asked for.
	pinTries = 5
	// A working day. Six digits do not open what was left lying for longer.
	pinHours = 8 * time.Hour
)

// cover hides everything at once: behind the quick number if there is one and the words are younger than 8 hours,
// otherwise by locking.
func (s gatePages) cover(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	// Round(0) takes the wall clock: the other one stops while a phone sleeps.
	quick := s.rep != nil && s.pin.digits != "" && s.Now().Round(0).Sub(s.pin.unlocked.Round(0)) < pinHours
	if quick {
		s.pin.covered = true
	}
	s.mu.Unlock()
	if !quick {
		s.Lock()
	}
	redirect(w, r, "/")
}

// pinPage offers a quick number after the words were given. It may be left out; then hiding locks.
func (s gatePages) pinPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	has := s.pin.digits != ""
	s.mu.Unlock()
	if has || s.Host != Phone {
		redirect(w, r, "/")
		return
	}
	s.page(w, r, 200, "pin.choose", "", pinView(false))
}

// pinSave keeps six digits, of Khmer keyboards too, until the device is locked.
func (s gatePages) pinSave(w http.ResponseWriter, r *http.Request) {
	d := digits(posted(r).Get("pin"))
	if len(d) != 6 {
		s.page(w, r, 200, "pin.choose", "", pinView(true))
		return
	}
	s.mu.Lock()
	s.pin.digits, s.pin.tries = d, 0
	s.mu.Unlock()
	redirect(w, r, "/")
}

// digits keeps the digits of what was typed, in ASCII.
func digits(in string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, krama.Plain(in))
}

// pinGate is all there is while the screen is covered.
func (s gatePages) pinGate(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	// the wall clock: the other one stops while a phone sleeps
	late := s.Now().Round(0).Sub(s.pin.unlocked.Round(0)) >= pinHours
	s.mu.Unlock()
	// After a working day, or by its own button, it gives way to the words.
	if late || (r.Method == http.MethodPost && r.URL.Path == "/lock") {
		s.lockNow(w, r)
		return
	}
	if r.Method == http.MethodPost && r.URL.Path == "/lang" {
		s.setLang(w, r)
		return
	}
	// Every other address shows this gate, so that neither Back nor a link reaches a page behind it.
	if r.Method != http.MethodPost || r.URL.Path != "/pin/enter" {
		s.page(w, r, 200, "pin.locked", "", pinGateView(0))
		return
	}
	d := digits(posted(r).Get("pin"))
	s.mu.Lock()
	ok := subtle.ConstantTimeCompare([]byte(d), []byte(s.pin.digits)) == 1
	if ok {
		s.pin.covered, s.pin.tries = false, 0
	} else {
		s.pin.tries++
	}
	left := pinTries - s.pin.tries
	s.mu.Unlock()
	switch {
	case ok:
		redirect(w, r, "/")
	case left <= 0:
		s.lockNow(w, r)
	default:
		s.page(w, r, 200, "pin.locked", "", pinGateView(left))
	}
}
