package main

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

// tables hold every rule, room by room. A promise that no rule can be taken out for stands in doc/threat-model.md under
// "What no test can take away".
//
// A rule is lines up to an empty one:
//
//	rule zero padding                            its name, short and unique: -run picks by it
//	an envelope's padding carries nothing        the promise, in one clause
//	./seal TestPaddingIsZeros                    whose tests catch it, and which: one of them must fail
//	seal/envelope.go                             the file from the module's root; or "model", the name it has there,
//	                                             and a seed that shows it
//	-		if b != 0 {                          what stands in the file, exactly once: whole lines or a part of one
//	+		if false {                           the same without the rule; it must compile
//
//go:embed table/*.rules
var tables embed.FS

// table reads all rules.
func table() (rules []rule, err error) {
	files, err := tables.ReadDir("table")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		b, err := tables.ReadFile(path.Join("table", f.Name()))
		if err != nil {
			return nil, err
		}
		for block := range strings.SplitSeq(string(b), "\n\n") {
			if block = withoutComments(block); block == "" {
				continue
			}
			r, err := parse(block)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name(), err)
			}
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// withoutComments drops lines that begin with #.
func withoutComments(block string) string {
	var kept []string
	for line := range strings.SplitSeq(strings.Trim(block, "\n"), "\n") {
		if !strings.HasPrefix(line, "#") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// parse reads one rule. What it does not understand is an error: a rule that was skipped would be a promise that nobody
// holds.
func parse(block string) (r rule, err error) {
	lines := strings.Split(block, "\n")
	name, ok := strings.CutPrefix(lines[0], "rule ")
	if !ok || len(lines) < 4 {
		return r, fmt.Errorf("not a rule: %q", lines[0])
	}
	tests := strings.Fields(lines[2])
	if len(tests) < 2 {
		return r, fmt.Errorf("%s: no package, or no test", name)
	}
	r = rule{name: name, promise: lines[1], pkg: tests[0], tests: strings.Join(tests[1:], "|")}
	// The model leaves its rules out by name, and no file is changed.
	if model, ok := strings.CutPrefix(lines[3], "model "); ok {
		r.model, r.seed, _ = strings.Cut(model, " ")
		return r, nil
	}
	r.file = lines[3]
	var old, new []string
	for _, line := range lines[4:] {
		switch {
		// First all that goes, then all that comes in its place: a snippet is one place of its file.
		case strings.HasPrefix(line, "-") && len(new) == 0:
			old = append(old, line[1:])
		case strings.HasPrefix(line, "+"):
			new = append(new, line[1:])
		default:
			return r, fmt.Errorf("%s: not a line of a snippet: %q", name, line)
		}
	}
	r.old, r.new = strings.Join(old, "\n"), strings.Join(new, "\n")
	return r, nil
}
