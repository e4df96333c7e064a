//go:build unix && !linux

package main

// notDumpable does nothing here: the limit on cores stands, and debuggers ask the system's own protection.
func notDumpable() {}
