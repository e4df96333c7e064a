package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"krama"
	"krama/relay"
)

// Charge implements rules.Tx.
func (tx writing) Charge(programme [16]byte, k relay.Keep, bytes int64) (used int64, err error) {
	// The first thing of a sort makes the row. ?3 is the third value once more: what is added.
	err = tx.QueryRow(`INSERT INTO used (programme, keep, bytes) VALUES (?, ?, max(0, ?))
		ON CONFLICT (programme, keep) DO UPDATE SET bytes=max(0, bytes+?3) RETURNING bytes`, programme[:], k, bytes).Scan(&used)
	return used, err
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
// The column is unique, and to SQLite no NULL is like another: any number of programmes may have no name.
func name(site [16]byte) []byte {
	if site == ([16]byte{}) {
		return nil
	}
	return site[:]
}

const (
	programmeByID   = "SELECT id, control, site FROM programme WHERE id=?"
	programmeByName = "SELECT id, control, site FROM programme WHERE site=?"
)

// scanProgramme reads one row.
func scanProgramme(row *sql.Row) (p relay.Programme, err error) {
	var id, site []byte
	err = row.Scan(&id, (*[]byte)(&p.Control), &site)
	copy(p.ID[:], id)
	copy(p.Site[:], site)
	return p, missing(err)
}

// Programme implements relay.Programmes.
func (s *Store) Programme(ctx context.Context, id [16]byte) (relay.Programme, error) {
	return scanProgramme(s.read.QueryRowContext(ctx, programmeByID, id[:]))
}

// Named implements relay.Programmes.
func (s *Store) Named(ctx context.Context, site [16]byte) (relay.Programme, error) {
	return scanProgramme(s.read.QueryRowContext(ctx, programmeByName,
		name(site)))
}

// Unnamed implements relay.Programmes.
func (s *Store) Unnamed(ctx context.Context) (relay.Programme, error) {
	// One statement, so that no programme is founded or named between counting and reading.
	return scanProgramme(s.read.QueryRowContext(ctx, `SELECT id, control, site FROM programme
		WHERE site IS NULL AND (SELECT count(*) FROM programme WHERE site IS NULL)=1`))
}

// Member implements relay.Programmes.
func (s *Store) Member(ctx context.Context, id [16]byte, device krama.DeviceID) (relay.Member, error) {
	m := relay.Member{ID: device}
	err := s.read.QueryRowContext(ctx, "SELECT key FROM member WHERE programme=? AND id=?", id[:],
		device[:]).Scan((*[]byte)(&m.Key))
	return m, missing(err)
}

// Programme implements rules.Tx, as all below.
func (tx writing) Programme(id [16]byte) (relay.Programme, error) {
	return scanProgramme(tx.QueryRow(programmeByID, id[:]))
}

func (tx writing) Named(site [16]byte) (relay.Programme, error) {
	return scanProgramme(tx.QueryRow(programmeByName, name(site)))
}

func (tx writing) SetProgramme(p relay.Programme) error {
	// Changed in place: to replace the row would be to delete it under the streams and devices that refer to it.
	_, err := tx.Exec(`INSERT INTO programme (id, control, site) VALUES (?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET control=excluded.control, site=excluded.site`, p.ID[:], []byte(p.Control), name(p.Site))
	return err
}

func (tx writing) AddMember(programme [16]byte, m relay.Member) error {
	_, err := tx.Exec("INSERT OR IGNORE INTO member (programme, id, key) VALUES (?, ?, ?)", programme[:], m.ID[:],
		[]byte(m.Key))
	return err
}

func (tx writing) Members(programme [16]byte) (n int, err error) {
	err = tx.QueryRow("SELECT count(*) FROM member WHERE programme=?", programme[:]).Scan(&n)
	return n, err
}
