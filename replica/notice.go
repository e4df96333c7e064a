package replica

import (
	"context"
	"slices"
	"strconv"

	"krama"
	"krama/seal"
)

// An erasure stands in its circle behind everything else that was written there. So that a phone that comes back after
// weeks does not show an erased person until it has read all that, the same word stands in circle 0, which is read
// first, as a token that only holders of her key recognise. It hides and destroys nothing: when her circle is read to
// its end and the erasure is not there, she is back.

// noticedKey is up to which place of the roster a circle's notices were settled by reading the
// circle.
func noticedKey(c krama.CircleID) Setting { return noticedTo.Of(c.String()) }

var noticedTo = NewSetting(".noticed.", OfNobody)

// notice is one token, who said it, and where in the roster it stands.
type notice struct {
	token seal.EraseToken
	by    krama.DeviceID
	n     uint64
}

// noticesKept bounds how many notices of one device are looked at at once: whoever says more hides her own.
const noticesKept = 256

// hear keeps a notice that is read in circle 0 until the circles have been read. A token that is said again hides
// nobody again.
func (l *ledger) hear(e *entry, it *entryItem) {
	if len(it.Body) != len(seal.EraseToken{}) {
		return
	}
	n := notice{seal.EraseToken(it.Body), e.author, l.roster.At().N + 1}
	of, first := 0, -1
	for i, o := range l.notices {
		if o.token == n.token {
			return
		}
		if o.by == n.by {
			if of++; first < 0 {
				first = i
			}
		}
	}
	if of >= noticesKept {
		l.notices = slices.Delete(l.notices, first, first+1)
	}
	l.notices = append(l.notices, n)
}

// heed hides whom the notices name that were not settled. Called after circle 0 was read.
func (l *ledger) heed() {
	if len(l.notices) == 0 {
		return
	}
	for c, keys := range l.keys {
		settled := l.values.settledTo(c)
		fresh := map[krama.DeviceID]map[seal.EraseToken]bool{}
		for _, n := range l.notices {
			if n.n > settled {
				if fresh[n.by] == nil {
					fresh[n.by] = map[seal.EraseToken]bool{}
				}
				fresh[n.by][n.token] = true
			}
		}
		for by, tokens := range fresh {
			for s, k := range keys {
				id := subject{c, s}
				if tokens[k.EraseToken(by)] && !l.shredded[id] && !l.hidden(c, s) {
					l.noticed[id] = true
					l.offScreen(id)
				}
			}
		}
	}
}

// settledTo is up to which place of the roster a circle's notices were settled.
func (v settings) settledTo(c krama.CircleID) uint64 {
	n, _ := strconv.ParseUint(v.of(noticedKey(c)), 10, 64)
	return n
}

// settleNotices ends what notices have hidden in a circle that was read to its end: whoever was not erased is shown
// again. Called with the lock held, when circle 0 was read up to place n before that.
func (r meeting) settleNotices(c krama.CircleID, n uint64) error {
	st, settled := r.led.streams[c], r.led.values.settledTo(c)
	if r.j == nil || st == nil || st.closed || !slices.ContainsFunc(r.led.notices, func(o notice) bool {
		return o.n > settled && o.n <= n
	}) {
		return nil
	}
	if err := r.set(noticedKey(c), strconv.FormatUint(n, 10)); err != nil {
		return err
	}
	for id := range r.led.noticed {
		if id.circle != c {
			continue
		}
		delete(r.led.noticed, id)
		if !r.led.shredded[id] && r.led.await[id] == nil {
			r.led.reshow = true
		}
	}
	return nil
}

// stateNotices says in circle 0 whom the erasures are of that wait in the outbox, before anything else is read or sent.
func (r meeting) stateNotices(ctx context.Context) error {
	r.speaking.Lock()
	defer r.speaking.Unlock()
	if err := r.hold(); err != nil {
		return err
	}
	var items []seal.Item
	for _, p := range r.led.outbox {
		id := subject{p.circle, p.item.Subject}
		k, ok := r.led.keys[p.circle][p.item.Subject]
		if p.item.Kind != seal.KindShred || !ok || r.told[id] || len(items) == seal.MaxItems {
			continue
		}
		r.told[id] = true
		t := k.EraseToken(r.led.dev.ID())
		if slices.ContainsFunc(r.led.notices, func(n notice) bool { return n.token == t }) {
			continue // told before a restart
		}
		items = append(items, seal.Item{Kind: seal.KindErased, Body: t[:]})
	}
	var err error
	if len(items) > 0 {
		err = r.sealOne(krama.OrgCircle, items)
	}
	r.mu.Unlock()
	if err != nil || len(items) == 0 {
		return err
	}
	return r.push(ctx, krama.OrgCircle, nothing)
}

// erasuresFirst puts erasures before everything else of a circle, behind the announcements of the keys they are sealed
// with.
func erasuresFirst(items []seal.Item) {
	gone := map[krama.SubjectID]bool{}
	for _, it := range items {
		gone[it.Subject] = gone[it.Subject] || it.Kind == seal.KindShred
	}
	rank := func(it seal.Item) int {
		switch {
		case it.Kind == seal.KindSubjectKey && gone[it.Subject]:
			return 0
		case it.Kind == seal.KindShred:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(items, func(a, b seal.Item) int { return rank(a) - rank(b) })
}
