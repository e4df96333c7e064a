package relay

import (
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"time"

	"krama"
	"krama/seal"
)

// A call as it came: whose it is, how it is read, and what a kind of call asks for.

// caller is whose key a call needs.
type caller uint8

// rule is one row of the table: who may call, how large the payload and the answer may be, and what is done.
type rule struct {
	by     caller
	most   int // bytes of the payload
	answer int // bytes that an answer may take; a list takes less where there is less room
	do     func(*request) ([]byte, error)
}

// request is a call that was admitted.
type request struct {
	*seal.Call
	ctx       context.Context
	programme Programme
	stream    Stream // of byNewest and byReader
	member    Member // of byDevice
	room      int    // bytes that the answer may take
	most      int    // bytes that the payload may have
	proof     []byte // of byDrop and byReceipt
}

// payer is whose memory a call takes: its programme's, or, with the key of a stream of circle 0 that has a successor,
// what all such keys have of it together. Who was removed has those keys for ever.
func (q *request) payer() [16]byte {
	if q.stream.Roster && q.stream.Succeeded {
		h := seal.Hash("old keys", q.programme.ID[:])
		return [16]byte(h[:16])
	}
	return q.programme.ID
}

// part names the parts that a call's payload may have come in.
func (q *request) part() partKey { return partKey{q.programme.ID, q.Principal, q.Sum} }

// box is a box of the caller's programme.
func (q *request) box(k Keep, id [16]byte) Box { return Box{q.programme.ID, k, id} }

// line is a caller's connection as far as a call needs it.
type line struct {
	w   http.ResponseWriter
	req *http.Request
}

// read reads n bytes of the body. Who does not send them in time is let go.
func (l *line) read(n int) ([]byte, error) {
	http.NewResponseController(l.w).SetReadDeadline(time.Now().Add(slack(n)))
	b := make([]byte, n)
	if _, err := io.ReadFull(l.req.Body, b); err != nil {
		return nil, krama.E("relay", krama.Invalid, "body")
	}
	return b, nil
}

// size is how many bytes the caller says she sends; -1 when she does not say.
func (l *line) size() int64 { return l.req.ContentLength }

func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// known is how the relay's file names a device: a hash, so that who takes the file cannot look for a device that she
// knows.
func known(d krama.DeviceID) krama.DeviceID {
	h := seal.Hash("relay member", d[:])
	return krama.DeviceID(h[:16])
}

// slack is how long a line may take for some bytes: twenty seconds, and as long as 400 bytes a second need, but no more
// than ten minutes.
func slack(bytes int) time.Duration {
	return min(20*time.Second+time.Duration(bytes)*time.Second/400, 10*time.Minute)
}
