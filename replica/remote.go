package replica

import (
	"context"
	"strconv"
	"time"

	"krama"
)

// Remote carries calls to a relay. An answer's error has a krama kind, Offline when nothing was heard; now is the relay's
// clock, or zero.
type Remote interface {
	Call(ctx context.Context, path string, body []byte) (answer []byte, now time.Time, err error)
}

// Answer turns a relay's status, clock header and body into what Remote promises.
func Answer(status int, clock string, body []byte) ([]byte, time.Time, error) {
	var now time.Time
	if ms, err := strconv.ParseInt(clock, 10, 64); err == nil {
		now = time.UnixMilli(ms)
	}
	if status != 200 {
		return nil, now, krama.E("relay", krama.KindOfStatus(status), "")
	}
	return body, now, nil
}
