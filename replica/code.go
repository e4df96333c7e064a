package replica

import (
	"crypto/ed25519"
	"io"
	"strconv"
	"time"

	"krama"
	"krama/seal"
)

// CodeLife is how long a code of an enrolment works: the one that a new device shows, and the one that the office
// shows. Who takes a picture of a screen has that long. Each side measures its own code by its own clock; only
// durations are compared, so a clock may be wrong by a year.
const CodeLife = 10 * time.Minute

// shownAt is when a new device first showed its code, in milliseconds, for a program that was started again
// meanwhile.
var shownAt = NewSetting(".shown", OfNobody)

// ErrLate says that the office's code was older than CodeLife before the new device's answer came: both begin again.
var ErrLate = krama.E("replica.Enrol", krama.NotAllowed, "the code is older than ten minutes")

// elapsed is the longer of what two clocks say: one that stops while a computer sleeps, and one that somebody may set.
func elapsed(now, then time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

// CodeLeft is how long the code that a new device shows still works.
func (r Newcomer) CodeLeft() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.codeLeft()
}

// codeLeft is CodeLeft with the lock held.
func (r Newcomer) codeLeft() time.Duration {
	then := r.shown
	if then.IsZero() {
		ms, err := strconv.ParseInt(r.led.values.of(shownAt), 10, 64)
		if err != nil {
			return CodeLife // not shown yet
		}
		then = time.UnixMilli(ms)
		if r.Now().Before(then) {
			return 0 // the clock was set back: nobody knows
		}
	}
	return CodeLife - elapsed(r.Now(), then)
}

// RenewCode has a new device show another code, under which the office finds the same request; the old one is empty at
// the relay once its time is over. An office that had scanned the old one is still answered.
func (r Newcomer) RenewCode() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.renewCode()
}

// renewCode is RenewCode with the lock held.
func (r Newcomer) renewCode() error {
	const op = "replica.RenewCode"
	if r.led.dev == nil || r.led.roster != nil {
		return krama.E(op, krama.NotAllowed, "only a device that waits to be enrolled shows a code")
	}
	drop := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(r.Rand, drop); err != nil {
		return krama.Wrap(op, err)
	}
	d, err := r.led.dev.Marshal()
	if err != nil {
		return err
	}
	now := r.Now()
	at := strconv.FormatInt(now.UnixMilli(), 10)
	// The device's entry is said again for its new drop: of several the last counts.
	if err := r.commit(tagged(tagDevice, d, drop), shownAt.entry(at)); err != nil {
		return err
	}
	r.dropBefore, r.led.drop, r.shown = r.led.drop, drop, now
	r.led.values.put(shownAt, at)
	return nil
}

// showCode notes when the code is shown first, and draws another when its time is over. Called with the lock held.
func (r Newcomer) showCode() error {
	if r.codeLeft() <= 0 {
		return r.renewCode()
	}
	if r.shown.IsZero() && r.led.values.of(shownAt) == "" {
		now := r.Now()
		if err := r.set(shownAt, strconv.FormatInt(now.UnixMilli(), 10)); err != nil {
			return err
		}
		r.shown = now
	}
	return nil
}

// Left is how long the office's code still works; below zero when an answer in time was seen, since nothing hangs on it
// any more.
func (inv *Invitation) Left(now time.Time) time.Duration {
	if inv.proof != nil {
		return -1
	}
	return max(0, CodeLife-elapsed(now, inv.made))
}

// answered looks for the new device's proof among what lies in its drop, and keeps it: it counts when it was seen in
// time, however long a second admin or a day takes then.
func (inv *Invitation) answered(items [][]byte, now time.Time) (bool, error) {
	switch {
	case inv.proof != nil:
		return true, nil
	case inv.Left(now) == 0:
		return false, ErrLate
	}
	// The drop's name was on a screen. What lies there counts if the scanned device has signed our secret with it
	// (doc/format.md, 5).
	for _, it := range items {
		if len(it) == 32+ed25519.SignatureSize && [32]byte(it[:32]) == inv.Code.Secret &&
			seal.CheckProof(inv.Code.Org, inv.Request, inv.Code.Secret, it[32:]) {
			inv.proof = it[32:]
		}
	}
	return inv.proof != nil, nil
}
