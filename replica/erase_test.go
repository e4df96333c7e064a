package replica

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"krama"
	"krama/journal"
	"krama/relay"
	"krama/seal"
)

// bytesOf returns everything a device has on disk.
func (d *device) bytesOf() (out []byte) {
	for _, n := range append(journalFiles(), vaultFile, keysFile) {
		if f := d.dir.File(n); f != nil {
			out = append(out, f.Data...)
		}
	}
	return out
}

// dump opens a copy of a device's files with its vault key and returns every journal entry in the clear.
func (w *world) dump(d *device, files map[string][]byte, vk [32]byte) (out []byte) {
	w.t.Helper()
	dir := &journal.MemDir{}
	for n, b := range files {
		f, _ := dir.Open(n)
		f.WriteAt(b, 0)
		f.Close()
	}
	r := &Replica{core{Config: Config{Dir: dir, Rand: d.cfg.Rand}}}
	for g := range uint64(3) { // every journal file that is there, with the key that the slots still give
		gen, key, err := r.readKeys(vk)
		w.must(err)
		f, err := dir.Open(journalName(g))
		w.must(err)
		if gen != g && !(gen > 0 && journalName(gen) == journalName(g)) {
			key = vk
		}
		take := func(b []byte) error { out = append(out, b...); return nil }
		journal.Open(f, seal.Local{Key: key}, d.cfg.Rand, func(b []byte, _ bool) error {
			if part, err := parseFrozen(b); part != nil || err != nil {
				w.must(err)
				w.must(part.read(dir, d.cfg.Rand, take))
			}
			return take(b)
		})
		f.Close()
	}
	return out
}

func (d *device) files() map[string][]byte {
	out := map[string][]byte{}
	for _, n := range append(journalFiles(), vaultFile, keysFile) {
		if f := d.dir.File(n); f != nil {
			out[n] = bytes.Clone(f.Data)
		}
	}
	return out
}

// code returns the code under which somebody was registered here.
func (d *device) code(s krama.SubjectID) krama.Code {
	for _, e := range d.events {
		if e.Subject == s && e.Record != nil && e.Record.Person != nil {
			return e.Record.Person.Code
		}
	}
	return "?"
}

func TestErasure(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s, other := w.person(a), w.person(a)
	w.sync(a, b)
	for range 3 {
		w.contact(a, s)
		w.contact(b, other)
	}
	w.sync(a, b, w.desk, a, b)
	w.contact(b, s) // typed far away, about somebody who is being erased
	c := w.outreach(a)
	key := a.led.keys[c][s]
	code := a.code(s)
	w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
	if err := a.Write(krama.KindOutreach, s, &krama.Record{ID: krama.RecordID{9}, Consent: &krama.Consent{Purpose: 1,
		Date: krama.DayOf(w.now)}}); krama.KindOf(err) != krama.NotFound {
		t.Errorf("a record about an erased person: %v", err)
	}
	w.sync(a)
	w.sync(b, w.desk)
	for i, d := range []*device{a, b, w.desk} {
		if _, ok := d.led.keys[c][s]; ok {
			t.Errorf("device %d still has her key", i)
		}
		plain := w.dump(d, d.files(), d.vk)
		if bytes.Contains(plain, key[:]) || bytes.Contains(plain, []byte(code)) {
			t.Errorf("device %d still keeps her on disk", i)
		}
		gone := false
		for _, e := range d.events {
			gone = gone || (e.Record == nil && e.Subject == s)
		}
		if !gone {
			t.Errorf("device %d was not told to forget her", i)
		}
		w.again(d)
		w.sync(d)
		for _, e := range d.events {
			if e.Subject == s && e.Record != nil {
				t.Errorf("device %d shows her again after a restart", i)
			}
		}
	}
	if len(w.desk.all()) != 4 {
		t.Errorf("%d records of the other person, want 4", len(w.desk.all()))
	}
	w.noAlarm(a, b, w.desk)

	// The horizon: first the rotation, then every device's old key.
	e := w.desk.Erasing().Erasures()
	if len(e) != 1 || e[0].Rotated || e[0].Complete() || len(e[0].Waiting) != 3 {
		t.Fatalf("before the rotation: %+v", e)
	}
	w.must(w.desk.Admin().Maintain(ctx)) // an erasure makes the rotation due
	w.sync(a, w.desk)
	e = w.desk.Erasing().Erasures()
	if !e[0].Rotated || e[0].Complete() || e[0].Horizon.IsZero() {
		t.Errorf("after the rotation: %+v", e[0])
	}
	w.sync(b, w.desk, a, b, w.desk)
	if e = w.desk.Erasing().Erasures(); !e[0].Complete() || e[0].Gone != 3 {
		t.Errorf("after every device's new key: %+v", e[0])
	}
	w.must(w.desk.Admin().Rotate(ctx, c)) // what is not in the newest keyring is forgotten by the relay as well
	var pages [][32]byte
	w.desk.Roster(func(ro *seal.Roster) {
		for _, id := range ro.Circles[c].Epochs[1].Pages {
			if !slices.Contains(ro.Circles[c].Epochs[2].Pages, id) {
				pages = append(pages, id)
			}
		}
	})
	if len(pages) == 0 {
		t.Error("nothing of the keyring changed, not even its index")
	}
	p, err := w.store.Stream(ctx, w.stream(w.desk, krama.KindOutreach))
	w.must(err)
	for _, id := range pages {
		if _, err := w.store.Blob(ctx, p.Programme, id); krama.KindOf(err) != krama.NotFound {
			t.Errorf("the relay still has an old keyring: %v", err)
		}
	}
	late := w.phone()
	w.sync(late)
	if len(late.all()) != 4 {
		t.Errorf("who joins later has %d records, want 4", len(late.all()))
	}
	w.noAlarm(a, b, w.desk, late)
}

// TestErasedIsGone keeps every artefact that ever was on a disk, and after the horizon tries every key that is left.
func TestErasedIsGone(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a := w.phone()
	s := w.person(a)
	w.contact(a, s)
	w.sync(a, w.desk)
	c := w.outreach(a)
	code := a.code(s)
	sk := a.led.keys[c][s]
	id := w.stream(a, krama.KindOutreach)
	list, err := w.store.List(ctx, id, 0, 1<<30) // the relay's backup: every envelope, wrap and page of the time
	w.must(err)
	old := a.led.streams[c].epoch
	oldKEM := a.led.dev.KEM
	epochs := []*seal.Epoch{old}
	blobs := map[[32]byte][]byte{} // her key is on a page that stays from one keyring to the next
	for range 2 {
		w.must(w.desk.Admin().Rotate(ctx, c))
		w.sync(a, w.desk)
		epochs = append(epochs, a.led.streams[c].epoch)
		maps.Copy(blobs, w.blobs(w.desk, c))
	}
	if len(blobs) != 3 { // a page and two indexes
		t.Fatalf("%d parts of keyrings, want 3", len(blobs))
	}
	if !opensWith(blobs, epochs[2], sk) {
		t.Fatal("her key is not on the keyring that was kept: the test proves nothing")
	}
	boxes := map[string][][]byte{}
	for n, d := range map[string]*device{"a": a, "desk": w.desk} {
		boxes[n] = w.box(relay.Mail, d.led.dev.Mailbox())
	}
	disks := []map[string][]byte{a.files(), w.desk.files()}
	w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredDanger))
	w.sync(a, w.desk)
	w.must(w.desk.Admin().Maintain(ctx))
	for range 3 {
		w.sync(a, w.desk)
	}
	if e := w.desk.Erasing().Erasures(); len(e) != 1 || !e[0].Complete() {
		t.Fatalf("the horizon is not reached: %+v", e)
	}
	// Every key that is still anywhere: vault keys, journal keys, device keys, epoch secrets.
	var keys [][32]byte
	for _, d := range []*device{a, w.desk} {
		_, jk, err := d.readKeys(d.vk)
		w.must(err)
		keys = append(keys, d.vk, jk)
		for _, st := range d.led.streams {
			for _, e := range st.known {
				keys = append(keys, e.ES, e.KG)
			}
		}
		for _, ring := range d.led.keys {
			for _, k := range ring {
				keys = append(keys, k)
			}
		}
		for _, files := range disks { // yesterday's disks with today's keys
			for _, n := range []uint64{0, 1, 2} {
				for _, k := range keys {
					dir := &journal.MemDir{}
					f, _ := dir.Open("j")
					f.WriteAt(files[journalName(n)], 0)
					var plain []byte
					journal.Open(f, seal.Local{Key: k}, d.cfg.Rand, func(b []byte, _ bool) error {
						plain = append(plain, b...)
						return nil
					})
					if bytes.Contains(plain, []byte(code)) || bytes.Contains(plain, sk[:]) {
						t.Fatal("an old disk opens with a key that is left")
					}
				}
			}
		}
	}
	// The old envelopes: their outer layer still opens; hers does not, with any key as KG or as her own.
	for _, e := range list {
		for _, kg := range keys {
			ep := &seal.Epoch{Context: old.Context, ES: old.ES, KG: kg}
			env, v := ep.Open(e.Body)
			if v != seal.Fine {
				t.Fatal("the relay's backup does not open at all: the test proves nothing")
			}
			for i := range env.Len() {
				if who, k := env.Peek(i); who == s {
					it, v := env.Item(i, func(krama.SubjectID) (seal.SubjectKey, bool) {
						return seal.SubjectKey(kg), true
					})
					if v == seal.Fine && k != seal.KindCircleRecord {
						t.Fatalf("an item of hers opens: %q", it.Body)
					}
				}
			}
		}
	}
	// The old keyrings: no key that is left opens an index or a page that has her.
	for _, kg := range keys {
		for _, e := range epochs {
			if opensWith(blobs, &seal.Epoch{Context: e.Context, ES: e.ES, KG: kg}, sk) {
				t.Error("an old keyring opens")
			}
		}
	}
	// The old wraps: no KEM key that is left opens one of that time.
	for n, d := range map[string]*device{"a": a, "desk": w.desk} {
		if seal.KemHash(d.led.dev.KEM.PublicKey().Bytes()) == seal.KemHash(oldKEM.PublicKey().Bytes()) ||
			len(d.led.rekeys) != 0 {
			t.Errorf("%s still has a KEM key of that time", n)
		}
		for _, it := range boxes[n] {
			if len(it) == 16+seal.WrapSize {
				for _, e := range epochs {
					if _, err := seal.OpenWrap(e.Context, d.led.dev.ID(), d.led.dev.KEM, it[16:], e.EC(),
						e.GC()); err == nil {
						t.Errorf("%s opens an old wrap", n)
					}
				}
			}
		}
	}
}

// blobs reads the parts of a circle's newest keyring from the relay.
func (w *world) blobs(d *device, c krama.CircleID) map[[32]byte][]byte {
	w.t.Helper()
	p, err := w.store.Stream(w.t.Context(), w.stream(d, krama.KindOutreach))
	w.must(err)
	out := map[[32]byte][]byte{}
	d.Roster(func(ro *seal.Roster) {
		for _, id := range ro.Latest(c).Pages {
			out[id], err = w.store.Blob(w.t.Context(), p.Programme, id)
			w.must(err)
		}
	})
	return out
}

// opensWith tries an epoch's keyring key on everything that keyrings were made of, and what it opens on the rest, and
// reports whether a person's key is found.
func opensWith(blobs map[[32]byte][]byte, e *seal.Epoch, sk seal.SubjectKey) bool {
	keys := []seal.PageKey{{Epoch: e.Epoch, Key: e.KG}}
	for _, b := range blobs {
		if index, err := e.OpenIndex(b); err == nil {
			keys = append(keys, index...)
		}
	}
	found := func(page map[krama.SubjectID]seal.SubjectKey, err error) bool {
		return err == nil && slices.Contains(slices.Collect(maps.Values(page)), sk)
	}
	for _, b := range blobs {
		for p := range uint32(3) {
			if found(e.OpenPage(p, b)) {
				return true
			}
		}
		for _, k := range keys {
			if found(e.OpenPageWith(k, b)) {
				return true
			}
		}
	}
	return false
}

// TestKeyringPagesStay: a page on which nobody changed is not sent again; who is new, and who stood beside an erased
// person, come on a page whose key nobody had before.
func TestKeyringPagesStay(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	a, thief := w.phone(), w.phone()
	c := w.outreach(w.desk)
	for range 1030 {
		w.person(w.desk)
	}
	w.sync(w.desk, a, thief)
	w.must(w.desk.Admin().Rotate(ctx, c))
	w.sync(w.desk, a, thief)
	first := w.blobs(w.desk, c)
	if len(first) != 3 {
		t.Fatalf("%d parts, want two pages and an index", len(first))
	}
	known := *thief.led.streams[c].epoch
	w.must(w.desk.Admin().RemoveDevice(ctx, thief.led.dev.ID(), seal.ReasonLost, nil))
	w.sync(w.desk, a)
	second := w.blobs(w.desk, c)
	if n := shared(first, second); n != 2 || len(second) != 3 {
		t.Errorf("%d of two pages stayed when a device left", n)
	}
	s := w.person(a)
	w.contact(a, s)
	w.sync(a, w.desk)
	w.must(w.desk.Admin().Rotate(ctx, c))
	w.sync(w.desk, a)
	third := w.blobs(w.desk, c)
	if n := shared(second, third); n != 2 || len(third) != 4 {
		t.Errorf("%d of two pages stayed when a person came", n)
	}
	sk := a.led.keys[c][s]
	all := maps.Clone(first)
	maps.Copy(all, second)
	maps.Copy(all, third)
	if opensWith(all, &known, sk) {
		t.Error("who left reads the new person's key")
	}
	if !opensWith(all, a.led.streams[c].epoch, sk) {
		t.Error("who stayed does not")
	}
	w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
	for range 2 {
		w.sync(a, w.desk)
		w.must(w.desk.Admin().Maintain(ctx))
	}
	w.sync(a, w.desk)
	fourth := w.blobs(w.desk, c)
	if n := shared(third, fourth); n != 2 || len(fourth) != 3 { // she was alone on the third
		t.Errorf("%d of two pages stayed when a person was erased", n)
	}
	for one := range w.desk.led.keys[c] { // one of the first page's or the second's
		w.must(w.desk.Erasing().Shred(krama.KindOutreach, one, ShredAsked))
		break
	}
	w.sync(w.desk, a)
	w.now = w.now.Add(askedEvery) // one rotation a day for those who asked
	w.must(w.desk.Admin().Maintain(ctx))
	w.sync(w.desk, a)
	if n := shared(fourth, w.blobs(w.desk, c)); n != 1 {
		t.Errorf("%d of two pages stayed when one of their people was erased", n)
	}
	if opensWith(fourth, w.desk.led.streams[c].epoch, sk) {
		t.Error("the erased person is on the keyring")
	}
	late := w.phone()
	w.sync(late)
	if n := len(late.led.keys[c]); n != 1029 {
		t.Errorf("who joins late has %d people's keys, want 1029", n)
	}
	w.noAlarm(a, w.desk, late)
}

func shared(a, b map[[32]byte][]byte) (n int) {
	for id := range a {
		if _, ok := b[id]; ok {
			n++
		}
	}
	return n
}

// TestTidyCrash ends the process at every write of the rewriting: the device is always whole, and in the end tidy.
func TestTidyCrash(t *testing.T) {
	boom := errors.New("power cut")
	for n := 1; ; n++ {
		w := newWorld(t)
		a := w.phone()
		s, gone := w.person(a), w.person(a)
		w.contact(a, s)
		w.sync(a, w.desk)
		w.must(a.Erasing().Shred(krama.KindOutreach, gone, ShredAsked))
		w.sync(w.desk)
		writes, last := 0, false
		armed := false
		a.dir.Fault = func(op string, _ int) error {
			if armed {
				if writes++; writes >= n {
					return boom
				}
			}
			return nil
		}
		a.Sync(context.Background(), func(p Progress) { armed = armed || p.Stage == StageTidy })
		a.dir.Fault = nil
		last = writes < n
		w.again(a)
		if len(a.all()) != 2 {
			t.Fatalf("write %d: %d records, want 2", n, len(a.all()))
		}
		w.contact(a, s)
		w.sync(a, w.desk)
		if len(w.desk.all()) != 3 || a.led.untidy {
			t.Fatalf("write %d: the office has %d records, untidy %v", n, len(w.desk.all()), a.led.untidy)
		}
		w.noAlarm(a, w.desk)
		if last {
			if n < 5 {
				t.Errorf("only %d writes were tried", n)
			}
			return
		}
	}
}
