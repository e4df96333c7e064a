package replica

import (
	"errors"
	"slices"

	"krama"
	"krama/seal"
)

// An epoch's end, and the keys of the next one, made durable.

// adoptOpening takes up the secrets of an epoch that this device has opened, once the roster shows it.
func (r *core) adoptOpening(c krama.CircleID) error {
	e, latest := r.led.opening[c], r.led.roster.Latest(c)
	if e == nil || latest == nil || latest.Epoch < e.Epoch {
		return nil
	}
	// Whether ours counts or another admin's: this opening is over.
	delete(r.led.opening, c)
	opened := r.led.roster.Circles[c].Epochs[e.Epoch]
	if opened.EC != e.EC() {
		return nil // another admin was first
	}
	// The keyring is made of our own keys: it needs no fetching.
	if err := r.commit(epochEntry(e), ringKey(c).entry(opened.Mark())); err != nil {
		return err
	}
	r.led.values.put(ringKey(c), opened.Mark())
	return r.led.addEpoch(e)
}

// settle closes the epoch that was read to its signed end, and reports whether the next one can be read now.
func (r *core) settle(c krama.CircleID) (more bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.led.streams[c]
	if r.j == nil || st == nil {
		return false, errLocked
	}
	// The desk that opened the next epoch reads on at once, under its own secrets.
	if err := r.adoptOpening(c); err != nil {
		return false, err
	}
	at, ok := r.led.roster.ClosedAt(c, st.epoch.Epoch)
	if c == krama.OrgCircle || !refusePastClose {
		at = st.head // circle 0's last element is the statement itself
	}
	if !ok || st.head.N < at.N || st.closed {
		return false, nil
	}
	p := place{c, st.epoch.Epoch}
	if verifyHeads && st.chain[at.N] != at.H {
		if err := r.raise(Alarm{What: AlarmFork, Circle: c, Epoch: p.epoch, N: at.N}); err != nil ||
			r.led.left[p].repair {
			return false, err
		}
		// We were shown another history than the admin who signed the close. Hers counts: it is read from the start,
		// ours is sent again, and what colleagues wrote into the other one is kept for them. The alarm is kept as an
		// answered one.
		if err := r.commit(tagged(tagAbandon, c[:], u32(p.epoch))); err != nil {
			return false, err
		}
		if err := r.reload(); err != nil {
			return false, err
		}
		return true, r.keepOrphans()
	}
	// What falls out is kept for its authors if a relay had lost it: otherwise nothing tells it from injected items
	// (lost).
	repair := slices.ContainsFunc(r.led.alarms, func(a Alarm) bool {
		return (a.What == AlarmRollback || a.What == AlarmFork) && a.Circle == c && a.Epoch == p.epoch
	})
	flag := []byte{0}
	if repair {
		flag[0] = 1
	}
	lost := st.head.N > at.N
	// The close stands in the journal before the epoch ends here. If envelopes past it were read, they are out with the
	// next reading of the file, which is now.
	if err := r.commit(tagged(tagClose, c[:], u32(p.epoch), u64(at.N), at.H[:], flag)); err != nil {
		return false, err
	}
	if lost && rollBackTail {
		if err := r.reload(); err != nil {
			return false, err
		}
		if err := r.keepOrphans(); err != nil {
			return false, err
		}
	} else if err := errors.Join(r.led.close(p, at, repair), r.flush()); err != nil {
		return false, err
	}
	if err := r.reannounce(c); err != nil {
		return false, err
	}
	st = r.led.streams[c]
	return !st.closed, nil
}

// reannounce announces again the keys of people whose records wait to be sent and whose own announcement fell outside
// the close.
func (r *core) reannounce(c krama.CircleID) error {
	st := r.led.streams[c]
	if st.closed || c == krama.OrgCircle {
		return nil
	}
	announced := map[krama.SubjectID]bool{}
	var first []*pending
	var entries [][]byte
	for _, p := range r.led.outbox {
		s := p.item.Subject
		if p.circle != c || announced[s] || s == (krama.SubjectID{}) {
			continue
		}
		announced[s] = true
		if k, ok := r.led.keys[c][s]; ok && p.item.Kind != seal.KindSubjectKey {
			it := seal.Item{Subject: s, Kind: seal.KindSubjectKey, Body: k[:]}
			first = append(first, &pending{c, it})
			entries = append(entries, pendingEntry(c, it))
		}
	}
	if len(first) == 0 {
		return nil
	}
	if err := r.commit(entries...); err != nil {
		return err
	}
	r.led.outbox = append(first, r.led.outbox...)
	return nil
}

// takeEpoch keeps an epoch's secrets and those of the epochs before that its back links lead to.
func (r *core) takeEpoch(ep *seal.Epoch) error {
	list := []*seal.Epoch{ep}
	ring := r.led.roster.Circles[ep.Circle]
	for e := ep; e.Epoch > 0; {
		// What comes before was taken with that one.
		if st := r.led.streams[ep.Circle]; st != nil && st.known[e.Epoch-1] != nil {
			break
		}
		if len(ring.Epochs[e.Epoch].Back) == 0 {
			break // history was cut on purpose
		}
		// The roster's commitment proves what the link gives, as it proves a wrap (doc/format.md, 1).
		prev, err := e.OpenBack(ring.Epochs[e.Epoch].Back, ring.Epochs[e.Epoch-1].EC)
		if err != nil { // the open epoch's secrets are right all the same: without its history, work goes on
			if err := r.raise(Alarm{What: AlarmTampered, Circle: ep.Circle, Epoch: e.Epoch}); err != nil ||
				ep.Circle == krama.OrgCircle {
				return err
			}
			break
		}
		list = append(list, prev)
		e = prev
	}
	slices.Reverse(list) // the oldest first: the stream starts there
	var entries [][]byte
	for _, e := range list {
		entries = append(entries, epochEntry(e))
	}
	if err := r.commit(entries...); err != nil {
		return err
	}
	for _, e := range list {
		if err := r.led.addEpoch(e); err != nil {
			return err
		}
	}
	return nil
}
