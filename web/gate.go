package web

import (
	"context"
	"slices"
	"strings"
	"time"

	"krama"
	"krama/casework"
	"krama/office"
	"krama/replica"
	"krama/seal/words"
	"krama/web/http"
)

// The pages of a device that is locked or does not belong yet: making a vault, its words, opening it, and the two scans
// of an enrolment.

// gateRoutes registers the pages before a device is open. Any other address leads to the first page, so that a link
// from before a lock shows the gate; a form to any other is told that it came too late.
func (s *Server) gateRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /{$}", on(gatePages.gatePage))
	m.HandleFunc("GET /setup", on(gatePages.setupWords))
	m.HandleFunc("POST /setup/draw", on(gatePages.setupDraw))
	m.HandleFunc("GET /setup/confirm", on(gatePages.setupConfirm))
	m.HandleFunc("POST /tap", on(gatePages.tap))
	m.HandleFunc("POST /unlock", on(gatePages.unlockTyped))
	m.HandleFunc("POST /passkey", on(gatePages.passkeyGiven))
	m.HandleFunc("GET /join", on(gatePages.joinPage))
	m.HandleFunc("POST /join/scan", on(gatePages.joinScan))
	m.HandleFunc("POST /join/check", on(gatePages.joinCheck))
	m.HandleFunc("POST /join/voice", on(gatePages.joinVoice))
	m.HandleFunc("POST /join/new", on(gatePages.joinNew))
	m.HandleFunc("POST /leave", on(gatePages.leaving))
	m.HandleFunc("POST /", on(gatePages.late))
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { redirect(w, r, "/") })
}

// late answers a form that was sent after the device was locked: nothing of it is kept, and nothing shown.
func (s gatePages) late(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, http.StatusConflict, "gate.unlock", "", notice("gate.late"))
}

// gatePage is the first page of a locked or new device.
func (s gatePages) gatePage(w http.ResponseWriter, r *http.Request) {
	// A device between its scans, and one that was removed and has something to hand over, has its keys in memory but
	// is not enrolled: it stays on this side of the gate.
	if rep := s.Replica(); rep != nil && rep.State() == replica.Removed {
		s.page(w, r, 200, "gate.leaving", "", leavingView())
		return
	} else if rep != nil {
		s.joinPage(w, r)
		return
	}
	// A vault that cannot be read is told as such: the page of a new phone would invite somebody to begin anew over it.
	some, err := s.vaults()
	if err != nil {
		s.gateTrouble(w, r, err)
		return
	}
	if !slices.Contains(some, true) {
		// A desk's vault is made on the command line, never here.
		if s.Host == Desk {
			s.page(w, r, 200, "gate.welcome", "", notice("gate.noProgramme"))
			return
		}
		s.page(w, r, 200, "gate.welcome", "", welcomeView())
		return
	}
	// A lease that is over is destroyed as soon as somebody looks, before a word is tapped.
	for i, d := range s.dirs() {
		if some[i] {
			replica.SweepLease(d, s.Now())
		}
	}
	s.mu.Lock()
	g := s.gate
	s.mu.Unlock()
	// Whether the words were right is not known here, and the page must not tell: it asks for the passkey either way.
	if len(g.locks) > 0 {
		s.page(w, r, 200, "gate.passkey", "", passkeyView(passkeys(g.locks)))
		return
	}
	s.page(w, r, 200, "gate.unlock", "", unlockView(g, s.taps(g), s.freeSlot() > 0))
}

// gateTrouble shows what keeps a device from opening, with its own page for each.
func (s gatePages) gateTrouble(w http.ResponseWriter, r *http.Request, err error) {
	// Conflict is another tab or process that has the device open, Full a disk or browser without room. Everything else
	// is shown as damage.
	what := "damaged"
	switch krama.KindOf(err) {
	case krama.Conflict:
		what = "busy"
	case krama.Full:
		what = "full"
	}
	s.page(w, r, krama.Status(err), "gate."+what, "", troubleView("gate."+what))
}

// joinVoice keeps the office's last digits, as a voice read them, for the moment when the office's keys are known.
func (s gatePages) joinVoice(w http.ResponseWriter, r *http.Request) {
	if rep := s.Replica(); rep != nil {
		if err := rep.Newcomer().Expect(posted(r).Get("groups")); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	s.joinCheck(w, r)
}

// leaving lets a removed device hand over what it has not sent, which ends it.
func (s gatePages) leaving(w http.ResponseWriter, r *http.Request) {
	if rep := s.Replica(); rep != nil {
		// Whatever comes of it leads to the first page: with the relay out of reach nothing is destroyed, and the same
		// button is there again.
		ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
		defer cancel()
		rep.Sync(ctx, nil)
	}
	redirect(w, r, "/")
}

// setupWords shows the words of a phone that is being set up. Whoever comes back to the page sees the same ones: others
// are drawn only when she asks for them.
func (s gatePages) setupWords(w http.ResponseWriter, r *http.Request) {
	if s.Host != Phone || s.Replica() != nil {
		redirect(w, r, "/")
		return
	}
	s.mu.Lock()
	empty := len(s.gate.chosen) == 0
	s.mu.Unlock()
	if empty {
		if err := s.draw(); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	s.mu.Lock()
	words := s.gate.chosen
	s.mu.Unlock()
	s.page(w, r, 200, "gate.words", "", wordsView(words))
}

// setupDraw draws other words, for who cannot keep these in mind.
func (s gatePages) setupDraw(w http.ResponseWriter, r *http.Request) {
	if err := s.draw(); err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/setup")
}

// draw draws a new device's words and forgets what was tapped of those before. Until create seals a vault under them
// they are in memory alone.
func (s *Server) draw() error {
	words, err := words.Draw(s.Rand, words.Vault)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = gate{chosen: words}
	return err
}

// setupConfirm has her tap the words that she was shown: a vault whose words nobody has kept in mind is lost at its
// first lock.
func (s gatePages) setupConfirm(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	g := s.gate
	s.mu.Unlock()
	if len(g.chosen) == 0 {
		redirect(w, r, "/")
		return
	}
	s.page(w, r, 200, "gate.confirm", "", confirmView(g, s.taps(g)))
}

// enough is how many words fit on a page to tap from.
const enough = 36

// taps works out what can be tapped next: the words that begin with what was tapped, if they fit on a page, and
// otherwise the next letters.
func (s *Server) taps(g gate) choices {
	var c choices
	var fit []string
	for _, w := range s.words {
		if strings.HasPrefix(w, g.prefix) {
			fit = append(fit, w)
		}
	}
	if len(fit) <= enough {
		c.Words = fit
		return c
	}
	for _, w := range fit {
		// A word that others begin with stands beside the letters: no more letters would lead to it.
		if len(w) == len(g.prefix) {
			c.Words = append(c.Words, w)
		} else if p := w[:len(g.prefix)+1]; !slices.Contains(c.Prefixes, p) {
			c.Prefixes = append(c.Prefixes, p)
		}
	}
	return c
}

// tap takes one letter or word. The fourth word confirms a new device or unlocks an old one.
func (s gatePages) tap(w http.ResponseWriter, r *http.Request) {
	words, done := s.tapped(r)
	s.mu.Lock()
	confirming := s.gate.chosen
	s.mu.Unlock()
	switch {
	case done && confirming != nil:
		// The drawn words stay: she may look at them again before she taps anew.
		if strings.Join(confirming, " ") != words {
			s.wrong("gate.notThose")
			redirect(w, r, "/setup/confirm")
			return
		}
		s.create(w, r, words)
	case done:
		s.unlock(w, r, words)
	case confirming != nil:
		redirect(w, r, "/setup/confirm")
	default:
		redirect(w, r, "/")
	}
}

// tapped takes one letter or word, or takes one back, and returns the words when there are four.
func (s gatePages) tapped(r *http.Request) (words string, done bool) {
	f := posted(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &s.gate
	g.wrong = ""
	switch {
	// From the passkey's page it leads back to the words.
	case f.Has("undo"):
		g.locks = nil
		if g.prefix != "" {
			g.prefix = ""
		} else if len(g.tapped) > 0 {
			g.tapped = g.tapped[:len(g.tapped)-1]
		}
	case f.Has("prefix"):
		g.prefix = strings.ToLower(f.Get("prefix"))
	// Only a word of the list counts: the page offers no other.
	case f.Has("word") && slices.Contains(s.words, f.Get("word")):
		g.tapped, g.prefix = append(g.tapped, f.Get("word")), ""
	}
	if len(g.tapped) < wordCount {
		return "", false
	}
	// Handed on once: whether or not they open anything, the next try begins with the first word.
	words, g.tapped = strings.Join(g.tapped, " "), nil
	return words, true
}

// wrong has the next page say why the words before did not do. The tap after it takes the sentence away.
func (s *Server) wrong(key string) { s.mu.Lock(); s.gate.wrong = key; s.mu.Unlock() }

// unlockTyped takes the words from a desk's keyboard. Case, and how many spaces stand between, do not matter.
func (s gatePages) unlockTyped(w http.ResponseWriter, r *http.Request) {
	s.unlock(w, r, strings.Join(strings.Fields(strings.ToLower(posted(r).Get("words"))), " "))
}

// replicaConfig is how the vault of slot is opened. Each opening has an empty state that the journal is folded into, so
// that nothing of the one before shows.
func (s *Server) replicaConfig(slot int) (replica.Config, *casework.State) {
	c, st := s.Config.Replica, casework.New()
	c.Dir = s.dirs()[slot]
	c.Feed, c.Reset = office.Feed(st), st.Reset
	return c, st
}

// create makes a vault under words that she has just tapped from memory, in the first free place of this phone. Of two
// taps the second finds it there and goes on.
func (s gatePages) create(w http.ResponseWriter, r *http.Request, words string) {
	s.saving.Lock()
	defer s.saving.Unlock()
	if s.Replica() != nil {
		redirect(w, r, "/join")
		return
	}
	slot := s.freeSlot()
	if slot < 0 {
		s.page(w, r, 200, "gate.welcome", "", notice("gate.noRoom"))
		return
	}
	c, st := s.replicaConfig(slot)
	rep, err := replica.Create(c, words)
	if err != nil {
		s.gateTrouble(w, r, err)
		return
	}
	s.Use(rep, st)
	s.mu.Lock()
	s.gate, s.slot = gate{}, slot
	lang := s.lang
	s.mu.Unlock()
	// Chosen on the gate, when there was no device to keep it.
	if lang != "" {
		rep.SetValue(language, lang)
	}
	redirect(w, r, "/join")
}

// unlock opens the vault whose words these are, on a phone that may have several, or ends one whose emergency words
// they are.
func (s gatePages) unlock(w http.ResponseWriter, r *http.Request, words string) {
	if s.Replica() != nil {
		redirect(w, r, "/")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	o, err := s.openAny(ctx, words)
	if err == errDuress {
		s.leave(w, r, o.slot)
		return
	}
	s.enter(w, r, o, err)
}

// enter goes through an open lock, or says why it stays shut.
func (s gatePages) enter(w http.ResponseWriter, r *http.Request, o opened, err error) {
	if err == nil && o.lock != nil {
		// A phone offers its quick number there; a desk is led on to its first page.
		if err = s.load(o); err == nil {
			redirect(w, r, "/pin")
			return
		}
	}
	if err != nil {
		s.gateTrouble(w, r, err)
		return
	}
	// No sentence where the words were taken and a passkey is waited for.
	s.wrong(o.trouble)
	redirect(w, r, "/")
}

// load opens the journal of a vault that was opened and takes the device into use. Its lock is nil where there were
// only words to ask for.
func (s *Server) load(o opened) error {
	s.saving.Lock() // of two taps the second finds it open
	defer s.saving.Unlock()
	if s.Replica() != nil {
		return nil
	}
	c, st := s.replicaConfig(o.slot)
	rep, err := replica.Load(c, o.vk)
	if err != nil {
		return err
	}
	if o.lock != nil {
		rep.Field().SetLock(o.lock)
	}
	s.Use(rep, st)
	s.mu.Lock()
	s.gate, s.slot = gate{}, o.slot
	s.mu.Unlock()
	if s.Host == Desk { // the phone's page asks for its own
		s.BeginSync()
	}
	return nil
}

// joinPage shows where a new device stands between its two scans.
func (s gatePages) joinPage(w http.ResponseWriter, r *http.Request) {
	rep := s.Replica()
	if rep == nil {
		redirect(w, r, "/")
		return
	}
	s.join(w, r, rep, "")
}

// join shows the step at which a new device is, after it has left its request at the relay for the office to fetch.
// Without a line the code is shown all the same, with a sentence about the line above it.
func (s gatePages) join(w http.ResponseWriter, r *http.Request, rep *replica.Replica, trouble string) {
	ctx, cancel := context.WithTimeout(r.Context(), 15*time.Second)
	defer cancel()
	if trouble == "" {
		// Repeated each time the page is shown: what lay at the relay may be gone.
		if err := rep.Newcomer().Introduce(ctx, s.Relay); err != nil {
			trouble = "gate.offline"
		}
	}
	if rep.State() == replica.Scanned { // both codes stay at hand: the office may have to begin again
		s.page(w, r, 200, "gate.waiting", "", waitingView(rep.Newcomer().Scan1().String(), trouble, rep.Safety(),
			rep.Newcomer().CodeLeft()))
		return
	}
	s.page(w, r, 200, "gate.scan1", "", scanView(rep.Newcomer().Scan1().String(), trouble, rep.Newcomer().CodeLeft()))
}

// joinNew shows another code in place of one that somebody may have seen, or whose time is over.
func (s gatePages) joinNew(w http.ResponseWriter, r *http.Request) {
	if rep := s.Replica(); rep != nil && rep.State() != replica.Enrolled {
		if err := rep.Newcomer().RenewCode(); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	redirect(w, r, "/join")
}

// joinScan takes what the office's screen shows. A code that is none or of another programme changes nothing here, and
// after a lost line the same code is scanned again.
func (s gatePages) joinScan(w http.ResponseWriter, r *http.Request) {
	rep := s.Replica()
	if rep == nil {
		redirect(w, r, "/")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 15*time.Second)
	defer cancel()
	trouble := ""
	switch err := rep.Newcomer().Accept(ctx, posted(r).Get("code")); krama.KindOf(err) {
	case krama.Invalid:
		trouble = "gate.badCode"
	case krama.Conflict:
		trouble = "gate.otherProgramme"
	default:
		if err != nil {
			trouble = "gate.offline"
		}
	}
	if trouble != "" {
		s.join(w, r, rep, trouble)
		return
	}
	redirect(w, r, "/join")
}

// joinCheck asks whether the office has enrolled this device; on a phone its page does so by itself. A roster that does
// not fit what was scanned is told as such, and nothing of it is kept.
func (s gatePages) joinCheck(w http.ResponseWriter, r *http.Request) {
	rep := s.Replica()
	if rep == nil {
		redirect(w, r, "/")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	ok, err := rep.Newcomer().Join(ctx, nil)
	switch {
	case rep.State() == replica.Enrolled: // a first sync that was cut goes on later
		redirect(w, r, "/pin")
	case krama.KindOf(err) == krama.Tampered || krama.KindOf(err) == krama.CannotDecrypt:
		s.join(w, r, rep, "gate.mismatch")
	case krama.KindOf(err) == krama.NotYet && err != nil:
		s.join(w, r, rep, "sync.newer")
	case err != nil:
		s.join(w, r, rep, "gate.offline")
	case !ok:
		s.join(w, r, rep, "")
	}
}
