// Command conformance holds a running HSDS 3.0 API to the specification: its schemas, its list parameters and its
// pages.
//
//	go run ./scripts/conformance HSDSDIR BASEURL
//
// HSDSDIR has the specification's schema/ and examples/ (https://github.com/openreferral/specification, tag v3.0);
// BASEURL is where the API answers /, as http://127.0.0.1:8080/hsds. It prints a line a check, then "N passed, N
// failed", and exits 1 on any failure or when nothing was checked.
//
// It trusts itself least: every kind of answer that passes is then broken in every way its schema knows, and a broken
// answer that passes too is a failure.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: conformance HSDSDIR BASEURL")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// run checks and returns an error when anything failed or nothing was checked.
func run(dir, base string, stdout io.Writer) error {
	schemas, err := load(dir)
	if err != nil {
		return err
	}
	r := &report{w: stdout}
	checkExamples(r, dir, schemas)
	// Examples are checked without the API and counted by themselves: where either half checked nothing, that is a
	// failure.
	offline := r.passed
	a := &api{report: r, schemas: schemas, base: strings.TrimSuffix(base, "/"), http: http.Client{Timeout: time.Minute}}
	a.check()
	fmt.Fprintf(stdout, "%d passed, %d failed\n", r.passed, r.failed)
	switch {
	case r.failed > 0:
		return fmt.Errorf("%d checks failed", r.failed)
	case offline == 0 || r.passed == offline:
		return fmt.Errorf("nothing was checked")
	}
	return nil
}
