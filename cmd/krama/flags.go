package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"krama"
)

// What every command of the command line has: its flags, what it reads and writes, and how it refuses.

// version is set by the build (Makefile, scripts/release). dev is what somebody built by hand.
var version = "dev"

// errUsage is a wrong call; what is wrong has been printed.
var errUsage = errors.New("usage")

// errAlarm is a sync that ended with an alarm a person must see.
var errAlarm = errors.New("alarm")

// hint is an error with the next step.
// next is for a steward: a clause without a full stop, and never with what an error must not hold.
type hint struct {
	err  error
	next string
}

func (h hint) Error() string { return h.err.Error() }

func (h hint) Unwrap() error { return h.err }

// command is one subcommand.
// short stands in the list of all commands; long is the whole help of this one, and what a wrong call prints. run gets
// what follows the name.
type command struct {
	name, short, long string
	run               func(context.Context, *env, []string) error
}

// env is what a subcommand talks to.
// Results go to out and everything else to err: questions, progress, hints. Tests put their own in its place.
type env struct {
	in       io.Reader
	out, err io.Writer
	replace  replacer // how the desk's process is replaced when it locks; nil where that cannot be
}

// flags returns a flag set that prints the command's help.
func (e *env) flags(c command) *flag.FlagSet {
	// A wrong flag is a wrong call of this command, and ends no process by itself: tests run many in one.
	f := flag.NewFlagSet(c.name, flag.ContinueOnError)
	f.SetOutput(e.err)
	f.Usage = func() { fmt.Fprint(e.err, c.long) }
	return f
}

// relayAddress checks the address of a relay.
// A wrong one is refused before keys are drawn: it would go into codes and cards that others scan and keep.
func relayAddress(op, s string) error {
	if u, err := url.Parse(s); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return hint{krama.E(op, krama.Invalid, "--relay is no address"),
			"write it whole, for example --relay https://relay.help.example"}
	}
	return nil
}

// usual is the next step after what a computer refuses everybody, or "".
func usual(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program listens there, perhaps krama itself; stop it, or choose another address with --listen"
	case errors.Is(err, fs.ErrPermission):
		return "this user may not do that there; choose a folder or a port (above 1023) that it may use"
	case errors.Is(err, fs.ErrNotExist):
		return "the file or folder does not exist; look at the path that was given"
	case errors.Is(err, syscall.ENOSPC):
		return "the disk is full; make room and try again, nothing that was kept is lost"
	}
	return ""
}

// mayRead refuses a file that is there and that this user may not read. What is not there is told by whoever opens it.
func mayRead(op, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return hint{krama.E(op, krama.NotAllowed, "this user may not read "+filepath.Base(path)),
			"run krama as the user it belongs to; nothing was changed"}
	}
	if err == nil {
		f.Close()
	}
	return nil
}

// parse reads a command's flags; what is wrong with them is printed with the command's use.
// Where help was asked for, it returns context.Canceled, which ends with status 0.
func parse(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return context.Canceled
		}
		return errUsage
	}
	if f.NArg() > 0 {
		f.Usage()
		// not which: they may be the four
		fmt.Fprintf(f.Output(), "\nkrama %s: %d words too many after the options\n", f.Name(), f.NArg())
		return errUsage
	}
	return nil
}

// lacks says which of the options that must be given is not.
func lacks(f *flag.FlagSet, names ...string) error {
	for _, name := range names {
		if f.Lookup(name).Value.String() == "" {
			f.Usage()
			fmt.Fprintf(f.Output(), "\nkrama %s: --%s is missing\n", f.Name(), name)
			return errUsage
		}
	}
	return nil
}
