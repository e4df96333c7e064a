package replica

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"krama"
	"krama/journal"
	"krama/seal"
)

// TestDowngradeTouchesNothing unlocks a device whose files a later version wrote: an error that says so, and every byte
// stays where it was, so that the later version opens it again.
func TestDowngradeTouchesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		later func(f map[string][]byte)
		want  krama.Kind
	}{
		"journal": {func(f map[string][]byte) { copy(f[journalName(1)], "KRAMAJ3\n") }, krama.NotYet},
		"keys": {func(f map[string][]byte) {
			f[keysFile] = append([]byte("KRAMAK2\n"), bytes.Repeat([]byte{0x5a}, 400)...)
		}, krama.Tampered},
		"keys lost":      {func(f map[string][]byte) { delete(f, keysFile) }, krama.Tampered},
		"vault, longer":  {func(f map[string][]byte) { f[vaultFile] = append(f[vaultFile], 7) }, krama.NotYet},
		"vault, as long": {func(f map[string][]byte) { f[vaultFile][0] = 2 }, krama.NotYet},
		"everything at once": {func(f map[string][]byte) {
			copy(f[journalName(1)], "KRAMAJ9\n")
			f[vaultFile] = append(f[vaultFile], 7)
		}, krama.NotYet},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSmallWorld(t)
			a := w.phone()
			s := w.person(a)
			w.sync(a)
			w.contact(a, s)
			w.must(a.Close())
			before := a.files()
			now := maps.Clone(before)
			for n := range now {
				now[n] = bytes.Clone(now[n])
			}
			tc.later(now)
			dir := &journal.MemDir{}
			put := func(files map[string][]byte) {
				for n, b := range files {
					w.must(dir.Remove(n))
					f, err := dir.Open(n)
					w.must(err)
					f.WriteAt(b, 0)
					f.Close()
				}
			}
			put(now)
			cfg := a.cfg
			cfg.Dir = dir
			for range 2 { // a second try must find what the first one found
				if _, err := Unlock(cfg, words); err == nil || krama.KindOf(err) != tc.want {
					t.Errorf("unlock: %v, want %v", err, tc.want)
				}
				if _, err := Create(cfg, words); err == nil {
					t.Fatal("a new device began over a later version's")
				}
			}
			for n, b := range now {
				if f := dir.File(n); f == nil || !bytes.Equal(f.Data, b) {
					t.Errorf("%s was touched", n)
				}
			}
			put(before) // the later version goes back, or the file is mended from a copy
			d := &device{dir: dir, wire: a.wire, cfg: cfg}
			d.cfg.Feed = func(e Event) { d.events = append(d.events, e) }
			r, err := Unlock(d.cfg, words)
			w.must(err)
			d.Replica = r
			if d.Status().Unsent != 1 {
				t.Errorf("%d unsent, want 1", d.Status().Unsent)
			}
			w.sync(d, w.desk)
			if len(w.desk.all()) != 2 {
				t.Errorf("the desk has %d records, want 2", len(w.desk.all()))
			}
		})
	}
}

// laterStatement is a roster statement of a type that no version has named yet.
func laterStatement(typ string) []byte {
	return seal.StatementBody(seal.Frame([]byte("krama/1 roster "+typ), bytes.Repeat([]byte{7}, 16), u64(1<<40),
		[]byte("what it says")))
}

// TestStatementOfALaterVersion lets an admin's newer program say something that this version does not know. The device
// says that it is too old, goes no further, and loses nothing; a program that does know finds everything where it was.
func TestStatementOfALaterVersion(t *testing.T) {
	for _, typ := range []string{"partner.pin", "x.y"} {
		t.Run(typ, func(t *testing.T) {
			w := newSmallWorld(t)
			ctx := context.Background()
			a, b := w.phone(), w.phone()
			s := w.person(a)
			w.sync(a, b, w.desk)
			w.contact(a, s)
			before := w.desk.led.streams[krama.OrgCircle].head
			w.inject(w.desk, krama.OrgCircle, w.desk.led.header(krama.OrgCircle, seal.EnvRoster),
				seal.Item{Kind: seal.KindStatement, Body: laterStatement(typ)})
			late := w.contact(b, s)
			for range 2 {
				for i, d := range []*device{a, b, w.desk} {
					if err := d.Sync(ctx, nil); err == nil || krama.KindOf(err) != krama.NotYet || !d.Status().Newer {
						t.Errorf("device %d: %v, newer %v", i, err, d.Status().Newer)
					}
					w.noAlarm(d)
				}
				w.contact(a, s) // and work goes on
				w.again(a)
				w.again(b)
			}
			if a.Status().Unsent != 3 || b.Status().Unsent != 1 || len(a.all()) != 4 {
				t.Errorf("unsent %d and %d, shown %d; want 3, 1, 4", a.Status().Unsent, b.Status().Unsent, len(a.all()))
			}
			// Nothing of the statement is in the devices' files: whoever reads on begins exactly there. Here it is the
			// same program, for which the stream goes on without the statement; a later one would read it.
			for i, d := range []*device{a, b, w.desk} {
				if h := d.led.streams[krama.OrgCircle].head; h != before {
					t.Errorf("device %d stands at %d, the statement came after %d", i, h.N, before.N)
				}
			}
			w.must(w.store.Rewind(ctx, w.stream(w.desk, krama.KindOrg), before))
			w.sync(a, b, w.desk, a, b)
			if !slices.Contains(w.desk.all(), late) {
				t.Error("what was typed while the device waited did not arrive")
			}
			w.have(w.desk.all(), a, b)
			if len(w.desk.all()) != 5 {
				t.Errorf("the desk has %d records, want 5", len(w.desk.all()))
			}
			w.noAlarm(a, b, w.desk)
		})
	}
}

// TestWorkerCannotStopEverybody has a worker's phone say a statement of a version that will never come. Without
// Roster.Admin in admit, every device of the programme would wait for it for ever.
func TestWorkerCannotStopEverybody(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	w.sync(w.desk, a, b)
	w.inject(b, krama.OrgCircle, b.led.header(krama.OrgCircle, seal.EnvRoster), seal.Item{Kind: seal.KindStatement,
		Body: laterStatement("x.y")})
	w.contact(a, w.person(a))
	w.sync(a, w.desk)
	if w.desk.Status().Newer || len(w.desk.all()) != 2 || !w.desk.has(AlarmUnauthorised) {
		t.Errorf("newer %v, %d records, alarms %v", w.desk.Status().Newer, len(w.desk.all()), w.desk.Status().Alarms)
	}
	w.contact(w.phone(), w.person0(a)) // enrolment reads the same roster
}

// laterRecord is a record with a part that this version does not know, as a later one would encode it: key 1 is the id,
// key 40 the part.
func laterRecord(id krama.RecordID) []byte {
	b := append([]byte{0xa2, 0x01, 0x50}, id[:]...)
	return append(b, 0x18, 40, 0xa2, 0x01, 0x19, 0x12, 0x34, 0x02, 0x63, 'n', 'e', 'w')
}

// raw finds an item's body in a device's file, as a later version would read it there.
func (w *world) raw(d *device, s krama.SubjectID) (out [][]byte) {
	w.t.Helper()
	_, key, err := d.readKeys(d.vk)
	w.must(err)
	w.must(d.entries(key, func(b []byte) error {
		if b[0] == tagEnvelope || b[0] == tagLater {
			e, err := parseEnvelope(b[0], b[1:])
			if err != nil {
				return err
			}
			for _, it := range e.items {
				if it.Subject == s && it.Kind == seal.KindRecord && it.verdict == seal.Fine {
					out = append(out, bytes.Clone(it.Body))
				}
			}
		}
		return nil
	}))
	return out
}

// TestRecordOfALaterVersion sends a record with an unknown part. Older devices keep it byte for byte through restarts
// and rewritings, show nothing, raise nothing, and hand it on where work is handed on.
func TestRecordOfALaterVersion(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone() // a's program is newer: what it types, this test puts into its outbox
	s, gone := w.person(a), w.person(a)
	w.sync(a, b, w.desk)
	id, _ := a.NewRecord()
	body := laterRecord(id)
	if rec, err := krama.DecodeRecord(body); err != nil || rec.ID != id || *rec != (krama.Record{ID: id}) {
		t.Fatalf("the record is not one of a later version: %+v, %v", rec, err)
	}
	it := seal.Item{Subject: s, Kind: seal.KindRecord, Body: body}
	a.mu.Lock()
	w.must(a.commit(pendingEntry(w.outreach(a), it)))
	w.must(a.led.queue(w.outreach(a), it))
	a.mu.Unlock()
	w.sync(a, b, w.desk)
	check := func(when string) {
		t.Helper()
		for i, d := range []*device{a, b, w.desk} {
			if got := w.raw(d, s); !slices.ContainsFunc(got, func(x []byte) bool { return bytes.Equal(x, body) }) {
				t.Errorf("%s: device %d lost it", when, i)
			}
			for _, e := range d.events {
				if e.Record != nil && e.Record.ID == id && *e.Record != (krama.Record{ID: id}) {
					t.Errorf("%s: device %d shows %+v", when, i, e.Record)
				}
			}
		}
		w.noAlarm(a, b, w.desk)
	}
	check("after a sync")
	for _, d := range []*device{a, b, w.desk} {
		w.again(d)
	}
	check("after a restart")
	w.must(w.desk.Erasing().Shred(krama.KindOutreach, gone, ShredAsked)) // an erasure has every device's file rewritten
	gen := b.gen
	w.sync(w.desk, a, b)
	if b.gen == gen {
		t.Fatal("the file was not rewritten: the test proves nothing")
	}
	check("after a rewriting")
	w.now = w.now.Add(31 * 24 * time.Hour)
	w.must(w.desk.Admin().Maintain(ctx))
	w.sync(a, b, w.desk, a, b, w.desk)
	for _, d := range []*device{a, b, w.desk} {
		w.again(d)
	}
	check("after a rotation")
	// Unsent when its phone is removed: it waits in quarantine and arrives untouched.
	id, _ = a.NewRecord()
	body = laterRecord(id)
	it.Body = body
	a.mu.Lock()
	w.must(a.commit(pendingEntry(w.outreach(a), it)))
	w.must(a.led.queue(w.outreach(a), it))
	a.mu.Unlock()
	w.must(w.desk.Admin().RemoveDevice(ctx, a.led.dev.ID(), seal.ReasonReplaced, nil))
	if a.Sync(ctx, nil); !a.Wiped() {
		t.Fatal("not removed")
	}
	w.sync(w.desk)
	if len(w.desk.Admin().Mail()) != 1 {
		t.Fatalf("%d letters", len(w.desk.Admin().Mail()))
	}
	w.must(w.desk.Admin().AcceptLate(w.desk.Admin().Mail()[0].ID))
	a = b
	w.sync(w.desk, b)
	check("after it came by letter")
}
