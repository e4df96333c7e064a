package replica

import (
	"context"
	"slices"
	"time"

	"krama"
	"krama/seal"
)

// pushRoster is push for circle 0, where this device also writes beside its syncs.
func (r meeting) pushRoster(ctx context.Context, c krama.CircleID, progress func(Progress)) error {
	r.speaking.Lock()
	defer r.speaking.Unlock()
	return r.push(ctx, c, progress)
}

// beatEvery is how often an office device shows everybody that the relay holds nothing back. An admin's does so too
// when somebody said a new key: its old one can go once an office has read that.
const beatEvery = 24 * time.Hour

// beat has an office say that it is there, once a day: a phone that hears of it knows that nothing older is held back.
func (r meeting) beat(ctx context.Context) error {
	r.speaking.Lock()
	defer r.speaking.Unlock()
	if err := r.hold(); err != nil {
		return err
	}
	var err error
	waiting := slices.ContainsFunc(r.led.sealed, func(s *sealedEnvelope) bool { return s.circle == krama.OrgCircle })
	due := r.Office && !waiting && (r.Now().Sub(r.led.heartbeat) >= beatEvery || r.led.roster.Admin(r.led.dev.ID()) &&
		r.led.unvouched())
	if due {
		err = r.sealOne(krama.OrgCircle, []seal.Item{{Kind: seal.KindHeartbeat}})
	}
	r.mu.Unlock()
	if err != nil || !due {
		return err
	}
	return r.push(ctx, krama.OrgCircle, func(Progress) {})
}

// beats reports whether an envelope is an office's heartbeat.
func beats(e *entry) bool {
	return slices.ContainsFunc(e.items, func(it entryItem) bool { return it.Kind == seal.KindHeartbeat })
}

// vouchedFor reports whether every admin's desk but the device itself has written into circle 0 behind the device's
// newest key. A relay that is restored may lose the word of that key, and a desk that had not read it wraps to the old
// one: until then that stays.
func (l *ledger) vouchedFor(dev *seal.RosterDevice) bool {
	for d, n := range l.vouched {
		if o := l.author(d); d != dev.ID && o != nil && o.Removed == 0 && l.roster.Admin(d) && n <= dev.KemAt {
			return false
		}
	}
	return true
}

// unvouched reports whether a colleague's device has said a new key behind this desk's last word.
func (l *ledger) unvouched() bool {
	for _, d := range l.roster.Devices {
		if d.KemAt > l.vouched[l.dev.ID()] && d.Removed == 0 && d.ID != l.dev.ID() && d.KemAt > d.Since {
			return true
		}
	}
	return false
}

// speak appends one envelope to circle 0, only if nobody else was first, and reads it back. Conflict means: read again
// and decide again.
func (r meeting) speak(ctx context.Context, kind seal.EnvelopeKind, it seal.Item) error {
	return r.speakUnless(ctx, kind, it, func() bool { return false })
}

// errMoot is a statement that was not said, because the roster as it is read by now would refuse it: it would be an
// alarm on every device. It is a Conflict: what was decided is to be decided anew.
var errMoot = krama.E("replica.speak", krama.Conflict, "the list of devices has moved on")

// speakUnless is speak, but for what is moot by the roster at the place where it would stand. moot is called with the
// lock held.
func (r meeting) speakUnless(ctx context.Context, kind seal.EnvelopeKind, it seal.Item, moot func() bool) error {
	r.speaking.Lock()
	defer r.speaking.Unlock()
	if err := r.push(ctx, krama.OrgCircle, nothing); err != nil { // an author's envelopes go in her order
		return err
	}
	if err := r.hold(); err != nil {
		return err
	}
	if moot() {
		r.mu.Unlock()
		return errMoot
	}
	h := r.led.header(krama.OrgCircle, kind)
	wire, err := r.led.streams[krama.OrgCircle].epoch.Seal(r.Rand, r.led.dev, h, []seal.Item{it}, nil)
	if err == nil && r.led.copied() {
		err = errCopied
	}
	if err == nil {
		err = r.noteSaid(h.Seq, wire)
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	n := h.Head.N
	if _, err = r.streamCall(ctx, krama.OrgCircle, seal.PathAppend, seal.AppendCall{IfHead: &n,
		Envelopes: [][]byte{wire}}.Marshal()); err != nil {
		return err
	}
	return r.pull(ctx, krama.OrgCircle, StageRoster, func(Progress) {})
}
