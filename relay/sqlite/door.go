package sqlite

import (
	"context"
	"crypto/sha256"

	"krama"
	"krama/relay"
)

// SetDoor implements relay.Doors.
func (s *Store) SetDoor(ctx context.Context, programme [16]byte, door []byte, intakes [][16]byte) error {
	if door == nil {
		door = []byte{}
	}
	return s.do(ctx, func(tx writing) error {
		var size int64
		if err := tx.QueryRow("SELECT coalesce(sum(length(body)), 0) FROM door WHERE programme=?",
			programme[:]).Scan(&size); err != nil {
			return err
		}
		if err := charge(tx, programme[:], relay.Published, int64(len(door))-size, 1<<62); err != nil {
			return err
		}
		if _, err := tx.Exec(
			"INSERT INTO door (programme, body) VALUES (?, ?) ON CONFLICT (programme) DO UPDATE SET body=excluded.body",
			programme[:], door); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM intake WHERE programme=?", programme[:]); err != nil {
			return err
		}
		for _, id := range intakes {
			var other bool
			if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM intake WHERE id=? AND programme<>?)", id[:],
				programme[:]).Scan(&other); err != nil {
				return err
			}
			if other {
				return krama.E("sqlite", krama.Conflict, "intake")
			}
			if _, err := tx.Exec("INSERT OR IGNORE INTO intake (id, programme) VALUES (?, ?)", id[:],
				programme[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Door implements relay.Doors.
func (s *Store) Door(ctx context.Context, programme [16]byte) ([]byte, error) {
	var b []byte
	err := s.read.QueryRowContext(ctx, "SELECT body FROM door WHERE programme=?1 OR ?1=zeroblob(16) ORDER BY k LIMIT 1",
		programme[:]).Scan(&b)
	return b, missing(err)
}

// Intake implements relay.Doors.
func (s *Store) Intake(ctx context.Context, id [16]byte) (programme [16]byte, err error) {
	var p []byte
	err = s.read.QueryRowContext(ctx, "SELECT programme FROM intake WHERE id=?", id[:]).Scan(&p)
	copy(programme[:], p)
	return programme, missing(err)
}

// PutReport implements relay.Reports.
func (s *Store) PutReport(ctx context.Context, intake [16]byte, day krama.Day, body []byte, limit int,
	room int64) error {
	id := sha256.Sum256(body)
	return s.do(ctx, func(tx writing) error {
		var programme []byte
		var n int
		err := tx.QueryRow(
			"SELECT programme, (SELECT count(*) FROM report WHERE intake=?1 AND id<>?2) FROM intake WHERE id=?1",
			intake[:], id[:]).
			Scan(&programme, &n)
		if err != nil {
			return missing(err)
		}
		if n >= limit {
			return krama.E("sqlite", krama.Full, "intake")
		}
		res, err := tx.Exec("INSERT OR IGNORE INTO report (programme, intake, day, id, body) VALUES (?, ?, ?, ?, ?)",
			programme, intake[:], int64(day), id[:], body)
		if err != nil {
			return err
		}
		if n, _ := res.RowsAffected(); n == 0 {
			return nil
		}
		return charge(tx, programme, relay.Inbox, int64(len(body)), room)
	})
}

// Reports implements relay.Reports.
func (s *Store) Reports(ctx context.Context, intake [16]byte, after int64, max int) (out []relay.Report, waiting int,
	err error) {
	if err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM report WHERE intake=? AND k>?", intake[:],
		after).Scan(&waiting); err != nil {
		return nil, 0, failed(err)
	}
	rows, err := s.read.QueryContext(ctx, "SELECT k, day, body FROM report WHERE intake=? AND k>? ORDER BY k",
		intake[:], after)
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
	return s.do(ctx, func(tx writing) error {
		for _, sum := range sums {
			if err := forget(tx, "report", sortOfReports, "intake=? AND id=?", intake[:], sum[:]); err != nil {
				return err
			}
		}
		return forget(tx, "report", sortOfReports, "intake=? AND k<=?", intake[:], upTo)
	})
}
