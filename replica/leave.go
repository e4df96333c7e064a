package replica

import (
	"cmp"
	"context"
	"crypto/hpke"
	"time"

	"krama"
	"krama/journal"
	"krama/seal"
)

// UnseenAfter is how long a device may give no sign before a person is told to remove it. It is not
// removed by itself: times are what devices say, and a clock that is wrong by a year must not empty anybody's phone.
const UnseenAfter = 90 * 24 * time.Hour

// leave is what a removed device does when it learns so: it hands its unsent work to the admins, destroys its vault,
// and says that it did. Without the relay it waits: what is typed is not lost.
func (r meeting) leave(ctx context.Context) error {
	const op = "replica.leave"
	if err := r.hold(); err != nil {
		return err
	}
	// Also what it has sent into open epochs: their ends may leave it out, and nobody would be here to send it again.
	list, err := r.unsettled()
	for _, p := range r.led.outbox {
		list = append(list, work{p.circle, r.led.dev.ID(), p.item})
	}
	var late [][]byte
	if err == nil {
		late, err = r.lateLetters(list)
	}
	// Sealed while the keys are here. It is sent when they are gone.
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
	// The relay has shown the letters. Cut before this, the next sync does all of it again; cut after it, nothing
	// opens.
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

// rekeyEvery is how long a device keeps one KEM key.
const rekeyEvery = 30 * 24 * time.Hour

// rekey announces a new KEM key when the old one is 30 days old, or an erasure waits for it to be gone. The old one is
// destroyed once every epoch that was wrapped to it is open here.
func (r meeting) rekey(ctx context.Context) error {
	if err := r.hold(); err != nil {
		return err
	}
	id := r.led.dev.ID()
	me := r.led.roster.Devices[id]
	if me == nil || me.Removed != 0 {
		r.mu.Unlock()
		return nil
	}
	// An erasure is complete when no key is left that opens a wrap of her keyring (Erasures): it does not wait for the
	// month.
	urgent := false
	for _, s := range r.led.shreds {
		ring := r.led.roster.Circles[s.Circle]
		if int(s.Epoch)+1 < len(ring.Epochs) && ring.Epochs[s.Epoch+1].Opened > me.KemAt &&
			ring.Epochs[s.Epoch].Keyed[me.ID] {
			urgent = true
		}
	}
	// A key that is in the journal and not in the roster: its announcement did not arrive, or was cut off here.
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
				// Kept before it is announced: as soon as the roster shows it, colleagues wrap to it.
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
	if err := r.stateDeed(ctx, &seal.DeviceRekey{Device: id, KemPub: k.PublicKey().Bytes()}); err != nil {
		return err
	}
	if err := r.readRoster(ctx, nothing); err != nil { // what was opened before our word is wrapped to the old key
		return err
	}
	return r.fetchKeys(ctx, nothing)
}

// rewrapAsked is the epoch of a circle whose wrap was asked for last: four bytes.
var rewrapAsked = NewSetting(".rewrap.", OfNobody)

// sendRewraps asks the colleagues for wraps that did not come, once for each epoch.
func (r meeting) sendRewraps(ctx context.Context) error {
	r.speaking.Lock()
	defer r.speaking.Unlock()
	r.mu.Lock()
	var items []seal.Item
	asked := map[Setting]string{} // in memory only: a device that starts again asks again
	for w := range r.led.rewraps {
		key := rewrapAsked.Of(w.circle.String())
		mark := string(u32(w.epoch))
		if r.led.dev != nil && w.device == r.led.dev.ID() && r.led.values.of(key) != mark {
			if st := r.led.streams[w.circle]; st != nil && st.known[w.epoch] != nil {
				continue
			}
			asked[key] = mark
			items = append(items, seal.Item{Kind: seal.KindRewrap, Body: append(w.circle[:], u32(w.epoch)...)})
		}
	}
	var err error
	if len(items) > 0 {
		err = r.sealOne(krama.OrgCircle, items)
	}
	if err == nil {
		for key, mark := range asked {
			r.led.values.put(key, mark)
		}
	}
	r.mu.Unlock()
	if err != nil || len(items) == 0 {
		return err
	}
	return r.push(ctx, krama.OrgCircle, nothing)
}

// supplyRewraps gives wraps to devices that asked and that the roster keys. Nothing about a wrap needs to be trusted.
func (r Admin) supplyRewraps(ctx context.Context) error {
	r.mu.Lock()
	var puts []seal.BoxPut
	var given []rewrap
	for w := range r.led.rewraps {
		st, e := r.led.streams[w.circle], r.led.roster.Latest(w.circle)
		if r.led.dev == nil || w.device == r.led.dev.ID() || st == nil || e == nil || !e.Keyed[w.device] ||
			st.known[e.Epoch] == nil || r.led.roster.Devices[w.device].Removed != 0 {
			continue
		}
		// Whichever epoch was asked for, the newest is given: back links lead to the others.
		pub := r.led.roster.Devices[w.device].KemPub
		wrap, err := st.known[e.Epoch].Wrap(w.device, pub)
		if err != nil {
			r.mu.Unlock()
			return err
		}
		box := seal.Mailbox(w.device, seal.KemHash(pub))
		puts = append(puts, seal.BoxPut{Box: box, Item: seal.BoxItem(w.device, e.EC, wrap)})
		given = append(given, w)
	}
	r.mu.Unlock()
	if err := r.putWraps(ctx, puts); err != nil {
		return err // they are given the next time
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range given {
		delete(r.led.rewraps, w)
	}
	return nil
}
