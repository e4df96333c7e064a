//go:build !js

package replica

import (
	"errors"
	"net/http"
)

// Direct returns c as it never follows a redirect: it ends in an error instead. Who answers for a relay may otherwise
// have this computer post a sealed call to any address that it reaches and the relay does not, such as the office's own
// network.
func Direct(c *http.Client) *http.Client {
	d := *c
	d.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("a redirect") }
	return &d
}
