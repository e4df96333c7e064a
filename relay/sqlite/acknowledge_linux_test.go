package sqlite_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"krama/relay/storetest"
)

// TestFlushBeforeAcknowledging takes the disk's flush away from a process of its own: every fsync fails there, as on a
// disk that dies. A store that acknowledges an envelope all the same did not wait for the disk: after a power cut the
// envelope would be gone.
func TestFlushBeforeAcknowledging(t *testing.T) {
	if path := os.Getenv("KRAMA_TEST_FLUSH"); path != "" {
		withoutFlush(t, path)
		return
	}
	if sysSeccomp[runtime.GOARCH] == 0 {
		t.Skip("no system call of this name is known for " + runtime.GOARCH)
	}
	c := exec.Command(os.Args[0], "-test.run", "^TestFlushBeforeAcknowledging$", "-test.v")
	c.Env = append(os.Environ(), "KRAMA_TEST_FLUSH="+filepath.Join(t.TempDir(), "relay.db"))
	out, err := c.CombinedOutput()
	if strings.Contains(string(out), "cannot take fsync away") {
		t.Skip("this system lets no process give up its own fsync")
	}
	if err != nil || !strings.Contains(string(out), "refused without a flush") {
		t.Errorf("%v\n%s", err, out)
	}
}

// withoutFlush is the process whose flushes fail.
func withoutFlush(t *testing.T, path string) {
	s := open(t, path, 0)
	st := storetest.NewStream(t, s)
	add := func() error {
		_, err := s.Append(t.Context(), st.ID, nil, [][]byte{storetest.Envelope(1024)}, 1<<30)
		return err
	}
	if err := add(); err != nil {
		t.Fatal("with flushes it is refused too: ", err)
	}
	if err := forbidFlush(); err != nil {
		t.Skip("cannot take fsync away: ", err)
	}
	if add() == nil {
		t.Fatal("acknowledged, and nothing was flushed")
	}
	t.Log("refused without a flush")
	os.Exit(0) // it cannot close as it should
}

var sysSeccomp = map[string]uintptr{"amd64": 317, "arm64": 277}

// forbidFlush makes fsync and fdatasync fail with an input/output error in every thread of this process, for good
// (seccomp(2)).
func forbidFlush() error {
	const (
		load, equal, give = 0x20, 0x15, 0x06 // BPF: word at an offset; jump if equal; return
		allow, refuse     = 0x7fff0000, 0x00050000
		noNewPrivileges   = 38
		filterMode, all   = 1, 1 // SECCOMP_SET_MODE_FILTER, for all threads
	)
	filter := []syscall.SockFilter{
		{Code: load, K: 0}, // the number of the call
		{Code: equal, Jt: 1, K: syscall.SYS_FSYNC},
		{Code: equal, Jf: 1, K: syscall.SYS_FDATASYNC},
		{Code: give, K: refuse | uint32(syscall.EIO)},
		{Code: give, K: allow},
	}
	prog := syscall.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, noNewPrivileges, 1, 0, 0, 0, 0); e != 0 {
		return e
	}
	if _, _, e := syscall.RawSyscall(sysSeccomp[runtime.GOARCH], filterMode, all,
		uintptr(unsafe.Pointer(&prog))); e != 0 {
		return e
	}
	return nil
}
