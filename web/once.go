package web

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"krama"
	"krama/web/http"
)

// on has a page served with the request's own session. A form that is too long is refused whole, and one that was sent
// twice acts once.
func on[pages ~struct{ *session }](f func(pages, http.ResponseWriter, *http.Request)) func(http.ResponseWriter,
	*http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		// ServeHTTP puts it there for every request, so it is never missing.
		s := r.Context().Value(inSession{}).(*session)
		if r.Method == http.MethodPost {
			if err := r.ParseForm(); errors.Is(err, errLong) {
				s.fail(w, r, krama.E("web.form", krama.TooLarge, "a form"))
				return
			}
			// a browser drops what it asked for first when a form is sent again
			r = r.WithContext(context.WithoutCancel(r.Context()))
		}
		s.twice(w, r, func(w http.ResponseWriter, r *http.Request) { f(pages(struct{ *session }{s}), w, r) })
	}
}

// maxForm bounds a form, in bytes as a browser sends it: the longest has nine for each Khmer letter.
const maxForm = 256 << 10

// errLong ends the reading of a form that is longer than maxForm. Nothing of it is believed.
var errLong = errors.New("the form is too long")

// whole reads at most left bytes; what goes on behind them is errLong, not an end.
type whole struct {
	io.ReadCloser
	left int
}

// Read asks for one byte more than may come: that byte tells a form that is too long from one that just fits.
func (w *whole) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b[:min(len(b), w.left+1)])
	if w.left -= n; w.left < 0 {
		return 0, errLong
	}
	return n, err
}

// twice serves a request, unless it is the form that was sent last.
func (s *session) twice(w http.ResponseWriter, r *http.Request, f func(http.ResponseWriter, *http.Request)) {
	if r.Method != http.MethodPost || r.PostForm.Get("once") == "" {
		f(w, r)
		return
	}
	// Every field counts: another answer on the same page is another form.
	sum := sha256.Sum256([]byte(r.URL.Path + "\x00" + r.PostForm.Encode()))
	for {
		s.mu.Lock()
		last := s.last
		if last == nil || last.form != sum {
			break
		}
		s.mu.Unlock()
		// A double tap: the first is still at work, and the second waits to be led where it leads.
		<-last.done
		if last.to != "" {
			redirect(w, r, last.to)
			return
		}
		s.mu.Lock() // the first failed: this one tries
		if s.last == last {
			s.last = nil
		}
		s.mu.Unlock()
	}
	// mu is held since the loop was left, so no third request comes between.
	mine := &once{form: sum, done: make(chan struct{})}
	s.last = mine
	s.mu.Unlock()
	defer close(mine.done)
	f(&witness{w, mine}, r)
}

// witness sees where a form led.
type witness struct {
	http.ResponseWriter
	o *once
}

func (w *witness) WriteHeader(status int) {
	// An answer that leads nowhere may be a refusal: then the same form may be sent again.
	if status == http.StatusSeeOther {
		w.o.to = w.Header().Get("Location")
	}
	w.ResponseWriter.WriteHeader(status)
}
