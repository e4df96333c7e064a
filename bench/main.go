// Command bench measures what the project promises: bench relay|sync|desk|backup|keys|door|line|slowline|flood [NAME].
// Each prints rows of a Markdown table.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

// row prints one line of the table.
// must is what the figure is held against. No row fails: who reads the table judges it.
func row(what, got, must string) { fmt.Printf("| %s | %s | %s |\n", what, got, must) }

// rss reads a process's resident memory in MB: its peak, or what it holds now.
// field is VmHWM or VmRSS. Where the system has no /proc it is 0.
func rss(pid int, field string) float64 {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}
