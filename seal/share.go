package seal

import (
	"io"

	"krama"
)

// Share is one trustee's part of a recovery seed.
type Share struct {
	Set     [4]byte
	K, N, X byte
	Y       [32]byte
}

// Split makes n shares of which any k recover the secret and k-1 say nothing. 2 <= k <= n <= 255.
func Split(rand io.Reader, secret [32]byte, set [4]byte, k, n int) ([]Share, error) {
	if k < 2 || n < k || n > 255 {
		return nil, krama.E("seal.Split", krama.Invalid, "2 <= k <= n <= 255")
	}
	rows := make([][32]byte, k-1)
	for i := range rows {
		if _, err := io.ReadFull(rand, rows[i][:]); err != nil {
			return nil, krama.Wrap("seal.Split", err)
		}
	}
	return split(secret, rows, set, n), nil
}

// split evaluates secret + rows[0] x + rows[1] x^2 + … at x = 1..n, byte by byte.
func split(secret [32]byte, rows [][32]byte, set [4]byte, n int) []Share {
	out := make([]Share, n)
	for i := range out {
		s := Share{Set: set, K: byte(len(rows) + 1), N: byte(n), X: byte(i + 1)}
		for j := range 32 {
			v := byte(0)
			for r := len(rows) - 1; r >= 0; r-- {
				v = gf256Mul(v^rows[r][j], s.X)
			}
			s.Y[j] = v ^ secret[j]
		}
		out[i] = s
	}
	return out
}

// Combine recovers the secret from at least k shares of one set with different x. Fewer give a wrong secret, never a
// hint.
func Combine(shares []Share) (secret [32]byte, err error) {
	seen := map[byte]bool{}
	for _, s := range shares {
		if s.X == 0 || seen[s.X] || s.Set != shares[0].Set || s.K != shares[0].K || s.N != shares[0].N {
			return secret, krama.E("seal.Combine", krama.Invalid, "shares of one set, each once")
		}
		seen[s.X] = true
	}
	if len(shares) == 0 || len(shares) < int(shares[0].K) {
		return secret, krama.E("seal.Combine", krama.Invalid, "too few shares")
	}
	for i, s := range shares {
		c := byte(1) // Lagrange coefficient at 0
		for j, t := range shares {
			if i != j {
				c = gf256Mul(c, gf256Mul(t.X, gf256Inv(t.X^s.X)))
			}
		}
		for b := range 32 {
			secret[b] ^= gf256Mul(c, s.Y[b])
		}
	}
	return secret, nil
}

// bytes is a share as its card has it.
func (s Share) bytes() []byte {
	b := append([]byte{1}, s.Set[:]...)
	b = append(b, s.K, s.N, s.X)
	return append(b, s.Y[:]...)
}

// String is the share's text: 71 base32 characters with a checksum.
func (s Share) String() string {
	b := s.bytes()
	h := Hash("share check", b)
	return scanText.EncodeToString(append(b, h[:4]...))
}

// ParseShare reads a share's text.
func ParseShare(text string) (s Share, err error) {
	b, err := scanBytes(text)
	if err != nil || len(b) != 44 {
		return s, malformed("share")
	}
	if h := Hash("share check", b[:40]); [4]byte(h[:4]) != [4]byte(b[40:]) {
		return s, malformed("share")
	}
	copy(s.Set[:], b[1:])
	s.K, s.N, s.X = b[5], b[6], b[7]
	copy(s.Y[:], b[8:])
	return s, nil
}

// Commit is the share's commitment in the roster: a wrong share is named, not guessed at.
func (s Share) Commit() [32]byte {
	return Hash("share commit", s.Set[:], []byte{s.K}, []byte{s.N}, []byte{s.X}, s.Y[:])
}

// gf256Mul multiplies in GF(2^8) with 0x11b, without branches or tables that depend on the operands.
func gf256Mul(a, b byte) byte {
	var p byte
	for range 8 {
		p ^= -(b & 1) & a
		a = a<<1 ^ (-(a >> 7) & 0x1b)
		b >>= 1
	}
	return p
}

func gf256Inv(a byte) byte { // a^254
	r := byte(1)
	for range 7 {
		a = gf256Mul(a, a)
		r = gf256Mul(r, a)
	}
	return r
}
