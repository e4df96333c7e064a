package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"testing"

	"krama"
)

func q(a byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = a + byte(i)
	}
	return b
}

func q32(a byte) [32]byte { return [32]byte(q(a, 32)) }
func q16(a byte) [16]byte { return [16]byte(q(a, 16)) }

type fixture struct {
	vectors map[string]string
	e0, e1  *Epoch
	dev     *Device
	subject krama.SubjectID
	sk      SubjectKey
	start   Head
	header  Header
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{subject: q16(0x01), sk: q32(0xe0)}
	if err := json.Unmarshal(raw, &f.vectors); err != nil {
		t.Fatal(err)
	}
	ctx := Context{Org: q32(0x00), Circle: q16(0x20)}
	f.e0 = &Epoch{Context: ctx, ES: q32(0x30)}
	ctx.Epoch = 1
	f.e1 = &Epoch{Context: ctx, ES: q32(0x50), KG: q32(0x70)}
	kem, err := hpke.MLKEM768X25519().NewPrivateKey(q(0xc0, 32))
	if err != nil {
		t.Fatal(err)
	}
	f.dev = &Device{Sig: ed25519.NewKeyFromSeed(q(0x90, 32)), KEM: kem, Nonce: q16(0xb0)}
	f.start = Start(ctx, q32(0x11))
	f.header = Header{Author: f.dev.ID(), Kind: EnvContent, Seq: 1, Head: f.start, Roster: Head{5, q32(0x41)},
		TimeMS: 1767225600000}
	return f
}

func (f *fixture) keys(s krama.SubjectID) (SubjectKey, bool) { return f.sk, s == f.subject }

func (f *fixture) envelope(t testing.TB) []byte {
	t.Helper()
	wire, err := f.e1.sealWith(q32(0x61), f.dev.Sig, f.header, []Item{
		{f.subject, KindSubjectKey, f.sk[:]}, {f.subject, KindRecord, []byte("hello")}, {Kind: KindCircleRecord,
			Body: []byte("world")},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func TestVectors(t *testing.T) {
	f := newFixture(t)
	used := map[string]bool{}
	check := func(name, got string) {
		t.Helper()
		used[name] = true
		if want, ok := f.vectors[name]; !ok || got != want {
			t.Errorf("%s: got %.80s want %.80s", name, got, want)
		}
	}
	hx := func(name string, b []byte) { t.Helper(); check(name, hex.EncodeToString(b)) }
	h32 := func(name string, b [32]byte) { t.Helper(); hx(name, b[:]) }
	num := func(name string, n int) { t.Helper(); check(name, jsonInt(n)) }

	hx("enc", enc("t", nil, []byte("ab")))
	h32("HASH", Hash("t", nil, []byte("ab")))
	hx("KDF", Derive(f.e0.ES[:], nil, 32, "t", []byte("ab")))
	h32("EC0", f.e0.EC())
	h32("EC1", f.e1.EC())
	h32("GC1", f.e1.GC())
	sid := f.e1.StreamID()
	hx("stream_id1", sid[:])
	hx("stream_pub1", f.e1.StreamKey().Public().(ed25519.PublicKey))
	back := f.e1.Back(f.e0)
	hx("back1", back)
	if got, err := f.e1.OpenBack(back, f.e0.EC()); err != nil || got.ES != f.e0.ES || got.Epoch != 0 {
		t.Errorf("OpenBack: %v", err)
	}
	id := f.dev.ID()
	hx("sig_pub", f.dev.SigPub())
	hx("device_id", id[:])
	kemPub := f.dev.KEM.PublicKey().Bytes()
	h32("kem_pub sha256", SHA256(kemPub))
	h32("kem_hash", KemHash(kemPub))
	check("safety", SafetyDigits(f.e1.Org, f.dev.SigPub(), KemHash(kemPub)))
	h32("chain0", f.start.H)

	wire := f.envelope(t)
	num("env len", len(wire))
	hx("env[:64]", wire[:64])
	hx("env[-32:]", wire[len(wire)-32:])
	h32("env sha256", SHA256(wire))
	h32("env_id", EnvelopeID(wire))
	h32("link", f.start.Link(EnvelopeID(wire)).H)
	hx("envelope", wire)
	env, v := f.e1.Open(wire)
	if v != Fine {
		t.Fatalf("Open: %v", v)
	}
	h32("env head", env.hk)
	msg := env.message()
	h32("sig msg", msg)
	if v := env.Verify(f.dev.SigPub()); v != Fine {
		t.Errorf("Verify: %v", v)
	}
	if it, v := env.Item(1, f.keys); v != Fine || string(it.Body) != "hello" {
		t.Errorf("Item 1: %q %v", it.Body, v)
	}
	var many []Item
	sub := map[krama.SubjectID]bool{}
	for i := range 100 {
		s := krama.SubjectID(q16(byte(i)))
		sub[s] = true
		many = append(many, Item{s, KindRecord, bytes.Repeat([]byte{byte(i)}, 45)})
	}
	w100, err := f.e1.sealWith(q32(0x61), f.dev.Sig, f.header, many, func(s krama.SubjectID) (SubjectKey, bool) {
		return f.sk, sub[s]
	})
	if err != nil {
		t.Fatal(err)
	}
	num("env100 len", len(w100))
	h32("env100 sha256", SHA256(w100))

	page, err := f.e1.SealPage(0, q32(0x81), map[krama.SubjectID]SubjectKey{f.subject: f.sk}, 1024)
	if err != nil {
		t.Fatal(err)
	}
	num("page len", len(page))
	h32("page sha256", SHA256(page))
	if got, err := f.e1.OpenPage(0, page); err != nil || len(got) != 1 || got[f.subject] != f.sk {
		t.Errorf("OpenPage: %v %v", got, err)
	}

	vk := q32(0xb1)
	hx("vault", newVault("stone river lamp seven", CostFloor, q16(0xa1)).Seal(Factors{}, vk))
	prf := q(0x05, 32)
	hx("vault+prf", newVault("stone river lamp seven", CostFloor, q16(0xa1)).Seal(Factors{PRF: prf}, vk))

	used["receipt"] = true
	r, err := OpenReceipt(f.vectors["receipt"], q16(0xd1))
	if err != nil {
		t.Fatal(err)
	}
	hx("receipt mailbox", r.Mailbox[:])
	hx("receipt auth pub", r.Auth.Public().(ed25519.PublicKey))
	h32("receipt kem pub sha256", SHA256(r.KEM.PublicKey().Bytes()))

	for name, work := range map[string]func(io.Reader, [16]byte, krama.Day) ([WorkSize]byte, error){"work": Work,
		"call work": CallWork} {
		p, err := work(bytes.NewReader(q(0xe1, 16)), q16(0xd1), 20600)
		if err != nil {
			t.Fatal(err)
		}
		hx(name, p[:])
	}

	sig := SignRequest(f.e1.StreamKey(), "POST", "/v1/s", f.e1.StreamID(), []byte("body"), 1767225600000, q16(0x33))
	hx("req sig", sig)

	shares := split(q32(0x10), [][32]byte{q32(0x40), q32(0x80)}, [4]byte(q(0x99, 4)), 5)
	for i, s := range shares {
		hx("share"+jsonInt(i+1)+" y", s.Y[:])
	}
	check("share1 text", shares[0].String())
	h32("share1 commit", shares[0].Commit())

	for _, n := range []int{1, 9, 100, 1000, 1025, 5000, 70000, 1000000, 123456789} {
		num("padme("+jsonInt(n)+")", Padme(n))
	}

	wrap, _ := hex.DecodeString(f.vectors["wrap"])
	used["wrap"] = true
	num("wrap len", len(wrap))
	h32("wrap sha256", SHA256(wrap))
	h32("info sha256", SHA256(wrapInfo(f.e1.Context, id, KemHash(kemPub), f.e1.EC(), f.e1.GC())))
	got, err := OpenWrap(f.e1.Context, id, f.dev.KEM, wrap, f.e1.EC(), f.e1.GC())
	if err != nil || got.ES != f.e1.ES || got.KG != f.e1.KG {
		t.Errorf("OpenWrap: %v", err)
	}
	for name := range f.vectors {
		if !used[name] {
			t.Errorf("vector %q is checked by nothing", name)
		}
	}
}

func jsonInt(n int) string { b, _ := json.Marshal(n); return string(b) }
