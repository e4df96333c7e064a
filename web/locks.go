package web

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"time"

	"krama"
	"krama/replica"
	"krama/web/http"
)

// What may lock a phone beside the words: a passkey of its browser, and a part of its key that the relay keeps.

// lockRoutes registers the pages on which a phone's locks are changed. Opening it is the gate's.
func (s *Server) lockRoutes() {
	o := s.open
	o.HandleFunc("GET /locks", on(gatePages.locksPage))
	o.HandleFunc("POST /locks", on(gatePages.locksChange))
	o.HandleFunc("GET /locks/words", on(gatePages.locksWords))
	o.HandleFunc("POST /locks/tap", on(gatePages.locksTap))
}

// lockAt is a vault of this phone whose words were given.
type lockAt struct {
	// slot is its place in dirs.
	*replica.Lock
	slot int
}

// opened is an open lock and its key, or the sentence that says why none is.
type opened struct {
	// With lock nil, trouble is the sentence, "" while a passkey is waited for.
	lock    *replica.Lock
	vk      [32]byte
	slot    int // whose vault of this phone
	trouble string
}

const (
	askTime = 20 * time.Second // for the relay's answer
	// for the passkey, after the words: whoever picks the phone up later needs them again
	passkeyTime = 2 * time.Minute
)

// openAny gives the words to every vault of this phone. What opens with what is on the phone comes first, then the
// words for an emergency, which need neither passkey nor network, and only then is the relay asked, or a passkey.
func (s *Server) openAny(ctx context.Context, words string) (o opened, err error) {
	// Whose words they are shows only by trying: the files name nobody.
	has, err := s.vaults()
	if err != nil {
		return o, err
	}
	o.trouble = "gate.wrong"
	var asks, locks []lockAt
	for i, dir := range s.dirs() {
		if !has[i] {
			continue
		}
		d, e := replica.NewLock(dir, words)
		// Not tried before the passkey has answered: words alone open nothing of it, right or wrong.
		if e == nil && d.Passkey != nil {
			locks = append(locks, lockAt{d, i})
			continue
		}
		if e == nil {
			if o.vk, e = d.Open(s.Now(), nil); e == nil {
				o.slot, o.lock = i, d
				return o, nil
			}
		}
		// Offline says that the relay keeps a part. Words of another vault are no error. A vault that is damaged must
		// not keep others of this phone shut, so its error is told only if nothing opens.
		switch krama.KindOf(e) {
		case krama.Offline:
			asks = append(asks, lockAt{d, i})
		case krama.CannotDecrypt:
		default:
			err = e
		}
	}
	for i, d := range s.dirs() { // only after wrong words: duress costs a wrong try nothing that shows
		if has[i] && replica.IsDecoy(d, words) {
			o.slot = i
			replica.Destroy(d)
			return o, errDuress
		}
	}
	// Each goes to the relay as a try of its own, and the relay counts them.
	for _, d := range asks {
		if s.ask(ctx, &o, d, nil) {
			return o, nil
		}
	}
	// Kept for the page that asks the browser. Words that opened nothing else end here, too.
	if len(locks) > 0 {
		s.mu.Lock()
		s.gate.locks, s.gate.given = locks, s.Now()
		s.mu.Unlock()
		o.trouble, err = "", nil
	}
	return o, err
}

// ask has the relay open one lock.
func (s *Server) ask(ctx context.Context, o *opened, d lockAt, prf []byte) bool {
	vk, err := d.Ask(ctx, s.Config.Replica, s.Relay, prf)
	if err == nil {
		o.slot, o.lock, o.vk = d.slot, d.Lock, vk
		return true
	}
	// The last sentence stands. The relay does not tell wrong words from a device that was removed.
	switch krama.KindOf(err) {
	case krama.CannotDecrypt:
		o.trouble = "gate.wrongField"
	case krama.TooMany:
		o.trouble = "gate.tooMany"
	case krama.Tampered:
		o.trouble = "gate.relayLies"
	default:
		o.trouble = "gate.needsRelay"
	}
	return false
}

// passkeys lists what the page asks the browser: the ids of passkeys and the question for each.
func passkeys(locks []lockAt) (out string) {
	for _, d := range locks {
		out += hex.EncodeToString(d.Passkey.ID) + ":" + hex.EncodeToString(d.Passkey.Ask[:]) + " "
	}
	return out
}

// passkeyOf reads what the page brings from the browser.
func passkeyOf(r *http.Request) *replica.Passkey {
	f := posted(r)
	id, e1 := hex.DecodeString(f.Get("key"))
	answer, e2 := hex.DecodeString(f.Get("answer"))
	ask, e3 := hex.DecodeString(f.Get("ask"))
	if e1 != nil || e2 != nil || e3 != nil || len(answer) != 32 || len(ask) != 32 {
		return nil
	}
	return &replica.Passkey{ID: id, Ask: [32]byte(ask), Answer: answer}
}

// passkeyGiven tries the locks whose words were given with a passkey's answer.
func (s gatePages) passkeyGiven(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	locks, age := s.gate.locks, s.Now().Round(0).Sub(s.gate.given.Round(0))
	s.gate.locks = nil
	s.mu.Unlock()
	// One try for each time the words are given. An age below zero is of a clock that was set back meanwhile.
	p := passkeyOf(r)
	if s.Replica() != nil || p == nil || age < 0 || age > passkeyTime {
		redirect(w, r, "/")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	o := opened{trouble: "gate.wrong"}
	// Every vault with a passkey is among them, whoever's words were given. Those that name this one are tried.
	for _, d := range locks {
		if !bytes.Equal(d.Passkey.ID, p.ID) {
			continue
		}
		vk, err := d.Open(s.Now(), p.Answer)
		if err == nil {
			o.slot, o.lock, o.vk = d.slot, d.Lock, vk
			break
		}
		if krama.KindOf(err) == krama.Offline && s.ask(ctx, &o, d, p.Answer) {
			break
		}
	}
	s.enter(w, r, o, nil)
}

// locksPage shows what locks this phone. A change that was begun and not confirmed with the words is forgotten.
func (s gatePages) locksPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.gate = gate{} // what was wanted and not confirmed
	s.mu.Unlock()
	s.locks(w, r, "")
}

// locks draws the page of a phone's locks, with a fresh question for a passkey that may be made on it.
func (s gatePages) locks(w http.ResponseWriter, r *http.Request, trouble string) {
	var ask [32]byte
	if _, err := io.ReadFull(s.Rand, ask[:]); err != nil {
		s.fail(w, r, krama.Wrap("web.locks", err))
		return
	}
	s.page(w, r, 200, "locks.title", "settings", locksView(s.rep.Field().Locks(), hex.EncodeToString(ask[:]), trouble))
}

// locksChange notes what is to be changed. The vault is written anew under the words, so they are asked for.
func (s gatePages) locksChange(w http.ResponseWriter, r *http.Request) {
	want := s.rep.Field().Locks()
	switch posted(r).Get("do") {
	case "passkey":
		if want.Passkey = passkeyOf(r); want.Passkey == nil {
			s.locks(w, r, "locks.passkeyFailed")
			return
		}
	case "passkey-off":
		want.Passkey = nil
	case "field":
		want.Field = true
	case "field-off":
		want.Field = false
	// In field mode: from now on the words open nothing until the relay is heard.
	case "shut":
		s.rep.Field().Shut()
		s.lockNow(w, r)
		return
	}
	s.mu.Lock()
	s.gate = gate{want: &want}
	s.mu.Unlock()
	redirect(w, r, "/locks/words")
}

// locksWords asks for the words of the open vault. Without a change that waits it leads back.
func (s gatePages) locksWords(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	g := s.gate
	s.mu.Unlock()
	if g.want == nil {
		redirect(w, r, "/locks")
		return
	}
	s.page(w, r, 200, "locks.words", "settings", locksWordsView(g, s.taps(g)))
}

// locksTap changes the locks when the words are complete. Where it is cut, the vault opens as before or as wanted.
func (s gatePages) locksTap(w http.ResponseWriter, r *http.Request) {
	words, done := s.tapped(r)
	s.mu.Lock()
	want := s.gate.want
	s.mu.Unlock()
	if !done || want == nil {
		redirect(w, r, "/locks/words")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	err := s.rep.Field().Relock(ctx, words, *want)
	// The change waits on: she taps the words again.
	if krama.KindOf(err) == krama.CannotDecrypt {
		s.wrong("gate.notThose")
		redirect(w, r, "/locks/words")
		return
	}
	s.mu.Lock()
	s.gate = gate{}
	s.mu.Unlock()
	switch {
	case err == nil:
		redirect(w, r, "/locks")
	case krama.KindOf(err) == krama.Offline:
		s.locks(w, r, "locks.offline")
	default:
		s.locks(w, r, "locks.failed")
	}
}
