// Package http is net/http as far as the pages use it. Without a build tag its types are net/http's own. With the tag
// phone, which the phone's program is built with, they are written here: there is no socket in a worker, yet importing
// net/http links the certificates, proxies, host names and transports that its start refers to, 220 kB of the download.
//
// What the pages may use is what both have. A name that is missing here is added on both sides; a page that imports
// net/http itself does not compile for the phone.
package http

// Methods and the statuses that pages answer with.
const (
	MethodGet  = "GET"
	MethodPost = "POST"

	StatusOK                    = 200
	StatusNoContent             = 204
	StatusSeeOther              = 303
	StatusBadRequest            = 400
	StatusForbidden             = 403
	StatusNotFound              = 404
	StatusMethodNotAllowed      = 405
	StatusConflict              = 409
	StatusRequestEntityTooLarge = 413
	StatusUnprocessableEntity   = 422
	StatusTooManyRequests       = 429
	StatusInternalServerError   = 500
	StatusServiceUnavailable    = 503
)
