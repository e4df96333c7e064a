package replica

import (
	"krama"
	"krama/seal"
)

// What stands at both ends of a journal that is written anew, and what of a person's is still here.

// rekeyed reports whether the roster shows this device's newest KEM key and everything wrapped to older ones is open.
func (l *ledger) rekeyed() bool {
	if l.roster == nil || len(l.rekeys) == 0 {
		return false
	}
	me := l.roster.Devices[l.dev.ID()]
	if me == nil || seal.KemHash(me.KemPub) != seal.KemHash(l.rekeys[len(l.rekeys)-1].PublicKey().Bytes()) {
		return false
	}
	if !l.vouchedFor(me) {
		return false
	}
	// A wrap that was made to the old key and is not opened yet would be lost with it.
	for c := range l.roster.Circles {
		if e := l.roster.Latest(c); e != nil && e.Keyed[me.ID] && (l.streams[c] == nil ||
			l.streams[c].known[e.Epoch] == nil) {
			return false
		}
	}
	return true
}

// tidyHead is what must be known before the envelopes: the device, the organisation and circle 0's secrets.
func (l *ledger) tidyHead() (out [][]byte, err error) {
	dev := *l.dev
	if l.rekeyed() {
		dev.KEM = l.rekeys[len(l.rekeys)-1]
	}
	d, err := dev.Marshal()
	if err != nil {
		return nil, err
	}
	out = append(out, tagged(tagDevice, d, l.drop))
	if l.scan != nil {
		out = append(out, tagged(tagScan, []byte(l.scan.String())))
	}
	if l.roster == nil {
		return out, nil
	}
	out = append(out, tagged(tagOrg, l.roster.Org[:], []byte(l.relay)))
	// Circle 0's secrets first, so that its envelopes have a stream; the others wait for the roster to name their
	// circles.
	for pass := range 2 {
		for c, st := range l.streams {
			if (c == krama.OrgCircle) != (pass == 0) {
				continue
			}
			for e := uint32(0); e <= st.newest().Epoch; e++ {
				if ep := st.known[e]; ep != nil {
					out = append(out, epochEntry(ep))
				}
			}
		}
	}
	for _, e := range l.waiting {
		out = append(out, epochEntry(e))
	}
	if !l.rekeyed() {
		for _, k := range l.rekeys {
			b, err := k.Bytes()
			if err != nil {
				return nil, err
			}
			out = append(out, tagged(tagRekey, b))
		}
	}
	return out, nil
}

// gone reports whether a subject's erasure was carried out: her key is not here any more.
func (l *ledger) gone(c krama.CircleID, s krama.SubjectID) bool {
	if !l.shredded[subject{c, s}] {
		return false
	}
	_, there := l.keys[c][s]
	return !there
}

// waits reports whether an item of the entry still waits for its subject's key.
func (l *ledger) waits(e *entry) bool {
	for _, it := range e.items {
		if it.verdict == seal.KeyPending && it.Kind != seal.KindSubjectKey {
			return true
		}
	}
	return false
}

// tidyTail is the rest of the state, as it is now.
func (l *ledger) tidyTail() (out [][]byte) {
	// All keys of a circle under its open epoch: with which keyring or announcement each came matters no more.
	for c, keys := range l.keys {
		if st := l.streams[c]; st != nil && len(keys) > 0 {
			out = append(out, keyringEntry(c, st.epoch.Epoch, keys))
		}
	}
	for p, ring := range l.early {
		out = append(out, keyringEntry(p.circle, p.epoch, ring))
	}
	for c, st := range l.streams {
		for e, ring := range st.rings {
			out = append(out, keyringEntry(c, e, ring))
		}
	}
	for c, e := range l.opening {
		out = append(out, tagged(tagNext, c[:], u32(e.Epoch), e.ES[:], e.KG[:]))
	}
	for _, p := range l.outbox {
		out = append(out, pendingEntry(p.circle, p.item))
	}
	for _, s := range l.sealed {
		out = append(out, tagged(tagSealed, s.circle[:], u64(s.seq), s.wire))
	}
	for _, a := range l.alarms {
		out = append(out, alarmEntry(a))
		if a.Mended {
			out = append(out, clearEntry(a))
		}
	}
	for k, v := range l.values {
		out = append(out, tagged(tagValue, []byte(k), []byte(v)))
	}
	for _, m := range l.letters {
		out = append(out, letterEntry(m))
	}
	for _, s := range l.controls {
		out = append(out, tagged(tagControl, s[:]))
	}
	for id := range l.done {
		out = append(out, tagged(tagLetterDo, id[:]))
	}
	for _, o := range l.orphans {
		out = append(out, orphanEntry(o))
	}
	// M is the last: what comes behind it, and has to go, makes the file untidy again.
	out = append(out, tagged(tagSynced, u64(uint64(l.lastSync.UnixMilli()))), []byte{tagTidy})
	return out
}
