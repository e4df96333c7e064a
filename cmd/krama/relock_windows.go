package main

import "net"

// replaceProcess is nil: Windows has no call that replaces a process. Locking forgets; memory is given back when the
// desk ends.
var replaceProcess replacer

func inherited() ([]net.Listener, *session, error) { return nil, nil, nil }

func noCore() {}

const dumpEnv = "KRAMA_DUMPABLE"
