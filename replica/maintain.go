package replica

import (
	"context"
	"errors"
	"slices"
	"time"

	"krama"
	"krama/seal"
)

// When an epoch is due to end.

// rotateEvery is how long an epoch lasts when nothing forces a new one.
const rotateEvery = 30 * 24 * time.Hour

// askedEvery is how often what people asked for opens a new epoch of a circle at most.
const askedEvery = 24 * time.Hour

// DueRotation is a circle whose next epoch should be opened, and why.
type DueRotation struct {
	Circle krama.CircleID
	Kind   krama.CircleKind
	Forced bool // somebody who should not can read it, or the trustees cannot
	Shred  bool // an erasure does not wait for the next month's
}

// rotateDue opens the next epoch of every circle that is due, or of those that are forced. One that fails does not stop
// the others. What is due is asked with the lock held: who waited for another's rotations does not repeat them.
func (r Admin) rotateDue(ctx context.Context, forced bool, progress func(done, total int)) error {
	r.rotating.Lock()
	defer r.rotating.Unlock()
	var errs []error
	due := r.Due()
	for i, c := range due {
		progress(i, len(due))
		if c.Forced || !forced {
			errs = append(errs, r.rotate(ctx, c.Circle, nil))
		}
	}
	progress(len(due), len(due))
	return errors.Join(errs...)
}

// Maintain does what a programme needs done by an office every day: what this desk announced and whose day has come,
// rotations that are due, the trustees' mailbox, the control key, removed devices' peppers, what of erased people the
// relay keeps, wraps that colleagues asked for. It is called after a sync, by an admin's device.
func (r Admin) Maintain(ctx context.Context) error {
	if _, roles := r.Device(); roles&krama.RoleAdmin == 0 || r.State() != Enrolled || r.stopped() ||
		!r.CoolingOff().IsZero() {
		return nil
	}
	errs := []error{r.stateAnnounced(ctx)} // first: it may make an admin, and rotations due
	// All that follows is signed with the control key: without it there is no use in going on.
	if err := r.tendControl(ctx); err != nil {
		return errors.Join(append(errs, err)...)
	}
	errs = append(errs, r.nameMembers(ctx), r.nameLine(ctx), r.rotateDue(ctx, false, func(int, int) {}))
	return errors.Join(append(errs, r.dropPeppers(ctx), r.dropBodies(ctx), r.keepRecovery(ctx), r.keepWays(ctx),
		r.supplyRewraps(ctx))...)
}

// shredDue reports whether an erasure of a circle's open epoch forces the next one: at once where the record endangers
// her, once a day where she asked for it. What was kept long enough goes with the next rotation in any case: one epoch
// a day for conversations that end would be an epoch a day for ever.
func (r Admin) shredDue(c krama.CircleID, e *seal.RosterEpoch) bool {
	since := r.Now().Sub(time.UnixMilli(int64(e.TimeMS)))
	in := func(epoch uint32, why ...ShredReason) bool {
		return slices.ContainsFunc(r.led.shreds, func(s Shred) bool {
			return s.Circle == c && s.Epoch == epoch && slices.Contains(why, s.Reason)
		})
	}
	lately := since >= 0 && since < askedEvery && e.Epoch > 0 && in(e.Epoch-1, ShredAsked)
	return in(e.Epoch, ShredDanger) || !lately && in(e.Epoch, ShredAsked)
}

// Due lists the circles to rotate that this device is in.
func (r Admin) Due() (out []DueRotation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.led.roster == nil {
		return nil
	}
	forced := map[krama.CircleID]bool{}
	for _, c := range r.led.roster.Due() {
		forced[c] = true
	}
	add := func(c krama.CircleID) {
		e := r.led.roster.Latest(c)
		if e == nil || r.led.streams[c] == nil {
			return
		}
		d := DueRotation{Circle: c, Kind: r.led.kinds[c], Forced: forced[c], Shred: r.shredDue(c, e)}
		// A rotation that was cut leaves a stream that takes nothing, and outboxes that wait: any admin finishes it.
		cut := r.led.opening[c] != nil || r.shut[c] == e.Epoch+1
		if d.Forced || d.Shred || cut || r.Now().Sub(time.UnixMilli(int64(e.TimeMS))) >= rotateEvery {
			out = append(out, d)
		}
	}
	add(krama.OrgCircle) // first: a removed device is not to read what follows
	for c := range r.led.streams {
		if c != krama.OrgCircle {
			add(c)
		}
	}
	return out
}
