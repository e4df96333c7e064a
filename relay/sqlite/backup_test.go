package sqlite_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"krama"
	"krama/relay/sqlite"
	"krama/seal"
)

func same(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// nothing fails the test if a copy or a part of one is at path.
func nothing(t *testing.T, path string) {
	t.Helper()
	for _, p := range []string{path, path + ".part", path + "-wal", path + "-shm", path + "-journal"} {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there", filepath.Base(p))
		}
	}
}

func TestBackupAndRestoreKeepEverything(t *testing.T) {
	ctx := context.Background()
	d := newSample(t, 20)
	to := filepath.Join(t.TempDir(), "a copy? 100%.krama")
	c, err := sqlite.Backup(ctx, d.path, to, 0, quiet)
	if err != nil {
		t.Fatal(err)
	}
	raw := read(t, to)
	if c.Size != int64(len(raw)) || c.SHA256 != sha256.Sum256(raw) || c.Envelopes != 60 || c.Streams != 3 {
		t.Errorf("the report is not about the file: %+v", c)
	}
	if st, err := os.Stat(to); err != nil || st.Mode() != 0o600 {
		t.Errorf("mode %v want 0600, %v", st.Mode(), err)
	}
	nothing(t, to+".part")
	back := filepath.Join(t.TempDir(), "relay.db")
	r, err := sqlite.Restore(ctx, to, back, quiet)
	if err != nil || r.SHA256 != c.SHA256 {
		t.Fatalf("restore: %+v %v", r, err)
	}
	if st, err := os.Stat(back); err != nil || st.Mode() != 0o600 {
		t.Errorf("mode %v want 0600, %v", st.Mode(), err)
	}
	if !same(contents(t, back, d.streams), contents(t, d.path, d.streams)) {
		t.Error("the restored store answers otherwise")
	}
	if !bytes.Equal(read(t, to), raw) {
		t.Error("restoring changed the backup")
	}
}

// TestBackupWhileEnvelopesArrive appends between the steps of a copy and from other goroutines all along. The copy must
// be the moment at which it began, and go on as a store of its own.
func TestBackupWhileEnvelopesArrive(t *testing.T) {
	ctx := context.Background()
	d := newSample(t, 5400) // above twice what is copied in one step
	s := open(t, d.path, 0)
	before := make([]seal.Head, len(d.streams))
	stop, appended := make(chan struct{}), make(chan error, 1)
	var wg sync.WaitGroup
	for _, id := range d.streams {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Append(ctx, id, nil, [][]byte{envelope(1024)}, 1<<40); err != nil {
					select {
					case appended <- err:
					default:
					}
					return
				}
			}
		})
	}
	for i, id := range d.streams {
		st, err := s.Stream(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		before[i] = st.Head
	}
	steps, first := 0, make([]seal.Head, len(d.streams))
	to := filepath.Join(t.TempDir(), "copy")
	c, err := sqlite.Backup(ctx, d.path, to, 0, func(stage string, done, total int64) {
		if stage != "copying" {
			return
		}
		steps++
		for i, id := range d.streams { // so that something certainly arrives between the steps
			head, err := s.Append(ctx, id, nil, [][]byte{envelope(2000)}, 1<<40)
			if err != nil {
				t.Error(err)
			}
			if steps == 1 {
				first[i] = head
			}
		}
	})
	close(stop)
	wg.Wait()
	select {
	case err := <-appended:
		t.Fatalf("a writer failed: %v", err)
	default:
	}
	if err != nil || steps < 3 || len(c.Wrong) > 0 {
		t.Fatalf("%d steps, %q, %v", steps, c.Wrong, err)
	}
	copied := open(t, to, 0)
	for i, id := range d.streams {
		got, err := copied.Stream(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if got.Head.N < before[i].N || got.Head.N >= first[i].N {
			t.Errorf("the copy ends at %d, not from %d to before %d", got.Head.N, before[i].N, first[i].N)
		}
		for after := uint64(0); after < got.Head.N; {
			a, err1 := copied.List(ctx, id, after, 1<<22)
			b, err2 := s.List(ctx, id, after, 1<<22)
			if err1 != nil || err2 != nil || len(a) == 0 {
				t.Fatal(len(a), err1, err2)
			}
			for j := range a {
				if a[j].ID != b[j].ID || !bytes.Equal(a[j].Body, b[j].Body) || a[j].N != b[j].N {
					t.Fatalf("envelope %d of the copy is another", a[j].N)
				}
			}
			after = a[len(a)-1].N
		}
		if _, err := copied.Append(ctx, id, nil, [][]byte{envelope(1024)}, 1<<40); err != nil {
			t.Errorf("the copy does not go on: %v", err)
		}
	}
	if err := errors.Join(copied.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{to, d.path} {
		if r := check(t, path); len(r.Wrong) > 0 {
			t.Errorf("afterwards: %q", r.Wrong)
		}
	}
}

// TestBackupOfAKilledRelay copies a store whose newest part is in the -wal file and whose relay is gone.
func TestBackupOfAKilledRelay(t *testing.T) {
	ctx := context.Background()
	d := newSample(t, 20)
	s := open(t, d.path, 0)
	e := envelope(1024)
	if _, err := s.Append(ctx, d.streams[0], nil, [][]byte{e}, 1<<40); err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(t.TempDir(), "relay.db")
	for _, tail := range []string{"", "-wal"} {
		if err := os.WriteFile(killed+tail, read(t, d.path+tail), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	db, wal := read(t, killed), read(t, killed+"-wal")
	to := filepath.Join(t.TempDir(), "copy")
	c, err := sqlite.Backup(ctx, killed, to, 0, quiet)
	if err != nil || c.Envelopes != 61 {
		t.Fatalf("%d envelopes want 61, %v", c.Envelopes, err)
	}
	if !bytes.Equal(db, read(t, killed)) || !bytes.Equal(wal, read(t, killed+"-wal")) {
		t.Error("the backup changed the store")
	}
	if got := contents(t, to, d.streams); !same(got, contents(t, d.path, d.streams)) {
		t.Error("the copy is not the store")
	}
}

func TestBackupLeavesNothingWhenItFails(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(t *testing.T, path, to string)
		max     int64
		stop    string // cancel at this stage
		want    krama.Kind
	}{
		"no store": {prepare: func(t *testing.T, path, to string) { os.Remove(path) }, want: krama.NotFound},
		"no database": {prepare: func(t *testing.T, path, to string) {
			edit(t, path, func([]byte) []byte { return []byte(secret + secret) })
		}, want: krama.Tampered},
		"a damaged store": {prepare: func(t *testing.T, path, to string) {
			change(t, path, "DELETE FROM envelope WHERE k=3")
		}, want: krama.Tampered},
		"a newer store": {prepare: func(t *testing.T, path, to string) { change(t, path, "PRAGMA user_version=99") },
			want: krama.NotYet},
		"a full disk":   {max: 64 << 10, want: krama.Full},
		"stopped early": {stop: "copying", want: krama.Internal},
		"stopped late":  {stop: "adding up", want: krama.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			d := newSample(t, 20)
			to := filepath.Join(t.TempDir(), "copy")
			if tc.prepare != nil {
				tc.prepare(t, d.path, to)
			}
			was, _ := os.ReadFile(d.path)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			_, err := sqlite.Backup(ctx, d.path, to, tc.max, func(stage string, _, _ int64) {
				if stage == tc.stop {
					cancel()
				}
			})
			if err == nil || krama.KindOf(err) != tc.want || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v want %v", err, tc.want)
			}
			nothing(t, to)
			if is, _ := os.ReadFile(d.path); !bytes.Equal(is, was) {
				t.Error("the store was touched")
			}
		})
	}
}

func TestCopiesNeverReplace(t *testing.T) {
	ctx := context.Background()
	d := newSample(t, 2)
	dir := t.TempDir()
	to := filepath.Join(dir, "copy")
	put := func(path string) {
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(to)
	if _, err := sqlite.Backup(ctx, d.path, to, 0, quiet); krama.KindOf(err) != krama.Conflict {
		t.Errorf("over a file: %v", err)
	}
	os.Remove(to)
	_, err := sqlite.Backup(ctx, d.path, to, 0, func(stage string, _, _ int64) {
		if stage == "adding up" {
			put(to)
		}
	})
	if krama.KindOf(err) != krama.Conflict || string(read(t, to)) != "mine" {
		t.Errorf("over a file that came meanwhile: %v", err)
	}
	os.Remove(to)
	put(to + ".part") // a killed backup's
	_, err = sqlite.Backup(ctx, d.path, to, 0, func(stage string, _, _ int64) {
		if stage == "adding up" {
			if _, err := sqlite.Backup(ctx, d.path, to, 0, quiet); krama.KindOf(err) != krama.Conflict {
				t.Errorf("two at once: %v", err)
			}
		}
	})
	if err != nil || len(check(t, to).Wrong) > 0 {
		t.Errorf("after a killed one: %v", err)
	}
	for _, tail := range []string{"", "-wal", "-shm"} {
		back := filepath.Join(t.TempDir(), "relay.db")
		put(back + tail)
		if _, err := sqlite.Restore(ctx, to, back, quiet); krama.KindOf(err) != krama.Conflict ||
			string(read(t, back+tail)) != "mine" {
			t.Errorf("restore over relay.db%s: %v", tail, err)
		}
	}
	if _, err := sqlite.Backup(ctx, d.path, filepath.Join(dir, "nowhere", "copy"), 0, quiet); krama.KindOf(
		err) != krama.NotFound {
		t.Errorf("into no folder: %v", err)
	}
}

func TestRestoreRefusesWhatIsNotWhole(t *testing.T) {
	ctx := context.Background()
	for name, tc := range map[string]struct {
		damage func([]byte) []byte
		want   krama.Kind
	}{
		"half of it": {func(b []byte) []byte { return b[:len(b)/2] }, krama.Tampered},
		"a byte of it": {func(b []byte) []byte { b[bytes.LastIndex(b, []byte(secret))] ^= 1; return b },
			krama.Tampered},
		"nothing":            {func(b []byte) []byte { return nil }, krama.Tampered},
		"another file":       {func(b []byte) []byte { return []byte(secret + secret) }, krama.Tampered},
		"of a newer version": {func(b []byte) []byte { b[63] = 99; return b }, krama.NotYet},
	} {
		t.Run(name, func(t *testing.T) {
			d := newSample(t, 20)
			edit(t, d.path, tc.damage)
			back := filepath.Join(t.TempDir(), "relay.db")
			if _, err := sqlite.Restore(ctx, d.path, back, quiet); krama.KindOf(err) != tc.want ||
				strings.Contains(err.Error(), secret) {
				t.Errorf("got %v want %v", err, tc.want)
			}
			nothing(t, back)
		})
	}
}
