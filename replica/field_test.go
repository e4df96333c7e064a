package replica

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"testing"
	"time"

	"krama"
	"krama/journal"
	"krama/relay"
	"krama/seal"
)

// enter locks a phone and opens it again as its page does: with what is here, and if that does not do, with the relay.
func (w *world) enter(d *device, words string, prf []byte) error {
	w.t.Helper()
	d.dir.Crash()
	d.events = nil
	lock, err := NewLock(d.dir, words)
	if err != nil {
		return err
	}
	vk, err := lock.Open(w.now, prf)
	if krama.KindOf(err) == krama.Offline {
		vk, err = lock.Ask(context.Background(), d.cfg, "relay", prf)
	}
	if err != nil {
		return err
	}
	r, err := Load(d.cfg, vk)
	if err != nil {
		return err
	}
	r.Field().SetLock(lock)
	d.Replica = r
	return nil
}

func (w *world) opens(what string, d *device, prf []byte) {
	w.t.Helper()
	if err := w.enter(d, words, prf); err != nil {
		w.t.Errorf("%s: %v", what, err)
	}
}

func (w *world) shut(what string, d *device, words string, prf []byte, want krama.Kind) {
	w.t.Helper()
	if err := w.enter(d, words, prf); err == nil || krama.KindOf(err) != want {
		w.t.Errorf("%s: got %v want %v", what, err, want)
	}
}

// offline cuts a device from its relay, or gives it back.
func (d *device) offline(cut bool) {
	d.wire.gate = nil
	if cut {
		d.wire.gate = func(string) error { return krama.E("test", krama.Offline, "") }
	}
}

// field turns field mode on.
func (w *world) field(d *device) *device {
	w.t.Helper()
	l := d.Field().Locks()
	l.Field = true
	w.must(d.Field().Relock(context.Background(), words, l))
	return d
}

func passkey(b byte) *Passkey {
	return &Passkey{ID: []byte{b, 1, 2}, Ask: [32]byte{b}, Answer: bytes.Repeat([]byte{b}, 32)}
}

// TestLease: within a day the phone opens without the relay, after it only with the relay, and nobody's clock makes it
// open longer: one that is a year ahead or behind closes it and destroys nothing but the lease.
func TestLease(t *testing.T) {
	w := newSmallWorld(t)
	a := w.field(w.phone())
	w.contact(a, w.person(a))
	a.offline(true)
	w.opens("at once, without network", a, nil)
	w.now = w.now.Add(Lease - time.Second)
	w.opens("a second before the lease ends", a, nil)
	now := w.now
	w.now = now.Add(-365 * 24 * time.Hour)
	w.shut("a year behind, without network", a, words, nil, krama.Offline)
	w.now = now
	w.opens("the clock is right again", a, nil)
	w.now = now.Add(time.Second)
	w.shut("the lease has ended", a, words, nil, krama.Offline)
	w.now = now
	w.shut("and is set back", a, words, nil, krama.Offline)

	a.offline(false)
	w.opens("with network", a, nil)
	if a.shown() != 2 {
		t.Errorf("%d records", a.shown())
	}
	for _, off := range []time.Duration{365 * 24 * time.Hour, -365 * 24 * time.Hour} { // the phone alone is wrong
		a.cfg.Now = func() time.Time { return w.now.Add(off) }
		here := func(what string, ok bool) {
			t.Helper()
			lock, err := NewLock(a.dir, words)
			w.must(err)
			if _, err := lock.Open(a.cfg.Now(), nil); (err == nil) != ok {
				t.Errorf("%s, clock off by %v: %v", what, off, err)
			}
		}
		here("the lease of another time", false)
		lock, err := NewLock(a.dir, words)
		w.must(err)
		if _, err := lock.Ask(t.Context(), a.cfg, "relay", nil); err != nil {
			t.Errorf("clock off by %v: the relay is there and it stays shut: %v", off, err)
		}
		here("a lease of its own time", true)
		w.now = w.now.Add(Lease)
		here("a day later", false)
	}
}

// TestLeaseRenewed: a phone that is open and meets the relay has a day from then on; and what looks at the gate
// destroys an ended lease without any words.
func TestLeaseRenewed(t *testing.T) {
	w := newSmallWorld(t)
	a := w.field(w.phone())
	w.now = w.now.Add(23 * time.Hour)
	w.sync(a)
	a.offline(true)
	w.now = w.now.Add(23 * time.Hour)
	w.opens("23 hours after the last sync", a, nil)
	copied := bytes.Clone(a.dir.File(leaseFile).Data)
	w.must(SweepLease(a.dir, w.now))
	if a.dir.File(leaseFile) == nil {
		t.Error("a lease that runs was destroyed")
	}
	w.must(SweepLease(a.dir, w.now.Add(Lease)))
	if a.dir.File(leaseFile) != nil {
		t.Error("an ended lease is still there")
	}
	for i := range 17 { // a copy whose times were moved opens nothing
		c := bytes.Clone(copied)
		c[i] ^= 1
		w.must(writeFile(a.dir, leaseFile, c))
		if err := w.enter(a, words, nil); err == nil {
			t.Errorf("byte %d of the lease was changed and it opened", i)
		}
	}
}

// TestShut: a lease ended by hand, before a checkpoint, leaves nothing that opens the phone without the relay.
func TestShut(t *testing.T) {
	w := newSmallWorld(t)
	a := w.field(w.phone())
	w.must(a.Field().Shut())
	w.sync(a) // one that was under way
	a.offline(true)
	w.shut("after the lease was ended", a, words, nil, krama.Offline)
	a.offline(false)
	w.opens("with network", a, nil)
	w.must(a.Admin().Travel(t.Context()))
	if has, _ := HasVault(a.dir); has {
		t.Error("emptied for a journey, and the vault is there")
	}
}

// TestFieldRelayLies: whatever a relay says, the phone opens with its pepper or not at all, says what is the matter,
// and keeps everything for the day when the relay is honest.
func TestFieldRelayLies(t *testing.T) {
	w := newSmallWorld(t)
	a := w.field(w.phone())
	w.must(EndLease(a.dir))
	answer := func(b []byte, err error) {
		a.wire.twist = func(path string, _, answer []byte, e error) ([]byte, error) {
			if path != seal.PathPepperGet {
				return answer, e
			}
			return b, err
		}
	}
	for _, tc := range []struct {
		what string
		b    []byte
		kind krama.Kind
		want krama.Kind
	}{
		{"another pepper", make([]byte, 32), 0, krama.Tampered},
		{"a short one", make([]byte, 31), 0, krama.Tampered},
		{"nothing", nil, 0, krama.Tampered},
		{"malformed", nil, krama.Invalid, krama.Offline},
		{"no such path", nil, krama.NotFound, krama.Offline},
		{"no room", nil, krama.Full, krama.Offline},
		{"too many", nil, krama.TooMany, krama.TooMany},
		{"refused", nil, krama.NotAllowed, krama.CannotDecrypt},
		{"gone", nil, krama.Offline, krama.Offline},
	} {
		var err error
		if tc.b == nil && tc.kind != 0 {
			err = krama.E("test", tc.kind, "")
		}
		answer(tc.b, err)
		w.now = w.now.Add(time.Minute) // within the relay's rate
		w.shut(tc.what, a, words, nil, tc.want)
		if a.dir.File(leaseFile) != nil {
			t.Errorf("%s: a lease was begun", tc.what)
		}
	}
	a.wire.twist = nil
	w.now = w.now.Add(time.Minute)
	w.shut("wrong words", a, "stone river lamp eight", nil, krama.CannotDecrypt)
	w.opens("an honest relay", a, nil)
	w.shut("wrong words, within the lease", a, "stone river lamp eight", nil, krama.CannotDecrypt)
	a.offline(true)
	w.shut("wrong words, without network", a, "stone river lamp eight", nil, krama.Offline)
	w.opens("the lease", a, nil)
}

// TestFieldRemoved: the removal of a phone ends its opening, though the words are known, as soon as the lease has
// ended; and a phone that opens within its lease learns of it and empties itself.
func TestFieldRemoved(t *testing.T) {
	w := newSmallWorld(t)
	a, b, c := w.field(w.phone()), w.field(w.phone()), w.field(w.phone())
	w.sync(w.desk)
	aID, _ := a.Device()
	w.must(w.desk.Admin().RemoveDevice(t.Context(), aID, seal.ReasonTaken, nil))
	a.offline(true)
	w.opens("without network, within the lease", a, nil)
	w.now = w.now.Add(Lease)
	w.shut("without network, after the lease", a, words, nil, krama.Offline)
	a.offline(false)
	w.shut("with network", a, words, nil, krama.CannotDecrypt)
	w.opens("a colleague", b, nil)

	// The relay does not take the removal's last step: the office goes on until it does.
	bID, _ := b.Device()
	w.desk.wire.gate = func(path string) error {
		if path == seal.PathPepperDrop {
			return krama.E("test", krama.Offline, "")
		}
		return nil
	}
	if err := w.desk.Admin().RemoveDevice(t.Context(), bID, seal.ReasonLost, nil); krama.KindOf(err) != krama.Offline {
		t.Errorf("the removal says that all is done: %v", err)
	}
	if len(w.desk.Admin().Due()) != 0 {
		t.Error("the circles' keys were not changed")
	}
	w.must(EndLease(b.dir))
	w.opens("not dropped yet", b, nil)
	w.desk.wire.gate = nil
	w.must(w.desk.Admin().Maintain(t.Context()))
	w.must(EndLease(b.dir))
	w.shut("dropped by the daily work", b, words, nil, krama.CannotDecrypt)
	n := 0
	w.desk.wire.gate = func(path string) error {
		if path == seal.PathPepperDrop {
			n++
		}
		return nil
	}
	w.must(w.desk.Admin().Maintain(t.Context()))
	if n != 0 {
		t.Error("dropped again though it is done")
	}

	// A relay that comes back from a backup has the peppers again until it is repaired.
	box := seal.PepperBox(aID)
	w.setBox(relay.Peppers, box)
	w.must(w.desk.Admin().Repair(t.Context(), nil))
	w.must(w.desk.Admin().Maintain(t.Context()))
	if items := w.box(relay.Peppers, box); len(items) != 1 || len(items[0]) != 1 {
		t.Errorf("after the repair: %q", items)
	}

	cID, _ := c.Device()
	w.opens("a third", c, nil)
	w.must(w.desk.Admin().RemoveDevice(t.Context(), cID, seal.ReasonLeft, nil))
	w.opens("a third, within the lease", c, nil)
	c.Sync(t.Context(), nil)
	if has, _ := HasVault(c.dir); has || !c.Wiped() {
		t.Error("a removed phone that met the relay is not empty")
	}
	for _, f := range []string{leaseFile, fieldFile, passkeyFile, nextFile} {
		if c.dir.File(f) != nil {
			t.Errorf("%s is left", f)
		}
	}
}

// TestFieldHeals: a relay that lost the pepper, or has an old one beside it, has the right one and no other after the
// open phone's next renewal.
func TestFieldHeals(t *testing.T) {
	w := newSmallWorld(t)
	a := w.field(w.phone())
	id, _ := a.Device()
	for _, lies := range [][][]byte{nil, {seal.Pepper{Access: a.led.dev.SigPub()}.Marshal(),
		a.lock.pepper().Marshal()}} {
		w.setBox(relay.Peppers, seal.PepperBox(id), lies...)
		w.now = w.now.Add(renewLease)
		w.sync(a)
		items := w.box(relay.Peppers, seal.PepperBox(id))
		if len(items) != 1 || !bytes.Equal(items[0], a.lock.pepper().Marshal()) {
			t.Fatalf("the relay keeps %x", items)
		}
	}
	// Turned off without network, it opens by words; the relay forgets its part at the next sync.
	a.offline(true)
	w.must(a.Field().Relock(t.Context(), words, Locks{}))
	w.opens("turned off", a, nil)
	a.offline(false)
	w.sync(a)
	if items := w.box(relay.Peppers, seal.PepperBox(id)); len(items) != 0 || a.dir.File(fieldFile) != nil {
		t.Errorf("turned off, and the relay keeps %x", items)
	}
	// A relay of an earlier version stops nobody.
	w.field(a)
	w.now = w.now.Add(renewLease)
	a.wire.gate = func(path string) error {
		if path == seal.PathPepperPut {
			return krama.E("test", krama.NotFound, "")
		}
		return nil
	}
	w.sync(a)
}

// TestPasskey: the words alone open no vault that needs a passkey, another answer does not either, and it can be turned
// off with words and passkey only.
func TestPasskey(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	p := passkey(7)
	w.must(a.Field().Relock(t.Context(), words, Locks{Passkey: p}))
	w.shut("the words alone", a, words, nil, krama.CannotDecrypt)
	w.shut("another answer", a, words, passkey(8).Answer, krama.CannotDecrypt)
	w.shut("wrong words", a, "stone river lamp eight", p.Answer, krama.CannotDecrypt)
	if _, err := OpenKey(a.dir, words); krama.KindOf(err) != krama.CannotDecrypt {
		t.Errorf("the desk's way: %v", err)
	}
	lock, err := NewLock(a.dir, words)
	w.must(err)
	if lock.Passkey == nil || !bytes.Equal(lock.Passkey.ID, p.ID) || lock.Passkey.Ask != p.Ask ||
		lock.Passkey.Answer != nil {
		t.Errorf("the gate asks for %+v", lock.Passkey)
	}
	w.opens("words and passkey", a, p.Answer)
	if err := a.Field().Relock(t.Context(), words, Locks{Passkey: passkey(9)}); krama.KindOf(err) != krama.Conflict {
		t.Errorf("another passkey over the first: %v", err)
	}
	w.field(a)
	if l := a.Field().Locks(); l.Passkey == nil || !l.Field {
		t.Errorf("locks %+v", l)
	}
	a.offline(true)
	w.opens("both, within the lease", a, p.Answer)
	w.shut("the lease without the passkey", a, words, nil, krama.Offline)
	a.offline(false)
	w.must(EndLease(a.dir))
	w.shut("the relay without the passkey", a, words, nil, krama.CannotDecrypt)
	w.opens("both", a, p.Answer)
	if err := a.Field().Relock(t.Context(), "stone river lamp eight", Locks{}); krama.KindOf(
		err) != krama.CannotDecrypt {
		t.Errorf("turned off with wrong words: %v", err)
	}
	w.must(a.Field().Relock(t.Context(), words, Locks{}))
	w.opens("turned off", a, nil)
	if a.dir.File(passkeyFile) != nil || a.Field().Locks() != (Locks{}) {
		t.Error("the passkey's name is left")
	}
	w.sync(a, w.desk)
}

// TestRelockCutAnywhere cuts every change of locks at every write of a file and at every call, before and after it took
// effect. The phone then opens, as before or as wanted, and keeps what was typed.
func TestRelockCutAnywhere(t *testing.T) {
	p := passkey(7)
	for name, step := range map[string]struct{ from, to Locks }{
		"field on": {Locks{}, Locks{Field: true}}, "field anew": {Locks{Field: true}, Locks{Field: true}},
		"passkey on": {Locks{}, Locks{Passkey: p}}, "passkey on in field": {Locks{Field: true}, Locks{p, true}},
		"both off": {Locks{p, true}, Locks{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSmallWorld(t)
			a := w.phone()
			w.contact(a, w.person(a))
			first, stride := 0, 1
			if os.Getenv("KRAMA_ALL") == "" { // every fifth, from anywhere
				first, stride = mrand.IntN(5), 5
			}
			for cut := first; ; cut += stride {
				if cut > 60 {
					t.Fatal("it never ends")
				}
				w.now = w.now.Add(time.Hour) // within the relay's rate
				if is := a.Field().Locks(); is.Field != step.from.Field ||
					(is.Passkey == nil) != (step.from.Passkey == nil) {
					if is.Passkey != nil {
						w.must(a.Field().Relock(t.Context(), words, Locks{}))
					}
					w.must(a.Field().Relock(t.Context(), words, step.from))
				}
				n, after := 0, cut%2 == 1
				hit := func() bool { n++; return n == cut/2+1 }
				a.dir.Fault = func(op string, size int) error {
					if hit() {
						return journal.ErrFull
					}
					return nil
				}
				a.wire.twist = func(path string, _, answer []byte, err error) ([]byte, error) {
					if after && hit() {
						return nil, krama.E("test", krama.Offline, "")
					}
					return answer, err
				}
				if !after {
					a.wire.gate = func(string) error {
						if hit() {
							return krama.E("test", krama.Offline, "")
						}
						return nil
					}
				}
				err := a.Field().Relock(t.Context(), words, step.to)
				done := n < cut/2+1
				a.dir.Fault, a.wire.twist, a.wire.gate = nil, nil, nil
				if done && err != nil {
					t.Fatalf("not cut: %v", err)
				}
				if cut%3 == 0 { // the program goes on, or ends at once
					w.sync(a)
				}
				w.must(EndLease(a.dir)) // or it would open with what the lease holds
				if w.enter(a, words, nil) != nil && w.enter(a, words, p.Answer) != nil {
					w.opens(fmt.Sprintf("cut at %d", cut), a, nil)
					w.opens(fmt.Sprintf("cut at %d, with the passkey", cut), a, p.Answer)
					t.FailNow()
				}
				if a.shown() != 2 {
					t.Fatalf("cut at %d: %d records", cut, a.shown())
				}
				w.sync(a)
				if done && after {
					return
				}
			}
		})
	}
}

// TestTornVault: a vault that was half overwritten when the phone died is made whole by what lies beside it; and a
// vault that was destroyed does not come back from there.
func TestTornVault(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	lock, err := NewLock(a.dir, words)
	w.must(err)
	vk, err := lock.Open(w.now, nil)
	w.must(err)
	next, err := seal.SealVault(rand.Reader, words, seal.Factors{}, seal.CostFloor, vk)
	w.must(err)
	h := seal.SHA256(next)
	for cut := range seal.VaultSize {
		w.must(writeFile(a.dir, nextFile, append(bytes.Clone(next), h[:]...)))
		copy(a.dir.File(vaultFile).Data, next[:cut])
		if cut%30 == 0 {
			w.opens("half overwritten", a, nil)
		} else {
			w.must(finishVault(a.dir))
		}
		if !bytes.Equal(a.dir.File(vaultFile).Data, next) || a.dir.File(nextFile) != nil {
			t.Fatalf("cut at %d: not made whole", cut)
		}
	}
	w.must(writeFile(a.dir, nextFile, make([]byte, seal.VaultSize+31))) // half written itself
	w.opens("the vault of before", a, nil)
	// of its whole length
	w.must(writeFile(a.dir, nextFile, append(bytes.Clone(next[:seal.VaultSize/2]),
		make([]byte, seal.VaultSize/2+32)...)))
	w.opens("the vault of before, beside one that is half zeros", a, nil)
	w.must(writeFile(a.dir, nextFile, append(bytes.Clone(next), h[:]...)))
	w.must(a.dir.Remove(vaultFile)) // destroyed, and cut
	w.shut("destroyed", a, words, nil, krama.NotFound)
	w.must(Destroy(a.dir))
	if a.dir.File(nextFile) != nil {
		t.Error("a copy of the vault outlives it")
	}
}
