package replica

import (
	"cmp"
	"context"
	"crypto/hpke"
	"errors"
	"time"

	"krama"
	"krama/journal"
	"krama/seal"
)

// UnseenAfter is how long a device may give no sign before a person is told to remove it. It is not
// removed by itself: times are what devices say, and a clock that is wrong by a year must not empty anybody's phone.
const UnseenAfter = 90 * 24 * time.Hour

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
// (Replica.bring).
func (r Admin) RemoveMember(ctx context.Context, m krama.MemberID, progress func(done, total int)) error {
	_, err := r.remove(ctx, func() (bool, seal.Deed) {
		mem := r.led.roster.Members[m]
		return mem != nil && !mem.Removed, &seal.MemberRemove{Member: m}
	}, progress)
	return err
}

// SetRoles gives a member other roles and opens new epochs of circles she left. Roles that two must sign are drafted or
// announced (Replica.bring).
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
	devices := r.led.devicesOf(m)
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
		needed, deed := what()
		d := r.led.roster.Devices[r.led.dev.ID()]
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

// leave is what a removed device does when it learns so: it hands its unsent work to the admins, destroys its vault,
// and says that it did. Without the relay it waits: what is typed is not lost.
func (r meeting) leave(ctx context.Context) error {
	const op = "replica.leave"
	if err := r.hold(); err != nil {
		return err
	}
	list, err := r.unsettled()
	for _, p := range r.led.outbox {
		list = append(list, work{p.circle, r.led.dev.ID(), p.item})
	}
	var late [][]byte
	if err == nil {
		late, err = r.lateLetters(list)
	}
	var gone []byte
	if org := r.led.streams[krama.OrgCircle]; err == nil && org != nil {
		gone, err = seal.SealHandover(r.Rand, org.epoch, org.epoch, r.led.dev, seal.LetterWiped, nil)
	}
	r.mu.Unlock()
	if err != nil {
		return krama.Wrap(op, err)
	}
	if err := r.handOver(ctx, late); err != nil {
		return krama.Wrap(op, err)
	}
	if err := Destroy(r.Dir); err != nil {
		return err
	}
	r.mu.Lock()
	r.wiped = true
	r.j.Close()
	r.mu.Unlock()
	if err := Wipe(r.Dir); err != nil {
		return err
	}
	r.handOver(ctx, [][]byte{gone}) // if it does not arrive, the office shows removed, never wiped
	r.Close()
	return errWiped
}

// errWiped ends the sync of a device that was removed.
var errWiped = krama.E("replica", krama.NotFound, "this device was removed and is empty")

// Wiped reports whether this replica has destroyed its vault.
func (r *Replica) Wiped() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.wiped }

// Destroy makes a device useless at once: one small overwrite of its vault, without which the rest is noise.
func Destroy(d journal.Dir) error {
	err := d.Remove(vaultFile)
	return hostError("replica.Destroy", cmp.Or(err, d.Remove(nextFile)))
}

// Wipe destroys a device: the vault first, which makes the rest noise, then the rest.
func Wipe(d journal.Dir) error {
	if err := Destroy(d); err != nil {
		return err
	}
	for _, f := range append([]string{keysFile, decoyFile, leaseFile, passkeyFile, fieldFile}, journalFiles()...) {
		d.Remove(f) // open files of this process go when it ends; sealed under a key that is gone
	}
	return nil
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

// rekeyEvery is how long a device keeps one KEM key.
const rekeyEvery = 30 * 24 * time.Hour

// rekey announces a new KEM key when the old one is 30 days old, or an erasure waits for it to be gone. The old one is
// destroyed once every epoch that was wrapped to it is open here.
func (r meeting) rekey(ctx context.Context) error {
	if err := r.hold(); err != nil {
		return err
	}
	me := r.led.roster.Devices[r.led.dev.ID()]
	if me == nil || me.Removed != 0 {
		r.mu.Unlock()
		return nil
	}
	urgent := false
	for _, s := range r.led.shreds {
		ring := r.led.roster.Circles[s.Circle]
		if int(s.Epoch)+1 < len(ring.Epochs) && ring.Epochs[s.Epoch+1].Opened > me.KemAt &&
			ring.Epochs[s.Epoch].Keyed[me.ID] {
			urgent = true
		}
	}
	pending := len(r.led.rekeys) > 0 && seal.KemHash(r.led.kems()[0].PublicKey().Bytes()) == seal.KemHash(
		r.led.dev.KEM.PublicKey().Bytes())
	if !pending && !urgent && (me.KemMS == 0 || r.Now().Sub(time.UnixMilli(int64(me.KemMS))) < rekeyEvery) {
		r.mu.Unlock()
		return nil
	}
	var k hpke.PrivateKey
	var err error
	if pending { // announced before a crash, perhaps in vain
		k = r.led.rekeys[len(r.led.rekeys)-1]
	} else {
		if k, err = seal.NewKEM(r.Rand); err == nil {
			var b []byte
			if b, err = k.Bytes(); err == nil {
				err = r.commit(tagged(tagRekey, b))
			}
		}
		if err == nil {
			r.led.rekeys = append(r.led.rekeys, k)
			r.led.untidy = true
		}
	}
	r.mu.Unlock()
	if err != nil {
		return krama.Wrap("replica.rekey", err)
	}
	if err := r.stateDeed(ctx, &seal.DeviceRekey{Device: r.led.dev.ID(), KemPub: k.PublicKey().Bytes()}); err != nil {
		return err
	}
	if err := r.readRoster(ctx, nothing); err != nil { // what was opened before our word is wrapped to the old key
		return err
	}
	return r.fetchKeys(ctx, nothing)
}

// rewrap is a wrap that a device asked for.
type rewrap struct {
	device krama.DeviceID
	circle krama.CircleID
	epoch  uint32
}

// askRewrap remembers that an epoch's wrap did not come; sendRewraps asks for it.
func (l *ledger) askRewrap(c krama.CircleID, epoch uint32) error {
	if c != krama.OrgCircle { // without circle 0's keys there is nowhere to ask
		l.rewraps[rewrap{l.dev.ID(), c, epoch}] = true
	}
	return nil
}

// rewrapAsked is the epoch of a circle whose wrap was asked for last: four bytes.
var rewrapAsked = NewSetting(".rewrap.", OfNobody)

// sendRewraps asks the colleagues for wraps that did not come, once for each epoch.
func (r meeting) sendRewraps(ctx context.Context) error {
	r.speaking.Lock()
	defer r.speaking.Unlock()
	r.mu.Lock()
	var items []seal.Item
	for w := range r.led.rewraps {
		key := rewrapAsked.Of(w.circle.String())
		mark := string(u32(w.epoch))
		if r.led.dev != nil && w.device == r.led.dev.ID() && r.led.values.of(key) != mark {
			if st := r.led.streams[w.circle]; st != nil && st.known[w.epoch] != nil {
				continue
			}
			r.led.values.put(key, mark)
			items = append(items, seal.Item{Kind: seal.KindRewrap, Body: append(w.circle[:], u32(w.epoch)...)})
		}
	}
	var err error
	if len(items) > 0 {
		err = r.sealOne(krama.OrgCircle, items)
	}
	r.mu.Unlock()
	if err != nil || len(items) == 0 {
		return err
	}
	return r.push(ctx, krama.OrgCircle, nothing)
}

// askedRewrap notes a colleague's request.
func (l *ledger) askedRewrap(e *entry, it *entryItem) {
	if len(it.Body) == 20 && l.dev != nil && e.author != l.dev.ID() && l.host.Office {
		l.rewraps[rewrap{e.author, krama.CircleID(it.Body), be32(it.Body[16:])}] = true
	}
}

// supplyRewraps gives wraps to devices that asked and that the roster keys. Nothing about a wrap needs to be trusted.
func (r Admin) supplyRewraps(ctx context.Context) error {
	r.mu.Lock()
	var puts []seal.BoxPut
	for w := range r.led.rewraps {
		st, e := r.led.streams[w.circle], r.led.roster.Latest(w.circle)
		if r.led.dev == nil || w.device == r.led.dev.ID() || st == nil || e == nil || !e.Keyed[w.device] ||
			st.known[e.Epoch] == nil || r.led.roster.Devices[w.device].Removed != 0 {
			continue
		}
		pub := r.led.roster.Devices[w.device].KemPub
		wrap, err := st.known[e.Epoch].Wrap(w.device, pub)
		if err != nil {
			r.mu.Unlock()
			return err
		}
		box := seal.Mailbox(w.device, seal.KemHash(pub))
		puts = append(puts, seal.BoxPut{Box: box, Item: seal.BoxItem(w.device, e.EC, wrap)})
		delete(r.led.rewraps, w)
	}
	r.mu.Unlock()
	return r.putWraps(ctx, puts)
}
