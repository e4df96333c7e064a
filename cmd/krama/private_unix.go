//go:build unix

package main

import "syscall"

// ownFiles makes whatever this process and its libraries write readable by its owner alone, whatever the caller's
// umask.
func ownFiles() { syscall.Umask(0o077) }
