package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"krama"
	"krama/relay"
	"krama/seal"
)

// PutItems implements relay.Boxes.
func (s *Store) PutItems(ctx context.Context, items []relay.Item, expires time.Time, b relay.Bound) error {
	return s.do(ctx, func(tx writing) error {
		for _, it := range items {
			if err := putItem(tx, it, expires, b); err != nil {
				return err
			}
		}
		return nil
	})
}

func putItem(tx writing, it relay.Item, expires time.Time, b relay.Bound) error {
	p, box := it.Box.Programme[:], it.Box.ID[:]
	res, err := tx.Exec(`UPDATE item SET expires=?, owner=CASE WHEN owner=zeroblob(16) THEN ? ELSE owner END
		WHERE programme=? AND keep=? AND box=? AND body=?`, expires.Unix(), it.Owner[:], p, it.Box.Keep, box, it.Body)
	if err != nil {
		return err
	}
	if n, _ := res.RowsAffected(); n > 0 {
		return nil
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM item WHERE programme=? AND keep=? AND box=?", p, it.Box.Keep,
		box).Scan(&n); err != nil {
		return err
	}
	if b.Items > 0 && n >= b.Items {
		return krama.E("sqlite", krama.Full, "box")
	}
	if b.OwnerItems > 0 || b.OwnerBytes > 0 {
		var size int64
		err := tx.QueryRow(
			"SELECT count(*), coalesce(sum(length(body)), 0) FROM item WHERE programme=? AND keep=? AND owner=?",
			p, it.Box.Keep, it.Owner[:]).Scan(&n, &size)
		if err != nil {
			return err
		}
		if b.OwnerItems > 0 && n >= b.OwnerItems || b.OwnerBytes > 0 && size+int64(len(it.Body)) > b.OwnerBytes {
			return krama.E("sqlite", krama.Full, "owner")
		}
	}
	if err := charge(tx, p, it.Box.Keep, int64(len(it.Body)), b.Room); err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO item (programme, keep, box, owner, body, expires) VALUES (?, ?, ?, ?, ?, ?)",
		p, it.Box.Keep, box, it.Owner[:], it.Body, expires.Unix())
	return err
}

// SetItems implements relay.Boxes.
func (s *Store) SetItems(ctx context.Context, b relay.Box, bodies [][]byte, expires time.Time, room int64) error {
	return s.do(ctx, func(tx writing) error {
		var size int64
		err := tx.QueryRow("SELECT coalesce(sum(length(body)), 0) FROM item WHERE programme=? AND keep=? AND box=?",
			b.Programme[:], b.Keep, b.ID[:]).Scan(&size)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM item WHERE programme=? AND keep=? AND box=?", b.Programme[:], b.Keep,
			b.ID[:]); err != nil {
			return err
		}
		if err := charge(tx, b.Programme[:], b.Keep, -size, 0); err != nil {
			return err
		}
		for _, body := range bodies {
			if err := putItem(tx, relay.Item{Box: b, Body: body}, expires, relay.Bound{Room: room}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Items implements relay.Boxes. What an earlier version kept for nobody in particular is read too.
func (s *Store) Items(ctx context.Context, b relay.Box, owner [16]byte, now time.Time, after uint64,
	max int) ([]seal.Held, error) {
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

// Sweep implements relay.Boxes.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	return s.do(ctx, func(tx writing) error {
		if err := forget(tx, "report", sortOfReports, "day<?", int64(krama.DayOf(now)-relay.ReportKeep)); err != nil {
			return err
		}
		return forget(tx, "item", "keep", "expires<=?", now.Unix())
	})
}

// forget deletes rows that something holds of, and gives their room back. keep is the sort or the column that has it.
func forget(tx writing, table, keep, where string, args ...any) error {
	rows, err := tx.Query("SELECT programme, "+keep+", sum(length(body)) FROM "+table+" WHERE "+where+" GROUP BY 1, 2",
		args...)
	if err != nil {
		return err
	}
	type freed struct {
		programme []byte
		keep      relay.Keep
		size      int64
	}
	var list []freed
	for rows.Next() {
		var f freed
		if err := rows.Scan(&f.programme, &f.keep, &f.size); err != nil {
			rows.Close()
			return err
		}
		list = append(list, f)
	}
	if err := errors.Join(rows.Close(), rows.Err()); err != nil {
		return err
	}
	for _, f := range list {
		if err := charge(tx, f.programme, f.keep, -f.size, 0); err != nil {
			return err
		}
	}
	_, err = tx.Exec("DELETE FROM "+table+" WHERE "+where, args...)
	return err
}

// PutBlob implements relay.Blobs.
func (s *Store) PutBlob(ctx context.Context, programme [16]byte, id [32]byte, body []byte, room int64) error {
	return s.do(ctx, func(tx writing) error {
		res, err := tx.Exec("INSERT OR IGNORE INTO blob (id, programme, body) VALUES (?, ?, ?)", id[:],
			programme[:], body)
		if err != nil {
			return err
		}
		if n, _ := res.RowsAffected(); n == 0 {
			return nil
		}
		return charge(tx, programme[:], relay.Pages, int64(len(body)), room)
	})
}

// Blob implements relay.Blobs.
func (s *Store) Blob(ctx context.Context, programme [16]byte, id [32]byte) ([]byte, error) {
	var b []byte
	err := s.read.QueryRowContext(ctx, "SELECT body FROM blob WHERE id=? AND programme=?", id[:], programme[:]).Scan(&b)
	return b, missing(err)
}

// DropBlobs implements relay.Blobs.
func (s *Store) DropBlobs(ctx context.Context, programme [16]byte, ids [][32]byte) error {
	return s.do(ctx, func(tx writing) error {
		for _, id := range ids {
			var n int64
			err := tx.QueryRow("DELETE FROM blob WHERE id=? AND programme=? RETURNING length(body)", id[:],
				programme[:]).Scan(&n)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err == nil {
				err = charge(tx, programme[:], relay.Pages, -n, 0)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// sortOfReports is relay.Inbox as SQL has it.
const sortOfReports = "10"
