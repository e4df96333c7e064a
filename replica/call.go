package replica

import (
	"context"
	"crypto/ed25519"
	"time"

	"krama"
	"krama/seal"
)

// clockSlack is how far clocks may be apart before that is a fault of one of them.
const clockSlack = 10 * time.Minute

// ClockError is how much the relay's clock was ahead of this device's when it was last heard; 0 while they agree within
// ten minutes.
func (r *core) ClockError() time.Duration {
	r.mu.Lock()
	l := r.line
	r.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ahead > clockSlack || l.ahead < -clockSlack {
		return l.ahead
	}
	return 0
}

// dial turns to a relay. Called with the lock held.
func (r *core) dial(relay string) { r.remote, r.line = r.Dial(relay), &link{} }

// call makes one call to the relay in the programme's name, as far as the device knows one.
func (r *core) call(ctx context.Context, key ed25519.PrivateKey, path string, principal [16]byte,
	payload []byte) ([]byte, error) {
	r.mu.Lock()
	var org krama.OrgID
	switch {
	case r.led.roster != nil:
		org = r.led.roster.Org
	case r.led.scan != nil:
		org = r.led.scan.Org
	}
	c := r.caller(org)
	r.mu.Unlock()
	return c.call(ctx, key, path, principal, payload)
}

// caller calls the relay that this device turned to in the name of an organisation; of none where that is not known.
// Called with the lock held.
func (r *core) caller(org krama.OrgID) *caller {
	c := &caller{link: r.line, remote: r.remote, rand: r.Rand, now: r.Now}
	if org != (krama.OrgID{}) {
		c.programme = seal.SiteOf(org)
	}
	return c
}

// deviceCall makes a call in this device's own name.
func (r *core) deviceCall(ctx context.Context, path string, payload []byte) ([]byte, error) {
	r.mu.Lock()
	d := r.led.dev
	r.mu.Unlock()
	if d == nil {
		return nil, errLocked
	}
	return r.call(ctx, d.Sig, path, [16]byte(d.ID()), payload)
}

// streamCall makes a call on the stream that a circle is being read from. Once an epoch is closed, the relay gives its
// stream to holders of the newest key only; circle 0's streams keep their own, so that a device that was away finds its
// way.
func (r *core) streamCall(ctx context.Context, c krama.CircleID, path string, payload []byte) ([]byte, error) {
	r.mu.Lock()
	st := r.led.streams[c]
	if st == nil {
		r.mu.Unlock()
		return nil, krama.E("replica", krama.NotAllowed, "locked")
	}
	own, newest, id := st.epoch, st.newest(), st.id(st.epoch)
	r.mu.Unlock()
	if c != krama.OrgCircle && newest != own {
		answer, err := r.call(ctx, newest.StreamKey(), path, id, payload)
		if krama.KindOf(err) != krama.NotAllowed || err == nil {
			return answer, err
		}
	}
	return r.call(ctx, own.StreamKey(), path, id, payload)
}
