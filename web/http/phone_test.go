//go:build phone

package http

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

type answer struct {
	*httptest.ResponseRecorder
	header Header
}

func (a answer) Header() Header { return a.header }

var patterns = []string{"GET /{$}", "GET /people", "POST /people", "GET /person/new", "GET /person/{id}",
	"GET /person/{id}/amend", "POST /person/{id}/amend",
	"GET /{any}/{id}/amend", "/gone", "POST /gone"}

// TestMuxAsTheStandardOne: with and without a page for everything else, each request reaches the page that net/http
// takes it to.
func TestMuxAsTheStandardOne(t *testing.T) {
	for _, all := range [][]string{patterns, append(slices.Clone(patterns), "/")} {
		mine, std := NewServeMux(), http.NewServeMux()
		for _, p := range all {
			mine.HandleFunc(p, func(w ResponseWriter, r *Request) {
				io.WriteString(w, p+" id="+r.PathValue("id")+" any="+r.PathValue("any"))
			})
			std.HandleFunc(p, func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, p+" id="+r.PathValue("id")+" any="+r.PathValue("any"))
			})
		}
		for _, method := range []string{"GET", "POST", "PUT"} {
			for _, path := range []string{"/", "/people", "/people/", "/person", "/person/", "/person/new", "/person/1",
				"/person/1/", "/person/1/amend",
				"/person/new/amend", "/x/1/amend", "/x/1/other", "/gone", "/none"} {
				a, want := answer{httptest.NewRecorder(), Header{}}, httptest.NewRecorder()
				mine.ServeHTTP(a, &Request{Method: method, URL: &url.URL{Path: path}, Header: Header{}})
				std.ServeHTTP(want, httptest.NewRequest(method, path, nil))
				if a.Code != want.Code || a.Body.String() != want.Body.String() {
					t.Errorf("%s %s of %d: got %d %q want %d %q", method, path, len(all), a.Code, a.Body,
						want.Code, want.Body)
				}
			}
		}
	}
}

func TestMuxRefuses(t *testing.T) {
	for _, p := range []string{"GET people", "GET /people/", "/{rest...}", ""} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was taken", p)
				}
			}()
			NewServeMux().HandleFunc(p, nil)
		}()
	}
}

// TestFormsAsTheStandardOnes: fields arrive as net/http reads them, torn ones included.
func TestFormsAsTheStandardOnes(t *testing.T) {
	const typ = "application/x-www-form-urlencoded"
	for _, method := range []string{"GET", "POST"} {
		for _, q := range []string{"", "a=1&b=2", "a=%zz"} {
			for _, body := range []string{"", "a=3&a=4&c=%E1%9E%80+x", "a=5&b=%", "a;b=1"} {
				for _, typ := range []string{typ, "text/plain"} {
					a := &Request{Method: method, URL: &url.URL{Path: "/", RawQuery: q}, Header: Header{},
						Body: io.NopCloser(strings.NewReader(body))}
					a.Header.Set("content-type", typ)
					b := httptest.NewRequest(method, "/?"+q, strings.NewReader(body))
					b.Header.Set("Content-Type", typ)
					err, want := a.ParseForm(), b.ParseForm()
					same := func(x, y url.Values) bool { return maps.EqualFunc(x, y, slices.Equal[[]string]) }
					if (err == nil) != (want == nil) || !same(a.Form, b.Form) || !same(a.PostForm, b.PostForm) ||
						a.FormValue("a") != b.FormValue("a") {
						t.Errorf("%s %q %q %s: got %v %v %v want %v %v %v", method, q, body, typ, a.Form, a.PostForm,
							err, b.Form, b.PostForm, want)
					}
				}
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	h, std := Header{}, http.Header{}
	for _, n := range []string{"content-type", "X-a-B", "ETAG", "a--b", ""} {
		h.Set(n, "1")
		std.Set(n, "1")
		h.Add(n, "2")
		std.Add(n, "2")
	}
	if !maps.EqualFunc(h, Header(std), slices.Equal[[]string]) || h.Get("CONTENT-type") != "1" {
		t.Errorf("got %v want %v", h, std)
	}
	if h.Del("etag"); h.Get("ETag") != "" {
		t.Error("kept")
	}
}

func TestRedirect(t *testing.T) {
	a, want := answer{httptest.NewRecorder(), Header{}}, httptest.NewRecorder()
	Redirect(a, nil, "/person/1?x=2", StatusSeeOther)
	http.Redirect(want, httptest.NewRequest("POST", "/a/b", nil), "/person/1?x=2", http.StatusSeeOther)
	if a.Code != want.Code || a.header.Get("Location") != want.Header().Get("Location") {
		t.Errorf("got %d %v want %d %v", a.Code, a.header, want.Code, want.Header())
	}
}

type breaking struct{}

func (breaking) ServeHTTP(w ResponseWriter, r *Request) {
	io.WriteString(w, "half a page")
	var m map[string]int
	m[r.URL.Path] = 1
}

// TestABrokenPageEndsNothing: a page that breaks is answered without a body, so that the page before it stays.
func TestABrokenPageEndsNothing(t *testing.T) {
	if a := Serve(breaking{}, "km", "POST", "/person/new", "a=b"); a.Status != StatusInternalServerError ||
		a.Body.Len() != 0 {
		t.Errorf("%d %q", a.Status, a.Body.String())
	}
	if a := Serve(breaking{}, "km", "GET", "nowhere", ""); a.Status != StatusNotFound {
		t.Errorf("a path without a root: %d", a.Status)
	}
}
