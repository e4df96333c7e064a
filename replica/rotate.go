package replica

import (
	"context"
	"crypto/ed25519"
	"slices"

	"krama"
	"krama/seal"
)

// Rotate opens a circle's next epoch for the devices that are still entitled to it. It is safe to repeat
// after any failure: the new secrets are kept before anything is sent, and every step that was done is found done. When
// another admin was first it does nothing.
func (r Admin) Rotate(ctx context.Context, c krama.CircleID) error {
	r.rotating.Lock()
	defer r.rotating.Unlock()
	return r.rotate(ctx, c, nil)
}

// rotate opens the next epoch, with rotating held. at, when set, is the newest place that this device and a relay that
// was restored agree on, and the relay's own head: what lies between is closed out, and its authors send it again.
func (r Admin) rotate(ctx context.Context, c krama.CircleID, at *agreed) error {
	const op = "replica.Rotate"
	started := -1
	for range 16 {
		if err := r.readRoster(ctx, nothing); err != nil {
			return err
		}
		// At the first try of a repair the circle is not read: the relay has another history, and at says where to
		// close it.
		if c != krama.OrgCircle && (at == nil || started >= 0) {
			if err := r.fetchKeys(ctx, nothing); err != nil {
				return err
			}
			if err := r.follow(ctx, c, nothing); err != nil {
				return err
			}
		}
		r.mu.Lock()
		latest := r.led.roster.Latest(c)
		r.mu.Unlock()
		if latest == nil {
			return krama.E(op, krama.NotFound, "no such circle")
		}
		// The number of the epoch at the first try. Another one later means that somebody's opening of the next epoch
		// counts.
		if started < 0 {
			started = int(latest.Epoch)
		} else if int(latest.Epoch) != started { // ours, or another admin's
			return r.finishRotation(ctx, c)
		}
		pages, err := r.standing(ctx, c)
		if err != nil {
			return krama.Wrap(op, err)
		}
		plan, err := r.plan(c, pages, at)
		if err != nil {
			return krama.Wrap(op, err)
		}
		relay := plan.open.Closes
		if at != nil {
			plan.open.Closes, relay = at.common, at.relay
		}
		// Before the close: from the close to the statement nobody can write, and that is to be short.
		if err := r.upload(ctx, plan); err != nil {
			return krama.Wrap(op, err)
		}
		if c != krama.OrgCircle {
			id := plan.now.StreamID()
			err := r.controlCall(ctx, seal.PathClose, seal.PlaceCall{Stream: id, Head: relay}.Marshal())
			if krama.KindOf(err) == krama.Conflict && err != nil {
				continue // somebody wrote meanwhile: her work is inside the next try
			}
			if err != nil {
				return krama.Wrap(op, err)
			}
		}
		// Conflict: somebody spoke first, perhaps another admin with this very opening. The next try looks.
		err = r.stateDeed(ctx, plan.open)
		if err != nil && krama.KindOf(err) != krama.Conflict {
			return krama.Wrap(op, err)
		}
	}
	return krama.E(op, krama.Conflict, "others were first sixteen times")
}

// nothing is progress that nobody looks at.
func nothing(Progress) {}

// finishRotation finishes a rotation that the roster shows: the next stream exists, and the trustees' mailbox is up to
// date.
func (r Admin) finishRotation(ctx context.Context, c krama.CircleID) error {
	if c == krama.OrgCircle {
		if err := r.readRoster(ctx, nothing); err != nil {
			return err
		}
	} else if err := r.follow(ctx, c, nothing); err != nil {
		return err
	}
	// The stream after the statement: a stream that no statement opened would hold what nobody can judge.
	if _, err := r.remake(ctx, c); err != nil {
		return err
	}
	// Once the new keyring counts: erased people's keys leave the relay with the pages they were on.
	if err := r.dropPages(ctx, c); err != nil {
		return err
	}
	return r.keepRecovery(ctx)
}

// standing reads the pages of a circle's keyring as the relay has them: those that are still right stay. A relay that
// lost them gets new ones.
func (r Admin) standing(ctx context.Context, c krama.CircleID) ([]seal.Page, error) {
	r.mu.Lock()
	st, latest := r.led.streams[c], r.led.roster.Latest(c)
	if st == nil || st.epoch.Epoch != latest.Epoch || st.epoch.KG == ([32]byte{}) {
		r.mu.Unlock()
		return nil, nil
	}
	ep := st.epoch
	r.mu.Unlock()
	pages, err := r.readRing(ctx, ep, latest)
	if k := krama.KindOf(err); err != nil && (k == krama.NotFound || k == krama.Tampered) {
		return nil, nil
	}
	return pages, err
}

// dropPages has the relay forget what was in the keyrings of the epochs before and is not in the newest one, which has
// everybody but the erased.
func (r Admin) dropPages(ctx context.Context, c krama.CircleID) error {
	r.mu.Lock()
	epochs := r.led.roster.Circles[c].Epochs
	var old [][32]byte
	for n := max(0, len(epochs)-4); n < len(epochs)-1; n++ { // of a few: the last time may have been cut short
		for _, id := range epochs[n].Pages {
			if !slices.Contains(epochs[len(epochs)-1].Pages, id) {
				old = append(old, id)
			}
		}
	}
	r.mu.Unlock()
	if len(old) == 0 {
		return nil
	}
	return r.controlCall(ctx, seal.PathBlobDrop, seal.BlobDropCall{IDs: old}.Marshal())
}

// plan is one try at a rotation.
type plan struct {
	now, next *seal.Epoch
	open      *seal.EpochOpen
	pages     [][]byte // those that the relay does not have
	boxes     []seal.BoxPut
}

// plan makes one try. standing are the pages of the keyring as it is; at, when set, is where the epoch is to end.
func (r Admin) plan(c krama.CircleID, standing []seal.Page, at *agreed) (*plan, error) {
	if err := r.hold(); err != nil {
		return nil, err
	}
	defer r.mu.Unlock()
	st, latest := r.led.streams[c], r.led.roster.Latest(c)
	if st == nil || st.closed || st.epoch.Epoch != latest.Epoch || st.epoch.KG == ([32]byte{}) &&
		c != krama.OrgCircle && len(latest.Pages) > 0 {
		return nil, krama.E("replica.plan", krama.CannotDecrypt, "the circle's newest keys are not here")
	}
	if st.rereading() && at == nil { // a close here would cut off what was verified before
		return nil, krama.E("replica.plan", krama.CannotDecrypt, "the circle is being read again")
	}
	// Secrets of a try that was cut are used again where they may be: what it uploaded is sealed under them.
	next := r.led.opening[c]
	// Secrets that a page with an erased person's key may lie under at the relay are not used.
	if next == nil || next.Epoch != latest.Epoch+1 || r.drawnAt[c] != len(r.led.shreds) {
		var err error
		if next, err = seal.NewEpoch(r.Rand, seal.Context{Org: r.led.roster.Org, Circle: c, Epoch: latest.Epoch +
			1}); err != nil {
			return nil, err
		}
		if err := r.commit(tagged(tagNext, c[:], u32(next.Epoch), next.ES[:], next.KG[:])); err != nil {
			return nil, err
		}
		r.led.opening[c], r.drawnAt[c] = next, len(r.led.shreds)
	}
	p := &plan{now: st.epoch, next: next, open: &seal.EpochOpen{Circle: c, Epoch: next.Epoch, EC: next.EC(),
		GC: next.GC(), Devices: r.led.roster.Next(c), Closes: st.head}}
	// Without a link who comes later reads from this epoch on and nothing before it (doc/format.md, 1).
	if r.led.roster.Circles[c].History {
		p.open.Back = next.Back(st.epoch)
	}
	var parts [][]byte
	if c != krama.OrgCircle {
		var err error
		if parts, err = next.SealKeyring(r.Rand, r.led.keys[c], standing); err != nil {
			return nil, err
		}
	}
	var hashes [][32]byte
	for _, wire := range parts {
		hashes = append(hashes, seal.PageHash(wire))
		id := seal.BlobID(wire)
		p.open.Pages = append(p.open.Pages, id)
		// A page that stays has its bytes and its name: the relay has it.
		if !slices.Contains(latest.Pages, id) {
			p.pages = append(p.pages, wire)
		}
	}
	p.open.KeyringRoot = next.KeyringRoot(hashes)
	for _, d := range p.open.Devices {
		// Its own secrets are in its journal (adoptOpening).
		if d == r.led.dev.ID() {
			continue
		}
		pub := r.led.roster.Devices[d].KemPub
		w, err := next.Wrap(d, pub)
		if err != nil {
			return nil, err
		}
		box := seal.Mailbox(d, seal.KemHash(pub))
		p.boxes = append(p.boxes, seal.BoxPut{Box: box, Item: seal.BoxItem(d, p.open.EC, w)})
	}
	return p, nil
}

// upload sends what a new epoch needs before it is announced: harmless if it never is.
func (r Admin) upload(ctx context.Context, p *plan) error {
	for _, wire := range p.pages {
		if _, err := r.controlAsk(ctx, seal.PathBlobPut, seal.BlobPutCall{Blob: wire}.Marshal()); err != nil {
			return err
		}
	}
	return r.putWraps(ctx, p.boxes)
}

// boxBatch and boxBytes bound how many mailbox items travel in one call.
const (
	// Both stay below what the relay takes in one call: 512 pairs and 4 MiB (doc/format.md, 9).
	boxBatch = 400
	boxBytes = 2 << 20
)

// putWraps puts wraps into mailboxes. A mailbox that somebody has filled fails alone: nobody can stop a rotation by it,
// and its device asks again.
func (r Admin) putWraps(ctx context.Context, puts []seal.BoxPut) error {
	err := r.putBoxes(ctx, puts)
	if krama.KindOf(err) != krama.Full || err == nil {
		return err
	}
	for i := range puts {
		if err := r.putBoxes(ctx, puts[i:i+1]); err != nil && krama.KindOf(err) != krama.Full {
			return err
		}
	}
	return nil
}

// putBoxes puts items into devices' mailboxes. It is an admin's act.
func (r Admin) putBoxes(ctx context.Context, puts []seal.BoxPut) error {
	if len(puts) > 0 { // the relay gives a mailbox to devices that it knows
		if err := r.nameMembers(ctx); err != nil {
			return err
		}
	}
	for len(puts) > 0 {
		n, size := 0, 0
		for n < len(puts) && n < boxBatch && (n == 0 || size+len(puts[n].Item) <= boxBytes) {
			// The box's id and two lengths are 24 bytes.
			size += len(puts[n].Item) + 32
			n++
		}
		if err := r.controlCall(ctx, seal.PathBoxPut, seal.BoxPutCall{Puts: puts[:n]}.Marshal()); err != nil {
			return err
		}
		puts = puts[n:]
	}
	return nil
}

// createCall is the call that makes an epoch's stream, which starts at a head and goes on after another.
func createCall(ep *seal.Epoch, start seal.Head, before *seal.StreamID) seal.CreateCall {
	return seal.CreateCall{ID: ep.StreamID(), Access: ep.StreamKey().Public().(ed25519.PublicKey), Start: start.H,
		Before: before, Roster: ep.Circle == krama.OrgCircle}
}
