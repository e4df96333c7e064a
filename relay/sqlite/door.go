package sqlite

import (
	"context"

	"krama"
	"krama/relay"
	"krama/relay/rules"
)

// Door implements relay.Doors.
func (s *Store) Door(ctx context.Context, programme [16]byte) ([]byte, error) {
	var b []byte
	// A programme's row keeps its k when its door is replaced, so the first to publish stays the relay's own.
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

// Reports implements relay.Reports.
func (s *Store) Reports(ctx context.Context, intake [16]byte, after int64, max int) (out []relay.Report, waiting int,
	err error) {
	// Two reads, and a report may come between them: more are given then than were counted, and the desk takes what is
	// left for zero.
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

// SetDoor implements rules.Tx, as all below.
func (tx writing) SetDoor(programme [16]byte, body []byte) (before int64, err error) {
	// A nil slice would be NULL, which the column refuses; an empty door is a door.
	if body == nil {
		body = []byte{}
	}
	// Asked before, because the statement that replaces it does not tell what was there.
	if err := tx.QueryRow("SELECT coalesce(sum(length(body)), 0) FROM door WHERE programme=?",
		programme[:]).Scan(&before); err != nil {
		return 0, err
	}
	_, err = tx.Exec(
		"INSERT INTO door (programme, body) VALUES (?, ?) ON CONFLICT (programme) DO UPDATE SET body=excluded.body",
		programme[:], body)
	return before, err
}

func (tx writing) Intake(id [16]byte) (programme [16]byte, err error) {
	var p []byte
	err = tx.QueryRow("SELECT programme FROM intake WHERE id=?", id[:]).Scan(&p)
	copy(programme[:], p)
	return programme, missing(err)
}

// SetIntakes forgets the programme's others: one that is not named any more takes no reports. An id that is named twice
// is one intake.
func (tx writing) SetIntakes(programme [16]byte, ids [][16]byte) error {
	if _, err := tx.Exec("DELETE FROM intake WHERE programme=?", programme[:]); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := tx.Exec("INSERT OR IGNORE INTO intake (id, programme) VALUES (?, ?)", id[:],
			programme[:]); err != nil {
			return err
		}
	}
	return nil
}

func (tx writing) Reports(intake [16]byte, but [32]byte) (n int, err error) {
	err = tx.QueryRow("SELECT count(*) FROM report WHERE intake=? AND id<>?", intake[:], but[:]).Scan(&n)
	return n, err
}

// AddReport keeps the same bytes once, in the intake to which they came first: their sum is unique in the table.
func (tx writing) AddReport(programme, intake [16]byte, day krama.Day, sum [32]byte, body []byte) (bool, error) {
	return tx.changes("INSERT OR IGNORE INTO report (programme, intake, day, id, body) VALUES (?, ?, ?, ?, ?)",
		programme[:], intake[:], int64(day), sum[:], body)
}

func (tx writing) DropReports(w rules.Which) ([]rules.Freed, error) {
	switch {
	case w.Intake == nil:
		return tx.forget("report", sortOfReports, "day<?", int64(w.Before))
	case w.Sum != nil:
		return tx.forget("report", sortOfReports, "intake=? AND id=?", w.Intake[:], w.Sum[:])
	}
	return tx.forget("report", sortOfReports, "intake=? AND k<=?", w.Intake[:], w.UpTo)
}
