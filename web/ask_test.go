//go:build !phone

package web

import (
	"net/http/httptest"
	"strings"

	"krama/web/http"
)

// answered is what a server answers.
type answered struct {
	code         int
	page         string
	to           string // Location
	cacheControl string
}

// serve asks a server as a browser does.
func serve(s *Server, method, path, form string) answered {
	r := httptest.NewRequest(method, path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept-Language", "en")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return answered{w.Code, w.Body.String(), w.Header().Get("Location"), w.Header().Get("Cache-Control")}
}

// nobody takes an answer that nobody looks at.
func nobody() http.ResponseWriter { return httptest.NewRecorder() }
