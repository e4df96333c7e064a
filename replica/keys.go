package replica

import (
	"context"

	"krama"
	"krama/seal"
)

// Keys that this device is owed, fetched from its mailbox.

// fetchKeys opens wraps for circles the roster keys us for and whose newest secrets are not here, and follows their
// back links. What is missing is asked for once.
func (r meeting) fetchKeys(ctx context.Context, progress func(Progress)) error {
	if err := r.hold(); err != nil {
		return err
	}
	me := r.led.dev.ID()
	// The epochs that this device opened: nobody wraps its own keys to it.
	for c := range r.led.opening {
		if err := r.adoptOpening(c); err != nil {
			r.mu.Unlock()
			return err
		}
	}
	// The newest epoch of each circle. Those before it follow by its back links (takeEpoch).
	var want []*seal.RosterEpoch
	for c := range r.led.roster.Circles {
		e := r.led.roster.Latest(c)
		if e == nil || !e.Keyed[me] {
			continue
		}
		if st := r.led.streams[c]; st == nil || st.known[e.Epoch] == nil {
			want = append(want, e)
		}
	}
	r.mu.Unlock()
	if len(want) == 0 {
		return nil
	}
	progress(Progress{StageKeys, 0, uint64(len(want))})
	items, err := r.mailbox(ctx)
	if err != nil {
		return err
	}
	for i, e := range want {
		if err := r.takeWrap(ctx, e, items); err != nil {
			return err
		}
		progress(Progress{StageKeys, uint64(i + 1), uint64(len(want))})
	}
	return nil
}

// fetchHistory looks for circle 0's next secret in a bootstrap: what a device finds that was away while the relay lost
// its wraps. It is believed if the roster's commitment says so.
func (r meeting) fetchHistory(ctx context.Context) error {
	items, err := r.mailbox(ctx)
	if err != nil {
		return err
	}
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	st := r.led.streams[krama.OrgCircle]
	next := st.epoch.Epoch + 1
	ring := r.led.roster.Circles[krama.OrgCircle]
	if !st.closed || int(next) >= len(ring.Epochs) {
		return nil
	}
	for _, it := range items {
		for d := range r.led.withKems {
			// Anybody who knows this device's key can seal one: what the roster's commitment confirms is a key, and
			// nothing else is (doc/format.md, 1).
			b, err := seal.OpenBootstrap(r.led.roster.Org, d, it)
			if err != nil || int(next) >= len(b.History) {
				continue
			}
			at := st.epoch.Context
			at.Epoch = next
			if ep := (&seal.Epoch{Context: at, ES: b.History[next]}); ep.EC() == ring.Epochs[next].EC {
				return r.takeEpoch(ep)
			}
		}
	}
	return nil
}

// takeWrap accepts one wrap if the roster's commitments say so.
func (r meeting) takeWrap(ctx context.Context, e *seal.RosterEpoch, items [][]byte) error {
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	me := r.led.dev.ID()
	at := seal.Context{Org: r.led.roster.Org, Circle: e.Circle, Epoch: e.Epoch}
	var ep *seal.Epoch
	// The wrap was made to the KEM key that the roster showed then, which need not be the newest.
	for _, wrap := range seal.FindWraps(items, me, e.EC) {
		for d := range r.led.withKems {
			if got, err := seal.OpenWrap(at, me, d.KEM, wrap, e.EC, e.GC); err == nil {
				ep = got
			}
		}
	}
	if ep == nil {
		if len(seal.FindWraps(items, me, e.EC)) > 0 { // something is there, and it is not what was signed
			if err := r.raise(Alarm{What: AlarmTampered, Circle: e.Circle, Epoch: e.Epoch}); err != nil {
				return err
			}
		}
		return r.led.askRewrap(e.Circle, e.Epoch) // any member may supply it
	}
	return r.takeEpoch(ep)
}
