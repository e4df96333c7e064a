package replica

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"krama"
	"krama/journal"
	"krama/seal"
)

// dropEvery is how long an admin's office collects what the relay need not keep, before it has it dropped: asked for one by one, it
// would tell the relay which envelopes speak of one person.
const dropEvery = 30 * 24 * time.Hour

// dropPeople is how many erased people a batch speaks of, at least.
const dropPeople = 2

// grave is an envelope whose body can go.
type grave struct {
	e     *entry
	epoch *seal.Epoch
}

// dropBodies has the relay replace the envelopes in which everybody was erased by tombstones (protocol §10.2), at most once a month
// and several people's together. An envelope that also speaks of somebody who is kept stays; the erased person's items in it open
// with no key. Only of epochs that are closed: their order is signed.
func (r *Replica) dropBodies(ctx context.Context) error {
	if !r.Office {
		return nil
	}
	for _, c := range r.circles() {
		graves, err := r.graves(c)
		if err != nil {
			return err
		}
		if err := r.bury(ctx, c, graves); err != nil {
			return err
		}
	}
	return nil
}

// graves finds what can be dropped of a circle now; nothing unless a month has passed and enough people were erased.
func (r *Replica) graves(c krama.CircleID) (out []grave, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.streams[c]
	if r.j == nil || st == nil {
		return nil, errLocked
	}
	day, done := r.buried(c)
	if r.Now().Sub(day) < dropEvery || !slices.ContainsFunc(r.shreds, func(s Shred) bool { return s.Circle == c }) {
		return nil, nil
	}
	_, key, err := r.readKeys(r.vk)
	if err != nil {
		return nil, err
	}
	who := map[krama.SubjectID]bool{}
	_, _, err = journal.Open(r.file, seal.Local{Key: key}, r.Rand, func(b []byte, _ bool) error {
		if b[0] != tagEnvelope && b[0] != tagLater {
			return nil
		}
		e, err := parseEnvelope(b[0], b[1:])
		if err != nil || e.circle != c || e.epoch >= st.epoch.Epoch || st.known[e.epoch] == nil || e.verdict != seal.Fine || done[shortID(e.id)] {
			return err
		}
		if cut, ok := r.cuts[place{c, e.epoch}]; (!ok || e.n <= cut.n) && r.dead(e) {
			for _, it := range e.items {
				who[it.Subject] = true
			}
			e.items, e.wire = nil, nil
			out = append(out, grave{e, st.known[e.epoch]})
		}
		return nil
	})
	if err != nil || len(who) < dropPeople {
		return nil, hostError("replica.graves", err)
	}
	return out, nil
}

// dead reports whether an envelope speaks of erased people alone.
func (r *Replica) dead(e *entry) bool {
	for _, it := range e.items {
		if it.Kind != seal.KindRecord && it.Kind != seal.KindSubjectKey || !r.gone(e.circle, it.Subject) {
			return false
		}
	}
	return len(e.items) > 0
}

// bury puts tombstones at the relay and remembers them; the next rewriting of this device's own file leaves the bodies out.
func (r *Replica) bury(ctx context.Context, c krama.CircleID, graves []grave) error {
	if len(graves) == 0 {
		return nil
	}
	for part := range slices.Chunk(graves, seal.MaxBatch) {
		var call [][]byte
		for _, g := range part {
			wire, err := r.tombstone(g.epoch, g.e)
			if err != nil {
				return err
			}
			id := g.epoch.StreamID()
			call = append(call, id[:], u64(g.e.n), wire)
		}
		if err := r.controlCall(ctx, seal.PathTombstone, seal.Frame(call...)); err != nil {
			return err
		}
	}
	var b strings.Builder
	b.WriteString(r.Now().UTC().Format(time.DateOnly))
	r.mu.Lock()
	_, done := r.buried(c)
	for _, g := range graves {
		done[shortID(g.e.id)] = true
	}
	r.mu.Unlock()
	for id := range done {
		b.WriteByte(' ')
		b.WriteString(id)
	}
	if err := r.SetValue(buriedKey(c), b.String()); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.untidy = true
	return nil
}

// tombstone makes what stands for an envelope.
func (r *Replica) tombstone(ep *seal.Epoch, e *entry) ([]byte, error) {
	return ep.SealTombstone(r.Rand, seal.Tombstone{ID: e.id, Author: e.author, Seq: e.seq, Prev: e.prev, TimeMS: e.timeMS}, r.dev.ID(), r.dev.Sig)
}

// buriedKey names the value that says when bodies of a circle were last dropped, and which.
func buriedKey(c krama.CircleID) string { return ".buried." + c.String() }

// buried reads it. Called with the lock held.
func (r *Replica) buried(c krama.CircleID) (day time.Time, ids map[string]bool) {
	ids = map[string]bool{}
	for i, f := range strings.Fields(r.values[buriedKey(c)]) {
		if i == 0 {
			day, _ = time.Parse(time.DateOnly, f)
		} else {
			ids[f] = true
		}
	}
	return day, ids
}

func shortID(id [32]byte) string { return hex.EncodeToString(id[:8]) }

// admitTombstone takes a tombstone in its envelope's place: in a closed epoch, with an admin's signature, in its author's order.
func (r *Replica) admitTombstone(c krama.CircleID, st *stream, wire []byte) *entry {
	e := &entry{circle: c, epoch: st.epoch.Epoch, n: st.head.N + 1, id: seal.WireID(wire), kind: seal.EnvContent}
	t, err := st.epoch.OpenTombstone(wire)
	if err != nil {
		e.verdict = seal.WasTampered
		return e
	}
	if _, closed := r.roster.ClosedAt(c, st.epoch.Epoch); !closed || c == krama.OrgCircle {
		e.verdict = seal.Unauthorised // in an open epoch nothing is old enough
		return e
	}
	e.author, e.seq, e.prev, e.timeMS = t.Author, t.Seq, t.Prev, min(t.TimeMS, uint64(r.Now().UnixMilli()))
	dev := r.roster.Devices[t.Signer]
	switch {
	case dev == nil || r.roster.Members[dev.Member].Held&krama.RoleAdmin == 0:
		e.verdict = seal.Unauthorised
	case !t.Verify(dev.Request.SigPub):
		e.verdict = seal.Forged
	default:
		e.verdict = st.order(t.Author, t.Seq, t.Prev, e.id)
	}
	return e
}
