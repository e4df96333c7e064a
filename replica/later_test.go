package replica

import (
	"bytes"
	"maps"
	"testing"

	"krama"
	"krama/journal"
)

// TestDowngradeTouchesNothing unlocks a device whose files a later version wrote: an error that says so, and every byte
// stays where it was, so that the later version opens it again.
func TestDowngradeTouchesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		later func(f map[string][]byte)
		want  krama.Kind
	}{
		"journal": {func(f map[string][]byte) { copy(f[journalName(1)], "KRAMAJ2\n") }, krama.NotYet},
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
