// Package replica is one device: its vault, what it has typed and not yet sent, what it has verified, and how it meets
// the relay. It believes nothing the relay says that a key or the roster does not prove.
package replica

import (
	"errors"
	"io"
	"slices"
	"time"

	"krama"
	"krama/journal"
	"krama/seal"
)

// Event is one record that entered the replica, in the order of its stream or, when Local, just typed here. A record
// that was typed here comes once more, not Local, when it is confirmed.
//
// An event without a record says that a subject was erased: everything of hers is to be forgotten.
type Event struct {
	// TimeMS is what the author's clock said, in milliseconds, but never later than this device's clock when it came; 0
	// for what was typed here and is not confirmed.
	Circle  krama.CircleKind
	Subject krama.SubjectID
	Record  *krama.Record
	Author  krama.DeviceID
	TimeMS  uint64
	Local   bool
}

// Config is what a replica needs from its host.
type Config struct {
	// Nothing of it changes while the replica is open. Dir holds one device, whose files this process has alone.
	Dir      journal.Dir
	Rand     io.Reader
	Now      func() time.Time
	Dial     func(relayURL string) Remote
	Feed     func(Event) // called with the replica's lock held
	Reset    func()      // called before everything is fed again: what was fed is to be forgotten
	Platform string      // in the enrolment request: "phone", "desk"
	Office   bool        // writes the daily heartbeat
	Cost     seal.Cost   // of the vault; zero for the default, stepping down when memory is short
}

// Files of a device.
const (
	vaultFile = "vault"
	keysFile  = "keys"
)

// Replica is an unlocked device. It is safe for concurrent use.
type Replica struct{ core }

// newReplica is a device that has read nothing yet.
func newReplica(c Config) *Replica {
	// Until SetLock tells more, the vault was opened with words alone.
	r := &Replica{core{Config: c, lock: &Lock{dir: c.Dir}, line: &link{}}}
	r.forgetAll(newVoids())
	return r
}

// forgetAll begins with an empty ledger, and with nothing that rests on what the one before held. What was found not to
// count stays.
func (r *core) forgetAll(v *voids) {
	v.rewind()
	r.led = newLedger(&r.Config, v)
	// What rests on the ledger before goes with it: drawnAt and tried count its erasures, shut names its epochs.
	r.told, r.drawnAt, r.tried = map[subject]bool{}, map[krama.CircleID]int{}, map[krama.CircleID]int{}
	r.shut, r.dropBefore, r.frozen = map[krama.CircleID]uint32{}, nil, nil
}

// Create makes a new device with its own keys, locked by words. An existing vault is Conflict.
func Create(c Config, words string) (*Replica, error) {
	const op = "replica.Create"
	if has, err := HasVault(c.Dir); err != nil {
		return nil, err
	} else if has {
		return nil, krama.E(op, krama.Conflict, "this device has a vault already")
	}
	var vk [32]byte
	if _, err := io.ReadFull(c.Rand, vk[:]); err != nil {
		return nil, krama.Wrap(op, err)
	}
	var drop [32]byte
	if _, err := io.ReadFull(c.Rand, drop[:]); err != nil {
		return nil, krama.Wrap(op, err)
	}
	dev, err := seal.NewDevice(c.Rand, c.Platform)
	if err != nil {
		return nil, err
	}
	// Without a vault what lies here is of a device that was emptied, or of a Create that was cut: nothing opens it,
	// and none of it may be taken for this device's.
	for _, f := range append([]string{keysFile, nextFile, leaseFile, passkeyFile, fieldFile}, journalFiles()...) {
		if err := c.Dir.Remove(f); err != nil {
			return nil, hostError(op, err)
		}
	}
	r := newReplica(c)
	if err := r.newKeys(vk); err != nil {
		return nil, err
	}
	if err := r.openJournal(vk); err != nil {
		return nil, err
	}
	d, err := dev.Marshal()
	if err != nil {
		return nil, err
	}
	// The journal first: a vault without a journal would unlock nothing.
	if err := r.commit(tagged(tagDevice, d, drop[:])); err != nil {
		r.Close()
		return nil, err
	}
	if err := writeVault(c, words, vk); err != nil {
		r.Close()
		return nil, err
	}
	r.led.dev, r.led.drop = dev, drop[:]
	return r, nil
}

// Unlock opens the device with its words and loads everything into memory. Wrong words are CannotDecrypt; a vault or
// journal that was changed is Tampered; a device another process or tab holds is Conflict.
func Unlock(c Config, words string) (*Replica, error) {
	vk, err := OpenKey(c.Dir, words)
	if err != nil {
		return nil, err
	}
	return Load(c, vk)
}

// Load opens the journal with the vault's key: the fast half of Unlock.
func Load(c Config, vk [32]byte) (*Replica, error) {
	r := newReplica(c)
	if err := r.openJournal(vk); err != nil {
		r.Close()
		return nil, err
	}
	if r.led.dev == nil {
		r.Close()
		return nil, krama.E("replica.Unlock", krama.Tampered, "the device's keys are gone")
	}
	return r, nil
}

// openJournal opens the journal under its key and reads it. What was damaged is an alarm, and reading goes on behind
// it.
func (r *core) openJournal(vk [32]byte) error {
	const op = "replica.open"
	r.vk = vk
	gen, key, err := r.readKeys(vk)
	if err != nil {
		return err
	}
	r.gen = gen
	f, err := r.Dir.Open(journalName(gen))
	if err != nil {
		return hostError(op, err)
	}
	// Generation 0 is sealed under the vault's key itself (doc/format.md, 10). Where no slot could be read and there is
	// no such journal either, the key is lost: an empty file must not begin a device's journal anew.
	if n, err := f.Size(); gen == 0 && err == nil && n == 0 {
		f.Close()
		return krama.E(op, krama.Tampered, "the journal's key cannot be read")
	}
	if err := r.read(f, key); err != nil {
		f.Close()
		return hostError(op, err)
	}
	if r.led.relay != "" {
		r.dial(r.led.relay)
	}
	// Told once: each opening finds the damage again, and the alarm stands in the journal from the first on.
	if r.report.Damaged > 0 && !slices.ContainsFunc(r.led.alarms, func(a Alarm) bool {
		return a.What == AlarmDamaged
	}) {
		return r.raise(Alarm{What: AlarmDamaged})
	}
	if r.led.dev == nil {
		return nil // new, or not the journal that this device had: what lies beside it stays
	}
	return r.removeOldJournals()
}

// read folds the journal in f into the state. Where a signed close turns out to lie behind what was read and fed, it
// begins again and leaves out what is void.
func (r *core) read(f journal.File, key [32]byte) error {
	for {
		l := newLoader(r)
		j, rep, err := journal.Open(f, seal.Local{Key: key}, r.Rand, l.take)
		failed := l.finish()
		var again errCut
		if errors.As(failed, &again) {
			r.led.voids.take(again)
			r.forgetAll(r.led.voids)
			// The host has been fed what does not count: it forgets all of it, or what is fed next would stand beside
			// that.
			if r.Reset != nil {
				r.Reset()
			}
			continue
		}
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		if r.frozen != nil && r.frozen.bad {
			rep.Damaged++
		}
		r.j, r.file, r.report = j, f, rep
		break
	}
	r.led.whole()
	// The key fits, and the first entries are lost: whatever was written now would be nobody's.
	if r.report.Commits > 0 && r.led.dev == nil {
		r.j = nil
		return krama.E("replica.open", krama.Tampered, "the device's keys are gone")
	}
	// Last, because most of what was typed came confirmed while the journal was read (queue).
	for _, p := range r.led.outbox {
		if err := r.led.show(p.circle, p.item); err != nil {
			return err
		}
	}
	return nil
}

// reload reads the journal anew.
func (r *core) reload() error {
	_, key, err := r.readKeys(r.vk)
	if err != nil {
		return err
	}
	relay := r.led.relay
	r.forgetAll(r.led.voids)
	if r.Reset != nil {
		r.Reset()
	}
	if err = r.read(r.file, key); err != nil && r.j != nil {
		r.j.Close() // what is in memory is not the whole: nothing may be written from it
	}
	r.led.relay = relay
	return err
}

// Close locks the device: keys are forgotten as far as the language allows.
func (r *core) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil {
		return nil
	}
	err := r.j.Close()
	r.j, r.led.dev, r.led.rekeys, r.led.streams, r.led.keys, r.led.opening, r.vk, r.lock = nil, nil, nil, nil, nil, nil,
		[32]byte{}, nil
	r.frozen, r.led.early, r.led.waiting = nil, nil, nil
	return err
}
