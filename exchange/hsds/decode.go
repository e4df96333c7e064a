package hsds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"krama"
)

// readAll takes at most max bytes of UTF-8, or of UTF-16 with its mark, as spreadsheets write it.
func readAll(op string, r io.Reader, max int64) ([]byte, error) {
	// One byte more than is allowed, to tell a text that ends at the bound from one that goes on.
	b, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, &krama.Error{Op: op, Kind: krama.Invalid, Why: "it cannot be read to its end", Err: err}
	}
	if int64(len(b)) > max {
		return nil, krama.E(op, krama.TooLarge, fmt.Sprintf("more than %d bytes", max))
	}
	// As UTF-8 it may be half as long again, no more.
	if wide, ok := utf16Text(b); ok {
		b = wide
	}
	if !utf8.Valid(b) {
		return nil, krama.E(op, krama.Invalid, "not UTF-8, or UTF-16 with its mark: save it as UTF-8")
	}
	return bytes.TrimPrefix(b, []byte("\ufeff")), nil
}

// utf16Text turns UTF-16 of either order into UTF-8, where a mark says that it is that and all of it is.
func utf16Text(b []byte) (text []byte, ok bool) {
	if !bytes.HasPrefix(b, []byte{0xff, 0xfe}) && !bytes.HasPrefix(b, []byte{0xfe, 0xff}) {
		return nil, false
	}
	text, err := unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder().Bytes(b)
	return text, err == nil && !bytes.ContainsRune(text, utf8.RuneError)
}

// A decoder reads JSON text that json.Valid accepts, and refuses what encoding/json would mend in silence: a name twice
// in one object (it keeps the last) and half of a surrogate pair (it writes U+FFFD).
type decoder struct {
	op      string
	objects int // how many more there may be
	json    *json.Decoder
}

// decode reads one text into the values that Object lists.
func (d *decoder) decode(b []byte) (any, error) {
	if loneSurrogate(b) {
		return nil, krama.E(d.op, krama.Invalid, "half of a surrogate pair")
	}
	d.json = json.NewDecoder(bytes.NewReader(b))
	d.json.UseNumber()
	return d.value(0)
}

// value reads the next value. depth is how many arrays and objects it lies in: each takes a call, and a text of nothing
// but brackets must not use up the stack.
func (d *decoder) value(depth int) (any, error) {
	tok, err := d.json.Token()
	if err != nil {
		return nil, &krama.Error{Op: d.op, Kind: krama.Invalid, Why: "not JSON", Err: err}
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return tok, nil
	}
	if depth == MaxDepth {
		return nil, krama.E(d.op, krama.TooLarge, fmt.Sprintf("more than %d arrays and objects inside each other",
			MaxDepth))
	}
	if delim == '[' {
		list := []any{}
		for d.json.More() {
			v, err := d.value(depth + 1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.json.Token()
		return list, err
	}
	// An object takes far more memory than the two letters that an empty one is written with.
	if d.objects--; d.objects < 0 {
		return nil, krama.E(d.op, krama.TooLarge, fmt.Sprintf("more than %d objects", MaxObjects))
	}
	o := Object{}
	for d.json.More() {
		name, err := d.json.Token()
		if err != nil {
			return nil, &krama.Error{Op: d.op, Kind: krama.Invalid, Why: "not JSON", Err: err}
		}
		key := name.(string)
		// Of two values one program takes the first and another the last: they would read two directories.
		if _, twice := o[key]; twice {
			return nil, krama.E(d.op, krama.Invalid, "a name twice in one object: "+quote(key))
		}
		if o[key], err = d.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err = d.json.Token()
	return o, err
}

// loneSurrogate finds a \uD800–\uDFFF escape that is not a half of a pair. b is valid JSON, so a backslash is always
// the start of an escape inside a string.
func loneSurrogate(b []byte) bool {
	unit := func(i int) uint64 { // of the escape at i, or 0
		if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
			return 0
		}
		u, _ := strconv.ParseUint(string(b[i+2:i+6]), 16, 16)
		return u
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		u := unit(i)
		if 0xd800 <= u && u < 0xe000 {
			if low := unit(i + 6); u >= 0xdc00 || low < 0xdc00 || low >= 0xe000 {
				return true
			}
			i += 6
		}
		i++ // the escaped character is no start of another escape
	}
	return false
}

// encode writes v as JSON; indent is "" for one line. It ends with a newline.
func encode(op string, v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, &krama.Error{Op: op, Kind: krama.Invalid, Why: "a value that JSON has no form for", Err: err}
	}
	if b.Len() > MaxBytes {
		return nil, krama.E(op, krama.TooLarge, fmt.Sprintf("more than %d bytes", MaxBytes))
	}
	return b.Bytes(), nil
}

// quote makes a name from a hostile file safe and short enough to print.
func quote(name string) string {
	if len(name) > 60 {
		name = name[:60] + "…"
	}
	return strconv.QuoteToASCII(name)
}
