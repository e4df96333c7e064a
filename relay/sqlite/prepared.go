package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// readers are the connections that read. A statement is compiled once on each of them: most calls ask one of five questions, and
// compiling took longer than answering.
type readers struct {
	*sql.DB
	mu   sync.Mutex
	made map[string]*sql.Stmt // by their text, of which the program has a few dozen; closed with the DB
}

// statement returns the compiled statement.
func (r *readers) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.made[text]; s != nil {
		return s, nil
	}
	s, err := r.DB.PrepareContext(ctx, text)
	if err == nil {
		r.made[text] = s
	}
	return s, err
}

// QueryContext is sql.DB's.
func (r *readers) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	s, err := r.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext is sql.DB's.
func (r *readers) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	s, err := r.statement(ctx, text)
	if err != nil {
		return r.DB.QueryRowContext(ctx, text, args...) // a Row has no room for the error of another; it fails again, or does not
	}
	return s.QueryRowContext(ctx, args...)
}
