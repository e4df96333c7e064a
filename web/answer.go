package web

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"krama"
	"krama/replica"
	"krama/web/http"
)

// What a request is answered with: a page, a word that it failed, another page.

// secret are the beginnings of addresses whose forms hold words, numbers or codes that open something.
var secret = []string{"/pin", "/tap", "/unlock", "/passkey", "/locks", "/duress", "/setup", "/join", "/enrol", "/panic",
	"/trustees"}

// typed is what a form held when it could not be kept, so that the page that says so can send it again. Nothing of a
// form that unlocks or locks something is written on a page.
type typed struct {
	path   string
	fields [][2]string
}

// jobError is the sentence for what stopped an act of the office.
func jobError(err error) string {
	// The clock is asked about first: its error is NotAllowed too, and a sentence about roles would mislead.
	switch {
	case err == nil:
		return ""
	case errors.Is(err, replica.ErrClock):
		return "staff.clock"
	case krama.KindOf(err) == krama.NotAllowed:
		return "staff.refused"
	case krama.KindOf(err) == krama.Tampered:
		return "staff.tampered"
	}
	return syncError(err)
}

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

// redirect answers a form. On the desk relative redirects keep the loopback origin.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// notFound says that there is no such page, or not for this device.
func (s *session) notFound(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, http.StatusNotFound, "app.notFound", "", notice("app.notFound"))
}

// fail shows an error in the reader's words.
func (s *session) fail(w http.ResponseWriter, r *http.Request, err error) {
	if krama.KindOf(err) == krama.NotFound {
		s.notFound(w, r)
		return
	}
	t := typedIn(r)
	if s.Replica() != s.rep { // locked meanwhile: nothing of it is on a page
		t = typed{}
	}
	s.page(w, r, krama.Status(err), "alarm.title", "", failed(failText(err), t))
}

// posted reads a form that was posted. What stands in the address is no part of it.
func posted(r *http.Request) url.Values {
	r.ParseForm()
	return r.PostForm
}

// syncError is the sentence for what stopped a sync, or "".
func syncError(err error) string {
	switch {
	case err == nil:
		return ""
	case krama.KindOf(err) == krama.Offline, errors.Is(err, context.DeadlineExceeded):
		return "sync.offline"
	case krama.KindOf(err) == krama.NotYet:
		return "sync.newer"
	case krama.KindOf(err) == krama.Full:
		return "sync.full"
	case krama.KindOf(err) == krama.TooMany:
		return "sync.tooMany"
	}
	return "sync.failed"
}

// page renders a whole page on the desk and its inner part on the phone, where the shell is there already.
func (s *session) page(w http.ResponseWriter, r *http.Request, status int, title, nav string, body templ.Component) {
	f := &frame{Printer: s.printer(r), Title: title, Nav: nav, Path: r.URL.Path, Host: s.Host, Demo: s.Demo,
		Asset: s.Assets, Once: s.pageID(), Guide: s.Guide, Now: s.Now(), Today: s.today()}
	// A device that was unlocked or locked after this request began is not on its page.
	if rep := s.Replica(); rep != nil && rep == s.rep && rep.State() == replica.Enrolled && title != "pin.locked" {
		st := rep.Status()
		f.Open, f.Unsent, f.Alarms, f.Recovering = true, st.Unsent, s.alarmLines(f.Printer, st), st.Recovering
		f.Announced, f.LastSync = s.announcedRows(rep, st.Announced), st.LastSync
		// For the buttons only: whoever sends such a form is asked for her role again by the replica.
		_, roles := rep.Device()
		f.Admin = roles&krama.RoleAdmin != 0
		if s.Host == Desk {
			f.Notices = s.doorNotices(rep, f.Printer)
		}
	}
	ctx := context.WithValue(r.Context(), frameKey{}, f)
	// Rendered whole before anything is written: a page that fails in its middle is an error and no half page.
	var b bytes.Buffer
	var err error
	if s.Host == Phone {
		err = inner(body).Render(ctx, &b)
	} else {
		err = layout(body).Render(ctx, &b)
	}
	if err != nil {
		http.Error(w, "render", http.StatusInternalServerError)
		return
	}
	page := b.Bytes()
	if s.Host == Phone {
		// a browser writes down what stands in other forms, and where they are sent: whom they are about
		page = bytes.ReplaceAll(page, []byte("<form "), []byte(`<form autocomplete="off" `))
	}
	w.WriteHeader(status)
	w.Write(page)
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
