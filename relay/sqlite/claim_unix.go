//go:build !windows

package sqlite

import (
	"errors"
	"os"
	"syscall"
)

// noFollow keeps a link from leading a copy into another file.
const noFollow = syscall.O_NOFOLLOW

// held takes a file's lock, which ends with the file or its process, and reports whether another copy holds it. A file
// system without locks gives none, and nobody holds any.
func held(f *os.File) bool {
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
