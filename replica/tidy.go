package replica

import (
	"encoding/binary"
	"errors"
	"io"

	"krama"
	"krama/journal"
	"krama/seal"
)

// The journal is sealed under a key of its own, which the vault key wraps in a small file of two slots. Rewriting the
// journal under a fresh key and overwriting the old slot is how a device destroys what it once kept: keys of erased
// people, keyring keys of past epochs, old KEM keys.

// A slot is generation(8) ‖ salt(32) ‖ sealed generation and key(8+32+16); generation 0 is a journal sealed under the
// vault key itself, as the first version wrote it.
const (
	slotSize  = 8 + 32 + 8 + 32 + seal.SealOverhead
	slotPlace = 128
)

var slotAD = []byte("journal key")

// readKeys returns the newest journal's generation and key.
func (r *core) readKeys(vk [32]byte) (gen uint64, key [32]byte, err error) {
	const op = "replica.readKeys"
	key = vk
	f, err := r.Dir.Open(keysFile)
	if err != nil {
		return 0, key, hostError(op, err)
	}
	defer f.Close()
	for i := range int64(2) {
		var b [slotSize]byte
		if n, err := f.ReadAt(b[:], i*slotPlace); n < slotSize {
			if err != nil && err != io.EOF {
				return 0, key, hostError(op, err)
			}
			continue
		}
		pt, err := seal.Local{Key: vk}.Open([32]byte(b[8:40]), b[40:], slotAD)
		if err != nil || len(pt) != 40 {
			continue // never written, or half
		}
		if g := binary.BigEndian.Uint64(pt); g > gen {
			gen, key = g, [32]byte(pt[8:])
		}
	}
	return gen, key, nil
}

// newKeys draws the key of a new device's first journal.
func (r *core) newKeys(vk [32]byte) error {
	var key [32]byte
	if _, err := io.ReadFull(r.Rand, key[:]); err != nil {
		return krama.Wrap("replica.newKeys", err)
	}
	return r.writeKeys(vk, 1, key)
}

// writeKeys makes a journal's key the current one. The other slot, with the key before, is overwritten afterwards.
func (r *core) writeKeys(vk [32]byte, gen uint64, key [32]byte) error {
	const op = "replica.writeKeys"
	f, err := r.Dir.Open(keysFile)
	if err != nil {
		return hostError(op, err)
	}
	defer f.Close()
	var salt [32]byte
	if _, err := io.ReadFull(r.Rand, salt[:]); err != nil {
		return krama.Wrap(op, err)
	}
	b := binary.BigEndian.AppendUint64(nil, gen)
	b = append(b, salt[:]...)
	b = append(b, seal.Local{Key: vk}.Seal(salt, append(u64(gen), key[:]...), slotAD)...)
	// The new slot is flushed before the other is overwritten: at each moment one of them can be read
	// (doc/format.md, 10).
	for _, w := range []struct {
		at int64
		b  []byte
	}{{int64(gen%2) * slotPlace, b}, {int64((gen+1)%2) * slotPlace, make([]byte, slotSize)}} {
		if _, err := f.WriteAt(w.b, w.at); err != nil {
			return hostError(op, err)
		}
		if err := f.Sync(); err != nil {
			return hostError(op, err)
		}
	}
	return nil
}

// removeOldJournals removes what an interrupted rewriting left, or a finished one could not remove yet.
func (r *core) removeOldJournals() error {
	for g := range uint64(3) {
		if name := journalName(g); name != journalName(r.gen) {
			if err := r.Dir.Remove(name); err != nil {
				return hostError("replica.open", err)
			}
		}
	}
	return r.removeOldFrozen()
}

// tidyBatch is how many bytes of entries go into one commit of the rewriting.
const tidyBatch = 4 << 20

// tidy rewrites the journal under a new key without what had to go. Until the new key's slot is written, the old
// journal is the device; after it, the new one is. Called with the lock held.
func (r *core) tidy() (err error) {
	const op = "replica.tidy"
	if !r.led.loaded { // a reading that failed: what is in memory is not the whole
		return krama.E(op, krama.Internal, "the journal was not read")
	}
	_, oldKey, err := r.readKeys(r.vk)
	if err != nil {
		return err
	}
	var key [32]byte
	if _, err := io.ReadFull(r.Rand, key[:]); err != nil {
		return krama.Wrap(op, err)
	}
	gen := r.gen + 1
	// A rewriting that was cut may have left a beginning under this name.
	if err := r.Dir.Remove(journalName(gen)); err != nil {
		return hostError(op, err)
	}
	f, err := r.Dir.Open(journalName(gen))
	if err != nil {
		return hostError(op, err)
	}
	kept := false
	defer func() {
		if !kept {
			f.Close()
			r.Dir.Remove(journalName(gen))
		}
	}()
	j, _, err := journal.Open(f, seal.Local{Key: key}, r.Rand, func([]byte, bool) error { return errEntry })
	if err != nil {
		return hostError(op, err)
	}
	var batch [][]byte
	size := 0
	put := func(entries ...[]byte) error {
		for _, e := range entries {
			batch, size = append(batch, e), size+len(e)
		}
		if size < tidyBatch {
			return nil
		}
		err := j.Commit(batch...)
		batch, size = nil, 0
		return err
	}
	z, err := r.newFreezer(put)
	if err != nil {
		return err
	}
	defer func() {
		if !kept {
			z.abandon()
		}
	}()
	head, err := r.led.tidyHead()
	if err == nil {
		err = put(head...)
	}
	if err == nil {
		for _, k := range r.led.trims {
			k.past = 0
		}
		// The file is read once more from its beginning, and its trims are met again.
		t := tidying{l: &r.led, freezer: z, left: map[place]int{}, typed: map[[32]byte]int{}, read: map[reading]int{},
			done: map[krama.CircleID]map[string]bool{}}
		for c := range r.led.streams {
			_, t.done[c] = r.led.values.buried(c)
		}
		// Where the part stays, its entry is copied and not what it names; otherwise both are read as one file.
		if z.done {
			_, _, err = journal.Open(r.file, seal.Local{Key: oldKey}, r.Rand, func(b []byte, _ bool) error {
				return t.entry(b)
			})
		} else if err = r.entries(oldKey, t.entry); err == nil {
			err = z.finish()
		}
	}
	if err == nil && z.f != nil { // an earlier version would skip its entry, and all that belongs there
		err = j.Newest()
	}
	if err == nil {
		err = put(r.led.tidyTail()...)
	}
	if err == nil && len(batch) > 0 {
		err = j.Commit(batch...)
	}
	if err != nil {
		return hostError(op, err)
	}
	kept = true // from here on nobody knows which of the two a restart will find: both stay until it has
	if err := r.writeKeys(r.vk, gen, key); err != nil {
		f.Close()
		r.j.Close()
		return err
	}
	old := r.gen
	r.j.Close()
	r.j, r.file, r.gen, r.frozen, r.led.untidy = j, f, gen, z.f, false
	// What was void is not in the new file; nor is the KEM key before, where the roster shows the newest.
	*r.led.voids = *newVoids()
	if len(r.led.rekeys) > 0 && r.led.rekeyed() {
		r.led.dev.KEM = r.led.kems()[0]
		r.led.rekeys = nil
	}
	return hostError(op, errors.Join(r.Dir.Remove(journalName(old)), r.removeOldFrozen()))
}

// tidying is what is known while a journal is rewritten.
type tidying struct {
	l *ledger
	*freezer
	left map[place]int // how often an epoch's stream was begun anew so far
	// contents that stay this device's to send, and how often, however often an epoch was read
	typed map[[32]byte]int
	read  map[reading]int                    // how often each was met
	done  map[krama.CircleID]map[string]bool // envelopes whose bodies were dropped
}

// reading names a content in one of the readings of an epoch.
type reading struct {
	place
	nth     int
	content [32]byte
}

// entry copies one entry of the old journal if it is one that is copied.
func (t *tidying) entry(b []byte) error {
	l := t.l
	if len(b) == 0 {
		return errEntry
	}
	// What is no envelope, and orders none, is in tidyHead and tidyTail as it stands now.
	switch b[0] {
	case tagFrozen:
		return t.put(b)
	case tagClose:
		return t.keep(b, nil)
	case tagTrim:
		if epoch, _, ok := trimOf(b); ok && l.trims[epoch] != nil {
			l.trims[epoch].past++
		}
	case tagAgain, tagAbandon:
		p, _ := begunAnew(b)
		if t.left[p]++; t.left[p] > l.left[p].n {
			return t.keep(b, nil)
		}
	case tagEnvelope, tagLater:
		e, err := parseEnvelope(b[0], b[1:])
		if err != nil {
			return err
		}
		p := place{e.circle, e.epoch}
		if c, ok := l.cuts[p]; ok && e.n > c.n || t.left[p] < l.left[p].n || e.circle == krama.OrgCircle &&
			l.trims[e.epoch].void(e.n) {
			return nil
		}
		st := l.streams[e.circle]
		open := st != nil && st.epoch.Epoch == e.epoch && e.circle != krama.OrgCircle && e.author == l.dev.ID() &&
			e.verdict == seal.Fine
		if open { // it may have to go, and what is typed anew below comes after what is frozen
			if err := t.finish(); err != nil {
				return err
			}
		}
		changed := false
		for i := range e.items {
			it := &e.items[i]
			if l.gone(e.circle, it.Subject) && it.Kind != seal.KindShred && (len(it.Body) > 0 ||
				it.verdict == seal.KeyPending) {
				it.Body, it.verdict, changed = nil, seal.Shredded, true
			}
			// What a close may yet throw out stays ours to send.
			if open && it.verdict == seal.Fine && (it.Kind == seal.KindRecord || it.Kind == seal.KindCircleRecord ||
				it.Kind == seal.KindSubjectKey || it.Kind == seal.KindShred || it.Kind == seal.KindUnshred) {
				content := contentOf(e.circle, it.Item)
				in := reading{p, t.left[p], content}
				if t.read[in]++; t.read[in] > t.typed[content] {
					t.typed[content]++
					if err := t.put(pendingEntry(e.circle, it.Item)); err != nil {
						return err
					}
				}
			}
		}
		if _, stone := seal.TombstoneID(e.wire); t.done[e.circle][shortID(e.id)] && len(e.wire) > 0 && !stone {
			e.wire, changed = nil, true // a tombstone is made of what is left
		}
		// The wire has what was taken out, sealed. An office keeps it to give it back to a relay, others while a key is
		// missing.
		if changed {
			if !l.host.Office && !l.waits(e) {
				e.wire = nil
			}
			b = e.marshal()
		}
		return t.keep(b, e)
	}
	return nil
}
