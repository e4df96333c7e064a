package replica

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"krama"
	"krama/seal"
)

// Invitation is the office's half of an enrolment in progress. It lives in memory only.
// After a restart the new device is scanned again. made is this desk's clock when its code came up: CodeLife runs from
// there.
type Invitation struct {
	Request *seal.Request
	Drop    [16]byte
	Code    seal.Scan2
	made    time.Time
	proof   []byte // the new device's, seen in time; nil until then
	drafted bool   // a second admin has been asked to sign
	ByVoice bool   // digits were compared by voice: weaker than two scans, and written so in the roster
}

// Invite reads a new device's QR-1 and fetches its request. A relay that swapped the request is Tampered.
func (r Admin) Invite(ctx context.Context, text string) (*Invitation, error) {
	const op = "replica.Invite"
	s, err := seal.ParseScan1(text)
	if err != nil {
		return nil, err
	}
	if _, roles := r.Device(); roles&krama.RoleAdmin == 0 {
		return nil, krama.E(op, krama.NotAllowed, "only an admin enrols devices")
	}
	// The code will name the roster's head, and the new device refuses a roster that does not pass through it (Join).
	if err := r.readRoster(ctx, nothing); err != nil {
		return nil, err
	}
	items, err := r.dropGet(ctx, s.Drop)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, krama.E(op, krama.NotFound, "the new device has not reached the relay yet")
	}
	for _, it := range items {
		// The hash came from a screen, the bytes from the relay: no key is taken because the relay gave it.
		if seal.SHA256(it) != s.RequestHash {
			continue
		}
		req, err := seal.ParseRequest(it)
		if err != nil {
			return nil, err
		}
		inv := &Invitation{Request: req, Drop: s.Drop, made: r.Now()}
		r.mu.Lock()
		defer r.mu.Unlock()
		inv.Code = seal.Scan2{Org: r.led.roster.Org, Roster: r.led.roster.At(),
			AdminKey: seal.SHA256(r.led.dev.SigPub()),
			Relay:    r.led.relay}
		if _, err := io.ReadFull(r.Rand, inv.Code.Secret[:]); err != nil {
			return nil, krama.Wrap(op, err)
		}
		return inv, nil
	}
	return nil, krama.E(op, krama.Tampered, "what lies at the relay is not what was scanned")
}

// dropGet reads a drop, whose id a scanned code has told.
func (r Admin) dropGet(ctx context.Context, drop [16]byte) (items [][]byte, err error) {
	answer, err := r.controlAsk(ctx, seal.PathDropGet, seal.DropGetCall{Drop: drop}.Marshal())
	if err != nil {
		return nil, err
	}
	list, _, err := seal.ParseHeld(answer)
	if err != nil {
		return nil, krama.E("replica.dropGet", krama.Tampered, "the relay's answer is cut or garbled")
	}
	for _, h := range list {
		items = append(items, h.Body)
	}
	return items, nil
}

// ErrSecond says that a second admin must sign before an enrolment goes on.
var ErrSecond = krama.E("replica.Enrol", krama.NotAllowed, "a second admin must sign first")

// ErrDay says that an enrolment was announced and goes on by itself, from this desk, when its day has come.
var ErrDay = krama.E("replica.Enrol", krama.NotAllowed, "announced: it goes on a day later")

// Enrol finishes an invitation once the new device has proved that it scanned our code: it adds the member if she is
// new, the device, its grants for every circle its roles open and this device administers, and posts the keys. It
// returns false while the proof is not there. Repeating after a failure goes on where it stopped.
func (r Admin) Enrol(ctx context.Context, inv *Invitation, member krama.MemberID, roles krama.Role) (bool, error) {
	const op = "replica.Enrol"
	var items [][]byte
	if inv.proof == nil { // the drop may be gone while a second admin thinks about it
		var err error
		if items, err = r.dropGet(ctx, inv.Drop); err != nil {
			return false, err
		}
	}
	if ok, err := inv.answered(items, r.Now()); !ok || err != nil {
		return false, err
	}
	pop, id := inv.proof, inv.Request.ID()
	err := r.readRoster(ctx, nothing)
	if err != nil {
		return false, err
	}
	for range 8 { // another admin may be first at any of these: read again, do what is still missing
		err = r.enrolSteps(ctx, inv, member, roles, id, pop)
		if krama.KindOf(err) != krama.Conflict {
			break
		}
		if err := r.readRoster(ctx, nothing); err != nil {
			return false, err
		}
	}
	if errors.Is(err, ErrSecond) || errors.Is(err, ErrDay) {
		return false, err
	}
	return err == nil, krama.Wrap(op, err)
}

// enrolSteps are what makes a scanned device one of the programme's. Each looks whether it was done, so that an
// enrolment that was cut goes on where it was.
func (r Admin) enrolSteps(ctx context.Context, inv *Invitation, member krama.MemberID, roles krama.Role,
	id krama.DeviceID, pop []byte) error {
	r.mu.Lock()
	if d := r.led.roster.Devices[id]; d != nil { // an enrolment that was cut goes on
		member = d.Member
	}
	newMember, newDevice := r.led.roster.Members[member] == nil, r.led.roster.Devices[id] == nil
	r.mu.Unlock()
	ahead := false // the member waits for her day, and the device with her
	// The member first: the roster adds a device to one that it has.
	if newMember {
		way, err := r.proposeDeed(ctx, &seal.MemberAdd{Member: member, Roles: roles}, r.stateDeed)
		if err != nil {
			return err
		}
		if way == seal.BySecond {
			return ErrSecond
		}
		ahead = way == seal.AfterDay
	}
	// How the keys were compared is in the roster for ever: circles of safeguarding take scanned devices alone.
	verified := seal.ByScan
	if inv.ByVoice {
		verified = seal.ByVoice
	}
	if newDevice {
		add := &seal.DeviceAdd{Member: member, Device: inv.Request, Algorithm: 1, Verified: verified,
			Secret: inv.Code.Secret, Proof: pop}
		if inv.drafted {
			return ErrSecond
		}
		way, err := seal.AfterDay, error(nil)
		if ahead {
			err = r.announce(ctx, add)
		} else {
			way, err = r.proposeDeed(ctx, add, r.stateDeed)
		}
		switch {
		case err != nil:
			return err
		case way == seal.BySecond: // an admin's device: the other admin must sign, and this goes on when she has
			inv.drafted = true
			return ErrSecond
		case way == seal.AfterDay:
			if !ahead && !inv.ByVoice { // a new admin will be the second who can sign for her circles
				r.mu.Lock()
				roles = r.led.roster.Members[member].Roles
				r.mu.Unlock()
				err = r.announceGrants(ctx, id, roles)
			}
			return cmp.Or(err, ErrDay)
		}
	}
	r.mu.Lock()
	// What was said may have been refused where it stands; keys go to nobody whom the roster does not list.
	if r.led.roster.Devices[id] == nil || r.led.roster.Members[member] == nil {
		r.mu.Unlock()
		return krama.E("replica.Enrol", krama.NotAllowed, "the roster refused the device")
	}
	r.mu.Unlock()
	if err := r.grant(ctx, id); err != nil {
		return err
	}
	if err := r.tendControl(ctx); err != nil { // an admin's desk has nothing to do without it
		return err
	}
	return r.putBootstrap(ctx, id) // last: the new device begins when it finds this
}

// openTo lists the grants that a member's roles ask for, for a device of hers: of circles that this device administers
// and that one is not in. Called with the lock held.
func (r Admin) openTo(id krama.DeviceID, roles krama.Role) (out []*seal.EpochGrant) {
	for c, st := range r.led.streams {
		ring, latest := r.led.roster.Circles[c], r.led.roster.Latest(c)
		if latest == nil || st.known[latest.Epoch] == nil || latest.Keyed[id] || (c != krama.OrgCircle &&
			roles&ring.Readers == 0) {
			continue
		}
		out = append(out, &seal.EpochGrant{Circle: c, Epoch: latest.Epoch, Device: id})
	}
	return out
}

// grant keys a device for every circle that its member's roles open and this device administers, and gives it the keys.
// Where a second admin or a day must be waited for, the keys follow then.
func (r Admin) grant(ctx context.Context, id krama.DeviceID) error {
	r.mu.Lock()
	dev := r.led.roster.Devices[id]
	grants := r.openTo(id, r.led.roster.Members[dev.Member].Roles)
	r.mu.Unlock()
	for _, g := range grants {
		r.mu.Lock()
		refused := r.led.roster.Refuses(g, r.led.dev.ID()) // safeguarding's, to a device that nobody scanned
		r.mu.Unlock()
		if refused != nil {
			continue
		}
		if _, err := r.proposeDeed(ctx, g, r.stateDeed); err != nil {
			return err
		}
	}
	r.mu.Lock()
	// Wraps of every circle that the roster keys it for, and not only of those granted just now: an earlier try may
	// have been cut between the grant and the wrap.
	var give []*seal.Epoch
	for c, st := range r.led.streams {
		if e := r.led.roster.Latest(c); e != nil && e.Keyed[id] && st.known[e.Epoch] != nil {
			give = append(give, st.known[e.Epoch])
		}
	}
	r.mu.Unlock()
	var puts []seal.BoxPut
	for _, ep := range give {
		wrap, err := ep.Wrap(id, dev.KemPub)
		if err != nil {
			return err
		}
		box := seal.Mailbox(id, seal.KemHash(dev.KemPub))
		puts = append(puts, seal.BoxPut{Box: box, Item: seal.BoxItem(id, ep.EC(), wrap)})
	}
	return r.putWraps(ctx, puts)
}

// putBootstrap gives a device the way to the roster.
func (r Admin) putBootstrap(ctx context.Context, id krama.DeviceID) error {
	if err := r.hold(); err != nil {
		return err
	}
	boot, err := seal.SealBootstrap(r.led.roster.Org, id, r.led.roster.Devices[id].KemPub, r.bootstrap())
	box := seal.Mailbox(id, seal.KemHash(r.led.roster.Devices[id].KemPub))
	r.mu.Unlock()
	if err != nil {
		return err
	}
	return r.putBoxes(ctx, []seal.BoxPut{{Box: box, Item: boot}})
}

// bootstrap is the way to the roster for a device that has nothing: circle 0's secrets, all of them. Called with the
// lock held.
func (r Admin) bootstrap() seal.Bootstrap {
	st := r.led.streams[krama.OrgCircle]
	b := seal.Bootstrap{Epoch: st.epoch.Epoch, EC: st.epoch.EC(), GC: st.epoch.GC()}
	for e := range st.epoch.Epoch {
		b.History = append(b.History, st.known[e].ES)
	}
	return b
}
