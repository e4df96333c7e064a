package replica

import (
	"context"
	"strconv"
	"time"

	"krama"
	"krama/seal"
)

// Remote carries calls to a relay. An answer's error has a krama kind, Offline when the line broke: what had come until
// then is the answer all the same. now is the relay's clock, or zero.
type Remote interface {
	Call(ctx context.Context, path string, body []byte) (answer []byte, now time.Time, err error)
}

// Answer turns a relay's status, clock header and body into what Remote promises.
func Answer(status int, clock string, body []byte) ([]byte, time.Time, error) {
	var now time.Time
	if ms, err := strconv.ParseInt(clock, 10, 64); err == nil {
		now = time.UnixMilli(ms)
	}
	if s, err := seal.ParseSession(body); status == 401 && err == nil {
		return nil, now, &krama.Error{Op: "relay", Kind: krama.NotAllowed, Err: refusal{s}}
	}
	if status != 200 {
		return nil, now, krama.E("relay", krama.KindOfStatus(status), "")
	}
	return body, now, nil
}
