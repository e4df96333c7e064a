package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

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
