package replica

import (
	"context"
	"errors"
	"strconv"

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
	// The roster first: who may write, with which keys and up to where is judged by it (doc/format.md, 2).
	if err := r.readRoster(ctx, progress); err != nil {
		return err
	}
	// A removed device reads nothing more. It hands over what it has and destroys itself (doc/format.md, 8).
	if r.State() == Removed {
		return r.leave(ctx)
	}
	r.mu.Lock()
	// Whom a notice names is off the screen before her circle is read. This reading settles the notices up to heard,
	// and leaves those that come while it goes on to the next sync.
	heard := uint64(0)
	if r.j != nil {
		r.led.heed()
		heard = r.led.roster.At().N
	}
	r.mu.Unlock()
	// Keys before circles: without an epoch's secrets the reading of its circle ends where the epoch begins.
	if err := r.fetchKeys(ctx, progress); err != nil {
		return err
	}
	if err := r.reconsider(); err != nil {
		return err
	}
	// An erasure is told before the circles are read and anything else is sent: both may take long over a bad line.
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
		// These kinds are of one circle. Any other, a broken line above all, would meet the next circle too.
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
	// A circle that was not read is not written into: an envelope claims the head that its author has verified.
	for _, c := range whole {
		push := r.push
		if c == krama.OrgCircle {
			push = r.pushRoster
		}
		if err := push(ctx, c, progress); err != nil {
			return err
		}
	}
	// What people typed has arrived. From here on it is what devices owe each other.
	if err := r.beat(ctx); err != nil {
		return err
	}
	// Conflict: somebody spoke first. The new key is kept, and the next sync says it again.
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
		// Nothing comes. The relay may also have lost what was read here and go on without it (trim.go).
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
		// The stream ends with the opening of circle 0's next epoch. Its secrets come as a wrap, or in a bootstrap to
		// who was away (doc/format.md, 5).
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
	// The keyring first: an envelope about somebody whose key is not here is kept whole until it comes, and opened
	// again.
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
	// Last, because it reads and writes the whole file; and in this sync, because until then an erased person's key is
	// on the disk.
	if err == nil && (r.led.untidy || r.led.rekeyed() || r.lingered()) {
		progress(Progress{Stage: StageTidy})
		err = r.tidy()
	}
	r.mu.Unlock()
	progress(Progress{Stage: StageDone}) // without the lock: whoever listens may ask us something
	return err
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
		// Of what waits to be read back the relay sends ids alone (doc/format.md, 9): a phone pays for no byte of its
		// own twice.
		var have [][32]byte
		for _, s := range r.led.sealed {
			if s.circle == c && len(have) < seal.MaxBatch && skip == 0 { // the rest of an envelope is no id
				have = append(have, s.id)
			}
		}
		r.mu.Unlock()
		answer, err := r.streamCall(ctx, c, seal.PathList, seal.ListCall{After: after, Skip: uint32(skip),
			Max: pageBytes, Have: have}.Marshal())
		// The relay may lack the stream, because a rotation was cut or a backup restored: an admin's device makes it,
		// once for this reading. Of a circle that this member has left, the refusal stands.
		if krama.KindOf(err) == krama.NotAllowed && err != nil && !made {
			if made, err = r.remake(ctx, c); made {
				continue
			}
		}
		// The line broke within the answer. What came whole is taken, and the next call leaves it out.
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
		// An author claims a roster that is longer than ours (doc/format.md, 2, check 6). It may have grown since this
		// sync read it: it is read again before anybody is accused.
		if errors.Is(err, errAhead) && looked < listed && c != krama.OrgCircle {
			if err := r.readRoster(ctx, progress); err != nil {
				return err
			}
			r.mu.Lock()
			st.looked = listed // nothing up to here can have seen more of the roster than we were shown just now
			r.mu.Unlock()
			continue
		}
		// The roster does not explain it: the relay keeps a part of it back.
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

// pushBytes bounds one append.
// It is half of what the call may carry (doc/format.md, 9), so that less is lost when the line breaks.
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
		// Where this is an admin's desk, shut has it finish that rotation if whoever began it was cut (Due).
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
		// That the relay took them confirms nothing: they count when they stand in the stream.
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

// tendWaiting carries out what has waited its time. Called with the lock held.
func (r meeting) tendWaiting() error {
	for id, w := range r.led.await {
		st := r.led.streams[id.circle]
		if st == nil || r.Now().Sub(r.led.values.since(id, w)) < waitAtMost {
			continue
		}
		w.Epoch = st.epoch.Epoch
		// Durable before it is carried out: each reading of the journal finds by it that this erasure was
		// (settleWaiting), whatever the clock says by then.
		if err := r.set(goneKey(id), strconv.FormatUint(uint64(w.Epoch), 10)); err != nil {
			return err
		}
		r.led.carryOut(w.Shred)
	}
	return nil
}
