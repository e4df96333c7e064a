package replica

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"krama"
	"krama/seal"
)

// Removing devices and members, changing roles, and what follows from that.

// dropPeppers has the relay forget its part of every removed device's key, and take none again. Whether a device has
// one the roster does not say, so it is asked for all.
func (r Admin) dropPeppers(ctx context.Context) error {
	r.mu.Lock()
	var gone []krama.DeviceID
	for id, d := range r.led.roster.Devices {
		if d.Removed != 0 {
			gone = append(gone, id)
		}
	}
	n := strconv.Itoa(len(gone))
	done := r.led.values.of(droppedPeppers) == n
	r.mu.Unlock()
	if done || len(gone) == 0 {
		return nil
	}
	for some := range slices.Chunk(gone, seal.MaxPepperDrop) {
		err := r.controlCall(ctx, seal.PathPepperDrop, seal.PepperDropCall{Devices: some}.Marshal())
		if krama.KindOf(err) == krama.NotFound && err != nil {
			return nil // a relay of an earlier version keeps none
		}
		if err != nil {
			return err
		}
	}
	return r.SetValue(droppedPeppers, n)
}

// RemoveDevice ends a device's trust and opens new epochs of every circle it was in. Repeating it goes on where it
// stopped.
func (r Admin) RemoveDevice(ctx context.Context, d krama.DeviceID, why seal.Reason, progress func(done,
	total int)) error {
	_, err := r.remove(ctx, func() (bool, seal.Deed) {
		dev := r.led.roster.Devices[d]
		return dev != nil && dev.Removed == 0, &seal.DeviceRemove{Device: d, Reason: why}
	}, progress)
	return err
}

// RemoveMember ends a membership and the trust of all its devices. An admin's end is drafted or announced
// (Admin.propose).
func (r Admin) RemoveMember(ctx context.Context, m krama.MemberID, progress func(done, total int)) error {
	_, err := r.remove(ctx, func() (bool, seal.Deed) {
		mem := r.led.roster.Members[m]
		return mem != nil && !mem.Removed, &seal.MemberRemove{Member: m}
	}, progress)
	return err
}

// SetRoles gives a member other roles and opens new epochs of circles she left. Roles that two must sign are drafted or
// announced (Admin.propose).
func (r Admin) SetRoles(ctx context.Context, m krama.MemberID, roles krama.Role, progress func(done,
	total int)) error {
	way, err := r.remove(ctx, func() (bool, seal.Deed) {
		mem := r.led.roster.Members[m]
		return mem != nil && !mem.Removed && mem.Roles != roles, &seal.MemberRole{Member: m, Roles: roles}
	}, progress)
	if err != nil || way == seal.BySecond {
		return err
	}
	r.mu.Lock()
	devices := devicesOf(r.led.roster, m)
	r.mu.Unlock()
	for _, d := range devices {
		r.mu.Lock()
		scanned := r.led.roster.Devices[d].Verified == seal.ByScan
		r.mu.Unlock()
		switch {
		case way == seal.AtOnce:
			err = r.grant(ctx, d)
		case roles&krama.RoleAdmin == 0 && scanned: // a new admin will be the second who can sign for her circles
			err = r.announceGrants(ctx, d, roles)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// remove proposes that devices go, and once it is so has everything rotated that they could open, drops the relay's
// part of their vaults' keys, and draws the control key anew.
func (r Admin) remove(ctx context.Context, what func() (bool, seal.Deed), progress func(done, total int)) (
	seal.Way, error) {
	if progress == nil {
		progress = func(int, int) {}
	}
	way, err := r.propose(ctx, what)
	if err != nil || way != seal.AtOnce {
		return way, err
	}
	if err := r.tendControl(ctx); err != nil { // before anything else: an admin's device may be the one that goes
		return way, err
	}
	dropped := r.dropPeppers(ctx) // then it cannot be opened any more where the relay keeps a part of its key
	return way, errors.Join(dropped, r.rotateDue(ctx, true, progress))
}

// Travel empties this device before a journey: everything is sent and read back, the device is removed from the roster,
// and its vault is destroyed. With unsent work it refuses. It is enrolled anew on arrival.
func (r Admin) Travel(ctx context.Context) error {
	const op = "replica.Travel"
	if err := r.sync(ctx, nil); err != nil {
		return err
	}
	if r.Status().Unsent > 0 {
		return krama.E(op, krama.Conflict, "something is not sent yet")
	}
	me, _ := r.Device()
	// Removed before it is emptied: cut in between, it is a removed device, which empties itself at its next sync.
	if err := r.state(ctx, func() (bool, seal.Deed) {
		return r.led.roster.Devices[me].Removed == 0, &seal.DeviceRemove{Device: me, Reason: seal.ReasonTravel}
	}); err != nil {
		return err
	}
	err := r.leave(ctx)
	if err == errWiped {
		return nil
	}
	return err
}

// TrustDevice says that what proves a device to be copied is no reason to doubt it: an admin has looked at it. What was
// kept back is shown then, on every device.
func (r Admin) TrustDevice(ctx context.Context, d krama.DeviceID) error {
	if _, roles := r.Device(); roles&krama.RoleAdmin == 0 {
		return krama.E("replica.TrustDevice", krama.NotAllowed, "only an admin answers for a copied device")
	}
	return r.state(ctx, func() (bool, seal.Deed) {
		list := r.led.doubted()[d]
		list = list[:min(len(list), seal.MaxProofs)]
		return len(list) > 0, &seal.DeviceTrust{Device: d, Proofs: list}
	})
}
