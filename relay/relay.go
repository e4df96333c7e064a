// Package relay is the blind server. It stores opaque bytes in order under random ids for whoever holds the stream's
// key, and cannot tell members apart, circles from each other or a person from a roster. It writes no address and no
// log.
package relay

import (
	"crypto/ed25519"
	"crypto/rand"
	"io"
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

// secretOf is what the relay's noise is made with. It outlives the process, so that an empty mailbox looks the same for
// ever.
func secretOf(token string, rand io.Reader) []byte {
	if token != "" {
		h := seal.Hash("relay secret", []byte(token))
		return h[:]
	}
	b := make([]byte, 32)
	if _, err := io.ReadFull(rand, b); err != nil {
		panic(err) // the system has no randomness: nothing can be served
	}
	return b
}
