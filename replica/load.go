package replica

import (
	"errors"
	"runtime"
	"slices"

	"krama"
	"krama/journal"
	"krama/seal"
)

// A device's journal, opened and read.

// parallel is whether decoding beside reading gains anything.
var parallel = runtime.GOARCH != "wasm"

// loader folds a journal into a replica. Envelopes are decoded side by side and folded in order.
type loader struct {
	// One reading has one loader: take runs on the goroutine that reads the file, fold on one of its own, and whoever
	// began the reading holds the lock of r, or has shown r to nobody yet, until finish has returned.
	r      *core
	next   chan *loading // in order
	within bool          // the part that stays is being read
	done   chan error
}

// take receives one journal entry. What follows damage is treated like the rest: an envelope out of its place is asked
// for again, anything typed is kept.
func (l *loader) take(b []byte, _ bool) error {
	if len(b) == 0 {
		return errEntry
	}
	// What the part that stays holds belongs where its own entry stands: it is read in the middle of the journal. A
	// part within a part is damage.
	if f, err := parseFrozen(b); f != nil || err != nil {
		if err != nil || l.within {
			return errEntry
		}
		l.r.frozen, l.within = f, true
		err = f.read(l.r.Dir, l.r.Rand, func(b []byte) error { return l.take(b, false) })
		l.within = false
		return err
	}
	b = append([]byte(nil), b...) // what is kept of one entry must not hold a whole commit in memory
	it := &loading{tag: b[0], raw: b[1:], ready: make(chan struct{})}
	if b[0] == tagEnvelope || b[0] == tagLater {
		e, err := parseEnvelope(b[0], b[1:])
		if err != nil {
			return err
		}
		it.e = e
		if l.within {
			l.r.frozen.note(e)
		}
		// Decoding touches the entry alone; next keeps the order, and fold waits for ready.
		if parallel {
			go func() { e.decode(); close(it.ready) }()
		} else {
			e.decode()
			close(it.ready)
		}
	} else {
		close(it.ready)
	}
	l.next <- it
	return nil
}

// fold takes entries in the journal's order as they are decoded. After the first failure it only drains.
func (l *loader) fold() {
	var failed error
	for it := range l.next {
		<-it.ready
		// Not returned at once: take would wait for ever on a full channel.
		if failed != nil {
			continue
		}
		if it.e != nil {
			failed = l.r.led.take(it.e)
		} else {
			failed = l.r.led.restore(it.tag, it.raw)
		}
	}
	l.done <- failed
}

// finish waits until everything taken is folded in.
func (l *loader) finish() error {
	close(l.next)
	return <-l.done
}

// loading is one entry on its way: decoded beside others, folded in its turn.
type loading struct {
	e     *entry
	ready chan struct{}
	tag   byte
	raw   []byte
}

// newLoader begins a reading.
func newLoader(r *core) *loader {
	// So many entries may be decoded ahead of the fold; then reading waits, and memory stays bounded.
	l := &loader{r: r, next: make(chan *loading, 512), done: make(chan error, 1)}
	go l.fold()
	return l
}

// forgetAll begins with an empty ledger, and with nothing that rests on what the one before held. What was found not to
// count stays.
func (r *core) forgetAll(v *voids) {
	v.rewind()
	r.led = newLedger(&r.Config, v)
	// What rests on the ledger before goes with it: drawnAt and tried count its erasures, shut names its epochs.
	r.told, r.drawnAt, r.tried = map[subject]bool{}, map[krama.CircleID]int{}, map[krama.CircleID]int{}
	r.shut, r.dropBefore, r.frozen = map[krama.CircleID]uint32{}, nil, nil
}

// openJournal opens the journal under its key and reads it. What was damaged is an alarm, and reading goes on behind
// it.
func (r *core) openJournal(vk [32]byte) error {
	const op = "replica.open"
	r.vk = vk
	gen, key, err := r.readKeys(vk)
	if err != nil {
		return err
	}
	r.gen = gen
	f, err := r.Dir.Open(journalName(gen))
	if err != nil {
		return hostError(op, err)
	}
	// Generation 0 is sealed under the vault's key itself (doc/format.md, 10). Where no slot could be read and there is
	// no such journal either, the key is lost: an empty file must not begin a device's journal anew.
	if n, err := f.Size(); gen == 0 && err == nil && n == 0 {
		f.Close()
		return krama.E(op, krama.Tampered, "the journal's key cannot be read")
	}
	if err := r.read(f, key); err != nil {
		f.Close()
		return hostError(op, err)
	}
	if r.led.relay != "" {
		r.dial(r.led.relay)
	}
	// Told once: each opening finds the damage again, and the alarm stands in the journal from the first on.
	if r.report.Damaged > 0 && !slices.ContainsFunc(r.led.alarms, func(a Alarm) bool {
		return a.What == AlarmDamaged
	}) {
		return r.raise(Alarm{What: AlarmDamaged})
	}
	if r.led.dev == nil {
		return nil // new, or not the journal that this device had: what lies beside it stays
	}
	return r.removeOldJournals()
}

// read folds the journal in f into the state. Where a signed close turns out to lie behind what was read and fed, it
// begins again and leaves out what is void.
func (r *core) read(f journal.File, key [32]byte) error {
	for {
		l := newLoader(r)
		j, rep, err := journal.Open(f, seal.Local{Key: key}, r.Rand, l.take)
		failed := l.finish()
		var again errCut
		if errors.As(failed, &again) {
			r.led.voids.take(again)
			r.forgetAll(r.led.voids)
			// The host has been fed what does not count: it forgets all of it, or what is fed next would stand beside
			// that.
			if r.Reset != nil {
				r.Reset()
			}
			continue
		}
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		if r.frozen != nil && r.frozen.bad {
			rep.Damaged++
		}
		r.j, r.file, r.report = j, f, rep
		break
	}
	r.led.whole()
	// The key fits, and the first entries are lost: whatever was written now would be nobody's.
	if r.report.Commits > 0 && r.led.dev == nil {
		r.j = nil
		return krama.E("replica.open", krama.Tampered, "the device's keys are gone")
	}
	// Last, because most of what was typed came confirmed while the journal was read (queue).
	for _, p := range r.led.outbox {
		if err := r.led.show(p.circle, p.item); err != nil {
			return err
		}
	}
	return nil
}

// reload reads the journal anew.
func (r *core) reload() error {
	_, key, err := r.readKeys(r.vk)
	if err != nil {
		return err
	}
	relay := r.led.relay
	r.forgetAll(r.led.voids)
	if r.Reset != nil {
		r.Reset()
	}
	if err = r.read(r.file, key); err != nil && r.j != nil {
		r.j.Close() // what is in memory is not the whole: nothing may be written from it
	}
	r.led.relay = relay
	return err
}
