package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"golang.org/x/crypto/chacha20poly1305"

	"krama"
)

// Context is what every key of an epoch is bound to.
type Context struct {
	Org    krama.OrgID
	Circle krama.CircleID
	Epoch  uint32
}

// items is the context as every derivation has it.
func (c Context) items() [][]byte { return [][]byte{c.Org[:], c.Circle[:], u32(c.Epoch)} }

func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// Frame is a list of byte strings, each after its length as big-endian uint32. The encoding is injective.
func Frame(items ...[]byte) []byte {
	n := 0
	for _, it := range items {
		n += 4 + len(it)
	}
	b := make([]byte, 0, n)
	for _, it := range items {
		b = binary.BigEndian.AppendUint32(b, uint32(len(it)))
		b = append(b, it...)
	}
	return b
}

// ParseFrame splits a frame of at most limit items. The items alias b.
func ParseFrame(b []byte, limit int) ([][]byte, error) {
	var out [][]byte
	for len(b) > 0 {
		if len(b) < 4 || len(out) == limit {
			return nil, malformed("frame")
		}
		n := binary.BigEndian.Uint32(b)
		if uint64(n) > uint64(len(b)-4) {
			return nil, malformed("frame")
		}
		out = append(out, b[4:4+n:4+n])
		b = b[4+n:]
	}
	return out, nil
}

// parseExact splits a frame of exactly len(sizes) items; a size of -1 allows any length.
func parseExact(b []byte, what string, sizes ...int) ([][]byte, error) {
	items, err := ParseFrame(b, len(sizes))
	if err != nil || len(items) != len(sizes) {
		return nil, malformed(what)
	}
	for i, n := range sizes {
		if n >= 0 && len(items[i]) != n {
			return nil, malformed(what)
		}
	}
	return items, nil
}

// malformed is the error of bytes that are not what they should be.
func malformed(what string) error { return krama.E("seal", krama.Invalid, "malformed "+what) }

// enc is the one input encoding of every hash, key derivation and associated data.
func enc(label string, items ...[]byte) []byte {
	return Frame(append([][]byte{[]byte("krama/1 " + label)}, items...)...)
}

// encCtx is enc within a context.
func encCtx(label string, ctx Context, items ...[]byte) []byte {
	return enc(label, append(ctx.items(), items...)...)
}

// Hash is SHA-256 over the labelled encoding of items.
func Hash(label string, items ...[]byte) [32]byte { return sha256.Sum256(enc(label, items...)) }

// hashCtx is Hash within a context.
func hashCtx(label string, ctx Context, items ...[]byte) [32]byte {
	return sha256.Sum256(encCtx(label, ctx, items...))
}

// Derive is HKDF-SHA256 with the labelled encoding of items as info; n is at most 8,160.
func Derive(secret, salt []byte, n int, label string, items ...[]byte) []byte {
	return derive(secret, salt, n, enc(label, items...))
}

// derive is HKDF with SHA-256.
func derive(secret, salt []byte, n int, info []byte) []byte {
	out, err := hkdf.Key(sha256.New, secret, salt, string(info), n)
	if err != nil {
		panic(err) // only a length over 8,160 can fail, and every length here is a constant
	}
	return out
}

// deriveCtx is derive within a context.
func deriveCtx(secret, salt []byte, n int, label string, ctx Context, items ...[]byte) []byte {
	return derive(secret, salt, n, encCtx(label, ctx, items...))
}

// aead is ChaCha20-Poly1305, the only cipher of the protocol.
func aead(key []byte) cipher.AEAD {
	a, err := chacha20poly1305.New(key)
	if err != nil {
		panic(err) // every key here has 32 bytes
	}
	return a
}

// zeroNonce serves every seal: each key is derived with a fresh salt and used for one message only.
var zeroNonce [chacha20poly1305.NonceSize]byte

// sealOnce seals with a key that seals nothing else; therefore no nonce is drawn.
func sealOnce(dst, key, pt, ad []byte) []byte { return aead(key).Seal(dst, zeroNonce[:], pt, ad) }

// openOnce opens what sealOnce made. It does not tell why bytes do not open.
func openOnce(key, ct, ad []byte) ([]byte, error) {
	pt, err := aead(key).Open(nil, zeroNonce[:], ct, ad)
	if err != nil {
		return nil, krama.E("seal.open", krama.CannotDecrypt, "")
	}
	return pt, nil
}

// Padme rounds a length up so that it leaks O(log log n) bits, for at most 12 % more (Nikitin et al., PETS 2019).
func Padme(n int) int {
	if n < 2 {
		return n
	}
	e := bits.Len(uint(n)) - 1
	s := bits.Len(uint(e))
	m := 1<<(e-s) - 1
	return (n + m) &^ m
}
