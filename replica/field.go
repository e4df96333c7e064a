package replica

import (
	"context"
	"io"
	"slices"

	"krama"
	"krama/seal"
)

// SetLock tells the replica what its vault was opened with.
func (r Field) SetLock(d *Lock) { r.mu.Lock(); defer r.mu.Unlock(); r.lock = d }

// Locks tells what the device's vault needs beside the words.
func (r Field) Locks() Locks {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lock == nil {
		return Locks{}
	}
	return r.lock.Locks
}

// Relock writes the vault anew, with a fresh salt, to need what want says beside the words. Wrong words are
// CannotDecrypt. With a pepper before or after it needs the relay, except for turning it off. Where it is cut, the
// vault opens as before or as wanted: the relay keeps both peppers until the file is written.
func (r Field) Relock(ctx context.Context, words string, want Locks) error {
	const op = "replica.Relock"
	r.syncing.Lock() // nobody puts the pepper of before meanwhile
	defer r.syncing.Unlock()
	r.mu.Lock()
	old, vk := r.lock, r.vk
	r.mu.Unlock()
	if old == nil {
		return errLocked
	}
	p := want.Passkey
	if p != nil && (len(p.Answer) != 32 || len(p.ID) == 0 || len(p.ID) > maxPasskeyID) {
		return krama.E(op, krama.Invalid, "passkey")
	}
	if p != nil && old.Passkey != nil && p != old.Passkey {
		// a cut would leave one passkey's vault with the other's name
		return krama.E(op, krama.Conflict, "there is a passkey already")
	}
	// That the device is open proves nothing about who holds it: the words are tried on the vault that stands.
	now, err := NewLock(r.Dir, words)
	if err != nil {
		return err
	}
	if got, err := now.vault.Open(old.with); err != nil {
		return err
	} else if got != vk {
		return krama.E(op, krama.Tampered, "another vault")
	}

	fresh, err := seal.NewVault(r.Rand, words, r.cost())
	if err != nil {
		return err
	}
	next := &Lock{Locks: want, dir: r.Dir}
	if p != nil {
		next.with.PRF = p.Answer
	}
	if want.Field {
		next.with.Pepper = make([]byte, 32)
		if _, err := io.ReadFull(r.Rand, next.with.Pepper); err != nil {
			return krama.Wrap(op, err)
		}
	}
	next.vault = fresh.With(next.with)

	if want.Field {
		both := []seal.Pepper{next.pepper()}
		if old.Field {
			both = append(both, old.pepper())
		}
		if err := r.putPeppers(ctx, both...); err != nil {
			return err
		}
		me, _ := r.Device()
		if err := writeField(r.Dir, r.Site(), me); err != nil {
			return err
		}
	}
	// The name before the vault that needs it: cut the other way round, nothing would tell which passkey to ask.
	if p != nil && old.Passkey == nil {
		if err := writeFile(r.Dir, passkeyFile, slices.Concat([]byte{1}, p.Ask[:], p.ID)); err != nil {
			return err
		}
	}
	r.SetLock(nil) // until it is known which vault stands, neither pepper is put away
	if err := replaceVault(r.Dir, next.vault.Seal(next.with, vk)); err != nil {
		return err
	}
	r.SetLock(next)
	// It was sealed for the vault of before and opens nothing now (doc/format.md, 10).
	if err := EndLease(r.Dir); err != nil {
		return err
	}
	if p == nil {
		if err := r.Dir.Remove(passkeyFile); err != nil {
			return hostError(op, err)
		}
	}
	if want.Field || old.Field {
		r.tendField(ctx) // what does not succeed now, the next sync does
	}
	return nil
}

// tendField keeps the relay's part of this device's key where it belongs while the device is open: the pepper of the
// vault that stands, and that one only, also at a relay that was restored or changed; none when it was turned off. Each
// time the relay confirms it a new lease begins.
func (r Field) tendField(ctx context.Context) error {
	r.mu.Lock()
	d := r.lock
	r.mu.Unlock()
	if d == nil {
		return nil
	}
	// It was turned off. The file stays until the relay has forgotten the pepper: after a cut the next sync goes on.
	if !d.Field {
		if b, err := readFile(r.Dir, fieldFile, fieldSize); b == nil || err != nil {
			return err
		}
		if err := r.putPeppers(ctx); err != nil {
			return notOurs(err)
		}
		return hostError("replica.tendField", r.Dir.Remove(fieldFile))
	}
	now := r.Now()
	b, from, _, err := leaseTimes(r.Dir)
	if err != nil || b != nil && !now.Before(from) && now.Before(from.Add(renewLease)) {
		return err
	}
	me, _ := r.Device()
	if err := writeField(r.Dir, r.Site(), me); err != nil { // an earlier version's lacks the programme's name
		return err
	}
	err = r.putPeppers(ctx, d.pepper())
	r.mu.Lock()
	defer r.mu.Unlock()
	// Relock or Shut came meanwhile: no lease begins for a lock that is no more.
	if r.lock != d {
		return nil
	}
	if err == nil {
		return d.lease(r.Rand, now)
	}
	if krama.KindOf(err) == krama.NotAllowed { // this device's pepper was dropped: an admin removed it
		return EndLease(r.Dir)
	}
	return notOurs(err)
}

// notOurs forgives what a relay of an earlier version says: no device may stop meeting it for that.
func notOurs(err error) error {
	if krama.KindOf(err) == krama.Offline {
		return err
	}
	return nil
}

// putPeppers gives the relay its part of this device's vault key, in place of what it had.
func (r Field) putPeppers(ctx context.Context, p ...seal.Pepper) error {
	_, err := r.deviceCall(ctx, seal.PathPepperPut, seal.PepperPutCall{Peppers: p}.Marshal())
	return err
}

// Shut ends the lease at once: after it is locked, the device opens only when the relay is heard.
func (r Field) Shut() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lock = nil // a sync under way is to begin no new one
	return EndLease(r.Dir)
}

// droppedPeppers is for how many removed devices the relay has dropped its part.
var droppedPeppers = NewSetting(".peppers", OfNobody)
