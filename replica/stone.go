package replica

import (
	"krama"
	"krama/seal"
)

// Tombstones as a reader meets them: what stands in the place of a body that was dropped.

// final are a circle's people whose erasure stands: one in the open epoch may yet fall outside its close.
func (l *ledger) final(c krama.CircleID) map[krama.SubjectID]bool {
	out := map[krama.SubjectID]bool{}
	for _, s := range l.shreds {
		// An epoch before the open one has its signed end, and this erasure is within it.
		if s.Circle == c && s.Epoch < l.streams[c].epoch.Epoch {
			out[s.Subject] = true
		}
	}
	return out
}

// dead reports whether an envelope speaks of erased people alone.
func (l *ledger) dead(e *entry, final map[krama.SubjectID]bool) bool {
	for _, it := range e.items {
		if !final[it.Subject] || it.Kind != seal.KindRecord && it.Kind != seal.KindSubjectKey || !l.gone(e.circle,
			it.Subject) {
			return false
		}
	}
	return len(e.items) > 0
}

// admitTombstone takes a tombstone in its envelope's place: in a closed epoch, with the signature of a device whose
// member is or was an admin, and which was not removed before that close. One that does not open, or is not so signed,
// does not get the envelope's id: the stream parts from what admins signed, and is read again.
func (l *ledger) admitTombstone(c krama.CircleID, st *stream, wire []byte) (*entry, error) {
	e := &entry{circle: c, epoch: st.epoch.Epoch, n: st.head.N + 1, id: seal.EnvelopeID(wire), kind: seal.EnvContent}
	if c == krama.OrgCircle { // nothing of the roster is ever dropped
		return nil, krama.E("replica.admitTombstone", krama.Tampered, "the relay's answer is cut or garbled")
	}
	t, err := st.epoch.OpenTombstone(wire)
	if err != nil {
		e.verdict = seal.WasTampered
		return e, nil
	}
	_, closed := l.roster.ClosedAt(c, st.epoch.Epoch)
	dev := l.roster.Devices[t.Signer]
	if !closed || dev == nil {
		return nil, errAhead // the roster may say more; in an open epoch nothing is old enough
	}
	// Closed, so the next epoch is in the roster. Whoever was removed before that may not speak for what stands there
	// (doc/format.md, 1).
	next := l.roster.Circles[c].Epochs[st.epoch.Epoch+1]
	switch {
	case l.roster.Members[dev.Member].Held&krama.RoleAdmin == 0, dev.Removed != 0 && dev.Removed < next.Opened:
		e.verdict = seal.Unauthorised
	case !t.Verify(dev.Request.SigPub):
		e.verdict = seal.Forged
	default:
		e.id, e.author, e.seq, e.prev, e.timeMS = t.ID, t.Author, t.Seq, t.Prev,
			min(t.TimeMS, uint64(l.host.Now().UnixMilli()))
		e.verdict = st.order(e.author, e.seq, e.prev, e.id)
	}
	return e, nil
}
