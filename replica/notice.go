package replica

import (
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
		// What was settled for this circle hides nobody in it again; another circle's reading may be behind.
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
		// A token is bound to the device that said it: each key is tried for each of those devices (doc/format.md, 2).
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
