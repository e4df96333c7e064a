package replica

import (
	"bytes"
	"context"
	"encoding/hex"
	"maps"
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
	if e := r.ClockError(); !r.Office || e > day || e < -day {
		return nil
	}
	for _, c := range r.circles() {
		graves, again, err := r.graves(c)
		if err == nil && len(graves) > 0 {
			err = r.bury(ctx, c, graves)
		}
		if err == nil && again {
			err = r.SetValue(unburiedKey(c), "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const day = 24 * time.Hour

// undertaker reports whether it is this desk's part to have bodies dropped: that of the admins' desks that were seen within two weeks
// whose id is the least. Two that did it side by side would tell the relay, by what one adds to the other's batch, which
// envelopes are one person's. Called with the lock held.
func (r *Replica) undertaker() bool {
	me := r.dev.ID()
	for _, d := range r.adminDevices() {
		seen := time.UnixMilli(int64(r.seen[d]))
		if bytes.Compare(d[:], me[:]) < 0 && r.roster.Devices[d].Request.Platform == r.dev.Platform && r.Now().Sub(seen) < 14*day {
			return false
		}
	}
	return true
}

// graves finds what can be dropped of a circle now; nothing unless a month has passed and enough people were erased of whom nothing
// was dropped before. After a relay was restored it is all that was dropped before, once more.
func (r *Replica) graves(c krama.CircleID) (out []grave, again bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.streams[c]
	if r.j == nil || st == nil {
		return nil, false, errLocked
	}
	last, done := r.buried(c)
	again = r.values[unburiedKey(c)] != ""
	tried := [2]int{len(r.shreds), int(st.epoch.Epoch)}
	if !r.undertaker() || !again && (r.Now().Sub(last) < dropEvery && !last.After(r.Now()) || r.tried[c] == tried) {
		return nil, false, nil
	}
	_, key, err := r.readKeys(r.vk)
	if err != nil {
		return nil, false, err
	}
	who, before := map[krama.SubjectID]bool{}, map[krama.SubjectID]bool{}
	var fresh []grave
	_, _, err = journal.Open(r.file, seal.Local{Key: key}, r.Rand, func(b []byte, _ bool) error {
		if b[0] != tagEnvelope && b[0] != tagLater {
			return nil
		}
		e, err := parseEnvelope(b[0], b[1:])
		if err != nil || e.circle != c || e.epoch >= st.epoch.Epoch || st.known[e.epoch] == nil || e.verdict != seal.Fine {
			return err
		}
		if cut, ok := r.cuts[place{c, e.epoch}]; ok && e.n > cut.n {
			return nil
		}
		_, stone := seal.TombstoneID(e.wire)
		g := grave{&entry{circle: c, epoch: e.epoch, n: e.n, id: e.id, author: e.author, seq: e.seq, prev: e.prev, timeMS: e.timeMS}, st.known[e.epoch]}
		switch {
		case stone || done[shortID(e.id)]:
			for _, it := range e.items {
				before[it.Subject] = true
			}
			if again {
				out = append(out, g)
			}
		case r.dead(e):
			for _, it := range e.items {
				who[it.Subject] = true
			}
			fresh = append(fresh, g)
		}
		return nil
	})
	if err != nil {
		return nil, false, hostError("replica.graves", err)
	}
	if r.tried == nil {
		r.tried = map[krama.CircleID][2]int{}
	}
	r.tried[c] = tried
	for s := range before {
		delete(who, s)
	}
	if again || len(who) < dropPeople {
		return out, again, nil
	}
	return fresh, false, nil
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
	r.mu.Lock()
	last, done := r.buried(c)
	again := r.values[unburiedKey(c)] != ""
	for _, g := range graves {
		done[shortID(g.e.id)] = true
	}
	r.mu.Unlock()
	if !again {
		last = r.Now()
	}
	list := append([]string{last.UTC().Format(time.DateOnly)}, slices.Sorted(maps.Keys(done))...)
	if err := r.SetValue(buriedKey(c), strings.Join(list, " ")); err != nil {
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

// buriedKey names the value that says when bodies of a circle were last dropped, and which; unburiedKey the one that says that the
// relay was restored and may have them again.
func buriedKey(c krama.CircleID) string   { return ".buried." + c.String() }
func unburiedKey(c krama.CircleID) string { return ".unburied." + c.String() }

// buried reads it. Called with the lock held.
func (r *Replica) buried(c krama.CircleID) (last time.Time, ids map[string]bool) {
	ids = map[string]bool{}
	for i, f := range strings.Fields(r.values[buriedKey(c)]) {
		if i == 0 {
			last, _ = time.Parse(time.DateOnly, f)
		} else {
			ids[f] = true
		}
	}
	return last, ids
}

func shortID(id [32]byte) string { return hex.EncodeToString(id[:8]) }

// admitTombstone takes a tombstone in its envelope's place: in a closed epoch, with the signature of an admin of that time, in its
// author's order. One that is not so does not get the envelope's id: the stream parts from the signed one, and is read again.
func (r *Replica) admitTombstone(c krama.CircleID, st *stream, wire []byte) (*entry, error) {
	e := &entry{circle: c, epoch: st.epoch.Epoch, n: st.head.N + 1, id: seal.EnvelopeID(wire), kind: seal.EnvContent}
	t, err := st.epoch.OpenTombstone(wire)
	if err != nil {
		e.verdict = seal.WasTampered
		return e, nil
	}
	_, closed := r.roster.ClosedAt(c, st.epoch.Epoch)
	dev := r.roster.Devices[t.Signer]
	if !closed || dev == nil {
		return nil, errAhead // the roster may say more; in an open epoch nothing is old enough
	}
	next := r.roster.Circles[c].Epochs[st.epoch.Epoch+1]
	switch {
	case r.roster.Members[dev.Member].Held&krama.RoleAdmin == 0, dev.Removed != 0 && dev.Removed < next.Opened:
		e.verdict = seal.Unauthorised
	case !t.Verify(dev.Request.SigPub):
		e.verdict = seal.Forged
	default:
		e.id, e.author, e.seq, e.prev, e.timeMS = t.ID, t.Author, t.Seq, t.Prev, min(t.TimeMS, uint64(r.Now().UnixMilli()))
		e.verdict = st.order(e.author, e.seq, e.prev, e.id)
	}
	return e, nil
}
