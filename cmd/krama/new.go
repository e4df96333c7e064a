package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"krama"
	"krama/replica"
	"krama/seal/words"
)

var newCommand = command{"new", "found a programme on this computer", `Usage: krama new --relay URL --token TOKEN [--data DIR]

Founds a programme: this computer becomes its first admin device, and the circles for outreach,
clinical work, casework and safeguarding are made. The four words that lock it are printed once.

  --relay URL     the relay's address, as "krama serve" prints it
  --token TOKEN   the founding token of that relay
  --data DIR      the desk's folder (default: krama/desk in your configuration folder)
`, nil}

// newProgramme runs `krama new`.
func newProgramme(ctx context.Context, e *env, args []string) error {
	f := e.flags(newCommand)
	relay, token, data := f.String("relay", "", ""), f.String("token", "", ""), f.String("data", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	if err := cmp.Or(lacks(f, "relay", "token"), relayAddress("new", *relay)); err != nil {
		return err
	}
	dir, err := deskDir(*data)
	if err != nil {
		return err
	}
	// Never over a desk: its keys may be a programme's only ones.
	if _, err := os.Stat(filepath.Join(dir, "vault")); err == nil {
		return hasDesk("new", dir)
	}
	c := deskReplica(dir)
	// Drawn and not chosen: what people choose is guessed.
	words, err := words.Draw(c.Rand, words.Vault)
	if err != nil {
		return err
	}
	fmt.Fprintln(e.err, "making keys")
	r, err := replica.Create(c, strings.Join(words, " "))
	if err != nil {
		return err
	}
	defer r.Close()
	fmt.Fprintln(e.err, "founding at", *relay)
	if err := r.Admin().Found(ctx, strings.TrimRight(*relay, "/"), *token); err != nil {
		// Nobody has seen anything of this device (Admin.Found), so the folder is given back for the next try.
		r.Close()
		os.Remove(filepath.Join(dir, "vault"))
		os.Remove(filepath.Join(dir, "journal"))
		if krama.KindOf(err) == krama.NotAllowed {
			return hint{err, "the token is printed by krama serve at its first start and kept in its data folder"}
		}
		return hint{err, "is the relay running and reachable at " + *relay + "?"}
	}
	// Last, when there is a desk that they open. Standard output has nothing but these words.
	fmt.Fprintln(e.out, strings.Join(words, " "))
	fmt.Fprintln(e.err, "These four words open this desk. Learn them; they are not kept anywhere.")
	fmt.Fprintln(e.err, "hint: krama desk --data", dir)
	return nil
}
