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
	e := r.led.opened(c)
	if e == nil {
		return nil
	}
	// The keyring is made of our own keys: it needs no fetching.
	mark := r.led.roster.Circles[c].Epochs[e.Epoch].Mark()
	if err := r.commit(epochEntry(e), ringKey(c).entry(mark)); err != nil {
		return err
	}
	r.led.values.put(ringKey(c), mark)
	return r.led.addEpoch(e)
}

// settle closes the epoch that was read to its signed end, and reports whether the next one can be read now.
func (r *core) settle(c krama.CircleID) (more bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil || r.led.streams[c] == nil {
		return false, errLocked
	}
	// The desk that opened the next epoch reads on at once, under its own secrets.
	if err := r.adoptOpening(c); err != nil {
		return false, err
	}
	end := r.led.settle(c)
	if end == nil {
		return false, r.flush()
	}
	// It stands in the journal before the epoch ends here. If it makes void what was read, that is out with the next
	// reading of the file, which is now.
	if err := r.commit(end); err != nil {
		return false, err
	}
	err = r.led.restore(end[0], end[1:])
	if void := (errCut{}); errors.As(err, &void) {
		if err := r.reload(); err != nil {
			return false, err
		}
		if err := r.keepOrphans(); err != nil {
			return false, err
		}
	} else if err := errors.Join(err, r.flush()); err != nil {
		return false, err
	}
	if err := r.reannounce(c); err != nil {
		return false, err
	}
	return !r.led.streams[c].closed, nil
}

// reannounce announces again what the ledger finds unannounced.
func (r *core) reannounce(c krama.CircleID) error {
	first := r.led.unannounced(c)
	if len(first) == 0 {
		return nil
	}
	var entries [][]byte
	for _, p := range first {
		entries = append(entries, pendingEntry(c, p.item))
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
