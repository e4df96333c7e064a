//go:build phone

package http

import "strings"

// ServeMux finds the page for a request, by patterns as net/http writes them: a method or none, then a path in which
// {name} stands for one part. "/{$}" is the root and "/" whatever else there is; other paths that end in a slash, and
// {name...}, are refused. Of two that fit the one with fewer names is taken. It cleans no paths.
type ServeMux struct{ routes []route }

type route struct {
	method string // "" is any
	parts  []string
	rest   bool // fits every path
	names  int
	serve  func(ResponseWriter, *Request)
}

// NewServeMux returns a mux without pages.
func NewServeMux() *ServeMux { return new(ServeMux) }

// HandleFunc adds a page.
func (m *ServeMux) HandleFunc(pattern string, serve func(ResponseWriter, *Request)) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = "", pattern
	}
	rt := route{method: method, serve: serve, rest: path == "/"}
	if path == "/{$}" {
		path = "/"
	} else if !strings.HasPrefix(path, "/") || strings.Contains(path, "...}") || strings.HasSuffix(path,
		"/") && !rt.rest {
		panic("http: pattern " + pattern)
	}
	rt.parts = strings.Split(path, "/")[1:]
	for _, p := range rt.parts {
		if strings.HasPrefix(p, "{") {
			rt.names++
		}
	}
	m.routes = append(m.routes, rt)
}

// Handle adds a page.
func (m *ServeMux) Handle(pattern string, h Handler) { m.HandleFunc(pattern, h.ServeHTTP) }

// ServeHTTP answers with the page that fits best, or with 405 when only other methods have one, or with 404.
func (m *ServeMux) ServeHTTP(w ResponseWriter, r *Request) {
	parts := strings.Split(r.URL.Path, "/")[1:]
	var best *route
	other := false
	for i := range m.routes {
		rt := &m.routes[i]
		if !rt.fits(parts) {
			continue
		}
		if rt.method != "" && rt.method != r.Method {
			other = true
			continue
		}
		if best == nil || rt.before(best) {
			best = rt
		}
	}
	switch {
	case best != nil:
		r.values = map[string]string{}
		for i, p := range best.parts {
			if strings.HasPrefix(p, "{") {
				r.values[p[1:len(p)-1]] = parts[i]
			}
		}
		best.serve(w, r)
	case other:
		Error(w, "Method Not Allowed", StatusMethodNotAllowed)
	default:
		NotFound(w, r)
	}
}

func (rt *route) fits(parts []string) bool {
	if rt.rest {
		return true
	}
	if len(rt.parts) != len(parts) {
		return false
	}
	for i, p := range rt.parts {
		if name := strings.HasPrefix(p, "{"); name && parts[i] == "" || !name && p != parts[i] {
			return false
		}
	}
	return true
}

// before says which of two pages that both fit is meant: a path before whatever else there is, fewer names before more,
// a method before any method.
func (rt *route) before(than *route) bool {
	switch {
	case rt.rest != than.rest:
		return than.rest
	case rt.names != than.names:
		return rt.names < than.names
	}
	return rt.method != "" && than.method == ""
}
