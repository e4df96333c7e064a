package seal

import (
	"bytes"
	"crypto/rand"
	"maps"
	"testing"

	"krama"

	"pgregory.net/rapid"
)

// TestKeyring lets people come and go over many rotations: every keyring opens to exactly those who are kept, a page
// that stays has nobody new, and pages are few.
func TestKeyring(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, _ := NewEpoch(rand.Reader, Context{})
		keys, before := map[krama.SubjectID]SubjectKey{}, []Page(nil)
		serial := 0
		for range rapid.IntRange(1, 12).Draw(t, "rotations") {
			had := maps.Clone(keys)
			for id := range keys {
				if rapid.IntRange(0, 400).Draw(t, "erased") == 0 {
					delete(keys, id)
				}
			}
			for range rapid.IntRange(0, 700).Draw(t, "new") {
				serial++
				keys[krama.SubjectID{1, byte(serial >> 8), byte(serial)}] = SubjectKey{byte(serial), byte(serial >> 8)}
			}
			ctx := e.Context
			ctx.Epoch++
			e, _ = NewEpoch(rand.Reader, ctx)
			parts, err := e.SealKeyring(rand.Reader, keys, before)
			if err != nil {
				t.Fatal(err)
			}
			pages, err := e.OpenKeyring(parts)
			if err != nil {
				t.Fatal(err)
			}
			all := map[krama.SubjectID]SubjectKey{}
			for _, p := range pages {
				for id, k := range p.Keys {
					if _, twice := all[id]; twice {
						t.Fatal("somebody is on two pages")
					}
					if _, old := had[id]; !old && p.Key.Epoch != e.Epoch {
						t.Fatal("somebody new is on an old page")
					}
					all[id] = k
				}
			}
			if !maps.Equal(all, keys) {
				t.Fatalf("%d people, want %d", len(all), len(keys))
			}
			if n := len(keys)/300 + 12; len(pages) > n {
				t.Fatalf("%d pages for %d people", len(pages), len(keys))
			}
			before = pages
		}
	})
}

// TestKeyringWithoutIndex: a keyring of the first version, pages alone, opens, and its pages stay.
func TestKeyringWithoutIndex(t *testing.T) {
	old, _ := NewEpoch(rand.Reader, Context{Epoch: 4})
	next, _ := NewEpoch(rand.Reader, Context{Epoch: 5})
	keys := map[krama.SubjectID]SubjectKey{{1}: {7}, {2}: {8}}
	wire, err := old.SealPage(0, [32]byte{9}, keys, pageEntries)
	if err != nil {
		t.Fatal(err)
	}
	before, err := old.OpenKeyring([][]byte{wire})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := next.SealKeyring(rand.Reader, keys, before)
	if err != nil || len(parts) != 2 || !bytes.Equal(parts[0], wire) {
		t.Fatalf("%d parts: %v", len(parts), err)
	}
	pages, err := next.OpenKeyring(parts)
	if err != nil || !maps.Equal(pages[0].Keys, keys) {
		t.Errorf("%v: %v", pages, err)
	}
	parts[1][40] ^= 1
	if _, err := next.OpenKeyring(parts); err == nil {
		t.Error("a changed index opens")
	}
	if _, err := next.OpenKeyring(parts[:1]); err == nil {
		t.Error("a page of another epoch opens without its index")
	}
}
