package replica

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"krama"
	"krama/journal"
	"krama/seal"
)

// A device's file has a part that stays as it is: envelopes old enough that little of them will have to go. It is a
// journal of its own, under a key that stands in the journal proper where its entries belong. While nothing in it has
// to go, a rewriting copies that key and leaves the part alone; otherwise the part is written anew under another key,
// and the old key goes with the journal it stood in.

// What is frozen, and when it is written anew. The tests of this package have values of their own, so that every test
// meets it.
var (
	freezeAge    = 120 * day // conversations and the keys of intakes are gone by then
	freezeLeast  = 1 << 20   // bytes of entries; fewer are not worth a file
	lingerAtMost = 7 * day   // how long the bytes of people whose retention ended stay in it
	freezeShare  = int64(2)  // it is written anew when the journal proper is larger than one in so many of it; 0: never
)

// frozen is what a replica knows of the part that stays.
type frozen struct {
	gen  uint64 // names its file
	key  [32]byte
	size int64 // of the file when it was finished; another is damage

	who   map[subject]bool // people of whom something is in it that their erasure takes
	wires map[string]bool  // short ids of envelopes in it that can be given back to a relay
	wrote map[writer]bool  // whose envelopes are in it, by epoch
	bad   bool             // something of it cannot be read
}

// writer is a device that wrote something into an epoch.
type writer struct {
	place
	author krama.DeviceID
}

// newFrozen is a part that nothing was put into.
func newFrozen(gen uint64, key [32]byte) *frozen {
	return &frozen{gen: gen, key: key, who: map[subject]bool{}, wires: map[string]bool{}, wrote: map[writer]bool{}}
}

// entry is what the journal proper says of the part: which it is, under which key, how long.
func (f *frozen) entry() []byte { return tagged(tagFrozen, u64(f.gen), f.key[:], u64(uint64(f.size))) }

// parseFrozen reads what entry wrote.
func parseFrozen(b []byte) (*frozen, error) {
	if len(b) == 0 || b[0] != tagFrozen {
		return nil, nil
	}
	p, err := seal.ParseFrame(b[1:], 3)
	if err != nil || len(p) != 3 || len(p[0]) != 8 || len(p[1]) != 32 || len(p[2]) != 8 {
		return nil, errEntry
	}
	f := newFrozen(binary.BigEndian.Uint64(p[0]), [32]byte(p[1]))
	f.size = int64(binary.BigEndian.Uint64(p[2]))
	return f, nil
}

// note remembers of an envelope in the part what decides whether the part has to be written anew.
func (f *frozen) note(e *entry) {
	for _, it := range e.items {
		if it.Kind != seal.KindShred && (len(it.Body) > 0 || it.verdict == seal.KeyPending) {
			f.who[subject{e.circle, it.Subject}] = true
		}
	}
	if _, stone := seal.TombstoneID(e.wire); len(e.wire) > 0 && !stone {
		f.wires[shortID(e.id)] = true
	}
	if e.verdict == seal.Fine {
		f.wrote[writer{place{e.circle, e.epoch}, e.author}] = true
	}
}

// read gives each entry of the part, in order. What is damaged is left out, and bad says so: the relay is asked for it
// again.
func (f *frozen) read(d journal.Dir, rand io.Reader, each func([]byte) error) error {
	const op = "replica.frozen"
	file, err := d.Open(frozenName(f.gen))
	if err != nil {
		return hostError(op, err)
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return hostError(op, err)
	}
	// A commit that is missing at the end leaves a file that reads well: only its length tells.
	f.bad = f.bad || size != f.size
	take := func(b []byte, _ bool) error { return each(b) }
	_, rep, err := journal.Open(readOnly{file}, seal.Local{Key: f.key}, rand, take)
	if errors.Is(err, journal.ErrNot) || errors.Is(err, journal.ErrNewer) { // its version is the journal proper's
		f.bad, err = true, nil
	}
	f.bad = f.bad || rep.Damaged > 0 || rep.Torn > 0
	return hostError(op, err)
}

// readOnly is a file in which nothing is begun, and no end that does not open is cut off.
// journal.Open would make a journal of an empty file and cut off what looks torn: the damage would not show any more.
type readOnly struct{ journal.File }

func (readOnly) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }

func (readOnly) Truncate(int64) error { return nil }

func (readOnly) Sync() error { return nil }

// entries gives each entry of this device's file, those of the part that stays in their place. Damage that was not
// there when the device was opened is an error: opening it again says so, and has the relay asked for what is missing.
// Called with the lock held.
func (r *core) entries(key [32]byte, each func([]byte) error) error {
	_, _, err := journal.Open(r.file, seal.Local{Key: key}, r.Rand, func(b []byte, _ bool) error {
		f, err := parseFrozen(b)
		if err != nil {
			return err
		}
		if f == nil {
			return each(b)
		}
		err = f.read(r.Dir, r.Rand, each)
		// Damage that was known at opening has had the relay asked for what is missing; new damage has not.
		if err == nil && f.bad && (r.frozen == nil || !r.frozen.bad) {
			err = krama.E("replica.entries", krama.Tampered, "the device's file is damaged")
		}
		return err
	})
	return err
}

// removeOldFrozen removes what an earlier rewriting left of another part.
func (r *core) removeOldFrozen() error {
	for gen := range uint64(2) {
		if r.frozen == nil || frozenName(gen) != frozenName(r.frozen.gen) {
			if err := r.Dir.Remove(frozenName(gen)); err != nil {
				return hostError("replica.tidy", err)
			}
		}
	}
	return nil
}

// mustThaw reports whether something in the part has to go, or the rest has grown so large that more is frozen with it.
// Called with the lock held.
func (r *core) mustThaw() bool {
	f := r.frozen
	if f == nil || f.bad || len(r.led.cuts)+len(r.led.left)+len(r.led.trims) > 0 || r.j.Size()*freezeShare > f.size {
		return true
	}
	waits := r.led.lingering()
	// Her bytes must be gone with this rewriting; those of people whose time was over go together (lingering).
	for s := range f.who {
		if r.led.gone(s.circle, s.id) && !waits[s] {
			return true
		}
	}
	for c, st := range r.led.streams {
		if c != krama.OrgCircle && f.wrote[writer{place{c, st.epoch.Epoch}, r.led.dev.ID()}] {
			return true // what a close may yet throw out stays ours to send
		}
		// What the relay has dropped is not to be given back from here.
		_, ids := r.led.values.buried(c)
		for id := range ids {
			if f.wires[id] {
				return true
			}
		}
	}
	return false
}

// lingered reports whether somebody in the part that stays has been there for as long as she may. Called with the lock
// held.
func (r *core) lingered() bool {
	return r.frozen != nil && slices.ContainsFunc(r.led.shreds, func(s Shred) bool {
		return s.Reason == ShredExpired && r.frozen.who[subject{s.Circle, s.Subject}] && r.led.gone(s.Circle,
			s.Subject) &&
			!r.led.lingers(s)
	})
}

// freezer takes the entries of a rewriting, in order, and freezes those from the first on that are old.
type freezer struct {
	r     *core
	f     *frozen          // nil in the end when there was too little
	j     *journal.Journal // of f; nil until there is enough
	file  journal.File
	batch [][]byte
	size  int
	put   func(...[]byte) error // to the journal proper
	done  bool                  // everything from here on goes there
}

// newFreezer begins a rewriting. Where what is frozen stays, the freezer is done before it begins: its entry is copied
// like any other.
func (r *core) newFreezer(put func(...[]byte) error) (*freezer, error) {
	z := &freezer{r: r, put: put, f: r.frozen, done: !r.mustThaw()}
	if z.done {
		return z, nil
	}
	z.f = newFrozen(1, [32]byte{})
	if r.frozen != nil {
		z.f.gen = r.frozen.gen + 1
	}
	_, err := io.ReadFull(r.Rand, z.f.key[:])
	return z, krama.Wrap("replica.tidy", err)
}

// young reports whether an envelope is of late. One whose author's clock was ahead counts as old.
func (z *freezer) young(e *entry) bool {
	age := z.r.Now().UnixMilli() - int64(e.timeMS)
	return age >= 0 && age < freezeAge.Milliseconds()
}

// finish ends the part: its entry goes where it stood, or, where there was too little, its entries do.
func (z *freezer) finish() error {
	if z.done {
		return nil
	}
	z.done = true
	// Too little for a file of its own.
	if z.j == nil {
		z.f = nil
		return z.put(z.batch...)
	}
	if len(z.batch) > 0 {
		if err := z.flush(); err != nil {
			return err
		}
	}
	z.f.size = z.j.Size()
	if err := z.j.Close(); err != nil {
		return err
	}
	z.file = nil
	// Whole and flushed before a journal names it.
	return z.put(z.f.entry())
}

// abandon removes what was written of a part that will not be used.
func (z *freezer) abandon() {
	if z.file != nil {
		z.file.Close()
	}
	if z.f != nil && z.j != nil {
		z.r.Dir.Remove(frozenName(z.f.gen))
	}
}

// reread reads this device's own file for envelopes. Called with the lock held.
func (r *core) reread(each func(*entry) error) error {
	_, key, err := r.readKeys(r.vk)
	if err != nil {
		return err
	}
	err = r.entries(key, func(b []byte) error {
		if b[0] != tagEnvelope && b[0] != tagLater {
			return nil
		}
		e, err := parseEnvelope(b[0], b[1:])
		if err != nil {
			return err
		}
		return each(e)
	})
	return hostError("replica.reread", err)
}

// unsettled lists what this device has sent into epochs that no close covers yet: a close may still throw it out.
// Called with the lock held.
func (r meeting) unsettled() (out []work, err error) {
	me := r.led.dev.ID()
	err = r.reread(func(e *entry) error {
		st := r.led.streams[e.circle]
		if e.author != me || e.circle == krama.OrgCircle || st == nil || st.epoch.Epoch != e.epoch ||
			e.verdict != seal.Fine {
			return nil
		}
		for _, it := range e.items {
			if it.verdict == seal.Fine && len(it.Body) > 0 && it.Kind <= seal.KindSubjectKey &&
				!r.led.shredded[subject{e.circle, it.Subject}] {
				own := it.Item
				own.Body = bytes.Clone(own.Body)
				out = append(out, work{e.circle, me, own})
			}
		}
		return nil
	})
	return out, err
}

// keep takes an entry, and the envelope it holds if it is one.
func (z *freezer) keep(b []byte, e *entry) error {
	// The part is the beginning of the file and no choice from it: behind the first young envelope nothing is frozen,
	// whatever its date (doc/format.md, 10).
	if !z.done && e != nil && z.young(e) {
		if err := z.finish(); err != nil {
			return err
		}
	}
	if z.done {
		return z.put(b)
	}
	if e != nil {
		z.f.note(e)
	}
	z.batch, z.size = append(z.batch, b), z.size+len(b)
	if z.j == nil && z.size < freezeLeast || z.j != nil && z.size < tidyBatch {
		return nil
	}
	return z.flush()
}
