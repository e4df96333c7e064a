package replica

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

	"krama"
	"krama/seal"
)

// refusal is what a relay refuses a call with: its session, by which the caller may be another time.
type refusal struct{ seal.Session }

func (refusal) Error() string { return "refused" }

// link is how a device speaks with one relay: what it has heard of the relay's session and clock, and how much gets
// through the line at a time. It is safe for concurrent use.
type link struct {
	mu      sync.Mutex
	session seal.Session
	at      time.Time     // when that was heard, by the device's clock; zero before
	ahead   time.Duration // the relay's wall clock minus the device's
	piece   int           // bytes that are sent in one call; 0 while whole calls get through
	through int           // pieces of that size that got through, one after the other
	patient int           // how many must before larger ones are tried; each loss doubles it
}

// Pieces of a call over a line that breaks: they begin with a half of what did not get through, and grow again when
// they do.
const (
	// Bytes, of which a relay takes no more as one part (doc/format.md, 9); then the bounds of patient, in pieces.
	leastPiece = 1 << 10
	mostPiece  = 64 << 10
	growAfter  = 16
	growAtMost = 4096
	startAgain = 8 // how often a relay may have lost what it took
)

// now is the relay's session at a moment of the device's clock.
func (l *link) now(t time.Time) (s seal.Session, heard bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s = l.session
	s.MS += uint64(max(0, t.Sub(l.at).Milliseconds()))
	return s, !l.at.IsZero()
}

// hear takes up a session, and reports whether it is another one, or another moment of it, than the device thought.
func (l *link) hear(s seal.Session, t time.Time) (news bool) {
	was, heard := l.now(t)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session, l.at = s, t
	// Less than a second is how long an answer is on its way, and no other clock.
	off := int64(s.MS) - int64(was.MS)
	return !heard || s.Boot != was.Boot || off > 1000 || off < -1000
}

// clock takes note of how far the relay's clock is from this device's.
func (l *link) clock(relay, own time.Time) {
	if !relay.IsZero() {
		l.mu.Lock()
		l.ahead = relay.Sub(own)
		l.mu.Unlock()
	}
}

// wall is the relay's wall clock at a moment of the device's.
func (l *link) wall(t time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return t.Add(l.ahead)
}

// caller is one caller of a relay.
type caller struct {
	*link
	remote    Remote
	rand      io.Reader
	now       func() time.Time
	programme [16]byte
}

// hello asks for the session.
func (c *caller) hello(ctx context.Context) error {
	b, clock, err := c.remote.Call(ctx, seal.PathHello, nil)
	if krama.KindOf(err) == krama.NotFound && err != nil {
		return krama.E("replica.hello", krama.NotYet, "the relay is of an earlier version")
	}
	if err != nil {
		return err
	}
	s, err := seal.ParseSession(b)
	if err != nil {
		return krama.E("replica.hello", krama.Tampered, "the relay's answer is cut or garbled")
	}
	t := c.now()
	c.link.clock(clock, t)
	c.hear(s, t)
	return nil
}

// call signs and makes one call. A payload that does not get through whole goes in pieces. An answer that was cut comes
// with the error, as far as it came.
func (c *caller) call(ctx context.Context, key ed25519.PrivateKey, path string, principal [16]byte,
	payload []byte) ([]byte, error) {
	sum := seal.SHA256(payload)
	for again := 0; ; again++ {
		c.mu.Lock()
		piece := c.piece
		c.mu.Unlock()
		if path == seal.PathDropPut { // nobody keeps parts for who is not known yet
			return c.once(ctx, key, path, principal, sum, len(payload), payload)
		}
		if piece == 0 || len(payload) <= piece {
			answer, err := c.once(ctx, key, path, principal, sum, len(payload), payload)
			if krama.KindOf(err) != krama.Offline || err == nil || len(answer) > 0 || len(payload) <= leastPiece ||
				ctx.Err() != nil {
				return answer, err
			}
			// Nothing came back, and nobody gave up: its size may have been the reason.
			c.smaller(len(payload))
		}
		if err := c.pieces(ctx, key, principal, sum, payload); err != nil {
			return nil, err
		}
		answer, err := c.once(ctx, key, path, principal, sum, 0, nil)
		if krama.KindOf(err) == krama.NotFound && err != nil && again < startAgain {
			if more, e := c.begun(ctx, key, principal, sum, len(payload)); e == nil && more < len(payload) {
				continue // the relay has lost the pieces: they are sent once more
			}
		}
		return answer, err
	}
}

// once makes one call whose payload comes with it or is at the relay already.
func (c *caller) once(ctx context.Context, key ed25519.PrivateKey, path string, principal [16]byte, sum [32]byte,
	size int, payload []byte) ([]byte, error) {
	if c.remote == nil {
		return nil, errLocked
	}
	for try := 0; ; try++ {
		at, heard := c.link.now(c.now())
		if !heard {
			if err := c.hello(ctx); err != nil {
				return nil, err
			}
			at, _ = c.link.now(c.now())
		}
		head, err := seal.NewCallHead(c.rand, key, path, at, c.programme, principal, sum, size)
		if err != nil {
			return nil, err
		}
		answer, clock, err := c.remote.Call(ctx, path, append(head, payload...))
		t := c.now()
		c.link.clock(clock, t)
		var refused refusal
		// A refusal tells the relay's session. Only where that is news can another try succeed (doc/format.md, 9).
		if errors.As(err, &refused) && c.hear(refused.Session, t) && try == 0 {
			continue
		}
		return answer, err
	}
}

// pieces sends a payload ahead of its call. A line over which not even a question about it gets through is down.
func (c *caller) pieces(ctx context.Context, key ed25519.PrivateKey, principal [16]byte, sum [32]byte,
	payload []byte) (err error) {
	have, err := c.begun(ctx, key, principal, sum, len(payload))
	defer func() {
		if krama.KindOf(err) == krama.Offline && err != nil { // the size was not it
			c.mu.Lock()
			c.piece = 0
			c.mu.Unlock()
		}
	}()
	for misses, again := 0, 0; err == nil && have < len(payload); {
		c.mu.Lock()
		n := min(c.piece, len(payload)-have)
		c.mu.Unlock()
		got, lost := c.part(ctx, key, principal, sum, len(payload), have, payload[have:have+n])
		switch {
		case lost == nil && got < have+n: // it started anew, or needed the room
			if again++; again > startAgain {
				return krama.E("replica.pieces", krama.Tampered, "the relay does not keep what it takes")
			}
			have = got
			continue
		case lost == nil:
			have, misses = min(got, len(payload)), 0
			c.larger()
			continue
		case krama.KindOf(lost) != krama.Offline || ctx.Err() != nil:
			return lost
		}
		// The least piece was lost several times: it is the line, and no smaller piece would help.
		if misses++; n <= leastPiece && misses > 3 {
			return lost
		}
		c.smaller(n)
		have, err = c.begun(ctx, key, principal, sum, len(payload))
	}
	return err
}

// begun asks how much of a payload is at the relay.
func (c *caller) begun(ctx context.Context, key ed25519.PrivateKey, principal [16]byte, sum [32]byte,
	total int) (int, error) {
	return c.part(ctx, key, principal, sum, total, 0, nil)
}

// part sends a piece of a payload ahead of its call, and returns how much of it the relay has.
func (c *caller) part(ctx context.Context, key ed25519.PrivateKey, principal [16]byte, sum [32]byte, total, offset int,
	b []byte) (int, error) {
	payload := seal.PartCall{Sum: sum, Total: uint32(total), Offset: uint32(offset), Piece: b}.Marshal()
	answer, err := c.once(ctx, key, seal.PathPart, principal, seal.SHA256(payload), len(payload), payload)
	if err != nil {
		return 0, err
	}
	if len(answer) != 4 {
		return 0, krama.E("replica.part", krama.Tampered, "the relay's answer is cut or garbled")
	}
	return int(binary.BigEndian.Uint32(answer)), nil
}

// smaller makes the pieces half of what did not get through.
func (c *caller) smaller(of int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.piece, c.through = min(mostPiece, max(leastPiece, of/2)), 0
	c.patient = min(growAtMost, max(growAfter, 2*c.patient))
}

// larger makes pieces larger again after enough of them went through.
func (c *caller) larger() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.through++; c.through >= c.patient && c.piece > 0 {
		c.piece, c.through = min(mostPiece, c.piece*2), 0
	}
}

// heldMost bounds what is read of one box: more than a relay has room for.
const heldMost = 256 << 20

// held reads a box to its end. ask asks for what comes after a place, without the beginning of the first item that is
// here already: over a line that breaks, what came is not sent again.
func held(ask func(seal.After) ([]byte, error)) (list []seal.Held, err error) {
	var begun seal.Held
	after, size, all, again := uint64(0), 0, 0, 0
	for {
		answer, err := ask(seal.After{Place: after, Skip: uint32(len(begun.Body))})
		cut := krama.KindOf(err) == krama.Offline && err != nil && len(answer) > 0
		if err != nil && !cut {
			return list, err
		}
		some, part, total, perr := seal.CutHeld(answer)
		if perr != nil || !cut && part.Body != nil {
			return list, krama.E("replica.held", krama.Tampered, "the relay's answer is cut or garbled")
		}
		if len(begun.Body) > 0 { // it goes on where the line broke, if it is still the same item
			rest := size - len(begun.Body)
			switch {
			case len(some) > 0 && some[0].K == begun.K && len(some[0].Body) == rest:
				some[0].Body = append(begun.Body, some[0].Body...)
			case len(some) == 0 && part.K == begun.K && total == rest:
				part.Body, total = append(begun.Body, part.Body...), size
			case len(some) > 0 && some[0].K != 0 || part.Body != nil:
				// it has gone: what comes after it may lack its beginning
				if again++; again > startAgain {
					return list, krama.E("replica.held", krama.Tampered, "the relay's answer is cut or garbled")
				}
				begun = seal.Held{}
				continue
			}
		}
		if cut && len(some) == 0 && len(part.Body) <= len(begun.Body) {
			return list, err // nothing more gets through
		}
		begun, size = part, total
		for _, h := range some {
			if h.K == 0 {
				return list, nil
			}
			// Places rise, or a relay could go on for ever and fill the memory.
			if all += len(h.Body); h.K <= after || all > heldMost {
				return list, krama.E("replica.held", krama.Tampered, "the relay's box does not end")
			}
			list, after = append(list, seal.Held{K: h.K, Body: bytes.Clone(h.Body)}), h.K
		}
		if !cut && len(some) == 0 {
			return list, nil
		}
	}
}
