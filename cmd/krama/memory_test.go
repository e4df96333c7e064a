package main

import (
	"io"
	"math"
	"runtime/debug"
	"testing"
)

// TestA9MemoryLimit checks that serve and desk have one, and that the environment's goes before.
func TestA9MemoryLimit(t *testing.T) {
	was := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(was)
	for _, c := range []struct {
		env  string
		args []string
		want int64
	}{
		{"", []string{"serve"}, serveMemory}, {"", []string{"desk", "--data", t.TempDir()}, deskMemory},
		{"2GiB", []string{"serve"}, math.MaxInt64}, {"2GiB", []string{"desk", "--data", t.TempDir()}, math.MaxInt64},
	} {
		t.Setenv("GOMEMLIMIT", c.env)
		debug.SetMemoryLimit(math.MaxInt64) // what the runtime made of it before the program began
		run(t.Context(), c.args, nil, io.Discard, io.Discard)
		if got := debug.SetMemoryLimit(-1); got != c.want {
			t.Errorf("%v with GOMEMLIMIT=%q: got %d want %d", c.args, c.env, got, c.want)
		}
	}
}
