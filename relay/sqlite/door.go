package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"

	"krama"
	"krama/relay"
)

// SetDoor implements relay.Doors.
func (s *Store) SetDoor(ctx context.Context, programme [16]byte, door []byte, intakes [][16]byte) error {
	if door == nil {
		door = []byte{}
	}
	return s.do(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO door (programme, body) VALUES (?, ?) ON CONFLICT (programme) DO UPDATE SET body=excluded.body", programme[:], door); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM intake WHERE programme=?", programme[:]); err != nil {
			return err
		}
		for _, id := range intakes {
			var other bool
			if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM intake WHERE id=? AND programme<>?)", id[:], programme[:]).Scan(&other); err != nil {
				return err
			}
			if other {
				return krama.E("sqlite", krama.Conflict, "intake")
			}
			if _, err := tx.Exec("INSERT OR IGNORE INTO intake (id, programme) VALUES (?, ?)", id[:], programme[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Door implements relay.Doors.
func (s *Store) Door(ctx context.Context, programme [16]byte) ([]byte, error) {
	var b []byte
	err := s.read.QueryRowContext(ctx, "SELECT body FROM door WHERE programme=?1 OR ?1=zeroblob(16) ORDER BY k LIMIT 1", programme[:]).Scan(&b)
	return b, missing(err)
}

// PutReport implements relay.Reports.
func (s *Store) PutReport(ctx context.Context, intake [16]byte, day krama.Day, body []byte, limit int) error {
	id := sha256.Sum256(body)
	return s.do(ctx, func(tx *sql.Tx) error {
		var known bool
		var n int
		if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM intake WHERE id=?1), (SELECT count(*) FROM report WHERE intake=?1 AND id<>?2)", intake[:], id[:]).Scan(&known, &n); err != nil {
			return err
		}
		if !known {
			return krama.E("sqlite", krama.NotFound, "intake")
		}
		if n >= limit {
			return krama.E("sqlite", krama.Full, "intake")
		}
		_, err := tx.Exec("INSERT OR IGNORE INTO report (intake, day, id, body) VALUES (?, ?, ?, ?)", intake[:], int64(day), id[:], body)
		return err
	})
}

// Reports implements relay.Reports.
func (s *Store) Reports(ctx context.Context, intake [16]byte, after int64, max int) (out []relay.Report, waiting int, err error) {
	if err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM report WHERE intake=? AND k>?", intake[:], after).Scan(&waiting); err != nil {
		return nil, 0, failed(err)
	}
	rows, err := s.read.QueryContext(ctx, "SELECT k, day, body FROM report WHERE intake=? AND k>? ORDER BY k", intake[:], after)
	if err != nil {
		return nil, 0, failed(err)
	}
	defer rows.Close()
	size := 0
	for rows.Next() {
		var r relay.Report
		if err := rows.Scan(&r.K, &r.Day, &r.Body); err != nil {
			return nil, 0, failed(err)
		}
		if size += len(r.Body); size > max && len(out) > 0 {
			break
		}
		out = append(out, r)
	}
	return out, waiting, failed(rows.Err())
}

// DropReports implements relay.Reports.
func (s *Store) DropReports(ctx context.Context, intake [16]byte, upTo int64, sums [][32]byte) error {
	return s.do(ctx, func(tx *sql.Tx) error {
		for _, sum := range sums {
			if _, err := tx.Exec("DELETE FROM report WHERE intake=? AND id=?", intake[:], sum[:]); err != nil {
				return err
			}
		}
		_, err := tx.Exec("DELETE FROM report WHERE intake=? AND k<=?", intake[:], upTo)
		return err
	})
}
