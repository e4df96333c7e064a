package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

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

// What is read of files that other people made. A programme has one recipient, or few; sixteen keys, and words that are
// sealed to sixteen, stay well below maxKeyFile.
const (
	maxKeyFile    = 64 << 10 // what is read of a key's file or of sealed words
	maxRecipients = 16
)

// sealedWords is where an archive's words lie when they are sealed to a recipient.
func sealedWords(archive string) string { return archive + ".words.age" }

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

// keyDigits are four groups of five digits that name a recipient's key by voice.
func keyDigits(recipient string) string {
	// Twenty digits: whoever wants another key with the same ones has to draw about 10^20.
	sum := sha256.Sum256([]byte("krama recipient digits\n" + recipient))
	var out []string
	for i := range 4 {
		out = append(out, fmt.Sprintf("%05d", binary.BigEndian.Uint64(sum[8*i:])%100_000))
	}
	return strings.Join(out, " ")
}

// readSmall reads a file of keys or of sealed words.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, plainError("export", err)
	}
	defer f.Close()
	// One byte beyond the bound tells too large from just fitting. A name that was mistaken may be an archive's.
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, plainError("export", err)
	}
	if len(b) > maxKeyFile {
		return nil, krama.E("export", krama.Invalid, "the file is too large for what it should be")
	}
	return b, nil
}

// keyLines are the lines of a key's file, as they are after a mail program has had it.
func keyLines(b []byte) (out []string) {
	for line := range strings.Lines(strings.TrimPrefix(string(b), "\ufeff")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// sealTo is whom an archive's words are sealed to.
// The zero value is nobody: the words are then shown to whoever writes the archive. digits has an entry for each key,
// in the order of the file, to be compared by telephone.
type sealTo struct {
	keys   []age.Recipient
	digits []string
}

// recipients reads whom to seal to: a .pub file, of krama recipient or of age. Somebody's own key given by mistake is
// refused, and so is what could not be sealed to.
func recipients(name string) (to sealTo, err error) {
	const whose = "name the .pub file that the recipient gave you"
	b, err := readSmall(name)
	if err != nil {
		return to, hint{err, whose}
	}
	lines := keyLines(b)
	// Even beside a public key: whoever carried the file here could read the secret one, and open the archive with it.
	if bytes.Contains(b, []byte("SECRET-KEY")) {
		return to, hint{krama.E("export", krama.Invalid, "this is a key, and it must not leave its owner"),
			"it has been given away: ask her to make a new one, and for the file that ends in .pub alone"}
	}
	to.keys, err = age.ParseRecipients(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil || len(lines) == 0 {
		return to, hint{krama.E("export", krama.Invalid, "--seal-to is no recipient's file"), whose}
	}
	if len(lines) > maxRecipients {
		return to, hint{krama.E("export", krama.TooLarge, "too many recipients"),
			fmt.Sprintf("a file holds at most %d keys", maxRecipients)}
	}
	// Tried before a desk is unlocked: age takes no keys that withstand quantum computers together with some that do
	// not.
	if _, err := age.Encrypt(io.Discard, to.keys...); err != nil {
		return to, hint{krama.E("export", krama.Invalid, "the keys in it cannot be used together"),
			"ask for a file of one key"}
	}
	for _, l := range lines {
		to.digits = append(to.digits, keyDigits(l))
	}
	return to, nil
}

// write seals an archive's words to the recipients and keeps them beside it.
func (to sealTo) write(archive, words string) error {
	// Sealed in memory first: where sealing fails, no file is begun.
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to.keys...)
	if err == nil {
		_, err = io.WriteString(w, words+"\n")
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return krama.Wrap("export", err)
	}
	return writeNew("export", sealedWords(archive), b.Bytes())
}

// openWords reads an archive's words with a recipient's key.
func openWords(archive, key string) (string, error) {
	const which = "name the file that krama recipient wrote, not the one that ends in .pub"
	b, err := readSmall(key)
	if err != nil {
		return "", hint{err, which}
	}
	ids, err := age.ParseIdentities(strings.NewReader(strings.Join(keyLines(b), "\n")))
	if err != nil || len(ids) == 0 {
		return "", hint{krama.E("export", krama.Invalid, "--key is no recipient's key"), which}
	}
	// Found by the archive's name: where one of the two was renamed on its way, the hint says how they must be called.
	sealed, err := readSmall(sealedWords(archive))
	if err != nil {
		return "", hint{err,
			"the sealed words must lie beside the archive under its name, as kept.html.words.age beside kept.html"}
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), ids...)
	var words []byte
	if err == nil {
		words, err = io.ReadAll(io.LimitReader(r, maxKeyFile))
	}
	if err != nil {
		return "", hint{krama.E("export", krama.CannotDecrypt, "the words are sealed to another key, or were changed"),
			"nothing was lost; try the other keys you have"}
	}
	return strings.TrimSpace(string(words)), nil
}
