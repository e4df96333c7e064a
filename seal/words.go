package seal

import (
	_ "embed"
	"io"
	"strings"

	"krama"
)

//go:embed words.txt
var wordText string

// VaultWords is how many words lock a vault: 4 of 7,776 (EFF large list), 51.7 bits.
const VaultWords = 4

// WordList is what words are drawn from, in alphabetical order.
func WordList() []string { return strings.Fields(wordText) }

// DrawWords draws n words of the list, each equally likely: 12.9 bits a word.
func DrawWords(rand io.Reader, n int) ([]string, error) {
	list := WordList()
	var out []string
	for len(out) < n {
		var b [2]byte
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return nil, krama.Wrap("seal.DrawWords", err)
		}
		if i := int(b[0])<<8 | int(b[1]); i < 65536/len(list)*len(list) { // no word is likelier than another
			out = append(out, list[i%len(list)])
		}
	}
	return out, nil
}
