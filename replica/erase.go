package replica

import (
	"encoding/binary"
	"slices"
	"time"

	"krama"
	"krama/seal"
)

// be32 reads what u32 wrote.
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// Shred is one erasure as this device knows it.
type Shred struct {
	Circle  krama.CircleID
	Subject krama.SubjectID
	Epoch   uint32 // in which it was said
	Author  krama.DeviceID
	TimeMS  uint64
	Reason  ShredReason
}

// ShredReason says why somebody was erased.
type ShredReason byte

// Reasons of erasure.
const (
	ShredAsked   ShredReason = 1 // she asked, or withdrew her consent to be recorded
	ShredExpired ShredReason = 2 // the circle's retention ended
	ShredDanger  ShredReason = 3 // the record endangers her
)

// Shred erases a subject in a circle: her key is destroyed here at once, and on every other device when it reads this.
func (r *Replica) Shred(k krama.CircleKind, s krama.SubjectID, why ShredReason) error {
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
func (r *Replica) Erased(k krama.CircleKind, s krama.SubjectID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.led.circle(k)
	return ok && (r.led.shredded[subject{c, s}] || r.led.hidden(c, s))
}

// hide takes a subject off the screen and out of what waits to be sent, but for the erasure itself.
func (l *ledger) hide(c krama.CircleID, s krama.SubjectID) {
	l.unqueue(c, s)
	l.offScreen(subject{c, s})
}

// unqueue takes a subject out of what waits to be sent, but for the erasure itself.
func (l *ledger) unqueue(c krama.CircleID, s krama.SubjectID) {
	l.outbox = slices.DeleteFunc(l.outbox, func(p *pending) bool {
		return p.circle == c && p.item.Subject == s && p.item.Kind != seal.KindShred &&
			p.item.Kind != seal.KindSubjectKey
	})
	l.untidy = true
}

// mayHold reports whether a subject's key may be taken up: that of an erased one may not, but for an erasure that is
// still to be sealed with it.
func (l *ledger) mayHold(c krama.CircleID, s krama.SubjectID) bool {
	return !l.shredded[subject{c, s}] || l.shredWaits(c, s)
}

// said reports whether a pending erasure was carried out already, because a colleague was first. It cannot be sealed
// any more, and stays until hers is within a signed close: what is past one is said again.
func (l *ledger) said(p *pending) bool {
	return p.item.Kind == seal.KindShred && l.gone(p.circle, p.item.Subject) && l.carriedOut(Shred{Circle: p.circle,
		Subject: p.item.Subject})
}

// thrown reports whether an erasure's key was destroyed here, and a signed close has thrown the erasure itself out: it
// is said again, with nobody's key.
func (l *ledger) thrown(c krama.CircleID, s krama.SubjectID) bool {
	return l.gone(c, s) && !l.carriedOut(Shred{Circle: c, Subject: s})
}

// sealing returns the key that an item about a subject is sealed with.
func (r *core) sealing(c krama.CircleID, s krama.SubjectID) (seal.SubjectKey, bool) {
	k, ok := r.led.keys[c][s]
	if !ok && r.led.thrown(c, s) {
		return seal.Hash("thrown erasure", r.vk[:], s[:]), true
	}
	return k, ok
}

// forget takes subjects out of what is neither record nor key: drafts of forms, letters, a colleague's lost work.
func (l *ledger) forget(list ...subject) {
	gone, names := map[subject]bool{}, naming{}
	for _, id := range list {
		gone[id], names[id.id.String()] = true, true
	}
	l.values.forget(names.in)
	for id, o := range l.orphans {
		if gone[subject{o.circle, o.item.Subject}] {
			delete(l.orphans, id)
		}
	}
	for _, m := range l.letters {
		if it, err := seal.ParseFrame(m.body, 1<<12); err == nil && m.Kind == seal.LetterLate && len(it)%5 == 0 {
			var left [][]byte
			for i := 0; i < len(it); i += 5 {
				if len(it[i]) != 16 || len(it[i+2]) != 16 || !gone[subject{krama.CircleID(it[i]),
					krama.SubjectID(it[i+2])}] {
					left = append(left, it[i:i+5]...)
				}
			}
			m.body = seal.Frame(left...)
		}
	}
}

// naming finds ids in text, as String writes them: 32 digits.
type naming map[string]bool

// in reports whether a text has one of the ids, wherever in it.
func (n naming) in(s string) bool {
	const size = 2 * len(krama.SubjectID{})
	run := 0
	for i := range len(s) {
		if c := s[i]; c >= '0' && c <= '9' || c >= 'a' && c <= 'f' {
			if run++; run >= size && n[s[i+1-size:i+1]] {
				return true
			}
		} else {
			run = 0
		}
	}
	return false
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
func (r *Replica) Erasures() (out []Erasure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wiped := map[krama.DeviceID]bool{}
	for _, m := range r.led.letters {
		wiped[m.From] = wiped[m.From] || m.Kind == seal.LetterWiped
	}
	for _, s := range slices.Backward(r.led.shreds) {
		e := Erasure{Shred: s}
		ring := r.led.roster.Circles[s.Circle]
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
func (r *Replica) Seen(d krama.DeviceID) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.led.seen[d] == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(r.led.seen[d]))
}
