// Command ablate takes every rule that a promise rests on out of the program, one at a time, and sees that a test fails
// without it. A rule whose tests pass without it is a promise that nobody holds.
//
//	go run ./scripts/ablate                all rules (make torture)
//	go run ./scripts/ablate -sample 12     the model's and so many others, drawn by the commit: they all come round
//	go run ./scripts/ablate -run padding   those whose package and name match
//	go run ./scripts/ablate -which -run …  which tests of the package fail without them: for writing the table
//
// The tree is never touched: go's overlay puts a changed copy in the place of one file.
package main

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
)

func main() {
	// run's defers remove a folder of programs, so an interruption ends the tests and not this process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ablate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("ablate", flag.ContinueOnError)
	sample := set.Int("sample", 0, "take the model's rules and this many others, drawn by the seed; 0 for all")
	seed := set.String("seed", "", "what the sample is drawn by; the commit if empty")
	pick := set.String("run", "", "a regular expression for packages and names of rules, as ./seal zero padding")
	which := set.Bool("which", false,
		"run all tests of the package and say which fail, instead of the ones in the table")
	skip := set.String("skip", "", "with -which: tests to leave out, a regular expression")
	workers := set.Int("j", runtime.NumCPU(), "rules at a time")
	if err := set.Parse(args); err != nil {
		return err
	}
	named, err := regexp.Compile(*pick)
	if err != nil {
		return err
	}
	var rules []rule
	known, err := table()
	if err != nil {
		return err
	}
	for _, r := range known {
		if named.MatchString(r.pkg + " " + r.name) {
			rules = append(rules, r)
		}
	}
	if len(rules) == 0 {
		return fmt.Errorf("no rule's name matches %q", *pick)
	}
	// A sample that is no smaller than the table is the whole.
	sampled := *sample > 0 && *sample < len(rules)
	if sampled {
		if *seed == "" {
			*seed = commit(ctx)
		}
		rules = draw(rules, *sample, *seed)
		fmt.Fprintf(out, "%d rules by the seed %s\n", len(rules), *seed)
	}
	dir, err := os.MkdirTemp("", "ablate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, which: *which, skip: *skip, knows: map[string]string{}}
	if !*which && !sampled { // a sample is taken after all tests have passed
		if err := b.whole(ctx, rules); err != nil {
			return err
		}
	}
	return all(ctx, out, b, rules, *workers)
}

// all tries the rules, some at a time, and prints each as it ends. It goes on after a failure, so that one run tells
// all.
func all(ctx context.Context, out io.Writer, b *bench, rules []rule, workers int) error {
	begun := time.Now()
	// mu guards bad and out.
	var mu sync.Mutex
	var wg sync.WaitGroup
	bad := 0
	// Without a queue: after an interruption no rule waits to be begun.
	next := make(chan rule)
	for range max(1, workers) {
		wg.Go(func() {
			for r := range next {
				start := time.Now()
				found, err := b.try(ctx, r)
				mu.Lock()
				if err != nil {
					bad++
					fmt.Fprintf(out, "NOT HELD  %s: %v\n", r.name, err)
				} else {
					fmt.Fprintf(out, "held  %s (%.1fs): %s\n", r.name, time.Since(start).Seconds(), found)
				}
				mu.Unlock()
			}
		})
	}
	for _, r := range rules {
		if ctx.Err() == nil {
			next <- r
		}
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fmt.Fprintf(out, "%d rules, %d not held, %.0fs\n", len(rules), bad, time.Since(begun).Seconds())
	if bad > 0 {
		return fmt.Errorf("%d of %d rules can be taken out and no test fails as it should", bad, len(rules))
	}
	return nil
}

// draw takes the model's rules and n of the others, the same for the same seed.
func draw(rules []rule, n int, seed string) (out []rule) {
	var others []rule
	for _, r := range rules {
		if r.model != "" {
			out = append(out, r)
		} else {
			others = append(others, r)
		}
	}
	h := fnv.New64a()
	io.WriteString(h, seed)
	// By the seed alone: whoever builds the same commit takes out the same rules.
	for _, i := range rand.New(rand.NewPCG(h.Sum64(), 0)).Perm(len(others))[:min(n, len(others))] {
		out = append(out, others[i])
	}
	return out
}

// commit names the last commit, or the day where there is none.
func commit(ctx context.Context) string {
	b, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output()
	if err != nil {
		return time.Now().Format(time.DateOnly)
	}
	return strings.TrimSpace(string(b))
}
