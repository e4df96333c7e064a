package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"strings"
	"testing"

	"krama"
)

// The checks of doc/format.md one by one, each against somebody who holds every key of her circle: without the check
// she gets through. scripts/ablate takes each away.

// item seals one item of an envelope as its author would, whatever its kind and length.
func (f *fixture) item(h Header, salt []byte, i int, s krama.SubjectID, k ItemKind, body []byte) []byte {
	x := [32]byte{}
	if k == KindSubjectKey {
		x = f.e1.KG
	}
	key, ad := f.e1.itemKey(x, salt, hashCtx("env head", f.e1.Context, salt, h.marshal()), uint32(i), s, k)
	return sealOnce(append(s[:], byte(k)), key, body, ad)
}

// TestPaddingIsZeros: an author cannot hide anything behind an envelope's contents, nor make two envelopes of one.
func TestPaddingIsZeros(t *testing.T) {
	f := newFixture(t)
	env := f.open(t, f.envelope(t))
	outer := append(append(env.Header.marshal(), env.sig...), env.payload...)
	for _, at := range []int{4 + len(outer), wireSize(len(outer)) - overhead - 1} {
		pt := make([]byte, wireSize(len(outer))-overhead)
		copy(pt, u32(uint32(len(outer))))
		copy(pt[4:], outer)
		pt[at] = 1
		wire := sealOnce(append([]byte{1}, env.salt...), f.e1.outerKey(env.salt), pt, f.e1.outerAD(env.salt))
		if v := f.reject(f.e1, wire); v != Malformed {
			t.Errorf("byte %d of %d is 1: got %v want malformed", at, len(pt), v)
		}
	}
}

// TestEnvelopeOfWrongShape: true signatures do not help an envelope that is not as it must be.
func TestEnvelopeOfWrongShape(t *testing.T) {
	f := newFixture(t)
	salt, none := q(0x61, 32), krama.SubjectID{}
	content := f.header
	other := content
	other.Kind = 2
	circle := func(h Header, n int) (items [][]byte) {
		for i := range n {
			items = append(items, f.item(h, salt, i, none, KindCircleRecord, []byte("x")))
		}
		return items
	}
	large := f.item(content, salt, 0, none, KindCircleRecord, make([]byte, 70000))
	short := circle(content, 1)
	short[0] = short[0][:itemMin-1]
	for name, tc := range map[string]struct {
		h     Header
		items [][]byte
		want  Verdict
	}{
		"as it must be":         {content, circle(content, 1), Fine},
		"512 items":             {content, circle(content, MaxItems), Fine},
		"513 items":             {content, circle(content, MaxItems+1), Malformed},
		"no items":              {content, nil, Malformed},
		"another kind":          {other, circle(other, 1), Malformed},
		"larger than any":       {content, [][]byte{large}, Malformed},
		"an item without a tag": {content, short, Malformed},
		"a subject's key of 31 bytes": {content, [][]byte{f.item(content, salt, 0, f.subject, KindSubjectKey,
			make([]byte, 31))}, Malformed},
		"a subject's key of nobody": {content, [][]byte{f.item(content, salt, 0, none, KindSubjectKey,
			make([]byte, 32))}, Malformed},
		"a circle record of somebody": {content, [][]byte{f.item(content, salt, 0, f.subject, KindCircleRecord,
			[]byte("x"))}, Malformed},
	} {
		if v := f.reject(f.e1, f.e1.resign(salt, f.dev, tc.h, Frame(tc.items...))); v != tc.want {
			t.Errorf("%s: got %v want %v", name, v, tc.want)
		}
	}
}

// TestTrusteesGetNoKeyring: of a circle whose people are not recoverable the trustees' wrap has no key to them.
func TestTrusteesGetNoKeyring(t *testing.T) {
	f := newFixture(t)
	key, _ := RecoveryKey(q32(7))
	set := &TrusteesSet{KemPub: key.KEM.PublicKey().Bytes(), SigPub: key.SigPub()}
	for _, with := range []bool{false, true} {
		w, err := f.e1.WrapRecovery(set, with)
		if err != nil {
			t.Fatal(err)
		}
		e, err := OpenWrapRecovery(f.e1.Context, key, w, f.e1.EC(), f.e1.GC())
		if err != nil || e.ES != f.e1.ES || (e.KG != [32]byte{}) != with {
			t.Errorf("people recoverable %v: %v, keyring key %x", with, err, e.KG)
		}
	}
}

// TestRequestIsWhatWasProved: a proof is of the whole request, and a request has true keys and a short name.
func TestRequestIsWhatWasProved(t *testing.T) {
	f := newFixture(t)
	other, _ := NewDevice(rand.Reader, "test")
	swapped := *f.dev.Request()
	swapped.KemPub = other.KEM.PublicKey().Bytes()
	if CheckProof(f.e1.Org, &swapped, q32(3), f.dev.Proof(f.e1.Org, q32(3))) {
		t.Error("a proof holds for another KEM key")
	}
	long, bad := *f.dev.Request(), *f.dev.Request()
	long.Platform = strings.Repeat("x", 65)
	bad.KemPub = bytes.Repeat([]byte{0xff}, kemPubSize)
	for name, r := range map[string]*Request{"a name of 65 bytes": &long, "no KEM key": &bad} {
		if _, err := ParseRequest(r.Marshal()); krama.KindOf(err) != krama.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKeyringOfWrongShape: who makes a keyring cannot put somebody on it twice, hide bytes in it, or have its index
// speak of other pages than there are.
func TestKeyringOfWrongShape(t *testing.T) {
	e, _ := NewEpoch(rand.Reader, Context{Epoch: 4})
	salt := q(9, 32)
	page := func(pt []byte) []byte {
		k := e.pageKey(0, salt)
		return sealOnce(append([]byte{1}, salt...), k.Key[:], pt, encCtx("keyring page", e.Context, u32(0), salt))
	}
	entry := func(id byte) []byte { return append(append(q(0, 15), id), q(id, 32)...) }
	room := pageStep * pageEntry
	fill := func(parts ...[]byte) []byte {
		b := bytes.Join(parts, nil)
		return append(b, make([]byte, room-len(b))...)
	}
	if got, err := e.OpenPage(0, page(fill(entry(1), entry(2)))); err != nil || len(got) != 2 {
		t.Fatalf("as it must be: %v %v", got, err)
	}
	for name, pt := range map[string][]byte{
		"out of order":       fill(entry(2), entry(1)),
		"somebody twice":     fill(entry(1), entry(1)),
		"behind the end":     fill(entry(1), make([]byte, pageEntry), entry(2)),
		"a key of nobody":    fill(entry(1), make([]byte, 16), q(3, 32)),
		"of another size":    fill(entry(1))[:room-pageEntry],
		"larger than a page": make([]byte, pageEntries*pageEntry+room),
	} {
		if got, err := e.OpenPage(0, page(pt)); err == nil {
			t.Errorf("%s: %d people", name, len(got))
		}
	}
	wire := page(fill(entry(1)))
	k := e.pageKey(0, salt)
	later := k
	later.Epoch = 5
	for name, index := range map[string][]PageKey{"a page that is not there": {k, k}, "a page of an epoch to come": {
		later}, "nothing": nil} {
		if _, err := e.OpenKeyring([][]byte{wire, e.SealIndex(q32(8), index)}); krama.KindOf(err) != krama.Invalid ||
			err == nil {
			t.Errorf("an index of %s: %v", name, err)
		}
	}
	a, b := PageHash(wire), PageHash(page(fill(entry(2))))
	next := *e
	next.Context.Epoch++
	roots := map[[32]byte]bool{e.KeyringRoot([][32]byte{a}): true, e.KeyringRoot([][32]byte{b}): true,
		e.KeyringRoot([][32]byte{a, b}): true,
		e.KeyringRoot([][32]byte{b, a}): true, e.KeyringRoot(nil): true, next.KeyringRoot([][32]byte{a}): true}
	if len(roots) != 6 {
		t.Errorf("six keyrings have %d roots", len(roots))
	}
}

// TestVaultCostsNoMoreThanItMay: a changed file does not keep a phone busy until it dies.
func TestVaultCostsNoMoreThanItMay(t *testing.T) {
	file := newVault("one two three four", CostFloor, q16(2)).Seal(Factors{}, q32(1))
	copy(file[2:], u32(17))
	if _, err := ReadVault(file, "one two three four"); krama.KindOf(err) != krama.Tampered {
		t.Errorf("17 passes: %v", err)
	}
}

// TestCards: too few cards, one card twice and cards of two sets are refused, not combined; a mistyped card is not
// read; and the roster tells a wrong one.
func TestCards(t *testing.T) {
	set, shares, err := NewTrustees(rand.Reader, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	_, others, _ := NewTrustees(rand.Reader, 2, 3)
	three := shares[1]
	three.K = 3
	for name, some := range map[string][]Share{"none": nil, "one": shares[:1], "one twice": {shares[0], shares[0]},
		"of two sets": {shares[0], others[1]}, "of another k": {shares[0], three},
		"at nought": {shares[0], {Set: shares[0].Set, K: 2, N: 3}}} {
		if _, err := Combine(some); krama.KindOf(err) != krama.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	text := []byte(shares[0].String())
	for i := range text {
		b := bytes.Clone(text)
		if b[i] = 'A'; text[i] == 'A' {
			b[i] = 'B'
		}
		if s, err := ParseShare(string(b)); err == nil && s != shares[0] {
			t.Fatalf("character %d changed, and it is read as another card", i)
		}
	}
	wrong, beyond := shares[0], shares[0]
	wrong.Y[0] ^= 1
	beyond.X = 4
	if !set.Holds(shares[0]) || set.Holds(wrong) || set.Holds(beyond) || set.Holds(others[0]) || set.Holds(three) {
		t.Error("a wrong card is taken for one of the set, or a right one is not")
	}
	if _, err := Split(rand.Reader, q32(1), [4]byte{}, 1, 3); err == nil {
		t.Error("one card would do")
	}
}

// TestHandoverIsItsDevices: who holds the circle's keys cannot leave work or the word "empty" in another's name.
func TestHandoverIsItsDevices(t *testing.T) {
	f := newFixture(t)
	thief := &Device{Sig: ed25519.NewKeyFromSeed(q(0x33, 32)), Nonce: f.dev.Nonce}
	known := func(krama.CircleID, uint32) *Epoch { return f.e1 }
	key := func(krama.DeviceID) ed25519.PublicKey { return f.dev.SigPub() } // the roster's, whoever is named
	for name, tc := range map[string]struct {
		from *Device
		want bool
	}{"hers": {f.dev, true}, "another's": {thief, false}} {
		w, err := SealHandover(rand.Reader, f.e1, f.e1, tc.from, LetterWiped, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenHandover(f.e1, w, known, key); (err == nil) != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w, _ := SealHandover(rand.Reader, f.e1, f.e1, f.dev, LetterWiped, nil); len(w) != len(mustHandover(f, 1500)) {
		t.Error("a short hand-over has a size of its own")
	}
}

func mustHandover(f *fixture, n int) []byte {
	w, err := SealHandover(rand.Reader, f.e1, f.e1, f.dev, LetterLate, make([]byte, n))
	if err != nil {
		panic(err)
	}
	return w
}

// TestTombstoneIsItsSigners: nobody changes what a tombstone says of its envelope, nor signs in another's name.
func TestTombstoneIsItsSigners(t *testing.T) {
	f := newFixture(t)
	stone := Tombstone{ID: q32(1), Author: f.dev.ID(), Seq: 7, Prev: q32(2), TimeMS: 9}
	wire, err := f.e1.SealTombstone(rand.Reader, stone, f.dev.ID(), f.dev.Sig)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.e1.OpenTombstone(wire)
	if err != nil || !got.Verify(f.dev.SigPub()) || got.Seq != 7 {
		t.Fatalf("untouched: %+v %v", got, err)
	}
	if got.Verify(ed25519.NewKeyFromSeed(q(0x33, 32)).Public().(ed25519.PublicKey)) {
		t.Error("it is somebody else's")
	}
	for name, change := range map[string]func(*Tombstone){
		"envelope": func(s *Tombstone) { s.ID[0] ^= 1 }, "author": func(s *Tombstone) { s.Author[0] ^= 1 },
		"place":       func(s *Tombstone) { s.Seq++ },
		"predecessor": func(s *Tombstone) { s.Prev[0] ^= 1 }, "time": func(s *Tombstone) { s.TimeMS++ },
		"epoch": func(s *Tombstone) { s.ctx.Epoch++ },
	} {
		s := *got
		if change(&s); s.Verify(f.dev.SigPub()) {
			t.Errorf("another %s, and the signature holds", name)
		}
	}
}

// TestBootstrapIsWhole: a bootstrap that leaves out part of the history is refused.
func TestBootstrapIsWhole(t *testing.T) {
	f := newFixture(t)
	pub := f.dev.KEM.PublicKey().Bytes()
	for _, n := range []int{1, 3} {
		w, err := SealBootstrap(f.e1.Org, f.dev.ID(), pub, Bootstrap{Epoch: 2, History: make([][32]byte, n)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenBootstrap(f.e1.Org, f.dev, w); krama.KindOf(err) != krama.Invalid || err == nil {
			t.Errorf("%d epochs before the second: %v", n, err)
		}
	}
}

// TestReportOfWrongShape: a stranger's report is bounded, and its padding carries nothing.
func TestReportOfWrongShape(t *testing.T) {
	f := newIntake(t)
	of := func(text string) []byte {
		return Frame(make([]byte, 1216), make([]byte, 16), f.receipt.Auth.Public().(ed25519.PublicKey), []byte{1},
			[]byte{0, 1}, []byte(text))
	}
	dirty, _ := pad(of("x"), reportClasses[0])
	dirty[len(dirty)-1] = 1
	long, _ := pad(of(strings.Repeat("x", krama.MaxReport+1)), 1<<20)
	wide, _ := pad(append(of("x"), 0, 0, 0, 0), reportClasses[0])
	if right, _ := pad(of("x"), reportClasses[0]); right != nil {
		if _, err := parseReport(right); err != nil {
			t.Fatal("of the right shape: ", err)
		}
	}
	for name, pt := range map[string][]byte{"written into the padding": dirty, "too long": long,
		"a field too many": wide} {
		if m, err := parseReport(pt); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	wrong, _ := pad(of("x"), 5000)
	odd, err := hpke.Seal(f.keys.KEM.PublicKey(), hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), enc("intake", f.site[:],
		idBytes(f.keys)), wrong)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenReport(f.keys, f.site, odd); krama.KindOf(err) != krama.Invalid || err == nil {
		t.Errorf("of a size of its own: %v", err)
	}
}

func idBytes(k *IntakeKeys) []byte { id := k.ID(); return id[:] }

// TestAnswerIsForOneMailbox: an answer that the programme gave to one person does not hold in another's mailbox or on
// another site.
func TestAnswerIsForOneMailbox(t *testing.T) {
	f := newIntake(t)
	sigs := []ed25519.PublicKey{f.keys.Sig.Public().(ed25519.PublicKey)}
	body := Frame(u32(20600), []byte("come tomorrow"))
	pt, _ := pad(Frame(body, ed25519.Sign(f.keys.Sig, replyMessage(f.site, f.receipt.Mailbox, body))), replyPlain)
	if _, err := parseReply(pt, f.receipt.Mailbox, f.site, sigs); err != nil {
		t.Fatal(err)
	}
	if r, err := parseReply(pt, q16(9), f.site, sigs); krama.KindOf(err) != krama.Tampered {
		t.Errorf("in another mailbox: %+v %v", r, err)
	}
	if r, err := parseReply(pt, f.receipt.Mailbox, q16(9), sigs); krama.KindOf(err) != krama.Tampered {
		t.Errorf("on another site: %+v %v", r, err)
	}
}

// TestWorkIsForOneSite: work done for one programme does not pay at another.
func TestWorkIsForOneSite(t *testing.T) {
	p, err := Work(rand.Reader, q16(1), 20600)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 64 {
		if Worked(q16(byte(i+2)), 20600, p) {
			t.Error("one proof holds at another site")
		}
	}
}

// TestIntakeNamesItsStream: with the seed alone, an intake of another stream is another intake.
func TestIntakeNamesItsStream(t *testing.T) {
	for _, bound := range []bool{false, true} {
		a, _ := OpenIntake(q32(1), q16(1), bound)
		b, _ := OpenIntake(q32(1), q16(2), bound)
		c, _ := OpenIntake(q32(2), q16(1), bound)
		if a.ID() == b.ID() || a.ID() == c.ID() {
			t.Error("two intakes have one id")
		}
	}
}

// TestFrameStaysInside: no length in a frame reaches beyond it, and a frame has no rest.
func TestFrameStaysInside(t *testing.T) {
	for name, b := range map[string][]byte{
		"beyond the end": append(u32(3), 1, 2), "at the end of all": append(u32(1<<32-1), 1),
		"a rest": append(Frame([]byte("a")), 0), "a cut length": {0, 0, 0},
	} {
		if it, err := ParseFrame(b, 4); err == nil {
			t.Errorf("%s: %q", name, it)
		}
	}
	if it, err := ParseFrame(Frame(nil, nil, nil), 2); err == nil {
		t.Errorf("more than asked for: %q", it)
	}
	if it, err := parseExact(Frame([]byte("a")), "test", 1, 1); err == nil {
		t.Errorf("fewer than asked for: %q", it)
	}
}

// TestScansHaveOneLength: what was scanned is all there is.
func TestScansHaveOneLength(t *testing.T) {
	one := scanText.EncodeToString(append(append([]byte{scanVersion}, q(1, 48)...), 0))
	two := scanText.EncodeToString(append(append([]byte{scanVersion}, q(1, 136)...), 0)) + "."
	if s, err := ParseScan1(one); err == nil {
		t.Errorf("QR-1 with a byte more: %+v", s)
	}
	if s, err := ParseScan2(two); err == nil {
		t.Errorf("QR-2 with a byte more: %+v", s)
	}
	later := scanText.EncodeToString(append([]byte{scanVersion + 1}, q(1, 48)...))
	if s, err := ParseScan1(later); err == nil {
		t.Errorf("QR-1 of a later version: %+v", s)
	}
}
