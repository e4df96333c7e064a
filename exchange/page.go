package exchange

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"krama"
)

// files are the page around an archive, its words and the codebook, in the program itself.
//
//go:embed page
var files embed.FS

// pageWords are the words of the archive's page in every language. "page" stands outside the seal and says no more than
// that this is a sealed archive; "inside" is sealed with what it names.
type pageWords struct {
	Columns map[string][][2]string       `json:"columns"` // by kind, in order: field, key of its heading
	Page    map[string]map[string]string `json:"page"`
	Inside  map[string]map[string]string `json:"inside"`
}

// loadWords reads the words of the archive's own page.
func loadWords() (w pageWords, err error) {
	b, err := files.ReadFile("page/words.json")
	if err == nil {
		err = json.Unmarshal(b, &w)
	}
	return w, krama.Wrap("exchange.loadWords", err)
}

// Page is the page around every archive of this version, up to the archive's first line. It is the same for all of
// them: it holds nothing of what is sealed.
func Page() ([]byte, error) {
	w, err := loadWords()
	if err != nil {
		return nil, err
	}
	catalogue, err := json.Marshal(w.Page) // escapes what could end a script
	if err != nil {
		return nil, krama.Wrap("exchange.Page", err)
	}
	var part [3]string
	for i, name := range []string{"page.html", "page.css", "page.js"} {
		b, err := files.ReadFile("page/" + name)
		if err != nil {
			return nil, krama.Wrap("exchange.Page", err)
		}
		part[i] = string(b)
	}
	// The page runs its own script and style, by their hashes, and loads and sends nothing: the words are typed into
	// it.
	policy := fmt.Sprintf(
		"default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'; "+
			"require-trusted-types-for 'script'; trusted-types 'none'",
		digest(part[2]), digest(part[1]))
	return []byte(strings.NewReplacer("{{policy}}", policy, "{{style}}", part[1], "{{script}}", part[2], "{{words}}",
		string(catalogue)).Replace(part[0])), nil
}

// digest is how a content security policy names an inline script or style.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// insideWords is the line that names what is inside in the reader's language.
func insideWords() any {
	w, _ := loadWords() // Page has read them
	return struct {
		Kind    string                       `json:"kind"`
		Columns map[string][][2]string       `json:"columns"`
		Words   map[string]map[string]string `json:"words"`
	}{"words", w.Columns, w.Inside}
}
