package main

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// startPart runs the built program until the test ends, and returns its process once it says how to stop it.
func startPart(t *testing.T, args ...string) int {
	t.Helper()
	c := exec.Command(program(t), args...)
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	ready := make(chan string, 1)
	go func() {
		var all []string
		for in := bufio.NewScanner(pipe); in.Scan(); {
			all = append(all, in.Text())
			if strings.HasPrefix(in.Text(), "stop with") {
				ready <- ""
				return
			}
		}
		ready <- "ended: " + strings.Join(all, "; ")
	}()
	select {
	case failed := <-ready:
		if failed != "" {
			t.Fatal(failed)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it did not start")
	}
	return c.Process.Pid
}
