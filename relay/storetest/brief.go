package storetest

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"krama/relay"
	"krama/seal"
)

// Brief runs the contract of relay.Brief. open returns one that remembers so many calls of each programme for a window.
func Brief(t *testing.T, open func(calls int, window time.Duration) relay.Brief) {
	const window = 20 * time.Minute
	a, b := [16]byte{1}, [16]byte{2}
	t.Run("calls", func(t *testing.T) {
		// It remembers two calls of each programme, so the third finds no room.
		s := open(2, window)
		call := func(programme [16]byte, n byte, at time.Duration, fresh, room bool) {
			t.Helper()
			if f, r := s.Nonce(programme, [16]byte{n}, at); f != fresh || r != room {
				t.Errorf("call %d of %d at %s: new %v, room %v", n, programme[0], at, f, r)
			}
		}
		// A flood of one programme's calls must not have another's refused, and a call that may come again is never
		// forgotten early: without room the answer is a refusal.
		call(a, 1, 0, true, true)
		call(a, 1, window, false, true) // for a window at least
		call(a, 2, window, true, true)
		call(a, 3, window, true, false) // its own room is full
		call(b, 1, window, true, true)  // and nobody else's
		call(a, 2, window+time.Second, false, true)
		call(a, 9, 4*window, true, true) // there is room again
	})
	t.Run("proofs", func(t *testing.T) {
		s := open(1, window)
		if s.Used(a) {
			t.Error("used before it was")
		}
		if fresh, room := s.Use(a, 0); !fresh || !room || !s.Used(a) {
			t.Error("not used when it was")
		}
		// A proof is good for its day and one beside it. Forgotten earlier, it could be used again.
		if fresh, _ := s.Use(a, 47*time.Hour); fresh || s.Used(b) {
			t.Error("used twice")
		}
	})
	t.Run("budgets", func(t *testing.T) {
		s := open(1, window)
		take := func(p relay.Payer, at time.Duration, want bool) {
			t.Helper()
			if got := s.Take(p, at, 1, 2); got != want {
				t.Errorf("%v at %s: %v", p, at, got)
			}
		}
		one := relay.Payer{By: 1, Programme: a, Who: a}
		take(one, 0, true)
		take(one, 0, true)
		take(one, 0, false)
		// Payers who differ in one thing each: nobody takes from another's bucket.
		for _, other := range []relay.Payer{{By: 2, Programme: a, Who: a}, {By: 1, Programme: b, Who: a},
			{By: 1, Programme: a, Who: b}} {
			take(other, 0, true)
		}
		take(one, time.Second, true)
		take(one, time.Second, false)
		take(one, time.Hour, true)
		take(one, 0, true) // a clock that goes back gives nothing, and takes nothing
		take(one, 0, false)
	})
	t.Run("keys", func(t *testing.T) {
		s := open(1, window)
		st := relay.Stream{ID: seal.StreamID{1}, Programme: a, Access: bytes.Repeat([]byte{7}, 32)}
		s.SetStream(st)
		s.SetProgramme(b, relay.Programme{ID: a, Control: st.Access, Site: b})
		if got, ok := s.Stream(st.ID); !ok || !got.Access.Equal(st.Access) || got.Programme != a {
			t.Error("the stream is not what was remembered")
		}
		// The relay calls it when keys have changed: an old one that is remembered would still be admitted.
		s.ForgetStreams()
		if _, ok := s.Stream(st.ID); ok {
			t.Error("a stream's old key is remembered")
		}
		if p, ok := s.Programme(b); !ok || p.ID != a {
			t.Error("the programme went with the streams")
		}
		s.ForgetProgrammes()
		if _, ok := s.Programme(b); ok {
			t.Error("a programme's old key is remembered")
		}
	})
	t.Run("alone", func(t *testing.T) {
		s := open(1, window)
		// Who looks and then writes relies on it: an admin may remove a device in between.
		var within, most atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 50 {
					s.Alone(func() error {
						most.Store(max(most.Load(), within.Add(1)))
						time.Sleep(10 * time.Microsecond)
						within.Add(-1)
						return nil
					})
				}
			})
		}
		wg.Wait()
		if most.Load() != 1 {
			t.Errorf("%d at once", most.Load())
		}
	})
}
