package web

import (
	"bytes"
	"context"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
	"time"

	"krama/replica"
	"krama/seal"
)

// confirm gives the words that a change of locks asks for.
func (g *rig) confirm(words []string) (page string) {
	g.t.Helper()
	for _, w := range words {
		_, page, _ = g.ask(g.phone, "POST", "/locks/tap", "word", w)
	}
	return page
}

// passkeyForm is what the browser brings for the passkey that a page asks for, as app.js sends it.
func passkeyForm(id, ask string, prf byte) []string {
	return []string{"key", id, "ask", ask, "answer", strings.Repeat(hex.EncodeToString([]byte{prf}), 32)}
}

var (
	wrongWords = []string{"abacus", "abdomen", "abdominal", "abide"}
	askPattern = regexp.MustCompile(`name="ask" value="([0-9a-f]{64})"`)
	keyPattern = regexp.MustCompile(`data-passkey="([0-9a-f]+):([0-9a-f]{64}) "`)
)

// setUpLocks is an enrolled phone with a passkey and field mode, and words for an emergency.
func (g *rig) setUpLocks() (words, emergency []string) {
	g.t.Helper()
	words = g.setUp()
	_, page, _ := g.ask(g.phone, "POST", "/duress", "do", "on")
	for _, m := range regexp.MustCompile(`data-duress="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		emergency = append(emergency, m[1])
	}
	_, page, _ = g.ask(g.phone, "GET", "/locks")
	ask := askPattern.FindStringSubmatch(page)[1]
	_, page, _ = g.ask(g.phone, "POST", "/locks", append(passkeyForm("0102", ask, 7), "do", "passkey")...)
	g.want(page, "Give your words to confirm")
	g.want(g.confirm(wrongWords), "Those are not the words")
	g.want(g.confirm(words), "data-passkey-on")
	_, page, _ = g.ask(g.phone, "POST", "/locks", "do", "field")
	page = g.confirm(words)
	g.want(page, "data-passkey-on")
	g.want(page, "data-field-on")
	return words, emergency
}

// enter takes the phone through its gate.
func (g *rig) enter(words []string, prf byte) string {
	g.t.Helper()
	page := g.tap(words)
	g.want(page, "Now your passkey")
	m := keyPattern.FindStringSubmatch(page)
	if m == nil {
		g.t.Fatalf("no passkey is asked for:\n%.1500s", page)
	}
	_, page, _ = g.ask(g.phone, "POST", "/passkey", passkeyForm(m[1], m[2], prf)...)
	return page
}

// TestLocks takes a phone through both locks at its gate: wrong words, another passkey, no network, wrong clocks, a
// lying relay and its removal. None of them loses anything, and each says what it is.
func TestLocks(t *testing.T) {
	g := newRig(t)
	words, _ := g.setUpLocks()
	path := g.register()
	g.restart()
	g.want(g.enter(words, 8), "tapper") // another passkey: nothing opens, and words are asked for again
	g.want(g.enter(wrongWords, 7), "tapper")
	g.cut.Store(true)
	g.want(g.enter(words, 7), "Quick number") // within the lease
	g.restart()
	g.ms.Add(replica.Lease.Milliseconds())
	g.want(g.enter(words, 7), "opens only with a connection")
	g.cut.Store(false)
	g.want(g.enter(wrongWords, 7), "removed this phone")
	g.want(g.enter(words, 8), "removed this phone")
	g.want(g.enter(words, 7), "Quick number")
	_, page, _ := g.ask(g.phone, "GET", path)
	g.want(page, "/contact")

	// The words do not stay good while a phone lies about.
	g.restart()
	page = g.tap(words)
	m := keyPattern.FindStringSubmatch(page)
	g.ms.Add((passkeyTime + time.Second).Milliseconds())
	_, page, _ = g.ask(g.phone, "POST", "/passkey", passkeyForm(m[1], m[2], 7)...)
	g.want(page, "tapper")
	g.tap(words)
	_, page, _ = g.ask(g.phone, "POST", "/tap", "undo", "1")
	g.want(page, "tapper")

	// Locked until there is a connection; then a relay that lies.
	g.want(g.enter(words, 7), "Quick number")
	g.ask(g.phone, "POST", "/locks", "do", "shut")
	g.dir.Crash()
	g.cut.Store(true)
	g.want(g.enter(words, 7), "opens only with a connection")
	g.cut.Store(false)
	g.phone.Config.Replica.Dial = func(string) replica.Remote { return liar{direct{g}} }
	g.want(g.enter(words, 7), "answered wrongly")
	g.phone.Config.Replica.Dial = func(string) replica.Remote { return direct{g} }
	g.want(g.enter(words, 7), "Quick number")

	// Both are turned off again, and the words alone open it.
	for _, do := range []string{"passkey-off", "field-off"} {
		g.ask(g.phone, "POST", "/locks", "do", do)
		page = g.confirm(words)
		g.want(page, "Turn field mode")
	}
	if strings.Contains(page, "data-passkey-on") || strings.Contains(page, "data-field-on") {
		t.Error("a lock is still on")
	}
	g.restart()
	g.cut.Store(true)
	g.want(g.tap(words), "Quick number")
}

// liar is a relay that gives other peppers than it was given.
type liar struct{ direct }

func (l liar) Call(ctx context.Context, path string, body []byte) ([]byte, time.Time, error) {
	answer, now, err := l.direct.Call(ctx, path, body)
	if path == seal.PathPepperGet && err == nil {
		answer = bytes.Repeat([]byte{1}, 32)
	}
	return answer, now, err
}

// TestDuressNeedsNothing: the words for an emergency empty a phone with both locks at once, with no passkey and no call
// to anybody, within the lease or past it.
func TestDuressNeedsNothing(t *testing.T) {
	g := newRig(t)
	_, emergency := g.setUpLocks()
	g.restart()
	g.ms.Add(2 * replica.Lease.Milliseconds())
	g.cut.Store(true)
	calls := g.calls.Load()
	g.want(g.tap(emergency), "data-leave")
	if n := g.calls.Load() - calls; n != 0 {
		t.Errorf("%d calls to the relay", n)
	}
	if has, _ := replica.HasVault(g.dir); has {
		t.Error("the vault is still there")
	}
	for _, f := range []string{"lease", "field", "passkey", "vault-next"} {
		if g.dir.File(f) != nil {
			t.Errorf("%s is left", f)
		}
	}
}

// TestLocksOfTwo: two people share a phone, and one of them has both locks. The other's words open hers without passkey
// and without network, as before.
func TestLocksOfTwo(t *testing.T) {
	g := newRig(t)
	first, _ := g.setUpLocks()
	g.restart()
	_, page, _ := g.ask(g.phone, "GET", "/setup")
	var second []string
	for _, m := range wordPattern.FindAllStringSubmatch(page, -1) {
		second = append(second, m[1])
	}
	g.want(g.tap(second), "data-qr=")
	g.restart()
	g.ms.Add(2 * replica.Lease.Milliseconds())
	g.cut.Store(true)
	_, page, _ = g.ask(g.phone, "GET", "/")
	g.want(page, "tapper")
	g.tap(second)
	if g.phone.Replica() == nil || g.phone.Replica().State() == replica.Enrolled {
		t.Error("the second person's words did not open hers")
	}
	g.restart()
	g.want(g.enter(first, 7), "opens only with a connection")
	g.cut.Store(false)
	g.want(g.enter(first, 7), "Quick number")
	_, page, _ = g.ask(g.phone, "POST", "/panic")
	g.want(page, "data-leave")
	if has, _ := replica.HasVault(g.dir); has {
		t.Error("panic left the vault")
	}
}
