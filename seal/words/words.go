// Package words draws the words that open vaults and archives. It is apart from seal, so that what needs no words does
// not carry them.
package words

import (
	_ "embed"
	"io"
	"strings"

	"krama"
)

//go:embed words.txt
var wordText string

// Vault is how many words lock a vault: 4 of 7,776 (EFF large list), 51.7 bits.
const Vault = 4

// List is what words are drawn from, in alphabetical order.
func List() []string { return strings.Fields(wordText) }

// Draw draws n words of the list, each equally likely: 12.9 bits a word.
func Draw(rand io.Reader, n int) ([]string, error) {
	list := List()
	var out []string
	for len(out) < n {
		var b [2]byte
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return nil, krama.Wrap("words.Draw", err)
		}
		if i := int(b[0])<<8 | int(b[1]); i < 65536/len(list)*len(list) { // no word is likelier than another
			out = append(out, list[i%len(list)])
		}
	}
	return out, nil
}
