package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"

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

// once is what became of the form that was sent last: of a double tap, or a Back and the same form again, the second
// only leads where the first did. Forms that carry the id of the page they stood on (formOnce) are held to it; any
// later form with an id takes its place.
type once struct {
	// Server's mu guards which one is the last. to is written by its own request and read after done is closed.
	form [32]byte
	to   string        // where it led; "" until that is known, and after if it led nowhere
	done chan struct{} // closed when it is known
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

// pageID is a fresh id for the forms of one page.
func (s *Server) pageID() string {
	var b [8]byte
	// Without an id the forms of the page work and are not held to acting once.
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return ""
	}
	return hex.EncodeToString(b[:])
}

// typed is what a form held when it could not be kept, so that the page that says so can send it again. Nothing of a
// form that unlocks or locks something is written on a page.
type typed struct {
	path   string
	fields [][2]string
}

// secret are the beginnings of addresses whose forms hold words, numbers or codes that open something.
var secret = []string{"/pin", "/tap", "/unlock", "/passkey", "/locks", "/duress", "/setup", "/join", "/enrol", "/panic",
	"/trustees"}

// typedIn is what a request's form held. Of a form that opens or locks something it is nothing.
func typedIn(r *http.Request) (t typed) {
	if r.Method != http.MethodPost || len(r.PostForm) == 0 || slices.ContainsFunc(secret, func(p string) bool {
		return strings.HasPrefix(r.URL.Path, p)
	}) {
		return t
	}
	t.path = r.URL.Path
	for _, k := range sortedKeys(r.PostForm) {
		for _, v := range r.PostForm[k] {
			t.fields = append(t.fields, [2]string{k, v})
		}
	}
	return t
}

// sortedKeys are a form's fields in one order: a page that is drawn twice is the same page.
func sortedKeys(f url.Values) (out []string) {
	for k := range f {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// failText is the sentence for an error on a page: what is wrong and what to do, by its kind.
func failText(err error) string {
	switch krama.KindOf(err) {
	case krama.Full:
		return "fail.full"
	case krama.Invalid:
		return "contact.bad"
	case krama.NotAllowed:
		return "fail.notAllowed"
	case krama.Conflict:
		return "fail.conflict"
	case krama.TooLarge:
		return "fail.large"
	case krama.Internal:
		return "fail.internal"
	}
	return jobError(err)
}
