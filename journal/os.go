//go:build unix || windows

package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// OSDir keeps files in a folder of the disk, readable by their owner alone.
type OSDir string

type osFile struct{ *os.File }

// Open implements Dir.
func (d OSDir) Open(name string) (File, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, fmt.Errorf("journal: folder: %w", err)
	}
	path := filepath.Join(string(d), name)
	_, missing := os.Stat(path)
	f, err := openAlone(path)
	if err != nil {
		return nil, full(err)
	}
	if missing != nil { // the name must outlive a power cut too
		if dir, err := os.Open(string(d)); err == nil {
			dir.Sync()
			dir.Close()
		}
	}
	return osFile{f}, nil
}

// Remove implements Dir.
func (d OSDir) Remove(name string) error {
	path := filepath.Join(string(d), name)
	// The files that hold a key of their own are shorter than these 4096 bytes, so each is overwritten whole.
	if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
		if st, err := f.Stat(); err == nil {
			f.WriteAt(make([]byte, min(st.Size(), 4096)), 0)
			f.Sync()
		}
		f.Close()
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: remove: %w", err)
	}
	return nil
}

// Size implements File.
func (f osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// WriteAt implements File.
func (f osFile) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(b, off)
	return n, full(err)
}

// Sync implements File.
func (f osFile) Sync() error { return full(f.File.Sync()) }

// full is ErrFull for a disk without room; every other error stays as it is.
func full(err error) error {
	for _, e := range noRoom {
		if errors.Is(err, e) {
			return ErrFull
		}
	}
	return err
}
