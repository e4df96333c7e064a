package http

import (
	"bytes"
	"io"
	"net/url"
	"strings"
)

// Answer is a response in memory.
type Answer struct {
	Status int
	Body   bytes.Buffer
	header Header
}

func (a *Answer) Header() Header              { return a.header }
func (a *Answer) WriteHeader(s int)           { a.Status = s }
func (a *Answer) Write(b []byte) (int, error) { return a.Body.Write(b) }

// Serve asks a handler for what the page in front of the worker asks for: a path with a query, and a form where it is
// sent. Languages are the browser's. A panic is answered by 500 without a body: the worker, and with it the open
// device, stays, and so does the page with what is typed in it.
func Serve(h Handler, languages, method, path, form string) (a *Answer) {
	a = &Answer{header: Header{}, Status: StatusOK}
	defer func() {
		if recover() != nil {
			a = &Answer{header: Header{}, Status: StatusInternalServerError}
		}
	}()
	path, query, _ := strings.Cut(path, "?")
	path, err := url.PathUnescape(path)
	if err != nil || !strings.HasPrefix(path, "/") {
		a.Status = StatusNotFound
		return a
	}
	r := &Request{Method: method, URL: &url.URL{Path: path, RawQuery: query},
		Header: Header{"Accept-Language": {languages}},
		Body:   io.NopCloser(strings.NewReader(form))}
	if method == MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	h.ServeHTTP(a, r)
	return a
}
