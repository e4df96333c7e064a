package replica

import (
	"io"

	"krama"
	"krama/seal"
)

// Write keeps records about one subject in one circle, all or none, durable when it returns, and feeds them as Local. A
// subject that is new to the circle gets her key in the same commit. Circle records (no subject) carry no personal
// data.
func (r *core) Write(k krama.CircleKind, s krama.SubjectID, records ...*krama.Record) error {
	const op = "replica.Write"
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	circle, ok := r.led.circle(k)
	if !ok {
		return krama.E(op, krama.NotAllowed, "this device does not hold the circle")
	}
	// Asked as every reader will ask (doc/format.md, 2, check 9): what others would refuse is not kept as if it
	// counted.
	if r.led.state() == Removed || !r.led.roster.MayWrite(circle, r.led.streams[circle].epoch.Epoch, r.led.dev.ID(),
		seal.KindRecord) {
		return krama.E(op, krama.NotAllowed, "this member may not write here")
	}
	// A page that was open before the erasure must not bring her back.
	if r.led.shredded[subject{circle, s}] || r.led.hidden(circle, s) {
		return krama.E(op, krama.NotFound, "erased")
	}
	var items []seal.Item
	kind := seal.KindCircleRecord
	if s != (krama.SubjectID{}) {
		kind = seal.KindRecord
		// Her key stands before her first record, because an announced key serves the items behind it.
		if _, known := r.led.keys[circle][s]; !known {
			var key [32]byte
			if _, err := io.ReadFull(r.Rand, key[:]); err != nil {
				return krama.Wrap(op, err)
			}
			items = append(items, seal.Item{Subject: s, Kind: seal.KindSubjectKey, Body: key[:]})
		}
	}
	for _, rec := range records {
		if rec.Written == 0 && rec.Report == nil && rec.Taken == nil {
			// those two are the same on every desk that says them
			rec.Written = r.typedAt()
		}
		b, err := rec.Encode()
		if err != nil {
			return err
		}
		items = append(items, seal.Item{Subject: s, Kind: kind, Body: b})
	}
	var entries [][]byte
	// One commit for all of it: a record whose subject's key was lost would be nobody's to read.
	for _, it := range items {
		entries = append(entries, pendingEntry(circle, it))
	}
	if err := r.commit(entries...); err != nil {
		return err
	}
	// Shown only now: a page that says that it is kept says so of what was flushed.
	for _, it := range items {
		if err := r.led.queue(circle, it); err != nil {
			return err
		}
	}
	return nil
}

// typedAt is now, in seconds, or just after what was typed here before: two records of one second keep their order. A
// clock that was set back is followed.
func (r *core) typedAt() uint32 {
	now := uint32(max(0, r.Now().Unix()))
	// Up to an hour ahead of the clock is somebody typing fast, or the clock corrected a little. More is a clock that
	// was wrong before: following the old time would date everything by it.
	if r.typed >= now && r.typed-now < 3600 {
		now = r.typed + 1
	}
	r.typed = now
	return now
}

// NewSubject draws an id for a person.
func (r *Replica) NewSubject() (s krama.SubjectID, err error) {
	_, err = io.ReadFull(r.Rand, s[:])
	return s, krama.Wrap("replica.NewSubject", err)
}

// NewRecord draws an id for a record.
func (r *core) NewRecord() (id krama.RecordID, err error) {
	_, err = io.ReadFull(r.Rand, id[:])
	return id, krama.Wrap("replica.NewRecord", err)
}

// sealOutbox seals what is typed and not yet sealed, under the newest verified head, and makes the sealed bytes durable
// before anything is sent. Called with the lock held.
func (r *core) sealOutbox() error {
	byCircle := map[krama.CircleID][]seal.Item{}
	var order []krama.CircleID
	sealedItems := r.sealedContents()
	for _, p := range r.led.outbox {
		if !r.ready(p) {
			continue
		}
		// An envelope with it waits to be read back. They are counted, because the same thing may have been typed
		// twice.
		if content := contentOf(p.circle, p.item); sealedItems[content] > 0 {
			sealedItems[content]--
			continue
		}
		if _, ok := byCircle[p.circle]; !ok {
			order = append(order, p.circle)
		}
		byCircle[p.circle] = append(byCircle[p.circle], p.item)
	}
	for _, c := range order {
		items := byCircle[c]
		// The first envelope may be the only one that gets through.
		erasuresFirst(items)
		for len(items) > 0 {
			// As many as one envelope holds (doc/format.md, 2): each costs a signature and its padding.
			n, room := 0, seal.ItemRoom
			for n < len(items) && n < seal.MaxItems && room >= seal.ItemSize(len(items[n].Body)) {
				room -= seal.ItemSize(len(items[n].Body))
				n++
			}
			if err := r.sealOne(c, items[:n]); err != nil {
				return err
			}
			items = items[n:]
		}
	}
	return nil
}

// ready reports whether an item can be sealed now: its circle's newest epoch is open here and read as far as it was
// before, and its subject's key is known.
func (r *core) ready(p *pending) bool {
	st, latest := r.led.streams[p.circle], r.led.roster.Latest(p.circle)
	if st == nil || latest == nil || st.closed || st.rereading() || st.epoch.Epoch != latest.Epoch {
		return false
	}
	// Records and erasures are sealed under their subject's key; the key's own announcement is not.
	if p.item.Kind == seal.KindRecord || p.item.Kind == seal.KindShred || p.item.Kind == seal.KindUnshred {
		_, ok := r.sealing(p.circle, p.item.Subject)
		return ok
	}
	return true
}

// sealedContents counts the contents of envelopes that wait for confirmation.
func (r *core) sealedContents() map[[32]byte]int {
	out := map[[32]byte]int{}
	for _, s := range r.led.sealed {
		st := r.led.streams[s.circle]
		if st == nil {
			continue
		}
		// An envelope is kept as it will be sent: what is in it is read from its bytes.
		env, v := st.epoch.Open(s.wire)
		if v != seal.Fine {
			continue
		}
		keys := func(id krama.SubjectID) (seal.SubjectKey, bool) { return r.sealing(s.circle, id) }
		for i := range env.Len() {
			if it, v := env.Item(i, keys); v == seal.Fine {
				out[contentOf(s.circle, it)]++
			}
		}
	}
	return out
}

// sealOne seals items into this device's next envelope of a circle and keeps it, durable before it counts: the same
// bytes are sent at every try.
func (r *core) sealOne(c krama.CircleID, items []seal.Item) error {
	st := r.led.streams[c]
	if st == nil {
		return krama.E("replica.seal", krama.CannotDecrypt, "no keys for the circle")
	}
	if r.led.copied() {
		return errCopied
	}
	h := r.led.header(c, seal.EnvContent)
	keys := func(id krama.SubjectID) (seal.SubjectKey, bool) { return r.sealing(c, id) }
	wire, err := st.epoch.Seal(r.Rand, r.led.dev, h, items, keys)
	if err != nil {
		return err
	}
	// Sealed again after a kill, the same items would be other bytes in the same place: to every reader this device
	// would be two (doc/format.md, 2, check 8).
	if persistFirst {
		if err := r.commit(tagged(tagSealed, c[:], u64(h.Seq), wire)); err != nil {
			return err
		}
	}
	r.led.addSealed(c, h.Seq, wire)
	return nil
}
