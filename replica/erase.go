package replica

import (
	"slices"
	"time"

	"krama"
	"krama/seal"
)

// Shred erases a subject in a circle: her key is destroyed here at once, and on every other device when it reads this.
func (r Erasing) Shred(k krama.CircleKind, s krama.SubjectID, why ShredReason) error {
	const op = "replica.Shred"
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	c, ok := r.led.circle(k)
	if !ok || !r.led.roster.MayWrite(c, r.led.streams[c].epoch.Epoch, r.led.dev.ID(), seal.KindShred) {
		return krama.E(op, krama.NotAllowed, "this member may not erase here")
	}
	if _, known := r.led.keys[c][s]; !known || r.led.shredded[subject{c, s}] {
		return krama.E(op, krama.NotFound, "")
	}
	// It waits for another member. The same member on another device would be her own second.
	if w := r.led.await[subject{c, s}]; w != nil &&
		r.led.roster.Devices[w.Author].Member == r.led.roster.Devices[r.led.dev.ID()].Member {
		return krama.E(op, krama.NotAllowed, "this erasure waits for somebody else's word")
	}
	it := seal.Item{Subject: s, Kind: seal.KindShred, Body: []byte{byte(why)}}
	if err := r.commit(pendingEntry(c, it)); err != nil {
		return err
	}
	return r.led.queue(c, it)
}

// Erased reports whether a subject of a circle was erased, or waits for it: nothing more is kept under it.
func (r Erasing) Erased(k krama.CircleKind, s krama.SubjectID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.led.circle(k)
	return ok && (r.led.shredded[subject{c, s}] || r.led.hidden(c, s))
}

// Erasure is how far an erasure has come: it is complete when every device that could open an old backup has destroyed
// the key it had then.
type Erasure struct {
	Shred
	Rotated bool             // the keyring without her is open
	Gone    int              // devices that have destroyed their old key
	Waiting []krama.DeviceID // devices that have not
	Lost    []krama.DeviceID // removed devices that never said they are empty: they may keep it for ever
	// when the last waiting device will have, if it is seen in time; zero when complete or unknown
	Horizon time.Time
}

// Complete reports whether nothing that anybody holds opens her records.
func (e *Erasure) Complete() bool { return e.Rotated && len(e.Waiting) == 0 && len(e.Lost) == 0 }

// Erasures lists every erasure and its horizon, newest first.
func (r Erasing) Erasures() (out []Erasure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wiped := map[krama.DeviceID]bool{}
	for _, m := range r.led.letters {
		wiped[m.From] = wiped[m.From] || m.Kind == seal.LetterWiped
	}
	for _, s := range slices.Backward(r.led.shreds) {
		e := Erasure{Shred: s}
		ring := r.led.roster.Circles[s.Circle]
		// Within that time the epoch ends and each device in use changes its key (rekey). One that is away may take
		// until it is to be removed.
		end := r.Now().Add(rotateEvery)
		if int(s.Epoch) < len(ring.Epochs) {
			var opened uint64
			if e.Rotated = int(s.Epoch)+1 < len(ring.Epochs); e.Rotated {
				opened = ring.Epochs[s.Epoch+1].Opened
			}
			had := map[krama.DeviceID]bool{} // whoever was ever keyed before may have a copy of her key
			for _, ep := range ring.Epochs[:s.Epoch+1] {
				for d := range ep.Keyed {
					had[d] = true
				}
			}
			for d := range had {
				dev := r.led.roster.Devices[d]
				// Gone is who has destroyed the key that opened the old keyring's wraps, or itself; lost is who was
				// removed and has never said so.
				switch {
				case e.Rotated && dev.KemAt > opened && r.led.vouchedFor(dev), wiped[d]:
					e.Gone++
				case dev.Removed != 0:
					e.Lost = append(e.Lost, d)
				default:
					e.Waiting = append(e.Waiting, d)
					seen := time.UnixMilli(int64(r.led.seen[d]))
					if at := seen.Add(UnseenAfter); at.After(end) {
						end = at
					}
				}
			}
		}
		if len(e.Waiting) > 0 {
			e.Horizon = end
		}
		out = append(out, e)
	}
	return out
}

// Seen returns when a device last wrote, by its own clock; zero when it never did.
func (r Erasing) Seen(d krama.DeviceID) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.led.seen[d] == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(r.led.seen[d]))
}

// Awaited is an erasure that waits for a second member's word.
type Awaited struct {
	Shred
	Kind    krama.CircleKind
	Until   time.Time // when this device carries it out by itself
	Confirm bool      // this device's member may be the second
	Back    bool      // and may take it back
	Said    bool      // this device has done one of them, and it is not read back yet
}

// Awaiting lists the erasures that wait, oldest first.
func (r Erasing) Awaiting() (out []Awaited) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil || r.led.roster == nil {
		return nil
	}
	me := r.led.dev.ID()
	for id, w := range r.led.await {
		dev, by, st := r.led.author(me), r.led.author(w.Author), r.led.streams[id.circle]
		if dev == nil || by == nil || st == nil {
			continue
		}
		may := r.led.roster.MayWrite(id.circle, st.epoch.Epoch, me, seal.KindShred)
		out = append(out, Awaited{Shred: w.Shred, Kind: r.led.kinds[id.circle], Until: r.led.values.since(id,
			w).Add(waitAtMost),
			Confirm: may && dev.Member != by.Member, Back: may && r.led.mayTakeBack(me, w), Said: r.led.answers(id)})
	}
	slices.SortFunc(out, func(a, b Awaited) int {
		if a.TimeMS != b.TimeMS {
			return int(int64(a.TimeMS) - int64(b.TimeMS))
		}
		return slices.Compare(a.Subject[:], b.Subject[:])
	})
	return out
}

// TakeBack says that an erasure that waits is not to be. She is on the screens again when it was read back.
func (r Erasing) TakeBack(k krama.CircleKind, s krama.SubjectID) error {
	const op = "replica.TakeBack"
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	c, ok := r.led.circle(k)
	if !ok {
		return krama.E(op, krama.NotAllowed, "this device does not hold the circle")
	}
	id := subject{c, s}
	w := r.led.await[id]
	switch {
	case w == nil:
		return krama.E(op, krama.NotFound, "")
	case !r.led.mayTakeBack(r.led.dev.ID(), w) || !r.led.roster.MayWrite(c, r.led.streams[c].epoch.Epoch,
		r.led.dev.ID(), seal.KindUnshred):
		return krama.E(op, krama.NotAllowed, "only who said it or an admin takes an erasure back")
	case r.led.answers(id):
		return nil
	}
	it := seal.Item{Subject: s, Kind: seal.KindUnshred, Body: nil}
	if err := r.commit(pendingEntry(c, it)); err != nil {
		return err
	}
	return r.led.queue(c, it)
}
