package replica

import (
	"context"
	"crypto/ed25519"

	"krama"
	"krama/seal"
)

// Publish gives the relay what the programme shows to anybody, and which intakes are open. It is an admin's act.
func (r Reports) Publish(ctx context.Context, door []byte, intakes [][16]byte) error {
	err := r.controlCall(ctx, seal.PathDoor, seal.DoorCall{Door: door, Intakes: intakes}.Marshal())
	return krama.Wrap("replica.Publish", err)
}

// Incoming is a report as the relay kept it.
type Incoming struct {
	K      int64
	Day    krama.Day
	Sealed []byte
}

// FetchReports asks for what was reported to an intake of a circle after K, as much as one answer holds, and how many
// there are in all.
func (r Reports) FetchReports(ctx context.Context, k krama.CircleKind, keys *seal.IntakeKeys,
	after int64) (list []Incoming, waiting int, err error) {
	const op = "replica.FetchReports"
	out, err := r.intakeCall(ctx, k, keys, seal.PathReports, after)
	if err != nil {
		return nil, 0, krama.Wrap(op, err)
	}
	found, _, err := seal.ParseHeld(out)
	if err != nil || len(found) == 0 {
		return nil, 0, krama.E(op, krama.Tampered, "answer")
	}
	// The first item holds no report: its place tells how many wait, and one more (doc/format.md, 9).
	for _, h := range found[1:] {
		if len(h.Body) < 4 {
			return nil, 0, krama.E(op, krama.Tampered, "answer")
		}
		list = append(list, Incoming{int64(min(h.K, 1<<62)), krama.Day(be32(h.Body)), h.Body[4:]})
	}
	return list, int(min(found[0].K-1, 1<<30)), nil
}

// DropReports has the relay forget reports of an intake: up to and with K, and those whose sealed bytes have one of the
// sums.
func (r Reports) DropReports(ctx context.Context, k krama.CircleKind, keys *seal.IntakeKeys, upTo int64,
	sums ...[32]byte) error {
	_, err := r.intakeCall(ctx, k, keys, seal.PathReported, upTo, sums...)
	return krama.Wrap("replica.DropReports", err)
}

// Stream names the stream of a circle's epoch that this device is in: an intake that is drawn now belongs to it.
func (r Reports) Stream(k krama.CircleKind) (id seal.StreamID, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.led.circle(k)
	if !ok {
		return id, false
	}
	return r.led.streams[c].epoch.StreamID(), true
}

// Streams are the ids of a circle's streams as far as this device knows them: an intake that names another is not the
// circle's.
func (r Reports) Streams(k krama.CircleKind) map[seal.StreamID]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[seal.StreamID]bool{}
	if c, ok := r.led.circle(k); ok {
		for _, e := range r.led.streams[c].known {
			out[r.led.streams[c].id(e)] = true
		}
	}
	return out
}

// Departed reports whether a device that could read a circle in the epoch of one of its streams, or since, no longer
// can: who has it may keep what was written there. A device that joined later counts, where it was given the history.
func (r Reports) Departed(k krama.CircleKind, stream seal.StreamID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.led.circle(k)
	if !ok {
		return false
	}
	now := r.led.roster.Latest(c)
	for n, e := range r.led.streams[c].known {
		epochs := r.led.roster.Circles[c].Epochs
		if r.led.streams[c].id(e) != stream || int(n) >= len(epochs) {
			continue
		}
		for _, ep := range epochs[n:] {
			for d := range ep.Keyed {
				if !now.Keyed[d] {
					return true
				}
			}
		}
	}
	return false
}

// intakeCall makes a call about an intake, in the name of the circle that it belongs to.
func (r Reports) intakeCall(ctx context.Context, kind krama.CircleKind, keys *seal.IntakeKeys, path string, k int64,
	sums ...[32]byte) ([]byte, error) {
	r.mu.Lock()
	c, ok := r.led.circle(kind)
	if !ok {
		r.mu.Unlock()
		return nil, errLocked
	}
	access := r.led.streams[c].newest().StreamKey()
	r.mu.Unlock()
	call := seal.IntakeCall{Sig: keys.Sig.Public().(ed25519.PublicKey), Place: uint64(k), Sums: sums}
	// An intake of the first version does not commit to its KEM key and is asked for without (doc/format.md, 4).
	if keys.Bound {
		h := keys.KemHash()
		call.Kem = &h
	}
	return r.call(ctx, access, path, keys.Stream, call.Marshal())
}

// Reply puts a sealed answer into a reporter's mailbox.
func (r Reports) Reply(ctx context.Context, mailbox [16]byte, item []byte) error {
	_, err := r.streamCall(ctx, krama.OrgCircle, seal.PathAnswerPut,
		seal.AnswerCall{Mailbox: mailbox, Item: item}.Marshal())
	return krama.Wrap("replica.Reply", err)
}

// SlipAnswer is what a service said of a slip.
type SlipAnswer struct {
	What uint8
	Day  krama.Day
}

// SlipAnswers asks what was said of slips, in their order.
func (r Reports) SlipAnswers(ctx context.Context, codes []krama.SlipCode) (out [][]SlipAnswer, err error) {
	const op = "replica.SlipAnswers"
	for len(codes) > 0 {
		n := min(len(codes), seal.MaxSlips)
		var ask seal.SlipsCall
		for _, c := range codes[:n] {
			ask.Boxes = append(ask.Boxes, seal.SlipBox(c))
		}
		b, err := r.streamCall(ctx, krama.OrgCircle, seal.PathSlips, ask.Marshal())
		if err != nil {
			return nil, krama.Wrap(op, err)
		}
		it, err := seal.ParseFrame(b, n)
		if err != nil || len(it) != n {
			return nil, krama.E(op, krama.Tampered, "answer")
		}
		for _, one := range it {
			answers, err := seal.ParseFrame(one, 64)
			if err != nil {
				return nil, krama.E(op, krama.Tampered, "answer")
			}
			var list []SlipAnswer
			for _, a := range answers {
				if len(a) == 5 && krama.Known(krama.Outcomes, a[0]) {
					list = append(list, SlipAnswer{a[0], krama.Day(be32(a[1:]))})
				}
			}
			out = append(out, list)
		}
		codes = codes[n:]
	}
	return out, nil
}
