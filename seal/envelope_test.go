package seal

import (
	"bytes"
	"crypto/rand"
	"testing"

	"krama"
)

// reject opens wire the way a reader does and reports the first failure, or Fine.
func (f *fixture) reject(e *Epoch, wire []byte) Verdict {
	env, v := e.Open(wire)
	if v != Fine {
		return v
	}
	if v := env.Verify(f.dev.SigPub()); v != Fine {
		return v
	}
	for i := range env.Len() {
		if _, v := env.Item(i, f.keys); v != Fine {
			return v
		}
	}
	return Fine
}

func TestEveryBitFlipIsRejected(t *testing.T) {
	f := newFixture(t)
	wire := f.envelope(t)
	if v := f.reject(f.e1, wire); v != Fine {
		t.Fatalf("untouched: %v", v)
	}
	for bit := range len(wire) * 8 {
		b := bytes.Clone(wire)
		b[bit/8] ^= 1 << (bit % 8)
		if v := f.reject(f.e1, b); v == Fine {
			t.Fatalf("bit %d flipped, accepted", bit)
		}
	}
}

func TestTransplantIsRejected(t *testing.T) {
	f := newFixture(t)
	wire := f.envelope(t)
	for name, change := range map[string]func(*Context){
		"org": func(c *Context) { c.Org[0] ^= 1 }, "circle": func(c *Context) { c.Circle[0] ^= 1 },
		"epoch": func(c *Context) { c.Epoch++ },
	} {
		e := *f.e1
		change(&e.Context)
		if v := f.reject(&e, wire); v != WasTampered {
			t.Errorf("moved to another %s: %v", name, v)
		}
	}
}

func TestRePaddingIsRejected(t *testing.T) {
	f := newFixture(t)
	wire := f.envelope(t)
	env, _ := f.e1.Open(wire)
	outer := append(append(env.Header.marshal(), env.sig...), env.payload...)
	// an insider re-pads somebody else's envelope to make her look like an equivocator
	pt := make([]byte, 2048-overhead)
	copy(pt, u32(uint32(len(outer))))
	copy(pt[4:], outer)
	again := sealOnce(append([]byte{1}, env.salt...), f.e1.outerKey(env.salt), pt, f.e1.outerAD(env.salt))
	if v := f.reject(f.e1, again); v != Malformed {
		t.Errorf("re-padded: got %v want malformed", v)
	}
}

func TestItemFailsAlone(t *testing.T) {
	f := newFixture(t)
	env, _ := f.e1.Open(f.envelope(t))
	none := func(krama.SubjectID) (SubjectKey, bool) { return SubjectKey{}, false }
	if _, v := env.Item(1, none); v != KeyPending {
		t.Errorf("without the key: %v", v)
	}
	wrong := func(krama.SubjectID) (SubjectKey, bool) { return SubjectKey{1}, true }
	if _, v := env.Item(1, wrong); v != WasTampered {
		t.Errorf("with a wrong key: %v", v)
	}
	if it, v := env.Item(2, none); v != Fine || string(it.Body) != "world" {
		t.Errorf("the item beside it: %q %v", it.Body, v)
	}
}

func TestSealRefusesWhatItCannotOpen(t *testing.T) {
	f := newFixture(t)
	big := make([]byte, MaxEnvelope)
	for name, tc := range map[string]struct {
		items []Item
		want  krama.Kind
	}{
		"no items":      {nil, krama.Invalid},
		"too long":      {[]Item{{Kind: KindCircleRecord, Body: big}}, krama.TooLarge},
		"no key":        {[]Item{{Subject: krama.SubjectID{9}, Kind: KindRecord}}, krama.CannotDecrypt},
		"no subject":    {[]Item{{Kind: KindRecord}}, krama.Invalid},
		"short new key": {[]Item{{Subject: f.subject, Kind: KindSubjectKey, Body: big[:31]}}, krama.Invalid},
		"unknown kind":  {[]Item{{Kind: 99}}, krama.Invalid},
	} {
		if _, err := f.e1.Seal(rand.Reader, f.dev, f.header, tc.items, nil); krama.KindOf(err) != tc.want {
			t.Errorf("%s: got %v want %v", name, err, tc.want)
		}
	}
}

func TestLargestEnvelope(t *testing.T) {
	f := newFixture(t)
	var items []Item
	for room := ItemRoom; room >= ItemSize(100) && len(items) < MaxItems; room -= ItemSize(100) {
		items = append(items, Item{Kind: KindCircleRecord, Body: make([]byte, 100)})
	}
	wire, err := f.e1.Seal(rand.Reader, f.dev, f.header, items, nil)
	if err != nil || len(wire) > MaxEnvelope {
		t.Fatalf("%d items: %d bytes, %v", len(items), len(wire), err)
	}
	if v := f.reject(f.e1, wire); v != Fine {
		t.Errorf("largest envelope: %v", v)
	}
}

func TestVault(t *testing.T) {
	vk := q32(1)
	file, err := SealVault(rand.Reader, "one two three four", Factors{}, CostFloor, vk)
	if err != nil || len(file) != VaultSize {
		t.Fatalf("%d bytes, %v", len(file), err)
	}
	if got, err := OpenVault(file, "one two three four", Factors{}); err != nil || got != vk {
		t.Errorf("right words: %v", err)
	}
	cheap := bytes.Clone(file)
	copy(cheap[2:], u32(1))
	body := bytes.Clone(file)
	body[len(body)-1] ^= 1
	later := bytes.Clone(file)
	later[1] = 4
	for name, tc := range map[string]struct {
		file []byte
		pass string
		with Factors
		want krama.Kind
	}{
		"wrong words":   {file, "one two three five", Factors{}, krama.CannotDecrypt},
		"passkey extra": {file, "one two three four", Factors{PRF: make([]byte, 32)}, krama.CannotDecrypt},
		"pepper extra":  {file, "one two three four", Factors{Pepper: make([]byte, 32)}, krama.CannotDecrypt},
		"later factor":  {later, "one two three four", Factors{}, krama.NotYet},
		"lowered cost":  {cheap, "one two three four", Factors{}, krama.Tampered},
		"changed body":  {body, "one two three four", Factors{}, krama.Tampered},
		"truncated":     {file[:50], "one two three four", Factors{}, krama.Invalid},
		"empty":         {nil, "", Factors{}, krama.Invalid},
	} {
		if _, err := OpenVault(tc.file, tc.pass, tc.with); krama.KindOf(err) != tc.want {
			t.Errorf("%s: got %v want %v", name, err, tc.want)
		}
	}
}

// TestVaultFactors: a vault opens with exactly what it was sealed with, and everything it derives depends on all of
// that but the pepper, which is not there yet when its key is needed.
func TestVaultFactors(t *testing.T) {
	vk, prf, pepper := q32(1), q(5, 32), q(9, 32)
	all := []Factors{{}, {PRF: prf}, {Pepper: pepper}, {prf, pepper}}
	keys := map[string]string{}
	for _, f := range all {
		fresh := newVault("one two three four", CostFloor, q16(3))
		file := fresh.Seal(f, vk)
		v, err := ReadVault(file, "one two three four")
		if err != nil || v.NeedsPRF() != (f.PRF != nil) || v.NeedsPepper() != (f.Pepper != nil) {
			t.Fatalf("%+v: %v", f, err)
		}
		for _, g := range append(all, Factors{pepper, prf}, Factors{PRF: pepper}, Factors{Pepper: prf}) {
			got, err := v.Open(g)
			if same := bytes.Equal(g.PRF, f.PRF) && bytes.Equal(g.Pepper, f.Pepper); same != (err == nil) ||
				(same && got != vk) || (!same && krama.KindOf(err) != krama.CannotDecrypt) {
				t.Errorf("sealed with %x, opened with %x: %v", f, g, err)
			}
		}
		if k := fresh.With(f).PepperKey(f.PRF); !k.Equal(v.PepperKey(f.PRF)) {
			t.Errorf("%x: the key told to the relay is not the file's", f)
		}
		if fresh.With(f).LeaseKey(f.PRF) != v.LeaseKey(f.PRF) {
			t.Errorf("%x: the lease's key is not the file's", f)
		}
		other, _ := ReadVault(file, "one two three five")
		for what, k := range map[string][]byte{"access": v.PepperKey(f.PRF), "wrong words": other.PepperKey(f.PRF),
			"no passkey": v.PepperKey(q(7, 32))} {
			if was, ok := keys[string(k)]; ok {
				t.Errorf("%x %s: the same key as %s", f, what, was)
			}
			keys[string(k)] = what
		}
	}
	if bytes.Equal(newVault("w", CostFloor, q16(3)).PepperKey(nil), newVault("w", CostFloor, q16(4)).PepperKey(nil)) {
		t.Error("the relay could try words: the salt makes no difference")
	}
}

func TestSharesEverySubset(t *testing.T) {
	secret := q32(7)
	for n := 2; n <= 7; n++ {
		for k := 2; k <= n && k <= 5; k++ {
			shares, err := Split(rand.Reader, secret, [4]byte{1, 2, 3, 4}, k, n)
			if err != nil {
				t.Fatal(err)
			}
			for mask := range 1 << n {
				var some []Share
				for i := range n {
					if mask>>i&1 == 1 {
						some = append(some, shares[i])
					}
				}
				got, err := Combine(some)
				if ok := err == nil && got == secret; ok != (len(some) >= k) {
					t.Fatalf("%d of %d with %d shares: %v", k, n, len(some), err)
				}
			}
			if s, err := ParseShare(shares[0].String()); err != nil || s != shares[0] {
				t.Errorf("share text: %v", err)
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	fx := newFixture(f)
	f.Add(fx.envelope(f))
	f.Add(make([]byte, MinEnvelope))
	f.Fuzz(func(t *testing.T, b []byte) {
		if env, v := fx.e1.Open(b); v == Fine {
			for i := range env.Len() {
				env.Item(i, fx.keys)
			}
		}
	})
}

// FuzzInner reaches the parsers behind the outer layer by sealing what the fuzzer wrote.
func FuzzInner(f *testing.F) {
	fx := newFixture(f)
	env, _ := fx.e1.Open(fx.envelope(f))
	f.Add(append(append(env.Header.marshal(), env.sig...), env.payload...))
	f.Fuzz(func(t *testing.T, outer []byte) {
		if len(outer) > 60000 {
			return
		}
		pt := make([]byte, wireSize(len(outer))-overhead)
		copy(pt, u32(uint32(len(outer))))
		copy(pt[4:], outer)
		salt := q(0x61, 32)
		wire := sealOnce(append([]byte{1}, salt...), fx.e1.outerKey(salt), pt, fx.e1.outerAD(salt))
		if env, v := fx.e1.Open(wire); v == Fine {
			env.Verify(fx.dev.SigPub())
			for i := range env.Len() {
				env.Item(i, fx.keys)
			}
		}
	})
}

func FuzzParsers(f *testing.F) {
	fx := newFixture(f)
	f.Add(fx.dev.Request().Marshal(), Scan1{}.String())
	f.Add(Frame([]byte("a"), nil), Scan2{Relay: "https://relay.example"}.String())
	st := Statement{NotAfter: 9, Deed: &MemberAdd{}}
	f.Add(StatementBody(st.Marshal()), Share{K: 2, N: 3, X: 1}.String())
	f.Add(st.Marshal(), "")
	f.Add((&Statement{Deed: &Announce{1, &st}}).Marshal(), "")
	f.Fuzz(func(t *testing.T, b []byte, s string) {
		if it, err := ParseFrame(b, 64); err == nil && !bytes.Equal(Frame(it...), b) {
			t.Error("a frame does not encode to itself")
		}
		if st, err := ParseStatement(b); err == nil && !bytes.Equal(st.Marshal(), b) {
			t.Error("a statement does not encode to itself")
		}
		if r, err := ParseRequest(b); err == nil && !bytes.Equal(r.Marshal(), b) {
			t.Error("a request does not encode to itself")
		}
		if a, err := ParseAppend(b); err == nil && !bytes.Equal(a.Marshal(), b) {
			t.Error("an append does not encode to itself")
		}
		if l, err := ParseList(b); err == nil && !bytes.Equal(l.Marshal(), b) {
			t.Error("a list call does not encode to itself")
		}
		if l, err := ParseListing(b); err == nil && !bytes.Equal(l.Marshal(), b) {
			t.Error("a listing does not encode to itself")
		}
		ParseCall(b)
		parseStatementBody(b)
		ParseDevice(b)
		ParseScan1(s)
		ParseScan2(s)
		ParseShare(s)
		fx.e1.OpenPage(0, b)
		fx.e1.OpenIndex(b)
		fx.e1.OpenTombstone(b)
		OpenVault(b[:min(len(b), 8)], s, Factors{})
	})
}

func BenchmarkOpenEnvelopeOf100(b *testing.B) {
	f := newFixture(b)
	var items []Item
	for range 100 {
		items = append(items, Item{f.subject, KindRecord, make([]byte, 45)})
	}
	wire, _ := f.e1.Seal(rand.Reader, f.dev, f.header, items, f.keys)
	b.ReportMetric(float64(len(wire))/100, "bytes/item")
	for b.Loop() {
		if v := f.reject(f.e1, wire); v != Fine {
			b.Fatal(v)
		}
	}
}
