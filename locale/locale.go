// Package locale holds the words on screen in every language and prints them.
package locale

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"krama/shipped"
)

//go:embed *.json
var files embed.FS

// Languages, in the order of the menu. Drafts have not been reviewed by a native speaker; the menu says so.
var Languages = []Language{{"km", "ខ្មែរ", true}, {"vi", "Tiếng Việt", true}, {"en", "English", false}}

// Language is one language of the product.
type Language struct {
	Code  string
	Name  string // in itself
	Draft bool
}

// Message is one sentence: the form for one and for any other number. Most have only Other.
type Message struct{ One, Other string }

// Catalogue is every message of one language by key.
type Catalogue map[string]Message

var loaded sync.Map // language → Catalogue; parsed once, when first asked for

// Load reads a language's catalogue.
func Load(lang string) (Catalogue, error) {
	if c, ok := loaded.Load(lang); ok {
		return c.(Catalogue), nil
	}
	b, err := files.ReadFile(lang + ".json")
	if err != nil {
		return nil, fmt.Errorf("locale: no language %q", lang)
	}
	o, err := shipped.Read(b)
	if err != nil {
		return nil, fmt.Errorf("locale: %s: %w", lang, err)
	}
	c := make(Catalogue, len(o))
	for k := range o {
		if forms, ok := o[k].(shipped.Object); ok {
			c[k] = Message{forms.Text("one"), forms.Text("other")}
		} else {
			c[k] = Message{Other: o.Text(k)}
		}
	}
	loaded.Store(lang, c)
	return c, nil
}

// Printer prints in one language.
type Printer struct {
	Lang string
	c    Catalogue
}

// New returns a printer; an unknown language prints Khmer, the first language of the place.
func New(lang string) *Printer {
	c, err := Load(lang)
	if err != nil {
		lang = "km"
		c, _ = Load(lang)
	}
	return &Printer{lang, c}
}

// T prints a message with named arguments: T("home.due", "n", 3). The argument "n" chooses the plural form. A key that
// is missing prints itself, which a test makes impossible.
func (p *Printer) T(key string, args ...any) string {
	m, ok := p.c[key]
	if !ok {
		return key
	}
	s := m.Other
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == "n" && m.One != "" && fmt.Sprint(args[i+1]) == "1" {
			s = m.One
		}
	}
	for i := 0; i+1 < len(args); i += 2 {
		s = strings.ReplaceAll(s, "{"+args[i].(string)+"}", text(args[i+1]))
	}
	return s
}

// text writes whole numbers in groups of three, so that 20000 is read at a glance in every language.
func text(v any) string {
	switch n := v.(type) {
	case string:
		return n
	case int:
		return Number(int64(n))
	case int64:
		return Number(n)
	case uint64:
		return Number(int64(n))
	}
	return fmt.Sprint(v)
}

// Number groups digits by three with a narrow no-break space.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// Match returns the first language of ours in an Accept-Language header, or Khmer.
func Match(accept string) string {
	for part := range strings.SplitSeq(accept, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		for _, l := range Languages {
			if l.Code == base {
				return base
			}
		}
	}
	return "km"
}
