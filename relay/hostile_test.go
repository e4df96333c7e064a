package relay_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/seal"
)

// TestBudgetsAreApart: a mailbox may have any id, and looking into one takes from no budget of others: neither that of
// reports nor that of all looks.
func TestBudgetsAreApart(t *testing.T) {
	for _, id := range [][16]byte{{1}, {}} {
		g := newDoorRig(t)
		_, key, _ := ed25519.GenerateKey(nil)
		day := krama.DayOf(g.now)
		proof, _ := seal.CallWork(rand.Reader, id, day)
		for range 60 {
			call, _ := seal.NewCall(rand.Reader, key, seal.PathReply, g.r.Session(), g.site, id,
				seal.Frame(pubOf(key), binary.BigEndian.AppendUint32(nil, uint32(day)), proof[:]))
			g.post(seal.PathReply, call)
		}
		if got := g.report(day, g.work(day), g.keys.ID(), g.sealed("help")); got != 200 {
			t.Errorf("mailbox %x: a report is refused with %d", id[:1], got)
		}
		if got := g.look(g.receipt("1"), g.receipt("1").Auth).Code; got != 200 {
			t.Errorf("mailbox %x: another reporter's look is refused with %d", id[:1], got)
		}
	}
}

// TestProofIsSpent: one proof of work does not take more than once from the budget of everybody who brought one.
func TestProofIsSpent(t *testing.T) {
	g := newDoorRig(t)
	day := krama.DayOf(g.now)
	d := binary.BigEndian.AppendUint32(nil, uint32(day))
	type proof struct {
		id    [16]byte
		key   ed25519.PrivateKey
		bytes [seal.WorkSize]byte
	}
	var have []proof
	for i := range 40 {
		p := proof{id: [16]byte{77, byte(i)}, key: keyOf(byte(i))}
		p.bytes, _ = seal.CallWork(rand.Reader, p.id, day)
		have = append(have, p)
	}
	for range 20 { // seconds
		g.pass(time.Second)
		for _, p := range have {
			call, _ := seal.NewCall(rand.Reader, p.key, seal.PathReply, g.r.Session(), g.site, p.id,
				seal.Frame(pubOf(p.key), d, p.bytes[:]))
			go g.post(seal.PathReply, call)
			time.Sleep(2 * time.Millisecond)
		}
	}
	if got := g.look(g.receipt("1"), g.receipt("1").Auth).Code; got != 200 {
		t.Errorf("forty proofs used 800 times: a reporter's look is refused with %d", got)
	}
	// The same with one drop.
	r := newRig(t, relay.DefaultLimits)
	payload := r.drop(keyOf(66), "x")
	for range 300 {
		r.ask(keyOf(66), seal.PathDropPut, seal.DropID(pubOf(keyOf(66))), payload)
	}
	if code, _ := r.ask(keyOf(67), seal.PathDropPut, seal.DropID(pubOf(keyOf(67))),
		r.drop(keyOf(67), "y")); code != 200 {
		t.Errorf("one proof used 300 times: a new device's drop is refused with %d", code)
	}
}

func partOf(sum [32]byte, total, offset uint32, b []byte) []byte {
	return seal.Frame(sum[:], binary.BigEndian.AppendUint32(nil, total), binary.BigEndian.AppendUint32(nil, offset), b)
}

// TestPartsHaveARoom: announcing many payloads of nothing makes the relay keep no more than some.
func TestPartsHaveARoom(t *testing.T) {
	l := relay.DefaultLimits
	l.Rate, l.Burst, l.Nonces = 1e9, 1e9, 1<<30
	g := newRig(t, l)
	began := time.Now()
	for i := range 5000 {
		sum := [32]byte{byte(i), byte(i >> 8), byte(i >> 16)}
		g.ask(g.key, seal.PathPart, g.id, partOf(sum, 0, 0, nil))
	}
	if got := g.relay.PartsHeld(); got > 4096 {
		t.Errorf("%d payloads of nothing are kept, after %v", got, time.Since(began))
	}
}

// TestPartsAreAsLargeAsTheCall: what comes in parts is no larger than what may come whole.
func TestPartsAreAsLargeAsTheCall(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	payload := seal.Frame(append([][]byte{g.id[:], make([]byte, 40)}, make([]byte, 1<<20))...)
	sum := seal.SHA256(payload)
	for at := 0; at < len(payload); at += 64 << 10 {
		g.ask(g.control, seal.PathPart, g.programme(), partOf(sum, uint32(len(payload)), uint32(at),
			payload[at:min(len(payload), at+64<<10)]))
	}
	head, _ := seal.NewCallHead(rand.Reader, g.control, seal.PathClose, g.relay.Session(), g.site,
		g.programme(), sum, 0)
	if code, _ := g.post(seal.PathClose, head); code != 413 {
		t.Errorf("a megabyte for close, in parts: %d, want 413", code)
	}
}

// TestPartsOfColleagues: who announces large payloads and sends none does not take a colleague's parts away.
func TestPartsOfColleagues(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	body := bytes.Repeat([]byte{5}, 100<<10)
	sum := seal.SHA256(body)
	g.ask(g.key, seal.PathPart, g.id, partOf(sum, uint32(len(body)), 0, body[:64<<10]))
	for i := range 3 {
		g.ask(g.device.Sig, seal.PathPart, [16]byte(g.device.ID()), partOf([32]byte{byte(i)}, 4<<20, 0, nil))
	}
	if _, b := g.ask(g.key, seal.PathPart, g.id, partOf(sum, uint32(len(body)), 0, nil)); len(b) != 4 ||
		binary.BigEndian.Uint32(b) != 64<<10 {
		t.Errorf("of 64 KiB there are %x left", b)
	}
}

// TestPepperTriesAreCountedOnce: a right one costs one of the twenty, like a wrong one.
func TestPepperTriesAreCountedOnce(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	p := seal.Pepper{Access: pubOf(keyOf(41)), Value: [32]byte{1}}
	g.must(200, seal.PathPepperPut, g.call(g.device.Sig, seal.PathPepperPut, [16]byte(g.device.ID()),
		seal.Frame(p.Marshal())))
	box := seal.PepperBox(g.device.ID())
	for range 19 {
		g.ask(keyOf(42), seal.PathPepperGet, box, nil)
	}
	if code, _ := g.ask(keyOf(41), seal.PathPepperGet, box, nil); code != 200 {
		t.Errorf("the twentieth try, the right one: %d", code)
	}
}

// TestOldKeysTakeNothing: with old keys of circle 0, which list and nothing else, nobody uses up the programme's
// nonces.
func TestOldKeysTakeNothing(t *testing.T) {
	l := relay.DefaultLimits
	l.Nonces = 2000
	g := newRig(t, l)
	old, oldKey := g.orgID, g.org
	ids, keys := []seal.StreamID{old}, []ed25519.PrivateKey{oldKey}
	for i := range 3 {
		id, key := seal.StreamID{8, 50 + byte(i)}, keyOf(200+byte(i))
		g.create(id, key, ids[len(ids)-1][:], 1)
		ids, keys = append(ids, id), append(keys, key)
	}
	list := seal.ListCall{Max: 1}.Marshal()
	for range 10 {
		g.now = g.now.Add(time.Second)
		for i := range 3 {
			for range 100 {
				g.ask(keys[i], seal.PathList, ids[i], list)
			}
		}
	}
	if code, _ := g.post(seal.PathAppend, g.append(1)); code != 200 {
		t.Errorf("after a removed phone's lists a colleague's work is refused with %d", code)
	}
}
