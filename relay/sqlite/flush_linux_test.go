package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/relay/storetest"
)

// TestA21FailedFlush fails the flush of a commit, then of a checkpoint, mends the disk, and expects every later write
// refused, and everything acknowledged before there when the store is opened again.
func TestA21FailedFlush(t *testing.T) {
	for _, tail := range []string{"relay.db-wal", "relay.db"} {
		t.Run(tail, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "relay.db")
			s, err := Open(path, 0)
			if err != nil {
				t.Fatal(err)
			}
			st := storetest.NewStream(t, s)
			put := func() error {
				_, err := s.Append(t.Context(), st.ID, nil, [][]byte{storetest.Envelope(2000)}, 1<<40)
				return err
			}
			saved := uint64(0)
			for range 3 {
				if err := put(); err != nil {
					t.Fatal(err)
				}
				saved++
			}
			select {
			case <-s.Lost():
				t.Fatal("lost before anything failed")
			default:
			}
			mend := storetest.FailDisk(t, dir, tail)
			if tail == "relay.db-wal" {
				if err := put(); krama.KindOf(err) != krama.Internal || err == nil {
					t.Errorf("a commit that was not flushed: %v", err)
				}
			} else {
				s.nearly.Store(true)
				if put() == nil { // the commit itself is flushed; moving it is not
					saved++
				}
			}
			select {
			case <-s.Lost():
			case <-time.After(10 * time.Second):
				t.Fatal("nobody was told")
			}
			mend()
			for range 3 {
				if err := put(); krama.KindOf(err) != krama.Internal || err == nil {
					t.Errorf("a write after the disk failed: %v", err)
				}
			}
			if err := s.PutItems(t.Context(), nil, time.Now(), relay.Bound{}); err == nil {
				t.Error("another kind of write was taken")
			}
			if err := s.Close(); err == nil {
				t.Error("closing said nothing")
			}
			again, err := Open(path, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			got, err := again.List(t.Context(), st.ID, 0, 1<<30)
			if err != nil || uint64(len(got)) < saved {
				t.Errorf("opened again: %d envelopes, %v; %d were acknowledged", len(got), err, saved)
			}
			if _, err := again.Append(t.Context(), st.ID, nil, [][]byte{storetest.Envelope(2000)}, 1<<40); err != nil {
				t.Errorf("opened again: %v", err)
			}
		})
	}
}
