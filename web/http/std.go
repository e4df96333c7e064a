//go:build !phone

package http

import "net/http"

// What pages use of net/http.
type (
	Handler        = http.Handler
	HandlerFunc    = http.HandlerFunc
	Header         = http.Header
	Request        = http.Request
	ResponseWriter = http.ResponseWriter
	ServeMux       = http.ServeMux
)

// NewServeMux is http.NewServeMux.
func NewServeMux() *ServeMux { return http.NewServeMux() }

// Error is http.Error.
func Error(w ResponseWriter, text string, status int) { http.Error(w, text, status) }

// NotFound is http.NotFound.
func NotFound(w ResponseWriter, r *Request) { http.NotFound(w, r) }

// Redirect is http.Redirect.
func Redirect(w ResponseWriter, r *Request, to string, status int) { http.Redirect(w, r, to, status) }
