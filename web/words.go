package web

import "io"

// DrawPhrase draws n words from the same list as DrawWords, each equally likely: 12.9 bits a word.
func DrawPhrase(rand io.Reader, n int) ([]string, error) {
	var out []string
	for len(out) < n {
		w, err := DrawWords(rand)
		if err != nil {
			return nil, err
		}
		out = append(out, w...)
	}
	return out[:n], nil
}
