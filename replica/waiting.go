package replica

import (
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"krama"
	"krama/seal"
)

// One member erases few people a day: a stolen phone, or somebody in anger, could otherwise erase everybody. What goes
// beyond that waits. The person is off every screen at once, but nothing of hers is destroyed until a second member
// says it too, or a week has passed; until then its author or an admin takes it back.

// erasuresADay is how many erasures of one member take effect in 24 hours without a second one's word, in one circle.
const erasuresADay = 5

// waitAtMost is how long an erasure beyond that waits on a device.
const waitAtMost = 7 * 24 * time.Hour

// awaited is an erasure that waits.
type awaited struct {
	Shred
	held []Event // hers, met while the journal was read: they are fed if it turns out to have been taken back
}

// expired reports whether a subject's records are past the circle's retention, as far as this reader knows. That needs
// no second word: the programme has decided it, and a clock alone cannot make it so.
func (l *ledger) expired(st *stream, e *entry, s krama.SubjectID, at uint64) bool {
	keep := uint64(l.roster.Circles[e.circle].RetentionDays) * uint64(day.Milliseconds())
	last := st.touched[s]
	return keep > 0 && last > 0 && at >= last+keep
}

// shred meets an erasure in the stream: it is carried out, or waits.
func (l *ledger) shred(st *stream, e *entry, it *entryItem) {
	why := ShredAsked
	if len(it.Body) == 1 && ShredReason(it.Body[0]) <= ShredDanger && it.Body[0] != 0 {
		why = ShredReason(it.Body[0])
	}
	s := Shred{e.circle, it.Subject, e.epoch, e.author, e.timeMS, why}
	dev := l.author(e.author)
	if dev == nil || l.carriedOut(s) {
		l.carryOut(s)
		return
	}
	id := subject{e.circle, it.Subject}
	before := l.await[id]
	// Two devices of one member are one word.
	second := false
	if before != nil {
		other := l.author(before.Author)
		second = other != nil && other.Member != dev.Member
	}
	// By the others' times in the stream (bounds): every reader is to decide alike.
	at := st.bounds.at(dev.Member, e.timeMS)
	if second || why == ShredExpired && l.expired(st, e, it.Subject, at) || st.bounds.takes(dev.Member, at) {
		l.carryOut(s)
		return
	}
	if before != nil {
		return
	}
	l.await[id] = &awaited{Shred: s}
	// Typed here, it had taken effect at once (queue): it waits after all.
	if !l.shredWaits(e.circle, it.Subject) || e.author == l.dev.ID() {
		delete(l.shredded, id)
	}
	if l.loaded {
		key, v := waitKey(id), strconv.FormatInt(l.host.Now().UnixMilli(), 10)
		// The week runs from when this device first knew of it, by its own clock. A restart does not begin it anew.
		if l.values.of(key) == "" {
			l.values.put(key, v)
			l.owed = append(l.owed, key.entry(v))
		}
		l.offScreen(id)
	}
}

// carriedOut reports whether somebody said it before and it was carried out.
func (l *ledger) carriedOut(s Shred) bool {
	return slices.ContainsFunc(l.shreds, func(o Shred) bool { return o.Subject == s.Subject && o.Circle == s.Circle })
}

// carryOut destroys what this device holds of a subject.
func (l *ledger) carryOut(s Shred) {
	if !l.carriedOut(s) {
		l.shreds = append(l.shreds, s)
	}
	l.shredded[subject{s.Circle, s.Subject}] = true
	delete(l.await, subject{s.Circle, s.Subject})
	delete(l.noticed, subject{s.Circle, s.Subject})
	delete(l.keys[s.Circle], s.Subject)
	l.hide(s.Circle, s.Subject)
	if l.loaded { // else all at once, when the journal was read
		l.forget(subject{s.Circle, s.Subject})
	}
	// Nobody is to hold her key any more: its announcement is not sent.
	l.outbox = slices.DeleteFunc(l.outbox, func(p *pending) bool {
		return p.circle == s.Circle && p.item.Subject == s.Subject && p.item.Kind == seal.KindSubjectKey
	})
}

// offScreen takes a subject off the screen and destroys nothing.
func (l *ledger) offScreen(id subject) {
	if l.host.Feed != nil {
		l.host.Feed(Event{Circle: l.kinds[id.circle], Subject: id.id})
	}
}

// hidden reports whether a subject is off the screen although her key is here.
func (l *ledger) hidden(c krama.CircleID, s krama.SubjectID) bool {
	return l.await[subject{c, s}] != nil || l.noticed[subject{c, s}]
}

// takenBack meets a word that an erasure is not to be. It counts from who said the erasure and from admins.
func (l *ledger) takenBack(e *entry, it *entryItem) {
	id := subject{e.circle, it.Subject}
	w := l.await[id]
	if w == nil || !l.mayTakeBack(e.author, w) {
		return
	}
	delete(l.await, id)
	l.values.put(waitKey(id), "")
	// The pages have forgotten her records: they are fed again with everything (refeed).
	if l.loaded {
		l.owed = append(l.owed, waitKey(id).entry(""))
		l.reshow = true
		return
	}
	for _, ev := range w.held {
		if l.host.Feed != nil {
			l.host.Feed(ev)
		}
	}
}

// mayTakeBack reports whether a device's member may say that an erasure is not to be: who said it, and admins.
func (l *ledger) mayTakeBack(d krama.DeviceID, w *awaited) bool {
	dev, by := l.author(d), l.author(w.Author)
	return dev != nil && by != nil && (dev.Member == by.Member ||
		l.roster.Members[dev.Member].Held&krama.RoleAdmin != 0)
}

// waitKey is since when this device knows of an erasure that waits; goneKey is in which
// epoch it was carried out without a second word. The second does not name her: it outlives her.
func waitKey(id subject) Setting { return waitsSince.Of(id.circle.String() + "." + id.id.String()) }

// goneKey is in which epoch an erasure was carried out without a second word.
func goneKey(id subject) Setting {
	sum := seal.SHA256(append(id.circle[:], id.id[:]...))
	return goneIn.Of(hex.EncodeToString(sum[:8]))
}

var (
	waitsSince = NewSetting(".wait.", OfNobody)
	goneIn     = NewSetting(".gone.", OfNobody)
)

// since is when this device first knew of an erasure that waits.
func (v settings) since(id subject, w *awaited) time.Time {
	if ms, err := strconv.ParseInt(v.of(waitKey(id)), 10, 64); err == nil {
		return time.UnixMilli(ms)
	}
	return time.UnixMilli(int64(w.TimeMS))
}

// settleWaiting ends the reading of a journal: what it carried out stays so, and what waits is off the screen.
func (l *ledger) settleWaiting() {
	for id, w := range l.await {
		w.held = nil
		epoch, err := strconv.ParseUint(l.values.of(goneKey(id)), 10, 32)
		if err == nil {
			w.Epoch = uint32(epoch)
		}
		// Without her key nothing is left that could be taken back.
		if _, there := l.keys[id.circle][id.id]; err == nil || !there {
			l.carryOut(w.Shred)
			continue
		}
		l.offScreen(id)
	}
	for _, p := range l.outbox {
		if p.item.Kind == seal.KindShred {
			l.offScreen(subject{p.circle, p.item.Subject})
		}
	}
	var gone []subject
	for _, s := range l.shreds {
		gone = append(gone, subject{s.Circle, s.Subject})
	}
	l.forget(gone...)
}

// hide takes a subject off the screen and out of what waits to be sent, but for the erasure itself.
func (l *ledger) hide(c krama.CircleID, s krama.SubjectID) {
	l.unqueue(c, s)
	l.offScreen(subject{c, s})
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

// lingering are people whose retention has ended within the last days: what the part that stays has of them goes
// together, once a week. Whoever asked to be erased, or is in danger, waits for nobody.
func (l *ledger) lingering() map[subject]bool {
	out := map[subject]bool{}
	for _, s := range l.shreds {
		if l.lingers(s) {
			out[subject{s.Circle, s.Subject}] = true
		}
	}
	return out
}

// lingers reports whether somebody whose time was over may still lie in the part that stays: making it anew for her
// alone would cost a phone minutes.
func (l *ledger) lingers(s Shred) bool {
	age := l.host.Now().UnixMilli() - int64(s.TimeMS)
	return s.Reason == ShredExpired && age >= 0 && age < lingerAtMost.Milliseconds()
}
