package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// readers are the connections that read. A statement is compiled once on each of them: most calls ask one of five
// questions, and compiling took longer than answering.
type readers struct {
	*sql.DB
	mu   sync.Mutex
	made map[string]*sql.Stmt // by their text, of which the program has a few dozen; closed with the DB
}

// statement returns the compiled statement.
func (r *readers) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	// Held while it compiles: of two callers with one text, the second waits and does not compile it again.
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
		// a Row has no room for the error of another; it fails again, or does not
		return r.DB.QueryRowContext(ctx, text, args...)
	}
	return s.QueryRowContext(ctx, args...)
}

// writing is a transaction of the writer, whose statements are compiled once, as readers' are.
type writing struct {
	*sql.Tx
	known *known
}

// known are the writer's statements by their text. Only the writer's goroutine touches them.
type known struct {
	made   map[string]*sql.Stmt
	wanted []string // asked for in the transaction that is open, which holds the one connection that could compile them
}

// compile compiles what the last transaction asked for in vain. What cannot be compiled is asked as it is again, and
// fails there.
func (k *known) compile(db *sql.DB) {
	for _, text := range k.wanted {
		if k.made[text] != nil { // asked for more than once
			continue
		}
		if s, err := db.Prepare(text); err == nil {
			k.made[text] = s
		}
	}
	k.wanted = nil
}

// statement returns the compiled statement in this transaction; nil when there is none yet.
func (w writing) statement(text string) *sql.Stmt {
	if s := w.known.made[text]; s != nil {
		// It was compiled on the writer's only connection, which is this transaction's, so nothing is compiled again.
		return w.Tx.Stmt(s)
	}
	w.known.wanted = append(w.known.wanted, text)
	return nil
}

// Exec is sql.Tx's.
func (w writing) Exec(text string, args ...any) (sql.Result, error) {
	if s := w.statement(text); s != nil {
		return s.Exec(args...)
	}
	return w.Tx.Exec(text, args...)
}

// Query is sql.Tx's.
func (w writing) Query(text string, args ...any) (*sql.Rows, error) {
	if s := w.statement(text); s != nil {
		return s.Query(args...)
	}
	return w.Tx.Query(text, args...)
}

// QueryRow is sql.Tx's.
func (w writing) QueryRow(text string, args ...any) *sql.Row {
	return w.QueryRowContext(context.Background(), text, args...)
}

// QueryRowContext is sql.Tx's.
func (w writing) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	if s := w.statement(text); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return w.Tx.QueryRowContext(ctx, text, args...)
}
