// Command bench measures what the project promises: bench relay|sync|desk|backup|keys|door|line|slowline|flood [NAME].
// Each prints rows of a Markdown table.
package main

import (
	"fmt"
	"os"
)

// main runs one measurement, in the tree's root and beside the program it measures (./krama). desk-load is no
// measurement of its own: deskBench starts it.
func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: bench relay|sync|desk|backup|keys|door|line|slowline|flood [NAME]")
		os.Exit(2)
	}
	run, ok := map[string]func() error{"relay": relayBench, "sync": syncBench, "desk": deskBench, "desk-load": deskLoad,
		"backup": backupBench, "keys": keysBench, "door": doorBench, "flood": floodBench, "line": lineBench,
		"slowline": slowLineBench}[os.Args[1]]
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: bench relay|sync|desk|backup|keys|door|line|slowline|flood [NAME]")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
