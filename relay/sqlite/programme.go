package sqlite

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"

	"krama"
	"krama/relay"
)

// charge adds to what a programme keeps of a sort. More than room is Full; what shrinks always may.
func charge(tx writing, programme []byte, k relay.Keep, bytes, room int64) error {
	var used int64
	err := tx.QueryRow(`INSERT INTO used (programme, keep, bytes) VALUES (?, ?, ?)
		ON CONFLICT (programme, keep) DO UPDATE SET bytes=max(0, bytes+excluded.bytes) RETURNING bytes`, programme, k, bytes).Scan(&used)
	if err == nil && bytes > 0 && used > room {
		return krama.E("sqlite", krama.Full, "quota")
	}
	return err
}

// Used implements relay.Store.
func (s *Store) Used(ctx context.Context, programme [16]byte, k relay.Keep) (n int64, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT bytes FROM used WHERE programme=? AND keep=?", programme[:], k).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, failed(err)
}

// name is how a short name is written; a programme without one has NULL.
func name(site [16]byte) []byte {
	if site == ([16]byte{}) {
		return nil
	}
	return site[:]
}

// AddProgramme implements relay.Programmes.
func (s *Store) AddProgramme(ctx context.Context, p relay.Programme) error {
	return s.do(ctx, func(tx writing) error {
		var same, taken bool
		err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM programme WHERE site=? AND id<>?)", name(p.Site),
			p.ID[:]).Scan(&taken)
		if err != nil {
			return err
		}
		err = tx.QueryRow("SELECT control=? AND site IS ? FROM programme WHERE id=?", []byte(p.Control), name(p.Site),
			p.ID[:]).Scan(&same)
		if err == nil && !same || taken {
			return krama.E("sqlite", krama.Conflict, "programme")
		}
		if errors.Is(err, sql.ErrNoRows) {
			_, err = tx.Exec("INSERT INTO programme (id, control, site) VALUES (?, ?, ?)", p.ID[:], []byte(p.Control),
				name(p.Site))
		}
		return err
	})
}

func scanProgramme(row *sql.Row) (p relay.Programme, err error) {
	var id, site []byte
	err = row.Scan(&id, (*[]byte)(&p.Control), &site)
	copy(p.ID[:], id)
	copy(p.Site[:], site)
	return p, missing(err)
}

// Programme implements relay.Programmes.
func (s *Store) Programme(ctx context.Context, id [16]byte) (relay.Programme, error) {
	return scanProgramme(s.read.QueryRowContext(ctx, "SELECT id, control, site FROM programme WHERE id=?", id[:]))
}

// Named implements relay.Programmes.
func (s *Store) Named(ctx context.Context, site [16]byte) (relay.Programme, error) {
	return scanProgramme(s.read.QueryRowContext(ctx, "SELECT id, control, site FROM programme WHERE site=?",
		name(site)))
}

// Unnamed implements relay.Programmes.
func (s *Store) Unnamed(ctx context.Context) (relay.Programme, error) {
	return scanProgramme(s.read.QueryRowContext(ctx, `SELECT id, control, site FROM programme
		WHERE site IS NULL AND (SELECT count(*) FROM programme WHERE site IS NULL)=1`))
}

// SetControl implements relay.Programmes.
func (s *Store) SetControl(ctx context.Context, id [16]byte, control ed25519.PublicKey) error {
	return s.do(ctx, func(tx writing) error {
		res, err := tx.Exec("UPDATE programme SET control=? WHERE id=?", []byte(control), id[:])
		if err != nil {
			return err
		}
		if n, _ := res.RowsAffected(); n == 0 {
			return krama.E("sqlite", krama.NotFound, "programme")
		}
		return nil
	})
}

// AddMembers implements relay.Programmes.
func (s *Store) AddMembers(ctx context.Context, id, site [16]byte, list []relay.Member) error {
	return s.do(ctx, func(tx writing) error {
		var known, fits bool
		err := tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM programme WHERE id=?1),
			NOT EXISTS (SELECT 1 FROM programme WHERE id<>?1 AND site=?2 OR id=?1 AND site IS NOT NULL AND site<>?2)`, id[:], site[:]).Scan(&known, &fits)
		switch {
		case err != nil:
			return err
		case !known:
			return krama.E("sqlite", krama.NotFound, "programme")
		case !fits:
			return krama.E("sqlite", krama.Conflict, "name")
		}
		if _, err := tx.Exec("UPDATE programme SET site=? WHERE id=?", site[:], id[:]); err != nil {
			return err
		}
		for _, m := range list {
			if _, err := tx.Exec("INSERT OR IGNORE INTO member (programme, id, key) VALUES (?, ?, ?)", id[:], m.ID[:],
				[]byte(m.Key)); err != nil {
				return err
			}
		}
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM member WHERE programme=?", id[:]).Scan(&n); err != nil {
			return err
		}
		if n > relay.MaxMembers {
			return krama.E("sqlite", krama.Full, "members")
		}
		return nil
	})
}

// Member implements relay.Programmes.
func (s *Store) Member(ctx context.Context, id [16]byte, device krama.DeviceID) (relay.Member, error) {
	m := relay.Member{ID: device}
	err := s.read.QueryRowContext(ctx, "SELECT key FROM member WHERE programme=? AND id=?", id[:],
		device[:]).Scan((*[]byte)(&m.Key))
	return m, missing(err)
}
