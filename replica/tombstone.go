package replica

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"krama"
	"krama/seal"
)

// dropEvery is how long an admin's office waits after it had bodies dropped: asked for one by one, they would tell the
// relay which envelopes speak of one person.
const dropEvery = 30 * 24 * time.Hour

// dropPeople is how many erased people a batch speaks of, at least.
const dropPeople = 2

// grave is an envelope whose body can go.
type grave struct {
	e     *entry
	epoch *seal.Epoch
	who   []krama.SubjectID
}

// dropBodies has the relay replace the envelopes in which everybody was erased by tombstones, at most
// once a month and several people's together. An envelope that also speaks of somebody who is kept stays; the erased
// person's items in it open with no key. Only of epochs that are closed: their order is signed.
func (r Admin) dropBodies(ctx context.Context) error {
	if e := r.ClockError(); !r.Office || e > day || e < -day {
		return nil
	}
	for _, c := range r.circles() {
		if err := r.dropBodiesOf(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// dropBodiesOf drops one circle's bodies: it chooses a batch, makes the choice durable, has the relay put tombstones in
// their places, and goes on with the same batch after a cut.
func (r Admin) dropBodiesOf(ctx context.Context, c krama.CircleID) error {
	r.mu.Lock()
	if r.j == nil || r.led.streams[c] == nil {
		r.mu.Unlock()
		return errLocked
	}
	last, done := r.led.values.buried(c)
	again := r.led.values.of(unburiedKey(c)) != ""
	final := len(r.led.final(c))
	seen, looked := r.tried[c]
	few := looked && final == seen // reading all that was ever written again would find no batch
	wait := !r.undertaker(c) || !again && (r.Now().Sub(last) < dropEvery && !last.After(r.Now()) || few)
	r.mu.Unlock()
	if wait {
		return nil
	}
	old, fresh, err := r.graves(c, done)
	if err != nil {
		return err
	}
	if again { // said before and perhaps not done: a call was cut, or the relay was restored
		if err := r.bury(ctx, old); err != nil {
			return err
		}
		return r.SetValue(unburiedKey(c), "")
	}
	// What another desk had dropped is a tombstone at the relay already, and is not part of a new batch.
	stones, err := r.stonesAt(ctx, c, fresh)
	if err != nil {
		return err
	}
	before, who := map[krama.SubjectID]bool{}, map[krama.SubjectID]bool{}
	for _, g := range old {
		for _, s := range g.who {
			before[s] = true
		}
	}
	batch := fresh[:0:0]
	for _, g := range fresh {
		if !stones[g.e.id] {
			batch = append(batch, g)
			continue
		}
		done[shortID(g.e.id)] = true
		for _, s := range g.who {
			before[s] = true
		}
	}
	for _, g := range batch {
		for _, s := range g.who {
			who[s] = !before[s]
		}
	}
	maps.DeleteFunc(who, func(_ krama.SubjectID, new bool) bool { return !new })
	if len(who) < dropPeople || len(stones) > 0 { // another desk was here, who knows when: its month is ours
		batch = nil
	}
	// Reading the whole file again finds nothing before somebody else is erased for good.
	if len(old)+len(stones)+len(batch) == 0 {
		r.mu.Lock()
		r.tried[c] = final
		r.mu.Unlock()
		return nil
	}
	for _, g := range batch {
		done[shortID(g.e.id)] = true
	}
	list := append([]string{r.Now().UTC().Format(time.DateOnly)}, slices.Sorted(maps.Keys(done))...)
	if err := r.SetValue(unburiedKey(c), "1"); err != nil { // from here on it is this batch, whatever is cut
		return err
	}
	// From now on this desk's own file and its repairs take these bodies for gone.
	if err := r.SetValue(buriedKey(c), strings.Join(list, " ")); err != nil {
		return err
	}
	// Another desk may have repaired the relay since, with bodies that this one had dropped.
	buried, err := r.stonesAt(ctx, c, old)
	if err != nil {
		return err
	}
	back := slices.DeleteFunc(old, func(g grave) bool { return buried[g.e.id] })
	if err := r.bury(ctx, append(back, batch...)); err != nil {
		return err
	}
	return r.SetValue(unburiedKey(c), "")
}

// undertaker reports whether it is this desk's part to have a circle's bodies dropped: that of the admins' desks in it
// that were seen within two weeks whose id is the least. Called with the lock held.
func (r Admin) undertaker(c krama.CircleID) bool {
	me, in := r.led.dev.ID(), r.led.roster.Latest(c)
	for _, d := range r.adminDevices() {
		if in == nil || !in.Keyed[d] {
			continue
		}
		// Two weeks without a word, and the next desk takes over.
		seen := time.UnixMilli(int64(r.led.seen[d]))
		if bytes.Compare(d[:], me[:]) < 0 && r.led.roster.Devices[d].Request.Platform == r.led.dev.Platform &&
			r.Now().Sub(seen) < 14*day {
			return false
		}
	}
	return true
}

// graves finds in this device's own file what was dropped of a circle, and what could be.
func (r Admin) graves(c krama.CircleID, done map[string]bool) (old, fresh []grave, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.led.streams[c]
	if r.j == nil || st == nil {
		return nil, nil, errLocked
	}
	_, key, err := r.readKeys(r.vk)
	if err != nil {
		return nil, nil, err
	}
	final := r.led.final(c)
	closed := map[uint32]bool{}
	void := func(of func(epoch uint32) bool) {
		f := func(g grave) bool { return of(g.e.epoch) }
		old, fresh = slices.DeleteFunc(old, f), slices.DeleteFunc(fresh, f)
	}
	err = r.entries(key, func(b []byte) error {
		at, begun := begunAnew(b)
		switch { // what is read again is judged again
		case b[0] == tagClose && placeOf(b).circle == c:
			closed[placeOf(b).epoch] = true
		case begun && at == openEpoch(c):
			void(func(e uint32) bool { return !closed[e] })
		case begun && at.circle == c:
			void(func(e uint32) bool { return e == at.epoch })
		}
		if b[0] != tagEnvelope && b[0] != tagLater {
			return nil
		}
		e, err := parseEnvelope(b[0], b[1:])
		if err != nil || e.circle != c || e.epoch >= st.epoch.Epoch || st.known[e.epoch] == nil ||
			e.verdict != seal.Fine {
			return err
		}
		if cut, ok := r.led.cuts[place{c, e.epoch}]; ok && e.n > cut.n {
			return nil
		}
		g := grave{&entry{circle: c, epoch: e.epoch, n: e.n, id: e.id, author: e.author, seq: e.seq, prev: e.prev,
			timeMS: e.timeMS}, st.known[e.epoch], nil}
		for _, it := range e.items {
			g.who = append(g.who, it.Subject)
		}
		if _, stone := seal.TombstoneID(e.wire); stone || done[shortID(e.id)] && r.led.dead(e, final) {
			old = append(old, g)
		} else if r.led.dead(e, final) {
			fresh = append(fresh, g)
		}
		return nil
	})
	return old, fresh, hostError("replica.graves", err)
}

// stonesAt asks the relay which of the envelopes are tombstones there already.
func (r Admin) stonesAt(ctx context.Context, c krama.CircleID, list []grave) (map[[32]byte]bool, error) {
	out := map[[32]byte]bool{}
	r.mu.Lock()
	st := r.led.streams[c]
	if st == nil {
		r.mu.Unlock()
		return nil, errLocked
	}
	key := st.newest().StreamKey()
	r.mu.Unlock()
	for len(list) > 0 {
		// A small page from the next grave on: what lies between two graves is read for nothing.
		at := list[0]
		answer, err := r.call(ctx, key, seal.PathList, at.epoch.StreamID(), seal.ListCall{After: at.e.n - 1,
			Max: 16 << 10}.Marshal())
		if err != nil {
			return nil, err
		}
		l, err := seal.ParseListing(answer)
		if err != nil || len(l.Entries) == 0 {
			return nil, krama.E("replica.stonesAt", krama.Tampered, "the relay's answer is cut or garbled")
		}
		end := at.e.n + uint64(len(l.Entries))
		for len(list) > 0 && list[0].e.epoch == at.e.epoch && list[0].e.n < end {
			if id, ok := seal.TombstoneID(l.Entries[list[0].e.n-at.e.n]); ok && id == list[0].e.id {
				out[id] = true
			}
			list = list[1:]
		}
	}
	return out, nil
}

// bury puts tombstones at the relay; the next rewriting of this device's own file leaves the bodies out.
func (r Admin) bury(ctx context.Context, graves []grave) error {
	for part := range slices.Chunk(graves, seal.MaxBatch) {
		var call seal.TombstoneCall
		for _, g := range part {
			wire, err := r.tombstone(g.epoch, g.e)
			if err != nil {
				return err
			}
			call.Puts = append(call.Puts, seal.TombstonePut{Stream: g.epoch.StreamID(), N: g.e.n, Wire: wire})
		}
		if err := r.controlCall(ctx, seal.PathTombstone, call.Marshal()); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.led.untidy = r.led.untidy || len(graves) > 0
	return nil
}

// tombstone makes what stands for an envelope.
func (r Admin) tombstone(ep *seal.Epoch, e *entry) ([]byte, error) {
	if err := r.hold(); err != nil {
		return nil, err
	}
	defer r.mu.Unlock()
	return ep.SealTombstone(r.Rand, seal.Tombstone{ID: e.id, Author: e.author, Seq: e.seq, Prev: e.prev,
		TimeMS: e.timeMS}, r.led.dev.ID(), r.led.dev.Sig)
}

// buriedKey is when bodies of a circle were last dropped, and which; unburiedKey says that
// the relay may have them still, or again.
func buriedKey(c krama.CircleID) Setting { return buriedOf.Of(c.String()) }

// unburiedKey says that the relay may have the last batch still.
func unburiedKey(c krama.CircleID) Setting { return unburiedOf.Of(c.String()) }

var (
	buriedOf   = NewSetting(".buried.", OfNobody)
	unburiedOf = NewSetting(".unburied.", OfNobody)
)

// buried reads it.
func (v settings) buried(c krama.CircleID) (last time.Time, ids map[string]bool) {
	ids = map[string]bool{}
	for i, f := range strings.Fields(v.of(buriedKey(c))) {
		if i == 0 {
			last, _ = time.Parse(time.DateOnly, f)
		} else {
			ids[f] = true
		}
	}
	return last, ids
}
