package expr

import (
	"fmt"
	"strings"
)

// token is one word of an expression.
type token struct {
	kind tokenKind
	text string // of a quoted code what stands between its quotes
	at   int    // byte in the source
}

type tokenKind uint8

const (
	end    tokenKind = iota
	name             // a field, a form, a function, a code, or a word of the language
	number           // 12 or 12.5
	quoted           // 'under-15': a code that could not stand alone
	sign             // one of the signs below
)

// signs, the longest first: <= is one sign and not two.
var signs = []string{"...", "<=", ">=", "!=", "=", "<", ">", "+", "-", "*", "/", "(", ")", "{", "}", ",", ".", "…"}

// MaxSource bounds an expression, in bytes: nobody reads a longer one.
const MaxSource = 2048

// words splits a source. A hyphen between two letters belongs to a name, as in trans-woman, so that a minus needs a
// space.
func words(src string) (out []token, err error) {
	if len(src) > MaxSource {
		return nil, &Error{0, fmt.Sprintf("longer than %d bytes", MaxSource)}
	}
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case letter(c):
			j := i + 1
			for j < len(src) && (letter(src[j]) || digit(src[j]) || src[j] == '-' && j+1 < len(src) &&
				(letter(src[j+1]) || digit(src[j+1]))) {
				j++
			}
			out = append(out, token{name, src[i:j], i})
			i = j
		case digit(c):
			j := i
			for j < len(src) && digit(src[j]) {
				j++
			}
			if j+1 < len(src) && src[j] == '.' && digit(src[j+1]) {
				for j++; j < len(src) && digit(src[j]); {
					j++
				}
			}
			if j < len(src) && letter(src[j]) {
				return nil, &Error{i, "a number runs into a word"}
			}
			out = append(out, token{number, src[i:j], i})
			i = j
		case c == '\'':
			n := strings.IndexByte(src[i+1:], '\'')
			if n < 0 {
				return nil, &Error{i, "a quote that does not end"}
			}
			out = append(out, token{quoted, src[i+1 : i+1+n], i})
			i += n + 2
		default:
			s := ""
			for _, s = range signs {
				if strings.HasPrefix(src[i:], s) {
					break
				}
				s = ""
			}
			if s == "" {
				return nil, &Error{i, "a sign that the language does not have"}
			}
			t := token{sign, s, i}
			if s == "…" {
				t.text = "..."
			}
			out = append(out, t)
			i += len(s)
		}
	}
	return append(out, token{end, "", len(src)}), nil
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// Error is what is wrong with an expression, and where.
type Error struct {
	At  int    // byte in the source
	Why string // a sentence for whoever writes forms
}

func (e *Error) Error() string { return fmt.Sprintf("at %d: %s", e.At, e.Why) }
