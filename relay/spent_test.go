package relay_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"testing"

	"krama"
	"krama/relay"
	"krama/relay/storetest"
	"krama/seal"
)

// TestA6A8FloodTakesNobodysBudget: after 20,000 calls that are signed by nobody, or by keys of the caller's own making,
// devices, circles, new devices and reporters get through as before.
func TestA6A8FloodTakesNobodysBudget(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	keys, _ := seal.OpenIntake([32]byte{1}, g.id, false)
	in := keys.ID()
	g.must(200, seal.PathDoor, g.call(g.control, seal.PathDoor, g.programme(), seal.Frame([]byte("door"), in[:])))
	g.flood(3000)
	g.must(200, seal.PathAppend, g.append(1))
	g.must(200, seal.PathList, g.call(g.key, seal.PathList, g.id, seal.ListCall{Max: 1}.Marshal()))
	g.must(200, seal.PathBoxGet, g.call(g.device.Sig, seal.PathBoxGet, [16]byte(g.device.ID()), mailbox(g.device)))
	g.must(200, seal.PathBlobPut, g.call(g.control, seal.PathBlobPut, g.programme(), seal.Frame([]byte("page"))))
	drop := keyOf(91)
	g.must(200, seal.PathDropPut, g.call(drop, seal.PathDropPut, seal.DropID(pubOf(drop)), g.drop(drop, "request")))
	day := krama.DayOf(g.now)
	receipt := &seal.Receipt{Mailbox: [16]byte{3}, Auth: keyOf(92)}
	look, err := receipt.Look(rand.Reader, g.relay.Session(), g.site, day)
	if err != nil {
		t.Fatal(err)
	}
	g.must(200, seal.PathReply, look)
	// A7: and reports that paid.
	for i := range 20 {
		p, err := seal.Work(rand.Reader, g.site, day)
		if err != nil {
			t.Fatal(err)
		}
		body := bytes.Repeat([]byte{byte(i)}, 4<<10+1136)
		g.must(200, seal.PathReport, seal.Frame(g.site[:], in[:], binary.BigEndian.AppendUint32(nil, uint32(day)),
			p[:], body))
	}
}

// TestA7SpentProofTakesNobodysBudget: one proof of work pays for one report: sent again with others it takes nothing
// from what reporters have together.
func TestA7SpentProofTakesNobodysBudget(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	keys, _ := seal.OpenIntake([32]byte{1}, g.id, false)
	in, day := keys.ID(), krama.DayOf(g.now)
	g.must(200, seal.PathDoor, g.call(g.control, seal.PathDoor, g.programme(), seal.Frame([]byte("door"), in[:])))
	proof := func() [seal.WorkSize]byte {
		p, err := seal.Work(rand.Reader, g.site, day)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	report := func(p [seal.WorkSize]byte, i int) int {
		body := make([]byte, 4<<10+1136)
		binary.BigEndian.PutUint32(body, uint32(i))
		code, _ := g.post(seal.PathReport, seal.Frame(g.site[:], in[:], binary.BigEndian.AppendUint32(nil, uint32(day)),
			p[:], body))
		return code
	}
	spent := proof()
	for i := range 1000 {
		if code := report(spent, i); (code == 200) != (i == 0) {
			t.Fatalf("report %d with one proof: %d", i, code)
		}
	}
	if code := report(proof(), 1000); code != 200 {
		t.Errorf("one that paid, after 1,000 that did not: %d", code)
	}
}

// TestNothingIsFree: shares count bytes, so what has none comes in nowhere.
func TestNothingIsFree(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	box := make([]byte, 16)
	for _, item := range [][]byte{nil, make([]byte, 31)} {
		for path, c := range map[string]struct {
			key ed25519.PrivateKey
			who [16]byte
		}{seal.PathBoxPut: {g.control, g.programme()}, seal.PathBoxKeep: {g.control, g.programme()},
			seal.PathLeavePut: {g.device.Sig, [16]byte(g.device.ID())}} {
			if code, _ := g.ask(c.key, path, c.who, seal.Frame(box, item)); code != 400 {
				t.Errorf("%s of %d bytes: %d", path, len(item), code)
			}
		}
	}
}

// flood sends calls that are signed by nobody, by their maker or without work, far more than any budget holds.
func (g *rig) flood(n int) {
	garbage, drop := keyOf(200), keyOf(201)
	day := binary.BigEndian.AppendUint32(nil, uint32(krama.DayOf(g.now)))
	thief, _ := seal.NewDevice(rand.Reader, "test")
	receipt := [16]byte{77}
	for i := range n {
		g.ask(garbage, seal.PathBoxGet, [16]byte(g.device.ID()), mailbox(g.device))
		g.ask(thief.Sig, seal.PathBoxGet, [16]byte(thief.ID()), mailbox(thief))
		g.ask(garbage, seal.PathAppend, g.id, seal.AppendCall{Envelopes: [][]byte{storetest.Envelope(1024)}}.Marshal())
		g.ask(garbage, seal.PathBlobDrop, g.programme(), seal.Frame(make([]byte, 32)))
		g.ask(drop, seal.PathDropPut, seal.DropID(pubOf(drop)), seal.Frame(pubOf(drop), day,
			bytes.Repeat([]byte{byte(i)}, seal.WorkSize-1), []byte("x")))
		g.ask(garbage, seal.PathReply, receipt, seal.Frame(pubOf(garbage), day, bytes.Repeat([]byte{byte(i)},
			seal.WorkSize-1)))
		g.post(seal.PathReport, seal.Frame(g.site[:], make([]byte, 16), day, make([]byte, seal.WorkSize),
			make([]byte, 4<<10+1136)))
	}
}
