package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"

	"krama"
)

// Archives sealed to keys of their recipients (age), and the files that hold such keys.

// What is read of files that other people made. A programme has one recipient, or few; sixteen keys, and words that are
// sealed to sixteen, stay well below maxKeyFile.
const (
	maxKeyFile    = 64 << 10 // what is read of a key's file or of sealed words
	maxRecipients = 16
)

// sealTo is whom an archive's words are sealed to.
// The zero value is nobody: the words are then shown to whoever writes the archive. digits has an entry for each key,
// in the order of the file, to be compared by telephone.
type sealTo struct {
	keys   []age.Recipient
	digits []string
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

// sealedWords is where an archive's words lie when they are sealed to a recipient.
func sealedWords(archive string) string { return archive + ".words.age" }

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
