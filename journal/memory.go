package journal

import (
	"io"
	"sync"
)

// MemDir keeps files in memory, for tests and for the demo's staff devices. Fault, when set, is asked before every
// write and flush and can fail it.
type MemDir struct {
	// mu guards the names and who holds which file. What is in a file is its holder's.
	mu    sync.Mutex
	files map[string]*MemFile
	Fault func(op string, n int) error
}

// MemFile is a file in memory.
// Data is what a disk would hold; tests look at it and damage it.
type MemFile struct {
	dir  *MemDir
	Data []byte
	open bool
}

// Open implements Dir.
func (d *MemDir) Open(name string) (File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files == nil {
		d.files = map[string]*MemFile{}
	}
	f := d.files[name]
	if f == nil {
		f = &MemFile{dir: d}
		d.files[name] = f
	}
	if f.open {
		return nil, ErrBusy
	}
	f.open = true
	return f, nil
}

// File returns a file to look at or damage.
func (d *MemDir) File(name string) *MemFile { d.mu.Lock(); defer d.mu.Unlock(); return d.files[name] }

// Crash forgets who holds the files, as the end of a process does.
func (d *MemDir) Crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.files {
		f.open = false
	}
}

// Remove implements Dir.
func (d *MemDir) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, name)
	return nil
}

func (f *MemFile) fault(op string, n int) error {
	if f.dir.Fault != nil {
		return f.dir.Fault(op, n)
	}
	return nil
}

// ReadAt implements File.
func (f *MemFile) ReadAt(b []byte, off int64) (int, error) {
	if off >= int64(len(f.Data)) {
		return 0, io.EOF
	}
	n := copy(b, f.Data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements File.
func (f *MemFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.fault("write", len(b)); err != nil {
		return 0, err
	}
	if off == int64(len(f.Data)) {
		f.Data = append(f.Data, b...)
		return len(b), nil
	}
	if need := off + int64(len(b)); need > int64(len(f.Data)) {
		f.Data = append(f.Data, make([]byte, need-int64(len(f.Data)))...)
	}
	return copy(f.Data[off:], b), nil
}

// Truncate implements File.
func (f *MemFile) Truncate(n int64) error {
	if n <= int64(len(f.Data)) {
		f.Data = f.Data[:n]
	}
	return nil
}

// Sync implements File.
func (f *MemFile) Sync() error { return f.fault("sync", 0) }

// Size implements File.
func (f *MemFile) Size() (int64, error) { return int64(len(f.Data)), nil }

// Close implements File.
func (f *MemFile) Close() error {
	f.dir.mu.Lock()
	defer f.dir.mu.Unlock()
	f.open = false
	return nil
}
