package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"krama"
	"krama/relay"
	"krama/relay/sqlite"
	"krama/relay/storetest"
)

func open(t *testing.T, path string, max int64) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path, max)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) relay.Store { return open(t, filepath.Join(t.TempDir(), "relay.db"), 0) })
}

func TestReopenKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	s := open(t, path, 0)
	st := storetest.NewStream(t, s)
	head, err := s.Append(context.Background(), st.ID, nil, [][]byte{storetest.Envelope(1024)}, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, path, 0)
	defer s.Close()
	if got, err := s.Stream(context.Background(), st.ID); err != nil || got.Head != head {
		t.Errorf("after reopening: %v", err)
	}
}

// TestFullDisk bounds the file, which SQLite reports exactly as a disk without room.
func TestFullDisk(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "relay.db"), 400<<10)
	defer s.Close()
	st := storetest.NewStream(t, s)
	ctx := context.Background()
	var n uint64
	for {
		head, err := s.Append(ctx, st.ID, nil, [][]byte{storetest.Envelope(16 << 10)}, 1<<40)
		if err != nil {
			if krama.KindOf(err) != krama.Full {
				t.Fatalf("got %v want full", err)
			}
			break
		}
		n = head.N
	}
	got, err := s.Stream(ctx, st.ID)
	if err != nil || got.Head.N != n || n == 0 {
		t.Errorf("after a full disk: head %d want %d, %v", got.Head.N, n, err)
	}
	if e, err := s.List(ctx, st.ID, 0, 1<<30); err != nil || uint64(len(e)) != n {
		t.Errorf("after a full disk: %d entries want %d, %v", len(e), n, err)
	}
}

func TestNewerStoreIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	open(t, path, 0).Close()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[63] = 99 // user_version, big-endian at 60
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(path, 0); krama.KindOf(err) != krama.NotYet {
		t.Errorf("got %v want not yet", err)
	}
}
