package seal

import (
	"crypto/ed25519"
	"crypto/subtle"
	"slices"

	"krama"
)

// weakY are the y coordinates, little-endian and without the sign bit, of the eight points of small order on
// edwards25519: of order 1 (1), 2 (p-1), 4 (0) and 8 (two values; each order above 2 stands for two points, which
// differ in the sign of x only). Under such a key one signature fits every message, or one of eight. The values are
// those of libsodium's ge25519_has_small_order; TestSmallOrder works them out again from the curve.
var weakY = [...][32]byte{
	{1},
	{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	{},
	{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
	{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
}

// SigKey takes a public key that somebody else made. It refuses points of small order and every encoding but the one of
// a point: y of p or more, and a sign where x is 0, which only points of small order have. Every Ed25519 key enters
// through it, or is checked with verify, which asks it.
func SigKey(b []byte) (ed25519.PublicKey, error) {
	if len(b) != ed25519.PublicKeySize {
		return nil, malformed("signing key")
	}
	y := [32]byte(b)
	y[31] &= 0x7f
	for _, w := range weakY {
		if subtle.ConstantTimeCompare(y[:], w[:]) == 1 {
			return nil, krama.E("seal.SigKey", krama.Invalid, "a key of small order")
		}
	}
	// p = 2^255 - 19 is ed ff … ff 7f: y is p or more exactly when all bytes above the lowest are p's and that one is
	// not less.
	over := y[0] >= 0xed && y[31] == 0x7f
	for _, v := range y[1:31] {
		over = over && v == 0xff
	}
	if over {
		return nil, krama.E("seal.SigKey", krama.Invalid, "a key that is not canonical")
	}
	return b, nil
}

// verify is ed25519.Verify under keys that SigKey takes; under any other nothing is signed, and a key or signature of
// the wrong length is no reason to panic.
func verify(pub ed25519.PublicKey, msg, sig []byte) bool {
	key, err := SigKey(pub)
	return err == nil && len(sig) == ed25519.SignatureSize && ed25519.Verify(key, msg, sig)
}

// badSigKey reports whether bytes are no key that SigKey takes.
func badSigKey(b []byte) bool {
	_, err := SigKey(b)
	return err != nil
}

// badSigKeys is badSigKey for several.
func badSigKeys(keys [][32]byte) bool {
	return slices.ContainsFunc(keys, func(k [32]byte) bool { return badSigKey(k[:]) })
}
