package replica

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"krama"
	"krama/seal"
)

// The model of order, closes and rereading over ledgers alone: no file, no call, no lock, no clock that moves. Whoever
// holds a ledger here keeps its entries in a slice, as a device keeps them in its journal, and folds them again from
// the beginning at any moment. It runs some twenty schedules in the time that the devices' model takes for one, and a
// rule that it misses is one that rests on the device.

// holder is a ledger and the entries it was made of.
type holder struct {
	l     ledger
	v     *voids
	cfg   Config
	file  [][]byte
	fed   []krama.RecordID // confirmed records, in the order they were shown
	typed []krama.RecordID
	gone  bool
}

// medium is what the holders send each other's envelopes over: it forgets nothing and enforces nothing.
type medium struct {
	streams map[seal.StreamID]*evilStream
	shut    map[seal.StreamID]bool               // was closed
	secrets map[krama.CircleID][]*seal.Epoch     // of epochs opened in this schedule
	rings   map[krama.CircleID]map[uint32][]byte // the keyring entries that came with them
}

// keep makes entries, and what is owed, part of the file.
func (h *holder) keep(entries ...[]byte) {
	h.file = append(append(h.file, h.l.owed...), entries...)
	h.l.owed = nil
}

// read folds the file into a new ledger.
func (h *holder) read() error {
	h.fed, h.l = nil, newLedger(&h.cfg, h.v)
	for _, b := range h.file {
		var err error
		if b[0] == tagEnvelope || b[0] == tagLater {
			var e *entry
			if e, err = parseEnvelope(b[0], b[1:]); err == nil {
				e.decode()
				err = h.l.take(e)
			}
		} else {
			err = h.l.restore(b[0], b[1:])
		}
		if err != nil {
			return err
		}
	}
	h.l.whole()
	return nil
}

// again reads the file until no more of it turns out void.
func (h *holder) again() error {
	for {
		err := h.read()
		void := errCut{}
		if !errors.As(err, &void) {
			h.keep()
			return err
		}
		h.v.take(void)
		h.v.rewind()
	}
}

// restart is again, with nothing known but the file.
func (h *holder) restart() error { h.v = newVoids(); return h.again() }

// typeContact puts a contact with a person into the outbox, and keeps it.
func (h *holder) typeContact(c krama.CircleID, s krama.SubjectID) error {
	var id krama.RecordID
	rand.Read(id[:])
	rec := krama.Record{ID: id, Contact: &krama.Contact{Date: krama.DayOf(h.cfg.Now()), District: 1002, Place: 1}}
	body, err := rec.Encode()
	if err != nil {
		return err
	}
	it := seal.Item{Subject: s, Kind: seal.KindRecord, Body: body}
	h.keep(pendingEntry(c, it))
	h.typed = append(h.typed, id)
	return h.l.queue(c, it)
}

// seal seals what is typed and not sealed, as a device does (sealOutbox).
func (h *holder) seal(c krama.CircleID) error {
	st, latest := h.l.streams[c], h.l.roster.Latest(c)
	if st.closed || st.rereading() || st.epoch.Epoch != latest.Epoch {
		return nil
	}
	keys := func(s krama.SubjectID) (k seal.SubjectKey, ok bool) { k, ok = h.l.keys[c][s]; return k, ok }
	under := map[[32]byte]int{}
	for _, s := range h.l.sealed {
		if env, v := st.epoch.Open(s.wire); s.circle == c && v == seal.Fine {
			for i := range env.Len() {
				it, _ := env.Item(i, keys)
				under[contentOf(c, it)]++
			}
		}
	}
	var items []seal.Item
	for _, p := range h.l.outbox {
		if what := contentOf(c, p.item); p.circle != c || under[what] > 0 {
			under[what]--
		} else {
			items = append(items, p.item)
		}
	}
	if len(items) == 0 {
		return nil
	}
	return h.say(c, st.epoch, seal.EnvContent, items, keys)
}

// say seals items into the next envelope, and keeps it.
func (h *holder) say(c krama.CircleID, ep *seal.Epoch, kind seal.EnvelopeKind, items []seal.Item,
	keys func(krama.SubjectID) (seal.SubjectKey, bool)) error {
	head := h.l.header(c, kind)
	wire, err := ep.Seal(rand.Reader, h.l.dev, head, items, keys)
	if err != nil {
		return err
	}
	h.keep(tagged(tagSealed, c[:], u64(head.Seq), wire))
	h.l.addSealed(c, head.Seq, wire)
	return nil
}

// push sends what is sealed. Into a closed stream it goes only where the line is without rules.
func (n *medium) push(h *holder, c krama.CircleID, past bool) {
	id := h.l.streams[c].epoch.StreamID()
	if n.shut[id] && !past {
		return
	}
	for _, s := range h.l.sealed {
		if s.circle == c {
			n.streams[id].add([][]byte{s.wire})
		}
	}
}

// pull reads at most a number of envelopes. It reports whether that led on.
func (n *medium) pull(h *holder, c krama.CircleID, most int) (some bool, err error) {
	st := h.l.streams[c]
	p, s := place{c, st.epoch.Epoch}, n.streams[st.epoch.StreamID()]
	from := int(st.head.N)
	to := min(len(s.entries), from+most)
	entries, said, err := h.l.receive(p, st.head.N, seal.Listing{Head: s.head(len(s.entries)),
		Entries: slices.Clone(s.entries[from:to])}, false)
	if err != nil {
		return false, err
	}
	h.keep(entries...)
	if said != nil && !errors.Is(said, errAhead) {
		return false, said
	}
	read := h.l.streams[c].head.N > uint64(from)
	err = h.settle(n, c)
	return read || h.l.streams[c].epoch.Epoch != p.epoch, err
}

// settle ends epochs that were read to their end, and takes up the next ones' secrets once the roster shows them.
func (h *holder) settle(n *medium, c krama.CircleID) error {
	for {
		st := h.l.streams[c]
		for _, e := range n.secrets[c] {
			if e.Epoch == st.epoch.Epoch+1 && int(e.Epoch) < len(h.l.roster.Circles[c].Epochs) &&
				st.known[e.Epoch] == nil {
				ring := n.rings[c][e.Epoch]
				h.keep(ring, epochEntry(e))
				if err := errors.Join(h.l.restore(ring[0], ring[1:]), h.l.addEpoch(e)); err != nil {
					return err
				}
			}
		}
		end := h.l.settle(c)
		if h.keep(); end == nil {
			return nil
		}
		h.keep(end)
		err := h.l.restore(end[0], end[1:])
		if void := (errCut{}); errors.As(err, &void) {
			err = h.again()
		}
		if err != nil {
			return err
		}
		first := h.l.unannounced(c)
		for _, p := range first {
			h.keep(pendingEntry(c, p.item))
		}
		h.l.outbox = append(first, h.l.outbox...)
	}
}

// read reads circle 0 and a circle to their ends.
func (n *medium) read(h *holder, c krama.CircleID, most int) error {
	for more := true; more; {
		more = false
		for _, c := range []krama.CircleID{krama.OrgCircle, c} {
			some, err := n.pull(h, c, most)
			if err != nil {
				return err
			}
			more = more || some
		}
	}
	return nil
}

// rotate has an admin open the circle's next epoch, which ends the one before where she has read it.
func (n *medium) rotate(h *holder, c krama.CircleID) error {
	if err := n.read(h, c, 1000); err != nil {
		return err
	}
	st := h.l.streams[c]
	if st.closed || st.rereading() {
		return nil
	}
	next, err := seal.NewEpoch(rand.Reader, seal.Context{Org: h.l.roster.Org, Circle: c, Epoch: st.epoch.Epoch + 1})
	if err != nil {
		return err
	}
	deed := &seal.EpochOpen{Circle: c, Epoch: next.Epoch, EC: next.EC(), GC: next.GC(), Closes: st.head,
		Back: next.Back(st.epoch), Devices: h.l.roster.Next(c)}
	n.shut[st.epoch.StreamID()] = true
	n.streams[next.StreamID()] = &evilStream{}
	n.secrets[c] = append(n.secrets[c], next)
	n.rings[c][next.Epoch] = keyringEntry(c, next.Epoch, h.l.keys[c])
	if err := n.state(h, deed); err != nil {
		return err
	}
	start, _ := h.l.roster.StartOf(c, next.Epoch)
	n.streams[next.StreamID()].start = start
	return n.read(h, c, 1000)
}

// state says a statement in circle 0.
func (n *medium) state(h *holder, deed seal.Deed) error {
	st, err := seal.NewStatement(rand.Reader, h.l.roster.At().N+1, deed)
	if err != nil {
		return err
	}
	it := seal.Item{Kind: seal.KindStatement, Body: seal.StatementBody(st.Marshal())}
	if err := h.say(krama.OrgCircle, h.l.streams[krama.OrgCircle].epoch, seal.EnvRoster, []seal.Item{it},
		nil); err != nil {
		return err
	}
	n.push(h, krama.OrgCircle, false)
	_, err = n.pull(h, krama.OrgCircle, 1000)
	return err
}

// ledgerFiles are the entries of a founded programme's devices, the office's first.
func ledgerFiles(t *testing.T, tp *template) (files [][][]byte) {
	for i, d := range tp.dirs {
		r, err := Load(Config{Dir: copyDir(d), Rand: rand.Reader, Now: func() time.Time { return tp.now },
			Platform: "model",
			Office:   i == 0, Dial: func(string) Remote { return &evilLine{evil: tp.evil.clone()} }}, tp.vks[i])
		if err != nil {
			t.Fatal(err)
		}
		_, key, err := r.readKeys(tp.vks[i])
		var file [][]byte
		err = errors.Join(err, r.entries(key, func(b []byte) error {
			file = append(file, slices.Clone(b))
			return nil
		}))
		if r.Close(); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// TestModelLedgers: whatever order typing, sending, reading, rotations, removals and restarts come in, and whatever a
// line without rules takes into closed streams, in the end all ledgers show the same records in the same order, each
// once; nothing of an honest device is missing, and nothing of a removed one was let in; and a ledger that is folded
// again from its entries is the one it was.
func TestModelLedgers(t *testing.T) {
	t.Parallel()
	tp := modelTemplate(t, true)
	files := ledgerFiles(t, tp)
	rapid.Check(t, func(t *rapid.T) {
		must := func(err error) {
			if err != nil {
				t.Helper()
				t.Fatal(err)
			}
		}
		n := &medium{streams: tp.evil.clone().streams, shut: map[seal.StreamID]bool{},
			secrets: map[krama.CircleID][]*seal.Epoch{}, rings: map[krama.CircleID]map[uint32][]byte{}}
		now := tp.now
		hs := make([]*holder, len(files))
		for i := range files {
			h := &holder{file: slices.Clip(files[i])}
			h.cfg = Config{Now: func() time.Time { return now }, Office: i == 0, Feed: func(e Event) {
				if e.Record != nil && e.Record.Contact != nil && !e.Local {
					h.fed = append(h.fed, e.Record.ID)
				}
			}}
			must(h.restart())
			hs[i] = h
		}
		desk := hs[0]
		c, _ := desk.l.circle(krama.KindOutreach)
		n.rings[c] = map[uint32][]byte{}
		removed := 0
		wrote := map[krama.RecordID]bool{} // by who was removed, after that
		for range rapid.IntRange(4, 60).Draw(t, "steps") {
			h := hs[rapid.IntRange(0, modelPhones).Draw(t, "who")]
			switch act := rapid.IntRange(0, 14).Draw(t, "act"); {
			case act <= 3:
				must(h.typeContact(c, tp.subject))
				wrote[h.typed[len(h.typed)-1]] = h.gone
			case act <= 6:
				must(h.seal(c))
				n.push(h, c, rapid.Bool().Draw(t, "past"))
			case act <= 9 && !h.gone:
				which := []krama.CircleID{krama.OrgCircle, c}[rapid.IntRange(0, 1).Draw(t, "circle")]
				_, err := n.pull(h, which, rapid.IntRange(1, 5).Draw(t, "page"))
				must(err)
			case act <= 11:
				fed, out, head := slices.Clone(h.fed), len(h.l.outbox), h.l.streams[c].head
				must(h.restart())
				if !slices.Equal(h.fed, fed) || len(h.l.outbox) != out || h.l.streams[c].head != head {
					t.Fatalf("folded again it shows %d records, %d wait and it stands at %d; before %d, %d and %d",
						len(h.fed), len(h.l.outbox), h.l.streams[c].head.N, len(fed), out, head.N)
				}
			case act <= 13:
				must(n.rotate(desk, c))
			case h != desk && !h.gone && removed < 2:
				removed++
				must(n.read(desk, c, 1000))
				must(n.state(desk, &seal.DeviceRemove{Device: h.l.dev.ID(), Reason: seal.ReasonTaken}))
				must(n.rotate(desk, c))
				h.gone = true
			}
		}
		// Everybody who is left meets the line until nothing moves.
		for range 3 {
			for _, h := range hs {
				if !h.gone {
					must(n.read(h, c, 7))
					must(h.seal(c))
					n.push(h, c, false)
					must(n.read(h, c, 7))
				}
			}
		}
		for i, h := range hs {
			if h.gone {
				continue
			}
			if !slices.Equal(h.fed, desk.fed) {
				t.Fatalf("ledger %d shows %d records, the office's %d, or in another order", i, len(h.fed),
					len(desk.fed))
			}
			if len(h.l.outbox)+len(h.l.sealed) > 0 {
				t.Fatalf("of ledger %d %d items and %d envelopes wait for ever", i, len(h.l.outbox), len(h.l.sealed))
			}
			for _, a := range h.l.alarms {
				if !a.Mended && (i == 0 || a.What != AlarmUnauthorised) {
					t.Fatalf("ledger %d raises a false alarm: %s", i, a.What)
				}
			}
			for _, id := range h.typed {
				if !slices.Contains(desk.fed, id) {
					t.Fatal("a record of an honest device is lost")
				}
			}
		}
		shown := map[krama.RecordID]bool{}
		for _, id := range desk.fed {
			if shown[id] {
				t.Fatal("a record is shown twice")
			}
			if shown[id] = true; wrote[id] {
				t.Fatal("a record was let in that was written after its device was removed")
			}
		}
		for i, h := range hs {
			fed := slices.Clone(h.fed)
			if must(h.restart()); !h.gone && !slices.Equal(h.fed, fed) {
				t.Fatalf("ledger %d shows something else after it was folded again", i)
			}
		}
	})
}
