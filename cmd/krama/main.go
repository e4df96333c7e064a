// Command krama is the server, the office desk and the command line. See run for the subcommands.
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
	"os/signal"
	"path/filepath"
	"syscall"

	"krama"
)

// version is set by the build (Makefile, scripts/release). dev is what somebody built by hand.
var version = "dev"

// Exit statuses, documented in doc/running.md.
// Timers and scripts read them, so a number keeps its meaning. exitOffline is worth another try, exitAlarm is for a
// person.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitOffline = 3
	exitLocked  = 4
	exitAlarm   = 5
)

func main() {
	// Before anything can write a file.
	ownFiles()
	// Ctrl-C and a service manager's SIGTERM end a command in its own way: calls under way are answered, a file that is
	// half written is removed.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(status(runIn(ctx, os.Args[1:], &env{os.Stdin, os.Stdout, os.Stderr, replaceProcess}), os.Stderr))
}

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

// status is a command's exit status; what went wrong is printed with what to do about it.
// A command that was stopped ends with 0, as does one that was asked for its help. Where a stop leaves the work undone,
// the command says so with an error of its own.
func status(err error, stderr io.Writer) int {
	if err == nil || errors.Is(err, context.Canceled) {
		return exitOK
	}
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	fmt.Fprintln(stderr, "krama:", err)
	var h hint
	if !errors.As(err, &h) {
		h.next = usual(err)
	}
	if h.next != "" {
		fmt.Fprintln(stderr, "hint:", h.next)
	}
	// The alarm first: it may wrap an error whose kind would say something milder.
	switch {
	case errors.Is(err, errAlarm):
		return exitAlarm
	case krama.KindOf(err) == krama.Offline:
		return exitOffline
	case krama.KindOf(err) == krama.CannotDecrypt:
		return exitLocked
	}
	return exitFailed
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

// commands are the commands in the order of the help. A function, because help reads the list too.
func commands() []command {
	with := func(c command, run func(context.Context, *env, []string) error) command { c.run = run; return c }
	return []command{with(demoCommand, demoRun), with(serveCommand, serve), with(newCommand, newProgramme),
		with(joinCommand, joinProgramme), with(deskCommand, desk),
		with(syncCommand, syncOnce), with(reportCommand, writeReport), with(exportCommand, export),
		with(recipientCommand, recipientRun), with(directoryCommand, directoryRun),
		with(recoverCommand, recoverProgramme), with(backupCommand, backup), with(restoreCommand, restore),
		with(checkCommand, check),
		with(releaseCommand, release), versionCommand}
}

// run runs a command as main does, for tests.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	return runIn(ctx, args, &env{in: stdin, out: stdout, err: stderr})
}

// runIn runs the command that arguments name.
func runIn(ctx context.Context, args []string, e *env) error {
	stdout, stderr := e.out, e.err
	// Help that was asked for is a result. A call without a command gets the same text, with the status of a wrong
	// call.
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		w, name := stdout, ""
		if len(args) > 1 {
			name = args[1]
		}
		for _, c := range commands() {
			if c.name == name {
				fmt.Fprint(w, c.long)
				return nil
			}
		}
		fmt.Fprintln(w,
			"krama: a locked notebook for outreach, a blind relay and an office desk.\n\nUsage: krama COMMAND "+
				"[flags]\n\nCommands:")
		for _, c := range commands() {
			fmt.Fprintf(w, "  %-9s %s\n", c.name, c.short)
		}
		fmt.Fprintln(w,
			"\n`krama help COMMAND` says more. Exit statuses: 0 done, 1 failed, 2 wrong call, 3 relay not reached, "+
				"4 wrong words, 5 alarm.")
		if len(args) == 0 {
			return errUsage
		}
		return nil
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, e, args[1:])
		}
	}
	fmt.Fprintf(stderr, "krama: no command %q\nhint: krama help\n", args[0])
	return errUsage
}

// flags returns a flag set that prints the command's help.
func (e *env) flags(c command) *flag.FlagSet {
	// A wrong flag is a wrong call of this command, and ends no process by itself: tests run many in one.
	f := flag.NewFlagSet(c.name, flag.ContinueOnError)
	f.SetOutput(e.err)
	f.Usage = func() { fmt.Fprint(e.err, c.long) }
	return f
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

var versionCommand = command{"version", "print the version",
	"Usage: krama version\n\nPrints the version of this program.\n",
	func(_ context.Context, e *env, _ []string) error {
		_, err := fmt.Fprintln(e.out, "krama", version)
		return err
	}}
