package relay_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"krama/relay"
	"krama/relay/memory"
	"krama/relay/storetest"
	"krama/seal"
)

type rig struct {
	t     *testing.T
	relay *relay.Relay
	now   time.Time
	store *memory.Store
	key   ed25519.PrivateKey
	id    seal.StreamID
}

func newRig(t *testing.T, limit relay.Limits) *rig {
	g := &rig{t: t, now: time.UnixMilli(1_800_000_000_000), store: memory.New()}
	g.relay = relay.New(g.store, "token", limit, func() time.Time { return g.now })
	control := ed25519.NewKeyFromSeed(make([]byte, 32))
	pub := control.Public().(ed25519.PublicKey)
	g.must(200, seal.PathFound, g.call(control, seal.PathFound, seal.ProgrammeID(pub), seal.Frame([]byte("token"), pub)))
	g.key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	g.id = seal.StreamID{7}
	g.must(200, seal.PathCreate, g.call(control, seal.PathCreate, seal.ProgrammeID(pub),
		seal.Frame(g.id[:], g.key.Public().(ed25519.PublicKey), make([]byte, 32), nil)))
	return g
}

func (g *rig) call(key ed25519.PrivateKey, path string, who [16]byte, payload []byte) []byte {
	b, err := seal.NewCall(rand.Reader, key, path, who, uint64(g.now.UnixMilli()), payload)
	if err != nil {
		g.t.Fatal(err)
	}
	return b
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

// TestEveryCallMustBeSignedAndFresh sends, to every path, what a stranger can send.
func TestEveryCallMustBeSignedAndFresh(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	paths := []string{seal.PathFound, seal.PathCreate, seal.PathClose, seal.PathAppend, seal.PathList, seal.PathBoxPut,
		seal.PathBoxGet, seal.PathDropPut, seal.PathDropGet, seal.PathBlobPut, seal.PathBlobGet,
		seal.PathPepperPut, seal.PathPepperGet, seal.PathPepperDrop}
	payloads := [][]byte{nil, seal.Frame(make([]byte, 32), make([]byte, 16), make([]byte, 32)), seal.ListCall{}.Marshal(),
		seal.Frame(make([]byte, 16), []byte("x")), seal.Frame(make([]byte, 32)), seal.Frame(make([]byte, 16)),
		seal.Frame([]byte("guess"), stranger.Public().(ed25519.PublicKey)), seal.AppendCall{Envelopes: [][]byte{storetest.Envelope(1024)}}.Marshal()}
	for _, p := range paths {
		if code, _ := g.post(p, nil); code != 401 {
			t.Errorf("%s without a call: %d", p, code)
		}
		if code, _ := g.post(p, []byte("hello")); code != 401 {
			t.Errorf("%s with noise: %d", p, code)
		}
		for _, who := range [][16]byte{g.id, {}, {1}} {
			for _, pl := range payloads {
				if code, _ := g.post(p, g.call(stranger, p, who, pl)); code != 401 && code != 400 {
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
	if code, _ := g.post(seal.PathList, moved); code != 401 {
		t.Errorf("a call moved to another path: %d", code)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	if code, _ := g.post(seal.PathAppend, flipped); code != 401 {
		t.Errorf("a call with another body: %d", code)
	}
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
	stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	_, known := g.post(seal.PathList, g.call(stranger, seal.PathList, g.id, seal.ListCall{}.Marshal()))
	_, unknown := g.post(seal.PathList, g.call(stranger, seal.PathList, [16]byte{8}, seal.ListCall{}.Marshal()))
	if !bytes.Equal(known, unknown) {
		t.Errorf("%q and %q", known, unknown)
	}
}

func TestBounds(t *testing.T) {
	limit := relay.DefaultLimits
	limit.Body, limit.Quota, limit.Rate, limit.Burst, limit.Nonces = 200<<10, 5<<10, 1, 8, 1000
	g := newRig(t, limit)
	if code, _ := g.post(seal.PathAppend, make([]byte, 201<<10)); code != 413 {
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
	d, _ := seal.NewDevice(rand.Reader, "test")
	box := d.Mailbox()
	g.must(200, seal.PathBoxPut, g.call(g.key, seal.PathBoxPut, g.id, seal.Frame(box[:], []byte("wrap"))))
	kem := seal.KemHash(d.KEM.PublicKey().Bytes())
	get := seal.Frame(d.SigPub(), d.Nonce[:], kem[:])
	out := g.must(200, seal.PathBoxGet, g.call(d.Sig, seal.PathBoxGet, [16]byte(d.ID()), get))
	if it, err := seal.ParseItems(out, -1); err != nil || string(it[0]) != "wrap" {
		t.Errorf("mailbox: %q %v", out, err)
	}
	thief, _ := seal.NewDevice(rand.Reader, "test")
	if code, _ := g.post(seal.PathBoxGet, g.call(thief.Sig, seal.PathBoxGet, [16]byte(d.ID()), get)); code != 401 {
		t.Errorf("another device's mailbox: %d", code)
	}
	drop := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, 32))
	pub := drop.Public().(ed25519.PublicKey)
	id := seal.DropID(pub)
	g.must(200, seal.PathDropPut, g.call(drop, seal.PathDropPut, id, seal.Frame(pub, []byte("request"))))
	out = g.must(200, seal.PathDropGet, g.call(g.key, seal.PathDropGet, g.id, seal.Frame(id[:])))
	if it, err := seal.ParseItems(out, -1); err != nil || string(it[0]) != "request" {
		t.Errorf("drop: %q %v", out, err)
	}
	if code, _ := g.post(seal.PathDropPut, g.call(thief.Sig, seal.PathDropPut, id, seal.Frame(thief.SigPub(), []byte("x")))); code != 401 {
		t.Errorf("another's drop: %d", code)
	}
}

func TestServesNoCode(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	for _, p := range []string{"/", "/app/", "/index.html", "/v1/list?x=1", "/v1/listen"} {
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
	f.Add("/v1/found", seal.Frame(make([]byte, 104), nil))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		w := httptest.NewRecorder()
		req := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		req.URL.Path = path
		r.ServeHTTP(w, req)
		if w.Code == http.StatusOK {
			t.Errorf("%q accepted noise", path)
		}
	})
}
