package sqlite_test

import (
	"context"
	"crypto/ed25519"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"krama/relay"
	"krama/relay/sqlite"
)

func openFile(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLeftByAnEarlierVersion: what a device left before the relay was updated and gives once more is its own.
func TestLeftByAnEarlierVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	s := openFile(t, path)
	ctx := context.Background()
	p := relay.Programme{ID: [16]byte{1}, Control: make(ed25519.PublicKey, 32)}
	if err := s.AddProgramme(ctx, p); err != nil {
		t.Fatal(err)
	}
	box, me := relay.Box{Programme: p.ID, Keep: relay.Left, ID: [16]byte{5}}, [16]byte{7}
	until := time.Now().Add(time.Hour)
	// As step 5 leaves it: of the sort, and nobody's.
	if err := s.PutItems(ctx, []relay.Item{{Box: box, Body: []byte("letter")}}, until,
		relay.Bound{Room: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutItems(ctx, []relay.Item{{Box: box, Owner: me, Body: []byte("letter")}}, until,
		relay.Bound{Room: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	list, err := s.Items(ctx, box, me, time.Now(), 0, 1<<20)
	if err != nil || len(list) != 1 {
		t.Errorf("its own: %d %v", len(list), err)
	}
	h, err := s.Holders(ctx, relay.Left, [16]byte{5})
	if err != nil || len(h) != 1 || h[0] != p.ID {
		t.Errorf("holders %v %v", h, err)
	}
	if h, _ := s.Holders(ctx, relay.Peppers, [16]byte{5}); len(h) != 0 {
		t.Errorf("of another sort: %v", h)
	}
	s.Close()
}
