package relay_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/relay/memory"
	"krama/seal"
)

// doorRig is a relay with one programme, one intake and nobody's account.
type doorRig struct {
	t     testing.TB
	r     *relay.Relay
	store *memory.Store
	keys  *seal.IntakeKeys
	key   ed25519.PrivateKey // of the stream that the intake was drawn in
	site  [16]byte
	mu    sync.Mutex
	now   time.Time // under mu where requests are still at work
}

// pass lets time go by.
func (g *doorRig) pass(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = g.now.Add(d)
}

func (g *doorRig) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

func newDoorRig(t testing.TB) *doorRig {
	t.Helper()
	g := &doorRig{t: t, store: memory.New(), site: [16]byte{9}, now: time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)}
	g.r = relay.New(g.store, "token", relay.DefaultLimits, g.clock)
	var err error
	if g.keys, err = seal.OpenIntake([32]byte{1}, seal.StreamID{4}, false); err != nil {
		t.Fatal(err)
	}
	p := relay.Programme{ID: [16]byte{1}, Control: make([]byte, 32), Site: g.site}
	if err := g.store.AddProgramme(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	_, g.key, _ = ed25519.GenerateKey(nil)
	if err := g.store.CreateStream(t.Context(), relay.Stream{ID: g.keys.Stream, Programme: p.ID,
		Access: g.key.Public().(ed25519.PublicKey)}, nil); err != nil {
		t.Fatal(err)
	}
	if err := g.store.SetDoor(t.Context(), p.ID, []byte("door"), [][16]byte{g.keys.ID()}); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *doorRig) post(path string, body []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.r.ServeHTTP(w, httptest.NewRequest("POST", path, bytes.NewReader(body)))
	return w
}

func (g *doorRig) receipt(digits string) *seal.Receipt {
	g.t.Helper()
	r, err := seal.OpenReceipt(digits, g.site)
	if err != nil {
		g.t.Fatal(err)
	}
	return r
}

func (g *doorRig) sealed(text string) []byte {
	g.t.Helper()
	w, err := seal.SealReport(g.keys.KEM.PublicKey().Bytes(), g.site, g.keys.ID(), g.receipt("1"),
		seal.Message{Topic: 1, Text: text})
	if err != nil {
		g.t.Fatal(err)
	}
	return w
}

func (g *doorRig) report(day krama.Day, proof [seal.WorkSize]byte, intake [16]byte, sealed []byte) int {
	return g.post(seal.PathReport, seal.Frame(g.site[:], intake[:], binary.BigEndian.AppendUint32(nil, uint32(day)),
		proof[:], sealed)).Code
}

func (g *doorRig) work(day krama.Day) [seal.WorkSize]byte {
	p, err := seal.Work(rand.Reader, g.site, day)
	if err != nil {
		g.t.Fatal(err)
	}
	return p
}

// TestReport: a report with a proof is kept once, however often it is sent; without one, with a spent one, of another
// size or day or intake it is refused; only the intake's key fetches and drops it.
func TestReport(t *testing.T) {
	g := newDoorRig(t)
	today := krama.DayOf(g.now)
	proof, body := g.work(today), g.sealed("one")
	for range 3 {
		if got := g.report(today, proof, g.keys.ID(), body); got != 200 {
			t.Fatalf("got %d", got)
		}
	}
	bad := proof
	for seal.Worked(g.site, today, bad) {
		bad[0]++
	}
	if two := g.sealed("two"); g.report(today, proof, g.keys.ID(), two) == 200 || g.report(today, proof, g.keys.ID(),
		two) == 200 {
		t.Error("a spent proof is taken at the second try")
	}
	for name, got := range map[string]int{
		"a spent proof":     g.report(today, proof, g.keys.ID(), g.sealed("two")),
		"no proof":          g.report(today, bad, g.keys.ID(), g.sealed("two")),
		"a day long past":   g.report(today-9, g.work(today-9), g.keys.ID(), g.sealed("two")),
		"a day to come":     g.report(today+9, g.work(today+9), g.keys.ID(), g.sealed("two")),
		"another size":      g.report(today, g.work(today), g.keys.ID(), body[1:]),
		"nothing":           g.report(today, g.work(today), g.keys.ID(), nil),
		"an unknown intake": g.report(today, g.work(today), [16]byte{7}, g.sealed("two")),
		"not a frame":       g.post(seal.PathReport, []byte("hello")).Code,
	} {
		if got == 200 {
			t.Errorf("%s was taken", name)
		}
	}
	sig := g.keys.Sig.Public().(ed25519.PublicKey)
	list := func(key ed25519.PrivateKey, stream seal.StreamID, sig ed25519.PublicKey) (int, []byte) {
		call, _ := seal.NewCall(rand.Reader, key, seal.PathReports, g.r.Session(), g.site, stream,
			seal.Frame(sig, make([]byte, 8), nil))
		w := g.post(seal.PathReports, call)
		return w.Code, w.Body.Bytes()
	}
	code, out := list(g.key, g.keys.Stream, sig)
	it, _, err := seal.ParseHeld(out)
	if code != 200 || err != nil || len(it) != 2 || it[0].K != 2 || !bytes.Equal(it[1].Body[4:], body) {
		t.Fatalf("got %d, %d items, %v", code, len(it), err)
	}
	// Neither a stranger's key, nor the intake's own, nor a colleague's of another circle, nor one that a successor has
	// replaced.
	_, stranger, _ := ed25519.GenerateKey(nil)
	other := relay.Stream{ID: seal.StreamID{5}, Programme: [16]byte{1}, Access: stranger.Public().(ed25519.PublicKey)}
	if err := g.store.CreateStream(t.Context(), other, nil); err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]ed25519.PrivateKey{"a stranger": stranger, "the seed alone": g.keys.Sig} {
		if code, _ := list(key, g.keys.Stream, sig); code == 200 {
			t.Errorf("%s lists reports", name)
		}
	}
	if _, out := list(stranger, other.ID, sig); len(out) != 16 {
		t.Error("a colleague of another circle lists reports")
	}
	call, _ := seal.NewCall(rand.Reader, g.key, seal.PathReported, g.r.Session(), g.site, g.keys.Stream,
		seal.Frame(sig, binary.BigEndian.AppendUint64(nil, it[1].K), nil))
	if w := g.post(seal.PathReported, call); w.Code != 200 {
		t.Errorf("drop: %d", w.Code)
	}
	if _, out := list(g.key, g.keys.Stream, sig); len(out) != 16 {
		t.Error("a dropped report is still there")
	}
}

// TestFlood: 10,000 reports in an hour are the bound, over everybody; more is said to be too many, and nothing that was
// taken is lost.
func TestFlood(t *testing.T) {
	g := newDoorRig(t)
	today := krama.DayOf(g.now)
	body := g.sealed("flood")
	taken, refused := 0, 0
	for i := range 400 {
		b := bytes.Clone(body)
		binary.BigEndian.PutUint32(b[len(b)-4:], uint32(i))
		switch g.report(today, g.work(today), g.keys.ID(), b) {
		case 200:
			taken++
		case 429:
			refused++
		}
	}
	if taken != 200 || refused != 200 {
		t.Errorf("in one moment: %d taken, %d refused, want 200 and 200", taken, refused)
	}
	g.now = g.now.Add(time.Hour)
	if got := g.report(today, g.work(today), g.keys.ID(), g.sealed("after")); got != 200 {
		t.Errorf("an hour later: %d", got)
	}
	if _, waiting, _ := g.store.Reports(t.Context(), g.keys.ID(), 0, 1); waiting != 201 {
		t.Errorf("%d wait, want 201", waiting)
	}
}

func (g *doorRig) look(r *seal.Receipt, key ed25519.PrivateKey) *httptest.ResponseRecorder {
	call, err := (&seal.Receipt{Mailbox: r.Mailbox, Auth: key}).Look(rand.Reader, g.r.Session(), g.site,
		krama.DayOf(g.now))
	if err != nil {
		g.t.Fatal(err)
	}
	return g.post(seal.PathReply, call)
}

// answer puts an answer into a mailbox over HTTP, as staff do.
func (g *doorRig) answer(r *seal.Receipt, item []byte) error {
	call, err := seal.NewCall(rand.Reader, g.key, seal.PathAnswerPut, g.r.Session(), g.site, g.keys.Stream,
		seal.Frame(r.Mailbox[:], item))
	if w := g.post(seal.PathAnswerPut, call); err == nil && w.Code != 200 {
		err = fmt.Errorf("status %d", w.Code)
	}
	return err
}

// TestReceiptsCannotBeProbed: a mailbox with answers, one without and one that never was give the same status, headers
// and size; what an empty one gives is the same every time, also after a restart; a wrong key gives what an empty one
// gives.
func TestReceiptsCannotBeProbed(t *testing.T) {
	g := newDoorRig(t)
	with, without := g.receipt("12345678901234567897"), g.receipt("22345678901234567890")
	item, err := seal.SealReply(with.KEM.PublicKey().Bytes(), [32]byte(with.Auth.Public().(ed25519.PublicKey)), g.site,
		with.Mailbox, g.keys.Sig, 20600, "hello")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.answer(with, item); err != nil {
		t.Fatal(err)
	}
	a, b := g.look(with, with.Auth), g.look(without, without.Auth)
	if a.Code != 200 || b.Code != 200 || a.Body.Len() != b.Body.Len() || a.Body.Len() != seal.Replies*seal.ReplySize {
		t.Errorf("with: %d, %d bytes; without: %d, %d bytes", a.Code, a.Body.Len(), b.Code, b.Body.Len())
	}
	if x, y := fmt.Sprint(a.Header()), fmt.Sprint(b.Header()); x != y {
		t.Errorf("headers differ: %v %v", x, y)
	}
	sigs := []ed25519.PublicKey{g.keys.Sig.Public().(ed25519.PublicKey)}
	opened := 0
	for out := a.Body.Bytes(); len(out) > 0; out = out[seal.ReplySize:] {
		if r, err := seal.OpenReply(with, g.site, sigs, out[:seal.ReplySize]); err == nil && r.Text == "hello" {
			opened++
		}
	}
	if opened != 1 {
		t.Errorf("%d answers opened, want 1", opened)
	}
	first := bytes.Clone(b.Body.Bytes())
	g.r = relay.New(g.store, "token", relay.DefaultLimits, g.clock)
	if again := g.look(without, without.Auth); !bytes.Equal(again.Body.Bytes(), first) {
		t.Error("an empty mailbox gives other noise after a restart")
	}
	_, stranger, _ := ed25519.GenerateKey(nil)
	if w := g.look(with, stranger); w.Code != 200 || bytes.Contains(w.Body.Bytes(), item[32:200]) {
		t.Errorf("another key: %d, or it was given the answer", w.Code)
	}
	for range 5 { // only the newest three fit
		g.answer(with, append(bytes.Clone(item[:40]), bytes.Repeat([]byte{byte(time.Now().Nanosecond())},
			len(item)-40)...))
	}
	if w := g.look(with, with.Auth); w.Body.Len() != seal.Replies*seal.ReplySize {
		t.Errorf("with many answers: %d bytes", w.Body.Len())
	}
}

// TestSlipAnswers: what a service says is kept under a hash of the code, few times, and slowed down for everybody
// together.
func TestSlipAnswers(t *testing.T) {
	g := newDoorRig(t)
	code, _ := krama.NewSlipCode(rand.Reader)
	for _, what := range []uint8{krama.OutcomeAccepted, krama.OutcomeDone, krama.OutcomeDone} {
		if err := g.r.AnswerSlip(t.Context(), code, what); err != nil {
			t.Fatal(err)
		}
	}
	if items, _ := g.store.Items(t.Context(), relay.Box{Keep: relay.Slips, ID: seal.SlipBox(code)}, [16]byte{}, g.now,
		0, 1<<20); len(items) != 2 {
		t.Errorf("%d answers kept, want 2", len(items))
	}
	if err := g.r.AnswerSlip(t.Context(), code, 9); krama.KindOf(err) != krama.Invalid {
		t.Errorf("got %v want invalid", err)
	}
	var err error
	for range 200 {
		c, _ := krama.NewSlipCode(rand.Reader)
		if err = g.r.AnswerSlip(context.Background(), c, krama.OutcomeDone); err != nil {
			break
		}
	}
	if krama.KindOf(err) != krama.TooMany {
		t.Errorf("guessing goes on without end: %v", err)
	}
}
