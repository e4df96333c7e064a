package replica

import (
	"context"
	"errors"

	"krama"
	"krama/seal"
)

// Progress tells how far a sync is. Total is 0 while it is not known.
type Progress struct {
	Stage       Stage
	Done, Total uint64
}

// Stage is what a sync is doing.
type Stage string

// Stages, in order.
const (
	StageRoster Stage = "roster"
	StageKeys   Stage = "keys"
	StagePull   Stage = "pull"
	StagePush   Stage = "push"
	StageTidy   Stage = "tidy" // rewriting the device's file without what had to go
	StageDone   Stage = "done"
)

// pageBytes is how much of a stream one call asks for. A page is verified and durable before the next is asked for, so
// a first sync that is cut goes on where it was.
const pageBytes = 512 << 10

// sync meets the relay: reads the roster, fetches keys, reads every circle to its head, sends what is typed, and reads
// it back. What was sent counts as confirmed only then. progress may be nil.
func (r meeting) sync(ctx context.Context, progress func(Progress)) error {
	r.syncing.Lock()
	defer r.syncing.Unlock()
	if progress == nil {
		progress = func(Progress) {}
	}
	if !r.joined() {
		return krama.E("replica.Sync", krama.NotAllowed, "not enrolled")
	}
	r.mu.Lock()
	r.unshown = false
	r.mu.Unlock()
	if err := r.readRoster(ctx, progress); err != nil {
		return err
	}
	if r.State() == Removed {
		return r.leave(ctx)
	}
	r.mu.Lock()
	heard := uint64(0)
	if r.j != nil {
		r.led.heed()
		heard = r.led.roster.At().N
	}
	r.mu.Unlock()
	if err := r.fetchKeys(ctx, progress); err != nil {
		return err
	}
	if err := r.reconsider(); err != nil {
		return err
	}
	if !r.stopped() && !r.Copied() {
		if err := r.stateNotices(ctx); err != nil {
			return err
		}
	}
	// A circle that cannot be read, because its admin or the relay gave what does not fit, does not stop the others.
	var bad []error
	whole := []krama.CircleID{krama.OrgCircle}
	for _, c := range r.circles() {
		err := r.follow(ctx, c, progress)
		if err == nil {
			r.mu.Lock()
			err = r.settleNotices(c, heard)
			r.mu.Unlock()
			whole = append(whole, c)
		}
		if k := krama.KindOf(err); err != nil && k != krama.Tampered && k != krama.NotFound &&
			k != krama.CannotDecrypt {
			return err
		}
		if err != nil {
			bad = append(bad, err)
		}
	}
	if r.stopped() || r.Copied() {
		return errors.Join(append(bad, r.finish(progress))...)
	}
	r.mu.Lock()
	err := errLocked
	if r.j != nil {
		if err = r.refeed(); err == nil {
			err = r.sealOutbox()
		}
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	for _, c := range whole {
		push := r.push
		if c == krama.OrgCircle {
			push = r.pushRoster
		}
		if err := push(ctx, c, progress); err != nil {
			return err
		}
	}
	if err := r.beat(ctx); err != nil {
		return err
	}
	if err := r.rekey(ctx); err != nil && krama.KindOf(err) != krama.Conflict {
		return err
	}
	if err := r.sendRewraps(ctx); err != nil {
		return err
	}
	if err := r.offerOrphans(ctx); err != nil {
		return err
	}
	if err := r.yieldCircles(ctx); err != nil {
		return err
	}
	if err := r.fetchMail(ctx); err != nil {
		return err
	}
	if err := (Field{r.core}).tendField(ctx); err != nil {
		return err
	}
	if len(bad) > 0 { // not a whole sync
		return errors.Join(bad...)
	}
	return r.finish(progress)
}

// readRoster reads circle 0 to its end, over all its epochs.
func (r meeting) readRoster(ctx context.Context, progress func(Progress)) error {
	for {
		if err := r.pull(ctx, krama.OrgCircle, StageRoster, progress); err != nil {
			return err
		}
		more, err := r.settle(krama.OrgCircle)
		if err != nil {
			return err
		}
		if !more {
			more, err = r.meetAgain(ctx)
		}
		if err != nil {
			return err
		}
		if more {
			continue
		}
		r.mu.Lock()
		st := r.led.streams[krama.OrgCircle]
		closed, removed := st != nil && st.closed, r.led.state() == Removed
		r.mu.Unlock()
		if !closed || removed {
			return nil
		}
		if err := r.fetchKeys(ctx, progress); err != nil {
			return err
		}
		if err := r.fetchHistory(ctx); err != nil {
			return err
		}
		r.mu.Lock()
		closed = st.closed
		r.mu.Unlock()
		if closed {
			return krama.E("replica.Sync", krama.CannotDecrypt, "the roster's new keys have not come")
		}
	}
}

// follow reads a circle to its end, over as many epochs as were opened meanwhile.
func (r meeting) follow(ctx context.Context, c krama.CircleID, progress func(Progress)) error {
	if err := r.fetchRing(ctx, c); err != nil {
		return err
	}
	for {
		if err := r.pull(ctx, c, StagePull, progress); err != nil {
			return err
		}
		if more, err := r.settle(c); err != nil || !more {
			return err
		}
	}
}

// finish ends a whole sync: what it learned is durable, what waited long enough is done, and the file is written anew
// where something must be destroyed.
func (r meeting) finish(progress func(Progress)) error {
	r.mu.Lock()
	r.led.lastSync = r.Now()
	err := r.commit(tagged(tagSynced, u64(uint64(r.led.lastSync.UnixMilli()))))
	if err == nil {
		err = r.tendUnshown()
	}
	if err == nil {
		err = r.tendWaiting()
	}
	if err == nil {
		err = r.refeed()
	}
	if err == nil && (r.led.untidy || r.led.rekeyed() || r.lingered()) {
		progress(Progress{Stage: StageTidy})
		err = r.tidy()
	}
	r.mu.Unlock()
	progress(Progress{Stage: StageDone}) // without the lock: whoever listens may ask us something
	return err
}

// joined reports whether the device holds circle 0's keys.
func (r *core) joined() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.led.roster != nil && r.led.streams[krama.OrgCircle] != nil
}

// errLocked ends a sync whose device was locked meanwhile.
var errLocked = krama.E("replica", krama.NotAllowed, "locked")

// circles lists the content circles this device holds.
func (r *core) circles() (out []krama.CircleID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.led.streams {
		if c != krama.OrgCircle {
			out = append(out, c)
		}
	}
	return out
}

// pull reads a circle to the relay's head.
func (r meeting) pull(ctx context.Context, c krama.CircleID, stage Stage, progress func(Progress)) error {
	made := false
	for {
		r.mu.Lock()
		st := r.led.streams[c]
		if st == nil {
			r.mu.Unlock()
			return errLocked
		}
		if st.closed || r.led.complete(c, st) {
			r.mu.Unlock()
			return nil
		}
		after, epoch, skip := st.head.N, st.epoch.Epoch, len(st.beginning())
		var have [][32]byte
		for _, s := range r.led.sealed {
			if s.circle == c && len(have) < seal.MaxBatch && skip == 0 { // the rest of an envelope is no id
				have = append(have, s.id)
			}
		}
		r.mu.Unlock()
		answer, err := r.streamCall(ctx, c, seal.PathList, seal.ListCall{After: after, Skip: uint32(skip),
			Max: pageBytes, Have: have}.Marshal())
		if krama.KindOf(err) == krama.NotAllowed && err != nil && !made {
			if made, err = r.remake(ctx, c); made {
				continue
			}
		}
		cut := krama.KindOf(err) == krama.Offline && err != nil && len(answer) > 0
		if err != nil && !cut {
			return err
		}
		l, more, perr := r.listing(place{c, epoch}, after, answer, cut)
		if perr != nil {
			return perr
		}
		if cut && !more {
			return err // the line gives nothing any more
		}
		err = r.receive(place{c, epoch}, after, l)
		if err == errMoved {
			continue
		}
		if err == errLess {
			return nil
		}
		listed := after + uint64(len(l.Entries))
		r.mu.Lock()
		looked := st.looked
		r.mu.Unlock()
		if errors.Is(err, errAhead) && looked < listed && c != krama.OrgCircle {
			if err := r.readRoster(ctx, progress); err != nil {
				return err
			}
			r.mu.Lock()
			st.looked = listed // nothing up to here can have seen more of the roster than we were shown just now
			r.mu.Unlock()
			continue
		}
		if errors.Is(err, errAhead) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.raise(Alarm{What: AlarmWithheld, Circle: c, Epoch: st.epoch.Epoch, N: st.head.N + 1})
		}
		if err != nil {
			return err
		}
		r.mu.Lock()
		n := st.head.N
		r.mu.Unlock()
		progress(Progress{stage, n, l.Head.N})
		if !cut && (len(l.Entries) == 0 || n >= l.Head.N) {
			return nil
		}
	}
}

// errMoved says that somebody else at this device, a rotation beside a sync, read on meanwhile.
var errMoved = krama.E("replica.receive", krama.Conflict, "the stream moved")

// errLess says that the relay shows less than before: a person was told, and reading ends.
var errLess = krama.E("replica.receive", krama.Tampered, "the relay shows less than before")

// receive verifies one page of a stream, makes it durable and applies it.
func (r meeting) receive(p place, after uint64, page seal.Listing) error {
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	entries, said, err := r.led.receive(p, after, page, r.report.Damaged > 0)
	if err != nil {
		return err
	}
	if err := r.flush(entries...); err != nil {
		return err // what is in memory is more than on disk: asked for again after the next start
	}
	return said
}

// receive verifies one page of a stream and applies it. The entries are to be made durable together with what is owed;
// said is what the page then means to whoever asked for it. Of a page that ends with err nothing is kept: the journal
// is read anew. damaged says that a part of the journal was lost.
func (l *ledger) receive(p place, after uint64, page seal.Listing, damaged bool) (entries [][]byte, said, err error) {
	c := p.circle
	st := l.streams[c]
	if st == nil || st.epoch.Epoch != p.epoch || st.head.N != after {
		return nil, errMoved, nil
	}
	end, closed := l.roster.ClosedAt(c, st.epoch.Epoch)
	closed = closed && c != krama.OrgCircle && refusePastClose
	before := max(after, st.floor.N)
	if closed { // what the first reading showed past the signed end counts no more
		before = max(after, min(st.floor.N, end.N))
	}
	if page.Head.N < before {
		l.alarm(Alarm{What: AlarmRollback, Circle: c, Epoch: st.epoch.Epoch, N: before})
		return nil, errLess, nil
	}
	for i, wire := range page.Entries {
		// before any is taken: what a copy of this device wrote takes the place of one of ours
		if len(wire) == 32 {
			if page.Entries[i] = l.ownWire(c, [32]byte(wire)); page.Entries[i] == nil {
				return nil, krama.E("replica.receive", krama.Tampered,
					"the relay names an envelope we did not ask about"), nil
			}
		}
	}
	for _, wire := range page.Entries {
		if closed && st.head.N >= end.N || c == krama.OrgCircle && l.complete(c, st) {
			break // past its signed end nothing counts
		}
		e, env, err := l.admit(c, st, wire)
		if krama.KindOf(err) == krama.NotYet {
			l.newer = true
		}
		if err != nil {
			return entries, err, nil
		}
		if c == krama.OrgCircle && env != nil && e.kind == seal.EnvRoster && e.verdict == seal.Fine {
			if err := l.roster.Apply(env); err != nil {
				e.verdict = seal.Unauthorised
			}
			e.applied = true
		}
		if env != nil && !damaged && l.foreign(c, e) {
			l.alarm(Alarm{What: AlarmCopied, Circle: c, Epoch: e.epoch, N: e.n, Author: e.author})
		}
		if l.host.Office {
			e.wire = wire
		}
		entries = append(entries, e.marshal())
		for _, a := range alarmsOf(e) {
			if dev := l.roster.Devices[a.Author]; dev != nil && dev.Removed != 0 && (a.What == AlarmUnauthorised ||
				a.ByAuthor()) {
				continue // she did not know yet, or her word counts no more
			}
			l.alarm(a)
		}
		if err := l.apply(st, e); err != nil {
			return nil, nil, err
		}
	}
	// The relay's own chain value: a history it rewrote does not end where ours ends.
	if st.head.N == page.Head.N && st.head.H != page.Head.H {
		l.alarm(Alarm{What: AlarmFork, Circle: c, Epoch: st.epoch.Epoch, N: st.head.N})
		return entries, nil, nil
	}
	return append(entries, l.answeredByRelay(p, st, page.Head)...), nil, nil
}

// complete reports whether a stream was read to its signed end.
func (l *ledger) complete(c krama.CircleID, st *stream) bool {
	if c == krama.OrgCircle {
		return len(l.roster.Circles) > 0 && int(st.epoch.Epoch)+1 < len(l.roster.Circles[c].Epochs)
	}
	end, ok := l.roster.ClosedAt(c, st.epoch.Epoch)
	return ok && refusePastClose && st.head.N >= end.N
}

// ownWire is an envelope of this device's that waits to be read back, by its id; nil for another.
func (l *outgoing) ownWire(c krama.CircleID, id [32]byte) []byte {
	for _, s := range l.sealed {
		if s.circle == c && s.id == id {
			return s.wire
		}
	}
	return nil
}

// pushBytes bounds one append.
const pushBytes = 2 << 20

// push sends a circle's sealed envelopes in order, with the same bytes every time, and reads them back.
func (r meeting) push(ctx context.Context, c krama.CircleID, progress func(Progress)) error {
	for {
		r.mu.Lock()
		var batch [][]byte
		var left, size int
		for _, s := range r.led.sealed {
			if s.circle != c {
				continue
			}
			if left > 0 || size+len(s.wire) > pushBytes || len(batch) == seal.MaxBatch {
				left++ // and all behind it: an author's envelopes go in her order
				continue
			}
			batch, size = append(batch, s.wire), size+len(s.wire)
		}
		r.mu.Unlock()
		if len(batch) == 0 {
			return nil
		}
		progress(Progress{StagePush, uint64(len(batch)), uint64(len(batch) + left)})
		_, err := r.streamCall(ctx, c, seal.PathAppend, seal.AppendCall{Envelopes: batch}.Marshal())
		if krama.KindOf(err) == krama.Conflict && err != nil {
			r.mu.Lock()
			if st := r.led.streams[c]; st != nil {
				r.shut[c] = st.epoch.Epoch + 1
			}
			r.mu.Unlock()
			return nil // the stream was closed a moment ago: what is typed goes into the next epoch
		}
		if err != nil {
			return err
		}
		if err := r.pull(ctx, c, StagePush, progress); err != nil {
			return err
		}
		r.mu.Lock()
		shown := r.took(c, left)
		r.mu.Unlock()
		if !shown { // the relay took them and does not show them: they stay ours to send
			return nil
		}
	}
}
