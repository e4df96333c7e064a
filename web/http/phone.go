//go:build phone

package http

import (
	"context"
	"io"
	"net/url"
	"strings"
)

// Handler answers a request.
type Handler interface {
	ServeHTTP(ResponseWriter, *Request)
}

// HandlerFunc is a function that is a Handler.
type HandlerFunc func(ResponseWriter, *Request)

// ServeHTTP calls f.
func (f HandlerFunc) ServeHTTP(w ResponseWriter, r *Request) { f(w, r) }

// ResponseWriter takes an answer: headers first, then the status, then the body.
type ResponseWriter interface {
	Header() Header
	Write([]byte) (int, error)
	WriteHeader(status int)
}

// Header is the lines before a body, by their names as they are usually written: Content-Type.
type Header map[string][]string

// Get returns a header's first value, or "".
func (h Header) Get(name string) string {
	if v := h[usual(name)]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Set gives a header one value.
func (h Header) Set(name, value string) { h[usual(name)] = []string{value} }

// Add gives a header one value more.
func (h Header) Add(name, value string) { h[usual(name)] = append(h[usual(name)], value) }

// Del takes a header away.
func (h Header) Del(name string) { delete(h, usual(name)) }

// usual writes each word of a header's name with a capital.
func usual(name string) string {
	words := strings.Split(strings.ToLower(name), "-")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "-")
}

// Request is what the page asks for.
type Request struct {
	Method   string
	URL      *url.URL
	Header   Header
	Body     io.ReadCloser
	Form     url.Values // of the body and the address, after ParseForm
	PostForm url.Values // of the body alone, after ParseForm

	ctx    context.Context
	values map[string]string
}

// Context returns the request's context, which is never nil.
func (r *Request) Context() context.Context {
	if r.ctx == nil {
		return context.Background()
	}
	return r.ctx
}

// WithContext returns a copy of the request under another context.
func (r *Request) WithContext(ctx context.Context) *Request {
	c := *r
	c.ctx = ctx
	return &c
}

// PathValue returns the part of the path that stood at a pattern's {name}, or "".
func (r *Request) PathValue(name string) string { return r.values[name] }

// ParseForm reads the fields of the address and of a form that was sent. What it can read it keeps, whatever error it
// returns; asking twice is safe.
func (r *Request) ParseForm() error {
	if r.PostForm != nil {
		return nil
	}
	r.PostForm = url.Values{}
	var err error
	if r.Method == MethodPost && r.Body != nil && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		var b []byte
		if b, err = io.ReadAll(r.Body); err == nil {
			r.PostForm, err = url.ParseQuery(string(b))
		}
	}
	query, bad := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		err = bad
	}
	r.Form = url.Values{}
	for _, from := range []url.Values{r.PostForm, query} {
		for k, v := range from {
			r.Form[k] = append(r.Form[k], v...)
		}
	}
	return err
}

// FormValue returns a field's first value, of the body before the address.
func (r *Request) FormValue(name string) string {
	r.ParseForm()
	return r.Form.Get(name)
}

// Error answers with a line of text.
func Error(w ResponseWriter, text string, status int) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, text+"\n")
}

// NotFound answers that there is no such page.
func NotFound(w ResponseWriter, _ *Request) { Error(w, "404 page not found", StatusNotFound) }

// Redirect answers with another address, a path from the root: paths from here are not worked out.
func Redirect(w ResponseWriter, _ *Request, to string, status int) {
	w.Header().Set("Location", to)
	w.WriteHeader(status)
}
