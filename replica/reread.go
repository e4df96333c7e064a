package replica

import (
	"krama"
	"krama/seal"
)

// An epoch is read again when the roster explains what was stepped over. The journal keeps both readings until the
// second has come as far as the first, or to the signed end; then it is read anew without the first.

// again starts a circle's open epoch anew: everything in it is judged once more. Records that come twice are known by
// their ids.
func (l *ledger) again(c krama.CircleID) {
	st := l.streams[c]
	if st == nil {
		return
	}
	if start, ok := l.roster.StartOf(c, st.epoch.Epoch); ok {
		for _, a := range st.authors {
			a.ids = a.ids[:a.base]
		}
		st.bounds = st.begun.clone()
		st.unread(st.epoch.Epoch)
		st.restart(st.epoch, start)
	}
}

// judgeAgain begins a circle's open epoch anew, because the roster tells now what it did not. What was shown of it
// stays until the new reading is whole: the line may end before.
func (l *ledger) judgeAgain(p place) {
	l.passed[p]++
	st := l.streams[p.circle]
	if st == nil || st.epoch.Epoch != p.epoch {
		return // behind damage
	}
	floor := st.floor
	if st.head.N > floor.N {
		floor = st.head
	}
	l.again(p.circle)
	if l.passed[p] > l.left[p].n { // not one that a later one stands for
		st.floor = floor
	}
	l.untidy = true
}

// rereading reports whether the epoch is read again and has not come as far as it was read before.
func (st *stream) rereading() bool { return st.floor.N > 0 }

// readWhole ends a second reading of an epoch that has come as far as the one before, or to the signed end: what only
// that one showed, and its order, are out, and what was typed here and is not in it is to be sent again. What
// colleagues wrote there is kept for them where a relay has lost it, or shows another history than before.
func (l *ledger) readWhole(p place, st *stream, end uint64, lost bool) error {
	if !st.rereading() || st.head.N < min(st.floor.N, end) {
		return nil
	}
	other := verifyHeads && st.head.N == st.floor.N && st.head.H != st.floor.H
	st.floor = seal.Head{}
	if !l.loaded {
		return errCut{place: p, cut: cut{repair: other || lost}, left: l.passed[p]}
	}
	l.reshow, l.untidy = true, true
	if other {
		l.alarm(Alarm{What: AlarmFork, Circle: p.circle, Epoch: p.epoch, N: st.head.N})
	}
	return nil
}
