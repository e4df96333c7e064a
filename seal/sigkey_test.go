package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"io/fs"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"krama"
)

var fieldP = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

// weakKeys are all encodings that SigKey must refuse: both signs of the eight points' y, and both signs of every y from
// p on.
func weakKeys() (out [][]byte) {
	add := func(le [32]byte) {
		for _, sign := range []byte{0, 0x80} {
			k := bytes.Clone(le[:])
			k[31] |= sign
			out = append(out, k)
		}
	}
	for _, y := range weakY {
		add(y)
	}
	for i := int64(0); i < 19; i++ { // p … 2^255-1
		add(littleEndian(new(big.Int).Add(fieldP, big.NewInt(i))))
	}
	return out
}

func littleEndian(v *big.Int) (out [32]byte) {
	v.FillBytes(out[:])
	slices.Reverse(out[:])
	return out
}

// TestSmallOrder works the list out again: eight points of edwards25519 become neutral when they are doubled three
// times, and there are no others, because the curve has 8 times a prime of points.
func TestSmallOrder(t *testing.T) {
	mod := func(v *big.Int) *big.Int { return v.Mod(v, fieldP) }
	mul := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Mul(a, b)) }
	add := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Add(a, b)) }
	inv := func(a *big.Int) *big.Int { return new(big.Int).ModInverse(a, fieldP) }
	one := big.NewInt(1)
	d := mul(big.NewInt(-121665), inv(big.NewInt(121666)))
	points := 0
	for _, w := range weakY {
		b := w
		slices.Reverse(b[:])
		y := new(big.Int).SetBytes(b[:])
		yy := mul(y, y)
		xx := mul(new(big.Int).Sub(yy, one), inv(add(mul(d, yy), one))) // -x² + y² = 1 + d x² y²
		x := new(big.Int).ModSqrt(xx, fieldP)
		if x == nil {
			t.Errorf("%x is not on the curve", w)
			continue
		}
		points += 2
		if x.Sign() == 0 {
			points--
		}
		for range 3 { // double: x' = 2xy / (1 + d x² y²), y' = (y² + x²) / (1 - d x² y²)
			xx, yy := mul(x, x), mul(y, y)
			dxy := mul(d, mul(xx, yy))
			x, y = mul(add(mul(x, y), mul(x, y)), inv(add(one, dxy))),
				mul(add(yy, xx), inv(mod(new(big.Int).Sub(one, dxy))))
		}
		if x.Sign() != 0 || y.Cmp(one) != 0 {
			t.Errorf("%x is not of small order", w)
		}
	}
	if points != 8 {
		t.Errorf("got %d points want 8", points)
	}
}

// forged is a signature that crypto/ed25519 takes for any message under the neutral point.
var forged = append(append([]byte{1}, make([]byte, 31)...), make([]byte, 32)...)

// TestA5EveryKeyThatComesIn offers every bad encoding wherever seal reads a signing key that somebody else made.
func TestA5EveryKeyThatComesIn(t *testing.T) {
	if !ed25519.Verify(weakKeys()[0], []byte("anything"), forged) {
		t.Fatal("the forgery is none: this test shows nothing")
	}
	dev, err := NewDevice(rand.Reader, "test")
	if err != nil {
		t.Fatal(err)
	}
	trustees, _, err := NewTrustees(rand.Reader, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	f := newIntake(t)
	manifest := Release{"1", strings.Repeat("a", 40), []ReleaseFile{{"phone/app.wasm", [32]byte{1}}}}.Marshal()
	request := func(k []byte) *Request {
		r := dev.Request()
		r.SigPub = k
		return r
	}
	statement := func(s *Statement) error {
		_, err := ParseStatement(s.Marshal())
		return err
	}
	doors := map[string]func(k []byte) error{
		"SigKey":  func(k []byte) error { _, err := SigKey(k); return err },
		"request": func(k []byte) error { _, err := ParseRequest(request(k).Marshal()); return err },
		"genesis": func(k []byte) error { return statement(&Statement{Deed: &Genesis{Device: request(k)}}) },
		"device.add": func(k []byte) error {
			return statement(&Statement{Deed: &DeviceAdd{Device: request(k), Algorithm: 1, Verified: ByScan,
				Proof: forged}})
		},
		"announced device.add": func(k []byte) error {
			return statement(&Statement{Deed: &Announce{What: &Statement{Deed: &DeviceAdd{Device: request(k),
				Algorithm: 1, Verified: ByScan, Proof: forged}}}})
		},
		"recovery.use": func(k []byte) error { return statement(&Statement{Deed: &RecoveryUse{Device: request(k)}}) },
		"trustees.set": func(k []byte) error {
			set := *trustees
			set.SigPub = k
			return statement(&Statement{Deed: &set})
		},
		"release.pin": func(k []byte) error {
			return statement(&Statement{Deed: &ReleasePin{Keys: [][32]byte{{2}, [32]byte(k)}}})
		},
		"release file": func(k []byte) error {
			_, _, err := ParseSignedRelease(SignedRelease{manifest,
				[]ReleaseSig{{[32]byte(k), [64]byte(forged)}}}.Marshal())
			return err
		},
		"release": func(k []byte) error {
			_, err := VerifyRelease(SignedRelease{manifest, []ReleaseSig{{[32]byte(k), [64]byte(forged)}}}.Marshal(),
				[][32]byte{[32]byte(k)}, 1)
			return err
		},
		"report": func(k []byte) error {
			pt, err := pad(Frame(f.receipt.KEM.PublicKey().Bytes(), make([]byte, 16), k, []byte{1}, []byte{0, 0},
				[]byte("x")), reportClasses[:]...)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parseReport(pt)
			return err
		},
		"answer": func(k []byte) error {
			pt, err := pad(Frame(Frame(u32(1), []byte("come alone")), forged), replyPlain)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parseReply(pt, [16]byte{}, f.site, []ed25519.PublicKey{k})
			return err
		},
		"call": func(k []byte) error {
			if !CheckRequest(k, "POST", PathList, [16]byte{}, nil, 0, [16]byte{}, forged) {
				return malformed("call")
			}
			return nil
		},
		"letter": func(k []byte) error {
			if !(Letter{}).Check(krama.OrgID{}, krama.DeviceID{}, k, forged) {
				return malformed("letter")
			}
			return nil
		},
		"proof": func(k []byte) error {
			if !CheckProof(krama.OrgID{}, request(k), [32]byte{}, forged) {
				return malformed("proof")
			}
			return nil
		},
		"envelope": func(k []byte) error {
			if (&Envelope{sig: forged}).Verify(k) == Forged {
				return malformed("envelope")
			}
			return nil
		},
		"tombstone": func(k []byte) error {
			if !(&Tombstone{sig: forged}).Verify(k) {
				return malformed("tombstone")
			}
			return nil
		},
	}
	for name, enter := range doors {
		for _, k := range weakKeys() {
			if enter(k) == nil {
				t.Errorf("%s: the key %x came in", name, k)
			}
		}
	}
	// Where nothing but the key was wrong, a good one comes in: the refusals were the key's.
	for _, name := range []string{"SigKey", "request", "genesis", "device.add", "announced device.add", "recovery.use",
		"trustees.set",
		"release.pin", "release file", "report"} {
		if err := doors[name](dev.SigPub()); err != nil {
			t.Errorf("%s: a good key: %v", name, err)
		}
	}
}

// TestA5OneCheck finds signatures that are checked past verify. Whatever is written next cannot forget the keys.
func TestA5OneCheck(t *testing.T) {
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") ||
			name == "seal/sigkey.go" {
			return err
		}
		b, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		if bytes.Contains(b, []byte("ed25519.Verify(")) || bytes.Contains(b, []byte("ed25519.Verify,")) ||
			bytes.Contains(b, []byte("VerifyWithOptions")) {
			t.Errorf("%s checks a signature without looking at its key", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
