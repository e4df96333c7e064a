// Package replica is one device: its vault, what it has typed and not yet sent, what it has verified, and how it meets
// the relay. It believes nothing the relay says that a key or the roster does not prove.
package replica

import (
	"io"

	"krama"
	"krama/seal"
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

// Turn has the device speak with its relay over another way from now on: what was heard of the relay stays.
func (r *Replica) Turn(to Remote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remote = to
}
