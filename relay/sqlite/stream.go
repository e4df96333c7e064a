package sqlite

import (
	"context"
	"crypto/ed25519"
	"database/sql"

	"krama/relay"
	"krama/relay/rules"
	"krama/seal"
)

// querier is what reads a row, within a transaction or outside.
type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// find reads a stream.
// Whether it has a successor is looked up and not kept: creating a stream, or saying a line, changes it for others
// without touching their rows.
func find(ctx context.Context, q querier, id seal.StreamID) (row rules.Row, err error) {
	var programme, h, line []byte
	var n int64
	row.ID = id
	err = q.QueryRowContext(ctx, `SELECT k, programme, access, n, h, closed, roster, line,
		EXISTS (SELECT 1 FROM stream AS later WHERE later.line=stream.line AND later.k>stream.k) FROM stream WHERE id=?`, id[:]).
		Scan(&row.K, &programme, (*[]byte)(&row.Access), &n, &h, &row.Closed, &row.Roster, &line, &row.Succeeded)
	if err != nil {
		return row, missing(err)
	}
	copy(row.Programme[:], programme)
	copy(row.Line[:], line)
	row.Head.N = uint64(n)
	copy(row.Head.H[:], h)
	return row, nil
}

// Stream implements relay.Streams.
func (s *Store) Stream(ctx context.Context, id seal.StreamID) (relay.Stream, error) {
	row, err := find(ctx, s.read, id)
	return row.Stream, err
}

// List implements relay.Streams.
func (s *Store) List(ctx context.Context, id seal.StreamID, after uint64, max int) ([]relay.Entry, error) {
	row, err := find(ctx, s.read, id)
	if err != nil {
		return nil, err
	}
	// Beyond SQLite's numbers nothing can stand; cast, the place would be below zero and all of the stream after it.
	if after > 1<<62 {
		return nil, nil
	}
	rows, err := s.read.QueryContext(ctx, "SELECT n, id, body FROM envelope WHERE stream=? AND n>? ORDER BY n LIMIT ?",
		row.K, int64(after), seal.MaxListed)
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
		// The first is given whatever its size: a caller with little room would never come past it.
		if size > max && len(out) > 0 {
			break
		}
		e.N = uint64(n)
		copy(e.ID[:], eid)
		out = append(out, e)
	}
	return out, failed(rows.Err())
}

// Stream implements rules.Tx, as all below.
func (tx writing) Stream(id seal.StreamID) (rules.Row, error) {
	return find(context.Background(), tx, id)
}

// AddStream keeps the first chain value twice: h moves with the head, h0 stays for Rewind and for Check.
func (tx writing) AddStream(s relay.Stream, line seal.StreamID) error {
	_, err := tx.Exec(
		"INSERT INTO stream (id, programme, access, n, h, h0, line, roster) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		s.ID[:], s.Programme[:], []byte(s.Access), int64(s.Head.N), s.Head.H[:], s.Head.H[:], line[:], s.Roster)
	return err
}

func (tx writing) SetAccess(programme [16]byte, line seal.StreamID, key ed25519.PublicKey) error {
	_, err := tx.Exec("UPDATE stream SET access=? WHERE line=? AND programme=?", []byte(key), line[:], programme[:])
	return err
}

// SetRoster brings circle 0's streams into one line: of those that an earlier version made each was a line of its own,
// and find would see no successor.
func (tx writing) SetRoster(k int64, line seal.StreamID) error {
	_, err := tx.Exec("UPDATE stream SET roster=1, line=? WHERE k=?", line[:], k)
	return err
}

func (tx writing) SetHead(k int64, head seal.Head) error {
	_, err := tx.Exec("UPDATE stream SET n=?, h=? WHERE k=?", int64(head.N), head.H[:], k)
	return err
}

func (tx writing) SetClosed(k int64) error {
	_, err := tx.Exec("UPDATE stream SET closed=1 WHERE k=?", k)
	return err
}

// Start is not known where h0 is NULL: step 2 found envelopes there already.
func (tx writing) Start(k int64) (h [32]byte, known bool, err error) {
	var start []byte
	err = tx.QueryRow("SELECT h0 FROM stream WHERE k=?", k).Scan(&start)
	copy(h[:], start)
	return h, len(start) == 32, err
}

func (tx writing) Has(k int64, id [32]byte) (there bool, err error) {
	err = tx.QueryRow("SELECT EXISTS (SELECT 1 FROM envelope WHERE stream=? AND id=?)", k, id[:]).Scan(&there)
	return there, err
}

// place is a place in a stream as SQLite counts; one that is too great for it is one where nothing stands.
func place(n uint64) int64 { return int64(min(n, 1<<62)) }

func (tx writing) Entry(k int64, n uint64) (relay.Entry, error) {
	e := relay.Entry{N: n}
	var id []byte
	err := tx.QueryRow("SELECT id, body FROM envelope WHERE stream=? AND n=?", k, place(n)).Scan(&id, &e.Body)
	copy(e.ID[:], id)
	return e, missing(err)
}

// AddEntry leaves it to the index to refuse an envelope that is there: asking first would be a statement more for each
// one. A place that is taken is an error and no skip, because then head and rows do not fit each other.
func (tx writing) AddEntry(k int64, e relay.Entry) (added bool, err error) {
	return tx.changes(
		"INSERT INTO envelope (stream, n, id, body) VALUES (?, ?, ?, ?) ON CONFLICT (stream, id) DO NOTHING",
		k, int64(e.N), e.ID[:], e.Body)
}

// SetBody leaves nothing of what was there: the connection overwrites what it deletes.
func (tx writing) SetBody(k int64, n uint64, body []byte) error {
	_, err := tx.Exec("UPDATE envelope SET body=? WHERE stream=? AND n=?", body, k, place(n))
	return err
}

func (tx writing) IDs(k int64, upTo uint64, each func([32]byte) bool) error {
	rows, err := tx.Query("SELECT id FROM envelope WHERE stream=? AND n<=? ORDER BY n", k, place(upTo))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if !each([32]byte(id)) {
			break
		}
	}
	return rows.Err()
}

func (tx writing) Size(k int64, after uint64) (size int64, err error) {
	err = tx.QueryRow("SELECT coalesce(sum(length(body)), 0) FROM envelope WHERE stream=? AND n>?", k,
		place(after)).Scan(&size)
	return size, err
}

// CutAfter forgets ids with their envelopes: what was cut may come again, at another place.
func (tx writing) CutAfter(k int64, n uint64) error {
	_, err := tx.Exec("DELETE FROM envelope WHERE stream=? AND n>?", k, place(n))
	return err
}
