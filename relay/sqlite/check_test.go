package sqlite_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/relay/sqlite"
	"krama/relay/storetest"
	"krama/seal"
)

// secret stands in every stored body; no finding and no error may repeat it.
const secret = "what nobody may read"

func quiet(string, int64, int64) {}

// envelope returns an envelope's worth of noise with the secret in it.
func envelope(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	copy(b[100:], secret)
	return b
}

// sample is a closed store with three streams of 20 envelopes, three documents and a mailbox.
type sample struct {
	path    string
	streams []seal.StreamID
}

var sampleBox = relay.Box{Keep: relay.Mail, ID: [16]byte{5}}

func newSample(t *testing.T, envelopes int) sample {
	t.Helper()
	ctx := context.Background()
	d := sample{path: filepath.Join(t.TempDir(), "relay.db")}
	s := open(t, d.path, 0)
	first := storetest.NewStream(t, s)
	d.streams = []seal.StreamID{first.ID}
	for i := range 2 {
		st := relay.Stream{ID: seal.StreamID{byte(i), 7}, Programme: first.Programme, Access: first.Access,
			Head: seal.Head{H: [32]byte{byte(i)}}}
		if err := s.CreateStream(ctx, st, nil); err != nil {
			t.Fatal(err)
		}
		d.streams = append(d.streams, st.ID)
	}
	for _, id := range d.streams {
		for left := envelopes; left > 0; {
			batch := [][]byte{}
			for ; left > 0 && len(batch) < 100; left-- {
				batch = append(batch, envelope(1024+left%2*976))
			}
			if _, err := s.Append(ctx, id, nil, batch, 1<<40); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3 {
		b := envelope(9000)
		if err := s.PutBlob(ctx, first.Programme, seal.Hash("blob", b), b, 1<<40); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutItems(ctx, []relay.Item{{Box: sampleBox, Body: []byte("a wrapped key")}}, time.Unix(4_000_000_000,
		0), relay.Bound{Room: 99}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

// contents reads everything a store answers with.
func contents(t *testing.T, path string, streams []seal.StreamID) (out [][]byte) {
	t.Helper()
	ctx := context.Background()
	s := open(t, path, 0)
	defer s.Close()
	for _, id := range streams {
		st, err := s.Stream(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, st.Head.Marshal(), st.Access)
		for after := uint64(0); ; {
			e, err := s.List(ctx, id, after, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			if len(e) == 0 {
				break
			}
			for _, e := range e {
				out = append(out, e.ID[:], e.Body)
				after = e.N
			}
		}
	}
	box, err := s.Items(ctx, sampleBox, [16]byte{}, time.Unix(0, 0), 0, 99)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range box {
		out = append(out, h.Body)
	}
	return out
}

func check(t *testing.T, path string) sqlite.Report {
	t.Helper()
	r, err := sqlite.Check(context.Background(), path, sqlite.Look{}, quiet)
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	return r
}

func change(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(raw), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheckFindsNothingInAWholeStore(t *testing.T) {
	d := newSample(t, 20)
	r := check(t, d.path)
	want := sqlite.Report{Version: 5, Programmes: 1, Streams: 3, Envelopes: 60, Blobs: 3}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v want %+v", r, want)
	}
	r = check(t, version1(t))
	if want := (sqlite.Report{Version: 1, Programmes: 1, Streams: 2, Envelopes: 3, Blobs: 1,
		Startless: 2}); !reflect.DeepEqual(r, want) {
		t.Errorf("version 1: got %+v want %+v", r, want)
	}
	old := version1(t)
	open(t, old, 0).Close()
	if r = check(t, old); r.Startless != 1 || r.Version != 5 || len(r.Wrong) != 0 {
		t.Errorf("a migrated store: %+v", r) // the start of its empty stream is known
	}
}

// TestCheckAllowsDroppedBodies: a later version keeps an envelope's id and drops its bytes.
func TestCheckAllowsDroppedBodies(t *testing.T) {
	d := newSample(t, 20)
	change(t, d.path,
		"UPDATE used SET bytes=bytes-(SELECT length(body) FROM envelope WHERE k=4) WHERE keep=0 AND "+
			"programme=(SELECT programme FROM stream WHERE k=(SELECT stream FROM envelope WHERE k=4)); UPDATE "+
			"envelope SET body=x'' WHERE k=4")
	if r := check(t, d.path); r.Dropped != 1 || len(r.Wrong) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestCheckNamesEveryDamage(t *testing.T) {
	run := func(query string) func(*testing.T, string) {
		return func(t *testing.T, path string) { change(t, path, query) }
	}
	const flip = "SET body=CAST(substr(body, 1, 500)||x'00000000'||substr(body, 505) AS BLOB)"
	for name, tc := range map[string]struct {
		damage func(*testing.T, string)
		want   string // the finding, or a part of it
	}{
		"a byte of an envelope": {run("UPDATE envelope " + flip + " WHERE stream=2 AND n=5"),
			"Stream 2, envelope 5 was changed: its bytes do not fit its id."},
		"a byte in the file": {func(t *testing.T, path string) {
			edit(t, path, func(b []byte) []byte { b[bytes.LastIndex(b, []byte(secret))] ^= 1; return b })
		}, "was changed"},
		"many bytes": {run("UPDATE envelope SET body=zeroblob(length(body))"),
			"And 50 more of this sort: Stream 1, envelope 1 was changed"},
		"an envelope lost": {run("DELETE FROM envelope WHERE stream=3 AND n=7"), "Stream 3: envelope 7 is missing."},
		"the last ones lost": {run("DELETE FROM envelope WHERE stream=3 AND n>17"),
			"Stream 3: envelopes 18 to 20 are missing."},
		"all lost": {run("DELETE FROM envelope"), "Stream 1: envelopes 1 to 20 are missing."},
		"one too many": {
			run("INSERT INTO envelope (stream, n, id, body) " +
				"SELECT 1, 21, id, body FROM envelope WHERE stream=2 AND n=1"),
			"Stream 1 ends at 20, but there are envelopes up to 21."},
		"a place before 1": {run("UPDATE envelope SET n=0 WHERE stream=1 AND n=1"),
			"Stream 1: envelope 0 stands at a place that cannot be."},
		"two exchanged": {
			run("UPDATE envelope SET n=99 WHERE stream=1 AND n=3; UPDATE envelope SET n=3 WHERE stream=1 AND n=4; " +
				"UPDATE envelope SET n=4 WHERE stream=1 AND n=99"), "Stream 1: the chain of its 20 envelopes does " +
				"not lead to its head."},
		"one for another": {
			run("DELETE FROM envelope WHERE stream=1 AND n=4; INSERT INTO envelope (stream, n, id, body) SELECT 1, " +
				"4, id, body FROM envelope WHERE stream=2 AND n=4"), "Stream 1: the chain of its 20 envelopes does " +
				"not lead to its head."},
		"another head": {run("UPDATE stream SET h=zeroblob(32) WHERE k=2"),
			"Stream 2: the chain of its 20 envelopes does not lead to its head."},
		"another start": {run("UPDATE stream SET h0=zeroblob(32) WHERE k=1"),
			"Stream 1: the chain of its 20 envelopes does not lead to its head."},
		"a short chain value": {run("UPDATE stream SET h=x'00' WHERE k=2"),
			"Stream 2: its id, key or chain value has not the length it must have."},
		"a short id": {run("UPDATE envelope SET id=x'00' WHERE stream=1 AND n=2"),
			"Stream 1, envelope 2: its id has not the length it must have."},
		"a lost stream": {run("DELETE FROM stream WHERE k=2"),
			"There is an envelope of stream 2, which is not there."},
		"a lost programme": {run("DELETE FROM programme"), "Stream 1 belongs to a programme that is not there."},
		"a short key": {run("UPDATE programme SET control=x'00'"),
			"Programme 1: its id or key has not the length it must have."},
		"a wrong charge": {run("UPDATE used SET bytes=5 WHERE keep=0"),
			"Programme 1 is charged 5 bytes of sort 0, but holds 90720."},
		"a document changed": {run("UPDATE blob " + flip + " WHERE rowid=2"),
			"Document 2 was changed: its bytes do not fit its id."},
		"a document of none": {run("UPDATE blob SET programme=zeroblob(16) WHERE rowid=2"),
			"Document 2 belongs to a programme that is not there."},
		"an index that lies": {func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", "file:"+path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var page int
			if err := db.QueryRow("SELECT rootpage FROM sqlite_schema WHERE name='sqlite_autoindex_envelope_1'").Scan(
				&page); err != nil {
				t.Fatal(err)
			}
			edit(t, path, func(b []byte) []byte { b[4096*page-1] ^= 1; return b }) // the first entry's row
		}, "The database file is damaged. SQLite says:"},
		"half of it": {func(t *testing.T, path string) { edit(t, path, func(b []byte) []byte { return b[:len(b)/2] }) },
			"The database file is damaged"},
		"a page of noise": {func(t *testing.T, path string) {
			edit(t, path, func(b []byte) []byte { rand.Read(b[4096*6 : 4096*7]); return b })
		}, "The database file is damaged"},
		"no database": {func(t *testing.T, path string) {
			edit(t, path, func([]byte) []byte {
				return []byte(secret + secret)
			})
		}, "This is not a database, or its first page is damaged."},
		"nothing": {func(t *testing.T, path string) { edit(t, path, func([]byte) []byte { return nil }) },
			"This is not the store of a relay."},
		"another database": {run("DROP TABLE item"), "This is not the store of a relay."},
	} {
		t.Run(name, func(t *testing.T) {
			d := newSample(t, 20)
			tc.damage(t, d.path)
			r := check(t, d.path)
			all := strings.Join(r.Wrong, "\n")
			if !strings.Contains(all, tc.want) {
				t.Errorf("got %q want %q", r.Wrong, tc.want)
			}
			if strings.Contains(all, secret) {
				t.Errorf("a finding tells content: %q", r.Wrong)
			}
		})
	}
}

// TestCheckUnderRandomDamage flips bytes anywhere: where Check finds nothing, every envelope is what it was.
func TestCheckUnderRandomDamage(t *testing.T) {
	d := newSample(t, 20)
	whole, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, b := range contents(t, d.path, d.streams) {
		want[string(b)] = true
	}
	rnd, missed := mrand.New(mrand.NewPCG(1, 2)), 0
	for i := range 150 {
		b, at := bytes.Clone(whole), rnd.IntN(len(whole))
		b[at] ^= byte(1 + rnd.IntN(255))
		path := filepath.Join(t.TempDir(), "relay.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := sqlite.Check(context.Background(), path, sqlite.Look{}, quiet)
		if krama.KindOf(err) == krama.NotYet {
			continue
		}
		if said := fmt.Sprint(r.Wrong, err); err != nil || strings.Contains(said, secret) {
			t.Fatalf("flip %d at %d: %s", i, at, said)
		}
		if len(r.Wrong) > 0 {
			continue
		}
		missed++
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := db.Query("SELECT id FROM envelope UNION ALL SELECT body FROM envelope")
		if err != nil {
			t.Fatalf("flip %d at %d: %v", i, at, err)
		}
		n := 0
		for rows.Next() {
			var b []byte
			if err := rows.Scan(&b); err != nil || !want[string(b)] {
				t.Errorf("flip %d at %d was not found", i, at)
			}
			n++
		}
		if n != 120 {
			t.Errorf("flip %d at %d: %d ids and bodies want 120", i, at, n)
		}
		rows.Close()
		db.Close()
	}
	t.Logf("%d of 150 flips changed nothing that is vouched for", missed)
}

func TestCheckRefuses(t *testing.T) {
	ctx := context.Background()
	d := newSample(t, 2)
	if _, err := sqlite.Check(ctx, d.path+"x", sqlite.Look{}, quiet); krama.KindOf(err) != krama.NotFound {
		t.Errorf("no file: %v", err)
	}
	if _, err := sqlite.Check(ctx, filepath.Dir(d.path), sqlite.Look{}, quiet); krama.KindOf(err) != krama.Invalid {
		t.Errorf("a folder: %v", err)
	}
	s := open(t, d.path, 0)
	defer s.Close()
	if _, err := s.Append(ctx, d.streams[0], nil, [][]byte{envelope(1024)}, 1<<40); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Check(ctx, d.path, sqlite.Look{}, quiet); krama.KindOf(err) != krama.Invalid {
		t.Errorf("half of a live store: %v", err)
	}
	r, err := sqlite.Check(ctx, d.path, sqlite.Look{Live: true}, quiet)
	if err != nil || len(r.Wrong) > 0 || r.Envelopes != 7 {
		t.Errorf("a live store: %+v %v", r, err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := sqlite.Check(gone, d.path, sqlite.Look{Live: true}, quiet); err == nil {
		t.Error("a cancelled check says that all is well")
	}
	newer := newSample(t, 2).path
	change(t, newer, "PRAGMA user_version=99")
	if _, err := sqlite.Check(ctx, newer, sqlite.Look{}, quiet); krama.KindOf(err) != krama.NotYet {
		t.Errorf("a newer store: %v", err)
	}
}
