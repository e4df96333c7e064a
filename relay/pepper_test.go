package relay_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"krama/relay"
	"krama/seal"
)

// TestPepper: the relay gives a device's pepper to who has its access key and to nobody else, keeps two while a vault
// is being rewritten, and once the device was dropped gives nothing and takes nothing, whatever is signed.
func TestPepper(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	control, programme := g.control, g.programme()
	d, _ := seal.NewDevice(rand.Reader, "phone")
	other, _ := seal.NewDevice(rand.Reader, "phone")
	g.members(d, other)
	box := seal.PepperBox(d.ID())
	access := func(b byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, 32)) }
	pepper := func(b byte) seal.Pepper {
		return seal.Pepper{Access: access(b).Public().(ed25519.PublicKey), Value: [32]byte{b}}
	}
	put := func(d *seal.Device, p ...seal.Pepper) (int, []byte) {
		var f [][]byte
		for _, one := range p {
			f = append(f, one.Marshal())
		}
		return g.ask(d.Sig, seal.PathPepperPut, [16]byte(d.ID()), seal.Frame(f...))
	}
	get := func(b byte) (int, []byte) {
		g.now = g.now.Add(time.Minute) // within the rate
		return g.post(seal.PathPepperGet, g.call(access(b), seal.PathPepperGet, box, nil))
	}
	want := func(b byte, status int) {
		t.Helper()
		if code, out := get(b); code != status || status == 200 && (len(out) != 32 || out[0] != b) {
			t.Errorf("pepper %d: status %d %x want %d", b, code, out, status)
		}
	}
	want(1, 401) // there is none
	if code, _ := put(d, pepper(1)); code != 200 {
		t.Fatalf("put: %d", code)
	}
	want(1, 200)
	want(2, 401)
	put(d, pepper(1), pepper(2))
	want(1, 200)
	want(2, 200)
	put(d, pepper(2))
	want(1, 401)

	// Another device writes into its own place only.
	put(other, pepper(3))
	want(3, 401)
	want(2, 200)
	if code, _ := g.ask(other.Sig, seal.PathPepperPut, [16]byte(d.ID()), seal.Frame(pepper(3).Marshal())); code != 401 {
		t.Errorf("signed by another device: %d", code)
	}
	if code, _ := put(d, pepper(3), pepper(4), pepper(5)); code != 400 {
		t.Errorf("three peppers: %d", code)
	}

	// Whoever has the phone tries words: each try is another key, and tries run out.
	g.now = g.now.Add(time.Hour)
	tries := 0
	for code := 401; code == 401 && tries < 1000; tries++ {
		code, _ = g.post(seal.PathPepperGet, g.call(access(byte(tries)+9), seal.PathPepperGet, box, nil))
	}
	if tries > 30 {
		t.Errorf("%d tries in one moment", tries)
	}
	want(2, 200) // after a minute she opens it all the same

	put(d)
	want(2, 401)
	put(d, pepper(2))
	id := d.ID()
	drop := func(key ed25519.PrivateKey) int {
		code, _ := g.post(seal.PathPepperDrop, g.call(key, seal.PathPepperDrop, programme, seal.Frame(id[:])))
		return code
	}
	if code := drop(g.key); code != 401 {
		t.Errorf("dropped with a stream's key: %d", code)
	}
	want(2, 200)
	for range 2 {
		if code := drop(control); code != 200 {
			t.Fatalf("drop: %d", code)
		}
		want(2, 401)
		if code, _ := put(d, pepper(2)); code != 401 {
			t.Errorf("a removed device's pepper was taken: %d", code)
		}
		want(2, 401)
	}
	if code, _ := put(other, pepper(3)); code != 200 {
		t.Errorf("another device was dropped too: %d", code)
	}
}
