package replica

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"

	"krama"
	"krama/seal"
)

// Publish gives the relay what the programme shows to anybody, and which intakes are open. It is an admin's act.
func (r *Replica) Publish(ctx context.Context, door []byte, intakes [][16]byte) error {
	items := [][]byte{door}
	for _, id := range intakes {
		items = append(items, id[:])
	}
	return krama.Wrap("replica.Publish", r.controlCall(ctx, seal.PathDoor, seal.Frame(items...)))
}

// Site is what receipts of this programme are bound to: a hash of the organisation, so that it is the same on every desk.
func (r *Replica) Site() (site [16]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.roster != nil {
		h := seal.Hash("site", r.roster.Org[:])
		site = [16]byte(h[:16])
	}
	return site
}

// Incoming is a report as the relay kept it.
type Incoming struct {
	K      int64
	Day    krama.Day
	Sealed []byte
}

// FetchReports asks for what was reported to an intake of a circle after K, as much as one answer holds, and how many there are in all.
func (r *Replica) FetchReports(ctx context.Context, k krama.CircleKind, keys *seal.IntakeKeys, after int64) (list []Incoming, waiting int, err error) {
	const op = "replica.FetchReports"
	out, err := r.intakeCall(ctx, k, keys, seal.PathReports, after)
	if err != nil {
		return nil, 0, krama.Wrap(op, err)
	}
	it, err := seal.ParseFrame(out, 1<<16)
	if err != nil || len(it)%3 != 1 || len(it[0]) != 8 {
		return nil, 0, krama.E(op, krama.Tampered, "answer")
	}
	for i := 1; i < len(it); i += 3 {
		if len(it[i]) != 8 || len(it[i+1]) != 4 {
			return nil, 0, krama.E(op, krama.Tampered, "answer")
		}
		list = append(list, Incoming{int64(binary.BigEndian.Uint64(it[i]) >> 1), krama.Day(binary.BigEndian.Uint32(it[i+1])), it[i+2]})
	}
	return list, int(min(binary.BigEndian.Uint64(it[0]), 1<<30)), nil
}

// DropReports has the relay forget reports of an intake: up to and with K, and those whose sealed bytes have one of the sums.
func (r *Replica) DropReports(ctx context.Context, k krama.CircleKind, keys *seal.IntakeKeys, upTo int64, sums ...[32]byte) error {
	_, err := r.intakeCall(ctx, k, keys, seal.PathReported, upTo, sums...)
	return krama.Wrap("replica.DropReports", err)
}

// Stream names the stream of a circle's epoch that this device is in: an intake that is drawn now belongs to it.
func (r *Replica) Stream(k krama.CircleKind) (id seal.StreamID, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.circle(k)
	if !ok {
		return id, false
	}
	return r.streams[c].epoch.StreamID(), true
}

// Streams are the ids of a circle's streams as far as this device knows them: an intake that names another is not the circle's.
func (r *Replica) Streams(k krama.CircleKind) map[seal.StreamID]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[seal.StreamID]bool{}
	if c, ok := r.circle(k); ok {
		for _, e := range r.streams[c].known {
			out[e.StreamID()] = true
		}
	}
	return out
}

func (r *Replica) intakeCall(ctx context.Context, kind krama.CircleKind, keys *seal.IntakeKeys, path string, k int64, sums ...[32]byte) ([]byte, error) {
	r.mu.Lock()
	c, ok := r.circle(kind)
	if !ok {
		r.mu.Unlock()
		return nil, errLocked
	}
	access := r.streams[c].newest().StreamKey()
	r.mu.Unlock()
	sig := keys.Sig.Public().(ed25519.PublicKey)
	var named []byte
	for _, s := range sums {
		named = append(named, s[:]...)
	}
	return r.call(ctx, access, path, keys.Stream, seal.Frame(sig, binary.BigEndian.AppendUint64(nil, uint64(k)<<1), named))
}

// Reply puts a sealed answer into a reporter's mailbox.
func (r *Replica) Reply(ctx context.Context, mailbox [16]byte, item []byte) error {
	return krama.Wrap("replica.Reply", r.putBoxes(ctx, [][]byte{mailbox[:], item}))
}

// SlipAnswer is what a service said of a slip.
type SlipAnswer struct {
	What uint8
	Day  krama.Day
}

// SlipAnswers asks what was said of slips, in their order.
func (r *Replica) SlipAnswers(ctx context.Context, codes []krama.SlipCode) (out [][]SlipAnswer, err error) {
	const op = "replica.SlipAnswers"
	for len(codes) > 0 {
		n := min(len(codes), 200)
		var ids [][]byte
		for _, c := range codes[:n] {
			id := seal.SlipBox(c)
			ids = append(ids, id[:])
		}
		b, err := r.streamCall(ctx, krama.OrgCircle, seal.PathSlips, seal.Frame(ids...))
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
					list = append(list, SlipAnswer{a[0], krama.Day(binary.BigEndian.Uint32(a[1:]))})
				}
			}
			out = append(out, list)
		}
		codes = codes[n:]
	}
	return out, nil
}
