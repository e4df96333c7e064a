//go:build unix

package journal

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// noRoom is a full disk, and a user's share of one that is used up.
var noRoom = []error{syscall.ENOSPC, syscall.EDQUOT}

// openAlone opens or makes a file and holds it until it is closed; while somebody else does it returns ErrBusy.
func openAlone(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	// The lock goes with the process, however it ends: after a crash the file can be opened again.
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("journal: lock: %w", err)
	}
	f.Chmod(0o600) // it may come from elsewhere; a stick without permissions refuses
	return f, nil
}
