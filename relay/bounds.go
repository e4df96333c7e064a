package relay

import (
	"sync"
	"time"
)

// seen remembers calls against replay for at least one window, in two generations.
type seen struct {
	mu       sync.Mutex
	max      int
	window   time.Duration
	turned   time.Time
	now, old map[[16]byte]struct{}
}

func newSeen(max int, window time.Duration) *seen {
	return &seen{max: max, window: window, now: map[[16]byte]struct{}{}}
}

// add reports whether the nonce is new, and whether there was room to remember it.
func (s *seen) add(nonce [16]byte, at time.Time) (fresh, room bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Sub(s.turned) > s.window {
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

// rates is a token bucket per principal, in memory only.
type rates struct {
	mu      sync.Mutex
	buckets map[[16]byte]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newRates() *rates { return &rates{buckets: map[[16]byte]bucket{}} }

// maxBuckets bounds memory; full buckets are forgotten first, which loses nothing.
const maxBuckets = 100_000

func (r *rates) take(who [16]byte, now time.Time, rate, burst float64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.buckets[who]
	if !ok {
		if len(r.buckets) >= maxBuckets {
			for k, v := range r.buckets {
				if now.Sub(v.at) > time.Minute {
					delete(r.buckets, k)
				}
			}
			if len(r.buckets) >= maxBuckets {
				return false
			}
		}
		b = bucket{burst, now}
	}
	b.tokens = min(burst, b.tokens+rate*max(0, now.Sub(b.at).Seconds()))
	b.at = now
	ok = b.tokens >= 1
	if ok {
		b.tokens--
	}
	r.buckets[who] = b
	return ok
}
