package relay

import (
	"sync"
	"time"

	"krama/seal"
)

// Brief is what a relay remembers for a while beside its store: which calls were made, which proofs were used, how much
// each caller has left, and keys that it looked up. It may be forgotten with the process: a call is bound to the run
// that it was made for, and the rest is found again. One process keeps it in its own memory (NewBrief); several that
// answer for the same programmes need one that they share, and its methods are then calls. Times are since the start
// of the run, or of whatever the processes agree on. All methods are safe for concurrent use.
type Brief interface {
	// Nonce remembers a call of a programme for the window at least. It reports whether the nonce is new, and whether
	// there was room to remember it: without, the call is refused. One programme's calls fill its own room.
	Nonce(programme, nonce [16]byte, at time.Duration) (fresh, room bool)
	// Used reports whether a proof of work was used within the last two days, which is as long as one is good; Use
	// remembers it, as Nonce does a call.
	Used(proof [16]byte) bool
	Use(proof [16]byte, at time.Duration) (fresh, room bool)
	// Take takes one from a payer's bucket, which holds burst and fills by rate a second, and reports whether one was
	// there.
	Take(p Payer, at time.Duration, rate, burst float64) bool

	// Stream and Programme return what was remembered of a stream, and of a programme by its short name.
	Stream(id seal.StreamID) (Stream, bool)
	Programme(site [16]byte) (Programme, bool)
	SetStream(s Stream)
	SetProgramme(site [16]byte, p Programme)
	// ForgetStreams and ForgetProgrammes are called when the store's may have changed.
	ForgetStreams()
	ForgetProgrammes()

	// Alone runs f while no other Alone does: what is looked up and then written must not change between.
	Alone(f func() error) error
}

// Payer is whose bucket it is. All of them are known to the relay or have brought a proof: nobody makes buckets for
// nothing.
type Payer struct {
	By             uint8 // for which sort of call (caller)
	Programme, Who [16]byte
}

// brief is a Brief in one process.
type brief struct {
	calls *nonces
	spent *seen
	rates *rates

	mu         sync.RWMutex
	streams    map[seal.StreamID]Stream
	programmes map[[16]byte]Programme

	alone sync.Mutex
}

// maxKnown bounds the memory of keys, of each sort.
const maxKnown = 100_000

// NewBrief returns one in this process's memory. It remembers so many calls of each programme, and eight times as many
// proofs; window is for how long a call could be made again.
func NewBrief(calls int, window time.Duration) Brief {
	return &brief{calls: newNonces(calls, window), spent: newSeen(8*calls, 48*time.Hour), rates: newRates(),
		streams: map[seal.StreamID]Stream{}, programmes: map[[16]byte]Programme{}}
}

func (b *brief) Nonce(programme, nonce [16]byte, at time.Duration) (fresh, room bool) {
	return b.calls.add(programme, nonce, at)
}

func (b *brief) Used(proof [16]byte) bool { return b.spent.has(proof) }

func (b *brief) Use(proof [16]byte, at time.Duration) (fresh, room bool) {
	return b.spent.add(proof, at)
}

func (b *brief) Take(p Payer, at time.Duration, rate, burst float64) bool {
	return b.rates.take(p, at, rate, burst)
}

func (b *brief) Stream(id seal.StreamID) (Stream, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s, ok := b.streams[id]
	return s, ok
}

func (b *brief) Programme(site [16]byte) (Programme, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	p, ok := b.programmes[site]
	return p, ok
}

func (b *brief) SetStream(s Stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.streams) >= maxKnown {
		clear(b.streams)
	}
	b.streams[s.ID] = s
}

func (b *brief) SetProgramme(site [16]byte, p Programme) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.programmes) >= maxKnown {
		clear(b.programmes)
	}
	b.programmes[site] = p
}

func (b *brief) ForgetStreams() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.streams)
}

func (b *brief) ForgetProgrammes() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.programmes)
}

func (b *brief) Alone(f func() error) error {
	b.alone.Lock()
	defer b.alone.Unlock()
	return f()
}

// seen remembers calls against replay for at least one window, in two generations.
type seen struct {
	mu       sync.Mutex
	max      int
	window   time.Duration
	turned   time.Duration
	now, old map[[16]byte]struct{}
}

// newSeen remembers so many for a window.
func newSeen(max int, window time.Duration) *seen {
	return &seen{max: max, window: window, now: map[[16]byte]struct{}{}}
}

// add reports whether the nonce is new, and whether there was room to remember it.
func (s *seen) add(nonce [16]byte, at time.Duration) (fresh, room bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at-s.turned > s.window {
		s.old, s.now, s.turned = s.now, map[[16]byte]struct{}{}, at
	}
	if _, ok := s.now[nonce]; ok {
		return false, true
	}
	if _, ok := s.old[nonce]; ok {
		return false, true
	}
	if len(s.now) >= s.max {
		return true, false
	}
	s.now[nonce] = struct{}{}
	return true, true
}

// has reports whether a nonce was added, and adds none.
func (s *seen) has(nonce [16]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, now := s.now[nonce]
	_, old := s.old[nonce]
	return now || old
}

// nonces are what each programme's calls have used. One programme fills its own.
type nonces struct {
	mu     sync.Mutex
	max    int
	window time.Duration
	of     map[[16]byte]*seen
}

// newNonces remembers so many of each programme.
func newNonces(max int, window time.Duration) *nonces {
	return &nonces{max: max, window: window, of: map[[16]byte]*seen{}}
}

// add is seen.add in a programme's own room.
func (n *nonces) add(programme, nonce [16]byte, at time.Duration) (fresh, room bool) {
	n.mu.Lock()
	s := n.of[programme]
	if s == nil {
		s = newSeen(n.max, n.window)
		n.of[programme] = s
	}
	n.mu.Unlock()
	return s.add(nonce, at)
}

// rates is a token bucket per caller.
type rates struct {
	mu      sync.Mutex
	buckets map[Payer]bucket
}

// bucket is what a caller has left, as of a moment.
type bucket struct {
	tokens float64
	at     time.Duration
}

// newRates begins with every bucket full.
func newRates() *rates { return &rates{buckets: map[Payer]bucket{}} }

// maxBuckets bounds memory; full buckets are forgotten first, which loses nothing.
const maxBuckets = 100_000

// take takes one from a bucket.
func (r *rates) take(p Payer, now time.Duration, rate, burst float64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.buckets[p]
	if !ok {
		if len(r.buckets) >= maxBuckets {
			for k, v := range r.buckets {
				if now-v.at > time.Minute {
					delete(r.buckets, k)
				}
			}
			if len(r.buckets) >= maxBuckets {
				return false
			}
		}
		b = bucket{burst, now}
	}
	b.tokens = min(burst, b.tokens+rate*max(0, (now-b.at).Seconds()))
	b.at = now
	ok = b.tokens >= 1
	if ok {
		b.tokens--
	}
	r.buckets[p] = b
	return ok
}
