package relay

import (
	"cmp"
	"net/http"

	"krama"
	"krama/seal"
)

// A device may have the relay keep a part of its vault's key. It lies in a box under the device's name, as the pepper's
// bytes; once the device was removed, gone lies there for ever and nothing else is taken.

// gone is what stands for the peppers of a removed device.
var gone = []byte{0}

// pepperRate is how often a second one device's pepper may be asked for, in vain or not, and pepperBurst how often at once:
// whoever has a phone tries words here and nowhere else.
const (
	pepperRate  = 0.2
	pepperBurst = 20
)

// peppers returns what lies in a box, or NotAllowed when its device was removed.
func (r *Relay) peppers(req *http.Request, box [16]byte) (out []seal.Pepper, err error) {
	items, err := r.store.Box(req.Context(), box, r.now())
	for _, it := range items {
		p, ok := seal.ParsePepper(it)
		if !ok {
			return nil, errRefused
		}
		out = append(out, p)
	}
	return out, err
}

// pepperPut keeps a device's peppers in place of those before.
func (r *Relay) pepperPut(req *http.Request, call *seal.Call) ([]byte, error) {
	s, err := r.stream(req, call)
	if err != nil {
		return nil, err
	}
	p, err := seal.ParsePepperPut(s.ID, call.Payload)
	if err != nil {
		return nil, err
	}
	var items [][]byte
	for _, one := range p.Peppers {
		items = append(items, one.Marshal())
	}
	box := seal.PepperBox(p.Device)
	r.mu.Lock() // between looking and writing, an admin may remove the device
	defer r.mu.Unlock()
	if _, err := r.peppers(req, box); err != nil {
		return nil, err
	}
	return nil, r.store.SetBox(req.Context(), box, items, r.now().Add(keepFor))
}

// pepperGet gives a device its pepper. The key that asks comes from the device's words: other words are another key.
func (r *Relay) pepperGet(req *http.Request, call *seal.Call) ([]byte, error) {
	list, err := r.peppers(req, call.Principal)
	if err != nil {
		return nil, err
	}
	if len(list) > 0 && !r.rates.take(call.Principal, r.now(), pepperRate, pepperBurst) { // before the signature: a wrong one is a try
		return nil, krama.E("relay", krama.TooMany, "")
	}
	for _, p := range list {
		if call.Check(p.Access, req.URL.Path) {
			if err := r.admit(call, p.Access, req.URL.Path, pepperRate, pepperBurst); err != nil {
				return nil, err
			}
			return p.Value[:], nil
		}
	}
	return nil, errRefused
}

// pepperDrop forgets the peppers of removed devices and takes no new ones: without them their vaults do not open.
func (r *Relay) pepperDrop(req *http.Request, call *seal.Call) ([]byte, error) {
	if err := r.control(req, call); err != nil {
		return nil, err
	}
	it, err := seal.ParseFrame(call.Payload, 4096)
	if err != nil {
		return nil, krama.E("relay", krama.Invalid, "peppers")
	}
	for _, b := range it {
		if len(b) != 16 {
			return nil, krama.E("relay", krama.Invalid, "peppers")
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range it {
		err = cmp.Or(err, r.store.SetBox(req.Context(), seal.PepperBox(krama.DeviceID(b)), [][]byte{gone}, r.now().Add(keepFor)))
	}
	return nil, err
}
