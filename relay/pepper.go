package relay

import (
	"cmp"
	"crypto/ed25519"

	"krama"
	"krama/seal"
)

// A device may have the relay keep a part of its vault's key. It lies in a box under the device's name, as the pepper's
// bytes; once the device was removed, gone lies there for ever and nothing else is taken.

// gone is what stands for the peppers of a removed device.
var gone = []byte{0}

// pepperRate is how often a second one device's pepper may be asked for, in vain or not, and pepperBurst how often at
// once: whoever has a phone tries words here and nowhere else.
const (
	pepperRate  = 0.2
	pepperBurst = 20
)

// peppers returns what lies in a box, or NotAllowed when its device was removed.
func (r *Relay) peppers(q *request, box Box) (out []seal.Pepper, err error) {
	list, err := r.store.Items(q.ctx, box, [16]byte{}, r.now(), 0, small)
	for _, it := range list {
		p, ok := seal.ParsePepper(it.Body)
		if !ok {
			return nil, errRefused
		}
		out = append(out, p)
	}
	return out, err
}

// pepperPut keeps a device's peppers in place of those before.
func (r *Relay) pepperPut(q *request) ([]byte, error) {
	c, err := seal.ParsePepperPut(q.Payload)
	if err != nil {
		return nil, err
	}
	var items [][]byte
	for _, p := range c.Peppers {
		if _, err := seal.SigKey(p.Access); err != nil {
			return nil, err
		}
		items = append(items, p.Marshal())
	}
	box := q.box(Peppers, seal.PepperBox(krama.DeviceID(q.Principal)))
	return nil, r.Brief.Alone(func() error { // between looking and writing, an admin may remove the device
		if _, err := r.peppers(q, box); err != nil {
			return err
		}
		return r.store.SetItems(q.ctx, box, items, r.now().Add(keepFor), r.limit.Room(Peppers))
	})
}

// pepperKey finds the key that the words of a locked device must give: other words are another key. Each look is a try,
// which is counted before the signature is checked, because a wrong one is what a try is.
func (r *Relay) pepperKey(q *request) (ed25519.PublicKey, error) {
	if q.Programme != ([16]byte{}) {
		p, err := r.named(q.ctx, q.Programme)
		if err != nil {
			return nil, err
		}
		return r.pepperKeyIn(q, p)
	}
	// A phone that an earlier version shut knows no name, and cannot learn one before it is open: the box tells whose
	// it is.
	all, err := r.store.Holders(q.ctx, Peppers, q.Principal)
	for _, id := range all {
		key, e := r.pepperKeyIn(q, Programme{ID: id})
		if e == nil {
			return key, nil
		}
		if err == nil || krama.KindOf(e) == krama.TooMany {
			err = e
		}
	}
	return nil, cmp.Or(err, errRefused)
}

// pepperKeyIn is pepperKey in one programme.
func (r *Relay) pepperKeyIn(q *request, p Programme) (ed25519.PublicKey, error) {
	q.programme = p
	list, err := r.peppers(q, q.box(Peppers, q.Principal))
	if err != nil {
		return nil, err
	}
	if len(list) > 0 && !r.take(byWords, p.ID, q.Principal, r.elapsed(), pepperRate, pepperBurst) {
		return nil, krama.E("relay", krama.TooMany, "")
	}
	for _, one := range list {
		if q.Check(one.Access, seal.PathPepperGet, r.boot) {
			return one.Access, nil
		}
	}
	return nil, errRefused
}

// pepperGet gives a device its pepper.
func (r *Relay) pepperGet(q *request) ([]byte, error) {
	list, err := r.peppers(q, q.box(Peppers, q.Principal))
	for _, one := range list {
		if q.Check(one.Access, seal.PathPepperGet, r.boot) {
			return one.Value[:], nil
		}
	}
	return nil, cmp.Or(err, errRefused)
}

// pepperDrop forgets the peppers of removed devices and takes no new ones: without them their vaults do not open.
func (r *Relay) pepperDrop(q *request) ([]byte, error) {
	c, err := seal.ParsePepperDrop(q.Payload)
	if err != nil {
		return nil, err
	}
	return nil, r.Brief.Alone(func() (err error) {
		for _, d := range c.Devices {
			box := q.box(Peppers, seal.PepperBox(d))
			err = cmp.Or(err, r.store.SetItems(q.ctx, box, [][]byte{gone}, r.now().Add(keepFor),
				r.limit.Room(Peppers)))
		}
		return err
	})
}
