package relay

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"krama"
	"krama/seal"
)

// Everything here is in memory only, counts time since the relay's start, and is bounded by constants: none of it
// outlives the process, and nobody's part of it grows by what somebody else does.

// flight bounds the bytes of payloads and answers that are in memory at a time, over all and of each programme.
type flight struct {
	mu         sync.Mutex
	free, each int64
	of         map[[16]byte]int64
}

// newFlight bounds bytes in memory.
func newFlight(all, each int64) *flight {
	return &flight{free: all, each: each, of: map[[16]byte]int64{}}
}

// take takes bytes of a programme's and of everybody's room, or neither.
func (f *flight) take(who [16]byte, bytes int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if bytes > f.free || f.of[who]+bytes > f.each {
		return false
	}
	f.free -= bytes
	f.of[who] += bytes
	return true
}

// give gives them back.
func (f *flight) give(who [16]byte, bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free += bytes
	if f.of[who] -= bytes; f.of[who] <= 0 {
		delete(f.of, who)
	}
}

// work checks proofs of work one at a time, in the order in which they came: each takes a mebibyte and a millisecond,
// and a connection waits for one at a time, so that who has few connections waits behind no more than one proof of each
// other one.
type work struct {
	turn    chan struct{}
	waiting *atomic.Int64
}

// maxWaiting bounds the proofs that wait for their turn.
const maxWaiting = 1024

// newWork checks one proof at a time.
func newWork() work {
	return work{turn: make(chan struct{}, 1), waiting: &atomic.Int64{}}
}

// check runs a check in its turn.
func (w *work) check(ctx context.Context, proof func() bool) (bool, error) {
	defer w.waiting.Add(-1)
	if w.waiting.Add(1) > maxWaiting {
		return false, krama.E("relay", krama.TooMany, "")
	}
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return false, krama.E("relay", krama.TooMany, "")
	}
	defer func() { <-w.turn }()
	return proof(), nil
}

// parts are payloads that come in pieces over a line that breaks. They wait for the call that names their sum.
type parts struct {
	mu   sync.Mutex
	of   map[partKey]*part
	size map[[16]byte]int // bytes of each programme, and partLeast for each payload
}

// partKey is whose part it is, and of which payload.
type partKey struct {
	programme, principal [16]byte
	sum                  [32]byte
}

// part is as much of a payload as has come.
type part struct {
	b    []byte // what has come
	n    int    // of the programme's room
	at   time.Duration
	size int // of the whole
}

const (
	partMax  = 64 << 10       // bytes of one part
	partRoom = 8 << 20        // bytes of parts of one programme
	partIdle = 10 * time.Hour // how long they wait

	partLeast = 4 << 10 // what a payload takes of the room before anything of it has come
)

// newParts begins with none.
func newParts() *parts { return &parts{of: map[partKey]*part{}, size: map[[16]byte]int{}} }

// put adds a piece where the ones before it end, and returns how much is there.
func (p *parts) put(k partKey, total, offset int, b []byte, now time.Duration) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.of[k]
	if x == nil {
		for k, old := range p.of {
			if now-old.at > partIdle {
				p.forget(k)
			}
		}
		x = &part{size: total}
		p.of[k] = x
		if err := p.grow(k, x, partLeast); err != nil {
			return 0, err
		}
	}
	x.at = now
	if total == x.size && offset == len(x.b) && len(x.b)+len(b) <= total {
		if err := p.grow(k, x, len(b)); err != nil {
			return 0, err
		}
		x.b = append(x.b, b...)
	}
	return len(x.b), nil
}

// grow gives a payload more of its programme's room. Where there is none, the oldest payload of whoever has most there
// makes some: who announces or sends much takes from herself first.
func (p *parts) grow(k partKey, x *part, n int) error {
	x.n += n
	p.size[k.programme] += n
	for p.size[k.programme] > partRoom {
		has := map[[16]byte]int{}
		for o, old := range p.of {
			if o.programme == k.programme {
				has[o.principal] += old.n
			}
		}
		var out partKey
		found := false
		for o, old := range p.of {
			if o.programme != k.programme || o == k {
				continue
			}
			a, b := has[o.principal], has[out.principal]
			if !found || a > b || a == b && old.at < p.of[out].at {
				out, found = o, true
			}
		}
		if !found {
			p.forget(k)
			return krama.E("relay", krama.TooLarge, "")
		}
		p.forget(out)
	}
	return nil
}

// forget drops a payload and gives its room back. Called with the lock held.
func (p *parts) forget(k partKey) {
	if x := p.of[k]; x != nil {
		p.size[k.programme] -= x.n
		if p.size[k.programme] == 0 {
			delete(p.size, k.programme)
		}
		delete(p.of, k)
	}
}

// take gives the payload of a call, once it is whole and what the call says it is. It stays until the call has
// succeeded.
func (p *parts) take(k partKey) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.of[k]
	if x == nil || len(x.b) != x.size {
		return nil
	}
	if seal.SHA256(x.b) != k.sum {
		p.forget(k) // pieces of something else: it begins anew
		return nil
	}
	return x.b
}

// drop forgets a payload that is too large for its call.
func (p *parts) drop(k partKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(k)
}

// What anybody may call. Nobody has an account here, so limits are one for all who brought a proof, in memory only.
const (
	intakesMax  = 64
	reportRate  = 10_000.0 / 3600 // reports a second, of one programme
	reportBurst = 200
	reportsKept = 20_000 // of one intake
	replyRate   = 20
	replyBurst  = 200
	slipRate    = 0.5
	slipBurst   = 120
	slipAnswers = 8 // to one slip
	slipKeep    = 120 * 24 * time.Hour
	answersKept = 64 // of one reporter
	replyTick   = 40 * time.Millisecond
	replySpread = 16 * time.Millisecond
)
