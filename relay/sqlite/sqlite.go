// Package sqlite is the embedded relay store: one file, WAL, synchronous FULL. Writers that arrive together share one
// transaction, so that fifty phones pay for one flush of the disk.
package sqlite

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"krama"
	"krama/relay"
	"krama/seal"
)

// steps bring a store from each version to the next; SQLite's user_version counts those that were taken. A store in the
// field has taken the first ones, so steps are only ever added at the end.
var steps = [...]string{
	`
CREATE TABLE IF NOT EXISTS programme (id BLOB PRIMARY KEY, control BLOB NOT NULL, used INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS stream (k INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, programme BLOB NOT NULL REFERENCES programme(id),
	access BLOB NOT NULL, n INTEGER NOT NULL, h BLOB NOT NULL, closed INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS envelope (k INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES stream(k), n INTEGER NOT NULL,
	id BLOB NOT NULL, body BLOB NOT NULL, UNIQUE (stream, n), UNIQUE (stream, id)) STRICT;
CREATE TABLE IF NOT EXISTS box (k INTEGER PRIMARY KEY, box BLOB NOT NULL, item BLOB NOT NULL, expires INTEGER NOT NULL,
	UNIQUE (box, item)) STRICT;
CREATE INDEX IF NOT EXISTS box_expires ON box (expires);
CREATE TABLE IF NOT EXISTS blob (id BLOB PRIMARY KEY, programme BLOB NOT NULL, body BLOB NOT NULL) STRICT;`,

	// 2: the chain value a stream starts from, so that the chain can be checked; unknown (NULL) where envelopes came first.
	`
ALTER TABLE stream ADD COLUMN h0 BLOB;
UPDATE stream SET h0=h WHERE n=0;`,

	// 3: the first of the line of streams that one key opens.
	`
ALTER TABLE stream ADD COLUMN line BLOB;
UPDATE stream SET line=id;
CREATE INDEX stream_line ON stream (line);`,

	// 4: what programmes publish, and what was reported to them.
	`
CREATE TABLE door (k INTEGER PRIMARY KEY, programme BLOB NOT NULL UNIQUE REFERENCES programme(id), body BLOB NOT NULL) STRICT;
CREATE TABLE intake (id BLOB PRIMARY KEY, programme BLOB NOT NULL REFERENCES programme(id)) STRICT;
CREATE TABLE report (k INTEGER PRIMARY KEY AUTOINCREMENT, intake BLOB NOT NULL, day INTEGER NOT NULL, id BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;
CREATE INDEX report_intake ON report (intake, k);`,
}

// version is SQLite's user_version of this schema.
const version = len(steps)

// Store is a relay store in one SQLite file.
type Store struct {
	read  *sql.DB
	write *sql.DB
	jobs  chan job
	done  chan struct{}

	commits        int // the writer's
	untidy, tidied chan struct{}
	nearly         atomic.Bool // few pages are left to move
}

type job struct {
	do  func(*sql.Tx) error
	err chan error
}

var _ relay.Store = (*Store)(nil)

// Open opens or makes the store in the file at path. maxBytes, when not 0, bounds the file; more is Full.
func Open(path string, maxBytes int64) (*Store, error) {
	dsn := func(extra string) string {
		return "file:" + path + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(0)&_pragma=journal_size_limit(67108864)&_pragma=foreign_keys(1)&_pragma=temp_store(MEMORY)&_pragma=secure_delete(1)" + extra
	}
	w, err := sql.Open("sqlite", dsn("&_txlock=immediate"))
	if err != nil {
		return nil, failed(err)
	}
	w.SetMaxOpenConns(1)
	r, err := sql.Open("sqlite", dsn("&_pragma=query_only(1)"))
	if err != nil {
		return nil, failed(err)
	}
	r.SetMaxOpenConns(5) // four for callers, one for tidy
	s := &Store{read: r, write: w, jobs: make(chan job, 256), done: make(chan struct{}),
		untidy: make(chan struct{}, 1), tidied: make(chan struct{})}
	if err := s.prepare(maxBytes); err != nil {
		w.Close()
		r.Close()
		return nil, err
	}
	go s.writer()
	go s.tidy()
	return s, nil
}

func (s *Store) prepare(maxBytes int64) error {
	if maxBytes > 0 {
		if _, err := s.write.Exec(fmt.Sprintf("PRAGMA max_page_count=%d", maxBytes/4096)); err != nil {
			return failed(err)
		}
	}
	for {
		if more, err := s.step(); err != nil || !more {
			return err
		}
	}
}

// step takes the next step of the schema, whole or not at all, and reports whether there may be another.
func (s *Store) step() (more bool, err error) {
	tx, err := s.write.Begin()
	if err != nil {
		return false, failed(err)
	}
	defer tx.Rollback()
	var v int
	if err := tx.QueryRow("PRAGMA user_version").Scan(&v); err != nil {
		return false, failed(err)
	}
	if v > version {
		return false, newer("sqlite.Open")
	}
	if v == version {
		return false, nil
	}
	if _, err := tx.Exec(steps[v] + fmt.Sprintf("PRAGMA user_version=%d;", v+1)); err != nil {
		return false, failed(err)
	}
	return true, failed(tx.Commit())
}

func newer(op string) error {
	return krama.E(op, krama.NotYet, "the store was written by a newer version")
}

// Close waits for writes under way and closes the file.
func (s *Store) Close() error {
	close(s.jobs)
	<-s.done
	close(s.untidy)
	<-s.tidied
	return errors.Join(s.read.Close(), s.write.Close())
}

// group is how many writes share one transaction at the most.
const group = 128

func (s *Store) writer() {
	defer close(s.done)
	for first := range s.jobs {
		batch := []job{first}
	fill:
		for len(batch) < group {
			select {
			case j, ok := <-s.jobs:
				if !ok {
					break fill
				}
				batch = append(batch, j)
			default:
				break fill
			}
		}
		s.commit(batch)
		s.committed()
	}
}

// commit runs jobs in one transaction. A job that fails is undone alone; nobody hears of success before the disk did.
func (s *Store) commit(batch []job) {
	errs := make([]error, len(batch))
	err := func() error {
		tx, err := s.write.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for i, j := range batch {
			if _, err := tx.Exec("SAVEPOINT job"); err != nil {
				return err
			}
			if errs[i] = j.do(tx); errs[i] != nil {
				if _, err := tx.Exec("ROLLBACK TO job"); err != nil {
					return err
				}
			}
			if _, err := tx.Exec("RELEASE job"); err != nil {
				return err
			}
		}
		return tx.Commit()
	}()
	for i, j := range batch {
		if errs[i] == nil {
			errs[i] = err
		}
		j.err <- failed(errs[i])
	}
}

func (s *Store) do(ctx context.Context, f func(*sql.Tx) error) error {
	j := job{f, make(chan error, 1)}
	select {
	case s.jobs <- j:
	case <-ctx.Done():
		return krama.Wrap("sqlite", ctx.Err())
	}
	return <-j.err // once queued it is waited for: the caller must learn what became of it
}

// failed gives database errors a kind. Kinds that are there already stay.
func failed(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL {
		return krama.E("sqlite", krama.Full, "no room")
	}
	return krama.Wrap("sqlite", err)
}

// AddProgramme implements relay.Programmes.
func (s *Store) AddProgramme(ctx context.Context, p relay.Programme) error {
	return s.do(ctx, func(tx *sql.Tx) error {
		var same bool
		err := tx.QueryRow("SELECT control=? FROM programme WHERE id=?", []byte(p.Control), p.ID[:]).Scan(&same)
		if err == nil && !same {
			return krama.E("sqlite", krama.Conflict, "programme")
		}
		if errors.Is(err, sql.ErrNoRows) {
			_, err = tx.Exec("INSERT INTO programme (id, control) VALUES (?, ?)", p.ID[:], []byte(p.Control))
		}
		return err
	})
}

// Programme implements relay.Programmes.
func (s *Store) Programme(ctx context.Context, id [16]byte) (relay.Programme, error) {
	p := relay.Programme{ID: id}
	err := s.read.QueryRowContext(ctx, "SELECT control FROM programme WHERE id=?", id[:]).Scan((*[]byte)(&p.Control))
	return p, missing(err)
}

func missing(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return krama.E("sqlite", krama.NotFound, "")
	}
	return failed(err)
}

// CreateStream implements relay.Streams.
func (s *Store) CreateStream(ctx context.Context, st relay.Stream, before *seal.StreamID) error {
	return s.do(ctx, func(tx *sql.Tx) error {
		line := st.ID[:]
		if before != nil {
			err := tx.QueryRow("SELECT line FROM stream WHERE id=? AND programme=?", before[:], st.Programme[:]).Scan(&line)
			if err != nil {
				return missing(err)
			}
		}
		var same bool
		err := tx.QueryRow("SELECT n=? AND h=? AND access=? AND programme=? FROM stream WHERE id=?",
			int64(st.Head.N), st.Head.H[:], []byte(st.Access), st.Programme[:], st.ID[:]).Scan(&same)
		if err == nil && !same {
			return krama.E("sqlite", krama.Conflict, "stream")
		}
		if errors.Is(err, sql.ErrNoRows) {
			_, err = tx.Exec("INSERT INTO stream (id, programme, access, n, h, h0, line) VALUES (?, ?, ?, ?, ?, ?, ?)",
				st.ID[:], st.Programme[:], []byte(st.Access), int64(st.Head.N), st.Head.H[:], st.Head.H[:], line)
			if err == nil && before != nil {
				_, err = tx.Exec("UPDATE stream SET access=? WHERE line=? AND programme=?", []byte(st.Access), line, st.Programme[:])
			}
		}
		return err
	})
}

// SetControl implements relay.Programmes.
func (s *Store) SetControl(ctx context.Context, id [16]byte, control ed25519.PublicKey) error {
	return s.do(ctx, func(tx *sql.Tx) error {
		res, err := tx.Exec("UPDATE programme SET control=? WHERE id=?", []byte(control), id[:])
		if err != nil {
			return err
		}
		if n, _ := res.RowsAffected(); n == 0 {
			return krama.E("sqlite", krama.NotFound, "programme")
		}
		return nil
	})
}

// SetBox implements relay.Boxes.
func (s *Store) SetBox(ctx context.Context, box [16]byte, items [][]byte, expires time.Time) error {
	return s.do(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM box WHERE box=?", box[:])
		for _, it := range items {
			if err == nil {
				_, err = tx.Exec("INSERT OR IGNORE INTO box (box, item, expires) VALUES (?, ?, ?)", box[:], it, expires.Unix())
			}
		}
		return err
	})
}

// DropBlobs implements relay.Blobs.
func (s *Store) DropBlobs(ctx context.Context, programme [16]byte, ids [][32]byte) error {
	return s.do(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			var n int64
			err := tx.QueryRow("DELETE FROM blob WHERE id=? AND programme=? RETURNING length(body)", id[:], programme[:]).Scan(&n)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err == nil {
				_, err = tx.Exec("UPDATE programme SET used=used-? WHERE id=?", n, programme[:])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

func find(ctx context.Context, q querier, id seal.StreamID) (k int64, st relay.Stream, err error) {
	var programme, h []byte
	var n int64
	st.ID = id
	err = q.QueryRowContext(ctx, "SELECT k, programme, access, n, h, closed FROM stream WHERE id=?", id[:]).
		Scan(&k, &programme, (*[]byte)(&st.Access), &n, &h, &st.Closed)
	if err != nil {
		return 0, st, missing(err)
	}
	copy(st.Programme[:], programme)
	st.Head.N = uint64(n)
	copy(st.Head.H[:], h)
	return k, st, nil
}

// Stream implements relay.Streams.
func (s *Store) Stream(ctx context.Context, id seal.StreamID) (relay.Stream, error) {
	_, st, err := find(ctx, s.read, id)
	return st, err
}

// Append implements relay.Streams.
func (s *Store) Append(ctx context.Context, id seal.StreamID, ifHead *uint64, envelopes [][]byte, quota int64) (head seal.Head, err error) {
	ids := make([][32]byte, len(envelopes))
	for i, e := range envelopes {
		ids[i] = seal.EnvelopeID(e)
	}
	err = s.do(ctx, func(tx *sql.Tx) error {
		k, st, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		head = st.Head
		size := int64(0)
		batch := map[[32]byte]bool{}
		for i, e := range envelopes {
			var there bool
			if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM envelope WHERE stream=? AND id=?)", k, ids[i][:]).Scan(&there); err != nil {
				return err
			}
			if there || batch[ids[i]] {
				continue
			}
			batch[ids[i]] = true
			if st.Closed || (ifHead != nil && *ifHead != st.Head.N) {
				return krama.E("sqlite", krama.Conflict, "head")
			}
			head = head.Link(ids[i])
			if _, err := tx.Exec("INSERT INTO envelope (stream, n, id, body) VALUES (?, ?, ?, ?)", k, int64(head.N), ids[i][:], e); err != nil {
				return err
			}
			size += int64(len(e))
		}
		if size == 0 {
			return nil
		}
		var used int64
		if err := tx.QueryRow("UPDATE programme SET used=used+? WHERE id=? RETURNING used", size, st.Programme[:]).Scan(&used); err != nil {
			return err
		}
		if used > quota {
			return krama.E("sqlite", krama.Full, "quota")
		}
		_, err = tx.Exec("UPDATE stream SET n=?, h=? WHERE k=?", int64(head.N), head.H[:], k)
		return err
	})
	return head, err
}

// PutTombstones implements relay.Streams. The connection overwrites what it deletes.
func (s *Store) PutTombstones(ctx context.Context, puts []relay.Tombstone) error {
	return s.do(ctx, func(tx *sql.Tx) error {
		for _, p := range puts {
			k, st, err := find(ctx, tx, p.Stream)
			if err != nil {
				return err
			}
			id := seal.WireID(p.Body)
			var size int64
			err = tx.QueryRow("SELECT length(body) FROM envelope WHERE stream=? AND n=? AND id=?", k, int64(min(p.N, 1<<62)), id[:]).Scan(&size)
			switch {
			case err == nil && st.Closed:
				_, err = tx.Exec("UPDATE envelope SET body=? WHERE stream=? AND n=?", p.Body, k, int64(p.N))
			case err == sql.ErrNoRows && p.N == st.Head.N+1 && !st.Closed:
				var there, succeeded bool
				if err = tx.QueryRow("SELECT EXISTS (SELECT 1 FROM envelope WHERE stream=? AND id=?), EXISTS (SELECT 1 FROM stream WHERE line=(SELECT line FROM stream WHERE k=?) AND k>?)", k, id[:], k, k).Scan(&there, &succeeded); err != nil {
					return err
				}
				if there || !succeeded {
					return krama.E("sqlite", krama.Conflict, "tombstone")
				}
				head := st.Head.Link(id)
				if _, err = tx.Exec("INSERT INTO envelope (stream, n, id, body) VALUES (?, ?, ?, ?)", k, int64(p.N), id[:], p.Body); err == nil {
					_, err = tx.Exec("UPDATE stream SET n=?, h=? WHERE k=?", int64(head.N), head.H[:], k)
				}
			case err == nil, err == sql.ErrNoRows:
				return krama.E("sqlite", krama.Conflict, "tombstone")
			}
			if err != nil {
				return err
			}
			if _, err := tx.Exec("UPDATE programme SET used=used+? WHERE id=?", int64(len(p.Body))-size, st.Programme[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// List implements relay.Streams.
func (s *Store) List(ctx context.Context, id seal.StreamID, after uint64, max int) ([]relay.Entry, error) {
	k, _, err := find(ctx, s.read, id)
	if err != nil {
		return nil, err
	}
	if after > 1<<62 {
		return nil, nil
	}
	rows, err := s.read.QueryContext(ctx, "SELECT n, id, body FROM envelope WHERE stream=? AND n>? ORDER BY n LIMIT ?", k, int64(after), seal.MaxListed)
	if err != nil {
		return nil, failed(err)
	}
	defer rows.Close()
	var out []relay.Entry
	size := 0
	for rows.Next() {
		var e relay.Entry
		var eid []byte
		var n int64
		if err := rows.Scan(&n, &eid, &e.Body); err != nil {
			return nil, failed(err)
		}
		size += len(e.Body)
		if size > max && len(out) > 0 {
			break
		}
		e.N = uint64(n)
		copy(e.ID[:], eid)
		out = append(out, e)
	}
	return out, failed(rows.Err())
}

// Rewind implements relay.Streams. A stream of the first version, whose start is not known, is not rewound.
func (s *Store) Rewind(ctx context.Context, id seal.StreamID, head seal.Head) error {
	return s.do(ctx, func(tx *sql.Tx) error {
		k, st, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		var start []byte
		if err := tx.QueryRow("SELECT h0 FROM stream WHERE k=?", k).Scan(&start); err != nil {
			return err
		}
		if len(start) != 32 || st.Closed {
			return krama.E("sqlite", krama.Conflict, "head")
		}
		h := seal.Head{H: [32]byte(start)}
		rows, err := tx.Query("SELECT id FROM envelope WHERE stream=? AND n<=? ORDER BY n", k, int64(min(head.N, 1<<62)))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var eid []byte
			if err := rows.Scan(&eid); err != nil {
				return err
			}
			h = h.Link([32]byte(eid))
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if h != head {
			return krama.E("sqlite", krama.Conflict, "head")
		}
		var size int64
		if err := tx.QueryRow("SELECT coalesce(sum(length(body)), 0) FROM envelope WHERE stream=? AND n>?", k, int64(head.N)).Scan(&size); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM envelope WHERE stream=? AND n>?", k, int64(head.N)); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE programme SET used=used-? WHERE id=?", size, st.Programme[:]); err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE stream SET n=?, h=? WHERE k=?", int64(head.N), head.H[:], k)
		return err
	})
}

// CloseStream implements relay.Streams.
func (s *Store) CloseStream(ctx context.Context, id seal.StreamID, head seal.Head) error {
	return s.do(ctx, func(tx *sql.Tx) error {
		k, st, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		if st.Head != head {
			return krama.E("sqlite", krama.Conflict, "head")
		}
		_, err = tx.Exec("UPDATE stream SET closed=1 WHERE k=?", k)
		return err
	})
}

// PutBox implements relay.Boxes.
func (s *Store) PutBox(ctx context.Context, puts []relay.BoxPut, expires time.Time, limit int) error {
	return s.do(ctx, func(tx *sql.Tx) error {
		for _, p := range puts {
			var n, there int
			if err := tx.QueryRow("SELECT count(*), coalesce(sum(item=?), 0) FROM box WHERE box=?", p.Item, p.Box[:]).Scan(&n, &there); err != nil {
				return err
			}
			var err error
			switch {
			case there > 0:
				_, err = tx.Exec("UPDATE box SET expires=? WHERE box=? AND item=?", expires.Unix(), p.Box[:], p.Item)
			case n >= limit:
				err = krama.E("sqlite", krama.Full, "box")
			default:
				_, err = tx.Exec("INSERT INTO box (box, item, expires) VALUES (?, ?, ?)", p.Box[:], p.Item, expires.Unix())
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Box implements relay.Boxes.
func (s *Store) Box(ctx context.Context, box [16]byte, now time.Time) ([][]byte, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT item FROM box WHERE box=? AND expires>? ORDER BY k", box[:], now.Unix())
	if err != nil {
		return nil, failed(err)
	}
	defer rows.Close()
	var out [][]byte
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, failed(err)
		}
		out = append(out, b)
	}
	return out, failed(rows.Err())
}

// Sweep implements relay.Boxes.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	return s.do(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("DELETE FROM report WHERE day<?", int64(krama.DayOf(now)-relay.ReportKeep)); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM box WHERE expires<=?", now.Unix())
		return err
	})
}

// PutBlob implements relay.Blobs.
func (s *Store) PutBlob(ctx context.Context, programme [16]byte, id [32]byte, body []byte, quota int64) error {
	return s.do(ctx, func(tx *sql.Tx) error {
		res, err := tx.Exec("INSERT OR IGNORE INTO blob (id, programme, body) VALUES (?, ?, ?)", id[:], programme[:], body)
		if err != nil {
			return err
		}
		if n, _ := res.RowsAffected(); n == 0 {
			return nil
		}
		var used int64
		if err := tx.QueryRow("UPDATE programme SET used=used+? WHERE id=? RETURNING used", len(body), programme[:]).Scan(&used); err != nil {
			return err
		}
		if used > quota {
			return krama.E("sqlite", krama.Full, "quota")
		}
		return nil
	})
}

// Blob implements relay.Blobs.
func (s *Store) Blob(ctx context.Context, programme [16]byte, id [32]byte) ([]byte, error) {
	var b []byte
	err := s.read.QueryRowContext(ctx, "SELECT body FROM blob WHERE id=? AND programme=?", id[:], programme[:]).Scan(&b)
	return b, missing(err)
}
