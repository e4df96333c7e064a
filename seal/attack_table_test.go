package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"encoding/binary"
	"math/big"
	"testing"

	"golang.org/x/crypto/chacha20"

	"krama"
)

// The published attacks of doc/threat-model.md that need no relay, tried with everything an attacker inside may hold.
// Those that need one are in package replica; doc/threat-model.md has the table. Each says which check stops it:
// without that check it passes.

// reseal puts an outer layer around what an insider changed: she holds ES, so she can.
func (e *Epoch) reseal(salt []byte, h Header, sig, payload []byte) []byte {
	outer := append(append(h.marshal(), sig...), payload...)
	pt := make([]byte, wireSize(len(outer))-overhead)
	binary.BigEndian.PutUint32(pt, uint32(len(outer)))
	copy(pt[4:], outer)
	return sealOnce(append([]byte{1}, salt...), e.outerKey(salt), pt, e.outerAD(salt))
}

// resign is reseal with a true signature by d.
func (e *Epoch) resign(salt []byte, d *Device, h Header, payload []byte) []byte {
	hk := hashCtx("env head", e.Context, salt, h.marshal())
	msg := Hash("env sig", hk[:], payload)
	return e.reseal(salt, h, ed25519.Sign(d.Sig, msg[:]), payload)
}

func (f *fixture) open(t *testing.T, wire []byte) *Envelope {
	t.Helper()
	env, v := f.e1.Open(wire)
	if v != Fine {
		t.Fatalf("the changed envelope does not even open: %v; the test proves nothing", v)
	}
	return env
}

// TestAttackServerSwapsKeyMaterial: a relay that saw the device's public key wraps secrets of its own choosing to it,
// bound to the true commitments. Stopped by the commitments of OpenWrap, OpenWrapRecovery and OpenBack.
func TestAttackServerSwapsKeyMaterial(t *testing.T) {
	f := newFixture(t)
	ec, gc := f.e1.EC(), f.e1.GC()
	pub := f.dev.KEM.PublicKey()
	key := &Device{Sig: f.dev.Sig, KEM: f.dev.KEM} // as the trustees': without a nonce
	for name, pt := range map[string][]byte{
		"both":     append(q(0x01, 32), q(0x02, 32)...),
		"ES alone": append(q(0x01, 32), f.e1.KG[:]...),
		"KG alone": append(bytes.Clone(f.e1.ES[:]), q(0x02, 32)...),
	} {
		w, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), wrapInfo(f.e1.Context, f.dev.ID(),
			KemHash(pub.Bytes()), ec, gc), pt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenWrap(f.e1.Context, f.dev.ID(), f.dev.KEM, w, ec, gc); krama.KindOf(err) != krama.Tampered {
			t.Errorf("%s: %v", name, err)
		}
		w, err = hpke.Seal(pub, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), recoveryInfo(f.e1.Context, key.ID(),
			KemHash(pub.Bytes()), ec, gc), pt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenWrapRecovery(f.e1.Context, key, w, ec, gc); krama.KindOf(err) != krama.Tampered {
			t.Errorf("%s, to the trustees: %v", name, err)
		}
	}
	other := &Epoch{Context: f.e0.Context, ES: q32(0x03)}
	prev := f.e0.EC()
	back := sealOnce(nil, deriveCtx(f.e1.ES[:], nil, 32, "back", f.e1.Context), other.ES[:],
		encCtx("back", f.e1.Context, prev[:]))
	if _, err := f.e1.OpenBack(back, prev); krama.KindOf(err) != krama.Tampered {
		t.Errorf("a back link to another epoch: %v", err)
	}
}

// TestAttackMalleableKeys changes each byte of everything that carries a key. Stopped by the AEADs; an answer never
// tells which part was wrong, so nothing can be learned by trying.
func TestAttackMalleableKeys(t *testing.T) {
	f := newFixture(t)
	id, ec, gc := f.dev.ID(), f.e1.EC(), f.e1.GC()
	pub := f.dev.KEM.PublicKey().Bytes()
	must := func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	set := &TrusteesSet{KemPub: pub, SigPub: f.dev.SigPub()}
	key := &Device{Sig: f.dev.Sig, KEM: f.dev.KEM}
	for name, tc := range map[string]struct {
		sealed []byte
		step   int
		open   func([]byte) error
		also   krama.Kind // what a wrong version or length says, before any key is used
	}{
		"wrap": {must(f.e1.Wrap(id, pub)), 1, func(b []byte) error {
			_, err := OpenWrap(f.e1.Context, id, f.dev.KEM, b,
				ec, gc)
			return err
		}, krama.CannotDecrypt},
		"recovery wrap": {must(f.e1.WrapRecovery(set, true)), 1, func(b []byte) error {
			_, err := OpenWrapRecovery(f.e1.Context, key, b, ec, gc)
			return err
		}, krama.CannotDecrypt},
		"bootstrap": {must(SealBootstrap(f.e1.Org, id, pub, Bootstrap{Epoch: 1, EC: ec, GC: gc,
			History: [][32]byte{f.e0.ES}})), 1,
			func(b []byte) error { _, err := OpenBootstrap(f.e1.Org, f.dev, b); return err }, krama.CannotDecrypt},
		"back link": {f.e1.Back(f.e0), 1, func(b []byte) error {
			_, err := f.e1.OpenBack(b, f.e0.EC())
			return err
		}, krama.CannotDecrypt},
		"keyring index": {f.e1.SealIndex(q32(9), []PageKey{{1, 0, q32(3)}}), 2, func(b []byte) error {
			_, err := f.e1.OpenIndex(b)
			return err
		}, krama.Invalid},
		"keyring page": {must(f.e1.SealPage(0, q32(9), map[krama.SubjectID]SubjectKey{f.subject: f.sk}, 1024)), 211,
			func(b []byte) error { _, err := f.e1.OpenPage(0, b); return err }, krama.Invalid},
	} {
		if err := tc.open(tc.sealed); err != nil {
			t.Fatalf("%s untouched: %v", name, err)
		}
		for at := 0; at < len(tc.sealed); at += tc.step {
			b := bytes.Clone(tc.sealed)
			b[at] ^= 1 << (at % 8)
			if err := tc.open(b); err == nil || krama.KindOf(err) != krama.CannotDecrypt &&
				(at != 0 || krama.KindOf(err) != tc.also) {
				t.Fatalf("%s, byte %d changed: %v", name, at, err)
			}
		}
	}
}

// TestAttackRecordMovedBetweenPeople: an insider with every key moves records of a colleague's envelope to another
// person, another place and another envelope. Even two people under one key are told apart. Stopped by the signature,
// and without it by the subject, the place and the envelope's head in each item's key (itemKey).
func TestAttackRecordMovedBetweenPeople(t *testing.T) {
	f := newFixture(t)
	other := krama.SubjectID(q16(0x02))
	same := func(s krama.SubjectID) (SubjectKey, bool) { return f.sk, true }
	salt := q(0x61, 32)
	wire, err := f.e1.sealWith([32]byte(salt), f.dev.Sig, f.header, []Item{{f.subject, KindRecord, []byte("hers")},
		{f.subject, KindRecord, []byte("also")}}, same)
	if err != nil {
		t.Fatal(err)
	}
	env := f.open(t, wire)
	moved := bytes.Clone(env.payload)
	copy(moved[4:], other[:])
	items, _ := ParseFrame(env.payload, MaxItems)
	swapped := Frame(items[1], items[0])
	thief := &Device{Sig: ed25519.NewKeyFromSeed(q(0x33, 32))}
	hers := f.header
	hers.Author = thief.ID()
	for name, tc := range map[string]struct {
		wire  []byte
		pub   ed25519.PublicKey
		want  Verdict // of the envelope
		item0 Verdict
	}{
		"moved, signature kept": {f.e1.reseal(salt, f.header, env.sig, moved), f.dev.SigPub(), Forged,
			WasTampered},
		"moved by its author": {f.e1.resign(salt, f.dev, f.header, moved), f.dev.SigPub(), Fine,
			WasTampered},
		"swapped by its author": {f.e1.resign(salt, f.dev, f.header, swapped), f.dev.SigPub(), Fine,
			WasTampered},
		"copied into an insider's own": {f.e1.resign(salt, thief, hers, env.payload), thief.SigPub(), Fine,
			WasTampered},
		"copied under another salt": {f.e1.resign(q(0x62, 32), f.dev, f.header, env.payload), f.dev.SigPub(),
			Fine, WasTampered},
		"nothing changed (it must be shown)": {f.e1.resign(salt, f.dev, f.header, env.payload), f.dev.SigPub(),
			Fine, Fine},
	} {
		got := f.open(t, tc.wire)
		if v := got.Verify(tc.pub); v != tc.want {
			t.Errorf("%s: %v, want %v", name, v, tc.want)
		}
		if it, v := got.Item(0, same); v != tc.item0 {
			t.Errorf("%s: the item %q is %v, want %v", name, it.Body, v, tc.item0)
		}
	}
}

// TestAttackReattribution: an insider puts her name on a colleague's words, or a colleague's on hers. Stopped by the
// author in the signed header (message).
func TestAttackReattribution(t *testing.T) {
	f := newFixture(t)
	env := f.open(t, f.envelope(t))
	thief := &Device{Sig: ed25519.NewKeyFromSeed(q(0x33, 32))}
	named := f.header
	named.Author = thief.ID()
	if v := f.open(t, f.e1.reseal(env.salt, f.header, env.sig, env.payload)).Verify(f.dev.SigPub()); v != Fine {
		t.Fatalf("her words under her name: %v; the test proves nothing", v)
	}
	if v := f.open(t, f.e1.reseal(env.salt, named, env.sig, env.payload)).Verify(thief.SigPub()); v != Forged {
		t.Errorf("her words under my name: %v", v)
	}
	if v := f.open(t, f.e1.reseal(env.salt, named, env.sig, env.payload)).Verify(f.dev.SigPub()); v != Forged {
		t.Errorf("her signature under my name: %v", v)
	}
	if v := f.open(t, f.e1.resign(env.salt, thief, f.header, env.payload)).Verify(f.dev.SigPub()); v != Forged {
		t.Errorf("my words under her name: %v", v)
	}
}

// TestAttackTypeConfusion uses what was signed or sealed for one purpose for every other. Stopped by the labels, and by
// the kind in each item's key.
func TestAttackTypeConfusion(t *testing.T) {
	f := newFixture(t)
	org, id, pub := f.e1.Org, f.dev.ID(), f.dev.SigPub()
	raw := (&Statement{NotAfter: 9, Deed: &MemberAdd{Roles: krama.RoleAdmin}}).Marshal()
	secret := q32(4)
	req := f.dev.Request()
	wire := f.envelope(t)
	env := f.open(t, wire)
	sigs := map[string][]byte{
		"envelope": env.sig, "cosignature": Cosign(f.dev.Sig, org, raw), "proof": f.dev.Proof(org, secret),
		"letter":  ed25519.Sign(f.dev.Sig, letterMessage(org, id, LetterDraft, raw)),
		"request": SignRequest(f.dev.Sig, "POST", PathAppend, [16]byte(id), raw, 7, q16(1)),
	}
	m := Hash("roster cosign", org[:], raw)
	checks := map[string]func(sig []byte) bool{
		"envelope":    func(s []byte) bool { e := *env; e.sig = s; return e.Verify(pub) == Fine },
		"cosignature": func(s []byte) bool { return ed25519.Verify(pub, m[:], s) },
		"proof":       func(s []byte) bool { return CheckProof(org, req, secret, s) },
		"letter":      func(s []byte) bool { return Letter{LetterDraft, id, raw}.Check(org, id, pub, s) },
		"request": func(s []byte) bool {
			return CheckRequest(pub, "POST", PathAppend, [16]byte(id), raw, 7,
				q16(1), s)
		},
	}
	for made, sig := range sigs {
		for used, check := range checks {
			if got := check(sig); got != (made == used) {
				t.Errorf("a signature for a %s as one for a %s: %v", made, used, got)
			}
		}
	}
	// Even a letter's kind is in what is signed.
	if (Letter{LetterWiped, id, raw}).Check(org, id, pub, sigs["letter"]) {
		t.Error("a draft was taken for the word that a device is empty")
	}

	// Sealed to one key, under one name, of one length: only the label differs.
	dev := &Device{Sig: f.dev.Sig, KEM: f.dev.KEM} // no nonce: its id is the trustees'
	set := &TrusteesSet{KemPub: dev.KEM.PublicKey().Bytes(), SigPub: dev.SigPub()}
	if set.ID() != dev.ID() {
		t.Fatal("the ids differ: the test proves nothing")
	}
	w, _ := f.e1.Wrap(dev.ID(), set.KemPub)
	r, _ := f.e1.WrapRecovery(set, true)
	if _, err := OpenWrapRecovery(f.e1.Context, dev, w, f.e1.EC(), f.e1.GC()); err == nil {
		t.Error("a device's wrap opened as the trustees'")
	}
	if _, err := OpenWrap(f.e1.Context, dev.ID(), dev.KEM, r, f.e1.EC(), f.e1.GC()); err == nil {
		t.Error("the trustees' wrap opened as a device's")
	}
	boot, _ := SealBootstrap(org, dev.ID(), set.KemPub, Bootstrap{})
	if _, _, err := OpenLetter(org, dev, boot); err == nil {
		t.Error("a bootstrap opened as a letter")
	}
	if l, err := SealLetter(org, dev, dev.ID(), set.KemPub, LetterLate, make([]byte, 100)); err != nil {
		t.Error(err)
	} else if _, err := OpenBootstrap(org, dev, l[:len(l)-(len(l)-bootstrapMin)%32]); err == nil {
		t.Error("a letter opened as a bootstrap")
	}

	// A record becomes an erasure, a circle record a heartbeat: signed by their author, kind changed.
	for from, to := range map[int]ItemKind{1: KindShred, 2: KindHeartbeat} {
		items, _ := ParseFrame(bytes.Clone(env.payload), MaxItems)
		items[from][16] = byte(to)
		got := f.open(t, f.e1.resign(env.salt, f.dev, f.header, Frame(items...)))
		if it, v := got.Item(from, f.keys); v != WasTampered {
			t.Errorf("kind %d read as %d: %q %v", env.items[from][16], to, it.Body, v)
		}
	}
}

// TestAttackVerificationCodeConfusesIdentifiers: what people compare or scan names one thing only. Stopped by the
// labelled hashes over whole keys; an id is computed from its key and cannot be claimed.
func TestAttackVerificationCodeConfusesIdentifiers(t *testing.T) {
	f := newFixture(t)
	kem := KemHash(f.dev.KEM.PublicKey().Bytes())
	seen := map[string]string{}
	for name, digits := range map[string]string{
		"the device":  SafetyDigits(f.e1.Org, f.dev.SigPub(), kem),
		"another org": SafetyDigits(krama.OrgID(q32(9)), f.dev.SigPub(), kem),
		"another key": SafetyDigits(f.e1.Org, ed25519.NewKeyFromSeed(q(0x33, 32)).Public().(ed25519.PublicKey),
			kem),
		"another KEM key":   SafetyDigits(f.e1.Org, f.dev.SigPub(), q32(9)),
		"the two exchanged": SafetyDigits(f.e1.Org, kem[:], [32]byte(f.dev.SigPub())),
	} {
		if was := seen[digits]; was != "" {
			t.Errorf("%s and %s are read aloud alike", was, name)
		}
		seen[digits] = name
	}
	// A device that takes over another's nonce does not take over its id, and no statement carries an id to claim.
	thief, _ := NewDevice(rand.Reader, "thief")
	thief.Nonce = f.dev.Nonce
	if thief.ID() == f.dev.ID() {
		t.Error("an id was pointed at another key")
	}
	h := found(t)
	victim, err := h.add(krama.MemberID{2}, krama.RoleOutreach)
	h.must(err)
	req := *thief.Request()
	req.Nonce = victim.Nonce
	if err := h.say(h.founder, h.statement(&DeviceAdd{krama.MemberID{2}, &req, 1, ByScan, q32(3),
		victim.Proof(h.roster.Org, q32(3))})); krama.KindOf(err) != krama.Tampered {
		t.Errorf("enrolled with another device's proof: %v", err)
	}
	// A proof is for one programme, one scan and one request.
	good := f.dev.Proof(f.e1.Org, q32(3))
	if !CheckProof(f.e1.Org, f.dev.Request(), q32(3), good) {
		t.Fatal("the proof does not hold: the test proves nothing")
	}
	if CheckProof(krama.OrgID(q32(9)), f.dev.Request(), q32(3), good) || CheckProof(f.e1.Org, f.dev.Request(), q32(4),
		good) || CheckProof(f.e1.Org, thief.Request(), q32(3), good) {
		t.Error("a proof was taken for another programme, scan or device")
	}
	// The codes of the two screens, and names made from one key, are never each other's.
	if _, err := ParseScan2(Scan1{q32(1), q16(2)}.String()); err == nil {
		t.Error("QR-1 was read as QR-2")
	}
	if _, err := ParseScan1(Scan2{Org: q32(1)}.String()); err == nil {
		t.Error("QR-2 was read as QR-1")
	}
	if DropID(f.dev.SigPub()) == ProgrammeID(f.dev.SigPub()) || f.e1.StreamID() == StreamID(Mailbox(f.dev.ID(), kem)) {
		t.Error("two kinds of place at the relay have one name")
	}
}

// TestAttackOldPasswordOpensOldBlob: the only thing that words open is the vault file, which never leaves the device. A
// copy with cheaper parameters, written by somebody who knows the words or lowered by somebody who does not, is
// refused. Stopped by the floor in OpenVault, checked before any guess is computed, and by the parameters in the key.
func TestAttackOldPasswordOpensOldBlob(t *testing.T) {
	vk := q32(1)
	for name, cost := range map[string]Cost{"one pass": {1, 19 * 1024}, "less memory": {2, 19*1024 - 1},
		"next to nothing": {1, 8}} {
		file := newVault("one two three four", cost, q16(2)).Seal(Factors{}, vk)
		if _, err := OpenVault(file, "one two three four", Factors{}); krama.KindOf(err) != krama.Tampered {
			t.Errorf("%s, with the right words: %v", name, err)
		}
	}
	file := newVault("one two three four", CostLow, q16(2)).Seal(Factors{}, vk)
	copy(file[2:], u32(CostFloor.Passes)) // above the floor, and still not what was written
	copy(file[6:], u32(CostFloor.KiB))
	if _, err := OpenVault(file, "one two three four", Factors{}); err == nil {
		t.Error("parameters were lowered to the floor and the file still opened")
	}
	for name, f := range map[string]Factors{"the passkey": {PRF: q(5, 32)}, "the relay's part": {Pepper: q(6, 32)},
		"both": {q(5, 32), q(6, 32)}} {
		with := newVault("one two three four", CostFloor, q16(2)).Seal(f, vk)
		for flags := range f.flags() { // struck out, or one of two
			with[1] = flags
			for _, g := range []Factors{{}, {PRF: f.PRF}, {Pepper: f.Pepper}, {PRF: f.Pepper}, {Pepper: f.PRF}} {
				if _, err := OpenVault(with, "one two three four", g); err == nil {
					t.Errorf("%s struck out to flags %d, and the file still opened", name, flags)
				}
			}
		}
	}
}

// TestAttackNonceReuse gives the device a random source that is stuck. Stopped by the salt, which is made from the
// content and a secret as well (Seal): two messages never meet under one key; only the very same message twice gives
// the same bytes.
func TestAttackNonceReuse(t *testing.T) {
	f := newFixture(t)
	stuck := func() *bytes.Reader { return bytes.NewReader(make([]byte, 32)) }
	salts := map[[32]byte]int{}
	var wires [][]byte
	for i := range 64 {
		h := f.header
		body := []byte("hello")
		if i < 32 {
			h.Seq = uint64(i + 1)
		} else {
			body = append(body, byte(i))
		}
		w, err := f.e1.Seal(stuck(), f.dev, h, []Item{{f.subject, KindRecord, body}, {f.subject, KindRecord, body}},
			f.keys)
		if err != nil {
			t.Fatal(err)
		}
		salts[[32]byte(w[1:33])]++
		wires = append(wires, w)
		env := f.open(t, w)
		if bytes.Equal(env.items[0][17:], env.items[1][17:]) {
			t.Error("two equal items of an envelope are sealed alike")
		}
	}
	if len(salts) != 64 {
		t.Errorf("64 messages, %d keys", len(salts))
	}
	again, _ := f.e1.Seal(stuck(), f.dev, Header{Author: f.header.Author, Kind: EnvContent, Seq: 1, Head: f.start,
		Roster: f.header.Roster, TimeMS: f.header.TimeMS},
		[]Item{{f.subject, KindRecord, []byte("hello")}, {f.subject, KindRecord, []byte("hello")}}, f.keys)
	if !bytes.Equal(again, wires[0]) {
		t.Error("the same message does not give the same bytes: the source was not stuck, the test proves nothing")
	}
	colleague := *f.dev
	colleague.SaltSecret = q32(0x77)
	w, _ := f.e1.Seal(stuck(), &colleague, f.header, []Item{{f.subject, KindRecord, []byte("hello")},
		{f.subject, KindRecord, []byte("hello")}}, f.keys)
	if salts[[32]byte(w[1:33])] != 0 {
		t.Error("two devices with stuck sources share a key")
	}
}

// collide makes 32 bytes and a tag that ChaCha20-Poly1305 opens under two keys at once (Len, Grubbs and Ristenpart
// 2021): the two unknown blocks solve one linear equation for each key.
func collide(t *testing.T, keys [2][]byte, ad []byte) []byte {
	t.Helper()
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 130), big.NewInt(5))
	two128 := new(big.Int).Lsh(big.NewInt(1), 128)
	le := func(b []byte) *big.Int {
		r := bytes.Clone(b)
		for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
			r[i], r[j] = r[j], r[i]
		}
		return new(big.Int).SetBytes(r)
	}
	pad := append(bytes.Clone(ad), make([]byte, (16-len(ad)%16)%16)...)
	n := len(pad)/16 + 3 // the additional data, two unknown blocks, the lengths
	lens := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(len(ad))), 32)
	var r, s, known [2]*big.Int
	for k, key := range keys {
		c, err := chacha20.NewUnauthenticatedCipher(key, make([]byte, 12))
		if err != nil {
			t.Fatal(err)
		}
		otk := make([]byte, 32)
		c.XORKeyStream(otk, otk)
		for _, i := range []int{3, 7, 11, 15} {
			otk[i] &= 15
		}
		for _, i := range []int{4, 8, 12} {
			otk[i] &= 252
		}
		r[k], s[k], known[k] = le(otk[:16]), le(otk[16:]), new(big.Int)
		for i := range n {
			block := new(big.Int).Set(two128)
			switch {
			case i < n-3:
				block.Add(block, le(pad[16*i:16*i+16]))
			case i == n-1:
				block.Add(block, le(lens))
			}
			known[k].Add(known[k], block.Mul(block, new(big.Int).Exp(r[k], big.NewInt(int64(n-i)), p)))
		}
	}
	for range 10000 {
		tag := make([]byte, 16)
		rand.Read(tag)
		var want [2]*big.Int
		for k := range keys {
			want[k] = new(big.Int).Sub(le(tag), s[k])
			want[k].Mod(want[k], two128).Sub(want[k], known[k]).Mod(want[k], p)
		}
		// x1 r^3 + x2 r^2 = want, for both keys
		a, b := new(big.Int).Exp(r[0], big.NewInt(3), p), new(big.Int).Exp(r[0], big.NewInt(2), p)
		c, d := new(big.Int).Exp(r[1], big.NewInt(3), p), new(big.Int).Exp(r[1], big.NewInt(2), p)
		mul := func(x, y *big.Int) *big.Int { return new(big.Int).Mul(x, y) }
		det := new(big.Int).Sub(mul(a, d), mul(b, c))
		if det.ModInverse(det.Mod(det, p), p) == nil {
			continue
		}
		x1 := mul(new(big.Int).Sub(mul(want[0], d), mul(b, want[1])), det)
		x2 := mul(new(big.Int).Sub(mul(a, want[1]), mul(want[0], c)), det)
		x1.Mod(x1, p)
		x2.Mod(x2, p)
		if x1.Cmp(two128) >= 0 || x2.Cmp(two128) >= 0 {
			continue
		}
		out := make([]byte, 48)
		for i, x := range []*big.Int{x1, x2} {
			be := x.FillBytes(make([]byte, 16))
			for j := range be {
				out[16*i+j] = be[15-j]
			}
		}
		copy(out[32:], tag)
		return out
	}
	t.Fatal("no collision found")
	return nil
}

// TestAttackPartitioningOracle makes one ciphertext that opens under two keys, which this AEAD allows, and puts it
// where a reader might try several. Stopped by the check value of the vault and by the commitments to epoch secrets:
// one file tests one password, one link leads to one epoch.
func TestAttackPartitioningOracle(t *testing.T) {
	salt := q16(2)
	words := [2]string{"one two three four", "five six seven eight"}
	vaults := [2]*Vault{newVault(words[0], CostFloor, salt), newVault(words[1], CostFloor, salt)}
	file := vaults[0].Seal(Factors{}, q32(1))
	keks := [2][]byte{vaults[0].derive(Factors{}, 32, "vault kek"), vaults[1].derive(Factors{}, 32, "vault kek")}
	ad := enc("vault", file[:42])
	copy(file[42:], collide(t, keks, ad))
	for _, k := range keks {
		if _, err := openOnce(k, file[42:], ad); err != nil {
			t.Fatal("the ciphertext does not open under both keys: the test proves nothing")
		}
	}
	if _, err := OpenVault(file, words[0], Factors{}); err != nil {
		t.Errorf("the words it names: %v", err)
	}
	if _, err := OpenVault(file, words[1], Factors{}); krama.KindOf(err) != krama.CannotDecrypt {
		t.Errorf("two passwords open one vault: %v", err)
	}

	f := newFixture(t)
	prev := f.e0.EC()
	e2 := &Epoch{Context: f.e1.Context, ES: q32(0x99)}
	bad := encCtx("back", f.e1.Context, prev[:])
	back := collide(t, [2][]byte{deriveCtx(f.e1.ES[:], nil, 32, "back", f.e1.Context), deriveCtx(e2.ES[:], nil, 32,
		"back", f.e1.Context)}, bad)
	for _, e := range []*Epoch{f.e1, e2} {
		if _, err := e.OpenBack(back, prev); krama.KindOf(err) != krama.Tampered {
			t.Errorf("a link that opens under two secrets: %v", err)
		}
	}
}

// TestAttackSizeSideChannel: what is stored says little about what is in it. Stopped by wireSize, by letterMin and by
// pages and wraps of one size; nothing is compressed.
func TestAttackSizeSideChannel(t *testing.T) {
	f := newFixture(t)
	size := func(items ...Item) int {
		w, err := f.e1.Seal(rand.Reader, f.dev, f.header, items, f.keys)
		if err != nil {
			t.Fatal(err)
		}
		return len(w)
	}
	var many []Item
	sizes := map[int]bool{}
	for n := 1; n <= 400; n++ {
		many = append(many, Item{f.subject, KindRecord, make([]byte, 45)})
		sizes[size(many...)] = true
		if n == 7 && len(sizes) != 1 {
			t.Errorf("1 to 7 contacts have %d sizes", len(sizes))
		}
	}
	if len(sizes) > 80 {
		t.Errorf("1 to 400 contacts have %d sizes", len(sizes))
	}
	if a, b := size(Item{f.subject, KindRecord, nil}), size(Item{f.subject, KindShred, []byte{1}},
		Item{f.subject, KindRecord, make([]byte, 400)}); a != b {
		t.Errorf("an empty record has %d bytes, an erasure and a long one %d", a, b)
	}
	noise := make([]byte, 3000)
	rand.Read(noise)
	if a, b := size(Item{f.subject, KindRecord, make([]byte, 3000)}), size(Item{f.subject, KindRecord, noise}); a != b {
		t.Errorf("what repeats is smaller: %d, %d", a, b)
	}
	pub := f.dev.KEM.PublicKey().Bytes()
	letters := map[int]bool{}
	for _, n := range []int{0, 1, 64, 500, 1500} {
		l, err := SealLetter(f.e1.Org, f.dev, f.dev.ID(), pub, LetterLate, make([]byte, n))
		if err != nil {
			t.Fatal(err)
		}
		letters[len(l)] = true
	}
	if len(letters) != 1 {
		t.Errorf("short letters have %d sizes", len(letters))
	}
	some := map[krama.SubjectID]SubjectKey{}
	sizes = map[int]bool{}
	for i := range pageEntries {
		some[krama.SubjectID{1, byte(i), byte(i >> 8)}] = f.sk
		if i%32 == 0 {
			parts, err := f.e1.SealKeyring(rand.Reader, some, nil)
			if err != nil || len(parts) != 2 {
				t.Fatal(len(parts), err)
			}
			sizes[len(parts[0])] = true
		}
	}
	if len(sizes) != pageEntries/pageStep {
		t.Errorf("pages of 1 to 1,024 people have %d lengths, want %d", len(sizes), pageEntries/pageStep)
	}
}
