package replica

import (
	"maps"
	"slices"

	"krama"
	"krama/seal"
)

// newStream is a stream that nothing was read of, of the epoch whose secrets these are.
func newStream(e *seal.Epoch, start seal.Head) *stream {
	return &stream{epoch: e, known: map[uint32]*seal.Epoch{e.Epoch: e}, rings: map[uint32]keyring{},
		ids: map[uint32]seal.StreamID{}, head: start, chain: [][32]byte{start.H},
		authors: map[krama.DeviceID]*author{}, strangers: map[krama.DeviceID]bool{}, bounds: newBounds(),
		begun:   newBounds(),
		touched: map[krama.SubjectID]uint64{}, proofs: map[krama.DeviceID][]proof{},
		kept: map[krama.DeviceID][]*entry{}}
}

// restart puts the stream at the beginning of an epoch.
func (st *stream) restart(e *seal.Epoch, start seal.Head) {
	st.epoch, st.head, st.chain, st.closed, st.looked = e, start, [][32]byte{start.H}, false, 0
	st.floor, st.cut, st.cutSize = seal.Head{}, nil, 0
	// Bounds, proofs and what was kept back are the stream's, over all its epochs: again takes out of them what was
	// this epoch's.
	st.strangers, st.pending = map[krama.DeviceID]bool{}, nil
	for _, a := range st.authors {
		a.held = nil
	}
}

// id returns the id of a known epoch's stream.
func (st *stream) id(e *seal.Epoch) seal.StreamID {
	id, ok := st.ids[e.Epoch]
	if !ok {
		id = e.StreamID()
		st.ids[e.Epoch] = id
	}
	return id
}

// newest returns the newest epoch whose secrets are here.
func (st *stream) newest() *seal.Epoch {
	return st.known[slices.Max(slices.Collect(maps.Keys(st.known)))]
}

// adoptEpochs takes up secrets whose place the roster has only now told.
func (l *ledger) adoptEpochs() error {
	waiting := l.waiting
	l.waiting = nil
	for _, e := range waiting {
		if err := l.addEpoch(e); err != nil {
			return err
		}
	}
	return nil
}

// addEpoch takes up the secrets of an epoch. The first of a circle starts its stream, and the others follow as they are
// reached.
func (l *ledger) addEpoch(e *seal.Epoch) error {
	if l.roster == nil {
		return errEntry
	}
	st := l.streams[e.Circle]
	if st != nil {
		// What a back link gave has no keyring key. If the whole secrets come later, they take its place.
		if old := st.known[e.Epoch]; old == nil || old.KG == ([32]byte{}) {
			st.known[e.Epoch] = e
			if st.epoch.Epoch == e.Epoch {
				st.epoch = e
			}
		}
		if st.closed {
			l.advance(st, e.Circle)
		}
		return nil
	}
	// Circle 0's first epoch begins at the organisation's id (doc/format.md, 1) and needs no roster; without it there
	// would be none.
	start, ok := l.roster.StartOf(e.Circle, e.Epoch)
	if e.Circle == krama.OrgCircle && e.Epoch == 0 {
		start, ok = seal.Start(e.Context, e.Org), true
	}
	if !ok { // the roster that says so was damaged and comes again
		l.waiting = append(l.waiting, e)
		return nil
	}
	l.streams[e.Circle] = newStream(e, start)
	if l.keys[e.Circle] == nil {
		l.keys[e.Circle] = keyring{}
	}
	// Keyrings of this circle came before its stream was there.
	for p, ring := range l.early {
		if p.circle == e.Circle {
			delete(l.early, p)
			l.takeRing(p, ring)
		}
	}
	return nil
}

// close ends the epoch that is being read at the place the roster signed. What was read beyond is void: reading begins
// again without it.
func (l *ledger) close(p place, at seal.Head, repair bool) error {
	st := l.streams[p.circle]
	if st == nil || st.epoch.Epoch != p.epoch || st.closed {
		return nil // behind damage
	}
	if rollBackTail && st.head.N > at.N {
		return errCut{place: p, cut: cut{at.N, repair}}
	}
	if err := l.readWhole(p, st, at.N, repair); err != nil {
		return err
	}
	// What was sealed for this epoch and is not within its end never will be. Its items are in the outbox, and are
	// sealed anew under the next epoch's keys.
	l.sealed = slices.DeleteFunc(l.sealed, func(s *sealedEnvelope) bool { return s.circle == p.circle })
	st.closed, l.untidy = true, true
	l.alarms.mended(p)
	l.advance(st, p.circle)
	return nil
}

// abandon begins an epoch anew, because what was read of it is not the history that was signed.
func (l *ledger) abandon(p place) error {
	// Met for the first time: what was read before it was folded in as if it counted.
	if l.passed[p] >= l.left[p].n {
		return errCut{place: p, cut: cut{repair: true}, left: l.passed[p] + 1}
	}
	l.passed[p]++
	if st := l.streams[p.circle]; st != nil && st.epoch.Epoch == p.epoch {
		l.again(p.circle)
	}
	l.untidy = true
	return nil
}

// advance goes on to the next epoch of a closed stream, if its secrets are here. The old keyring key is destroyed.
func (l *ledger) advance(st *stream, c krama.CircleID) {
	next := st.known[st.epoch.Epoch+1]
	if next == nil {
		return
	}
	start, ok := l.roster.StartOf(c, next.Epoch)
	if !ok {
		return
	}
	// The roster's positions count on over all its epochs (doc/format.md, 2).
	if c == krama.OrgCircle {
		st.base += st.head.N
	}
	for _, a := range st.authors {
		a.base = len(a.ids)
	}
	// A second reading of the next epoch begins from here (again).
	st.begun = st.bounds.clone()
	// A colleague's word that erased them is within the signed end: ours need not be said any more.
	l.outbox = slices.DeleteFunc(l.outbox, func(p *pending) bool { return p.circle == c && l.said(p) })
	old := *st.epoch
	old.KG = [32]byte{}
	st.known[old.Epoch] = &old
	st.restart(next, start)
	if ring, ok := st.rings[next.Epoch]; ok { // who is not on the new keyring was erased or never was inside the close
		for s := range l.keys[c] {
			if _, in := ring[s]; !in && !l.unsent(c, s) {
				delete(l.keys[c], s)
				l.offScreen(subject{c, s})
			}
		}
		for id, w := range l.await { // an office has waited long enough, perhaps before this device came
			if _, in := ring[id.id]; !in && id.circle == c && !l.unsent(c, id.id) {
				w.Epoch = old.Epoch
				l.carryOut(w.Shred)
			}
		}
		delete(st.rings, next.Epoch)
	}
}

// takeRing takes up the keyring of an epoch.
func (l *ledger) takeRing(p place, ring keyring) {
	st := l.streams[p.circle]
	if st == nil { // the roster that names the circle was damaged and comes again
		if l.early[p] == nil {
			l.early[p] = keyring{}
		}
		for s, k := range ring {
			if _, ok := l.early[p][s]; !ok {
				l.early[p][s] = k
			}
		}
		return
	}
	// The first key of a subject stands, wherever it came from; an erased person's is not taken up again.
	for s, k := range ring {
		if _, ok := l.keys[p.circle][s]; !ok && l.mayHold(p.circle, s) {
			l.keys[p.circle][s] = k
		}
	}
	if p.epoch > st.epoch.Epoch {
		st.rings[p.epoch] = ring
	}
	l.retry(st)
}
