package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"

	"krama"
)

// An archive opens by words. Where whoever takes it out must not be able to open it, the words are sealed to a key of the recipient's, in
// the format of age (age-encryption.org/v1), which other programs open too; nobody sees them here.

var recipientCommand = command{"recipient", "make a key for somebody who is to receive an archive", `Usage: krama recipient --to FILE

Makes a key on the computer of somebody who will hold an archive: FILE, which stays there, and
FILE.pub, which she gives to the programme. "krama export --seal-to FILE.pub" then writes an archive
that only FILE opens. Whoever has FILE can open it; without FILE nobody can.

  --to FILE   the file to write; it must not exist
`, nil}

// maxKeyFile bounds what is read of a key's file.
const maxKeyFile = 64 << 10

// sealedWords is where an archive's words lie when they are sealed to a recipient.
func sealedWords(archive string) string { return archive + ".words.age" }

func recipientRun(_ context.Context, e *env, args []string) error {
	f := e.flags(recipientCommand)
	to := f.String("to", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	if *to == "" {
		f.Usage()
		return errUsage
	}
	for _, name := range []string{*to, *to + ".pub"} {
		if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
			return hint{krama.E("recipient", krama.Conflict, "--to, or --to with .pub, exists already, or cannot be looked at"), "name a file that does not exist"}
		}
	}
	key, err := age.GenerateHybridIdentity()
	if err != nil {
		return krama.Wrap("recipient", err)
	}
	if err := writeLine(*to, key.String()); err != nil {
		return err
	}
	if err := writeLine(*to+".pub", key.Recipient().String()); err != nil {
		return err
	}
	fmt.Fprintln(e.err, "wrote the key, and the file that ends in .pub")
	fmt.Fprintln(e.err, "hint: give the programme the .pub file, by hand or over a way that you know is theirs; the other one stays here")
	return nil
}

func writeLine(to, s string) error {
	return replace(to, func(w io.Writer) error { _, err := fmt.Fprintln(w, s); return err })
}

// readKeyFile reads a small file of keys.
func readKeyFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, plainError("export", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, plainError("export", err)
	}
	if len(b) > maxKeyFile {
		return nil, krama.E("export", krama.Invalid, "a key's file is small")
	}
	return b, nil
}

// recipients reads whom to seal to: a .pub file, of krama recipient or of age. Somebody's own key given by mistake is refused.
func recipients(name string) ([]age.Recipient, error) {
	b, err := readKeyFile(name)
	if err != nil {
		return nil, hint{err, "name the .pub file that the recipient gave you"}
	}
	if bytes.Contains(b, []byte("SECRET-KEY")) {
		return nil, hint{krama.E("export", krama.Invalid, "this is a key, and it must not leave its owner"), "ask her for the file that ends in .pub, and for a new one: this one has been given away"}
	}
	list, err := age.ParseRecipients(bytes.NewReader(b))
	if err != nil || len(list) == 0 {
		return nil, hint{krama.E("export", krama.Invalid, "--seal-to is no recipient's file"), "name the .pub file that the recipient gave you"}
	}
	return list, nil
}

// sealWords writes an archive's words for the recipients, durable when it returns.
func sealWords(archive, words string, to []age.Recipient) error {
	return replace(sealedWords(archive), func(w io.Writer) error {
		s, err := age.Encrypt(w, to...)
		if err == nil {
			_, err = io.WriteString(s, words+"\n")
		}
		if err == nil {
			err = s.Close()
		}
		return err
	})
}

// openWords reads an archive's words with a recipient's key.
func openWords(archive, key string) (string, error) {
	b, err := readKeyFile(key)
	if err != nil {
		return "", hint{err, "name the file that krama recipient wrote, not the one that ends in .pub"}
	}
	ids, err := age.ParseIdentities(bytes.NewReader(b))
	if err != nil || len(ids) == 0 {
		return "", hint{krama.E("export", krama.Invalid, "--key is no recipient's key"), "name the file that krama recipient wrote, not the one that ends in .pub"}
	}
	sealed, err := readKeyFile(sealedWords(archive))
	if err != nil {
		return "", hint{err, "the file that ends in .words.age must lie beside the archive"}
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), ids...)
	var words []byte
	if err == nil {
		words, err = io.ReadAll(io.LimitReader(r, maxKeyFile))
	}
	if err != nil {
		return "", hint{krama.E("export", krama.CannotDecrypt, "the words are sealed to another key, or were changed"), "nothing was lost; try the other keys you have"}
	}
	return strings.TrimSpace(string(words)), nil
}
