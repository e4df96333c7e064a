package relay_test

import (
	"crypto/rand"
	"encoding/binary"
	"testing"

	"krama"
	"krama/relay"
	"krama/seal"
)

// neutral is the point under which one signature fits every message, and anyMessage that signature.
var neutral = append([]byte{1}, make([]byte, 31)...)

var anyMessage = append(append([]byte(nil), neutral...), make([]byte, 32)...)

// forge makes a call signed by nobody: a real one whose signature is the one that fits every message.
func (g *rig) forge(path string, who [16]byte, payload []byte) []byte {
	b := g.call(keyOf(1), path, who, payload)
	copy(b[seal.CallHead-4-64:], anyMessage)
	return b
}

// TestA5NeutralKeyAtTheRelay sends to every call that takes a key one that everybody can sign for.
func TestA5NeutralKeyAtTheRelay(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	device := seal.DeviceID(neutral, [16]byte{})
	day := krama.DayOf(g.now)
	worked := func(who [16]byte) []byte {
		p, err := seal.CallWork(rand.Reader, who, day)
		if err != nil {
			t.Fatal(err)
		}
		return p[:]
	}
	today := binary.BigEndian.AppendUint32(nil, uint32(day))
	drop, box := seal.DropID(neutral), [16]byte{9}
	for name, c := range map[string]struct {
		path string
		body []byte
	}{
		"founding": {seal.PathFound, g.forge(seal.PathFound, seal.ProgrammeID(neutral), seal.Frame([]byte("token"),
			neutral, make([]byte, 16)))},
		"member": {seal.PathMembers, g.call(g.control, seal.PathMembers, g.programme(), seal.Frame(g.site[:],
			append(neutral[:32:32], make([]byte, 16)...)))},
		"stream": {seal.PathCreate, g.call(g.control, seal.PathCreate, g.programme(),
			seal.Frame(make([]byte, 16), neutral, make([]byte, 32), nil, []byte{0}))},
		"control": {seal.PathControl, g.call(g.control, seal.PathControl, g.programme(), seal.Frame(neutral))},
		"mailbox": {seal.PathBoxGet, g.forge(seal.PathBoxGet, [16]byte(device), seal.Frame(neutral,
			make([]byte, 16), make([]byte, 32), make([]byte, 8), make([]byte, 4)))},
		"drop": {seal.PathDropPut, g.forge(seal.PathDropPut, drop, seal.Frame(neutral, today, worked(drop),
			[]byte("x")))},
		"answers": {seal.PathReply, g.forge(seal.PathReply, box, seal.Frame(neutral, today, worked(box)))},
		"pepper's key": {seal.PathPepperPut, g.call(g.device.Sig, seal.PathPepperPut, [16]byte(g.device.ID()),
			seal.Frame(append(neutral[:32:32], make([]byte, 32)...)))},
	} {
		if code, _ := g.post(c.path, c.body); code < 400 || code >= 500 {
			t.Errorf("%s: status %d", name, code)
		}
	}
	// The programme still listens to its own key.
	g.must(200, seal.PathControl, g.call(g.control, seal.PathControl, g.programme(), seal.Frame(pubOf(g.control))))
}
