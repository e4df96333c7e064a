package replica

import (
	"context"
	"errors"
	"strings"
	"time"

	"krama"
	"krama/seal"
)

// clockTrust is how far this device's clock may be from the relay's for it to measure a day.
const clockTrust = time.Hour

// ErrClock says that nothing was announced, because a day cannot be measured with these clocks.
var ErrClock = krama.E("replica.announce", krama.NotAllowed,
	"this device's clock and the relay's differ by more than an hour")

// clockAgrees reports whether a day can be measured here: this device's clock and the relay's are close.
func (r Admin) clockAgrees() bool { return r.ClockError().Abs() < clockTrust }

// announceSlack is for the moment between choosing a time and sealing the announcement.
// Readers count a day from the envelope's time, which is taken after the announcement's own was chosen
// (doc/format.md, 5).
const announceSlack = time.Minute

// proposeDeed has a statement come about in the way that the roster asks for: stated by say, as a draft to the other
// admins, or announced a day ahead.
func (r Admin) proposeDeed(ctx context.Context, deed seal.Deed, say func(context.Context, seal.Deed) error) (
	seal.Way, error) {
	if err := r.hold(); err != nil {
		return 0, err
	}
	// The roster is asked before anything is said: what it refuses is an alarm on every device.
	way, refused := r.led.roster.Way(deed, r.led.dev.ID()), r.led.roster.Refuses(deed, r.led.dev.ID())
	r.mu.Unlock()
	switch {
	case way == seal.BySecond:
		return way, r.Draft(ctx, deed)
	case way == seal.AfterDay && refused != nil: // it would be in a day
		return way, krama.E("replica.propose", krama.NotAllowed, "the roster would refuse it")
	case way == seal.AfterDay:
		return way, r.announce(ctx, deed)
	}
	return way, say(ctx, deed)
}

// propose is proposeDeed for what a person decides, unless the roster shows already what it would do.
func (r Admin) propose(ctx context.Context, what func() (needed bool, deed seal.Deed)) (seal.Way, error) {
	if err := r.readRoster(ctx, nothing); err != nil {
		return 0, err
	}
	if err := r.hold(); err != nil {
		return 0, err
	}
	needed, deed := what()
	r.mu.Unlock()
	if !needed {
		return seal.AtOnce, nil
	}
	return r.proposeDeed(ctx, deed, func(ctx context.Context, _ seal.Deed) error { return r.state(ctx, what) })
}

// announce says in the roster what this device will state in a day. What is announced already stays as it is. A
// programme of an earlier version says before its first announcement that it waits.
func (r Admin) announce(ctx context.Context, deed seal.Deed) error {
	if !r.clockAgrees() {
		return ErrClock
	}
	// The times are chosen when the statement is said and not before: each try may come minutes later.
	for _, try := range []func() (bool, seal.Deed){
		func() (bool, seal.Deed) { return !r.led.roster.Delay, &seal.DelaySet{} },
		func() (bool, seal.Deed) {
			after := r.Now().Add(seal.Delay + announceSlack)
			return r.led.roster.Announced(deed) == nil, &seal.Announce{After: uint64(after.UnixMilli()),
				What: &seal.Statement{Deed: deed}}
		},
	} {
		if err := r.state(ctx, try); err != nil {
			return err
		}
	}
	return nil
}

// announceGrants announces ahead what roles will open to a scanned device, so that it does not wait twice.
func (r Admin) announceGrants(ctx context.Context, id krama.DeviceID, roles krama.Role) error {
	r.mu.Lock()
	grants := r.openTo(id, roles)
	r.mu.Unlock()
	for _, g := range grants {
		r.mu.Lock()
		way := r.led.roster.Way(g, r.led.dev.ID())
		r.mu.Unlock()
		if way != seal.AfterDay {
			continue
		}
		if err := r.announce(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// Withdraw takes an announcement back. Any admin's device may.
func (r Admin) Withdraw(ctx context.Context, id [32]byte) error {
	if _, roles := r.Device(); roles&krama.RoleAdmin == 0 {
		return krama.E("replica.Withdraw", krama.NotAllowed, "an admin's device must")
	}
	return r.state(ctx, func() (bool, seal.Deed) {
		for _, a := range r.led.roster.Announcements() {
			if a.Deed == id {
				return true, &seal.Withdraw{Deed: id}
			}
		}
		return false, nil
	})
}

// owedKeys lists devices whose keys are owed since a statement was said.
var owedKeys = NewSetting(".owed", OfNobody)

// stateAnnounced says what this device announced and whose day has come, and gives the keys that it opens. It waits
// while the relay's clock tells another time: this one may have jumped. What is refused by now it withdraws; what a
// second admin can sign by now it drafts.
func (r Admin) stateAnnounced(ctx context.Context) error {
	errs := []error{r.grantOwed(ctx)} // of a time that was cut
	r.mu.Lock()
	var due []*seal.Announced
	for _, a := range r.led.roster.Announcements() {
		if a.Author == r.led.dev.ID() && uint64(r.Now().UnixMilli()) >= a.After {
			due = append(due, a)
		}
	}
	r.mu.Unlock()
	if !r.clockAgrees() {
		due = nil
	}
	for _, a := range due {
		errs = append(errs, r.stateAnnouncement(ctx, a))
	}
	return errors.Join(errs...)
}

// stateAnnouncement states what was announced once its day has come, or proposes it where a second admin is there by
// now.
func (r Admin) stateAnnouncement(ctx context.Context, a *seal.Announced) error {
	r.mu.Lock()
	deed := r.led.roster.Again(a)
	way, refused := r.led.roster.Way(deed, r.led.dev.ID()), r.led.roster.Refuses(deed, r.led.dev.ID())
	r.mu.Unlock()
	// The roster has gone on since. An announcement that cannot come true would stand on every screen for ever.
	switch {
	case refused != nil:
		return r.Withdraw(ctx, a.Deed)
	case way == seal.BySecond:
		if err := r.Draft(ctx, deed); err != nil {
			return err
		}
		return r.Withdraw(ctx, a.Deed)
	}
	// Written down first: a kill between the statement and the keys would leave a device in a circle without them.
	var owed []string
	for _, d := range r.opensTo(deed) {
		owed = append(owed, d.String())
	}
	if err := r.SetValue(owedKeys, strings.Join(owed, " ")); err != nil {
		return err
	}
	if err := r.state(ctx, func() (bool, seal.Deed) {
		return r.led.roster.Announced(a.What.Deed) != nil,
			r.led.roster.Again(a)
	}); err != nil {
		return err
	}
	return r.grantOwed(ctx)
}

// grantOwed gives the keys that a statement has opened to devices since; what is cut is owed until the next time.
func (r Admin) grantOwed(ctx context.Context) error {
	owed := strings.Fields(r.Value(owedKeys))
	if len(owed) == 0 {
		return nil
	}
	var devices []krama.DeviceID
	r.mu.Lock()
	for id := range r.led.roster.Devices {
		for _, o := range owed {
			if o == id.String() {
				devices = append(devices, id)
			}
		}
	}
	r.mu.Unlock()
	if err := r.grantAll(ctx, devices); err != nil {
		return err
	}
	return r.SetValue(owedKeys, "")
}

// state says a statement in circle 0 unless the roster shows already what it would do.
func (r meeting) state(ctx context.Context, what func() (needed bool, deed seal.Deed)) error {
	moot := 0
	for range 16 {
		if err := r.readRoster(ctx, nothing); err != nil {
			return err
		}
		if err := r.hold(); err != nil {
			return err
		}
		// Asked again at each try, with the lock held: what others said meanwhile may have done it, or made it another
		// deed.
		needed, deed := what()
		d := r.led.roster.Devices[r.led.dev.ID()]
		// The device itself keeps to the wait; the roster says it and does not enforce it.
		cooling := d != nil && d.Recovered && uint64(r.Now().UnixMilli()) < d.CoolOff
		r.mu.Unlock()
		if cooling {
			return krama.E("replica.state", krama.NotAllowed, "a recovered device waits until the others could say no")
		}
		if !needed {
			return nil
		}
		err := r.stateDeed(ctx, deed)
		if errors.Is(err, errMoot) {
			moot++
		}
		if err != nil && krama.KindOf(err) != krama.Conflict {
			return err
		}
		r.mu.Lock()
		// It was said and read back, and changed nothing.
		refused := len(r.led.roster.Log) > 0 && r.led.roster.Log[len(r.led.roster.Log)-1].Refused &&
			r.led.roster.Log[len(r.led.roster.Log)-1].Author == r.led.dev.ID()
		r.mu.Unlock()
		if refused || moot > 1 { // the first may have been overtaken
			return krama.E("replica.state", krama.NotAllowed,
				"the roster refused it: a second admin must sign, or it would leave nobody")
		}
	}
	return krama.E("replica.state", krama.Conflict, "others were first sixteen times")
}
