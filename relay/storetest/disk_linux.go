package storetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// FailDisk puts a device that takes every write and refuses every flush in the place of this process's open files whose
// names end in tail, and returns what puts them back. To SQLite it is a disk whose fsync fails.
func FailDisk(t *testing.T, dir, tail string) (mend func()) {
	t.Helper()
	// What is written there is swallowed, so after the failed flush nothing of it is on the disk.
	null, err := syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if syscall.Fsync(null) == nil {
		t.Fatal("this system flushes /dev/null: the test shows nothing")
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	// By the number they had: another descriptor of the same file, which puts it back.
	kept := map[int]int{}
	for _, f := range fds {
		var fd int
		fmt.Sscan(f.Name(), &fd)
		name, _ := os.Readlink("/proc/self/fd/" + f.Name())
		if filepath.Dir(name) != dir || !strings.HasSuffix(name, tail) {
			continue
		}
		if kept[fd], err = syscall.Dup(fd); err != nil {
			t.Fatal(err)
		}
		// In its own place: SQLite goes on with the number it knows, and never learns what is behind it.
		if err := syscall.Dup3(null, fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	if len(kept) == 0 {
		t.Fatalf("nothing open ends in %s", tail)
	}
	return func() {
		for fd, was := range kept {
			syscall.Dup3(was, fd, syscall.O_CLOEXEC)
			syscall.Close(was)
		}
		syscall.Close(null)
	}
}
