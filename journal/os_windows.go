package journal

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Windows' names for these are not in package syscall.
const (
	errSharingViolation = syscall.Errno(32)
	errHandleDiskFull   = syscall.Errno(39)
	errDiskFull         = syscall.Errno(112)
)

// noRoom is a full disk, which Windows says in two ways.
var noRoom = []error{errHandleDiskFull, errDiskFull}

// openAlone opens or makes a file and shares it with nobody until it is closed; while somebody else has it open it
// returns ErrBusy. Who may read it is what the folder says: in a user's own folder, she and the machine's
// administrators.
func openAlone(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS,
		syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharingViolation) {
		return nil, ErrBusy
	}
	if err != nil {
		return nil, fmt.Errorf("journal: open: %w", err)
	}
	return os.NewFile(uintptr(h), path), nil
}
