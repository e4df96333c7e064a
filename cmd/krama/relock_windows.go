package main

import "net"

// replaceProcess is nil: Windows has no call that replaces a process. Locking forgets; memory is given back when the
// desk ends.
var replaceProcess replacer

// inherited is what an ordinary start has: nothing is handed on here.
func inherited() ([]net.Listener, *session, error) { return nil, nil, nil }

// noCore does nothing: whether a crash leaves a dump is a setting of Windows, not of a process.
func noCore() {}

// dumpEnv stands here because tests for all systems name it.
const dumpEnv = "KRAMA_DUMPABLE"
