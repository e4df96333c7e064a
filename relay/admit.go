package relay

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"time"

	"krama"
	"krama/seal"
)

const (
	byControl caller = iota // the programme's control key
	byFounder               // a key that the payload brings, and the relay's token
	byNewest                // a stream's key; of circle 0's streams only the newest's
	byReader                // a stream's key of any age
	byDevice                // a device that the programme's office has named
	byDrop                  // a drop's own key, with a proof of work
	byReceipt               // a reporter's key, with a proof of work
	byWords                 // the key that comes from a device's words
	bySite                  // a public site that runs apart
	byAny                   // whoever's call the parts are for
	byShown                 // a device that shows its key, where no office has named devices yet

	// Whose budgets are of many callers. No principal that a caller names is one of them.
	ofLooks   // all reporters who look for answers
	ofReports // all who report
	ofSlips   // all services
	ofProof   // one proof of work that was used before
)

const (
	small = 8 << 10 // a payload of a few ids and keys
	page  = 1 << 20 // an answer of many items
)

// admit is the one way in for calls. In this order: length; whose key it is, and the signature; freshness; of what
// anybody may call, the proof of work; the budget of that caller; room in memory. Only then are more than CallHead
// bytes read, but for the small payloads that bring their own key, and only then is anything done. done gives the room
// back once the answer is written.
func (r *Relay) admit(l *line, path string, rule rule) (out []byte, done func(), err error) {
	done = func() {}
	size := l.size() - seal.CallHead
	if size < 0 {
		return nil, done, errRefused
	}
	if size > int64(rule.most) {
		return nil, done, krama.E("relay", krama.TooLarge, "")
	}
	head, err := l.read(seal.CallHead)
	if err != nil {
		return nil, done, err
	}
	call, n, err := seal.ParseCallHead(head)
	if err != nil || int64(n) != size {
		return nil, done, errRefused
	}
	q := &request{Call: call, ctx: l.req.Context(), room: rule.answer, most: rule.most}
	give := func(f *flight, who [16]byte, bytes int64) {
		before := done
		done = func() { before(); f.give(who, bytes) }
	}
	var key ed25519.PublicKey
	switch rule.by {
	case byDrop, byReceipt, byFounder: // the key comes with the payload, which is small
		if !r.public.take([16]byte{}, int64(n)) {
			return nil, done, krama.E("relay", krama.TooMany, "")
		}
		give(r.public, [16]byte{}, int64(n))
		if err := r.payload(l, q, n); err != nil {
			return nil, done, err
		}
		key, err = r.own(q, rule.by)
	default:
		key, err = r.whose(q, rule.by)
		if path == seal.PathBoxGet && krama.KindOf(err) == krama.NotYet && r.payload(l, q, n) == nil {
			key, err = r.own(q, byShown)
		}
	}
	if err != nil {
		return nil, done, err
	}
	if !call.Check(key, path, r.boot) {
		return nil, done, errRefused
	}
	now := r.elapsed()
	at := time.Duration(min(call.MS, 1<<43)) * time.Millisecond
	if at < now-r.limit.Skew || at > now+r.limit.Skew {
		return nil, done, errRefused
	}
	if rule.by == byDrop || rule.by == byReceipt {
		if err := r.proved(q); err != nil {
			return nil, done, err
		}
	}
	if err := r.charge(q, rule.by, now); err != nil {
		return nil, done, err
	}
	who, f := q.payer(), r.flight
	if rule.by == byDrop || rule.by == byReceipt {
		who, f = [16]byte{}, r.public
	}
	for !f.take(who, int64(n+q.room)) { // a page may be smaller
		if q.room <= 16<<10 {
			return nil, done, krama.E("relay", krama.TooMany, "")
		}
		q.room /= 2
	}
	give(f, who, int64(n+q.room))
	if call.Payload == nil {
		if err := r.payload(l, q, n); err != nil {
			return nil, done, err
		}
	}
	if out, err = rule.do(q); err == nil {
		r.parts.drop(q.part())
	}
	return out, done, err
}

type proofKey struct{}

// WithProof lets the host of a connection hear that a call over it was signed by somebody whom the relay knows.
func WithProof(ctx context.Context, proved func()) context.Context {
	return context.WithValue(ctx, proofKey{}, proved)
}

// prove tells the connection's host that somebody is known.
func prove(ctx context.Context) {
	if f, ok := ctx.Value(proofKey{}).(func()); ok {
		f()
	}
}

// payload reads what the head has announced, or takes it from the parts that went ahead of it.
func (r *Relay) payload(l *line, q *request, n int) (err error) {
	if n == 0 && q.Sum != seal.SHA256(nil) {
		if q.Payload = r.parts.take(q.part()); q.Payload == nil {
			return krama.E("relay", krama.NotFound, "parts are missing")
		}
		if len(q.Payload) > q.most {
			r.parts.drop(q.part())
			return krama.E("relay", krama.TooLarge, "")
		}
		return nil
	}
	if q.Payload, err = l.read(n); err != nil {
		return err
	}
	if seal.SHA256(q.Payload) != q.Sum {
		return errRefused
	}
	return nil
}

// refuse makes what is not there what is not allowed: a stranger does not learn which ids exist.
func refuse(err error) error {
	if krama.KindOf(err) == krama.NotFound {
		return errRefused
	}
	return err
}

// named finds the programme that a call names. A programme that an earlier version founded has no name yet; while it is
// the only one without, it is meant by every name that nobody has.
func (r *Relay) named(ctx context.Context, site [16]byte) (p Programme, err error) {
	if p, ok := r.Brief.Programme(site); ok {
		return p, nil
	}
	if p, err = r.store.Named(ctx, site); err == nil { // a stranger's guesses wait for nobody
		err = r.Brief.Alone(func() error { // against a change meanwhile
			if p, err = r.store.Named(ctx, site); err == nil {
				r.Brief.SetProgramme(site, p)
			}
			return err
		})
	}
	if krama.KindOf(err) == krama.NotFound && err != nil {
		p, err = r.store.Unnamed(ctx)
		return p, refuse(err)
	}
	return p, err
}

// whose finds the key that a call must be signed with, in the programme that it names and nowhere else.
func (r *Relay) whose(q *request, by caller) (ed25519.PublicKey, error) {
	if by == bySite {
		return r.SiteKey, nil
	}
	if by == byWords {
		return r.pepperKey(q)
	}
	p, err := r.named(q.ctx, q.Programme)
	// its programme may be one of several without a name: then the stream or the control key tells which
	old := err != nil
	if krama.KindOf(err) != krama.NotAllowed && err != nil {
		return nil, err
	}
	if by == byControl || by == byAny && (q.Principal == p.ID || old) {
		c, err := r.store.Programme(q.ctx, q.Principal)
		if err == nil && (c.ID == p.ID || old && c.Site == [16]byte{}) {
			q.programme = c
			return c.Control, nil
		}
		if by == byControl || krama.KindOf(err) != krama.NotFound {
			return nil, cmp.Or(refuse(err), errRefused)
		}
	}
	if by != byDevice {
		s, err := r.stream(q.ctx, seal.StreamID(q.Principal))
		if err == nil && s.Programme != p.ID && old {
			if p, err = r.store.Programme(q.ctx, s.Programme); err == nil && p.Site != [16]byte{} {
				err = errRefused
			}
		}
		switch {
		case err == nil && s.Programme == p.ID:
			if q.programme, q.stream = p, s; by == byNewest && s.Roster && s.Succeeded {
				return nil, krama.E("relay", krama.Conflict, "a newer stream is there")
			}
			return s.Access, nil
		case by != byAny || krama.KindOf(err) != krama.NotAllowed:
			return nil, cmp.Or(err, errRefused)
		}
	}
	if old {
		return nil, errRefused
	}
	return r.memberKey(q, p)
}

// memberKey is the key of a device that the programme's office has named. Of a programme without a name the office must
// come first: but a mailbox is read by who shows the key that its id commits to, or trustees could not bring such a
// programme back.
func (r *Relay) memberKey(q *request, p Programme) (ed25519.PublicKey, error) {
	m, err := r.store.Member(q.ctx, p.ID, known(krama.DeviceID(q.Principal)))
	if krama.KindOf(err) == krama.NotFound && err != nil && p.Site == ([16]byte{}) {
		return nil, krama.E("relay", krama.NotYet, "the programme's office has not named its devices")
	}
	q.programme, q.member = p, m
	return m.Key, refuse(err)
}

// own finds the key that a call brings with it, which its principal commits to.
func (r *Relay) own(q *request, by caller) (key ed25519.PublicKey, err error) {
	switch by {
	case byFounder:
		var c seal.FoundCall
		if c, err = seal.ParseFound(q.Payload); err == nil {
			key, err = seal.SigKey(c.Control)
		}
		if err != nil || seal.ProgrammeID(key) != q.Principal || !r.mayFound(c.Token) {
			return nil, errRefused
		}
		return key, nil
	case byShown:
		var c seal.BoxGetCall
		if c, err = seal.ParseBoxGet(q.Payload); err == nil {
			key, err = seal.SigKey(c.Pub)
		}
		if err != nil || [16]byte(seal.DeviceID(key, c.Nonce)) != q.Principal {
			return nil, errRefused
		}
	default: // byDrop, byReceipt
		var p seal.ProofOfWork
		if p, err = seal.ParseProofOfWork(q.Payload); err == nil {
			key, err = seal.SigKey(p.Pub)
		}
		if err != nil || by == byDrop && seal.DropID(key) != q.Principal {
			return nil, errRefused
		}
	}
	if by != byDrop {
		q.programme, err = r.named(q.ctx, q.Programme)
	}
	return key, err
}

// proved checks the proof of work of a call that anybody may make: key, day, proof stand first in its payload.
func (r *Relay) proved(q *request) error {
	p, err := seal.ParseProofOfWork(q.Payload)
	if err != nil {
		return errRefused
	}
	day := p.Day
	q.proof = p.Proof[:]
	if today := krama.DayOf(r.now()); day < today-1 || day > today+1 {
		return errRefused
	}
	ok, err := r.work.check(q.ctx, func() bool { return seal.CallWorked(q.Principal, day, p.Proof) })
	if err == nil && !ok {
		err = errRefused
	}
	return err
}

// charge takes one call from its caller's budget, and makes it single. What anybody may call has budgets of its own,
// which only who brought a proof takes from: nobody else's depend on them.
func (r *Relay) charge(q *request, by caller, now time.Duration) error {
	p := q.programme.ID
	ok, single := true, true
	switch by {
	case byDrop:
		ok, single = r.once(q, now, func() bool {
			return r.take(by, p, [16]byte{}, now, r.limit.DropRate,
				10*r.limit.DropRate)
		})
	case byReceipt:
		ok, single = r.once(q, now, func() bool {
			return r.take(ofLooks, p, [16]byte{}, now, replyRate, replyBurst) && r.take(by, p,
				q.Principal, now, 1, 8)
		})
	case byDevice:
		ok = r.take(by, p, q.Principal, now, 5, 50)
	case byWords: // counted before its signature was checked
	default:
		ok = r.take(by, p, q.Principal, now, r.limit.Rate, r.limit.Burst)
	}
	if !ok {
		return krama.E("relay", krama.TooMany, "")
	}
	if !single { // a repetition of what has its own proof changes nothing
		return nil
	}
	fresh, room := r.Brief.Nonce(q.payer(), q.Nonce, now)
	if !room {
		return krama.E("relay", krama.TooMany, "")
	}
	if !fresh {
		return errRefused
	}
	return nil
}

// once takes one use of a proof from the budget of everybody who brought one. Who uses a proof again, because an answer
// was lost, takes from nobody else's: a few times, and then one a minute.
func (r *Relay) once(q *request, now time.Duration, budget func() bool) (ok, single bool) {
	h := seal.Hash("spent", q.Principal[:], q.proof)
	id := [16]byte(h[:16])
	if r.Brief.Used(id) {
		return r.take(ofProof, q.programme.ID, id, now, 1.0/60, 4), false
	}
	if !budget() {
		return false, false
	}
	_, room := r.Brief.Use(id, now)
	return room, false
}

// stream finds a stream; one that is not there is refused like one whose key is another.
func (r *Relay) stream(ctx context.Context, id seal.StreamID) (s Stream, err error) {
	if s, ok := r.Brief.Stream(id); ok {
		return s, nil
	}
	err = r.Brief.Alone(func() error { // against a successor that changes the key meanwhile
		if s, err = r.store.Stream(ctx, id); err == nil {
			r.Brief.SetStream(s)
		}
		return err
	})
	return s, refuse(err)
}

// take takes one call from a budget.
func (r *Relay) take(by caller, programme, who [16]byte, now time.Duration, rate, burst float64) bool {
	return r.Brief.Take(Payer{uint8(by), programme, who}, now, rate, burst)
}
