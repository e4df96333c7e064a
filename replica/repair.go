package replica

import (
	"context"
	"crypto/ed25519"
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

// compare reads the relay's head of a stream and finds the newest place where its history is ours.
func (r meeting) compare(ctx context.Context, key ed25519.PrivateKey, id seal.StreamID, start seal.Head,
	ids [][32]byte) (theirs, common seal.Head, err error) {
	common = start
	for after := uint64(0); ; {
		answer, err := r.call(ctx, key, seal.PathList, id, seal.ListCall{After: after, Max: pageBytes}.Marshal())
		if err != nil {
			return theirs, common, err
		}
		l, err := seal.ParseListing(answer)
		if err != nil {
			return theirs, common, krama.E("replica.compare", krama.Tampered, "the relay's answer is cut or garbled")
		}
		theirs = l.Head
		for _, wire := range l.Entries {
			if common.N == after && after < uint64(len(ids)) && seal.WireID(wire) == ids[after] {
				common = common.Link(ids[after])
			}
			after++
		}
		if len(l.Entries) == 0 || after >= l.Head.N {
			return theirs, common, nil
		}
	}
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

// keeping is what a reading of this device's own file finds of one epoch: which envelopes it has, in order, and those
// after a place whole, as many as have max bytes.
type keeping struct {
	after     uint64
	max       int
	idle      bool   // the place is asked for behind which all is idle (trim.go)
	from      uint64 // that place
	fine      uint64 // the last place of what was taken
	fork      uint64 // the first place of what claims another history; 0 for none
	closed    bool
	ids       [][32]byte
	list      []*entry
	size      int        // of the list's envelopes, in bytes
	beforeIDs [][32]byte // of the reading before, which counts until the one after it has come as far
	before    []*entry
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

// take notes one envelope of this device's own copy of a stream.
func (k *keeping) take(e *entry) {
	k.ids = append(k.ids, e.id)
	if e.verdict == seal.Fine {
		k.fine = e.n
	}
	if e.verdict == seal.Fork && k.fork == 0 {
		k.fork = e.n
	}
	if k.idle && !idle(e) {
		k.from = e.n
	}
	if e.n > k.after && k.size < k.max {
		e.wire, e.items = slices.Clone(e.wire), nil
		k.list, k.size = append(k.list, e), k.size+len(e.wire)
	}
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

// keep reads this device's own file once for epochs of a circle.
func (r meeting) keep(c krama.CircleID, epochs map[uint32]*keeping) error {
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	_, key, err := r.readKeys(r.vk)
	if err != nil {
		return err
	}
	err = r.entries(key, func(b []byte) error {
		if at, ok := begunAnew(b); ok && at.circle == c {
			for n, k := range epochs {
				if at.epoch == n || at == openEpoch(c) && !k.closed {
					k.begin(b[0] == tagAbandon)
				}
			}
			return nil
		}
		if b[0] == tagClose && placeOf(b).circle == c {
			if k := epochs[placeOf(b).epoch]; k != nil {
				k.closed = true
			}
			return nil
		}
		if epoch, at, ok := trimOf(b); ok && c == krama.OrgCircle {
			if k := epochs[epoch]; k != nil {
				k.trim(at)
			}
			return nil
		}
		if b[0] != tagEnvelope && b[0] != tagLater {
			return nil
		}
		e, err := parseEnvelope(b[0], b[1:])
		if err != nil || e.circle != c {
			return err
		}
		k := epochs[e.epoch]
		if k == nil || e.n != uint64(len(k.ids))+1 {
			return nil
		}
		if cut, ok := r.led.cuts[place{c, e.epoch}]; !ok || e.n <= cut.n {
			k.take(e)
		}
		return nil
	})
	for _, k := range epochs {
		if len(k.beforeIDs) > len(k.ids) && !k.closed {
			k.ids, k.list = k.beforeIDs, k.before
		}
	}
	return hostError("replica.keep", err)
}
