package relay_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/relay/memory"
	"krama/relay/storetest"
	"krama/seal"
)

// rig is a relay with one programme, two devices, one stream of circle 0 and one of a circle.
type rig struct {
	t       *testing.T
	relay   *relay.Relay
	now     time.Time
	store   *memory.Store
	control ed25519.PrivateKey
	key     ed25519.PrivateKey // of the circle's stream
	id      seal.StreamID
	org     ed25519.PrivateKey // of circle 0's stream
	orgID   seal.StreamID
	site    [16]byte
	device  *seal.Device
}

func keyOf(b byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, 32)) }

func pubOf(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func newRig(t *testing.T, limit relay.Limits) *rig {
	g := &rig{t: t, now: time.UnixMilli(1_800_000_000_000), store: memory.New()}
	g.relay = relay.New(g.store, "token", limit, func() time.Time { return g.now })
	g.join(1)
	return g
}

// join founds a programme and makes it the rig's. Keys, ids and names come from its number.
func (g *rig) join(n byte) {
	g.control, g.key, g.org = keyOf(n), keyOf(100+n), keyOf(150+n)
	g.id, g.orgID, g.site = seal.StreamID{7, n}, seal.StreamID{8, n}, [16]byte{9, n}
	g.must(200, seal.PathFound, g.call(g.control, seal.PathFound, g.programme(), seal.Frame([]byte("token"),
		pubOf(g.control), g.site[:])))
	g.create(g.id, g.key, nil, 0)
	g.create(g.orgID, g.org, nil, 1)
	g.device, _ = seal.NewDevice(rand.Reader, "test")
	g.members(g.device)
}

func (g *rig) programme() [16]byte { return seal.ProgrammeID(pubOf(g.control)) }

func (g *rig) create(id seal.StreamID, key ed25519.PrivateKey, before []byte, kind byte) {
	g.t.Helper()
	g.must(200, seal.PathCreate, g.call(g.control, seal.PathCreate, g.programme(), seal.Frame(id[:], pubOf(key),
		make([]byte, 32), before, []byte{kind})))
}

func (g *rig) members(list ...*seal.Device) {
	g.t.Helper()
	f := [][]byte{g.site[:]}
	for _, d := range list {
		f = append(f, append(bytes.Clone(d.SigPub()), d.Nonce[:]...))
	}
	g.must(200, seal.PathMembers, g.call(g.control, seal.PathMembers, g.programme(), seal.Frame(f...)))
}

func (g *rig) call(key ed25519.PrivateKey, path string, who [16]byte, payload []byte) []byte {
	b, err := seal.NewCall(rand.Reader, key, path, g.relay.Session(), g.site, who, payload)
	if err != nil {
		g.t.Fatal(err)
	}
	return b
}

// ask makes a call and tells its status and answer.
func (g *rig) ask(key ed25519.PrivateKey, path string, who [16]byte, payload []byte) (int, []byte) {
	return g.post(path, g.call(key, path, who, payload))
}

// mailbox is what a device asks its mailbox with.
func mailbox(d *seal.Device) []byte {
	kem := seal.KemHash(d.KEM.PublicKey().Bytes())
	return seal.Frame(d.SigPub(), d.Nonce[:], kem[:], make([]byte, 8), make([]byte, 4))
}

// sealed stands for something sealed: no item is shorter.
func sealed(what string) []byte { return append([]byte(what), make([]byte, 40)...) }

// drop is the payload of a drop, with its proof.
func (g *rig) drop(key ed25519.PrivateKey, item string) []byte {
	day := krama.DayOf(g.now)
	proof, err := seal.CallWork(rand.Reader, seal.DropID(pubOf(key)), day)
	if err != nil {
		g.t.Fatal(err)
	}
	return seal.Frame(pubOf(key), binary.BigEndian.AppendUint32(nil, uint32(day)), proof[:], []byte(item))
}

// items reads an answer of a box.
func (g *rig) items(answer []byte) (out []string) {
	g.t.Helper()
	list, _, err := seal.ParseHeld(answer)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, h := range list {
		out = append(out, string(h.Body))
	}
	return out
}

func (g *rig) post(path string, body []byte) (int, []byte) {
	w := httptest.NewRecorder()
	g.relay.ServeHTTP(w, httptest.NewRequest("POST", path, bytes.NewReader(body)))
	b, _ := io.ReadAll(w.Result().Body)
	return w.Code, b
}

func (g *rig) must(want int, path string, body []byte) []byte {
	g.t.Helper()
	got, b := g.post(path, body)
	if got != want {
		g.t.Fatalf("%s: status %d want %d: %s", path, got, want, b)
	}
	return b
}

func (g *rig) append(n int) []byte {
	var e [][]byte
	for range n {
		e = append(e, storetest.Envelope(1024))
	}
	return g.call(g.key, seal.PathAppend, g.id, seal.AppendCall{Envelopes: e}.Marshal())
}

// paths are all calls that are signed.
var paths = []string{seal.PathFound, seal.PathMembers, seal.PathControl, seal.PathCreate, seal.PathLine, seal.PathClose,
	seal.PathRewind, seal.PathTombstone,
	seal.PathAppend, seal.PathRestore, seal.PathList, seal.PathBoxPut, seal.PathBoxGet, seal.PathBoxKeep,
	seal.PathDropPut, seal.PathDropGet,
	seal.PathLeavePut, seal.PathLeaveMine, seal.PathLeaveGet, seal.PathBlobPut, seal.PathBlobGet, seal.PathBlobDrop,
	seal.PathDoor, seal.PathDoorGet,
	seal.PathAnswerPut, seal.PathReply, seal.PathReports, seal.PathReported, seal.PathSlip, seal.PathSlips,
	seal.PathPepperPut, seal.PathPepperGet, seal.PathPepperDrop, seal.PathPart}

// TestEveryCallMustBeSignedAndFresh sends, to every path, what a stranger can send.
func TestEveryCallMustBeSignedAndFresh(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	stranger := keyOf(9)
	payloads := [][]byte{nil, seal.Frame(make([]byte, 32), make([]byte, 16), make([]byte, 32)),
		seal.ListCall{}.Marshal(), mailbox(g.device),
		seal.Frame(make([]byte, 16), []byte("x")), seal.Frame(make([]byte, 32)), seal.Frame(make([]byte, 16)),
		seal.Frame(make([]byte, 16), make([]byte, 12)),
		seal.Frame([]byte("guess"), pubOf(stranger), g.site[:]),
		seal.AppendCall{Envelopes: [][]byte{storetest.Envelope(1024)}}.Marshal()}
	refused := func(code int) bool { return code == 401 || code == 400 || code == 413 }
	for _, p := range paths {
		if code, _ := g.post(p, nil); code != 401 {
			t.Errorf("%s without a call: %d", p, code)
		}
		if code, _ := g.post(p, []byte("hello")); code != 401 {
			t.Errorf("%s with noise: %d", p, code)
		}
		for _, who := range [][16]byte{g.id, g.orgID, g.programme(), [16]byte(g.device.ID()), {}, {1}} {
			for _, pl := range payloads {
				if code, _ := g.ask(stranger, p, who, pl); !refused(code) {
					t.Errorf("%s signed by a stranger: %d", p, code)
				}
			}
		}
		for _, method := range []string{"GET", "PUT", "DELETE", "HEAD", "OPTIONS"} {
			w := httptest.NewRecorder()
			g.relay.ServeHTTP(w, httptest.NewRequest(method, p, nil))
			if w.Code != 401 {
				t.Errorf("%s %s: %d", method, p, w.Code)
			}
		}
	}
	st, _ := g.store.Stream(t.Context(), g.id)
	if st.Head.N != 0 {
		t.Error("a stranger appended")
	}

	good := g.append(1)
	moved := bytes.Clone(good)
	if code, _ := g.post(seal.PathList, moved); code != 401 && code != 413 {
		t.Errorf("a call moved to another path: %d", code)
	}
	for i := range good {
		if i%97 != 0 && i != len(good)-1 && i > seal.CallHead+4 {
			continue
		}
		flipped := bytes.Clone(good)
		flipped[i] ^= 1
		if code, _ := g.post(seal.PathAppend, flipped); code != 401 {
			t.Errorf("a call with byte %d changed: %d", i, code)
		}
	}
	good = g.append(1) // what was refused for its payload is used up
	g.must(200, seal.PathAppend, good)
	if code, _ := g.post(seal.PathAppend, good); code != 401 {
		t.Errorf("a repeated call: %d", code)
	}
	old := g.append(1)
	g.now = g.now.Add(11 * time.Minute)
	if code, _ := g.post(seal.PathAppend, old); code != 401 {
		t.Errorf("a late call: %d", code)
	}
	fresh := g.append(1)
	g.relay = relay.New(g.store, "token", relay.DefaultLimits, func() time.Time { return g.now.Add(time.Second) })
	if code, _ := g.post(seal.PathAppend, fresh); code != 401 {
		t.Errorf("a call from before the relay's restart: %d", code)
	}
}

func TestRefusalLooksTheSameForKnownAndUnknownStreams(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	stranger := keyOf(9)
	_, known := g.post(seal.PathList, g.call(stranger, seal.PathList, g.id, seal.ListCall{}.Marshal()))
	_, unknown := g.post(seal.PathList, g.call(stranger, seal.PathList, [16]byte{8}, seal.ListCall{}.Marshal()))
	if !bytes.Equal(known, unknown) {
		t.Errorf("%q and %q", known, unknown)
	}
}

func TestBounds(t *testing.T) {
	limit := relay.DefaultLimits
	limit.Body, limit.Quota, limit.Rate, limit.Burst, limit.Nonces = 200<<10, 7<<10, 1, 9, 1000
	g := newRig(t, limit)
	if code, _ := g.post(seal.PathAppend, make([]byte, 202<<10)); code != 413 {
		t.Errorf("a large body: %d", code)
	}
	if code, _ := g.post(seal.PathAppend, g.append(65)); code != 400 {
		t.Errorf("a batch of 65: %d", code)
	}
	g.must(200, seal.PathAppend, g.append(5))
	if code, _ := g.post(seal.PathAppend, g.append(1)); code != 507 {
		t.Errorf("over the quota: %d", code)
	}
	codes := map[int]int{}
	for range 20 {
		code, _ := g.post(seal.PathList, g.call(g.key, seal.PathList, g.id, seal.ListCall{Max: 1}.Marshal()))
		codes[code]++
	}
	if codes[429] == 0 || codes[200] == 0 {
		t.Errorf("twenty calls at once: %v", codes)
	}
	g.now = g.now.Add(time.Minute)
	g.must(200, seal.PathList, g.call(g.key, seal.PathList, g.id, seal.ListCall{Max: 1}.Marshal()))
}

func TestBoxAndDropAreSelfCertifying(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	d := g.device
	box := d.Mailbox()
	g.must(200, seal.PathBoxPut, g.call(g.control, seal.PathBoxPut, g.programme(), seal.Frame(box[:], sealed("wrap"))))
	out := g.must(200, seal.PathBoxGet, g.call(d.Sig, seal.PathBoxGet, [16]byte(d.ID()), mailbox(d)))
	if it := g.items(out); len(it) != 1 || it[0] != string(sealed("wrap")) {
		t.Errorf("mailbox: %q", it)
	}
	thief, _ := seal.NewDevice(rand.Reader, "test")
	if code, _ := g.ask(thief.Sig, seal.PathBoxGet, [16]byte(d.ID()), mailbox(d)); code != 401 {
		t.Errorf("another device's mailbox: %d", code)
	}
	g.members(thief)
	if code, out := g.ask(thief.Sig, seal.PathBoxGet, [16]byte(thief.ID()), mailbox(d)); code != 200 ||
		len(g.items(out)) != 0 {
		t.Errorf("another device's mailbox by a member: %d", code)
	}
	drop := keyOf(5)
	id := seal.DropID(pubOf(drop))
	g.must(200, seal.PathDropPut, g.call(drop, seal.PathDropPut, id, g.drop(drop, "request")))
	out = g.must(200, seal.PathDropGet, g.call(g.control, seal.PathDropGet, g.programme(), seal.Frame(id[:])))
	if it := g.items(out); len(it) != 1 || it[0] != "request" {
		t.Errorf("drop: %q", it)
	}
	if code, _ := g.ask(thief.Sig, seal.PathDropPut, id, g.drop(thief.Sig, "x")); code != 401 {
		t.Errorf("another's drop: %d", code)
	}
	paid, _ := seal.ParseFrame(g.drop(drop, "x"), 4)
	paid[0] = thief.SigPub()
	if code, _ := g.ask(thief.Sig, seal.PathDropPut, id, seal.Frame(paid...)); code != 401 {
		t.Errorf("another's drop, with a proof of work for it: %d", code)
	}
	unpaid, _ := seal.ParseFrame(g.drop(drop, "more"), 4)
	for n := byte(0); ; n++ {
		if unpaid[2][0] = n; !seal.CallWorked(id, krama.DayOf(g.now), [seal.WorkSize]byte(unpaid[2])) {
			break
		}
	}
	if code, _ := g.ask(drop, seal.PathDropPut, id, seal.Frame(unpaid...)); code != 401 {
		t.Errorf("a drop without a proof of work: %d", code)
	}
}

func TestServesNoCode(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	for _, p := range []string{"/", "/app/", "/index.html", "/v1/list?x=1", "/v2/list?x=1", "/v2/listen", "/v3/list"} {
		w := httptest.NewRecorder()
		g.relay.ServeHTTP(w, httptest.NewRequest("GET", p, nil))
		if w.Code != 404 || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %s", p, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

func FuzzServe(f *testing.F) {
	r := relay.New(memory.New(), "token", relay.DefaultLimits, time.Now)
	f.Add("/v1/append", []byte("x"))
	f.Add(seal.PathAppend, []byte("x"))
	f.Add(seal.PathFound, seal.Frame(make([]byte, 152), nil))
	f.Add(seal.PathReport, seal.Frame(make([]byte, 16), make([]byte, 16), make([]byte, 4), make([]byte, 20),
		make([]byte, 5232)))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		w := httptest.NewRecorder()
		req := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		req.URL.Path = path
		r.ServeHTTP(w, req)
		if w.Code == http.StatusOK && path != seal.PathHello {
			t.Errorf("%q accepted noise", path)
		}
	})
}
