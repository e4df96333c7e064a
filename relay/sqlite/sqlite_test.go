package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/relay/sqlite"
	"krama/relay/storetest"
	"krama/seal"
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

// version1 copies a store as version 1 wrote it: programme 1 with streams 1 and 2, starting at chain values 1 and 2;
// three envelopes of 1,024 equal bytes in the first; a blob of a hundred nines; "wrap" in box 3.
func version1(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/version1.db")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "relay.db")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOldStoreOpensAndGoesOn(t *testing.T) {
	path, ctx := version1(t), context.Background()
	head := seal.Head{H: [32]byte{1}}
	var bodies [][]byte
	for round := range 2 { // once to migrate, once migrated
		s := open(t, path, 0)
		for i := len(bodies); i < 3+round; i++ {
			bodies = append(bodies, bytes.Repeat([]byte{byte(i + 1)}, 1024))
			head = head.Link(seal.EnvelopeID(bodies[i]))
		}
		got, err := s.Append(ctx, seal.StreamID{1}, nil, bodies, 1<<30)
		if err != nil || got != head {
			t.Errorf("round %d: head %d want %d, %v", round, got.N, head.N, err)
		}
		e, err := s.List(ctx, seal.StreamID{1}, 0, 1<<30)
		if err != nil || len(e) != len(bodies) {
			t.Fatalf("round %d: %d envelopes want %d, %v", round, len(e), len(bodies), err)
		}
		for i := range e {
			if !bytes.Equal(e[i].Body, bodies[i]) {
				t.Errorf("round %d: envelope %d is another", round, i+1)
			}
		}
		blob := bytes.Repeat([]byte{9}, 100)
		if got, err := s.Blob(ctx, [16]byte{1}, seal.Hash("blob", blob)); err != nil || !bytes.Equal(got, blob) {
			t.Errorf("round %d: the blob is another, %v", round, err)
		}
		box := relay.Box{Programme: [16]byte{1}, Keep: relay.Trust, ID: [16]byte{3}} // it was kept until the year 2096
		if got, err := s.Items(ctx, box, [16]byte{}, time.Unix(0, 0), 0, 1<<20); err != nil || len(got) != 1 ||
			string(got[0].Body) != "wrap" {
			t.Errorf("round %d: box %q, %v", round, fmt.Sprint(got), err)
		}
		s.Close()
	}
}

// TestBoxesOfBeforeAreSorted: what an earlier version kept in boxes without a sort or a programme is told apart,
// charged, and read by who may. With two programmes it is nobody's, and both programmes' owners still read it.
func TestBoxesOfBeforeAreSorted(t *testing.T) {
	for programmes := 1; programmes <= 2; programmes++ {
		path, ctx := version1(t), context.Background()
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		soon, never := time.Now().Add(time.Hour).Unix(), time.Now().Add(100*365*24*time.Hour).Unix()
		rows := []struct {
			size    int
			expires int64
			sort    relay.Keep
		}{{64, never, relay.Peppers}, {1, never, relay.Peppers}, {1216, never, relay.Trust}, {5, soon, relay.Slips},
			{seal.ReplyItem, soon, relay.Answers}, {1216, soon, relay.Mail}, {3000, soon, relay.Mail}}
		for i, r := range rows {
			if _, err := db.Exec("INSERT INTO box (box, item, expires) VALUES (?, ?, ?)",
				bytes.Repeat([]byte{byte(50 + i)}, 16),
				bytes.Repeat([]byte{byte(i + 1)}, r.size), r.expires); err != nil {
				t.Fatal(err)
			}
		}
		if programmes == 2 {
			if _, err := db.Exec("INSERT INTO programme (id, control) VALUES (?, ?)", make([]byte, 16),
				make([]byte, 32)); err != nil {
				t.Fatal(err)
			}
		}
		db.Close()
		s := open(t, path, 0)
		for i, r := range rows {
			for k := relay.Mail; k <= relay.Peppers; k++ {
				box := relay.Box{Programme: [16]byte{1}, Keep: k, ID: [16]byte(bytes.Repeat([]byte{byte(50 + i)}, 16))}
				got, err := s.Items(ctx, box, [16]byte{}, time.Now(), 0, 1<<20)
				want := 0
				if k == r.sort || k == relay.Left && r.sort == relay.Mail {
					want = 1
				}
				if err != nil || len(got) != want || want == 1 && len(got[0].Body) != r.size {
					t.Errorf("%d programmes, row %d: %d items of sort %d, want %d, %v", programmes, i, len(got),
						k, want, err)
				}
			}
		}
		s.Close()
		if r := check(t, path); len(r.Wrong) > 0 {
			t.Errorf("%d programmes: %q", programmes, r.Wrong)
		}
	}
}
