package sqlite

import (
	"context"
	"database/sql"
	"math"
)

// SQLite collects commits in the -wal file and has a later commit move them into the database. While somebody reads for
// long, a backup for instance, nothing can be moved, and the first commit after it would move everything, with its
// callers waiting. So moving is done beside the writer; only the last few pages, which a busy writer would never let it
// catch up with, are moved between two commits, so that the -wal file can start again from its beginning.
const (
	tidyEvery = 64   // commits
	few       = 1000 // pages that may be moved between two commits
)

// tidy moves pages from the log into the file, beside the writer.
func (s *Store) tidy() {
	defer close(s.tidied)
	for range s.untidy {
		// The writer goes on meanwhile, so one round seldom moves everything: it goes on as long as each leaves fewer
		// pages.
		for before := math.MaxInt; ; {
			left, err := checkpoint(s.read.DB)
			s.flush.saw(err)
			if err != nil || left >= before { // somebody reads, or the disk is full: another time
				break
			}
			// So few that the writer moves them itself: while it does, nobody adds any, and the file can start again.
			if left <= few {
				s.nearly.Store(true)
				break
			}
			before = left
		}
	}
}

// committed is called by the writer between two commits.
func (s *Store) committed() {
	if s.nearly.CompareAndSwap(true, false) {
		_, err := checkpoint(s.write) // for want of room it is tried again
		s.flush.saw(err)
	}
	if s.commits++; s.commits%tidyEvery == 0 {
		// A wish that waits already is enough; the writer does not wait for tidy.
		select {
		case s.untidy <- struct{}{}:
		default:
		}
	}
}

// checkpoint moves what nobody reads any more and returns how many pages are left. It waits for no one.
func checkpoint(db *sql.DB) (left int, err error) {
	var busy, log, moved int
	err = db.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &log, &moved)
	return log - moved, err
}
