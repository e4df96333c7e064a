package replica

import (
	"math"
	"time"

	"krama"
	"krama/seal"
)

// admit opens the next envelope of a stream and checks it in the order of doc/format.md §2. It changes nothing.
func (l *ledger) admit(c krama.CircleID, st *stream, wire []byte) (*entry, *seal.Envelope, error) {
	e := &entry{circle: c, epoch: st.epoch.Epoch, n: st.head.N + 1, id: seal.EnvelopeID(wire)}
	// What stands for a dropped body has rules of its own (stone.go).
	if _, ok := seal.TombstoneID(wire); ok {
		e, err := l.admitTombstone(c, st, wire)
		return e, nil, err
	}
	env, v := st.epoch.Open(wire) // 1-3
	if v != seal.Fine {
		e.verdict = v
		return e, nil, nil
	}
	e.author, e.seq, e.prev, e.kind = env.Author, env.Seq, env.Prev, env.Kind
	e.timeMS = min(env.TimeMS, uint64(l.host.Now().UnixMilli())) // nobody's clock may promise us the future
	if env.Kind == seal.EnvRoster && c != krama.OrgCircle {
		e.verdict = seal.Malformed
		return e, env, nil
	}
	// The genesis names the first key itself. That it hashes to the organisation's id is checked where it is folded in
	// (seal.Roster).
	founding := c == krama.OrgCircle && l.roster.At().N == 0
	if !founding {
		pub, ok := l.roster.Author(c, st.epoch.Epoch, env.Author) // 4
		if !ok && c == krama.OrgCircle {
			pub, ok = l.roster.Newcomer(env)
		}
		if !ok {
			// Nothing of this envelope is proved. It may be a colleague's whose enrolment we have not read: read the
			// roster once. If it is not there either, go on, and read the stream again when the roster names her.
			if env.Roster.N > l.roster.At().N && c != krama.OrgCircle && e.n > st.looked {
				return nil, nil, errAhead
			}
			e.verdict = seal.Unauthorised
			return e, env, nil
		}
		if v := env.Verify(pub); v != seal.Fine { // 5
			e.verdict = v
			return e, env, nil
		}
	}
	if env.Roster.N > l.roster.At().N && c != krama.OrgCircle {
		if e.n > st.looked {
			return nil, nil, errAhead
		}
		// The roster was looked at after this came, and it does not go so far. Either the relay keeps some of it back,
		// or the author claims what nobody could have read: it is stepped over for now, and judged anew when the roster
		// has come there.
		e.verdict, e.claim = seal.Unauthorised, env.Roster.N
		return e, env, nil
	}
	if verifyHeads && (env.Roster.N >= uint64(len(l.roster.Chain)) || l.roster.Chain[env.Roster.N] != env.Roster.H) {
		// 6
		e.verdict = seal.Fork
		return e, env, nil
	}
	if verifyHeads && (env.Head.N >= uint64(len(st.chain)) || st.chain[env.Head.N] != env.Head.H) { // 7
		e.verdict = seal.Fork
		return e, env, nil
	}
	e.verdict = st.order(env.Author, env.Seq, env.Prev, e.id) // 8
	if e.verdict == seal.Gap && env.Kind == seal.EnvRoster {
		e.verdict = seal.Unauthorised // a statement out of its author's order is refused for good, never held
	}
	if e.verdict != seal.Fine && e.verdict != seal.Gap {
		return e, env, nil
	}
	l.openItems(e, env, wire)
	if e.kind == seal.EnvRoster && len(e.items) == 1 && e.verdict == seal.Fine && e.items[0].verdict == seal.Fine {
		// What a later version's statement changes nobody can compute here: if enough admins signed it, reading stops
		// (doc/format.md, 5).
		_, err := seal.StatementOf(e.items[0].Body)
		if krama.KindOf(err) == krama.NotYet && l.roster.Later(env.Author, e.items[0].Body) {
			return nil, nil, krama.E("replica.admit", krama.NotYet, "a statement of a later version")
		}
	}
	return e, env, nil
}

// order judges an envelope's place among its author's.
func (st *stream) order(by krama.DeviceID, seq uint64, prev, id [32]byte) seal.Verdict {
	a := st.authors[by]
	if a == nil {
		a = &author{}
	}
	last, lastID := a.last()
	switch {
	case seq == 0:
		return seal.Malformed
	case seq <= last:
		if a.ids[seq-1] == id {
			return seal.WasTampered // the same envelope twice: only a relay does that
		}
		return seal.Equivocation
	case seq > last+1:
		// The place is taken already by one that waits for the same gap to close.
		if h := a.held[seq]; h != nil {
			if h.id == id {
				return seal.WasTampered
			}
			return seal.Equivocation
		}
		return seal.Gap
	case prev != lastID:
		return seal.Equivocation
	}
	return seal.Fine
}

// openItems opens what can be opened: steps 9 to 11. Keys announced in the envelope serve the items after them.
func (l *ledger) openItems(e *entry, env *seal.Envelope, wire []byte) {
	// The ledger is not changed before the envelope counts: its announced keys serve this envelope alone until then.
	announced := map[krama.SubjectID]seal.SubjectKey{}
	keys := func(s krama.SubjectID) (seal.SubjectKey, bool) {
		if k, ok := l.keys[e.circle][s]; ok {
			return k, true
		}
		k, ok := announced[s]
		return k, ok
	}
	e.items, e.wire = nil, nil
	for i := range env.Len() {
		s, k := env.Peek(i)
		it := entryItem{Item: seal.Item{Subject: s, Kind: k}}
		if env.Kind == seal.EnvRoster || k == seal.KindStatement {
			if env.Kind == seal.EnvRoster && k == seal.KindStatement && e.circle == krama.OrgCircle {
				it.Item, it.verdict = env.Item(i, nil)
			} else {
				it.verdict = seal.Unauthorised
			}
		} else if !l.roster.MayWrite(e.circle, e.epoch, env.Author, k) { // 9
			it.verdict = seal.Unauthorised
		} else {
			if known, ok := keys(s); k == seal.KindSubjectKey && l.streams[e.circle].epoch.KG == [32]byte{} {
				// the keyring key of a past epoch is gone; its keys came with the next keyring
				it.verdict = seal.KeyPending
				if ok {
					it.Item, it.verdict = seal.Item{Subject: s, Kind: k, Body: known[:]}, seal.Fine
				}
			} else if it.Item, it.verdict = env.Item(i, keys); l.gone(e.circle, s) && k != seal.KindShred { // 10
				it.verdict = seal.Shredded
			}
			if (it.verdict == seal.KeyPending || it.verdict == seal.WasTampered) && k == seal.KindShred {
				// Whoever comes later cannot open it, because it was carried out; nor can anybody, where its author had
				// carried it out before a close threw it out (thrown). The signature covers it.
				it.verdict = seal.Fine
				it.Item = seal.Item{Subject: s, Kind: k}
			}
			if it.verdict != seal.Fine {
				it.Item = seal.Item{Subject: s, Kind: k}
			}
			if it.verdict == seal.Fine && k == seal.KindSubjectKey {
				if first, known := keys(s); known && first != seal.SubjectKey(it.Body) {
					it.verdict = seal.Unauthorised // the first key of a subject stands
				} else {
					announced[s] = seal.SubjectKey(it.Body)
				}
			}
			if it.verdict == seal.KeyPending && k != seal.KindSubjectKey {
				e.wire = wire
			}
		}
		e.items = append(e.items, it)
	}
	e.decode() // 11
}

// verdictAlarm is which alarm a person sees for a verdict; "" for none.
func verdictAlarm(v seal.Verdict) AlarmKind {
	switch v {
	case seal.Malformed:
		return AlarmMalformed
	case seal.WasTampered:
		return AlarmTampered
	case seal.Unauthorised:
		return AlarmUnauthorised
	case seal.Forged:
		return AlarmForged
	case seal.Fork:
		return AlarmFork
	case seal.Equivocation:
		return AlarmEquivocation
	}
	return ""
}

// alarmsOf lists what a person must be told about an entry.
func alarmsOf(e *entry) (out []Alarm) {
	if e.claim > 0 {
		return []Alarm{{What: AlarmWithheld, Circle: e.circle, Epoch: e.epoch, N: e.n, Author: e.author,
			Claim: e.claim}}
	}
	add := func(v seal.Verdict) {
		if k := verdictAlarm(v); k != "" {
			out = append(out, Alarm{What: k, Circle: e.circle, Epoch: e.epoch, N: e.n, Author: e.author})
		}
	}
	add(e.verdict)
	for _, it := range e.items {
		add(it.verdict)
	}
	return out
}

// apply moves a stream over one entry and folds in what may be believed. The same entries in the same order always give
// the same state, so loading a journal repeats it exactly.
func (l *ledger) apply(st *stream, e *entry) error {
	// Whatever its verdict, an envelope keeps its place in the chain (doc/format.md, 2): every reader's chain is the
	// same.
	st.head = st.head.Link(e.id)
	st.chain = append(st.chain, st.head.H)
	a := st.authors[e.author]
	if a == nil {
		a = &author{}
		// What fails in somebody's name does not make her an author of this stream.
		if e.verdict == seal.Fine || e.verdict == seal.Gap {
			st.authors[e.author] = a
		}
	}
	// Nobody's, as far as the roster tells now. reconsider asks again when it tells more.
	if e.verdict == seal.Unauthorised && len(e.items) == 0 {
		if _, known := l.roster.Author(e.circle, e.epoch, e.author); !known {
			st.strangers[e.author] = true
		}
	}
	var fail error
	switch e.verdict {
	case seal.Fine:
		fail = l.meet(st, a, e)
		// The gap may be closed: what was held behind it follows in its author's order.
		for next := a.held[uint64(len(a.ids))+1]; next != nil; next = a.held[uint64(len(a.ids))+1] {
			delete(a.held, next.seq)
			if _, last := a.last(); next.prev != last {
				break // held on a false promise: it stays off the screen
			}
			if err := l.meet(st, a, next); fail == nil {
				fail = err
			}
		}
	case seal.Equivocation:
		st.doubt(e)
	case seal.Gap:
		if a.held == nil {
			a.held = map[uint64]*entry{}
		}
		a.held[e.seq] = e
	}
	if fail == nil {
		fail = l.readWhole(place{e.circle, e.epoch}, st, math.MaxUint64, false)
	}
	// Of circle 0 every envelope moves the roster's chain; a statement that Apply or Replay took has moved it already.
	if e.circle == krama.OrgCircle && l.roster.At().N < st.base+st.head.N {
		l.roster.Advance(e.id)
	}
	// It may have been an admin's word that a copied device is to be trusted again.
	if e.circle == krama.OrgCircle && e.kind == seal.EnvRoster && fail == nil {
		fail = l.release()
	}
	// Or it named the circle, or the epoch, of secrets that came before it.
	if e.circle == krama.OrgCircle && len(l.waiting) > 0 && fail == nil {
		fail = l.adoptEpochs()
	}
	return fail
}

// fold takes in what an envelope says.
func (l *ledger) fold(st *stream, e *entry) error {
	l.seen[e.author] = max(l.seen[e.author], e.timeMS)
	if dev := l.author(e.author); dev != nil {
		st.bounds.times[dev.Member] = max(st.bounds.times[dev.Member], e.timeMS)
	}
	// An admin's desk vouches by its heartbeat that it has read so far, and from its first heartbeat on by its
	// statements too: both stand behind what their author had read. A desk that never beat keeps nobody's old key
	// alive.
	if e.circle == krama.OrgCircle && l.roster.Admin(e.author) && (beats(e) || l.vouched[e.author] > 0 &&
		e.kind == seal.EnvRoster) {
		l.vouched[e.author] = max(l.vouched[e.author], st.base+e.n)
	}
	own := l.dev != nil && e.author == l.dev.ID()
	for i := range e.items {
		it := &e.items[i]
		if it.verdict != seal.Fine {
			continue
		}
		switch it.Kind {
		case seal.KindStatement:
			// receive has folded it into the roster with its signature; only what the journal tells is replayed here.
			if e.applied {
				break
			}
			if err := l.roster.Replay(e.author, e.id, e.timeMS, it.Body); err != nil {
				return err
			}
		case seal.KindShred:
			l.shred(st, e, it)
		case seal.KindUnshred:
			l.takenBack(e, it)
		case seal.KindErased:
			l.hear(e, it)
		case seal.KindRewrap:
			l.askedRewrap(e, it)
		case seal.KindSubjectKey:
			if _, ok := l.keys[e.circle][it.Subject]; !ok && l.mayHold(e.circle, it.Subject) {
				l.keys[e.circle][it.Subject] = seal.SubjectKey(it.Body)
			}
		case seal.KindHeartbeat:
			if t := time.UnixMilli(int64(e.timeMS)); t.After(l.heartbeat) {
				l.heartbeat = t
			}
		case seal.KindRecord, seal.KindCircleRecord:
			l.feed(e, it)
		}
		if it.Kind == seal.KindRecord {
			st.touched[it.Subject] = max(st.touched[it.Subject], e.timeMS)
		}
		// It came after all, from its author or from an admin who accepted it.
		if len(l.orphans) > 0 {
			delete(l.orphans, contentOf(e.circle, it.Item))
		}
		if own {
			l.confirm(e.circle, it.Item)
		}
		if it.Kind == seal.KindRecord && !l.loaded {
			it.Body = nil // the decoded record is all that is needed from here on
		}
	}
	// Read back: its bytes need not be sent again.
	if own {
		l.dropSealed(e.circle, e.seq)
		l.own(e.circle, e.seq)
	}
	if l.waits(e) {
		st.pending = append(st.pending, e)
	} else {
		e.wire = nil
	}
	l.retry(st)
	return nil
}

// feed shows a record to whoever counts, unless its person was erased or is hidden. While the journal is read, what a
// person in doubt said is held back.
func (l *ledger) feed(e *entry, it *entryItem) {
	if it.record == nil || l.shredded[subject{e.circle, it.Subject}] {
		return
	}
	// What kind a circle is its own record says; no later one changes that.
	if c := it.record.Circle; c != nil && it.Kind == seal.KindCircleRecord {
		if _, known := l.kinds[e.circle]; !known {
			l.kinds[e.circle] = c.Kind
		}
	}
	ev := Event{Circle: l.kinds[e.circle], Subject: it.Subject, Record: it.record, Author: e.author, TimeMS: e.timeMS}
	if l.hidden(e.circle, it.Subject) {
		if w := l.await[subject{e.circle, it.Subject}]; w != nil && !l.loaded {
			w.held = append(w.held, ev)
		}
		return
	}
	if l.host.Feed != nil {
		l.host.Feed(ev)
	}
}

// retry opens items again whose subject key has come since.
func (l *ledger) retry(st *stream) {
	waiting := st.pending
	st.pending = nil
	for _, e := range waiting {
		// From the wire again: what does not open now is kept in no other form.
		env, v := st.epoch.Open(e.wire)
		if v != seal.Fine {
			continue
		}
		left := false
		for i := range e.items {
			it := &e.items[i]
			if it.verdict != seal.KeyPending {
				continue
			}
			if l.gone(e.circle, it.Subject) {
				it.verdict = seal.Shredded
				continue
			}
			keys := func(s krama.SubjectID) (seal.SubjectKey, bool) { k, ok := l.keys[e.circle][s]; return k, ok }
			got, v := env.Item(i, keys)
			if v == seal.KeyPending {
				left = true
				continue
			}
			it.verdict = v
			if v == seal.Fine {
				it.Item = got
				e.decode()
				l.feed(e, it)
			}
		}
		if left {
			st.pending = append(st.pending, e)
		}
	}
}
