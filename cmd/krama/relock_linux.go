package main

import "syscall"

// notDumpable is prctl(PR_SET_DUMPABLE, 0): no core, no debugger, and /proc/PID/mem is the administrator's alone.
func notDumpable() { syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0) }
