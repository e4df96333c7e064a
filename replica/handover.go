package replica

import (
	"bytes"
	"context"
	"crypto/ed25519"

	"krama"
	"krama/seal"
)

// handOver leaves letters for the admins in the box of circle 0's epoch and reads them back: what the relay does not show
// it has not taken.
func (r *Replica) handOver(ctx context.Context, letters [][]byte) error {
	if len(letters) == 0 {
		return nil
	}
	r.mu.Lock()
	st := r.streams[krama.OrgCircle]
	if st == nil {
		r.mu.Unlock()
		return errLocked
	}
	box := st.epoch.HandoverBox()
	r.mu.Unlock()
	var pairs [][]byte
	for _, l := range letters {
		pairs = append(pairs, box[:], l)
	}
	if err := r.putBoxes(ctx, pairs); err != nil {
		return err
	}
	items, err := r.dropGet(ctx, box)
	if err != nil {
		return err
	}
	for _, l := range letters {
		there := false
		for _, it := range items {
			there = there || bytes.Equal(it, l)
		}
		if !there {
			return krama.E("replica.handOver", krama.Tampered, "the relay does not show what it took")
		}
	}
	return nil
}

// work is one item that is handed over, with the device that typed it.
type work struct {
	circle krama.CircleID
	author krama.DeviceID
	item   seal.Item
}

// lateLetters seals work for the admins' quarantine, each circle's under its own epoch. Called with the lock held.
func (r *Replica) lateLetters(list []work) (out [][]byte, err error) {
	org := r.streams[krama.OrgCircle]
	byCircle := map[krama.CircleID][]work{}
	var order []krama.CircleID
	for _, w := range list {
		if byCircle[w.circle] == nil {
			order = append(order, w.circle)
		}
		byCircle[w.circle] = append(byCircle[w.circle], w)
	}
	for _, c := range order {
		st := r.streams[c]
		if st == nil || org == nil {
			continue
		}
		var items [][]byte
		size := 0
		flush := func() error {
			if len(items) == 0 {
				return nil
			}
			w, err := seal.SealHandover(r.Rand, org.epoch, st.epoch, r.dev, seal.LetterLate, seal.Frame(items...))
			out, items, size = append(out, w), nil, 0
			return err
		}
		for _, w := range byCircle[c] {
			n := len(w.item.Body) + 80
			if size+n > seal.MaxLetter || len(items) >= 5*512 {
				if err := flush(); err != nil {
					return nil, err
				}
			}
			items = append(items, c[:], w.author[:], w.item.Subject[:], []byte{byte(w.item.Kind)}, w.item.Body)
			size += n
		}
		if err := flush(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// handoverEpochs is how many past epochs of circle 0 an office looks into: a device that is away longer is removed by then
// and its box has expired at the relay.
const handoverEpochs = 8

// fetchHandovers reads what devices have left, and keeps it for a person to decide.
func (r *Replica) fetchHandovers(ctx context.Context) error {
	r.mu.Lock()
	st := r.streams[krama.OrgCircle]
	if r.j == nil || st == nil {
		r.mu.Unlock()
		return errLocked
	}
	var epochs []*seal.Epoch
	for e := st.epoch.Epoch + 1; e > 0 && len(epochs) < handoverEpochs; e-- {
		if ep := st.known[e-1]; ep != nil {
			epochs = append(epochs, ep)
		}
	}
	r.mu.Unlock()
	for _, ep := range epochs {
		items, err := r.dropGet(ctx, ep.HandoverBox())
		if err != nil {
			return err
		}
		r.mu.Lock()
		err = r.takeHandovers(ep, items)
		r.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Replica) takeHandovers(org *seal.Epoch, items [][]byte) error {
	if r.j == nil {
		return errLocked
	}
	known := func(c krama.CircleID, e uint32) *seal.Epoch {
		if st := r.streams[c]; st != nil {
			return st.known[e]
		}
		return nil
	}
	key := func(d krama.DeviceID) ed25519.PublicKey {
		if dev := r.roster.Devices[d]; dev != nil {
			return dev.Request.SigPub
		}
		return nil
	}
	for _, it := range items {
		id := seal.SHA256(it)
		if r.done[id] || r.letter(id) != nil {
			continue
		}
		l, err := seal.OpenHandover(org, it, known, key)
		if err != nil || (l.Kind != seal.LetterLate && l.Kind != seal.LetterWiped) {
			continue
		}
		if l.Kind == seal.LetterWiped && r.roster.Devices[l.From].Removed == 0 {
			continue
		}
		m := &Mail{ID: id, Kind: l.Kind, From: l.From, Day: krama.DayOf(r.Now()), body: l.Body}
		if err := r.commit(letterEntry(m)); err != nil {
			return err
		}
		r.letters = append(r.letters, m)
	}
	return nil
}
