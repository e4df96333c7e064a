package main

import (
	"os"
	"runtime/debug"
)

// How much memory the long-running commands aim at. Near it the collector works harder; it is not a wall, so what is
// above has its own bounds. Whoever knows the machine says otherwise with GOMEMLIMIT.
const (
	serveMemory = 512 << 20 // four times what a relay of a few hundred devices needs
	deskMemory  = 1 << 30   // three times the desk of a million records
)

// limitMemory sets the aim, unless GOMEMLIMIT did.
func limitMemory(aim int64) {
	// The runtime has read the variable already; setting the aim again would overrule the steward.
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(aim)
	}
}
