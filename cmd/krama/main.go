// Command krama is the server, the office desk and the command line. See run for the subcommands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"krama"
)

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

var versionCommand = command{"version", "print the version",
	"Usage: krama version\n\nPrints the version of this program.\n",
	func(_ context.Context, e *env, _ []string) error {
		_, err := fmt.Fprintln(e.out, "krama", version)
		return err
	}}
