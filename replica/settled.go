package replica

import (
	"slices"

	"krama"
	"krama/seal"
)

// What the ledger says of an epoch's end. What ends it is an entry, and counts once that is
// durable and taken like any other (restore).

// opened gives the secrets of the epoch that this device has opened, once the roster shows that epoch and it is ours.
func (l *ledger) opened(c krama.CircleID) *seal.Epoch {
	e, latest := l.opening[c], l.roster.Latest(c)
	if e == nil || latest == nil || latest.Epoch < e.Epoch {
		return nil
	}
	// Whether ours counts or another admin's: this opening is over.
	delete(l.opening, c)
	if l.roster.Circles[c].Epochs[e.Epoch].EC != e.EC() {
		return nil // another admin was first
	}
	return e
}

// settle is the entry that closes a circle's epoch where it was read to its signed end, or begins it anew where what
// was read is not the history that was signed. It is nil while there is more to read, and where a person must look.
func (l *ledger) settle(c krama.CircleID) []byte {
	st := l.streams[c]
	at, ok := l.roster.ClosedAt(c, st.epoch.Epoch)
	if c == krama.OrgCircle || !refusePastClose {
		at = st.head // circle 0's last element is the statement itself
	}
	if !ok || st.head.N < at.N || st.closed {
		return nil
	}
	p := place{c, st.epoch.Epoch}
	if verifyHeads && st.chain[at.N] != at.H {
		l.alarm(Alarm{What: AlarmFork, Circle: c, Epoch: p.epoch, N: at.N})
		if l.left[p].repair {
			return nil
		}
		// We were shown another history than the admin who signed the close. Hers counts: it is read from the start,
		// ours is sent again, and what colleagues wrote into the other one is kept for them. The alarm is kept as an
		// answered one.
		return tagged(tagAbandon, c[:], u32(p.epoch))
	}
	// What falls out is kept for its authors if a relay had lost it: otherwise nothing tells it from injected items
	// (lost).
	var flag [1]byte
	if slices.ContainsFunc(l.alarms, func(a Alarm) bool {
		return (a.What == AlarmRollback || a.What == AlarmFork) && a.Circle == c && a.Epoch == p.epoch
	}) {
		flag[0] = 1
	}
	return tagged(tagClose, c[:], u32(p.epoch), u64(at.N), at.H[:], flag[:])
}

// unannounced are the keys of people whose records wait to be sent and whose own announcement fell outside the close:
// what is to go before them.
func (l *ledger) unannounced(c krama.CircleID) (first []*pending) {
	if l.streams[c].closed || c == krama.OrgCircle {
		return nil
	}
	announced := map[krama.SubjectID]bool{}
	for _, p := range l.outbox {
		s := p.item.Subject
		if p.circle != c || announced[s] || s == (krama.SubjectID{}) {
			continue
		}
		announced[s] = true
		if k, ok := l.keys[c][s]; ok && p.item.Kind != seal.KindSubjectKey {
			first = append(first, &pending{c, seal.Item{Subject: s, Kind: seal.KindSubjectKey, Body: k[:]}})
		}
	}
	return first
}
