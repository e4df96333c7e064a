package krama

import "strings"

// Letters is how long a text is as a browser counts it for its maxlength, in units of UTF-16: a Khmer or Latin letter
// or mark is one, most emoji are two. It is the one unit that people are told; a letter takes at most three bytes of
// UTF-8.
func Letters(s string) (n int) {
	for _, r := range s {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}

// Line is a text on one line, without what would hide or reorder it. What Khmer has between words without showing it
// stays.
func Line(s string) string { return strings.Join(strings.Fields(visible(s, false)), " ") }

// Lines is a text of many lines, without what would hide or reorder it: every such character is a space.
func Lines(s string) string { return visible(s, true) }

// visible makes spaces of control characters, of what no program could read, and of what turns the reading direction.
func visible(s string, lines bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case lines && r == '\n':
			return r
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0xfffd, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return ' '
		}
		return r
	}, s)
}

// Clip is the beginning of a text, of at most max letters, without spaces at its end.
func Clip(s string, max int) string {
	n := 0
	for i, r := range s {
		if n++; r > 0xffff {
			n++
		}
		if n > max {
			return strings.TrimSpace(s[:i])
		}
	}
	return s
}

// Plain is a text as it was meant where digits or a code are typed: the digits of Khmer and of full-width keyboards
// become 0 to 9, what is not seen is left out, and every dash is "-", every space " ".
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '០' && r <= '៩':
			return '0' + r - '០'
		case r >= '０' && r <= '９':
			return '0' + r - '０'
		case r >= 'Ａ' && r <= 'Ｚ':
			return 'A' + r - 'Ａ'
		case r >= 'ａ' && r <= 'ｚ':
			return 'a' + r - 'ａ'
		case r >= 0x2010 && r <= 0x2015, r == 0x2212, r == 0xfe58, r == 0xfe63, r == 0xff0d:
			return '-'
		case r == 0xa0, r >= 0x2000 && r <= 0x200a, r == 0x202f, r == 0x205f, r == 0x3000, r == '\t':
			return ' '
		case r == 0xad, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff:
			return -1
		}
		return r
	}, s)
}
