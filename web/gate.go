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

// wordCount is how many words a device is opened with.
const wordCount = words.Vault

// gate is what the pages before unlocking remember between two taps. It lives in memory only.
type gate struct {
	chosen []string // drawn for a new device
	tapped []string
	prefix string
	wrong  string // the sentence about the words before, or ""

	locks []lockAt       // whose words were given, and which wait for a passkey
	given time.Time      // when
	want  *replica.Locks // what an open device asks the words for
}

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
	if rep := s.Replica(); rep != nil && rep.State() == replica.Removed {
		s.page(w, r, 200, "gate.leaving", "", leavingView())
		return
	} else if rep != nil {
		s.joinPage(w, r)
		return
	}
	some, err := s.vaults()
	if err != nil {
		s.gateTrouble(w, r, err)
		return
	}
	if !slices.Contains(some, true) {
		if s.Host == Desk {
			s.page(w, r, 200, "gate.welcome", "", notice("gate.noProgramme"))
			return
		}
		s.page(w, r, 200, "gate.welcome", "", welcomeView())
		return
	}
	for i, d := range s.dirs() {
		if some[i] {
			replica.SweepLease(d, s.Now())
		}
	}
	s.mu.Lock()
	g := s.gate
	s.mu.Unlock()
	if len(g.locks) > 0 {
		s.page(w, r, 200, "gate.passkey", "", passkeyView(passkeys(g.locks)))
		return
	}
	s.page(w, r, 200, "gate.unlock", "", unlockView(g, s.taps(g), s.freeSlot() > 0))
}

// gateTrouble shows what keeps a device from opening, with its own page for each.
func (s gatePages) gateTrouble(w http.ResponseWriter, r *http.Request, err error) {
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
		if err := rep.Newcomer().Expect(form(r).Get("groups")); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	s.joinCheck(w, r)
}

// leaving lets a removed device hand over what it has not sent, which ends it.
func (s gatePages) leaving(w http.ResponseWriter, r *http.Request) {
	if rep := s.Replica(); rep != nil {
		ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
		defer cancel()
		rep.Sync(ctx, nil)
	}
	redirect(w, r, "/")
}

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

func (s gatePages) setupDraw(w http.ResponseWriter, r *http.Request) {
	if err := s.draw(); err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/setup")
}

func (s *Server) draw() error {
	words, err := words.Draw(s.Rand, words.Vault)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = gate{chosen: words}
	return err
}

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

// choices is what can be tapped next: letters that narrow the list, or words.
type choices struct {
	Prefixes []string
	Words    []string
}

// enough is how many words fit on a page to tap from.
const enough = 36

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
	f := form(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &s.gate
	g.wrong = ""
	switch {
	case f.Has("undo"):
		g.locks = nil
		if g.prefix != "" {
			g.prefix = ""
		} else if len(g.tapped) > 0 {
			g.tapped = g.tapped[:len(g.tapped)-1]
		}
	case f.Has("prefix"):
		g.prefix = strings.ToLower(f.Get("prefix"))
	case f.Has("word") && slices.Contains(s.words, f.Get("word")):
		g.tapped, g.prefix = append(g.tapped, f.Get("word")), ""
	}
	if len(g.tapped) < wordCount {
		return "", false
	}
	words, g.tapped = strings.Join(g.tapped, " "), nil
	return words, true
}

func (s *Server) wrong(key string) { s.mu.Lock(); s.gate.wrong = key; s.mu.Unlock() }

func (s gatePages) unlockTyped(w http.ResponseWriter, r *http.Request) {
	s.unlock(w, r, strings.Join(strings.Fields(strings.ToLower(form(r).Get("words"))), " "))
}

func (s *Server) replicaConfig() (replica.Config, *casework.State) {
	c, st := s.Config.Replica, casework.New()
	c.Dir = s.dirs()[s.slot]
	c.Feed, c.Reset = office.Feed(st), st.Reset
	return c, st
}

func (s gatePages) create(w http.ResponseWriter, r *http.Request, words string) {
	s.saving.Lock()
	defer s.saving.Unlock()
	if s.Replica() != nil {
		redirect(w, r, "/join")
		return
	}
	if s.slot = s.freeSlot(); s.slot < 0 {
		s.slot = 0
		s.page(w, r, 200, "gate.welcome", "", notice("gate.noRoom"))
		return
	}
	c, st := s.replicaConfig()
	rep, err := replica.Create(c, words)
	if err != nil {
		s.gateTrouble(w, r, err)
		return
	}
	s.Use(rep, st)
	s.mu.Lock()
	s.gate = gate{}
	lang := s.lang
	s.mu.Unlock()
	if lang != "" {
		rep.SetValue(language, lang)
	}
	redirect(w, r, "/join")
}

func (s gatePages) unlock(w http.ResponseWriter, r *http.Request, words string) {
	if s.Replica() != nil {
		redirect(w, r, "/")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	o, err := s.openAny(ctx, words)
	if err == errDuress {
		s.leave(w, r)
		return
	}
	s.enter(w, r, o, err)
}

// enter goes through an open lock, or says why it stays shut.
func (s gatePages) enter(w http.ResponseWriter, r *http.Request, o opened, err error) {
	if err == nil && o.lock != nil {
		if err = s.load(o.vk, o.lock); err == nil {
			redirect(w, r, "/pin")
			return
		}
	}
	if err != nil {
		s.gateTrouble(w, r, err)
		return
	}
	s.wrong(o.trouble)
	redirect(w, r, "/")
}

func (s *Server) load(vk [32]byte, lock *replica.Lock) error {
	s.saving.Lock() // of two taps the second finds it open
	defer s.saving.Unlock()
	if s.Replica() != nil {
		return nil
	}
	c, st := s.replicaConfig()
	rep, err := replica.Load(c, vk)
	if err != nil {
		return err
	}
	if lock != nil {
		rep.Field().SetLock(lock)
	}
	s.Use(rep, st)
	s.mu.Lock()
	s.gate = gate{}
	s.mu.Unlock()
	if s.Host == Desk { // the phone's page asks for its own
		s.BeginSync()
	}
	return nil
}

// Unlock opens the device without a page, for the desk's command line.
func (s *Server) Unlock(words string) error {
	vk, err := replica.OpenKey(s.Config.Replica.Dir, words)
	if err != nil {
		return err
	}
	return s.load(vk, nil)
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

func (s gatePages) join(w http.ResponseWriter, r *http.Request, rep *replica.Replica, trouble string) {
	ctx, cancel := context.WithTimeout(r.Context(), 15*time.Second)
	defer cancel()
	if trouble == "" {
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

// minutesLeft is a while in whole minutes, a begun one counted.
func minutesLeft(d time.Duration) int { return max(0, int((d+time.Minute-1)/time.Minute)) }

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

func (s gatePages) joinScan(w http.ResponseWriter, r *http.Request) {
	rep := s.Replica()
	if rep == nil {
		redirect(w, r, "/")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 15*time.Second)
	defer cancel()
	trouble := ""
	switch err := rep.Newcomer().Accept(ctx, form(r).Get("code")); krama.KindOf(err) {
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
