package replica

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"slices"
	"time"

	"krama"
	"krama/seal"
)

// handOver leaves letters for the admins in the box of circle 0's epoch and reads them back: what the relay does not
// show it has not taken.
func (r meeting) handOver(ctx context.Context, letters [][]byte) error {
	if len(letters) == 0 {
		return nil
	}
	r.mu.Lock()
	st := r.led.streams[krama.OrgCircle]
	if st == nil {
		r.mu.Unlock()
		return errLocked
	}
	box := st.epoch.HandoverBox()
	r.mu.Unlock()
	for rest := letters; len(rest) > 0; {
		n, size := 0, 0
		for n < len(rest) && n < boxBatch && (n == 0 || size+len(rest[n]) <= boxBytes) {
			size += len(rest[n])
			n++
		}
		if _, err := r.deviceCall(ctx, seal.PathLeavePut,
			seal.BoxItemsCall{Box: box, Items: rest[:n]}.Marshal()); err != nil {
			return err
		}
		rest = rest[n:]
	}
	// Its own items, read to the end: nothing is destroyed here that does not lie there (doc/format.md, 8).
	items, err := held(func(after seal.After) ([]byte, error) {
		return r.deviceCall(ctx, seal.PathLeaveMine, seal.LeaveGetCall{Box: box, After: after}.Marshal())
	})
	if err != nil {
		return err
	}
	for _, l := range letters {
		there := false
		for _, it := range items {
			there = there || bytes.Equal(it.Body, l)
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
func (r meeting) lateLetters(list []work) (out [][]byte, err error) {
	org := r.led.streams[krama.OrgCircle]
	byCircle := map[krama.CircleID][]work{}
	var order []krama.CircleID
	for _, w := range list {
		if byCircle[w.circle] == nil {
			order = append(order, w.circle)
		}
		byCircle[w.circle] = append(byCircle[w.circle], w)
	}
	for _, c := range order {
		st := r.led.streams[c]
		if st == nil || org == nil {
			continue
		}
		var items [][]byte
		size := 0
		flush := func() error {
			if len(items) == 0 {
				return nil
			}
			w, err := seal.SealHandover(r.Rand, org.epoch, st.epoch, r.led.dev, seal.LetterLate, seal.Frame(items...))
			out, items, size = append(out, w), nil, 0
			return err
		}
		for _, w := range byCircle[c] {
			// Three ids, the kind and five lengths are 69 bytes.
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

// handoverEpochs is how many past epochs of circle 0 an office looks into: a device that is away longer is removed by
// then and its box has expired at the relay.
const handoverEpochs = 8

// The boxes of the newest epochs, where a device that was removed just now leaves its work, are looked into at each
// meeting; the others, which only a device can fill that was away for long, twice a day: each is a call over what may
// be a bad line.
const (
	handoverNow  = 2
	handoverRest = 12 * time.Hour
)

// fetchHandovers reads what devices have left, and keeps it for a person to decide.
func (r meeting) fetchHandovers(ctx context.Context) error {
	r.mu.Lock()
	st := r.led.streams[krama.OrgCircle]
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
	for i, ep := range epochs {
		r.mu.Lock()
		rest := i >= handoverNow && r.Now().Sub(r.emptied) >= 0 && r.Now().Sub(r.emptied) < handoverRest
		r.mu.Unlock()
		if rest {
			return nil
		}
		box := ep.HandoverBox()
		items, err := held(func(after seal.After) ([]byte, error) {
			return r.controlAsk(ctx, seal.PathLeaveGet, seal.LeaveGetCall{Box: box, After: after}.Marshal())
		})
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
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emptied = r.Now()
	return nil
}

// takeHandovers keeps what devices that left could not send, as letters for a person to decide. Called with the lock
// held.
func (r meeting) takeHandovers(org *seal.Epoch, items []seal.Held) error {
	if r.j == nil {
		return errLocked
	}
	known := func(c krama.CircleID, e uint32) *seal.Epoch {
		if st := r.led.streams[c]; st != nil {
			return st.known[e]
		}
		return nil
	}
	key := func(d krama.DeviceID) ed25519.PublicKey {
		if dev := r.led.roster.Devices[d]; dev != nil {
			return dev.Request.SigPub
		}
		return nil
	}
	for _, h := range items {
		it := h.Body
		// The box keeps its items for 90 days (doc/format.md, 9): each is decided once.
		id := seal.SHA256(it)
		if r.led.done[id] || r.led.letter(id) != nil {
			continue
		}
		l, err := seal.OpenHandover(org, it, known, key)
		if err != nil || (l.Kind != seal.LetterLate && l.Kind != seal.LetterWiped) {
			continue
		}
		// The roster may not say yet that it was removed. Nothing is noted: it is read again.
		if l.Kind == seal.LetterWiped && r.led.roster.Devices[l.From].Removed == 0 {
			continue
		}
		m := &Mail{ID: id, Kind: l.Kind, From: l.From, Day: krama.DayOf(r.Now()), body: l.Body}
		fresh, err := r.news(m)
		if err != nil {
			return err
		}
		if !fresh {
			// All of it has arrived: there is nothing to decide.
			if err := r.commit(tagged(tagLetterDo, id[:])); err != nil {
				return err
			}
			r.led.done[id] = true
			continue
		}
		if err := r.commit(letterEntry(m)); err != nil {
			return err
		}
		r.led.letters = append(r.led.letters, m)
	}
	return nil
}

// news drops from a letter of late work what has arrived in the usual way, and reports whether anything is left. Called
// with the lock held.
func (r meeting) news(m *Mail) (bool, error) {
	it, err := seal.ParseFrame(m.body, 1<<12)
	if err != nil || m.Kind != seal.LetterLate || len(it)%5 != 0 {
		return true, nil
	}
	id := func(i int) (h [32]byte) {
		return seal.SHA256(seal.Frame(it[i], it[i+2], it[i+3], it[i+4]))
	}
	here := map[[32]byte]bool{}
	for i := 0; i < len(it); i += 5 {
		here[id(i)] = false
	}
	err = r.reread(func(e *entry) error {
		for _, x := range e.items {
			if h := contentOf(e.circle, x.Item); x.verdict == seal.Fine {
				if _, asked := here[h]; asked {
					here[h] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		return true, err
	}
	// Keys alone, without anything that was said about their people, are nobody's work.
	var left [][]byte
	fresh := false
	for i := 0; i < len(it); i += 5 {
		if !here[id(i)] {
			left = append(left, it[i:i+5]...)
			fresh = fresh || len(it[i+3]) != 1 || seal.ItemKind(it[i+3][0]) != seal.KindSubjectKey
		}
	}
	m.body = seal.Frame(left...)
	return fresh, nil
}

// yieldCircles hands over what is typed for circles that this member has left: no epoch takes it any more.
func (r meeting) yieldCircles(ctx context.Context) error {
	if err := r.hold(); err != nil {
		return err
	}
	var list []work
	handed := map[*pending]bool{} // what is typed while the letters are on their way is not
	for _, p := range r.led.outbox {
		e := r.led.roster.Latest(p.circle)
		if st := r.led.streams[p.circle]; e != nil && st != nil && !e.Keyed[r.led.dev.ID()] {
			list, handed[p] = append(list, work{p.circle, r.led.dev.ID(), p.item}), true
		}
	}
	letters, err := r.lateLetters(list)
	r.mu.Unlock()
	if err != nil || len(letters) == 0 {
		return err
	}
	if err := r.handOver(ctx, letters); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// A kill before the rewriting hands it over once more. An admin who accepts both has the same records, once.
	r.led.outbox = slices.DeleteFunc(r.led.outbox, func(p *pending) bool { return handed[p] })
	r.led.untidy = true // the rewritten file is without them
	return nil
}

// offerOrphans sends work that its author has not sent again for a week, or cannot, to the admins' quarantine.
func (r meeting) offerOrphans(ctx context.Context) error {
	r.mu.Lock()
	var old []orphan
	var ids [][32]byte
	for id, o := range r.led.orphans {
		e := r.led.roster.Latest(o.circle)
		if krama.DayOf(r.Now()) >= o.day+orphanDays || e == nil || !e.Keyed[o.author] ||
			r.led.roster.Devices[o.author].Removed != 0 {
			old, ids = append(old, o), append(ids, id)
		}
	}
	var list []work
	for _, o := range old {
		list = append(list, work{o.circle, o.author, o.item})
	}
	letters, err := r.lateLetters(list)
	r.mu.Unlock()
	if err == nil {
		err = r.handOver(ctx, letters) // an admin's desk finds its own there like everybody's
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		delete(r.led.orphans, id)
		r.led.untidy = true // the rewritten journal is without them
	}
	return nil
}
