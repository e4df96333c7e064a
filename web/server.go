// Package web is the pages: one http.Handler that the desk serves natively and the phone runs inside its worker. It
// parses, calls, builds a view and renders; it decides nothing that a record or a key does not.
package web

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"krama"
	"krama/casework"
	"krama/guide"
	"krama/locale"
	"krama/office"
	"krama/replica"
	"krama/seal"
	"krama/seal/words"
	"krama/web/http"
)

// Host is where the pages run.
type Host string

// Hosts.
const (
	Phone Host = "phone"
	Desk  Host = "desk"
)

// Config is what the pages need from their host.
type Config struct {
	Host     Host
	Replica  replica.Config // Feed is set by the server
	Relay    string         // the relay a new phone introduces itself to
	Guide    *guide.Guide
	Rand     io.Reader
	Now      func() time.Time
	Demo     bool
	Version  string
	Release  string                   // 64 hexadecimal digits of the phone's files, or ""
	Assets   func(name string) string // URL of an asset by its plain name
	OnLocked func()                   // called after the replica was closed: the phone ends its worker
	Storage  func() Storage           // what the browser says of its storage; nil on the desk
	Rights   []RightsDraft            // shipped texts about rights; a desk's
	Starter  []krama.Listing          // what a desk's directory begins with

	// Visit asks the public site for a page as a visitor's browser does; nil where nobody looks.
	Visit func(ctx context.Context, site string, form url.Values, lang string) ([]byte, error)
	// tries whether pages can be made of a door, with a directory.PartError if not; nil takes any
	CheckDoor func([]byte) error
}

// RightsDraft is a shipped text about rights: a beginning for the programme's own.
type RightsDraft struct {
	Topic       string
	Title, Body krama.Words
	Source      string
}

// Storage is what a browser says about keeping data.
type Storage struct {
	Known     bool
	Persisted bool
	Used      int64
	Quota     int64
}

// Server serves the pages of one device. It is safe for concurrent use: a request works on a copy of it, in which what
// was unlocked when it began stays, whoever locks the device meanwhile.
type Server struct {
	Config
	*shared
	words []string
	tend  func(*Server, context.Context, *replica.Replica) error // the office's daily work after a sync; nil on a phone

	office *office.Office   // of what rep and state are of; nil while locked
	rep    *replica.Replica // of the first Server guarded by mu; of a request's, that does not change; nil while locked
	state  *casework.State  // likewise
}

// shared is what all copies of a server have in common. All but saving is guarded by mu.
type shared struct {
	root     *Server    // the first one
	saving   sync.Mutex // one form at a time is checked and kept
	mu       sync.Mutex
	lang     string
	slot     int // whose vault of this phone is open or being made
	gate     gate
	pin      pin
	invite   *replica.Invitation
	inviteAs inviteAs
	sync     syncState
	job      job
	last     *once
	open     *http.ServeMux
	shut     *http.ServeMux
}

type inviteAs struct {
	member krama.MemberID
	role   krama.Role
	label  string
	done   bool // the last one enrolled, until another is invited
}

type syncState struct {
	running bool
	again   bool // asked for while it was running
	at      replica.Progress
	err     error
}

// New returns a server for a locked device.
func New(c Config) *Server {
	s := &Server{Config: c, shared: &shared{}, words: words.List()}
	s.root = s
	s.open, s.shut = http.NewServeMux(), http.NewServeMux()
	s.routes()
	return s
}

// session is the server as one request or one sync works with it: what is unlocked now.
func (s *Server) session() *Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := *s.root
	return &c
}

// inSession is the key of a request's server in its context.
type inSession struct{}

// Use hands the server an unlocked replica and its folded state; the desk's command line and the demo unlock by
// themselves.
func (s *Server) Use(r *replica.Replica, st *casework.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root.office != nil {
		s.root.office.Close()
	}
	s.root.rep, s.root.state = r, st
	var topics []string
	for _, t := range s.Rights {
		topics = append(topics, t.Topic)
	}
	s.root.office = office.New(office.Config{Guide: s.Guide, Rand: s.Rand, Now: func() time.Time {
		return s.root.Now()
	},
		Demo: s.Demo, Topics: topics, Visit: s.Visit, CheckDoor: s.CheckDoor}, r, st)
	if len(s.Starter) > 0 {
		st.Starter(s.Starter)
	}
	s.pin = pin{unlocked: s.Now()}
}

// let drops what was unlocked. Called with mu held.
func (s *Server) let() {
	if s.root.office != nil {
		s.root.office.Close()
	}
	s.root.rep, s.root.state, s.root.office = nil, nil, nil
	s.gate, s.pin, s.invite, s.last = gate{}, pin{}, nil, nil
}

// Lock closes the device.
func (s *Server) Lock() {
	s.mu.Lock()
	r := s.root.rep
	s.let()
	s.mu.Unlock()
	if r != nil {
		r.Close()
	}
	if s.OnLocked != nil {
		s.OnLocked()
	}
}

// Lang returns the language that was chosen on this server's pages, or "".
func Lang(s *Server) string { s.mu.Lock(); defer s.mu.Unlock(); return s.lang }

// Speak makes pages begin in a language that Lang returned.
func Speak(s *Server, lang string) { s.mu.Lock(); s.lang = lang; s.mu.Unlock() }

// Replica returns the unlocked replica, or nil.
func (s *Server) Replica() *replica.Replica { return s.session().rep }

func (s *Server) routes() {
	for _, m := range []*http.ServeMux{s.open, s.shut} {
		m.HandleFunc("POST /lang", on((*Server).setLang))
		m.HandleFunc("POST /lock", on((*Server).lockNow))
		m.HandleFunc("POST /cover", on((*Server).cover))
		m.HandleFunc("GET /limits", on((*Server).limits))
	}
	s.gateRoutes(s.shut)
	o := s.open
	o.HandleFunc("GET /{$}", on((*Server).home))
	o.HandleFunc("GET /people", on((*Server).people))
	o.HandleFunc("POST /people", on((*Server).people))
	o.HandleFunc("GET /person/new", on((*Server).personNew))
	o.HandleFunc("POST /person/new", on((*Server).personCreate))
	o.HandleFunc("GET /person/{id}", on((*Server).person))
	o.HandleFunc("GET /person/{id}/amend", on((*Server).personAmend))
	o.HandleFunc("POST /person/{id}/amend", on((*Server).personAmendSave))
	o.HandleFunc("POST /person/{id}/consent", on((*Server).consent))
	o.HandleFunc("POST /person/{id}/settle", on((*Server).settle))
	o.HandleFunc("POST /person/{id}/code", on((*Server).recode))
	o.HandleFunc("GET /person/{id}/contact", on((*Server).contactNew))
	o.HandleFunc("POST /person/{id}/contact", on((*Server).contactCreate))
	o.HandleFunc("GET /contact/{id}", on((*Server).contactAmend))
	o.HandleFunc("POST /contact/{id}", on((*Server).contactAmendSave))
	o.HandleFunc("POST /contact/{id}/void", on((*Server).contactVoid))
	o.HandleFunc("POST /draft", on((*Server).draft))
	o.HandleFunc("POST /sync", on((*Server).startSync))
	o.HandleFunc("GET /sync", on((*Server).syncPage))
	o.HandleFunc("GET /settings", on((*Server).settings))
	o.HandleFunc("GET /pin", on((*Server).pinPage))
	o.HandleFunc("POST /pin", on((*Server).pinSave))
	o.HandleFunc("POST /withdraw/{id}", on((*Server).withdraw))
	o.HandleFunc("/", on((*Server).notFound))
	s.directoryRoutes()
	s.emptyRoutes()
}

// DeskPages adds what a desk has beyond a phone. A phone's program does not carry them.
func (s *Server) DeskPages() {
	o := s.open
	o.HandleFunc("GET /contacts", on((*Server).contacts))
	o.HandleFunc("GET /overview", on((*Server).overview))
	o.HandleFunc("GET /report", on((*Server).report))
	o.HandleFunc("POST /report", on((*Server).report))
	o.HandleFunc("POST /report.csv", on((*Server).reportCSV))
	o.HandleFunc("GET /codebook.csv", on((*Server).codebook))
	o.HandleFunc("GET /devices", on((*Server).devices))
	o.HandleFunc("GET /enrol", on((*Server).enrolPage))
	o.HandleFunc("POST /enrol/scan", on((*Server).enrolScan))
	o.HandleFunc("POST /enrol/finish", on((*Server).enrolFinish))
	o.HandleFunc("GET /enrol/done", on((*Server).enrolDone))
	o.HandleFunc("POST /enrol/voice", on((*Server).enrolVoice))
	s.staffPages()
	s.listingPages()
	s.doorPages()
	s.tend = (*Server).maintain
}

// ServeHTTP serves the gate while the device is locked, and the pages while it is open.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.Body != nil {
		r.Body = &whole{r.Body, maxForm}
	}
	s = s.session()
	s.mu.Lock()
	rep, covered := s.rep, s.pin.covered
	s.mu.Unlock() // before the replica is asked: it has a lock of its own
	r = r.WithContext(context.WithValue(r.Context(), inSession{}, s))
	if rep != nil && rep.Wiped() { // the office removed this device, and it has emptied itself
		s.goodbye(w, r, "gate.removed")
		return
	}
	open := rep != nil && rep.State() == replica.Enrolled
	switch {
	case open && covered:
		s.pinGate(w, r)
	case open:
		s.open.ServeHTTP(w, r)
	default:
		s.shut.ServeHTTP(w, r)
	}
}

func (s *Server) printer(r *http.Request) *locale.Printer {
	s.mu.Lock()
	lang, rep := s.lang, s.rep
	s.mu.Unlock()
	if lang == "" && rep != nil {
		lang = rep.Value("lang")
	}
	if lang != "" {
		return locale.New(lang)
	}
	return locale.New(locale.Match(r.Header.Get("Accept-Language")))
}

func (s *Server) setLang(w http.ResponseWriter, r *http.Request) {
	f := form(r)
	lang := f.Get("lang")
	if !slices.ContainsFunc(locale.Languages, func(l locale.Language) bool { return l.Code == lang }) {
		lang = "km"
	}
	s.mu.Lock()
	s.lang = lang
	rep := s.rep
	s.mu.Unlock()
	if rep != nil {
		rep.SetValue("lang", lang)
	}
	to := f.Get("to")
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\t\r\n") {
		// browsers read /\ as //
		to = "/"
	}
	redirect(w, r, to)
}

// redirect answers a form. On the desk relative redirects keep the loopback origin.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, http.StatusNotFound, "app.notFound", "", notice("app.notFound"))
}

// fail shows an error in the reader's words.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if krama.KindOf(err) == krama.NotFound {
		s.notFound(w, r)
		return
	}
	t := typedIn(r)
	if s.Replica() != s.rep { // locked meanwhile: nothing of it is on a page
		t = typed{}
	}
	s.page(w, r, krama.Status(err), "alarm.title", "", failed(failText(err), t))
}

func form(r *http.Request) url.Values {
	r.ParseForm()
	return r.PostForm
}

// startSync begins a sync in the background and shows its progress.
func (s *Server) startSync(w http.ResponseWriter, r *http.Request) {
	s.BeginSync()
	redirect(w, r, "/sync")
}

// BeginSync starts a sync. While one is running it has another follow: what it was asked for may lie behind the place
// where the running one is already. None follows one that fails.
func (s *Server) BeginSync() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beginSync()
}

func (s *Server) beginSync() {
	rep := s.root.rep
	if rep == nil || s.sync.running {
		s.sync.again = rep != nil
		return
	}
	s.sync = syncState{running: true, at: replica.Progress{Stage: replica.StageRoster}}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		err := rep.Sync(ctx, func(p replica.Progress) { s.mu.Lock(); s.sync.at = p; s.mu.Unlock() })
		if err == nil && s.tend != nil {
			err = s.tend(s.session(), ctx, rep)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		again := s.sync.again && s.root.rep == rep && err == nil
		s.sync.running, s.sync.again, s.sync.err = false, false, err
		if again {
			s.beginSync()
		}
	}()
}

func (s *Server) syncPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	st := s.sync
	s.mu.Unlock()
	s.page(w, r, 200, "sync.now", "", syncView(s, st, syncError(st.err)))
}

// syncError is the sentence for what stopped a sync, or "".
func syncError(err error) string {
	switch {
	case err == nil:
		return ""
	case krama.KindOf(err) == krama.Offline, errors.Is(err, context.DeadlineExceeded):
		return "sync.offline"
	case krama.KindOf(err) == krama.NotYet:
		return "sync.newer"
	case krama.KindOf(err) == krama.Full:
		return "sync.full"
	case krama.KindOf(err) == krama.TooMany:
		return "sync.tooMany"
	}
	return "sync.failed"
}

func (s *Server) settings(w http.ResponseWriter, r *http.Request) {
	var st Storage
	if s.Storage != nil {
		st = s.Storage()
	}
	s.page(w, r, 200, "settings.title", "settings", settingsView(s, st))
}

// releaseDigits are the first twenty digits of the release, as an admin compares them.
func (s *Server) releaseDigits() string {
	b, err := hex.DecodeString(s.Release)
	if err != nil || len(b) != 32 {
		return ""
	}
	return seal.ReleaseDigits([32]byte(b))
}

// pinned is the sentence about whether the programme has pinned this release.
func (s *Server) pinned() string {
	key := "settings.pinNone"
	if s.rep != nil {
		s.rep.Roster(func(ro *seal.Roster) {
			if p := ro.Release; p != nil {
				key = "settings.pinOther"
				if hex.EncodeToString(p.Phone[:]) == s.Release {
					key = "settings.pinSame"
				}
			}
		})
	}
	return key
}

func (s *Server) limits(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, 200, "gate.limits", "", limitsView())
}

func (s *Server) lockNow(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	redirect(w, r, "/")
}
