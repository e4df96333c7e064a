package replica

import (
	"context"
	"slices"

	"krama"
	"krama/seal"
)

// agreed is where this device's history and a restored relay's part.
type agreed struct{ common, relay seal.Head }

// Repair answers a relay that came back from an older backup, after an admin has confirmed that this is
// what happened. An office has every envelope as it came: it gives back what the relay lost, in its place. Where others
// have written since, the circle's epoch is closed at the newest common place, and what lies past it is sent again by
// its authors. Then every circle gets a new epoch, so that wraps and keyrings are whole again.
func (r Admin) Repair(ctx context.Context, progress func(done, total int)) error {
	const op = "replica.Repair"
	if _, roles := r.Device(); roles&krama.RoleAdmin == 0 || !r.Office {
		return krama.E(op, krama.NotAllowed, "only an admin's desk repairs")
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	// Circle 0 first: whether it goes back decides how far the relay and this desk agree on the others.
	all := append([]krama.CircleID{krama.OrgCircle}, r.circles()...)
	parted := map[krama.CircleID]*agreed{}
	refused, err := r.trimRefused(ctx)
	if err != nil {
		return krama.Wrap(op, err)
	}
	apart := refused || r.Value(apartNow) != "" // somebody wrote into circle 0 of the restored relay
	for i, c := range all {
		progress(i, 2*len(all))
		if _, err := r.remake(ctx, c); err != nil {
			return krama.Wrap(op, err)
		}
		at, err := r.giveBack(ctx, c, apart)
		if err != nil {
			return krama.Wrap(op, err)
		}
		if c == krama.OrgCircle {
			at, apart = nil, apart || at != nil
			if apart { // a repair that is cut after this goes on knowing it
				if err := r.SetValue(apartNow, "1"); err != nil {
					return krama.Wrap(op, err)
				}
			}
		}
		parted[c] = at
	}
	for _, done := range []Setting{trusted, droppedPeppers, membersNamed, lineNamed} {
		// done at the relay, and undone by the backup
		if err := r.SetValue(done, ""); err != nil {
			return err
		}
	}
	// Bodies that had been dropped may be in the backup: they are to be dropped again (dropBodiesOf).
	for _, c := range r.circles() {
		if err := r.SetValue(unburiedKey(c), "1"); err != nil {
			return err
		}
	}
	if err := r.rotateParted(ctx, all, parted, progress); err != nil {
		return krama.Wrap(op, err)
	}
	r.mu.Lock()
	devices := r.led.roster.Next(krama.OrgCircle)
	r.mu.Unlock()
	for _, d := range devices { // wraps of epochs that a device has not seen are lost: it finds its way by this
		if err := r.putBootstrap(ctx, d); err != nil {
			return krama.Wrap(op, err)
		}
	}
	progress(2*len(all), 2*len(all))
	if err := r.SetValue(apartNow, ""); err != nil {
		return krama.Wrap(op, err)
	}
	return r.sync(ctx, nil)
}

// apartNow says that a repair is under way which takes circle 0 back.
var apartNow = NewSetting(".apart", OfNobody)

// rotateParted closes each circle out where this desk and the restored relay part.
func (r Admin) rotateParted(ctx context.Context, all []krama.CircleID, parted map[krama.CircleID]*agreed,
	progress func(done, total int)) error {
	r.rotating.Lock()
	defer r.rotating.Unlock()
	for i, c := range all {
		progress(len(all)+i, 2*len(all))
		if err := r.rotate(ctx, c, parted[c]); err != nil {
			return err
		}
	}
	return nil
}

// giveBack appends what the relay lost of a circle's streams, epoch by epoch. Where the relay has something else, it
// returns the newest place both agree on, if that is in the open epoch; circle 0 it takes back to that place by itself.
// With apart, circle 0 was taken back: then both agree only as far as nobody claims what is not in it any more.
func (r Admin) giveBack(ctx context.Context, c krama.CircleID, apart bool) (*agreed, error) {
	const op = "replica.giveBack"
	r.mu.Lock()
	st := r.led.streams[c]
	if st == nil {
		r.mu.Unlock()
		return nil, errLocked
	}
	newest := st.newest()
	var epochs []*seal.Epoch
	for e := uint32(0); e <= st.epoch.Epoch; e++ {
		if st.known[e] != nil {
			epochs = append(epochs, st.known[e])
		}
	}
	r.mu.Unlock()
	ours := map[uint32]*keeping{}
	for _, ep := range epochs {
		ours[ep.Epoch] = &keeping{}
	}
	if err := r.keep(c, ours); err != nil {
		return nil, err
	}
	var back *agreed // circle 0's
	for _, ep := range epochs {
		// Closed streams answer to the newest key of their line, circle 0's to their own (doc/format.md, 9).
		key := newest.StreamKey()
		if c == krama.OrgCircle {
			key = ep.StreamKey()
		}
		id := ep.StreamID()
		ids := ours[ep.Epoch].ids
		r.mu.Lock()
		start, ok := r.led.roster.StartOf(c, ep.Epoch)
		r.mu.Unlock()
		if !ok {
			continue
		}
		theirs, common, err := r.compare(ctx, key, id, start, ids)
		if err != nil {
			return nil, err
		}
		// Whoever had read the part of circle 0 that went back claims it, and every reader takes that for a fork: the
		// circle is closed before the first such claim.
		if fork := ours[ep.Epoch].fork; apart && c != krama.OrgCircle && ep.Epoch == st.epoch.Epoch && fork > 0 &&
			fork <= common.N {
			for common = start; common.N+1 < fork; {
				common = common.Link(ids[common.N])
			}
		}
		end, closed := r.closedAt(c, ep.Epoch)
		shut := end
		if closed && c != krama.OrgCircle && common.N >= end.N && theirs.N > end.N {
			// what lies past its signed end counts nowhere: a repair before this one closed it there
			shut, theirs = theirs, common
		}
		if common.N < theirs.N {
			if ep.Epoch == st.epoch.Epoch && c != krama.OrgCircle {
				return &agreed{common, theirs}, nil
			}
			if c == krama.OrgCircle {
				if err := r.idleAt(ctx, ep, common.N); err != nil {
					return nil, err
				}
				back = &agreed{common, theirs}
			}
			// Somebody who had not heard of the close wrote into a stream that a restored relay had open again. It goes
			// back to where it is what was signed; her work is outside the close and she sends it again.
			back := seal.PlaceCall{Stream: id, Head: common}
			if err := r.controlCall(ctx, seal.PathRewind, back.Marshal()); err != nil {
				return nil, krama.Wrap(op, err)
			}
			theirs = common
		}
		if theirs.N < uint64(len(ids)) {
			if err := r.sendKept(ctx, place{c, ep.Epoch}, ep, theirs.N); err != nil {
				return nil, err
			}
		}
		// The backup may be from before the close. Told where it is closed already, the relay does nothing.
		if closed && c != krama.OrgCircle {
			if err := r.controlCall(ctx, seal.PathClose, seal.PlaceCall{Stream: id, Head: shut}.Marshal()); err != nil {
				return nil, err
			}
		}
	}
	return back, nil
}

// closedAt is where an epoch was closed, if it was.
func (r Admin) closedAt(c krama.CircleID, epoch uint32) (seal.Head, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.led.roster.ClosedAt(c, epoch)
}

// keptBytes bounds how much of this device's file is in memory at once while it is given back.
const keptBytes = 32 << 20

// sendKept appends what comes after a place of an epoch's stream, as this device has it.
func (r Admin) sendKept(ctx context.Context, p place, ep *seal.Epoch, after uint64) error {
	id := ep.StreamID()
	var batch [][]byte
	size := 0
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		call := seal.RestoreCall{Stream: id, Append: seal.AppendCall{Envelopes: batch}}
		err := r.controlCall(ctx, seal.PathRestore, call.Marshal())
		batch, size = nil, 0
		return err
	}
	r.mu.Lock()
	_, done := r.led.values.buried(p.circle)
	r.mu.Unlock()
	var stones []seal.TombstonePut
	bury := func() error {
		if len(stones) == 0 {
			return nil
		}
		call := stones
		stones = nil
		return r.controlCall(ctx, seal.PathTombstone, seal.TombstoneCall{Puts: call}.Marshal())
	}
	for {
		k := &keeping{after: after, max: keptBytes}
		if err := r.keep(p.circle, map[uint32]*keeping{p.epoch: k}); err != nil {
			return err
		}
		var err error
		for _, e := range k.list {
			after = e.n
			_, stone := seal.TombstoneID(e.wire)
			if stone || len(e.wire) == 0 { // its body was dropped: its tombstone takes the place
				wire := e.wire
				switch {
				case e.verdict != seal.Fine && e.verdict != seal.Gap || !stone && !done[shortID(e.id)]:
					err = krama.E("replica.sendKept", krama.CannotDecrypt,
						"this desk does not have an envelope that the relay lost: repair from another")
				case !stone:
					wire, err = r.tombstone(ep, e)
				}
				if err == nil {
					err = send()
				}
				if stones = append(stones, seal.TombstonePut{Stream: id, N: e.n, Wire: wire}); err == nil &&
					len(stones) == seal.MaxBatch {
					err = bury()
				}
			} else {
				// In their order: an envelope behind a tombstone's place has no place before that is filled.
				if err = bury(); err == nil && (size+len(e.wire) > pushBytes || len(batch) == seal.MaxBatch) {
					err = send()
				}
				batch, size = append(batch, e.wire), size+len(e.wire)
			}
			if err != nil {
				return err
			}
		}
		if err := send(); err != nil {
			return err
		}
		if err := bury(); err != nil || after >= uint64(len(k.ids)) {
			return err
		}
	}
}

// begin tells that the epoch was read anew from here on; in another history when it was abandoned.
func (k *keeping) begin(abandoned bool) {
	if abandoned {
		k.before, k.beforeIDs = nil, nil
	} else if len(k.ids) > len(k.beforeIDs) {
		k.before, k.beforeIDs = k.list, k.ids
	}
	k.ids, k.list, k.size, k.from, k.fine, k.fork = nil, nil, 0, 0, 0, 0
}

// trim forgets what was met past a place.
func (k *keeping) trim(at uint64) {
	k.ids = k.ids[:min(at, uint64(len(k.ids)))]
	k.list = slices.DeleteFunc(k.list, func(e *entry) bool {
		if e.n > at {
			k.size -= len(e.wire)
		}
		return e.n > at
	})
	if k.from, k.fine = min(k.from, at), min(k.fine, at); k.fork > at {
		k.fork = 0
	}
}
