package replica

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"io"
	"slices"
	"time"

	"krama"
	"krama/journal"
	"krama/seal"
)

// Lease is how long the pepper is kept on a device after the relay was heard: so long the device opens without network.
const Lease = 24 * time.Hour

// renewLease is how old a lease is before an open device has the relay renew it.
const renewLease = time.Hour

// Passkey names a passkey of the browser, what it is asked, and what it answers.
type Passkey struct {
	ID     []byte
	Ask    [32]byte
	Answer []byte // 32 bytes; only in memory
}

// maxPasskeyID is what WebAuthn allows.
const maxPasskeyID = 1023

// Locks is what a vault needs beside the words.
type Locks struct {
	Passkey *Passkey // nil for none
	Field   bool     // a pepper that the relay keeps
}

// Lock is a device whose words were given, right or wrong, and whose vault may need more. An open device keeps it, to
// write its vault anew and its lease longer.
type Lock struct {
	Locks
	dir   journal.Dir
	vault *seal.Vault
	with  seal.Factors // what opened it
}

// NewLock gives a device its words: the slow part of unlocking. Whether they are right shows when it is opened.
func NewLock(dir journal.Dir, words string) (*Lock, error) {
	b, err := readVault(dir)
	if err != nil {
		return nil, err
	}
	v, err := seal.ReadVault(b, words)
	if err != nil {
		return nil, err
	}
	d := &Lock{dir: dir, vault: v}
	d.Field = v.NeedsPepper()
	if v.NeedsPRF() {
		b, err := readFile(dir, passkeyFile, 33+maxPasskeyID)
		if err != nil {
			return nil, err
		}
		if len(b) < 34 || b[0] != 1 {
			return nil, krama.E("replica.NewLock", krama.Tampered, "the passkey's name is gone")
		}
		d.Passkey = &Passkey{ID: b[33:], Ask: [32]byte(b[1:33])}
	}
	return d, nil
}

// Open opens the vault with what is here: the passkey's answer if it needs one, and the lease. Without a lease that
// holds it is Offline: Ask is next.
func (d *Lock) Open(now time.Time, prf []byte) (vk [32]byte, err error) {
	if !d.Field {
		return d.open(seal.Factors{PRF: prf})
	}
	b, err := readLease(d.dir, now)
	if err != nil {
		return vk, err
	}
	// What does not open may be of other words. This does not say so: guesses are counted by the relay
	// (doc/format.md, 9).
	if b != nil {
		if pepper, err := d.vault.LeaseKey(prf).Open([32]byte(b[17:49]), b[49:], b[:17]); err == nil {
			return d.open(seal.Factors{PRF: prf, Pepper: pepper})
		}
	}
	return vk, krama.E("replica.Open", krama.Offline, "the relay must be asked")
}

// Ask opens a vault with the pepper that the relay keeps, and begins a lease. NotAllowed is CannotDecrypt here: the
// words or the passkey are wrong, or the device was removed, and nobody can tell which. A relay that gives something
// else than was given to it is Tampered.
func (d *Lock) Ask(ctx context.Context, c Config, relay string, prf []byte) (vk [32]byte, err error) {
	const op = "replica.Ask"
	b, err := readFile(d.dir, fieldFile, fieldSize)
	if err != nil {
		return vk, err
	}
	phone := &caller{link: &link{}, remote: c.Dial(relay), rand: c.Rand, now: c.Now}
	switch {
	case len(b) == 17 && b[0] == 1: // the programme is the one that has no name yet
	case len(b) == fieldSize && b[0] == 2:
		phone.programme = [16]byte(b[17:])
	default:
		return vk, krama.E(op, krama.Tampered, "the box's name is gone")
	}
	// Signed with a key from the words and the passkey: wrong ones are refused before anything is given.
	pepper, err := phone.call(ctx, d.vault.PepperKey(prf), seal.PathPepperGet, [16]byte(b[1:]), nil)
	switch {
	case err == nil:
	case krama.KindOf(err) == krama.NotAllowed:
		return vk, krama.E(op, krama.CannotDecrypt, "refused")
	case krama.KindOf(err) == krama.TooMany:
		return vk, err
	default: // whatever it is, it is not the relay that has the pepper
		return vk, krama.E(op, krama.Offline, "")
	}
	// A relay refuses other words than those the pepper was put with. What it gives and does not open the vault is not
	// what it was given.
	if len(pepper) == 32 {
		vk, err = d.open(seal.Factors{PRF: prf, Pepper: pepper})
	}
	if len(pepper) != 32 || krama.KindOf(err) == krama.CannotDecrypt {
		return vk, krama.E(op, krama.Tampered, "the relay gave another pepper than it was given")
	}
	if err == nil {
		err = d.lease(c.Rand, c.Now())
	}
	return vk, err
}

const fieldSize = 1 + 16 + 16

// writeField keeps where the relay's part lies: before the vault is open, nothing else can tell.
func writeField(dir journal.Dir, site [16]byte, me krama.DeviceID) error {
	box := seal.PepperBox(me)
	return writeFile(dir, fieldFile, slices.Concat([]byte{2}, box[:], site[:]))
}

// open opens the vault with what was given, and remembers that for a lease.
func (d *Lock) open(f seal.Factors) (vk [32]byte, err error) {
	if vk, err = d.vault.Open(f); err == nil {
		d.with = f
		if d.Passkey != nil {
			d.Passkey.Answer = f.PRF
		}
	}
	return vk, err
}

// pepper is what the relay keeps for the open lock.
func (d *Lock) pepper() seal.Pepper {
	return seal.Pepper{Access: d.vault.PepperKey(d.with.PRF).Public().(ed25519.PublicKey),
		Value: [32]byte(d.with.Pepper)}
}

// lease keeps the pepper here from now on, sealed under the words and the passkey. Its times are this device's own
// clock, and nothing the relay says changes them.
func (d *Lock) lease(rand io.Reader, now time.Time) error {
	var salt [32]byte
	if _, err := io.ReadFull(rand, salt[:]); err != nil {
		return krama.Wrap("replica.lease", err)
	}
	b := append([]byte{1}, u64(uint64(now.UnixMilli()))...)
	b = append(b, u64(uint64(now.Add(Lease).UnixMilli()))...)
	sealed := d.vault.LeaseKey(d.with.PRF).Seal(salt, d.with.Pepper, b)
	return writeFile(d.dir, leaseFile, slices.Concat(b, salt[:], sealed))
}

// readLease returns a lease that runs, or nil. One that has ended is destroyed by whoever looks, whatever words come;
// one from the future counts for nothing until its time comes.
func readLease(dir journal.Dir, now time.Time) ([]byte, error) {
	b, from, until, err := leaseTimes(dir)
	switch {
	case b == nil || err != nil || now.Before(from):
		return nil, err
	case !now.Before(until):
		return nil, EndLease(dir)
	}
	return b, nil
}

// leaseTimes reads from when and until when a vault may be opened without the relay. None is no error.
func leaseTimes(dir journal.Dir) (b []byte, from, until time.Time, err error) {
	const size = 1 + 8 + 8 + 32 + 32 + seal.SealOverhead
	b, err = readFile(dir, leaseFile, size)
	if err != nil || len(b) != size || b[0] != 1 {
		return nil, from, until, err
	}
	ms := func(b []byte) time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(b))) }
	return b, ms(b[1:]), ms(b[9:]), nil
}

// SweepLease destroys a lease that has ended.
func SweepLease(dir journal.Dir, now time.Time) error { _, err := readLease(dir, now); return err }

// EndLease destroys a lease before its time: the device opens again only when the relay is heard.
func EndLease(dir journal.Dir) error { return hostError("replica.EndLease", dir.Remove(leaseFile)) }
