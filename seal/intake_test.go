package seal

import (
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"testing"

	"krama"
)

type intakeFixture struct {
	keys    *IntakeKeys
	site    [16]byte
	receipt *Receipt
}

func newIntake(t testing.TB) intakeFixture {
	t.Helper()
	k, err := OpenIntake(q32(0x21), q16(0x61), true)
	if err != nil {
		t.Fatal(err)
	}
	kem, err := hpke.MLKEM768X25519().NewPrivateKey(q(0x31, 32)) // not from digits: fuzzing would wait for Argon2id
	if err != nil {
		t.Fatal(err)
	}
	return intakeFixture{k, q16(0xd1), &Receipt{q16(0x41), ed25519.NewKeyFromSeed(q(0x51, 32)), kem}}
}

func TestReportAndReply(t *testing.T) {
	f := newIntake(t)
	m := Message{Topic: 2, Place: 1002, Text: "somebody took my papers"}
	w, err := SealReport(f.keys.KEM.PublicKey().Bytes(), f.site, f.keys.ID(), f.receipt, m)
	if err != nil || len(w) != 4096+hpkeOverhead {
		t.Fatalf("got %d bytes, %v", len(w), err)
	}
	got, err := OpenReport(f.keys, f.site, w)
	if err != nil || got.Message != m || got.Mailbox != f.receipt.Mailbox {
		t.Fatalf("got %+v, %v", got, err)
	}
	long, err := SealReport(f.keys.KEM.PublicKey().Bytes(), f.site, f.keys.ID(), f.receipt,
		Message{Text: strings.Repeat("ក", 4000)})
	if err != nil || len(long) != 65536+hpkeOverhead {
		t.Fatalf("got %d bytes, %v", len(long), err)
	}
	if _, err := SealReport(f.keys.KEM.PublicKey().Bytes(), f.site, f.keys.ID(), f.receipt,
		Message{Text: strings.Repeat("x", krama.MaxReport+1)}); krama.KindOf(err) != krama.TooLarge {
		t.Errorf("got %v want too large", err)
	}

	sigs := []ed25519.PublicKey{f.keys.Sig.Public().(ed25519.PublicKey)}
	item, err := SealReply(got.KEM, got.Auth, f.site, got.Mailbox, f.keys.Sig, 20600, "we are here")
	if err != nil || len(item) != ReplyItem {
		t.Fatalf("got %d bytes, %v", len(item), err)
	}
	r, err := OpenReply(f.receipt, f.site, sigs, item[32:])
	if err != nil || r.Text != "we are here" || r.Day != 20600 {
		t.Errorf("got %+v, %v", r, err)
	}
	_, other, _ := ed25519.GenerateKey(nil)
	forged, _ := SealReply(got.KEM, got.Auth, f.site, got.Mailbox, other, 20600, "come to the bridge")
	if _, err := OpenReply(f.receipt, f.site, sigs, forged[32:]); krama.KindOf(err) != krama.Tampered {
		t.Errorf("an answer nobody of the programme signed: got %v want tampered", err)
	}
	noise := make([]byte, ReplySize)
	rand.Read(noise)
	if _, err := OpenReply(f.receipt, f.site, sigs, noise); krama.KindOf(err) != krama.CannotDecrypt {
		t.Errorf("noise: got %v want cannot decrypt", err)
	}
}

// TestReportWrongKeys: a report opens for its intake and its site alone, and no bit of it can be changed.
func TestReportWrongKeys(t *testing.T) {
	f := newIntake(t)
	w, err := SealReport(f.keys.KEM.PublicKey().Bytes(), f.site, f.keys.ID(), f.receipt, Message{Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	other, _ := OpenIntake(q32(0x22), q16(0x61), true)
	if _, err := OpenReport(other, f.site, w); krama.KindOf(err) != krama.CannotDecrypt {
		t.Errorf("another intake: got %v", err)
	}
	if _, err := OpenReport(f.keys, q16(0xd2), w); krama.KindOf(err) != krama.CannotDecrypt {
		t.Errorf("another site: got %v", err)
	}
	for i := 0; i < len(w); i += 97 {
		w[i] ^= 1
		if _, err := OpenReport(f.keys, f.site, w); err == nil {
			t.Fatalf("byte %d was changed and nobody noticed", i)
		}
		w[i] ^= 1
	}
	if _, err := OpenReport(f.keys, f.site, w[:len(w)-1]); krama.KindOf(err) != krama.Invalid {
		t.Errorf("cut: got %v", err)
	}
}

// TestA22IntakeID: an id fits its own keys alone; those of the first version keep the id they had.
func TestA22IntakeID(t *testing.T) {
	k := newIntake(t).keys
	sig, kem, place := k.Sig.Public().(ed25519.PublicKey), k.KEM.PublicKey().Bytes(), IntakePlace(k.Stream)
	if !IntakeFits(k.ID(), sig, place[:], kem) {
		t.Error("its own keys do not fit")
	}
	other, err := OpenIntake(q32(0x22), k.Stream, true)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := IntakePlace(q16(0x62))
	for what, fits := range map[string]bool{
		"another key to seal to":  IntakeFits(k.ID(), sig, place[:], other.KEM.PublicKey().Bytes()),
		"another signing key":     IntakeFits(k.ID(), other.Sig.Public().(ed25519.PublicKey), place[:], kem),
		"another stream":          IntakeFits(k.ID(), sig, elsewhere[:], kem),
		"no place":                IntakeFits(k.ID(), sig, nil, kem),
		"an id of the old kind":   IntakeFits(IntakeID(sig, k.Stream), sig, place[:], kem),
		"one without signing key": IntakeFits(k.ID(), nil, place[:], kem),
	} {
		if fits {
			t.Errorf("%s fits", what)
		}
	}
	// Vectors.
	if got, want := hex.EncodeToString(idOf(k.ID())), "fa632920eb44e3f444db00c8caa23fd4"; got != want {
		t.Errorf("id: got %s want %s", got, want)
	}
	old, err := OpenIntake(q32(0x21), q16(0x61), false)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(idOf(old.ID())), "7b1325e02a1b70eec6cf7ccf3fb05293"; got != want {
		t.Errorf("id of the first version: got %s want %s", got, want)
	}
}

func idOf(id [16]byte) []byte { return id[:] }

// TestReceiptDigits: every single wrong digit and every exchange of neighbours is found.
func TestReceiptDigits(t *testing.T) {
	for range 20 {
		d, err := NewReceipt(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseReceipt(d[:5] + " " + d[5:10] + "-" + d[10:15] + " " + d[15:]); err != nil || got != d {
			t.Fatalf("got %q %v want %q", got, err, d)
		}
		for i := range d {
			for c := byte('0'); c <= '9'; c++ {
				if b := []byte(d); c != d[i] {
					b[i] = c
					if _, err := ParseReceipt(string(b)); err == nil {
						t.Fatalf("digit %d of %s as %c is taken", i, d, c)
					}
				}
			}
			if i > 0 && d[i] != d[i-1] {
				b := []byte(d)
				b[i], b[i-1] = b[i-1], b[i]
				if _, err := ParseReceipt(string(b)); err == nil {
					t.Fatalf("digits %d and %d of %s exchanged are taken", i-1, i, d)
				}
			}
		}
	}
	khmer, _ := NewReceipt(rand.Reader)
	var b strings.Builder
	for _, r := range khmer {
		b.WriteRune('០' + r - '0')
	}
	if got, err := ParseReceipt(b.String()); err != nil || got != khmer {
		t.Errorf("Khmer digits: got %q %v want %q", got, err, khmer)
	}
}

// TestWork: a proof holds for its site and day and for no other.
func TestWork(t *testing.T) {
	site := q16(1)
	p, err := Work(rand.Reader, site, 20600)
	if err != nil || !Worked(site, 20600, p) {
		t.Fatalf("own proof refused: %v", err)
	}
	for d := range 64 {
		if Worked(site, krama.Day(20601+d), p) {
			t.Errorf("one proof holds %d days later", d+1)
		}
	}
}

// TestA7NobodyElseDoesTheWork: who sends what she has not worked on gets nothing by luck, not with a try that would
// count either.
func TestA7NobodyElseDoesTheWork(t *testing.T) {
	site, box := q16(1), q16(2)
	for range 200 {
		var p [WorkSize]byte
		rand.Read(p[:])
		if Worked(site, 20600, p) || CallWorked(box, 20600, p) {
			t.Fatal("random bytes are a proof")
		}
	}
	report, err1 := Work(rand.Reader, site, 20600)
	call, err2 := CallWork(rand.Reader, box, 20600)
	if err1 != nil || err2 != nil || !Worked(site, 20600, report) || !CallWorked(box, 20600, call) ||
		Worked(site, 20600, call) || CallWorked(box, 20600, report) {
		t.Fatal("proofs of reports and of calls")
	}
	for i := range WorkSize {
		bad := report
		bad[i] ^= 1
		if Worked(site, 20600, bad) {
			t.Errorf("a proof with another byte %d", i)
		}
	}
}

func FuzzReply(f *testing.F) {
	x := newIntake(f)
	b, _ := pad(Frame(Frame(u32(1), []byte("a")), make([]byte, 64)), replyPlain)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseReply(b, x.receipt.Mailbox, x.site,
			[]ed25519.PublicKey{x.keys.Sig.Public().(ed25519.PublicKey)}); err == nil {
			t.Fatalf("nobody signed %+v", r)
		}
	})
}

func FuzzReport(f *testing.F) {
	b, _ := pad(Frame(make([]byte, 1216), make([]byte, 16), make([]byte, 32), []byte{1}, []byte{0, 1}, []byte("text")),
		reportClasses[0])
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseReport(b); err == nil && (len(r.KEM) != 1216 || len(r.Text) > krama.MaxReport) {
			t.Fatalf("read %+v", r)
		}
	})
}

func FuzzUnpad(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 7, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if in, err := unpad(b); err == nil {
			if again, err := pad(in, len(b)); err != nil || string(again) != string(b) {
				t.Fatalf("%x is not its padding", b)
			}
		}
	})
}
