package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"krama"
	"krama/seal"
)

// Progress hears how far long work is: bytes, envelopes or nothing countable (0, 0).
type Progress func(stage string, done, total int64)

// Report is what a store holds and what is wrong with it.
type Report struct {
	Version                               int
	Programmes, Streams, Envelopes, Blobs int64
	// envelopes whose bytes were dropped on purpose; their ids stay in the chain
	Dropped int64
	// streams of before version 2, whose chain nobody but a member can check
	Startless int64
	// one plain sentence each, never with content; the first few of each sort
	Wrong []string
}

// Look says how a store is to be checked.
type Look struct {
	Live  bool // a relay may have the file open: read one moment of it; otherwise the file must be all there is
	Quick bool // leave out comparing SQLite's indexes with its tables, which takes longest
}

// Check reads a whole store and changes nothing: SQLite's own check, then that positions are 1 to n, every envelope and
// blob fits its id, every chain leads from its start to its head, and every programme is charged what it holds. It
// cannot see changed keys and mailboxes: nothing vouches for those. Damage is in the report; an error is NotFound,
// NotYet for a newer version, Invalid for a file that is only half of a live store, or that reading was not possible.
func Check(ctx context.Context, path string, look Look, say Progress) (Report, error) {
	const op = "sqlite.Check"
	db, err := openToRead(op, path, look.Live)
	if err != nil {
		return Report{}, err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil) // one moment of the store, however long it takes
	if err != nil {
		return Report{}, failed(err)
	}
	defer tx.Rollback()
	c := checker{ctx: ctx, tx: tx, say: say, sorts: map[string]*sort{}, more: map[string]int{}}
	// In this order: each step works with what those before it took down, and the file comes before what lies in it.
	for _, f := range []func(bool) error{c.version, c.file, c.programmes, c.streams, c.envelopes, c.chains, c.blobs,
		c.charges} {
		err := f(look.Quick)
		if err == errEnough {
			break
		}
		if code(err) == sqlite3.SQLITE_NOTADB {
			c.wrong("This is not a database, or its first page is damaged.")
			break
		}
		if damage(err) {
			c.wrong("The database file is damaged: SQLite stops with code %d.", code(err))
			break
		}
		if err != nil {
			return c.Report, krama.Wrap(op, failed(err))
		}
	}
	for _, first := range c.Wrong {
		if more := c.more[first]; more > 0 {
			c.Wrong = append(c.Wrong, fmt.Sprintf("And %d more of this sort: %s", more, first))
		}
	}
	return c.Report, nil
}

// openToRead opens one connection that never writes to the database file.
func openToRead(op, path string, live bool) (*sql.DB, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, krama.E(op, krama.NotFound, "no such file")
	}
	if err != nil {
		return nil, krama.Wrap(op, err)
	}
	if !st.Mode().IsRegular() {
		return nil, krama.E(op, krama.Invalid, "not a file")
	}
	// Of a live store the newest part is in the -wal file, where the reader's lock keeps it as long as it is read. A
	// backup is taken as it lies, without locks and without a -shm file made beside it.
	how := "?mode=ro&_pragma=busy_timeout(10000)"
	if !live {
		if w, err := os.Stat(path + "-wal"); err == nil && w.Size() > 0 {
			return nil, krama.E(op, krama.Invalid, "a relay's own file: its newest part is in the -wal file beside it")
		}
		how = "?immutable=1"
	}
	db, err := sql.Open("sqlite", uri(path)+how)
	if err != nil {
		return nil, failed(err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// uri is SQLite's name for a file, whatever characters its path has.
func uri(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath()
}

// code is SQLite's own number of an error, 0 for none.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// damage reports whether err means a bad file rather than bad luck.
func damage(err error) bool {
	// The statements are fixed, so one that SQLite calls wrong shows tables that are not as they must be.
	switch c := code(err); c & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA,
		sqlite3.SQLITE_MISMATCH:
		return true
	// A file that ends too early is damage. Another failure to read is the disk's, and reading again may help.
	case sqlite3.SQLITE_IOERR:
		return c == sqlite3.SQLITE_IOERR_SHORT_READ || c == sqlite3.SQLITE_IOERR_CORRUPTFS
	}
	return false
}

// errEnough ends a check early: what is wrong has been said.
var errEnough = errors.New("enough")

// shown is how many findings of one sort are spelled out.
const shown = 10

// checker looks at a store from within one transaction that reads.
// Its steps run one after the other and hand on what they took down: programmes and streams in progs and strs, and in
// those what they hold and where their chains lead.
type checker struct {
	Report
	ctx   context.Context
	tx    *sql.Tx
	say   Progress
	sorts map[string]*sort // by the sentence before numbers are put in
	more  map[string]int   // by the first finding of its sort
	progs []*checkedProgramme
	strs  []*checkedStream
}

// checkedProgramme is a programme, what it is charged, and what it holds.
type checkedProgramme struct {
	row, used, holds int64
	id               []byte
}

// checkedStream is a stream and where its chain should end.
type checkedStream struct {
	k, n      int64
	programme *checkedProgramme
	h, h0     []byte
	head      seal.Head // as far as envelopes came one after the other
	ordered   bool
}

// sort is one kind of fault: how often, and the first.
type sort struct {
	n     int
	first string
}

// wrong takes down a fault. Faults of one kind are counted, not listed.
func (c *checker) wrong(sentence string, args ...any) {
	s := c.sorts[sentence]
	if s == nil {
		s = &sort{first: fmt.Sprintf(sentence, args...)}
		c.sorts[sentence] = s
	}
	if s.n++; s.n <= shown {
		c.Wrong = append(c.Wrong, fmt.Sprintf(sentence, args...))
	} else {
		c.more[s.first]++
	}
}

// each runs f on every row.
func (c *checker) each(query string, args []any, f func(scan func(...any) error) error) error {
	rows, err := c.tx.QueryContext(c.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// version checks that this program knows the store's version.
func (c *checker) version(bool) error {
	var tables int
	if err := c.tx.QueryRowContext(c.ctx, "PRAGMA user_version").Scan(&c.Version); err != nil {
		return err
	}
	// Every version has five of these: items took the place of boxes with version 5.
	if err := c.tx.QueryRowContext(c.ctx,
		"SELECT count(*) FROM sqlite_schema WHERE type='table' AND name IN ('programme', 'stream', 'envelope', "+
			"'box', 'item', 'blob')").Scan(&tables); err != nil {
		return err
	}
	switch {
	case tables < 5 || c.Version < 1:
		c.wrong("This is not the store of a relay.")
		return errEnough
	case c.Version > version:
		return newer("sqlite.Check")
	}
	return nil
}

// file has SQLite check its own file.
func (c *checker) file(quick bool) error {
	c.say("reading the file", 0, 0)
	pragma := "PRAGMA integrity_check"
	if quick {
		pragma = "PRAGMA quick_check"
	}
	return c.each(pragma, nil, func(scan func(...any) error) error {
		var s string
		if err := scan(&s); err != nil || s == "ok" {
			return err
		}
		c.wrong("The database file is damaged. SQLite says: %s.", s)
		return nil
	})
}

// programmes checks that ids and keys have their lengths.
func (c *checker) programmes(bool) error {
	return c.each("SELECT rowid, id, control, used FROM programme ORDER BY rowid", nil,
		func(scan func(...any) error) error {
			p := &checkedProgramme{}
			var control []byte
			if err := scan(&p.row, &p.id, &control, &p.used); err != nil {
				return err
			}
			c.Programmes++
			if len(p.id) != 16 || len(control) != 32 {
				c.wrong("Programme %d: its id or key has not the length it must have.", p.row)
			}
			c.progs = append(c.progs, p)
			return nil
		})
}

// programme finds one by its id.
func (c *checker) programme(id []byte) *checkedProgramme {
	for _, p := range c.progs { // a relay serves a handful
		if bytes.Equal(p.id, id) {
			return p
		}
	}
	return nil
}

// streams checks that each has a programme, and an id, a key and chain values of their lengths.
func (c *checker) streams(bool) error {
	query := "SELECT k, id, programme, access, n, h, h0 FROM stream ORDER BY k"
	if c.Version < 2 {
		query = "SELECT k, id, programme, access, n, h, NULL FROM stream ORDER BY k"
	}
	return c.each(query, nil, func(scan func(...any) error) error {
		s := &checkedStream{ordered: true}
		var id, programme, access []byte
		if err := scan(&s.k, &id, &programme, &access, &s.n, &s.h, &s.h0); err != nil {
			return err
		}
		c.Streams++
		if len(id) != 16 || len(access) != 32 || len(s.h) != 32 || (s.h0 != nil && len(s.h0) != 32) {
			c.wrong("Stream %d: its id, key or chain value has not the length it must have.", s.k)
		}
		if s.h0 == nil {
			c.Startless++
		}
		if s.programme = c.programme(programme); s.programme == nil {
			c.wrong("Stream %d belongs to a programme that is not there.", s.k)
		}
		copy(s.head.H[:], s.h0)
		c.strs = append(c.strs, s)
		return nil
	})
}

// envelopes reads them in the order in which they came, which is the order of the file.
func (c *checker) envelopes(bool) error {
	byRow := map[int64]*checkedStream{}
	for _, s := range c.strs {
		byRow[s.k] = s
	}
	var total sql.NullInt64
	if err := c.tx.QueryRowContext(c.ctx, "SELECT max(k) FROM envelope").Scan(&total); err != nil {
		return err
	}
	return c.each("SELECT stream, n, id, body FROM envelope ORDER BY k", nil, func(scan func(...any) error) error {
		var k, n int64
		var id, body sql.RawBytes
		if err := scan(&k, &n, &id, &body); err != nil {
			return err
		}
		if c.Envelopes++; c.Envelopes%4096 == 0 {
			c.say("checking envelopes", c.Envelopes, total.Int64)
		}
		s := byRow[k]
		if s == nil {
			c.wrong("There is an envelope of stream %d, which is not there.", k)
			return nil
		}
		if s.programme != nil {
			s.programme.holds += int64(len(body))
		}
		switch {
		case len(id) != 32:
			c.wrong("Stream %d, envelope %d: its id has not the length it must have.", k, n)
		case len(body) == 0:
			c.Dropped++
		case seal.WireID(body) != [32]byte(id):
			c.wrong("Stream %d, envelope %d was changed: its bytes do not fit its id.", k, n)
		case len(body) == seal.TombstoneSize:
			c.Dropped++
		}
		// From the first gap on the chain is not followed here: chains reads such a stream anew, and says where it
		// breaks.
		if s.ordered = s.ordered && len(id) == 32 && n == int64(s.head.N)+1; s.ordered {
			s.head = s.head.Link([32]byte(id))
		}
		return nil
	})
}

// chains says what is wrong with streams that did not come out at their head.
func (c *checker) chains(bool) error {
	for _, s := range c.strs {
		known := s.h0 != nil
		// Most streams came out at their head above, and are not read twice.
		if s.ordered && int64(s.head.N) == s.n && (!known || bytes.Equal(s.head.H[:], s.h)) {
			continue
		}
		head, gap := seal.Head{}, false
		copy(head.H[:], s.h0)
		err := c.each("SELECT n, id FROM envelope WHERE stream=? ORDER BY n", []any{s.k},
			func(scan func(...any) error) error {
				var n int64
				var id []byte
				if err := scan(&n, &id); err != nil {
					return err
				}
				if next := int64(head.N) + 1; n > next {
					c.missing(s.k, next, n-1)
					gap, head.N = true, uint64(n-1)
				} else if n < next {
					c.wrong("Stream %d: envelope %d stands at a place that cannot be.", s.k, n)
					gap = true
					return nil
				}
				// An id of another length was told above; padded, it does not end the check.
				head = head.Link([32]byte(append(id, make([]byte, 32)...)[:32]))
				return nil
			})
		if err != nil {
			return err
		}
		switch last := int64(head.N); {
		case last < s.n:
			c.missing(s.k, last+1, s.n)
		case last > s.n:
			c.wrong("Stream %d ends at %d, but there are envelopes up to %d.", s.k, s.n, last)
		case !gap && known && !bytes.Equal(head.H[:], s.h):
			c.wrong("Stream %d: the chain of its %d envelopes does not lead to its head.", s.k, s.n)
		}
	}
	return nil
}

// missing takes down places at which nothing stands.
func (c *checker) missing(stream, from, to int64) {
	if from == to {
		c.wrong("Stream %d: envelope %d is missing.", stream, from)
	} else {
		c.wrong("Stream %d: envelopes %d to %d are missing.", stream, from, to)
	}
}

// blobs checks that each is under the hash of its content.
func (c *checker) blobs(bool) error {
	return c.each("SELECT rowid, id, programme, body FROM blob ORDER BY rowid", nil,
		func(scan func(...any) error) error {
			var row int64
			var id, programme, body sql.RawBytes
			if err := scan(&row, &id, &programme, &body); err != nil {
				return err
			}
			if c.Blobs++; c.Blobs%64 == 0 {
				c.say("checking documents", c.Blobs, 0)
			}
			if want := seal.Hash("blob", body); !bytes.Equal(id, want[:]) {
				c.wrong("Document %d was changed: its bytes do not fit its id.", row)
			}
			if p := c.programme(programme); p == nil {
				c.wrong("Document %d belongs to a programme that is not there.", row)
			} else {
				p.holds += int64(len(body))
			}
			return nil
		})
}

// charges checks that what programmes are charged is what they hold.
func (c *checker) charges(bool) error {
	if c.Version >= 5 {
		return c.shares()
	}
	for _, p := range c.progs {
		if p.used != p.holds {
			c.wrong("Programme %d is charged %d bytes, but holds %d.", p.row, p.used, p.holds)
		}
	}
	return nil
}

// shares compares what each programme is charged for each sort of thing with what it holds of it.
func (c *checker) shares() error {
	// Numbers of sorts are those of relay.Keep: roster is 0 or 1, as Content and Roster are. What is charged and not
	// held must show as well as what is held and not charged, so the sorts of both sides are gone through.
	return c.each(`WITH held (programme, keep, bytes) AS (
			SELECT s.programme, s.roster, sum(length(e.body)) FROM envelope e JOIN stream s ON s.k=e.stream GROUP BY 1, 2
			UNION ALL SELECT programme, 2, sum(length(body)) FROM blob GROUP BY 1
			UNION ALL SELECT programme, keep, sum(length(body)) FROM item GROUP BY 1, 2
			UNION ALL SELECT programme, 10, sum(length(body)) FROM report GROUP BY 1
			UNION ALL SELECT programme, 11, length(body) FROM door),
		sorts AS (SELECT programme, keep FROM held UNION SELECT programme, keep FROM used)
		SELECT coalesce(p.rowid, 0), keep, coalesce(used.bytes, 0), coalesce(held.bytes, 0) FROM sorts
			LEFT JOIN used USING (programme, keep) LEFT JOIN held USING (programme, keep) LEFT JOIN programme p ON p.id=sorts.programme
		WHERE coalesce(used.bytes, 0)<>coalesce(held.bytes, 0)`, nil, func(scan func(...any) error) error {
		var row, keep, used, held int64
		if err := scan(&row, &keep, &used, &held); err != nil {
			return err
		}
		c.wrong("Programme %d is charged %d bytes of sort %d, but holds %d.", row, used, keep, held)
		return nil
	})
}
