// Package sqlite is the embedded relay store: one file, WAL, synchronous FULL. Writers that arrive together share one
// transaction, so that fifty phones pay for one flush of the disk.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"krama"
	"krama/relay"
	"krama/relay/rules"
)

// Store is a relay store in one SQLite file.
type Store struct {
	rules.Writer // over do

	read  *readers
	write *sql.DB
	known known
	jobs  chan job
	done  chan struct{}
	flush flush

	commits        int // the writer's
	untidy, tidied chan struct{}
	nearly         atomic.Bool // few pages are left to move
}

// job is a write that waits for its transaction.
type job struct {
	do  func(rules.Tx) error
	err chan error
}

var _ relay.Store = (*Store)(nil)

// Open opens or makes the store in the file at path. maxBytes, when not 0, bounds the file; more is Full.
func Open(path string, maxBytes int64) (*Store, error) {
	dsn := func(extra string) string {
		return "file:" + path + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
			"&_pragma=wal_autocheckpoint(0)&_pragma=journal_size_limit(67108864)&_pragma=foreign_keys(1)" +
			"&_pragma=temp_store(MEMORY)&_pragma=secure_delete(1)" + extra
	}
	if err := private(path); err != nil {
		return nil, err
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
	s := &Store{read: &readers{DB: r, made: map[string]*sql.Stmt{}}, write: w,
		known: known{made: map[string]*sql.Stmt{}}, jobs: make(chan job, 256), done: make(chan struct{}),
		flush:  newFlush(),
		untidy: make(chan struct{}, 1), tidied: make(chan struct{})}
	s.Do = s.do
	if err := s.prepare(maxBytes); err != nil {
		w.Close()
		r.Close()
		return nil, err
	}
	go s.writer()
	go s.tidy()
	return s, nil
}

// prepare brings a store to this version.
func (s *Store) prepare(maxBytes int64) error {
	if maxBytes > 0 {
		if _, err := s.write.Exec(fmt.Sprintf("PRAGMA max_page_count=%d", maxBytes/4096)); err != nil {
			return failed(err)
		}
	}
	for {
		if more, err := s.step(); err != nil {
			return err
		} else if !more {
			return s.settle()
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

// newer is the error of a store that this program does not know.
func newer(op string) error {
	return krama.E(op, krama.NotYet, "the store was written by a newer version")
}

// Close waits for writes under way and closes the file.
func (s *Store) Close() error {
	close(s.jobs)
	<-s.done
	close(s.untidy)
	<-s.tidied
	if s.flush.failed() { // closing would move pages and delete the -wal file, on a disk that cannot be believed
		return errLost
	}
	return errors.Join(s.read.Close(), s.write.Close())
}

// group is how many writes share one transaction at the most.
const group = 128

// writer takes jobs as they come, those that wait together into one transaction.
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
		if s.flush.failed() {
			return errLost
		}
		begun, err := s.write.Begin()
		if err != nil {
			return err
		}
		defer begun.Rollback()
		tx := writing{begun, &s.known}
		for i, j := range batch {
			if _, err := tx.Exec("SAVEPOINT job"); err != nil {
				return err
			}
			if errs[i] = s.flush.saw(j.do(tx)); errs[i] != nil {
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
	s.flush.saw(err)
	for i, j := range batch {
		if errs[i] == nil {
			errs[i] = err
		}
		j.err <- failed(errs[i])
	}
	s.known.compile(s.write)
}

// do has a write done in one of the writer's transactions.
func (s *Store) do(ctx context.Context, f func(rules.Tx) error) error {
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

// missing is failed for a single row: none is NotFound.
func missing(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return krama.E("sqlite", krama.NotFound, "")
	}
	return failed(err)
}
