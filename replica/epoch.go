package replica

import (
	"context"
	"errors"
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
	l.sealed = slices.DeleteFunc(l.sealed, func(s *sealedEnvelope) bool { return s.circle == p.circle })
	st.closed, l.untidy = true, true
	l.alarms.mended(p)
	l.advance(st, p.circle)
	return nil
}

// abandon begins an epoch anew, because what was read of it is not the history that was signed.
func (l *ledger) abandon(p place) error {
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
	if c == krama.OrgCircle {
		st.base += st.head.N
	}
	for _, a := range st.authors {
		a.base = len(a.ids)
	}
	st.begun = st.bounds.clone()
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

// adoptOpening takes up the secrets of an epoch that this device has opened, once the roster shows it.
func (r *core) adoptOpening(c krama.CircleID) error {
	e, latest := r.led.opening[c], r.led.roster.Latest(c)
	if e == nil || latest == nil || latest.Epoch < e.Epoch {
		return nil
	}
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

// shredWaits reports whether an erasure still has to be said: it is sealed with the key that it destroys.
func (l *outgoing) shredWaits(c krama.CircleID, s krama.SubjectID) bool {
	return slices.ContainsFunc(l.outbox, func(p *pending) bool {
		return p.circle == c && p.item.Subject == s && p.item.Kind == seal.KindShred
	})
}

// unsent reports whether something about a subject still has to be sent.
func (l *outgoing) unsent(c krama.CircleID, s krama.SubjectID) bool {
	return slices.ContainsFunc(l.outbox, func(p *pending) bool { return p.circle == c && p.item.Subject == s })
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

// settle closes the epoch that was read to its signed end, and reports whether the next one can be read now.
func (r *core) settle(c krama.CircleID) (more bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.led.streams[c]
	if r.j == nil || st == nil {
		return false, errLocked
	}
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
	repair := slices.ContainsFunc(r.led.alarms, func(a Alarm) bool {
		return (a.What == AlarmRollback || a.What == AlarmFork) && a.Circle == c && a.Epoch == p.epoch
	})
	flag := []byte{0}
	if repair {
		flag[0] = 1
	}
	lost := st.head.N > at.N
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

// fetchKeys opens wraps for circles the roster keys us for and whose newest secrets are not here, and follows their
// back links. What is missing is asked for once.
func (r meeting) fetchKeys(ctx context.Context, progress func(Progress)) error {
	if err := r.hold(); err != nil {
		return err
	}
	me := r.led.dev.ID()
	for c := range r.led.opening {
		if err := r.adoptOpening(c); err != nil {
			r.mu.Unlock()
			return err
		}
	}
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

// takeEpoch keeps an epoch's secrets and those of the epochs before that its back links lead to.
func (r *core) takeEpoch(ep *seal.Epoch) error {
	list := []*seal.Epoch{ep}
	ring := r.led.roster.Circles[ep.Circle]
	for e := ep; e.Epoch > 0; {
		if st := r.led.streams[ep.Circle]; st != nil && st.known[e.Epoch-1] != nil {
			break
		}
		if len(ring.Epochs[e.Epoch].Back) == 0 {
			break // history was cut on purpose
		}
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
