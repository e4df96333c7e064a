package replica

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"io"
	"slices"
	"time"

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

// pageBytes is how much of a stream one call asks for. A page is verified and durable before the next is asked for, so a
// first sync that is cut goes on where it was.
const pageBytes = 512 << 10

// Sync meets the relay: reads the roster, fetches keys, reads every circle to its head, sends what is typed, and reads it
// back. What was sent counts as confirmed only then. progress may be nil.
func (r *Replica) Sync(ctx context.Context, progress func(Progress)) error {
	r.syncing.Lock()
	defer r.syncing.Unlock()
	if progress == nil {
		progress = func(Progress) {}
	}
	if !r.joined() {
		return krama.E("replica.Sync", krama.NotAllowed, "not enrolled")
	}
	if err := r.readRoster(ctx, progress); err != nil {
		return err
	}
	if r.State() == Removed {
		return r.leave(ctx)
	}
	if err := r.fetchKeys(ctx, progress); err != nil {
		return err
	}
	if err := r.reconsider(); err != nil {
		return err
	}
	for _, c := range r.circles() {
		if err := r.follow(ctx, c, progress); err != nil {
			return err
		}
	}
	if r.stopped() {
		return r.finish(progress)
	}
	r.mu.Lock()
	err := errLocked
	if r.j != nil {
		err = r.sealOutbox()
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	for _, c := range append([]krama.CircleID{krama.OrgCircle}, r.circles()...) {
		if err := r.push(ctx, c, progress); err != nil {
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
	if err := r.tendField(ctx); err != nil {
		return err
	}
	return r.finish(progress)
}

// readRoster reads circle 0 to its end, over all its epochs.
func (r *Replica) readRoster(ctx context.Context, progress func(Progress)) error {
	for {
		if err := r.pull(ctx, krama.OrgCircle, StageRoster, progress); err != nil {
			return err
		}
		more, err := r.settle(krama.OrgCircle)
		if err != nil {
			return err
		}
		if more {
			continue
		}
		r.mu.Lock()
		st := r.streams[krama.OrgCircle]
		closed, removed := st != nil && st.closed, r.state() == Removed
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
func (r *Replica) follow(ctx context.Context, c krama.CircleID, progress func(Progress)) error {
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

func (r *Replica) finish(progress func(Progress)) error {
	r.mu.Lock()
	r.lastSync = r.Now()
	err := r.commit(tagged(tagSynced, u64(uint64(r.lastSync.UnixMilli()))))
	if err == nil && (r.untidy || r.rekeyed()) {
		progress(Progress{Stage: StageTidy})
		err = r.tidy()
	}
	r.mu.Unlock()
	progress(Progress{Stage: StageDone}) // without the lock: whoever listens may ask us something
	return err
}

// reconsider begins anew with streams in which an author was refused whom the roster has named since.
func (r *Replica) reconsider() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil {
		return errLocked
	}
	for c, st := range r.streams {
		for d := range st.strangers {
			if _, known := r.roster.Author(c, st.epoch.Epoch, d); known && c != krama.OrgCircle {
				if err := r.commit(tagged(tagAgain, c[:])); err != nil {
					return err
				}
				r.again(c)
				break
			}
		}
	}
	return nil
}

// ClockError is how much the relay's clock was ahead of this device's at the last refused call; 0 while they agree within
// what the relay allows.
func (r *Replica) ClockError() time.Duration { r.mu.Lock(); defer r.mu.Unlock(); return r.offset }

// joined reports whether the device holds circle 0's keys.
func (r *Replica) joined() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.roster != nil && r.streams[krama.OrgCircle] != nil
}

// errLocked ends a sync whose device was locked meanwhile.
var errLocked = krama.E("replica", krama.NotAllowed, "locked")

// circles lists the content circles this device holds.
func (r *Replica) circles() (out []krama.CircleID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.streams {
		if c != krama.OrgCircle {
			out = append(out, c)
		}
	}
	return out
}

// stopped reports whether an alarm forbids sending.
func (r *Replica) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.alarms, func(a Alarm) bool { return a.What.stops() && !a.Mended })
}

// mended marks the alarms of an epoch that a later look has answered: what had been hidden is shown again, or an admin has
// signed where the epoch ends and our history agrees with it.
func (r *Replica) mended(p place) {
	for i, a := range r.alarms {
		if a.What.stops() && a.Circle == p.circle && a.Epoch == p.epoch {
			r.alarms[i].Mended = true
		}
	}
}

// call signs and sends one call, by the relay's clock once it has told that ours is wrong.
func (r *Replica) call(ctx context.Context, key ed25519.PrivateKey, path string, principal [16]byte, payload []byte) ([]byte, error) {
	r.mu.Lock()
	remote, at := r.remote, r.Now().Add(r.offset)
	r.mu.Unlock()
	answer, skew, err := call(ctx, remote, r.Rand, at, key, path, principal, payload)
	r.mu.Lock()
	r.offset += skew
	r.mu.Unlock()
	return answer, err
}

// call signs and sends one call. A refusal by a relay whose clock differs from ours is tried once more with its time; skew is
// by how much, or 0.
func call(ctx context.Context, remote Remote, rand io.Reader, at time.Time, key ed25519.PrivateKey, path string, principal [16]byte, payload []byte) (answer []byte, skew time.Duration, err error) {
	for try := 0; ; try++ {
		body, err := seal.NewCall(rand, key, path, principal, uint64(at.Add(skew).UnixMilli()), payload)
		if err != nil {
			return nil, skew, err
		}
		answer, now, err := remote.Call(ctx, path, body)
		off := now.Sub(at)
		if err == nil || try > 0 || krama.KindOf(err) != krama.NotAllowed || now.IsZero() || (off > -time.Second && off < time.Second) {
			return answer, skew, err
		}
		skew = off + time.Millisecond
	}
}

// streamCall makes a call on the stream that a circle is being read from. Once an epoch is closed, the relay gives its
// stream to holders of the newest key only; circle 0's streams keep their own, so that a device that was away finds its way.
func (r *Replica) streamCall(ctx context.Context, c krama.CircleID, path string, payload []byte) ([]byte, error) {
	r.mu.Lock()
	st := r.streams[c]
	if st == nil {
		r.mu.Unlock()
		return nil, krama.E("replica", krama.NotAllowed, "locked")
	}
	own, newest, id := st.epoch, st.newest(), st.epoch.StreamID()
	r.mu.Unlock()
	if c != krama.OrgCircle && newest != own {
		answer, err := r.call(ctx, newest.StreamKey(), path, id, payload)
		if krama.KindOf(err) != krama.NotAllowed || err == nil {
			return answer, err
		}
	}
	return r.call(ctx, own.StreamKey(), path, id, payload)
}

// pull reads a circle to the relay's head.
func (r *Replica) pull(ctx context.Context, c krama.CircleID, stage Stage, progress func(Progress)) error {
	again, made := false, false
	for {
		r.mu.Lock()
		st := r.streams[c]
		if st == nil {
			r.mu.Unlock()
			return errLocked
		}
		if st.closed || r.complete(c, st) {
			r.mu.Unlock()
			return nil
		}
		after, epoch := st.head.N, st.epoch.Epoch
		var have [][32]byte
		for _, s := range r.sealed {
			if s.circle == c && len(have) < seal.MaxBatch {
				have = append(have, s.id)
			}
		}
		r.mu.Unlock()
		answer, err := r.streamCall(ctx, c, seal.PathList, seal.ListCall{After: after, Max: pageBytes, Have: have}.Marshal())
		if krama.KindOf(err) == krama.NotAllowed && err != nil && !made {
			if made, err = r.remake(ctx, c); made {
				continue
			}
		}
		if err != nil {
			return err
		}
		l, err := seal.ParseListing(answer)
		if err != nil {
			return krama.E("replica.pull", krama.Tampered, "the relay's answer is cut or garbled")
		}
		err = r.receive(place{c, epoch}, after, l)
		if err == errMoved {
			continue
		}
		if errors.Is(err, errAhead) && !again && c != krama.OrgCircle {
			again = true
			r.mu.Lock()
			st.reread = true
			r.mu.Unlock()
			if err := r.readRoster(ctx, progress); err != nil {
				return err
			}
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
		if n > after {
			again = false
			r.mu.Lock()
			st.reread = false
			r.mu.Unlock()
		}
		progress(Progress{stage, n, l.Head.N})
		if len(l.Entries) == 0 || n >= l.Head.N {
			return nil
		}
	}
}

// errMoved says that somebody else at this device, a rotation beside a sync, read on meanwhile.
var errMoved = krama.E("replica.receive", krama.Conflict, "the stream moved")

// receive verifies one page of a stream, makes it durable and applies it.
func (r *Replica) receive(p place, after uint64, l seal.Listing) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil {
		return errLocked
	}
	c := p.circle
	st := r.streams[c]
	if st == nil || st.epoch.Epoch != p.epoch || st.head.N != after {
		return errMoved
	}
	if l.Head.N < after {
		return r.raise(Alarm{What: AlarmRollback, Circle: c, Epoch: st.epoch.Epoch, N: after})
	}
	end, closed := r.roster.ClosedAt(c, st.epoch.Epoch)
	closed = closed && c != krama.OrgCircle && refusePastClose
	var entries [][]byte
	var ahead error
	for _, wire := range l.Entries {
		if closed && st.head.N >= end.N || c == krama.OrgCircle && r.complete(c, st) {
			break // past its signed end nothing counts
		}
		if len(wire) == 32 {
			if wire = r.ownWire(c, [32]byte(wire)); wire == nil {
				return krama.E("replica.receive", krama.Tampered, "the relay names an envelope we did not ask about")
			}
		}
		e, env, err := r.admit(c, st, wire)
		if krama.KindOf(err) == krama.NotYet {
			r.newer = true
		}
		if err != nil {
			ahead = err
			break
		}
		if c == krama.OrgCircle && env != nil && e.kind == seal.EnvRoster && e.verdict == seal.Fine {
			if err := r.roster.Apply(env); err != nil {
				e.verdict = seal.Unauthorised
			}
			e.applied = true
		}
		if r.Office {
			e.wire = wire
		}
		entries = append(entries, e.marshal())
		for _, a := range alarmsOf(e) {
			if dev := r.roster.Devices[a.Author]; a.What == AlarmUnauthorised && dev != nil && dev.Removed != 0 {
				continue // she did not know yet
			}
			if err := r.raise(a); err != nil {
				return err
			}
		}
		if err := r.apply(st, e); err != nil {
			return err
		}
	}
	if len(entries) > 0 {
		if err := r.commit(entries...); err != nil {
			return err // what is in memory is more than on disk: asked for again after the next start
		}
	}
	if ahead != nil {
		return ahead
	}
	// The relay's own chain value: a history it rewrote does not end where ours ends.
	if st.head.N == l.Head.N && st.head.H != l.Head.H {
		return r.raise(Alarm{What: AlarmFork, Circle: c, Epoch: st.epoch.Epoch, N: st.head.N})
	}
	if slices.ContainsFunc(r.alarms, func(a Alarm) bool {
		return !a.Mended && a.Circle == c && a.Epoch == p.epoch && (c == krama.OrgCircle && a.What == AlarmRollback && st.head == l.Head || a.What == AlarmWithheld && st.head.N >= a.N)
	}) {
		if err := r.commit(tagged(tagClear, c[:], u32(p.epoch))); err != nil {
			return err
		}
		r.mended(p)
	}
	return nil
}

// complete reports whether a stream was read to its signed end.
func (r *Replica) complete(c krama.CircleID, st *stream) bool {
	if c == krama.OrgCircle {
		return len(r.roster.Circles) > 0 && int(st.epoch.Epoch)+1 < len(r.roster.Circles[c].Epochs)
	}
	end, ok := r.roster.ClosedAt(c, st.epoch.Epoch)
	return ok && refusePastClose && st.head.N >= end.N
}

func (r *Replica) ownWire(c krama.CircleID, id [32]byte) []byte {
	for _, s := range r.sealed {
		if s.circle == c && s.id == id {
			return s.wire
		}
	}
	return nil
}

// pushBytes bounds one append.
const pushBytes = 2 << 20

// push sends a circle's sealed envelopes in order, with the same bytes every time, and reads them back.
func (r *Replica) push(ctx context.Context, c krama.CircleID, progress func(Progress)) error {
	for {
		r.mu.Lock()
		var batch [][]byte
		var left, size int
		for _, s := range r.sealed {
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
			if st := r.streams[c]; st != nil {
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
		still := 0
		for _, s := range r.sealed {
			if s.circle == c {
				still++
			}
		}
		r.mu.Unlock()
		if still > left { // the relay took them and does not show them: they stay ours to send
			return nil
		}
	}
}

// kems returns the device's KEM keys, the one the roster shows first.
func (r *Replica) kems() []hpke.PrivateKey {
	out := append([]hpke.PrivateKey{r.dev.KEM}, r.rekeys...)
	if d := r.roster; d != nil && d.Devices[r.dev.ID()] != nil {
		pub := d.Devices[r.dev.ID()].KemPub
		slices.SortStableFunc(out, func(a, b hpke.PrivateKey) int {
			return cmp.Compare(bool2int(!bytes.Equal(a.PublicKey().Bytes(), pub)), bool2int(!bytes.Equal(b.PublicKey().Bytes(), pub)))
		})
	}
	return out
}

func bool2int(b bool) int {
	if b {
		return 1
	}
	return 0
}

// mailbox reads what lies for this device at the relay.
func (r *Replica) mailbox(ctx context.Context) (items [][]byte, err error) {
	r.mu.Lock()
	d := r.dev
	if d == nil {
		r.mu.Unlock()
		return nil, errLocked
	}
	kems := r.kems()
	r.mu.Unlock()
	for _, k := range kems {
		kem := seal.KemHash(k.PublicKey().Bytes())
		answer, err := r.call(ctx, d.Sig, seal.PathBoxGet, [16]byte(d.ID()), seal.Frame(d.SigPub(), d.Nonce[:], kem[:]))
		if err != nil {
			return nil, err
		}
		some, err := seal.ParseFrame(answer, 1024)
		if err != nil {
			return nil, krama.E("replica.mailbox", krama.Tampered, "the relay's answer is cut or garbled")
		}
		items = append(items, some...)
	}
	return items, nil
}

// beatEvery is how often an office device shows everybody that the relay holds nothing back.
const beatEvery = 24 * time.Hour

func (r *Replica) beat(ctx context.Context) error {
	r.mu.Lock()
	if r.j == nil {
		r.mu.Unlock()
		return errLocked
	}
	var err error
	waiting := slices.ContainsFunc(r.sealed, func(s *sealedEnvelope) bool { return s.circle == krama.OrgCircle })
	due := r.Office && !waiting && r.Now().Sub(r.heartbeat) >= beatEvery
	if due {
		err = r.sealOne(krama.OrgCircle, []seal.Item{{Kind: seal.KindHeartbeat}})
	}
	r.mu.Unlock()
	if err != nil || !due {
		return err
	}
	return r.push(ctx, krama.OrgCircle, func(Progress) {})
}

// say appends one envelope to circle 0, only if nobody else was first, and reads it back. Conflict means: read again and
// decide again.
func (r *Replica) say(ctx context.Context, kind seal.EnvelopeKind, it seal.Item) error {
	r.mu.Lock()
	if r.j == nil {
		r.mu.Unlock()
		return errLocked
	}
	h := r.header(krama.OrgCircle, kind)
	wire, err := r.streams[krama.OrgCircle].epoch.Seal(r.Rand, r.dev, h, []seal.Item{it}, nil)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	n := h.Head.N
	if _, err = r.streamCall(ctx, krama.OrgCircle, seal.PathAppend, seal.AppendCall{IfHead: &n, Envelopes: [][]byte{wire}}.Marshal()); err != nil {
		return err
	}
	return r.pull(ctx, krama.OrgCircle, StageRoster, func(Progress) {})
}
