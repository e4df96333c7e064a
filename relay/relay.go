// Package relay is the blind server. It stores opaque bytes in order under random ids for whoever holds the stream's
// key, and cannot tell members apart, circles from each other or a person from a roster. It writes no address and no
// log.
package relay

import (
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"krama"
	"krama/seal"
)

// Limits bound what one relay gives. Zero fields take the defaults.
type Limits struct {
	Body      int64         // bytes of one payload
	ListBytes int           // bytes of envelopes in one answer
	Skew      time.Duration // how far a call's time may be from the session's
	Rate      float64       // calls per second and principal
	Burst     float64
	Quota     int64 // bytes kept of one programme, of all sorts together
	BoxItem   int   // bytes of one mailbox item
	BoxItems  int   // items of one mailbox
	BoxKeep   time.Duration
	DropItem  int
	DropItems int
	DropKeep  time.Duration
	DropRate  float64 // drops per second over all callers: they need no programme
	LeftItems int     // items that one device leaves for the admins
	LeftBytes int64
	Blob      int
	Nonces    int   // calls remembered against replay, of one programme
	Flight    int64 // bytes of calls and answers in memory at a time; half of it is one programme's at the most
	Open      int64 // the same for what anybody may call
}

// DefaultLimits serve a programme of a few hundred devices on a small machine.
var DefaultLimits = Limits{Body: 4 << 20, ListBytes: 1 << 20, Skew: 10 * time.Minute, Rate: 100, Burst: 400,
	Quota:   8 << 30,
	BoxItem: 64 << 10, BoxItems: 512, BoxKeep: 90 * 24 * time.Hour, DropItem: 4 << 10, DropItems: 4,
	DropKeep: 12 * time.Minute,
	DropRate: 20, LeftItems: 256, LeftBytes: 16 << 20, Blob: 3 << 20, Nonces: 1 << 17, Flight: 48 << 20, Open: 8 << 20}

// Room is the share of a programme's quota that a sort of thing may fill. Three quarters are for circles' envelopes;
// what a rotation, a removal or an erasure needs has shares of its own, which a full quota leaves free.
func (l Limits) Room(k Keep) int64 {
	if k == Content {
		return l.Quota / 4 * 3
	}
	return l.Quota / 4 / int64(Keeps-1)
}

// Relay answers the protocol's calls over a Store.
type Relay struct {
	store  Store
	limit  Limits
	token  []byte // founding a programme needs it
	now    func() time.Time
	start  time.Time
	boot   [16]byte // names this run
	calls  map[string]rule
	flight *flight // what members have in memory here
	public *flight // and anybody
	parts  *parts
	work   work
	secret []byte

	// OnDoor is called after a programme has published, CheckDoor before: what it refuses is not kept. Elapsed is the
	// time since the start by a clock that nobody sets; the process's own where it is nil. SiteKey signs for a public
	// site that runs apart. All are set before serving.
	OnDoor    func()
	CheckDoor func([]byte) error
	Elapsed   func() time.Duration
	SiteKey   ed25519.PublicKey

	// Brief is this process's own memory where New made it; relays that share a store must share one. It is set before
	// serving.
	Brief Brief
}

// New returns a relay over store. token is what founding a programme needs; an empty one refuses all.
func New(store Store, token string, limit Limits, now func() time.Time) *Relay {
	r := &Relay{store: store, limit: limit, token: []byte(token), now: now, start: now(),
		Brief: NewBrief(limit.Nonces, 2*limit.Skew), flight: newFlight(limit.Flight, limit.Flight/2),
		public: newFlight(limit.Open, limit.Open), parts: newParts(), work: newWork(),
		secret: secretOf(token, rand.Reader)}
	rand.Read(r.boot[:]) // never fails
	r.calls = r.rules()
	return r
}

// Session is this run of the relay and how long it has lasted.
func (r *Relay) Session() seal.Session {
	return seal.Session{Boot: r.boot, MS: uint64(max(0, r.elapsed().Milliseconds()))}
}

// elapsed is the time since the start. The system's clock may be set meanwhile; Go's monotonic one is not.
func (r *Relay) elapsed() time.Duration {
	if r.Elapsed != nil {
		return r.Elapsed()
	}
	return r.now().Sub(r.start)
}

var errRefused = krama.E("relay", krama.NotAllowed, "unknown, unsigned, late or repeated call")

// ServeHTTP answers one call. The answer to a refusal never says which check failed; it carries the session, because a
// call that is bound to another one is the refusal that callers mend by themselves.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", seal.TimeHeader)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", "application/octet-stream")
	h["Date"] = nil // the next one says it in milliseconds; every byte is paid for on a bad line
	h.Set(seal.TimeHeader, strconv.FormatInt(r.now().UnixMilli(), 10))
	l := &line{w: w, req: req}
	out, done, err := r.serve(l)
	defer done()
	if err != nil {
		// Of a refused call no more than 256 KiB are read, by net/http and within the time for a head: who sends little
		// hears the answer.
		if krama.KindOf(err) == krama.NotAllowed {
			out = r.Session().Marshal()
		} else {
			h.Set("Content-Type", "text/plain; charset=utf-8")
			out = []byte(krama.KindOf(err).String() + "\n")
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(out)))
	// where there is a line; else it is an error
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(slack(len(out))))
	if err != nil {
		w.WriteHeader(krama.Status(err))
	}
	w.Write(out)
}

// slack is how long a line may take for some bytes: twenty seconds, and as long as 400 bytes a second need, but no more
// than ten minutes.
func slack(bytes int) time.Duration {
	return min(20*time.Second+time.Duration(bytes)*time.Second/400, 10*time.Minute)
}

// serve answers one call; done is called when the answer was written.
func (r *Relay) serve(l *line) (out []byte, done func(), err error) {
	done = func() {}
	req, path := l.req, l.req.URL.Path
	rule, known := r.calls[path]
	switch {
	case strings.HasPrefix(path, seal.OldPaths) && req.URL.RawQuery == "":
		return nil, done, krama.E("relay", krama.NotYet, "a device of the first version")
	case path == seal.PathHello && req.Method == http.MethodPost:
		return r.Session().Marshal(), done, nil
	case !known && path != seal.PathReport && path != seal.PathHello || req.URL.RawQuery != "":
		return nil, done, krama.E("relay", krama.NotFound, "")
	case req.Method != http.MethodPost:
		return nil, done, errRefused
	}
	if path == seal.PathReport {
		out, err := r.report(l)
		return out, done, err
	}
	return r.admit(l, path, rule)
}

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
