package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"krama"
	"krama/relay"
	"krama/seal"
)

// CreateStream implements relay.Streams.
func (s *Store) CreateStream(ctx context.Context, st relay.Stream, before *seal.StreamID) error {
	return s.do(ctx, func(tx writing) error {
		line := st.ID[:]
		if before != nil {
			err := tx.QueryRow("SELECT line FROM stream WHERE id=? AND programme=?", before[:],
				st.Programme[:]).Scan(&line)
			if err != nil {
				return missing(err)
			}
		}
		var same bool
		err := tx.QueryRow("SELECT n=? AND h=? AND access=? AND programme=? FROM stream WHERE id=?",
			int64(st.Head.N), st.Head.H[:], []byte(st.Access), st.Programme[:], st.ID[:]).Scan(&same)
		if err == nil && !same {
			return krama.E("sqlite", krama.Conflict, "stream")
		}
		if errors.Is(err, sql.ErrNoRows) {
			_, err = tx.Exec(
				"INSERT INTO stream (id, programme, access, n, h, h0, line, roster) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
				st.ID[:], st.Programme[:], []byte(st.Access), int64(st.Head.N), st.Head.H[:], st.Head.H[:],
				line, st.Roster)
			if err == nil && before != nil && !st.Roster {
				_, err = tx.Exec("UPDATE stream SET access=? WHERE line=? AND programme=?", []byte(st.Access), line,
					st.Programme[:])
			}
		}
		return err
	})
}

// Line implements relay.Streams.
func (s *Store) Line(ctx context.Context, programme [16]byte, ids []seal.StreamID) error {
	return s.do(ctx, func(tx writing) error {
		for _, id := range ids {
			var k int64
			var roster bool
			err := tx.QueryRow("SELECT k, roster FROM stream WHERE id=? AND programme=?", id[:],
				programme[:]).Scan(&k, &roster)
			if err != nil {
				return missing(err)
			}
			if _, err := tx.Exec("UPDATE stream SET roster=1, line=? WHERE k=?", ids[0][:], k); err != nil {
				return err
			}
			if roster {
				continue
			}
			var size int64
			if err := tx.QueryRow("SELECT coalesce(sum(length(body)), 0) FROM envelope WHERE stream=?",
				k).Scan(&size); err != nil {
				return err
			}
			if err := charge(tx, programme[:], relay.Content, -size, 0); err != nil {
				return err
			}
			if err := charge(tx, programme[:], relay.Roster, size, 1<<62); err != nil {
				return err
			}
		}
		return nil
	})
}

type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

func find(ctx context.Context, q querier, id seal.StreamID) (k int64, st relay.Stream, err error) {
	var programme, h []byte
	var n int64
	st.ID = id
	err = q.QueryRowContext(ctx, `SELECT k, programme, access, n, h, closed, roster,
		EXISTS (SELECT 1 FROM stream AS later WHERE later.line=stream.line AND later.k>stream.k) FROM stream WHERE id=?`, id[:]).
		Scan(&k, &programme, (*[]byte)(&st.Access), &n, &h, &st.Closed, &st.Roster, &st.Succeeded)
	if err != nil {
		return 0, st, missing(err)
	}
	copy(st.Programme[:], programme)
	st.Head.N = uint64(n)
	copy(st.Head.H[:], h)
	return k, st, nil
}

// Stream implements relay.Streams.
func (s *Store) Stream(ctx context.Context, id seal.StreamID) (relay.Stream, error) {
	_, st, err := find(ctx, s.read, id)
	return st, err
}

// Append implements relay.Streams.
func (s *Store) Append(ctx context.Context, id seal.StreamID, ifHead *uint64, envelopes [][]byte,
	room int64) (head seal.Head, err error) {
	ids := make([][32]byte, len(envelopes))
	for i, e := range envelopes {
		ids[i] = seal.EnvelopeID(e)
	}
	err = s.do(ctx, func(tx writing) error {
		k, st, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		head = st.Head
		size := int64(0)
		open := !st.Closed && (ifHead == nil || *ifHead == st.Head.N)
		for i, e := range envelopes {
			if !open { // what is there already is no conflict: the caller did not hear the answer
				var there bool
				err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM envelope WHERE stream=? AND id=?)", k,
					ids[i][:]).Scan(&there)
				if err == nil && !there {
					err = krama.E("sqlite", krama.Conflict, "head")
				}
				if err != nil {
					return err
				}
				continue
			}
			next := head.Link(ids[i])
			res, err := tx.Exec(
				"INSERT INTO envelope (stream, n, id, body) VALUES (?, ?, ?, ?) ON CONFLICT (stream, id) DO NOTHING",
				k, int64(next.N), ids[i][:], e)
			if err != nil {
				return err
			}
			if n, _ := res.RowsAffected(); n > 0 {
				head, size = next, size+int64(len(e))
			}
		}
		if size == 0 {
			return nil
		}
		if err := charge(tx, st.Programme[:], st.Keep(), size, room); err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE stream SET n=?, h=? WHERE k=?", int64(head.N), head.H[:], k)
		return err
	})
	return head, err
}

// PutTombstones implements relay.Streams. The connection overwrites what it deletes.
func (s *Store) PutTombstones(ctx context.Context, puts []relay.Tombstone) error {
	return s.do(ctx, func(tx writing) error {
		for _, p := range puts {
			k, st, err := find(ctx, tx, p.Stream)
			if err != nil {
				return err
			}
			id := seal.WireID(p.Body)
			var size int64
			err = tx.QueryRow("SELECT length(body) FROM envelope WHERE stream=? AND n=? AND id=?",
				k, int64(min(p.N, 1<<62)), id[:]).Scan(&size)
			switch {
			case err == nil && st.Closed:
				_, err = tx.Exec("UPDATE envelope SET body=? WHERE stream=? AND n=?", p.Body, k, int64(p.N))
			case err == sql.ErrNoRows && p.N == st.Head.N+1 && !st.Closed:
				var there bool
				if err = tx.QueryRow("SELECT EXISTS (SELECT 1 FROM envelope WHERE stream=? AND id=?)", k,
					id[:]).Scan(&there); err != nil {
					return err
				}
				if there || !st.Succeeded {
					return krama.E("sqlite", krama.Conflict, "tombstone")
				}
				head := st.Head.Link(id)
				if _, err = tx.Exec("INSERT INTO envelope (stream, n, id, body) VALUES (?, ?, ?, ?)", k, int64(p.N),
					id[:], p.Body); err == nil {
					_, err = tx.Exec("UPDATE stream SET n=?, h=? WHERE k=?", int64(head.N), head.H[:], k)
				}
			case err == nil, err == sql.ErrNoRows:
				return krama.E("sqlite", krama.Conflict, "tombstone")
			}
			if err != nil {
				return err
			}
			if err := charge(tx, st.Programme[:], st.Keep(), int64(len(p.Body))-size, 1<<62); err != nil {
				return err
			}
		}
		return nil
	})
}

// List implements relay.Streams.
func (s *Store) List(ctx context.Context, id seal.StreamID, after uint64, max int) ([]relay.Entry, error) {
	k, _, err := find(ctx, s.read, id)
	if err != nil {
		return nil, err
	}
	if after > 1<<62 {
		return nil, nil
	}
	rows, err := s.read.QueryContext(ctx, "SELECT n, id, body FROM envelope WHERE stream=? AND n>? ORDER BY n LIMIT ?",
		k, int64(after), seal.MaxListed)
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
		if size > max && len(out) > 0 {
			break
		}
		e.N = uint64(n)
		copy(e.ID[:], eid)
		out = append(out, e)
	}
	return out, failed(rows.Err())
}

// Rewind implements relay.Streams. A stream of the first version, whose start is not known, is not rewound.
func (s *Store) Rewind(ctx context.Context, id seal.StreamID, head seal.Head) error {
	return s.do(ctx, func(tx writing) error {
		k, st, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		var start []byte
		if err := tx.QueryRow("SELECT h0 FROM stream WHERE k=?", k).Scan(&start); err != nil {
			return err
		}
		if len(start) != 32 || st.Closed {
			return krama.E("sqlite", krama.Conflict, "head")
		}
		h := seal.Head{H: [32]byte(start)}
		rows, err := tx.Query("SELECT id FROM envelope WHERE stream=? AND n<=? ORDER BY n", k,
			int64(min(head.N, 1<<62)))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var eid []byte
			if err := rows.Scan(&eid); err != nil {
				return err
			}
			h = h.Link([32]byte(eid))
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if h != head {
			return krama.E("sqlite", krama.Conflict, "head")
		}
		var size int64
		if err := tx.QueryRow("SELECT coalesce(sum(length(body)), 0) FROM envelope WHERE stream=? AND n>?", k,
			int64(head.N)).Scan(&size); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM envelope WHERE stream=? AND n>?", k, int64(head.N)); err != nil {
			return err
		}
		if err := charge(tx, st.Programme[:], st.Keep(), -size, 0); err != nil {
			return err
		}
		_, err = tx.Exec("UPDATE stream SET n=?, h=? WHERE k=?", int64(head.N), head.H[:], k)
		return err
	})
}

// CloseStream implements relay.Streams.
func (s *Store) CloseStream(ctx context.Context, id seal.StreamID, head seal.Head) error {
	return s.do(ctx, func(tx writing) error {
		k, st, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		if st.Head != head {
			return krama.E("sqlite", krama.Conflict, "head")
		}
		_, err = tx.Exec("UPDATE stream SET closed=1 WHERE k=?", k)
		return err
	})
}
