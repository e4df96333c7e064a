package main

import (
	"fmt"
	"io"
	"strings"
)

// A report prints and counts.
type report struct {
	w              io.Writer
	passed, failed int
}

// check prints one line: that a check passed, or why it failed.
func (r *report) check(name string, err error) {
	if err == nil {
		r.passed++
		fmt.Fprintln(r.w, "ok  ", name)
		return
	}
	r.failed++
	// However many lines the error has, a check prints one.
	fmt.Fprintf(r.w, "FAIL %s: %s\n", name, strings.Join(strings.Fields(err.Error()), " "))
}
