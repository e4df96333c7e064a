package krama

import (
	"io"
	"strings"
)

// Code is the short name of a person that people say and write: five random Crockford characters and one check
// character, shown as K7-3MQ-9. It says nothing about her and is unique within a programme as far as a device can see.
//
// The check character makes the weighted sum of all six, over the field of 32 elements, zero. The weights are distinct
// and not zero, so every single wrong character and every exchange of two characters is detected.
type Code string

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewCode draws a code from rand.
func NewCode(rand io.Reader) (Code, error) {
	c, err := drawChecked(rand, 6)
	return Code(c), Wrap("krama.NewCode", err)
}

// ParseCode reads what a person typed: any case, with or without dashes and spaces, O for 0 and I or L for 1.
// A code with one wrong character or two exchanged ones is Invalid.
func ParseCode(s string) (Code, error) {
	d, ok := crockfordDigits(s, 6)
	if !ok {
		return "", E("krama.ParseCode", Invalid, "a code has six characters")
	}
	c, ok := checked(d)
	if !ok {
		return "", E("krama.ParseCode", Invalid, "the check character does not fit")
	}
	return Code(c), nil
}

// drawChecked draws n characters, the last of which checks the others.
func drawChecked(rand io.Reader, n int) (string, error) {
	d := make([]byte, n)
	if _, err := io.ReadFull(rand, d[:n-1]); err != nil {
		return "", err
	}
	for i := range d {
		d[i] &= 31
	}
	d[n-1] = checkDigit(d[:n-1])
	s, _ := checked(d)
	return s, nil
}

// checked writes digits as characters, and reports whether the last one checks the others.
func checked(d []byte) (string, bool) {
	b := make([]byte, len(d))
	for i, v := range d {
		b[i] = crockford[v]
	}
	last := len(d) - 1
	return string(b), checkDigit(d[:last]) == d[last]
}

// checkDigit is the weighted sum of digits; its own weight is 1.
func checkDigit(d []byte) (sum byte) {
	for i, v := range d {
		sum ^= gf32Mul(v, byte(i+2))
	}
	return sum
}

// crockfordDigits reads n characters as a person types them.
func crockfordDigits(s string, n int) ([]byte, bool) {
	var d []byte
	for _, r := range strings.ToUpper(Plain(s)) {
		switch r {
		case '-', ' ', '\n', '\r':
			continue
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		i := strings.IndexRune(crockford, r)
		if i < 0 || len(d) == n {
			return nil, false
		}
		d = append(d, byte(i))
	}
	return d, len(d) == n
}

// String shows the code in its groups: K7-3MQ-9.
func (c Code) String() string {
	if len(c) != 6 {
		return string(c)
	}
	return string(c[:2] + "-" + c[2:5] + "-" + c[5:])
}

// gf32Mul multiplies in GF(2^5) with the polynomial x^5+x^2+1.
func gf32Mul(a, b byte) byte {
	var p byte
	for range 5 {
		if b&1 == 1 {
			p ^= a
		}
		b >>= 1
		a <<= 1
		if a&32 != 0 {
			a ^= 0x25
		}
	}
	return p
}
