//go:build phone

package web

import "krama/web/http"

// answered is what a server answers.
type answered struct {
	code         int
	page         string
	to           string // Location
	cacheControl string
}

// serve asks a server as the phone's page does, through the worker's adapter and mux.
func serve(s *Server, method, path, form string) answered {
	a := http.Serve(s, "en", method, path, form)
	return answered{a.Status, a.Body.String(), a.Header().Get("Location"), a.Header().Get("Cache-Control")}
}

// nobody takes an answer that nobody looks at.
func nobody() http.ResponseWriter {
	return http.Serve(nothing{}, "en", "GET", "/", "")
}

type nothing struct{}

func (nothing) ServeHTTP(http.ResponseWriter, *http.Request) {}
