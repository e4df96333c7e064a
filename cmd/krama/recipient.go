package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"filippo.io/age"

	"krama"
)

// An archive opens by words. Where whoever takes it out must not be able to open it, the words are sealed to a key of
// the recipient's, in the format of age (age-encryption.org/v1), which other programs open too; nobody sees them here.

var recipientCommand = command{"recipient", "make a key for somebody who is to receive an archive", `Usage: krama recipient --to FILE

Makes a key on the computer of somebody who will hold an archive: FILE, which stays there, and
FILE.pub, which she gives to the programme. "krama export --seal-to FILE.pub" then writes an archive
whose words only FILE opens. FILE has no password of its own: whoever has it can open the archive,
and without it nobody can. The digits that are shown are compared by telephone with those that the
export shows: a file that somebody exchanged on its way has others.

  --to FILE   the file to write; it must not exist
`, nil}

// recipientRun runs `krama recipient`.
func recipientRun(_ context.Context, e *env, args []string) error {
	f := e.flags(recipientCommand)
	to := f.String("to", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	if err := lacks(f, "to"); err != nil {
		return err
	}
	// Both names, before a key is drawn: an old .pub beside a new key would have archives sealed to a key that nobody
	// here has.
	for _, name := range []string{*to, *to + ".pub"} {
		if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
			return hint{krama.E("recipient", krama.Conflict,
				"--to, or --to with .pub, exists already, or cannot be looked at"),
				"name a file that does not exist; a key without its .pub was never used and can be removed"}
		}
	}
	key, err := age.GenerateHybridIdentity()
	if err != nil {
		return krama.Wrap("recipient", err)
	}
	pub := key.Recipient().String()
	// The key before its .pub: killed in between, nothing has been given away yet, and the hint above says what to
	// remove.
	if err := writeNew("recipient", *to, []byte(key.String()+"\n")); err != nil {
		return hint{err, "name a file in a folder that exists and that you may write to"}
	}
	if err := writeNew("recipient", *to+".pub", []byte(pub+"\n")); err != nil {
		os.Remove(*to)
		return err
	}
	// The digits go by voice because the file goes by mail: whoever exchanges it on its way cannot exchange them.
	fmt.Fprintf(e.err, "wrote the key, and the file that ends in .pub\ndigits of the key: %s\n", keyDigits(pub))
	fmt.Fprintln(e.err,
		"hint: give the programme the .pub file and compare the digits by telephone; the other file stays here")
	return nil
}

// writeNew makes a small file of one owner's that was not there, durable when it returns.
func writeNew(op, to string, b []byte) error {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return plainError(op, err)
	}
	// Half a file is removed again: under its name it would be taken for a whole key.
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(to)
		return plainError(op, err)
	}
	if dir, err := os.Open(filepath.Dir(to)); err == nil { // the name must outlive a power cut too
		dir.Sync()
		dir.Close()
	}
	return nil
}
