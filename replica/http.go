//go:build !js

package replica

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"krama"
	"krama/seal"
)

// HTTP is a Remote over an HTTP client; the phone has its own over the browser's fetch.
type HTTP struct {
	Client *http.Client
	URL    string
}

// maxAnswer bounds what a relay may send back for one call.
// The largest is a published door of 4 MiB (doc/format.md, 9).
const maxAnswer = 8 << 20

// Call implements Remote.
func (h HTTP) Call(ctx context.Context, path string, body []byte) ([]byte, time.Time, error) {
	const op = "replica.HTTP"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, time.Time{}, krama.E(op, krama.Invalid, "the relay's address")
	}
	req.Header.Set("Content-Type", "text/plain")
	req.Header.Set("User-Agent", "") // the relay has no use for it
	res, err := Direct(h.Client).Do(req)
	if err != nil {
		return nil, time.Time{}, krama.E(op, krama.Offline, "") // the cause names addresses: it stays here
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	// The line broke within the answer. What came is given with the error: whoever asked goes on behind it.
	if err != nil && res.StatusCode == http.StatusOK {
		return answer, time.Time{}, krama.E(op, krama.Offline, "")
	}
	if err != nil {
		return nil, time.Time{}, krama.E(op, krama.Offline, "")
	}
	return Answer(res.StatusCode, res.Header.Get(seal.TimeHeader), answer)
}
