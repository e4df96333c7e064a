package replica

import (
	"krama"
	"krama/seal"
)

// orphan is an item of a colleague that a relay has lost and that she has not sent again. It is off the screen, because
// nobody has signed that it counts, but it is not thrown away.
type orphan struct {
	circle krama.CircleID
	author krama.DeviceID
	day    krama.Day
	item   seal.Item
}

// orphanDays is how long a colleague has to send her work again before it goes to the quarantine.
const orphanDays = 7

// addOrphan keeps a colleague's lost item; of one that comes again, the first day counts.
func (l *ledger) addOrphan(o orphan) {
	id := contentOf(o.circle, o.item)
	if old, ok := l.orphans[id]; !ok || o.day < old.day {
		l.orphans[id] = o
	}
}

// lost takes note of an envelope past a signed close. Ours is still in the outbox. A colleague's is kept only when a
// relay lost it: otherwise nothing tells it from an injected one.
func (l *ledger) lost(e *entry, c cut) {
	own := l.dev != nil && e.author == l.dev.ID()
	if own {
		l.own(e.circle, e.seq)
	}
	for i := range e.items {
		it := &e.items[i]
		switch {
		case it.verdict != seal.Fine || e.verdict != seal.Fine:
		case own && !keepUntilSettled:
			l.confirm(e.circle, it.Item)
		case !own && c.repair && (it.Kind == seal.KindRecord || it.Kind == seal.KindCircleRecord ||
			it.Kind == seal.KindSubjectKey):
			body := it.Item
			l.addOrphan(orphan{circle: e.circle, author: e.author, day: krama.DayOf(l.host.Now()), item: body})
		}
	}
}

// orphanEntry keeps it in the journal until it was handed over.
func orphanEntry(o orphan) []byte {
	return tagged(tagOrphan, o.circle[:], o.author[:], o.item.Subject[:], []byte{byte(o.item.Kind)}, o.item.Body,
		u64(uint64(o.day)))
}
