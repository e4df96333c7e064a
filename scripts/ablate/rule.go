package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A rule is one thing that a promise rests on, and how to take it out. Either file, old and new say it, or, for the
// rules that the model knows by name, model does (replica/ablate.go).
type rule struct {
	name    string // short and unique: -run picks by it
	promise string // what nobody can do while it stands, in one clause
	file    string // from the module's root
	old     string // stands in the file exactly once
	new     string // the same without the rule; it must compile
	model   string // the value of KRAMA_ABLATE
	// a history of the model that goes wrong without it, by rapid's seed; "" to search. It is out of date once the
	// model draws otherwise
	seed  string
	pkg   string // whose tests catch it, as ./seal
	tests string // what -run is given: names of tests, with | between; one of them must fail
}

// mostSeconds is how long the tests of one rule may take. A test that hangs without the rule does not count as failing.
const mostSeconds = 600

// bench builds programs without a rule and runs their tests.
type bench struct {
	dir   string // for overlays and programs; the caller removes it
	which bool   // all tests of the package, not those of the table
	skip  string // with which: tests to leave out
	mu    sync.Mutex
	n     int // owned by mu: how many programs were built
	model sync.Mutex
	// by package, owned by model: the program that leaves out what KRAMA_ABLATE names, one for all such rules
	knows map[string]string
}

// changed returns the rule's file without the rule. The snippet must stand in it exactly once: otherwise the rule has
// moved, and the table must follow it.
func (r rule) changed() ([]byte, error) {
	b, err := os.ReadFile(r.file)
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(b, []byte(r.old)); n != 1 {
		return nil, fmt.Errorf("the table is out of date: %s has its snippet %d times", r.file, n)
	}
	if r.old == r.new {
		return nil, errors.New("the table takes nothing out")
	}
	return bytes.Replace(b, []byte(r.old), []byte(r.new), 1), nil
}

// program returns where the tests of a package without the rule are, and what removes them.
func (b *bench) program(ctx context.Context, r rule) (string, func(), error) {
	if r.model == "" {
		at, err := b.build(ctx, r)
		return at, func() { os.Remove(at) }, err
	}
	// One program for all rules of the model: it asks KRAMA_ABLATE which one to leave out. Who comes first builds it,
	// and the others wait.
	b.model.Lock()
	defer b.model.Unlock()
	if at, ok := b.knows[r.pkg]; ok {
		return at, func() {}, nil
	}
	at, err := b.build(ctx, r)
	if err == nil {
		b.knows[r.pkg] = at
	}
	return at, func() {}, err
}

// build builds the tests of a package without the rule.
func (b *bench) build(ctx context.Context, r rule) (string, error) {
	b.mu.Lock()
	b.n++
	base := filepath.Join(b.dir, fmt.Sprint(b.n))
	b.mu.Unlock()
	// Vet judges the program with its rules; symbols would make each of the programs larger, and nobody reads them.
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", base + ".test"}
	switch {
	case r.model != "":
		args = append(args, "-tags", "ablate")
	case r.file != "":
		text, err := r.changed()
		if err != nil {
			return "", err
		}
		// By its own extension, because not every file is Go: some rules stand in what is embedded.
		copied := base + filepath.Ext(r.file)
		if err := os.WriteFile(copied, text, 0o600); err != nil {
			return "", err
		}
		at, err := filepath.Abs(r.file)
		if err != nil {
			return "", err
		}
		overlay, err := json.Marshal(map[string]map[string]string{"Replace": {at: copied}})
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(base+".json", overlay, 0o600); err != nil {
			return "", err
		}
		args = append(args, "-overlay", base+".json")
	}
	if out, err := exec.CommandContext(ctx, "go", append(args, r.pkg)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("the table is wrong: without the rule it does not compile: %s", firstLines(out, 4))
	}
	return base + ".test", nil
}

var (
	failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	why    = regexp.MustCompile(`(?m)failed after [0-9]+ tests: .*|[a-z_]+_test\.go:[0-9]+: .*|^panic: .*`)
)

// try takes the rule out and runs its tests. It returns what failed, or an error when nothing did, or not as a test
// fails.
func (b *bench) try(ctx context.Context, r rule) (string, error) {
	program, remove, err := b.program(ctx, r)
	if err != nil {
		return "", err
	}
	defer remove()
	args := []string{"-test.run", "^(" + r.tests + ")$"}
	if b.which {
		args = []string{"-test.run", ".", "-test.skip", b.skip}
	}
	if r.model != "" {
		args = append(args, "-rapid.nofailfile", "-rapid.shrinktime=0s")
	}
	var out []byte
	// A history that goes wrong is known by its seed: one history instead of thousands. With the rule in its place it
	// must go well, or it would prove nothing.
	if r.seed != "" {
		seeded := append(args, "-rapid.checks=1", "-rapid.seed="+r.seed)
		if out, err = b.tests(ctx, rule{pkg: r.pkg}, program, seeded...); err != nil {
			return "", fmt.Errorf("the history of its seed goes wrong with the rule in its place: %s",
				firstLines(out, 4))
		}
		out, err = b.tests(ctx, r, program, seeded...)
	}
	// Where the seed's history went well without the rule, the model draws otherwise by now, and is searched.
	if err == nil { // no seed, or one that the model has left behind
		if r.model != "" {
			args = append(args, "-rapid.checks=6000")
		}
		out, err = b.tests(ctx, r, program, args...)
	}
	names := failed.FindAllSubmatch(out, -1)
	// Only a test that fails holds a rule. One that hangs, passes or is not there does not, nor does a program that
	// ends before its tests.
	switch {
	case bytes.Contains(out, []byte("panic: test timed out")):
		return "", fmt.Errorf("%s hangs, which is no failure", r.tests)
	case err == nil && bytes.Contains(out, []byte("no tests to run")):
		return "", fmt.Errorf("the table is wrong: %s has no test %s", r.pkg, r.tests)
	case err == nil:
		return "", fmt.Errorf("%s passes without it", r.tests)
	case len(names) == 0:
		return "", fmt.Errorf("no test failed: %s", firstLines(out, 4))
	}
	// That one test fails is enough; whoever writes the table wants to see them all.
	var which []string
	for _, m := range names {
		if name := string(m[1]); !slices.Contains(which, name) && (b.which || len(which) == 0) {
			which = append(which, name)
		}
	}
	line := bytes.TrimSpace(why.Find(out))
	return strings.Join(which, " ") + ": " + cut(string(line), 120), nil
}

// tests runs built tests where their package lies, which is where they look for their files.
func (b *bench) tests(ctx context.Context, r rule, program string, args ...string) ([]byte, error) {
	// Ten seconds more than the tests' own limit, which says what hung; this one says nothing.
	ctx, cancel := context.WithTimeout(ctx, (mostSeconds+10)*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, program, append(args, fmt.Sprintf("-test.timeout=%ds", mostSeconds))...)
	c.Dir = r.pkg
	c.Env = append(os.Environ(), "KRAMA_ABLATE="+r.model, "KRAMA_ALL=1")
	return c.CombinedOutput()
}

// whole runs the rules' tests with every rule in its place: one that fails anyway would hold nothing.
func (b *bench) whole(ctx context.Context, rules []rule) error {
	tests := map[string][]string{}
	for _, r := range rules {
		if r.model == "" {
			tests[r.pkg] = append(tests[r.pkg], strings.Split(r.tests, "|")...)
		}
	}
	// Once for a package, with the tests of all its rules, and not once for each rule.
	for pkg, names := range tests {
		slices.Sort(names)
		r := rule{pkg: pkg, tests: strings.Join(slices.Compact(names), "|")}
		program, remove, err := b.program(ctx, r)
		if err != nil {
			return err
		}
		out, err := b.tests(ctx, r, program, "-test.run", "^("+r.tests+")$")
		remove()
		if err != nil {
			return fmt.Errorf("%s fails with every rule in its place: %s", pkg, firstLines(out, 12))
		}
	}
	return nil
}

// firstLines puts the beginning of an output on one line, so that every rule stays a line of the list.
func firstLines(b []byte, n int) string {
	lines := strings.SplitN(string(bytes.TrimSpace(b)), "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], " / ")
}

// cut counts characters: a cut within one would print as noise.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
