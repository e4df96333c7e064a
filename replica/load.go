package replica

import (
	"runtime"
)

// loader folds a journal into a replica. Envelopes are decoded side by side and folded in order.
type loader struct {
	// One reading has one loader: take runs on the goroutine that reads the file, fold on one of its own, and whoever
	// began the reading holds the lock of r, or has shown r to nobody yet, until finish has returned.
	r      *core
	next   chan *loading // in order
	within bool          // the part that stays is being read
	done   chan error
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

// parallel is whether decoding beside reading gains anything.
var parallel = runtime.GOARCH != "wasm"

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
