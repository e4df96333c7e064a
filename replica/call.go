package replica

import (
	"context"
	"crypto/ed25519"
	"slices"
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
	// The line is another one when the device turns to another relay; its fields have a lock of their own.
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
	// Before there is a roster, the office's code names the programme; a device that has scanned none calls with zeros
	// (doc/format.md, 9).
	switch {
	case r.led.roster != nil:
		org = r.led.roster.Org
	case r.led.scan != nil:
		org = r.led.scan.Org
	}
	c := r.caller(org)
	r.mu.Unlock()
	// Without the lock: over a bad line this takes minutes, and pages are shown meanwhile.
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
	// The newest key first. Where a rotation was cut before the next stream was made, the relay knows the old key only.
	if c != krama.OrgCircle && newest != own {
		answer, err := r.call(ctx, newest.StreamKey(), path, id, payload)
		if krama.KindOf(err) != krama.NotAllowed || err == nil {
			return answer, err
		}
	}
	return r.call(ctx, own.StreamKey(), path, id, payload)
}

// keepControl makes seeds the newest control keys, the last the newest of all. Called with the lock held.
func (r *core) keepControl(seeds ...[32]byte) error {
	var entries [][]byte
	for _, s := range seeds {
		entries = append(entries, tagged(tagControl, s[:]))
	}
	// Kept before the relay hears of it: a key that the relay took and that a kill lost here would shut every admin
	// out.
	if err := r.commit(entries...); err != nil {
		return err
	}
	for _, s := range seeds {
		r.led.addControl(s)
	}
	return nil
}

// controlKeys lists the keys that the relay may know, newest first: the admins' own, then those that circle 0 gave.
// Each is made when it is asked for: after years they are many, and the first is nearly always the one.
func (r *core) controlKeys() (id [16]byte, keys []func() ed25519.PrivateKey, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.led.streams[krama.OrgCircle]
	if st == nil || st.known[0] == nil {
		return id, nil, krama.E("replica.control", krama.NotAllowed, "circle 0's history is not here")
	}
	for _, s := range slices.Backward(r.led.controls) {
		keys = append(keys, func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(s[:]) })
	}
	for e := int(st.epoch.Epoch); e >= 0; e-- {
		if k := st.known[uint32(e)]; k != nil {
			keys = append(keys, k.ControlKey)
		}
	}
	return seal.ProgrammeID(st.known[0].ControlKey().Public().(ed25519.PublicKey)), keys, nil
}

// controlCall makes an administrator's call. The relay knows one control key at a time; when it is an older one,
// because a change was cut or the relay was restored, that one hands over to the newest.
func (r *core) controlCall(ctx context.Context, path string, payload []byte) error {
	_, err := r.controlAsk(ctx, path, payload)
	return err
}

// controlAsk is controlCall where the answer matters.
func (r *core) controlAsk(ctx context.Context, path string, payload []byte) (answer []byte, err error) {
	id, keys, err := r.controlKeys()
	if err != nil {
		return nil, err
	}
	newest := keys[0]()
	for i, k := range keys {
		// The relay refused the newest key. If it knows this older one, it is handed over from that one; if not, the
		// next older is tried.
		if i > 0 {
			next := seal.ControlCall{Next: newest.Public().(ed25519.PublicKey)}
			_, err = r.call(ctx, k(), seal.PathControl, id, next.Marshal())
			if krama.KindOf(err) == krama.NotAllowed && err != nil {
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		answer, err = r.call(ctx, newest, path, id, payload)
		// A refusal behind a hand-over is not the key's fault: it is the answer.
		if err == nil || krama.KindOf(err) != krama.NotAllowed || i > 0 {
			return answer, err
		}
	}
	return nil, err
}

// takeControl takes up the control keys of a letter, the newest last, unless it tells nothing new. Where two admins
// drew at once, the one whose letter comes to the other stands. Called with the lock held.
func (r *core) takeControl(body []byte) error {
	var seeds [][32]byte
	fresh := false
	for ; len(body) >= 32; body = body[32:] {
		seeds = append(seeds, [32]byte(body))
		fresh = fresh || !slices.Contains(r.led.controls, [32]byte(body))
	}
	if !fresh {
		return nil
	}
	return r.keepControl(seeds...)
}
