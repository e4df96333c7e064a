package replica

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hpke"
	"slices"

	"krama"

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
	// A mailbox for each key (doc/format.md, 1): what was sealed before a new key was known lies in the old one.
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

// fetchMail reads an admin's mailbox for letters. Each is kept before it is shown.
func (r meeting) fetchMail(ctx context.Context) error {
	if _, roles := r.Device(); roles&krama.RoleAdmin == 0 {
		return nil
	}
	items, err := r.mailbox(ctx)
	if err != nil {
		return err
	}
	if err := r.takeMail(items); err != nil {
		return err
	}
	err = r.fetchHandovers(ctx)
	if krama.KindOf(err) == krama.NotAllowed && err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.led.controls) == 0 {
			// a new admin's desk gets the key for them by letter, when another admin's has seen it
			return nil
		}
	}
	return err
}

// takeMail keeps the letters that lie in this device's mailbox.
func (r meeting) takeMail(items [][]byte) error {
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	me := r.led.dev.ID()
	for _, it := range items {
		id := seal.SHA256(it)
		// Kept or decided already; or a wrap, which fetchKeys looks for.
		if r.led.done[id] || r.led.letter(id) != nil || len(it) == 16+seal.WrapSize {
			continue
		}
		for d := range r.led.withKems {
			l, sig, err := seal.OpenLetter(r.led.roster.Org, d, it)
			if err != nil {
				continue
			}
			// Anybody can seal one to this device: the signature of a device in the roster makes it a letter
			// (doc/format.md, 7).
			from := r.led.roster.Devices[l.From]
			if from == nil || !l.Check(r.led.roster.Org, me, from.Request.SigPub, sig) {
				break
			}
			// Nobody has to decide about keys: they are taken up, and the letter is done.
			if l.Kind == seal.LetterControl {
				if from.Removed == 0 && r.led.roster.Members[from.Member].Roles&krama.RoleAdmin != 0 {
					if err := r.takeControl(l.Body); err != nil {
						return err
					}
				}
				if err := r.commit(tagged(tagLetterDo, id[:])); err != nil {
					return err
				}
				r.led.done[id] = true
				break
			}
			if l.Kind == seal.LetterDraft && (from.Removed != 0 ||
				r.led.roster.Members[from.Member].Roles&krama.RoleAdmin == 0) {
				break // a draft is an admin's
			}
			if l.Kind == seal.LetterLate || l.Kind == seal.LetterWiped {
				break // they come by hand-over
			}
			m := &Mail{ID: id, Kind: l.Kind, From: l.From, Day: krama.DayOf(r.Now()), body: l.Body}
			if err := r.commit(letterEntry(m)); err != nil {
				return err
			}
			r.led.letters = append(r.led.letters, m)
			break
		}
	}
	return nil
}
