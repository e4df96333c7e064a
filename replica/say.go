package replica

import (
	"context"
	"slices"
	"strconv"
	"time"

	"krama"
	"krama/seal"
)

// pushRoster is push for circle 0, where this device also writes beside its syncs.
func (r meeting) pushRoster(ctx context.Context, c krama.CircleID, progress func(Progress)) error {
	r.speaking.Lock()
	defer r.speaking.Unlock()
	return r.push(ctx, c, progress)
}

// beatEvery is how often an office device shows everybody that the relay holds nothing back. An admin's does so too
// when somebody said a new key: its old one can go once an office has read that.
const beatEvery = 24 * time.Hour

// beat has an office say that it is there, once a day: a phone that hears of it knows that nothing older is held back.
func (r meeting) beat(ctx context.Context) error {
	r.speaking.Lock()
	defer r.speaking.Unlock()
	if err := r.hold(); err != nil {
		return err
	}
	var err error
	// What is sealed for circle 0 and not shown yet goes first: a beat would only wait behind it.
	waiting := slices.ContainsFunc(r.led.sealed, func(s *sealedEnvelope) bool { return s.circle == krama.OrgCircle })
	due := r.Office && !waiting && (r.Now().Sub(r.led.heartbeat) >= beatEvery || r.led.roster.Admin(r.led.dev.ID()) &&
		r.led.unvouched())
	if due {
		err = r.sealOne(krama.OrgCircle, []seal.Item{{Kind: seal.KindHeartbeat}})
	}
	r.mu.Unlock()
	if err != nil || !due {
		return err
	}
	return r.push(ctx, krama.OrgCircle, func(Progress) {})
}

// beats reports whether an envelope is an office's heartbeat.
func beats(e *entry) bool {
	return slices.ContainsFunc(e.items, func(it entryItem) bool { return it.Kind == seal.KindHeartbeat })
}

// speak appends one envelope to circle 0, only if nobody else was first, and reads it back. Conflict means: read again
// and decide again.
func (r meeting) speak(ctx context.Context, kind seal.EnvelopeKind, it seal.Item) error {
	return r.speakUnless(ctx, kind, it, func() bool { return false })
}

// errMoot is a statement that was not said, because the roster as it is read by now would refuse it: it would be an
// alarm on every device. It is a Conflict: what was decided is to be decided anew.
var errMoot = krama.E("replica.speak", krama.Conflict, "the list of devices has moved on")

// speakUnless is speak, but for what is moot by the roster at the place where it would stand. moot is called with the
// lock held.
func (r meeting) speakUnless(ctx context.Context, kind seal.EnvelopeKind, it seal.Item, moot func() bool) error {
	r.speaking.Lock()
	defer r.speaking.Unlock()
	if err := r.push(ctx, krama.OrgCircle, nothing); err != nil { // an author's envelopes go in her order
		return err
	}
	if err := r.hold(); err != nil {
		return err
	}
	// Asked of the place where it would stand. If somebody is first there, the relay refuses it and all is decided
	// anew.
	if moot() {
		r.mu.Unlock()
		return errMoot
	}
	h := r.led.header(krama.OrgCircle, kind)
	wire, err := r.led.streams[krama.OrgCircle].epoch.Seal(r.Rand, r.led.dev, h, []seal.Item{it}, nil)
	if err == nil && r.led.copied() {
		err = errCopied
	}
	if err == nil {
		// Durable before it is sent: a device that is started again knows it for its own and not for a copy's.
		err = r.noteSaid(h.Seq, wire)
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	n := h.Head.N
	// Only where the stream ends as it was read: a statement that does not follow what its author had read is refused.
	if _, err = r.streamCall(ctx, krama.OrgCircle, seal.PathAppend, seal.AppendCall{IfHead: &n,
		Envelopes: [][]byte{wire}}.Marshal()); err != nil {
		return err
	}
	return r.pull(ctx, krama.OrgCircle, StageRoster, func(Progress) {})
}

// stateNow appends one roster statement, whatever the roster says of it: the genesis and what follows at once.
func (r meeting) stateNow(ctx context.Context, deed seal.Deed) error {
	r.mu.Lock()
	st, err := seal.NewStatement(r.Rand, r.led.roster.At().N+1, deed)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	return r.speak(ctx, seal.EnvRoster, seal.Item{Kind: seal.KindStatement, Body: seal.StatementBody(st.Marshal())})
}

// stateDeed is stateNow, unless the roster would refuse it by now.
func (r meeting) stateDeed(ctx context.Context, deed seal.Deed) error {
	r.mu.Lock()
	st, err := seal.NewStatement(r.Rand, r.led.roster.At().N+1, deed)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	it := seal.Item{Kind: seal.KindStatement, Body: seal.StatementBody(st.Marshal())}
	return r.speakUnless(ctx, seal.EnvRoster, it, func() bool {
		return r.led.roster.Late(st) || r.led.roster.Refuses(deed,
			r.led.dev.ID()) != nil
	})
}

// settleNotices ends what notices have hidden in a circle that was read to its end: whoever was not erased is shown
// again. Called with the lock held, when circle 0 was read up to place n before that.
func (r meeting) settleNotices(c krama.CircleID, n uint64) error {
	st, settled := r.led.streams[c], r.led.values.settledTo(c)
	if r.j == nil || st == nil || st.closed || !slices.ContainsFunc(r.led.notices, func(o notice) bool {
		return o.n > settled && o.n <= n
	}) {
		return nil
	}
	if err := r.set(noticedKey(c), strconv.FormatUint(n, 10)); err != nil {
		return err
	}
	// Whoever was erased in the circle is off the screen by that; only the others come back.
	for id := range r.led.noticed {
		if id.circle != c {
			continue
		}
		delete(r.led.noticed, id)
		if !r.led.shredded[id] && r.led.await[id] == nil {
			r.led.reshow = true
		}
	}
	return nil
}

// stateNotices says in circle 0 whom the erasures are of that wait in the outbox, before anything else is read or sent.
func (r meeting) stateNotices(ctx context.Context) error {
	r.speaking.Lock()
	defer r.speaking.Unlock()
	if err := r.hold(); err != nil {
		return err
	}
	var items []seal.Item
	var telling []subject
	for _, p := range r.led.outbox {
		id := subject{p.circle, p.item.Subject}
		k, ok := r.led.keys[p.circle][p.item.Subject]
		if p.item.Kind != seal.KindShred || !ok || r.told[id] || len(items) == seal.MaxItems {
			continue
		}
		t := k.EraseToken(r.led.dev.ID())
		telling = append(telling, id)
		if slices.ContainsFunc(r.led.notices, func(n notice) bool { return n.token == t }) {
			continue // told before a restart
		}
		items = append(items, seal.Item{Kind: seal.KindErased, Body: t[:]})
	}
	var err error
	if len(items) > 0 {
		err = r.sealOne(krama.OrgCircle, items)
	}
	if err == nil { // what could not be sealed is tried again
		for _, id := range telling {
			r.told[id] = true
		}
	}
	r.mu.Unlock()
	if err != nil || len(items) == 0 {
		return err
	}
	return r.push(ctx, krama.OrgCircle, nothing)
}
