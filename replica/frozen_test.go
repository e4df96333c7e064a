package replica

import (
	"bytes"
	"testing"

	"krama"
	"krama/journal"
	"krama/seal"
)

// In the tests of this package everything is old enough to be frozen, and worth it, so that each of them meets a part
// that stays.
func init() { freezeAge, freezeLeast, freezeShare = 0, 1, 0 }

// frozenFile is the part of a device's file that stays as it is.
func (d *device) frozenFile(t *testing.T) *journal.MemFile {
	t.Helper()
	if d.frozen == nil {
		t.Fatal("nothing is frozen")
	}
	return d.dir.File(frozenName(d.frozen.gen))
}

// bodies counts what a device's file says of somebody, and what of it is in the part that stays.
func (d *device) bodies(t *testing.T, s krama.SubjectID) (all, frozen int) {
	t.Helper()
	_, key, err := d.readKeys(d.vk)
	if err != nil {
		t.Fatal(err)
	}
	count := func(n *int) func([]byte) error {
		return func(b []byte) error {
			if b[0] != tagEnvelope && b[0] != tagLater {
				return nil
			}
			e, err := parseEnvelope(b[0], b[1:])
			for _, it := range e.items {
				if it.Subject == s && it.Kind != seal.KindShred && len(it.Body) > 0 {
					*n++
				}
			}
			return err
		}
	}
	if err := d.entries(key, count(&all)); err != nil {
		t.Fatal(err)
	}
	if d.frozen != nil {
		if err := d.frozen.read(d.dir, nil, count(&frozen)); err != nil {
			t.Fatal(err)
		}
	}
	return all, frozen
}

// frozenWorld is an office and a phone whose past is frozen: two people with a contact each, in an epoch that was
// closed.
func frozenWorld(t *testing.T) (w *world, a *device, one, two krama.SubjectID) {
	w = newSmallWorld(t)
	a = w.phone()
	one, two = w.person(a), w.person(a)
	w.contact(a, one)
	w.contact(a, two)
	w.sync(a, w.desk)
	w.must(w.desk.Admin().Rotate(t.Context(), w.outreach(w.desk)))
	w.sync(a, w.desk, a)
	a.mu.Lock()
	w.must(a.tidy())
	a.mu.Unlock()
	if all, frozen := a.bodies(t, one); all == 0 || frozen != all {
		t.Fatalf("%d of %d are frozen", frozen, all)
	}
	return w, a, one, two
}

// TestFrozenStays: a rewriting for something that is not frozen leaves the part that is as it stands, and its key; all
// is there afterwards.
func TestFrozenStays(t *testing.T) {
	w, a, one, _ := frozenWorld(t)
	before, key := bytes.Clone(a.frozenFile(t).Data), a.frozen.key
	if head := a.dir.File(journalName(a.gen)).Data[:8]; string(head) != "KRAMAJ2\n" {
		t.Errorf("an earlier version opens it: %q", head)
	}
	young := w.person(a)
	w.contact(a, young)
	w.sync(a, w.desk)
	w.must(w.desk.Erasing().Shred(krama.KindOutreach, young, ShredAsked))
	gen := a.gen
	w.sync(w.desk, a)
	if a.gen == gen {
		t.Fatal("nothing was rewritten")
	}
	if !bytes.Equal(a.frozenFile(t).Data, before) || a.frozen.key != key {
		t.Error("what was frozen was written anew")
	}
	if all, _ := a.bodies(t, young); all != 0 {
		t.Errorf("%d things of who was erased are left", all)
	}
	w.again(a)
	if n := a.shown(); n != 4 {
		t.Errorf("%d records want 4", n)
	}
	w.contact(a, one)
	w.sync(a, w.desk)
	w.noAlarm(a, w.desk)
}

// TestFrozenThaws: an erasure of somebody in the part that stays has it written anew, under another key and another
// name, without her.
func TestFrozenThaws(t *testing.T) {
	w, a, one, two := frozenWorld(t)
	name, key := frozenName(a.frozen.gen), a.frozen.key
	w.must(w.desk.Erasing().Shred(krama.KindOutreach, one, ShredAsked))
	w.sync(w.desk, a)
	if all, _ := a.bodies(t, one); all != 0 {
		t.Errorf("%d things of who was erased are left", all)
	}
	if all, frozen := a.bodies(t, two); frozen != all || all < 2 {
		t.Errorf("of the other there are %d, %d of them frozen", all, frozen)
	}
	if a.frozen.key == key || frozenName(a.frozen.gen) == name {
		t.Error("it stands under the key before")
	}
	if f := a.dir.File(name); f != nil {
		t.Errorf("the file before is still there, %d bytes", len(f.Data))
	}
	w.again(a)
	if n := a.shown(); n != 2 {
		t.Errorf("%d records want 2", n)
	}
	w.noAlarm(a, w.desk)
}

// TestFrozenLingers: whose retention ended leaves the part that stays within a week, also on a phone that nothing else
// has rewrite it.
func TestFrozenLingers(t *testing.T) {
	w, a, one, two := frozenWorld(t)
	w.must(w.desk.Erasing().Shred(krama.KindOutreach, one, ShredExpired))
	w.sync(w.desk, a)
	if all, frozen := a.bodies(t, one); all == 0 || frozen != all {
		t.Errorf("%d things of who was kept long enough are left, %d of them in the part that stays", all, frozen)
	}
	w.again(a)
	if n := len(a.all()); n != 2 || !a.Erasing().Erased(krama.KindOutreach, one) {
		t.Errorf("%d records are shown, want the 2 of the other", n)
	}
	w.sync(a)
	w.now = w.now.Add(lingerAtMost)
	w.sync(w.desk, a)
	if all, _ := a.bodies(t, one); all != 0 {
		t.Errorf("after a week %d things of her are left", all)
	}
	if all, frozen := a.bodies(t, two); frozen != all || all < 2 {
		t.Errorf("of the other there are %d, %d of them frozen", all, frozen)
	}
	w.noAlarm(a)
}

// TestFrozenGrows: when the rest has grown large beside it, more is frozen; a part too small to be worth it is not.
func TestFrozenGrows(t *testing.T) {
	w, a, one, _ := frozenWorld(t)
	before := a.frozen.size
	freezeShare = 2
	t.Cleanup(func() { freezeAge, freezeLeast, freezeShare = 0, 1, 0 })
	for range 20 {
		w.contact(a, one)
		w.sync(a)
	}
	w.must(w.desk.Admin().Rotate(t.Context(), w.outreach(w.desk)))
	w.sync(w.desk, a, w.desk)
	if a.frozen.size <= before || a.j.Size()*freezeShare > a.frozen.size {
		t.Errorf("%d bytes are frozen, %d before, and %d are not", a.frozen.size, before, a.j.Size())
	}
	anew := func() {
		a.led.untidy, a.frozen.bad = true, true
		w.sync(w.desk, a)
	}
	freezeAge = 120 * day
	w.now = w.now.Add(119 * day)
	if anew(); a.frozen != nil {
		t.Errorf("%d bytes of the last four months are frozen", a.frozen.size)
	}
	w.now = w.now.Add(2 * day)
	a.led.untidy = true
	if w.sync(w.desk, a); a.frozen == nil {
		t.Fatal("nothing of four months ago is frozen")
	}
	freezeLeast = 1 << 20
	if anew(); a.frozen != nil {
		t.Errorf("%d bytes have a file of their own", a.frozen.size)
	}
	for _, gen := range []uint64{0, 1} {
		if a.dir.File(frozenName(gen)) != nil {
			t.Errorf("%s is left", frozenName(gen))
		}
	}
	if n := a.shown(); n != 24 {
		t.Errorf("%d records want 24", n)
	}
}

// TestFrozenDamage: whatever becomes of the part that stays, a device opens, says that its file is damaged, has
// everything again from the relay, and its next rewriting is whole.
func TestFrozenDamage(t *testing.T) {
	w, a, _, _ := frozenWorld(t)
	w.person(a) // typed and not sent
	whole := bytes.Clone(a.frozenFile(t).Data)
	name := frozenName(a.frozen.gen)
	type damage struct {
		what string
		data []byte
	}
	list := []damage{{"empty", []byte{}}, {"cut", whole[:len(whole)/2]}, {"the head alone", whole[:20]},
		{"longer", append(bytes.Clone(whole), 1, 2, 3)}, {"another file", bytes.Repeat([]byte("x"), len(whole))}}
	for at := range 8 { // one bit makes of a version a later one
		b := bytes.Clone(whole)
		b[at] ^= 2
		list = append(list, damage{"a bit of the head", b})
	}
	for at := 0; at < len(whole); at += 149 {
		b := bytes.Clone(whole)
		b[at] ^= 4
		list = append(list, damage{"a bit", b})
	}
	put := func(name string, b []byte) {
		f, err := a.dir.Open(name)
		w.must(err)
		f.(*journal.MemFile).Data = bytes.Clone(b)
		w.must(f.Close())
	}
	rest := map[string][]byte{}
	for _, n := range append(journalFiles(), keysFile) {
		if f := a.dir.File(n); f != nil {
			rest[n] = bytes.Clone(f.Data)
		}
	}
	for _, d := range list {
		w.must(a.Close())
		for n, b := range rest {
			put(n, b)
		}
		put(name, d.data)
		w.now = w.now.Add(30 * 60 * 1e9)
		w.again(a)
		if st := a.Status(); len(st.Alarms) == 0 || st.Alarms[0].What != AlarmDamaged || st.Unsent == 0 {
			t.Fatalf("%s: alarms %v, %d unsent", d.what, st.Alarms, st.Unsent)
		}
		a.led.untidy = true
		w.sync(a)
		if n := a.shown(); n != 5 {
			t.Fatalf("%s: %d records want 5", d.what, n)
		}
		if a.frozen == nil || a.frozen.bad {
			t.Fatalf("%s: the next rewriting was not whole", d.what)
		}
		w.again(a)
		if n := a.shown(); n != 5 {
			t.Fatalf("%s: %d records after a restart, want 5", d.what, n)
		}
	}
}

// TestFrozenLostMeanwhile: a part that is damaged while its device is open is not written anew without what is lost;
// the device says so, goes on when it is opened again, and nothing that was typed is gone.
func TestFrozenLostMeanwhile(t *testing.T) {
	for _, look := range []bool{false, true} {
		w, a, one, two := frozenWorld(t)
		w.contact(a, two)
		whole := bytes.Clone(a.frozenFile(t).Data)
		a.frozenFile(t).Data = whole[:len(whole)/2]
		gen, want := a.gen, 5
		var err error
		if look { // for what it wrote itself
			a.mu.Lock()
			err = a.reread(func(*entry) error { return nil })
			a.mu.Unlock()
		} else {
			want = 3
			w.must(w.desk.Erasing().Shred(krama.KindOutreach, one, ShredAsked))
			w.sync(w.desk)
			err = a.Sync(t.Context(), nil)
		}
		if krama.KindOf(err) != krama.Tampered || a.gen != gen {
			t.Fatalf("it was written anew: %v", err)
		}
		w.again(a)
		if al := a.Status().Alarms; len(al) != 1 || al[0].What != AlarmDamaged {
			t.Errorf("alarms %v", al)
		}
		w.sync(a, w.desk, a)
		if n := len(w.desk.all()); n != want {
			t.Errorf("the desk has %d records want %d", n, want)
		}
	}
}

// TestFailedReading: a device whose file cannot be read anew writes nothing from the little it has in memory then, and
// has everything when it is opened again.
func TestFailedReading(t *testing.T) {
	w, a, one, _ := frozenWorld(t)
	w.contact(a, one)
	name := frozenName(a.frozen.gen)
	f, err := a.dir.Open(name) // somebody else holds it
	w.must(err)
	a.mu.Lock()
	if err := a.reload(); err == nil {
		t.Error("it was read")
	}
	a.led.untidy = true
	if err := a.tidy(); err == nil {
		t.Error("it was written anew from nothing")
	}
	a.mu.Unlock()
	if err := a.SetValue(drafts.Of("/x"), "y"); err == nil {
		t.Error("it takes something more")
	}
	w.must(f.Close())
	w.again(a)
	if n := a.shown(); n != 5 {
		t.Errorf("%d records want 5", n)
	}
	w.sync(a, w.desk)
	w.noAlarm(a, w.desk)
}

// TestFrozenGoes: a device that is emptied leaves nothing of the part either.
func TestFrozenGoes(t *testing.T) {
	w, a, _, _ := frozenWorld(t)
	name := frozenName(a.frozen.gen)
	w.must(a.Close())
	w.must(Wipe(a.dir))
	if f := a.dir.File(name); f != nil {
		t.Errorf("%s is left, %d bytes", name, len(f.Data))
	}
}

// TestFrozenDrop: what an office had the relay drop is dropped from the part that stays too, however it is sealed.
func TestFrozenDrop(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	var people []krama.SubjectID
	for range 4 {
		people = append(people, w.person(a))
		w.sync(a, w.desk)
	}
	w.must(w.desk.Admin().Rotate(t.Context(), w.outreach(w.desk)))
	w.sync(a, w.desk)
	for _, s := range people[:2] {
		w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
	}
	for range 5 {
		w.now = w.now.Add(day)
		w.sync(a, w.desk)
		w.must(w.desk.Admin().Maintain(t.Context()))
	}
	w.desk.mu.Lock()
	defer w.desk.mu.Unlock()
	w.must(w.desk.tidy())
	_, ids := w.desk.led.values.buried(w.outreach(w.desk))
	if len(ids) == 0 || w.desk.frozen == nil {
		t.Fatalf("%d envelopes were dropped, frozen %v: the test proves nothing", len(ids), w.desk.frozen != nil)
	}
	_, key, err := w.desk.readKeys(w.desk.vk)
	w.must(err)
	w.must(w.desk.entries(key, func(b []byte) error {
		if b[0] != tagEnvelope && b[0] != tagLater {
			return nil
		}
		e, err := parseEnvelope(b[0], b[1:])
		if _, stone := seal.TombstoneID(e.wire); ids[shortID(e.id)] && len(e.wire) > 0 && !stone {
			t.Errorf("envelope %d is kept whole", e.n)
		}
		return err
	}))
}
