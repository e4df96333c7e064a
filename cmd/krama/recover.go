package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"krama"
	"krama/replica"
	"krama/seal"
	"krama/web"
)

var recoverCommand = command{"recover", "bring a programme back with trustees' cards", `Usage: krama recover [--data DIR] [--relay URL] [--admin-alive]

When every desk and phone is lost. Reads the texts of enough trustees' cards from standard input,
one a line, and makes this computer a new admin's desk. What the relay holds, or a restored backup
of it, is all that is needed besides. The four words of the new desk are printed once.

Do it with the trustees beside you, on a computer you trust: while it runs, their cards together
are the key to everything. Afterwards destroy the cards and choose trustees anew.

  --data DIR      the new desk's folder (default: krama/desk in your configuration folder)
  --relay URL     the relay's address, if it is no longer the one on the cards
  --admin-alive   an admin may still be alive: the desk waits 72 hours before it may act, and she
                  can refuse it by removing it
`, nil}

func recoverProgramme(ctx context.Context, e *env, args []string) error {
	f := e.flags(recoverCommand)
	data, relay, alive := f.String("data", "", ""), f.String("relay", "", ""), f.Bool("admin-alive", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	dir, err := deskDir(*data)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "vault")); err == nil {
		return hint{krama.E("recover", krama.Conflict, "this folder holds a desk already"), "open it with: krama desk --data " + dir}
	}
	fmt.Fprintln(e.err, "cards, one a line, then an empty line:")
	var cards []seal.Card
	in := bufio.NewScanner(e.in)
	for in.Scan() && strings.TrimSpace(in.Text()) != "" {
		c, err := seal.ParseCard(in.Text())
		if err != nil {
			return hint{krama.E("recover", krama.Invalid, fmt.Sprintf("line %d is not the text of a card", len(cards)+1)), "a card's text is three parts with two points between them; spaces do not matter"}
		}
		cards = append(cards, c)
		fmt.Fprintf(e.err, "card %d of %d; %d are needed\n", c.Share.X, c.Share.N, c.Share.K)
	}
	if len(cards) == 0 || len(cards) < int(cards[0].Share.K) {
		return hint{krama.E("recover", krama.Invalid, "too few cards"), "one card less than needed says nothing at all"}
	}
	c := deskReplica(dir)
	words, err := web.DrawWords(c.Rand)
	if err != nil {
		return err
	}
	r, err := replica.Create(c, strings.Join(words, " "))
	if err != nil {
		return err
	}
	defer r.Close()
	shown := replica.Stage("")
	err = r.Recover(ctx, cards, strings.TrimRight(*relay, "/"), !*alive, func(p replica.Progress) {
		if p.Stage != shown {
			fmt.Fprintln(e.err, "recovering:", p.Stage)
			shown = p.Stage
		}
	})
	if err != nil {
		if r.State() != replica.Enrolled { // nobody has seen anything of this device
			r.Close()
			replica.Wipe(c.Dir)
		}
		switch krama.KindOf(err) {
		case krama.Offline:
			return hint{err, "is the relay running and reachable? if it has another address now, give it with --relay"}
		case krama.NotFound, krama.CannotDecrypt:
			return hint{err, "a card may be of earlier trustees, or the relay's backup older than the cards"}
		}
		return err
	}
	fmt.Fprintln(e.out, strings.Join(words, " "))
	fmt.Fprintln(e.err, "These four words open this desk. Learn them; they are not kept anywhere.")
	fmt.Fprintln(e.err, "hint: krama desk --data "+dir+"; then remove the lost devices, choose trustees anew, and enrol phones")
	return nil
}
