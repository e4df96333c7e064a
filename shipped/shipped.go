// Package shipped reads the JSON files that the program carries: catalogues and the guide. People edit them;
// encoding/json would add 40 kB to what a phone downloads, to read files that a test has already read.
package shipped

import (
	"bytes"
	"errors"
	"strconv"
)

// Object is a JSON object. Its values are string, int64, []any and Object.
type Object map[string]any

// Text returns a string, or "" when the key holds none.
func (o Object) Text(key string) string { s, _ := o[key].(string); return s }

// Number returns a whole number, or 0 when the key holds none.
func (o Object) Number(key string) int64 { n, _ := o[key].(int64); return n }

// List returns a list, or nil when the key holds none.
func (o Object) List(key string) []any { l, _ := o[key].([]any); return l }

// Read reads one object. It refuses what the shipped files do without: fractions, true, false and null, and the escapes
// that Go's strings do not have.
func Read(b []byte) (Object, error) {
	r := reader{b: b}
	v, err := r.value()
	o, ok := v.(Object)
	if err != nil || !ok || r.next() != 0 {
		return nil, errors.Join(err, errors.New("shipped: not one object of text, whole numbers, lists and objects"))
	}
	return o, nil
}

var errShape = errors.New("shipped: unexpected character")

// reader reads what is left of a file. deep is how many brackets are open.
type reader struct {
	b    []byte
	deep int
}

// maxDeep bounds brackets within brackets: a file that somebody sends must not use up the stack.
const maxDeep = 32

// next returns the next byte that is not space, and 0 at the end.
func (r *reader) next() byte {
	if r.b = bytes.TrimLeft(r.b, " \t\r\n"); len(r.b) == 0 {
		return 0
	}
	return r.b[0]
}

// skip steps over one byte when it is c.
func (r *reader) skip(c byte) bool {
	if r.next() != c {
		return false
	}
	r.b = r.b[1:]
	return true
}

func (r *reader) value() (any, error) {
	if r.deep++; r.deep > maxDeep {
		return nil, errShape
	}
	defer func() { r.deep-- }()
	switch r.next() {
	case '{':
		o := Object{}
		err := r.items('}', func() error {
			k, err := r.text()
			if err != nil || !r.skip(':') {
				return errShape
			}
			if _, twice := o[k]; twice {
				return errShape
			}
			o[k], err = r.value()
			return err
		})
		return o, err
	case '[':
		l := []any{}
		err := r.items(']', func() error {
			v, err := r.value()
			l = append(l, v)
			return err
		})
		return l, err
	case '"':
		return r.text()
	}
	n := len(r.b) - len(bytes.TrimLeft(r.b, "-0123456789"))
	v, err := strconv.ParseInt(string(r.b[:n]), 10, 64)
	r.b = r.b[n:]
	return v, err
}

// items reads what stands between two brackets.
func (r *reader) items(end byte, item func() error) error {
	r.b = r.b[1:]
	if r.skip(end) {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if r.skip(end) {
			return nil
		}
		if !r.skip(',') {
			return errShape
		}
	}
}

func (r *reader) text() (string, error) {
	if r.next() != '"' {
		return "", errShape
	}
	for i := 1; i < len(r.b); i++ {
		switch r.b[i] {
		case '\\':
			i++
		case '"':
			s, err := strconv.Unquote(string(r.b[:i+1]))
			r.b = r.b[i+1:]
			return s, err
		}
	}
	return "", errShape
}
