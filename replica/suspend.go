package replica

import (
	"maps"
	"slices"

	"krama"
)

// Two different envelopes with one place among their author's prove that two copies of her device write. From the place
// in the stream where the second stands, what the device writes in that circle is kept and not shown, until an admin
// removes the device or says in the roster that these proofs are no reason to doubt it (device.trust). Every reader of
// the stream finds the same place, and the roster names the proofs, so all come to show the same. Circle 0 goes on: its
// statements have rules of their own, and a programme's only admin must not lock herself out.

// suspended reports whether an author's envelopes in a stream are kept back now.
func (l *ledger) suspended(st *stream, d krama.DeviceID) bool {
	return slices.ContainsFunc(st.proofs[d], func(p proof) bool { return !l.roster.Trusted[p.id] })
}

// meet folds an envelope in, or keeps it back.
func (l *ledger) meet(st *stream, a *author, e *entry) error {
	// It has its place among its author's, shown or not.
	a.ids = append(a.ids, e.id)
	if !suspendCopies || e.circle == krama.OrgCircle || !l.suspended(st, e.author) {
		return l.fold(st, e)
	}
	// A doubted device's own work was read back all the same; it stays in the outbox, because no reader shows it.
	if l.dev != nil && e.author == l.dev.ID() {
		l.dropSealed(e.circle, e.seq)
		l.own(e.circle, e.seq)
	}
	st.kept[e.author] = append(st.kept[e.author], e)
	return nil
}

// doubt takes note of a proof.
func (st *stream) doubt(e *entry) {
	if e.circle != krama.OrgCircle {
		st.proofs[e.author] = append(st.proofs[e.author], proof{e.id, e.epoch})
	}
}

// unread forgets what of an epoch's doubts was read, because it is read again.
func (st *stream) unread(epoch uint32) {
	for d := range st.proofs {
		st.proofs[d] = slices.DeleteFunc(st.proofs[d], func(p proof) bool { return p.epoch == epoch })
		st.kept[d] = slices.DeleteFunc(st.kept[d], func(e *entry) bool { return e.epoch == epoch })
	}
}

// release folds in what was kept back of devices that an admin trusts again. Called after each statement of the roster.
func (l *ledger) release() (fail error) {
	for c, st := range l.streams {
		for _, d := range slices.Collect(maps.Keys(st.kept)) {
			if l.suspended(st, d) {
				continue
			}
			list := st.kept[d]
			delete(st.kept, d)
			for _, e := range list {
				if err := l.fold(st, e); fail == nil {
					fail = err
				}
			}
		}
		for i := range l.alarms {
			a := &l.alarms[i]
			if a.What == AlarmEquivocation && a.Circle == c && !a.Mended && len(st.proofs[a.Author]) > 0 &&
				!l.suspended(st, a.Author) && l.loaded {
				l.owed = append(l.owed, l.alarms.mend(i))
			}
		}
	}
	return fail
}

// doubted are devices of which two copies have written, with the proofs. Called with the lock held.
func (l *ledger) doubted() map[krama.DeviceID][][32]byte {
	out := map[krama.DeviceID][][32]byte{}
	for _, st := range l.streams {
		for d, list := range st.proofs {
			if dev := l.author(d); dev == nil || dev.Removed != 0 {
				continue
			}
			for _, p := range list {
				if !l.roster.Trusted[p.id] {
					out[d] = append(out[d], p.id)
				}
			}
		}
	}
	return out
}
