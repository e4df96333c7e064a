//go:build unix

package main

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"krama"
)

// inheritedEnv names the descriptors that a desk hands on: the pipe with its session, then its listeners. Numbers, no
// secret.
const inheritedEnv = "KRAMA_DESK_INHERITS"

// replaceProcess is the replacer of this system.
func replaceProcess(listeners []*os.File, said []byte) error {
	// What is said stays in the pipe over the exec. It is read by the program that comes after, from the same process.
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if _, err := w.Write(said); err != nil { // a pipe holds at least 512 bytes
		return err
	}
	w.Close()
	var numbers []string
	for _, f := range append([]*os.File{r}, listeners...) {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		var fd int
		var e error
		if err := raw.Control(func(n uintptr) { fd, e = syscall.Dup(int(n)) }); err != nil || e != nil {
			// a copy outlives the exec
			return errors.Join(err, e)
		}
		numbers = append(numbers, strconv.Itoa(fd))
	}
	self := "/proc/self/exe" // also when an update has taken the file's name
	if runtime.GOOS != "linux" {
		if self, err = os.Executable(); err != nil {
			return err
		}
	}
	// The process number, the arguments and the environment go on; nothing that was in memory does.
	return syscall.Exec(self, os.Args, append(os.Environ(), inheritedEnv+"="+strings.Join(numbers, ",")))
}

// inherited returns what the process before this one handed on, nil at an ordinary start.
func inherited() (ls []net.Listener, s *session, err error) {
	bad := krama.E("desk", krama.Internal, "what the desk before handed on cannot be read")
	list := os.Getenv(inheritedEnv)
	if list == "" {
		return nil, nil, nil
	}
	// Otherwise the process after this one would find it twice, and a browser that the desk opens would get it.
	os.Unsetenv(inheritedEnv)
	for i, n := range strings.Split(list, ",") {
		fd, err := strconv.Atoi(n)
		if err != nil {
			return nil, nil, bad
		}
		// A browser that the desk opens must not hold the desk's address open.
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "inherited")
		defer f.Close()
		if i == 0 {
			b, err := io.ReadAll(io.LimitReader(f, 512))
			got, ok := parseSession(b)
			if err != nil || !ok {
				return nil, nil, bad
			}
			s = &got
			continue
		}
		l, err := net.FileListener(f)
		if err != nil {
			return nil, nil, krama.Wrap("desk", err)
		}
		ls = append(ls, l)
	}
	if len(ls) == 0 {
		return nil, nil, bad
	}
	return ls, s, nil
}

// noCore keeps the system from writing this process's memory to a file when it crashes, and other processes of the same
// user from reading it. dumpEnv leaves the second out, for the tests that look into the memory.
func noCore() {
	syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	if os.Getenv(dumpEnv) == "" {
		notDumpable()
	}
}

// dumpEnv, set to anything, leaves the process's memory readable; only tests set it.
const dumpEnv = "KRAMA_DUMPABLE"
