package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"krama/relay/storetest"
)

// TestA21ServeStopsWhenTheDiskFails has a running relay's disk fail its next flush.
func TestA21ServeStopsWhenTheDiskFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "relay")
	at := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	began := &lines{has: make(chan struct{}), want: "stop with"}
	said := make(chan string, 1)
	go func() {
		err := run(t.Context(), []string{"serve", "--data", dir, "--listen", at}, nil, began, began)
		var b strings.Builder
		said <- fmt.Sprint(status(err, &b), " ", b.String())
	}()
	select {
	case <-began.has:
	case s := <-said:
		t.Fatal(s)
	}
	token, _, err := foundingToken(dir)
	if err != nil {
		t.Fatal(err)
	}
	mend := storetest.FailDisk(t, dir, "relay.db-wal")
	code, _, _ := cli("", "new", "--relay", "http://"+at, "--token", token, "--data",
		filepath.Join(t.TempDir(), "desk"))
	if code == exitOK {
		t.Error("a programme was founded on a disk that keeps nothing")
	}
	got := <-said
	mend()
	if !strings.HasPrefix(got, fmt.Sprint(exitFailed)) || !strings.Contains(got, "hint: check the disk") ||
		!strings.Contains(got, "krama check") {
		t.Errorf("the relay ended with %q", got)
	}
}
