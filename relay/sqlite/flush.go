package sqlite

import (
	"errors"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"krama"
)

// After a flush of the disk that failed, nobody knows what is on it: the system takes the pages for written, a second
// flush succeeds, and they are gone at the next power cut. So a store whose disk failed once takes nothing more until
// it is opened again, by a process that reads what is there and writes it anew.

// flush is whether a store's disk has failed. The zero value is not ready; see newFlush.
type flush struct {
	// Copies of the value share both, so its methods need no pointer.
	lost chan struct{} // closed at the first failure
	once *sync.Once
}

// newFlush is a disk that has not failed.
func newFlush() flush { return flush{make(chan struct{}), new(sync.Once)} }

// errLost answers every write after the failure, and Close.
var errLost = krama.E("sqlite", krama.Internal, "the disk failed: nothing is written until the relay is started again")

// saw looks at an error of a write, a commit or a checkpoint, and returns it.
func (f flush) saw(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_IOERR {
		return err // no room, busy, a rule of ours: SQLite undid it, and the disk is well
	}
	switch e.Code() {
	case sqlite3.SQLITE_IOERR_NOMEM, sqlite3.SQLITE_IOERR_SHMSIZE:
		// no memory, or no room for what is remade at every start
	default:
		f.once.Do(func() { close(f.lost) })
	}
	return err
}

// failed reports whether the disk has failed.
func (f flush) failed() bool {
	select {
	case <-f.lost:
		return true
	default:
		return false
	}
}

// Lost is closed when the disk under the store failed to keep what it was given. From then on every write is refused
// with Internal; whoever serves from the store should stop.
func (s *Store) Lost() <-chan struct{} { return s.flush.lost }

// settle moves everything into the database at the start, before anybody is served: what an earlier process could not
// flush is written and flushed anew.
func (s *Store) settle() error {
	// Nobody is served yet, so all pages can be moved and the -wal file emptied. Where a backup reads for longer than
	// the ten seconds that SQLite waits, what it needs stays there, and that is no error.
	var busy, log, moved int
	return failed(s.flush.saw(s.write.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved)))
}
