package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"krama"
	"krama/replica"
	"krama/seal/words"
)

var joinCommand = command{"join", "enrol this computer as another desk", `Usage: krama join --relay URL [--data DIR]

Makes this computer a desk of a programme that exists: a second admin's, for example, so that two
can sign. It prints a code for the first desk (Devices, Enrol a phone: paste it), asks for that
desk's code, prints the four words that lock it, once, and waits until it is enrolled. A further
desk of a programme's only admin takes a day: stop, and start it again with the four words.

Do it in one room, or send the codes as text and compare the digits by voice: both sides show them.

  --relay URL   the relay's address
  --data DIR    the desk's folder (default: krama/desk in your configuration folder)
`, nil}

// joinEvery is how often a waiting desk looks whether it was enrolled.
// Two people sit before it and wait.
const joinEvery = 2 * time.Second

// joinProgramme runs `krama join`.
func joinProgramme(ctx context.Context, e *env, args []string) error {
	f := e.flags(joinCommand)
	relay, data := f.String("relay", "", ""), f.String("data", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	if err := cmp.Or(lacks(f, "relay"), relayAddress("join", *relay)); err != nil {
		return err
	}
	dir, err := deskDir(*data)
	if err != nil {
		return err
	}
	// It may be of a desk that waits since yesterday.
	if _, err := os.Stat(filepath.Join(dir, "vault")); err == nil {
		return joinAgain(ctx, e, *data, dir)
	}
	c := deskReplica(dir)
	words, err := words.Draw(c.Rand, words.Vault)
	if err != nil {
		return err
	}
	r, err := replica.Create(c, strings.Join(words, " "))
	if err != nil {
		return err
	}
	// Until the first desk's code is taken here nobody can enrol this device. It is destroyed on the way out, so that
	// the same command can be given again.
	accepted := false
	defer func() {
		r.Close()
		if !accepted { // nobody has anything of this device but a request that was not answered
			replica.Wipe(c.Dir)
		}
	}()
	if err := r.Newcomer().Introduce(ctx, strings.TrimRight(*relay, "/")); err != nil {
		return hint{err, "is the relay running and reachable at " + *relay + "?"}
	}
	// It holds a hash and a place at the relay, and no key: it may be sent over a line that others read.
	fmt.Fprintln(e.out, r.Newcomer().Scan1().String())
	fmt.Fprintln(e.err,
		"Paste this code on the first desk: Devices, Enrol a phone. Then paste its code here. Each code works for "+
			"ten minutes:")
	in := bufio.NewScanner(e.in)
	for {
		if !in.Scan() {
			return hint{krama.E("join", krama.Invalid, "no code was given"),
				"paste the text under the square of the first desk"}
		}
		err := r.Newcomer().Accept(ctx, in.Text())
		if err == nil {
			break
		}
		// A text that was cut when it was copied costs nothing and is asked for again.
		if krama.KindOf(err) != krama.Invalid {
			return err
		}
		fmt.Fprintln(e.err, "this is not the office's code; try again:")
	}
	// from here on the first desk may finish: within ten minutes, or tomorrow where it announces it first
	accepted = true
	fmt.Fprintln(e.out, strings.Join(words, " "))
	fmt.Fprintln(e.err, "These four words open this desk. Learn them; they are not kept anywhere.")
	return awaitEnrolment(ctx, e, r, dir)
}

// joinAgain goes on waiting after a stop: a further desk of an only admin takes a day.
func joinAgain(ctx context.Context, e *env, data, dir string) error {
	r, _, err := openDesk(e, data)
	if err != nil {
		return err
	}
	defer r.Close()
	if r.State() != replica.Scanned {
		return hasDesk("join", dir)
	}
	return awaitEnrolment(ctx, e, r, dir)
}

// hasDesk refuses a folder that holds a desk.
func hasDesk(op, dir string) error {
	return hint{krama.E(op, krama.Conflict, "this folder holds a desk already"),
		"open it with: krama desk --data " + dir}
}

// awaitEnrolment waits until the first desk has enrolled this one.
// A relay that is not reached is waited for. Where it shows another programme than the code did, this device is
// destroyed and nothing of what was shown is kept.
func awaitEnrolment(ctx context.Context, e *env, r *replica.Replica, dir string) error {
	fmt.Fprintln(e.err, "digits of this computer, to compare by voice:", r.Safety())
	fmt.Fprintln(e.err,
		"waiting for the first desk to finish the enrolment; if it says that this takes a day, you may stop, and "+
			"start this command again tomorrow")
	for {
		// The state decides and not the error: a desk whose first sync was cut is enrolled all the same, and syncs when
		// it is opened.
		_, err := r.Newcomer().Join(ctx, nil)
		if r.State() == replica.Enrolled {
			break
		}
		if krama.KindOf(err) == krama.Tampered && err != nil {
			r.Close()
			replica.Wipe(r.Dir)
			return hint{err, "begin again on both sides"}
		}
		if err != nil && krama.KindOf(err) != krama.Offline {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err())
		case <-time.After(joinEvery):
		}
	}
	fmt.Fprintln(e.err, "hint: krama desk --data", dir)
	return nil
}
