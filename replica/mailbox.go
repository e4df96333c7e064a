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
func (r *Replica) kems() []hpke.PrivateKey {
	out := append([]hpke.PrivateKey{r.dev.KEM}, r.rekeys...)
	if d := r.roster; d != nil && d.Devices[r.dev.ID()] != nil {
		pub := d.Devices[r.dev.ID()].KemPub
		slices.SortStableFunc(out, func(a, b hpke.PrivateKey) int {
			return cmp.Compare(bool2int(!bytes.Equal(a.PublicKey().Bytes(), pub)),
				bool2int(!bytes.Equal(b.PublicKey().Bytes(), pub)))
		})
	}
	return out
}

// withKems gives this device with each of its KEM keys in turn, the one the roster shows first: what was sealed to it
// lately may have been sealed to an older one. Called with the lock held.
func (r *Replica) withKems(yield func(*seal.Device) bool) {
	for _, k := range r.kems() {
		d := *r.dev
		d.KEM = k
		if !yield(&d) {
			return
		}
	}
}

func bool2int(b bool) int {
	if b {
		return 1
	}
	return 0
}

// mailbox reads what lies for this device at the relay.
func (r *Replica) mailbox(ctx context.Context) (items [][]byte, err error) {
	r.mu.Lock()
	d := r.dev
	if d == nil {
		r.mu.Unlock()
		return nil, errLocked
	}
	kems := r.kems()
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
