package web

import (
	"encoding/hex"
	"slices"
	"strings"

	"krama/locale"
	"krama/seal"
	"krama/web/http"
)

// Settings, and what a person does to a device itself.

// setLang keeps the language that was chosen, and leads back to the page it was chosen on, never to another site.
func (s *session) setLang(w http.ResponseWriter, r *http.Request) {
	f := posted(r)
	lang := f.Get("lang")
	if !slices.ContainsFunc(locale.Languages, func(l locale.Language) bool { return l.Code == lang }) {
		lang = "km"
	}
	s.mu.Lock()
	s.lang = lang
	rep := s.rep
	s.mu.Unlock()
	if rep != nil {
		rep.SetValue(language, lang)
	}
	to := f.Get("to")
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\t\r\n") {
		// browsers read /\ as //
		to = "/"
	}
	redirect(w, r, to)
}

// settings shows how the device stands, and leads to what a person does to it rarely.
func (s *session) settings(w http.ResponseWriter, r *http.Request) {
	var st Storage
	if s.Storage != nil {
		st = s.Storage()
	}
	s.page(w, r, 200, "settings.title", "settings", settingsView(settingsPage{st, s.state.Unknown(),
		release{s.Version, s.releaseDigits(), s.pinned()}}))
}

// releaseDigits are the first twenty digits of the release, as an admin compares them.
func (s *Server) releaseDigits() string {
	b, err := hex.DecodeString(s.Release)
	if err != nil || len(b) != 32 {
		return ""
	}
	return seal.ReleaseDigits([32]byte(b))
}

// pinned is the sentence about whether the programme has pinned this release.
func (s *session) pinned() string {
	key := "settings.pinNone"
	if s.rep != nil {
		s.rep.Roster(func(ro *seal.Roster) {
			if p := ro.Release; p != nil {
				key = "settings.pinOther"
				if hex.EncodeToString(p.Phone[:]) == s.Release {
					key = "settings.pinSame"
				}
			}
		})
	}
	return key
}

// limits says plainly what this program cannot protect from.
func (s *session) limits(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, 200, "gate.limits", "", limitsView())
}

// lockNow locks the device and leads to the page that opens it.
func (s *session) lockNow(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	redirect(w, r, "/")
}
