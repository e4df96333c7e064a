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
// Reads and writes have connections of their own: in WAL a long read holds no write back, and no write a read. One
// goroutine writes (writer) and one moves pages (tidy); both end with Close.
type Store struct {
	rules.Writer // over do

	// read is for all reads, and moves pages for tidy. write has the one connection that writes; once Open has
	// returned, it and known belong to the writer's goroutine.
	read  *readers
	write *sql.DB
	known known
	// jobs carries writes to the writer. Close closes it, so who writes after Close panics; done is closed when the
	// writer has answered the last.
	jobs  chan job
	done  chan struct{}
	flush flush

	// How pages leave the -wal file (checkpoint.go): untidy holds one wish at the most, and tidied is closed when tidy
	// has ended.
	commits        int // the writer's
	untidy, tidied chan struct{}
	nearly         atomic.Bool // few pages are left to move
}

// job is a write that waits for its transaction.
// err has room for the one answer it gets, so the writer never waits for a caller.
type job struct {
	do  func(rules.Tx) error
	err chan error
}

var _ relay.Store = (*Store)(nil)

// Open opens or makes the store in the file at path. maxBytes, when not 0, bounds the file; more is Full.
// A store of an earlier version is brought to this version first; one of a newer version is NotYet and is left as it
// is. What an earlier process could not flush is flushed before anybody is served (settle).
func Open(path string, maxBytes int64) (*Store, error) {
	// WAL lets reads go on beside the writer, and FULL flushes every commit. No commit moves pages by itself:
	// checkpoint.go says why. A -wal file that a long reader let grow is cut to 64 MiB when it starts again. No
	// temporary file gets a copy of anything, and what is deleted is overwritten: what was erased must not be found in
	// the file's free pages.
	dsn := func(extra string) string {
		return "file:" + path + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
			"&_pragma=wal_autocheckpoint(0)&_pragma=journal_size_limit(67108864)&_pragma=foreign_keys(1)" +
			"&_pragma=temp_store(MEMORY)&_pragma=secure_delete(1)" + extra
	}
	// Before SQLite makes its parts, which take the rights of the file.
	if err := private(path); err != nil {
		return nil, err
	}
	// A write takes its lock when it begins. Taken later, after a read, the lock could be refused, and the whole batch
	// with it.
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
	// Until here the one connection that writes was prepare's.
	go s.writer()
	go s.tidy()
	return s, nil
}

// prepare brings a store to this version.
// A process that is killed between two steps leaves a store that the next process takes further.
func (s *Store) prepare(maxBytes int64) error {
	if maxBytes > 0 {
		// SQLite bounds pages, and a page of a store has 4096 bytes.
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
	// Asked within the transaction, which holds the lock: of two processes that open an old store the second one waits,
	// and then finds the step taken.
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
	// The step and its number are one commit, so that no power cut leaves a step that was taken and not counted, which
	// the next start would take again.
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
// It returns errLost when the disk has failed.
func (s *Store) Close() error {
	// First whoever is queued is answered, then tidy ends what it moves, and only then do the connections go.
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
// Nobody is answered before the whole group is flushed: a larger one would keep its first caller waiting for longer.
const group = 128

// writer takes jobs as they come, those that wait together into one transaction.
func (s *Store) writer() {
	defer close(s.done)
	for first := range s.jobs {
		// What waits already shares the flush. Nobody is waited for, so a write that comes alone is flushed at once.
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
		// Not even a batch that was queued before the failure is tried: see flush.go.
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
			// A savepoint for each: a job that breaks a rule takes back its own rows and leaves those of the others.
			if _, err := tx.Exec("SAVEPOINT job"); err != nil {
				return err
			}
			if errs[i] = s.flush.saw(j.do(tx)); errs[i] != nil {
				if _, err := tx.Exec("ROLLBACK TO job"); err != nil {
					return err
				}
			}
			// ROLLBACK TO leaves the savepoint standing, so it is released either way.
			if _, err := tx.Exec("RELEASE job"); err != nil {
				return err
			}
		}
		return tx.Commit()
	}()
	s.flush.saw(err)
	// Of a commit that failed nobody may count on anything: a job without an error of its own gets the commit's.
	for i, j := range batch {
		if errs[i] == nil {
			errs[i] = err
		}
		j.err <- failed(errs[i])
	}
	// Between two transactions, when the one connection is free.
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
	// The low byte is SQLite's primary code. FULL is a disk without room, or a file at its bound.
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
