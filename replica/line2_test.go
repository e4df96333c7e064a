package replica

import (
	"context"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/seal"
)

// lossy is a remote whose first calls on a path are lost.
type lossy struct {
	Remote
	path string
	lose int
	sent int
}

func (l *lossy) Call(ctx context.Context, path string, body []byte) ([]byte, time.Time, error) {
	l.sent += len(body)
	if path == l.path && l.lose > 0 {
		l.lose--
		return nil, time.Time{}, krama.E("test", krama.Offline, "")
	}
	return l.Remote.Call(ctx, path, body)
}

// TestDropOverALineThatBreaks: a new device whose call was lost is offline, not refused, and the next try goes through.
func TestDropOverALineThatBreaks(t *testing.T) {
	w := newSmallWorld(t)
	a := w.device("phone")
	l := &lossy{Remote: a.wire, path: seal.PathDropPut, lose: 1}
	a.Dial = func(string) Remote { return l }
	if err := a.Newcomer().Introduce(t.Context(), "relay"); krama.KindOf(err) != krama.Offline {
		t.Errorf("a lost call: %v", err)
	}
}

// TestPiecesEnd: a relay that takes the pieces of a call and says that it has none does not have them sent for ever,
// and one that lost them once, as it does when it starts anew, is no liar.
func TestPiecesEnd(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	a.line.piece = leastPiece
	s := w.person(a)
	for range 200 {
		w.contact(a, s)
	}
	calls := 0
	a.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if path == seal.PathAppend {
			if calls++; calls > 50 {
				t.Fatal("it never ends")
			}
		}
		if path == seal.PathAppend {
			return nil, krama.E("test", krama.NotFound, "")
		}
		if path == seal.PathPart && calls > 0 && len(call) < seal.CallHead+64 { // a question
			return []byte{0, 0, 0, 0}, nil
		}
		return answer, err
	}
	if err := a.Sync(t.Context(), nil); err == nil {
		t.Error("it was believed")
	}
}

// TestPiecesOfARelayThatStartsAnew: what the relay forgot in the middle is sent again.
func TestPiecesOfARelayThatStartsAnew(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	a.line.piece = leastPiece
	s := w.person(a)
	for range 200 {
		w.contact(a, s)
	}
	parts := 0
	a.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if path == seal.PathPart {
			if parts++; parts == 4 {
				a.wire.h = relay.New(w.store, "token", relay.DefaultLimits, w.clock)
			}
		}
		return answer, err
	}
	w.sync(a)
	if parts < 4 {
		t.Errorf("%d parts", parts)
	}
}

// TestHeldEnds: a relay that gives the same place again and again is a liar.
func TestHeldEnds(t *testing.T) {
	n := 0
	_, err := held(func(seal.After) ([]byte, error) {
		if n++; n > 1000 {
			t.Fatal("it never ends")
		}
		return seal.MarshalHeld([]seal.Held{{K: 1, Body: make([]byte, 10)}}, 0, false), nil
	})
	if krama.KindOf(err) != krama.Tampered {
		t.Errorf("got %v", err)
	}
}

// TestHeldOfAnotherItem: where the item that was cut has gone meanwhile, the next one comes whole.
func TestHeldOfAnotherItem(t *testing.T) {
	next := []byte("another item, whole")
	n := 0
	list, err := held(func(after seal.After) ([]byte, error) {
		if n++; n == 1 {
			return seal.MarshalHeld([]seal.Held{{K: 1, Body: make([]byte, 100)}}, 0, false)[:20],
				krama.E("test", krama.Offline, "")
		}
		return seal.MarshalHeld([]seal.Held{{K: 2, Body: next}}, int(after.Skip), true), nil
	})
	if err != nil || len(list) != 1 || string(list[0].Body) != string(next) {
		t.Errorf("got %v %v", list, err)
	}
}
