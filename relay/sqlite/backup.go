package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"

	"krama"
)

// Copy is a finished, checked copy of a store.
// The steward keeps the sum in another place: nothing inside the copy vouches for keys and mailboxes (Check).
type Copy struct {
	Report
	Size   int64
	SHA256 [32]byte
}

// stride is how many pages are copied before they are flushed. Flushing often keeps the disk's queue short, so that a
// relay that must flush an envelope at the same moment does not wait for a whole backup.
// A page has 4096 bytes, so that is 4 MiB at a time.
const stride = 1024

// Backup copies the store at from, which a relay may be writing to, into the one file to: one moment of it, checked.
// What is at to is complete or not there. It reads under SQLite's online backup with a read transaction held, so the
// relay's writes neither wait nor make it start again. maxBytes, when not 0, bounds the copy. Errors: NotFound for no
// store, Conflict when to exists or is being made, Full, NotYet for a newer store, Tampered when the copy fails its
// check (the report says how).
func Backup(ctx context.Context, from, to string, maxBytes int64, say Progress) (Copy, error) {
	return publish(ctx, to, say, func(part *os.File) error {
		db, err := openToRead("sqlite.Backup", from, true)
		if err != nil {
			return err
		}
		defer db.Close()
		// The transaction and the online copy must be of one connection: another's would not fix the moment that is
		// copied.
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
			return err
		}
		// A copy that was stopped ends its transaction too: as long as it stands, the relay's -wal file cannot start
		// again.
		defer conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		var v int // reading is what fixes the moment
		if err := conn.QueryRowContext(ctx,
			"SELECT user_version FROM pragma_user_version, (SELECT count(*) FROM sqlite_schema)").Scan(&v); err != nil {
			return err
		}
		if v > version {
			return newer("sqlite.Backup")
		}
		// The copy needs no journal, flush or lock of SQLite's: publish flushes it before it gets its name, and claim
		// keeps others away from it.
		dst := uri(part.Name()) + "?nolock=1&_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)"
		if maxBytes > 0 {
			dst += fmt.Sprintf("&_pragma=max_page_count(%d)", maxBytes/4096)
		}
		return conn.Raw(func(c any) error { return copyPages(ctx, c.(backuper), dst, part, say) })
	})
}

// backuper is what a connection can do beside its interface.
type backuper interface {
	driver.Conn
	NewBackup(string) (*sqlite.Backup, error)
}

// copyPages copies a store page by page, while a relay writes to it.
func copyPages(ctx context.Context, c backuper, dst string, part *os.File, say Progress) (err error) {
	b, err := c.NewBackup(dst)
	if err != nil {
		return err
	}
	defer func() {
		if end := b.Finish(); err == nil {
			err = end
		}
	}()
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if more, err = b.Step(stride); err != nil {
			return err
		}
		if err := part.Sync(); err != nil {
			return err
		}
		say("copying", int64(b.PageCount()-b.Remaining()), int64(b.PageCount()))
	}
	return nil
}

// Restore makes a store at to from a backup. Nothing of another store may be there. Errors are those of Backup.
func Restore(ctx context.Context, from, to string, say Progress) (Copy, error) {
	const op = "sqlite.Restore"
	for _, tail := range []string{"-wal", "-shm"} { // an old -wal would be taken for the newest part of the new file
		if _, err := os.Lstat(to + tail); !errors.Is(err, fs.ErrNotExist) {
			return Copy{}, krama.E(op, krama.Conflict, "a part of another store is there")
		}
	}
	// A copy of gigabytes that no relay could open would only fill the disk.
	if err := plausible(ctx, op, from); err != nil {
		return Copy{}, err
	}
	// A backup is one whole file, so its bytes are copied as they lie: the new store has the sum that the steward kept.
	return publish(ctx, to, say, func(part *os.File) error {
		src, err := os.Open(from)
		if err != nil {
			return err
		}
		defer src.Close()
		st, err := src.Stat()
		if err != nil {
			return err
		}
		for done := int64(0); ; {
			n, err := io.CopyN(part, src, stride*4096)
			if done += n; err != nil && err != io.EOF {
				return err
			}
			say("copying", done, st.Size())
			if err := errors.Join(part.Sync(), ctx.Err()); err != nil {
				return err
			}
			if err == io.EOF {
				return nil
			}
		}
	})
}

var errDamaged = krama.E("sqlite", krama.Tampered, "not a store, or damaged")

// plausible refuses before anything is copied what is no store or one that this version cannot read.
func plausible(ctx context.Context, op, path string) error {
	db, err := openToRead(op, path, false)
	if err != nil {
		return err
	}
	defer db.Close()
	var v int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); damage(err) {
		return errDamaged
	} else if err != nil {
		return failed(err)
	}
	if v > version {
		return newer(op)
	}
	return nil
}

// publish has write fill path.part, flushes and checks it and only then gives it its name.
func publish(ctx context.Context, path string, say Progress, write func(*os.File) error) (done Copy, err error) {
	const op = "sqlite.Copy"
	// Asked first, because a copy takes long. A link counts as well, wherever it leads.
	if _, err := os.Lstat(path); err == nil {
		return done, krama.E(op, krama.Conflict, "it exists already")
	}
	part, err := claim(path + ".part")
	if err != nil {
		return done, err
	}
	defer part.Close()
	// Whatever fails from here on, nothing half made stays.
	defer func() {
		if err != nil {
			os.Remove(part.Name())
			err = krama.Wrap(op, full(err))
		}
	}()
	if err := write(part); damage(err) {
		return done, errDamaged
	} else if err != nil {
		return done, err
	}
	// The bytes before the name: after a power cut, a file with its name and without its bytes would pass for a backup.
	if err := part.Sync(); err != nil {
		return done, err
	}
	if done.Report, err = Check(ctx, part.Name(), Look{Quick: true}, say); err != nil {
		return done, err
	}
	if len(done.Wrong) > 0 {
		return done, krama.E(op, krama.Tampered, "the copy is damaged, and so is probably the original")
	}
	if done.Size, done.SHA256, err = Sum(ctx, part.Name(), say); err != nil {
		return done, err
	}
	// Asked again: renaming would replace what somebody has put there meanwhile.
	if _, err := os.Lstat(path); err == nil {
		return done, krama.E(op, krama.Conflict, "it exists already")
	}
	if err := os.Rename(part.Name(), path); err != nil {
		return done, err
	}
	// And the name, before anybody is told that the copy is made.
	return done, syncDir(filepath.Dir(path))
}

// claim opens path for one writer at a time, empty and readable by its owner alone. What a killed writer left is
// overwritten.
func claim(path string) (*os.File, error) {
	const op = "sqlite.Copy"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, krama.E(op, krama.NotFound, "the folder is not there")
	}
	if err != nil {
		return nil, krama.Wrap(op, full(err))
	}
	// In this order: locked, found to be the file of that name still, emptied. Otherwise it could empty what another
	// copy has just made. Where a file system knows no locks the copy is made without one.
	err = func() error {
		if held(f) {
			return krama.E(op, krama.Conflict, "another copy is being made there")
		}
		mine, err1 := f.Stat()
		named, err2 := os.Lstat(path)
		if err1 != nil || err2 != nil || !os.SameFile(mine, named) { // it got its name while we waited
			return krama.E(op, krama.Conflict, "another copy was made there")
		}
		if err := f.Truncate(0); err != nil {
			return err
		}
		f.Chmod(0o600) // a stick without permissions refuses
		return nil
	}()
	if err != nil {
		f.Close()
		return nil, krama.Wrap(op, err)
	}
	return f, nil
}

// Sum reads a file's size and SHA-256.
func Sum(ctx context.Context, path string, say Progress) (size int64, sum [32]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, sum, krama.Wrap("sqlite.Sum", err)
	}
	defer f.Close()
	h := sha256.New()
	for err == nil {
		say("adding up", size, 0)
		if err = ctx.Err(); err == nil {
			var n int64
			n, err = io.CopyN(h, f, stride*4096)
			size += n
		}
	}
	if err != io.EOF {
		return size, sum, krama.Wrap("sqlite.Sum", err)
	}
	return size, [32]byte(h.Sum(nil)), nil
}

// full gives a disk without room its kind.
// EFBIG is a disk whose file system holds no file of that length.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return krama.E("sqlite", krama.Full, "no room")
	}
	return failed(err)
}

// syncDir makes a file's name durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return krama.Wrap("sqlite", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems of sticks have no such call
		return krama.Wrap("sqlite", err)
	}
	return nil
}
