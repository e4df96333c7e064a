package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"krama/relay/storetest"
)

// TestWALStartsAgain reads for long while envelopes arrive without a pause: the -wal file grows. When the reader has
// gone it must not grow any more, though nobody pauses for it.
func TestWALStartsAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.db")
	s := open(t, path, 0)
	defer s.Close()
	st := storetest.NewStream(t, s)
	arrive := func() int64 {
		for range 10 * 64 {
			var batch [][]byte
			for range 16 {
				batch = append(batch, storetest.Envelope(1024))
			}
			if _, err := s.Append(context.Background(), st.ID, nil, batch, 1<<40); err != nil {
				t.Fatal(err)
			}
		}
		w, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return w.Size()
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM envelope").Scan(&n); err != nil {
		t.Fatal(err)
	}
	held := arrive()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if after := arrive(); held < 16<<20 || after > held+held/2 {
		t.Errorf("the -wal file has %d bytes after a reader who saw it grow to %d", after, held)
	}
}
