package replica

import (
	"context"

	"krama"
	"krama/seal"
)

// A relay that was restored from a backup may have lost words of circle 0 that no admin had read: a phone's new key,
// its word that somebody was erased, its wish for a wrap. The office that repairs cannot give them back, and its own
// next statements stand in their place. Whoever had read them sees two histories. Where the lost part is only such
// words, which give and take nobody's rights, and an admin has signed the other history, it is the relay's loss and no
// attack: the part is trimmed, and its authors say it again. Anything else that was lost stays an alarm.

// idle reports whether an envelope of circle 0 leaves everybody's rights as they are, so that it can be said again in
// another place.
func idle(e *entry) bool {
	if e.verdict != seal.Fine {
		return true
	}
	for _, it := range e.items {
		if it.verdict != seal.Fine || it.Kind == seal.KindHeartbeat || it.Kind == seal.KindRewrap ||
			it.Kind == seal.KindErased || it.Kind == seal.KindAnswer {
			continue
		}
		st, err := seal.StatementOf(it.Body)
		if it.Kind != seal.KindStatement || err != nil {
			return false
		}
		if _, rekey := st.Deed.(*seal.DeviceRekey); !rekey {
			return false
		}
	}
	return true
}

// trimRefused trims what this device has read of circle 0's open epoch and refused, at its end, while it is doubted:
// what was written into a restored relay's stream and does not follow what this desk gives back. It reports whether
// there was any.
func (r meeting) trimRefused(ctx context.Context) (bool, error) {
	r.mu.Lock()
	st := r.led.streams[krama.OrgCircle]
	if r.j == nil || st == nil {
		r.mu.Unlock()
		return false, errLocked
	}
	ep, head := st.epoch, st.head
	start, _ := r.led.roster.StartOf(krama.OrgCircle, ep.Epoch)
	doubt := r.led.alarms.parted(place{krama.OrgCircle, ep.Epoch})
	r.mu.Unlock()
	if !doubt {
		return false, nil
	}
	k := &keeping{idle: true}
	if err := r.keep(krama.OrgCircle, map[uint32]*keeping{ep.Epoch: k}); err != nil {
		return false, err
	}
	_, common, err := r.compare(ctx, ep.StreamKey(), ep.StreamID(), start, k.ids)
	if err != nil {
		return false, err
	}
	at := max(k.fine, common.N) // what was refused and is in both histories stays
	r.mu.Lock()
	defer r.mu.Unlock()
	// The lock was given back for the call: what has changed meanwhile is looked at the next time.
	if r.j == nil || r.led.streams[krama.OrgCircle] != st || st.epoch != ep || st.head != head ||
		at >= uint64(len(k.ids)) || uint64(len(k.ids)) != head.N {
		return false, nil
	}
	if err := r.commit(trimEntry(ep.Epoch, at, false)); err != nil {
		return false, err
	}
	return true, r.reload()
}

// idleAt returns why what a restored relay has of circle 0 past a place may not go: somebody has said there what only
// she can say again.
func (r meeting) idleAt(ctx context.Context, ep *seal.Epoch, after uint64) error {
	for {
		answer, err := r.call(ctx, ep.StreamKey(), seal.PathList, ep.StreamID(), seal.ListCall{After: after,
			Max: pageBytes}.Marshal())
		if err != nil {
			return err
		}
		l, err := seal.ParseListing(answer)
		if err != nil {
			return krama.E("replica.idleAt", krama.Tampered, "the relay's answer is cut or garbled")
		}
		for _, wire := range l.Entries {
			after++
			if !r.idleWire(ep, wire) {
				return krama.E("replica.idleAt", krama.Tampered, "the restored relay has another roster than this desk")
			}
		}
		if len(l.Entries) == 0 || after >= l.Head.N {
			return nil
		}
	}
}

// idleWire is idle for an envelope as it came. One that nobody would take changes nothing: only a statement does,
// signed by an admin's device, by one that ends another of its member's, or by one that the trustees bring in.
func (r meeting) idleWire(ep *seal.Epoch, wire []byte) bool {
	env, v := ep.Open(wire)
	if v != seal.Fine || env.Kind != seal.EnvRoster || env.Len() != 1 {
		return true
	}
	it, v := env.Item(0, nil)
	if v != seal.Fine || it.Kind != seal.KindStatement {
		return true
	}
	s, err := seal.StatementOf(it.Body)
	if err != nil {
		return krama.KindOf(err) != krama.NotYet
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil {
		return false
	}
	switch s.Deed.(type) {
	case *seal.DeviceRekey:
		return true
	case *seal.RecoveryUse:
		return false
	case *seal.DeviceRemove:
	default:
		if !r.led.roster.Admin(env.Author) {
			return true
		}
	}
	pub, ok := r.led.roster.Author(krama.OrgCircle, ep.Epoch, env.Author)
	return !ok || env.Verify(pub) != seal.Fine
}

// meetAgain looks whether a part of circle 0 that this device has read was lost by the relay and may go, and trims it.
// It reports whether it did: then there is more to read.
func (r meeting) meetAgain(ctx context.Context) (bool, error) {
	r.mu.Lock()
	st := r.led.streams[krama.OrgCircle]
	if r.j == nil || st == nil || st.closed || !r.led.alarms.parted(place{krama.OrgCircle, st.epoch.Epoch}) {
		r.mu.Unlock()
		return false, nil
	}
	ep, id, chain, met := st.epoch, st.id(st.epoch), st.chain, r.metWith
	r.mu.Unlock()
	// One look at each history: reading this device's whole file at every meeting would not change it.
	// No stream is so long: the answer is the head alone.
	answer, err := r.call(ctx, ep.StreamKey(), seal.PathList, id, seal.ListCall{After: 1 << 62, Max: 1}.Marshal())
	if err != nil {
		return false, err
	}
	now, err := seal.ParseListing(answer)
	if err != nil {
		return false, krama.E("replica.meetAgain", krama.Tampered, "the relay's answer is cut or garbled")
	}
	if now.Head == met {
		return false, nil
	}
	k := &keeping{idle: true}
	if err := r.keep(krama.OrgCircle, map[uint32]*keeping{ep.Epoch: k}); err != nil {
		return false, err
	}
	ids := k.ids
	if uint64(len(chain)) != uint64(len(ids))+1 {
		// something came meanwhile, or the file lacks something: at another meeting
		return false, nil
	}
	// From the last envelope on that is not idle: what is before it is never trimmed.
	head := seal.Head{N: k.from, H: chain[k.from]}
	common, signed := head, false
	for {
		answer, err := r.call(ctx, ep.StreamKey(), seal.PathList, id, seal.ListCall{After: head.N,
			Max: pageBytes}.Marshal())
		if err != nil {
			return false, err
		}
		l, err := seal.ParseListing(answer)
		if err != nil {
			return false, krama.E("replica.meetAgain", krama.Tampered, "the relay's answer is cut or garbled")
		}
		for _, wire := range l.Entries {
			// As long as ids agree the place is common. Behind that an admin's opening of the next epoch must stand, or
			// the other history is nobody's.
			is := seal.WireID(wire)
			if common == head && head.N < uint64(len(ids)) && ids[head.N] == is {
				common = head.Link(is)
			} else {
				signed = signed || r.adminOpens(ep, head, wire)
			}
			head = head.Link(is)
		}
		if len(l.Entries) == 0 || head.N >= l.Head.N {
			signed = signed && head == l.Head
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !signed || common.N >= uint64(len(ids)) {
		r.metWith = now.Head
		return false, nil
	}
	if r.j == nil || r.led.streams[krama.OrgCircle] != st || st.epoch != ep || uint64(len(ids)) != st.head.N {
		return false, nil
	}
	if err := r.commit(trimEntry(ep.Epoch, common.N, true)); err != nil {
		return false, err
	}
	return true, r.reload()
}

// adminOpens reports whether an envelope that stands behind a head is an admin's opening of circle 0's next epoch: what
// a repair ends with. By the roster as it is here, which nothing in the part that may go has changed.
func (r meeting) adminOpens(ep *seal.Epoch, head seal.Head, wire []byte) bool {
	env, v := ep.Open(wire)
	if v != seal.Fine || env.Kind != seal.EnvRoster || env.Head != head || env.Len() != 1 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil {
		return false
	}
	pub, ok := r.led.roster.Author(krama.OrgCircle, ep.Epoch, env.Author)
	if !ok || !r.led.roster.Admin(env.Author) || env.Verify(pub) != seal.Fine {
		return false
	}
	it, v := env.Item(0, nil)
	if v != seal.Fine || it.Kind != seal.KindStatement {
		return false
	}
	s, err := seal.StatementOf(it.Body)
	if err != nil {
		return false
	}
	open, ok := s.Deed.(*seal.EpochOpen)
	return ok && open.Circle == krama.OrgCircle && open.Epoch == ep.Epoch+1 && open.Closes == head
}
