package seal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"testing"
)

// TestCallIsBound: a call is of one path, one run of a relay, one programme, one caller, one moment and one payload;
// each byte of its head counts.
func TestCallIsBound(t *testing.T) {
	key := ed25519.NewKeyFromSeed(q(1, 32))
	pub := key.Public().(ed25519.PublicKey)
	at := Session{Boot: [16]byte(q(9, 16)), MS: 5000}
	b, err := NewCall(bytes.NewReader(q(33, 16)), key, PathList, at, [16]byte(q(40, 16)), [16]byte(q(60, 16)),
		[]byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCall(b)
	if err != nil || !c.Check(pub, PathList, at.Boot) || string(c.Payload) != "body" || c.MS != 5000 ||
		c.Programme != [16]byte(q(40, 16)) || c.Principal != [16]byte(q(60, 16)) || c.Nonce != [16]byte(q(33, 16)) {
		t.Fatalf("%+v, %v", c, err)
	}
	if c.Check(pub, PathAppend, at.Boot) {
		t.Error("on another path")
	}
	if c.Check(pub, PathList, [16]byte{1}) {
		t.Error("at another run of the relay")
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if c, err := ParseCall(bad); err == nil && c.Check(pub, PathList, at.Boot) {
			t.Errorf("byte %d does not count", i)
		}
	}
	// The vector of format krama/1's second calls: key seed q(01,32), boot q(09,16), 5,000 ms, nonce q(21h,16),
	// programme q(28h,16), principal q(3ch,16), "/v2/list", "body".
	if got := hex.EncodeToString(b[4+signedSize : 4+authSize]); got != callVector {
		t.Errorf("signature %s", got)
	}
}

// TestCutAnswers: of an answer that ends anywhere, what is whole and the beginning of what is not are read, and nothing
// else.
func TestCutAnswers(t *testing.T) {
	list := []Held{{1, []byte("one")}, {7, nil}, {9, bytes.Repeat([]byte{3}, 40)}}
	whole := MarshalHeld(list, 0, true)
	for n := range whole {
		got, begun, size, err := CutHeld(whole[:n])
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		for i, h := range got {
			if i < len(list) && (h.K != list[i].K || !bytes.Equal(h.Body, list[i].Body)) {
				t.Fatalf("cut at %d: item %d is another", n, i)
			}
		}
		if begun.Body != nil && (size != len(list[len(got)].Body) || !bytes.HasPrefix(list[len(got)].Body,
			begun.Body)) {
			t.Fatalf("cut at %d: begun %x of %d", n, begun.Body, size)
		}
	}
	if got, last, err := ParseHeld(whole); err != nil || !last || len(got) != len(list) {
		t.Errorf("%d items, last %v, %v", len(got), last, err)
	}
	l := Listing{Head: Head{N: 3}, Entries: [][]byte{[]byte("first"), bytes.Repeat([]byte{1}, 100)}}
	raw := l.Marshal()
	for n := range raw {
		got, begun, size, err := CutListing(raw[:n])
		if n < 44 {
			if err == nil {
				t.Fatalf("cut at %d: a head that did not come", n)
			}
			continue
		}
		if err != nil || got.Head != l.Head {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if k := len(got.Entries); k < 2 && size > 0 && (size != len(l.Entries[k]) ||
			!bytes.HasPrefix(l.Entries[k], begun)) {
			t.Fatalf("cut at %d: begun %d of %d", n, len(begun), size)
		}
	}
}

func FuzzCallHead(f *testing.F) {
	f.Add(make([]byte, CallHead))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ParseCall(b); err == nil && (len(b) < CallHead || !bytes.Equal(c.Payload, b[CallHead:])) {
			t.Error("a payload of other bytes")
		}
		CutListing(b)
		CutHeld(b)
		if list, last, err := ParseHeld(b); err == nil && !bytes.Equal(MarshalHeld(list, 0, last), b) {
			t.Error("two encodings of one answer")
		}
	})
}

const callVector = "f143fad29d667566b8cac6798b307c7e606e23c7a26171d72080a3f7b261cf6f" +
	"71e2627334067d916898cae77ececa2ce341416f4f8655ff205d21a086107003"
