package replica

import (
	"slices"

	"krama"
	"krama/seal"
)

// What was typed here on its way out: queued, sealed, sent, and read back.

// confirm takes an item off the outbox: it was read back from the stream.
func (l *outgoing) confirm(c krama.CircleID, it seal.Item) {
	// These are said and not typed: none of them is ever in the outbox.
	if it.Kind == seal.KindStatement || it.Kind == seal.KindHeartbeat || it.Kind == seal.KindRewrap ||
		len(l.outbox) == 0 {
		return
	}
	for i, p := range l.outbox { // ours come back in the order they were typed: the first is nearly always it
		if p.is(c, it) {
			if i == 0 {
				l.outbox = l.outbox[1:]
			} else {
				l.outbox = slices.Delete(l.outbox, i, i+1)
			}
			return
		}
	}
}

// dropSealed takes an envelope off what is to be sent: it was read back.
func (l *outgoing) dropSealed(c krama.CircleID, seq uint64) {
	for i, s := range l.sealed {
		if s.circle == c && s.seq == seq {
			l.sealed = append(l.sealed[:i], l.sealed[i+1:]...)
			return
		}
	}
}

// addSealed puts an envelope among those to be sent, once.
func (l *outgoing) addSealed(c krama.CircleID, seq uint64, wire []byte) {
	for _, s := range l.sealed {
		if s.circle == c && s.seq == seq {
			return
		}
	}
	l.sealed = append(l.sealed, &sealedEnvelope{c, seal.EnvelopeID(wire), seq, wire})
	l.own(c, seq)
}

// own takes note that this copy wrote up to seq in a circle.
func (l *outgoing) own(c krama.CircleID, seq uint64) { l.wrote[c] = max(l.wrote[c], seq) }

// shredWaits reports whether an erasure still has to be said: it is sealed with the key that it destroys.
func (l *outgoing) shredWaits(c krama.CircleID, s krama.SubjectID) bool {
	return slices.ContainsFunc(l.outbox, func(p *pending) bool {
		return p.circle == c && p.item.Subject == s && p.item.Kind == seal.KindShred
	})
}

// unsent reports whether something about a subject still has to be sent.
func (l *outgoing) unsent(c krama.CircleID, s krama.SubjectID) bool {
	return slices.ContainsFunc(l.outbox, func(p *pending) bool { return p.circle == c && p.item.Subject == s })
}

// unqueue takes a subject out of what waits to be sent, but for the erasure itself.
func (l *ledger) unqueue(c krama.CircleID, s krama.SubjectID) {
	// Her key's announcement stays with the erasure, which is sealed under that key.
	l.outbox = slices.DeleteFunc(l.outbox, func(p *pending) bool {
		return p.circle == c && p.item.Subject == s && p.item.Kind != seal.KindShred &&
			p.item.Kind != seal.KindSubjectKey
	})
	l.untidy = true
}

// outgoing is what was typed here and is not read back yet.
// All of it follows from the journal. What was read back leaves the file with the next rewriting.
type outgoing struct {
	outbox []*pending                // not sealed yet, or sealed and not confirmed; in the order it was typed
	sealed []*sealedEnvelope         // the same bytes at every try, in this author's order
	wrote  map[krama.CircleID]uint64 // highest sequence that this copy of the device is known to have written
}

// answers reports whether a second word or a taking back waits in the outbox.
func (l *outgoing) answers(id subject) bool {
	return slices.ContainsFunc(l.outbox, func(p *pending) bool {
		return p.circle == id.circle && p.item.Subject == id.id && (p.item.Kind == seal.KindShred ||
			p.item.Kind == seal.KindUnshred)
	})
}

// pendingEntry keeps what was typed until it is read back.
func pendingEntry(c krama.CircleID, it seal.Item) []byte {
	return tagged(tagPending, c[:], it.Subject[:], []byte{byte(it.Kind)}, it.Body)
}

// circle finds the circle of a kind that this device can write into.
func (l *ledger) circle(k krama.CircleKind) (krama.CircleID, bool) {
	for c, kind := range l.kinds {
		if kind == k && l.streams[c] != nil && k != krama.KindOrg {
			return c, true
		}
	}
	return krama.CircleID{}, false
}

// queue puts a typed item in the outbox and shows it at once.
func (l *ledger) queue(c krama.CircleID, it seal.Item) error {
	if l.shredded[subject{c, it.Subject}] && (l.loaded || it.Kind != seal.KindShred || l.shredWaits(c, it.Subject)) {
		return nil // while loading, an erasure that a colleague was first with stays until hers is within a close
	}
	l.outbox = append(l.outbox, &pending{c, it})
	switch {
	case it.Kind == seal.KindShred:
		// her key stays until the erasure itself is sealed with it and read back
		l.shredded[subject{c, it.Subject}] = true
		l.unqueue(c, it.Subject)
		if l.loaded { // while loading, it may be read back and wait: then what was fed before it is still needed
			l.offScreen(subject{c, it.Subject})
		}
	case it.Kind == seal.KindSubjectKey:
		if _, ok := l.keys[c][it.Subject]; !ok && l.keys[c] != nil {
			l.keys[c][it.Subject] = seal.SubjectKey(it.Body)
		}
	case l.loaded: // while loading, most of what was typed comes confirmed later; the rest is shown at the end
		return l.show(c, it)
	}
	return nil
}

// show feeds a typed item as Local.
func (l *ledger) show(c krama.CircleID, it seal.Item) error {
	switch it.Kind {
	case seal.KindRecord, seal.KindCircleRecord:
		rec, err := krama.DecodeRecord(it.Body)
		if err != nil {
			return err
		}
		if l.host.Feed != nil && !l.hidden(c, it.Subject) {
			l.host.Feed(Event{Circle: l.kinds[c], Subject: it.Subject, Record: rec, Author: l.dev.ID(), Local: true})
		}
	}
	return nil
}

// next returns the sequence and predecessor of this device's next envelope in a circle.
func (l *ledger) next(c krama.CircleID) (seq uint64, prev [32]byte) {
	if a := l.streams[c].authors[l.dev.ID()]; a != nil {
		seq, prev = a.last()
	}
	// What is sealed has its place, sent or not: two envelopes of one place are what a copy writes.
	for _, s := range l.sealed {
		if s.circle == c && s.seq > seq {
			seq, prev = s.seq, s.id
		}
	}
	return seq + 1, prev
}

// header is the head of this device's next envelope in a circle.
func (l *ledger) header(c krama.CircleID, kind seal.EnvelopeKind) seal.Header {
	seq, prev := l.next(c)
	return seal.Header{Author: l.dev.ID(), Kind: kind, Seq: seq, Prev: prev, Head: l.streams[c].head,
		// not the relay's clock: it could date heartbeats
		Roster: l.roster.At(), TimeMS: uint64(l.host.Now().UnixMilli())}
}
