package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"krama"
	"krama/replica"
	"krama/seal"
	"krama/seal/words"
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

// recoverProgramme runs `krama recover`.
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
	// A desk that is there may hold what no card brings back, such as the safeguarding circle.
	if _, err := os.Stat(filepath.Join(dir, "vault")); err == nil {
		return hasDesk("recover", dir)
	}
	fmt.Fprintln(e.err, "cards, one a line, then an empty line:")
	var cards []seal.Card
	// The cards end with an empty line or with the input, so that they can be typed or piped in.
	in := bufio.NewScanner(e.in)
	for in.Scan() && strings.TrimSpace(in.Text()) != "" {
		c, err := seal.ParseCard(in.Text())
		if err != nil {
			return hint{krama.E("recover", krama.Invalid, fmt.Sprintf("line %d is not the text of a card",
				len(cards)+1)), "a card's text is three parts with two points between them; spaces do not matter"}
		}
		cards = append(cards, c)
		// Said at each card and not at the end: the trustee who holds it is still in the room, and may have brought
		// another.
		var wrong *replica.WrongCards
		if errors.As(replica.CompareCards(cards), &wrong) && wrong.Fault[len(cards)-1] != 0 {
			// the others may be the wrong ones yet
			fmt.Fprintln(e.err, cardFaults[wrong.Fault[len(cards)-1]])
		}
		fmt.Fprintf(e.err, "card %d of %d; %d are needed\n", c.Share.X, c.Share.N, c.Share.K)
	}
	// By what the first card says. Whether they belong together, and to this programme, is found when they are used.
	if len(cards) == 0 || len(cards) < int(cards[0].Share.K) {
		return hint{krama.E("recover", krama.Invalid, "too few cards"), "one card less than needed says nothing at all"}
	}
	// From here on there is a device in the folder. While the roster does not list it, a failure destroys it again, and
	// a second try begins anew with other words. Killed before the end it stays, and the folder is removed by hand.
	c := deskReplica(dir)
	words, err := words.Draw(c.Rand, words.Vault)
	if err != nil {
		return err
	}
	r, err := replica.Create(c, strings.Join(words, " "))
	if err != nil {
		return err
	}
	defer r.Close()
	shown := replica.Stage("")
	// Without a living admin the desk acts at once. With one it waits, and any admin can remove it meanwhile: trustees
	// who were forced or fooled are found out in time.
	err = r.Newcomer().Recover(ctx, cards, strings.TrimRight(*relay, "/"), !*alive, func(p replica.Progress) {
		if p.Stage != shown {
			fmt.Fprintln(e.err, "recovering:", p.Stage)
			shown = p.Stage
		}
	})
	belongs := r.State() == replica.Enrolled
	if err != nil && !belongs { // nobody has seen anything of this device
		r.Close()
		replica.Wipe(c.Dir)
		var wrong *replica.WrongCards
		if errors.As(err, &wrong) {
			return hint{err, nameCards(e, cards, wrong)}
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
	if err != nil { // the roster has this desk: without the words nobody could ever open it
		return hint{err, "the desk is in the programme all the same: krama desk --data " + dir + ", and sync there"}
	}
	fmt.Fprintln(e.err, "hint: krama desk --data "+dir+
		"; then remove the lost devices, choose trustees anew, and enrol phones")
	return nil
}

// cardFaults are the sentences for what is wrong with one card.
var cardFaults = map[replica.CardFault]string{
	replica.CardRepeated:  "is the same as one before it",
	replica.CardElsewhere: "belongs to another programme than the others",
	replica.CardOtherSet:  "belongs to another set of trustees: an earlier one, whose cards should have been destroyed",
	replica.CardForged: "is not the card that was made: it says that it is of the present set, and its " +
		"commitment in the roster is another",
	replica.CardDoubted: "may be the wrong one",
}

// nameCards says what is wrong with each wrong card, and returns the next step. Lines count from the first that was
// given.
func nameCards(e *env, cards []seal.Card, wrong *replica.WrongCards) string {
	doubted := 0
	for _, i := range wrong.Places() {
		f := wrong.Fault[i]
		if f == replica.CardDoubted {
			doubted++
		}
		fmt.Fprintf(e.err, "line %d, card %d of %d: %s\n", i+1, cards[i].Share.X, cards[i].Share.N, cardFaults[f])
	}
	// Another card helps where nobody can tell which is the wrong one; where that is known, it is left out.
	switch {
	case doubted > 0 && krama.KindOf(wrong) == krama.Invalid:
		return "they are of different programmes or sets, and as many say one as the other: ask for one more card"
	case doubted > 0 && len(cards) == int(cards[0].Share.K):
		return "one of them is wrong, or the relay's backup is older than the cards: give one card more, and the " +
			"wrong one is named"
	case doubted > 0:
		return "no group of them opens anything: they are of earlier trustees, or the relay's backup is older than " +
			"the cards"
	}
	return "leave these out, give others in their place, and begin again; nothing was used"
}
