package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"krama/relay"
	"krama/relay/rules"
	"krama/seal"
)

// Items implements relay.Boxes. What an earlier version kept for nobody in particular is read too.
func (s *Store) Items(ctx context.Context, b relay.Box, owner [16]byte, now time.Time, after uint64,
	max int) ([]seal.Held, error) {
	// Whether an owner is asked for is a value and not another text: statements are compiled once by their text
	// (prepared.go). HeldMax is how many items one answer can carry.
	rows, err := s.read.QueryContext(ctx, `SELECT k, body FROM item WHERE programme IN (?1, zeroblob(16)) AND keep=?2 AND box=?3
		AND (?4=zeroblob(16) OR owner=?4) AND expires>?5 AND k>?6 ORDER BY k LIMIT ?7`,
		b.Programme[:], b.Keep, b.ID[:], owner[:], now.Unix(), int64(min(after, 1<<62)), seal.HeldMax)
	if err != nil {
		return nil, failed(err)
	}
	defer rows.Close()
	var out []seal.Held
	size := 0
	for rows.Next() {
		var h seal.Held
		var k int64
		if err := rows.Scan(&k, &h.Body); err != nil {
			return nil, failed(err)
		}
		// The first is given whatever its size: a caller with little room would ask for it for ever.
		if size += len(h.Body); size > max && len(out) > 0 {
			break
		}
		h.K = uint64(k)
		out = append(out, h)
	}
	return out, failed(rows.Err())
}

// Holders implements relay.Boxes.
func (s *Store) Holders(ctx context.Context, k relay.Keep, id [16]byte) (out [][16]byte, err error) {
	// Programme by programme, of which there are few: the index begins with the programme, so each is one look into it.
	// A search for the box alone would read all items.
	rows, err := s.read.QueryContext(ctx, `SELECT p.id FROM (SELECT id FROM programme UNION SELECT zeroblob(16)) AS p
		WHERE EXISTS (SELECT 1 FROM item WHERE programme=p.id AND keep=? AND box=?)`, k, id[:])
	if err != nil {
		return nil, failed(err)
	}
	defer rows.Close()
	for rows.Next() {
		var p []byte
		if err := rows.Scan(&p); err != nil {
			return nil, failed(err)
		}
		out = append(out, [16]byte(p))
	}
	return out, failed(rows.Err())
}

// forget deletes rows that something holds of, and tells whose room is free. keep is the sort or the column that has
// it.
// table, keep and where are this program's own words; what a caller sent comes in args alone.
func (tx writing) forget(table, keep, where string, args ...any) (out []rules.Freed, err error) {
	// The sums before the rows go: afterwards nobody could say whose room is free.
	rows, err := tx.Query("SELECT programme, "+keep+", sum(length(body)) FROM "+table+" WHERE "+where+" GROUP BY 1, 2",
		args...)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var programme []byte
		var f rules.Freed
		if err := rows.Scan(&programme, &f.Keep, &f.Bytes); err != nil {
			rows.Close()
			return nil, err
		}
		copy(f.Programme[:], programme)
		out = append(out, f)
	}
	if err := errors.Join(rows.Close(), rows.Err()); err != nil {
		return nil, err
	}
	_, err = tx.Exec("DELETE FROM "+table+" WHERE "+where, args...)
	return out, err
}

// changes runs a statement and reports whether it changed anything.
func (tx writing) changes(text string, args ...any) (bool, error) {
	res, err := tx.Exec(text, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// Renew gives an owner to what an earlier version kept without one: a device that leaves the same again reads it as its
// own from then on.
func (tx writing) Renew(it relay.Item, expires time.Time) (there bool, err error) {
	return tx.changes(`UPDATE item SET expires=?, owner=CASE WHEN owner=zeroblob(16) THEN ? ELSE owner END
		WHERE programme=? AND keep=? AND box=? AND body=?`, expires.Unix(), it.Owner[:], it.Box.Programme[:], it.Box.Keep,
		it.Box.ID[:], it.Body)
}

func (tx writing) AddItem(it relay.Item, expires time.Time) error {
	_, err := tx.Exec("INSERT INTO item (programme, keep, box, owner, body, expires) VALUES (?, ?, ?, ?, ?, ?)",
		it.Box.Programme[:], it.Box.Keep, it.Box.ID[:], it.Owner[:], it.Body, expires.Unix())
	return err
}

func (tx writing) InBox(b relay.Box) (items int, bytes int64, err error) {
	err = tx.QueryRow(
		"SELECT count(*), coalesce(sum(length(body)), 0) FROM item WHERE programme=? AND keep=? AND box=?",
		b.Programme[:], b.Keep, b.ID[:]).Scan(&items, &bytes)
	return items, bytes, err
}

func (tx writing) Owned(programme [16]byte, k relay.Keep, owner [16]byte) (items int, bytes int64, err error) {
	err = tx.QueryRow(
		"SELECT count(*), coalesce(sum(length(body)), 0) FROM item WHERE programme=? AND keep=? AND owner=?",
		programme[:], k, owner[:]).Scan(&items, &bytes)
	return items, bytes, err
}

func (tx writing) Empty(b relay.Box) error {
	_, err := tx.Exec("DELETE FROM item WHERE programme=? AND keep=? AND box=?", b.Programme[:], b.Keep, b.ID[:])
	return err
}

func (tx writing) DropItems(now time.Time) ([]rules.Freed, error) {
	return tx.forget("item", "keep", "expires<=?", now.Unix())
}

// AddBlob leaves what is there as it is: an id is the hash of the bytes, so they are the same.
func (tx writing) AddBlob(programme [16]byte, id [32]byte, body []byte) (added bool, err error) {
	return tx.changes("INSERT OR IGNORE INTO blob (id, programme, body) VALUES (?, ?, ?)", id[:], programme[:], body)
}

func (tx writing) DropBlob(programme [16]byte, id [32]byte) (size int64, err error) {
	err = tx.QueryRow("DELETE FROM blob WHERE id=? AND programme=? RETURNING length(body)", id[:],
		programme[:]).Scan(&size)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return size, err
}

// Blob implements relay.Blobs.
func (s *Store) Blob(ctx context.Context, programme [16]byte, id [32]byte) ([]byte, error) {
	var b []byte
	err := s.read.QueryRowContext(ctx, "SELECT body FROM blob WHERE id=? AND programme=?", id[:], programme[:]).Scan(&b)
	return b, missing(err)
}

// sortOfReports is relay.Inbox as SQL has it.
const sortOfReports = "10"
