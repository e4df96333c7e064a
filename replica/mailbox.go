package replica

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hpke"
	"slices"

	"krama/seal"
)

// kems returns the device's KEM keys, the one the roster shows first.
func (l *ledger) kems() []hpke.PrivateKey {
	out := append([]hpke.PrivateKey{l.dev.KEM}, l.rekeys...)
	if d := l.roster; d != nil && d.Devices[l.dev.ID()] != nil {
		pub := d.Devices[l.dev.ID()].KemPub
		slices.SortStableFunc(out, func(a, b hpke.PrivateKey) int {
			return cmp.Compare(bool2int(!bytes.Equal(a.PublicKey().Bytes(), pub)),
				bool2int(!bytes.Equal(b.PublicKey().Bytes(), pub)))
		})
	}
	return out
}

// withKems gives this device with each of its KEM keys in turn, the one the roster shows first: what was sealed to it
// lately may have been sealed to an older one.
func (l *ledger) withKems(yield func(*seal.Device) bool) {
	for _, k := range l.kems() {
		d := *l.dev
		d.KEM = k
		if !yield(&d) {
			return
		}
	}
}

// bool2int is 1 for true.
func bool2int(b bool) int {
	if b {
		return 1
	}
	return 0
}

// mailbox reads what lies for this device at the relay.
func (r meeting) mailbox(ctx context.Context) (items [][]byte, err error) {
	r.mu.Lock()
	d := r.led.dev
	if d == nil {
		r.mu.Unlock()
		return nil, errLocked
	}
	kems := r.led.kems()
	r.mu.Unlock()
	for _, k := range kems {
		kem := seal.KemHash(k.PublicKey().Bytes())
		list, err := held(func(after seal.After) ([]byte, error) {
			return r.call(ctx, d.Sig, seal.PathBoxGet, [16]byte(d.ID()),
				seal.BoxGetCall{Pub: d.SigPub(), Nonce: d.Nonce, Kem: kem, After: after}.Marshal())
		})
		if err != nil {
			return nil, err
		}
		for _, h := range list {
			items = append(items, h.Body)
		}
	}
	return items, nil
}
