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

// Server serves the pages of one device. It is safe for concurrent use: each request, and the office's work after a
// sync, takes a session of its own.
type Server struct {
	Config
	words []string       // the list that vaults' words are drawn from
	open  *http.ServeMux // pages of an open device; made once, in New and DeskPages
	shut  *http.ServeMux // pages before it is open
	// draftOf is draftKey for the desk's own forms; nil on a phone, whose program does not carry conversations.
	draftOf func(s *session, path string) replica.Setting
	// the office's daily work after a sync; nil on a phone
	tend func(*session, context.Context, *replica.Replica) error

	// saving is held from a check to the write that depends on it, also while an answer goes to the relay, and while a
	// vault is made or loaded. Taken before mu.
	saving sync.Mutex

	mu       sync.Mutex // guards everything below; the device is not asked with it held
	held                // what is unlocked now
	lang     string     // chosen on a page; "" until then
	slot     int        // whose vault of this phone is open, or was last
	gate     gate       // what was tapped so far, and the words being set up
	pin      pin        // whether a short number covers the pages
	invite   *replica.Invitation
	inviteAs inviteAs  // as what the device of invite comes in
	sync     syncState // of the sync in the background
	job      job       // of the long act of the office, which is one at a time
	last     *once     // the form that was sent last
}

// held is an unlocked device: all three or none.
type held struct {
	office *office.Office
	rep    *replica.Replica
	state  *casework.State
}

// session is what one request or one sync works with: the device as it was unlocked when it began, whoever locks it
// meanwhile. It belongs to one goroutine. Its rep, office and state are its own and need no lock; Replica tells what is
// open now. What stands below Server's mu is reached with it.
type session struct {
	*Server
	held
}

// A type for the pages of each noun, with their handlers and nothing of their own.
type (
	sessionPages struct{ *session } // language, lock, sync, settings
	gatePages    struct{ *session } // before a device is open, its locks, and its end
	peoplePages  struct{ *session } // people and what happened with them
	listingPages struct{ *session } // the directory and referrals
	inboxPages   struct{ *session } // what the public sees and writes
	staffPages   struct{ *session } // devices, members, keys and loss
	figurePages  struct{ *session } // what is counted
)

// inviteAs is the member, the roles and the label that the invited device gets.
type inviteAs struct {
	member krama.MemberID
	role   krama.Role
	label  string
	done   bool // it is enrolled; stays so until another is invited
}

// syncState is how the sync in the background stands.
type syncState struct {
	running bool
	again   bool // asked for while it was running
	at      replica.Progress
	err     error
}

// New returns a server for a locked device.
func New(c Config) *Server {
	s := &Server{Config: c, words: words.List(), open: http.NewServeMux(), shut: http.NewServeMux()}
	s.routes()
	return s
}

// session takes what is unlocked now. A request keeps it to its end, though the device may be locked meanwhile.
func (s *Server) session() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &session{s, s.held}
}

// inSession is the key of a request's session in its context.
type inSession struct{}

// Use hands the server an unlocked replica and its folded state; the desk's command line and the demo unlock by
// themselves.
func (s *Server) Use(r *replica.Replica, st *casework.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Of the device that was open before: its keys go.
	if s.office != nil {
		s.office.Close()
	}
	s.rep, s.state = r, st
	var topics []string
	for _, t := range s.Rights {
		topics = append(topics, t.Topic)
	}
	s.office = office.New(office.Config{Guide: s.Guide, Rand: s.Rand, Now: func() time.Time {
		return s.Now()
	},
		Demo: s.Demo, Topics: topics, Visit: s.Visit, CheckDoor: s.CheckDoor}, r, st)
	if len(s.Starter) > 0 {
		st.Starter(s.Starter)
	}
	s.pin = pin{unlocked: s.Now()}
}

// let drops what was unlocked. Called with mu held.
func (s *Server) let() {
	if s.office != nil {
		s.office.Close()
	}
	s.held = held{}
	s.gate, s.pin, s.invite, s.last = gate{}, pin{}, nil, nil
}

// Lock closes the device.
func (s *Server) Lock() {
	s.mu.Lock()
	r := s.rep
	// Before it is closed: a request that begins now finds a locked device and never one that is going.
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

// routes registers the pages of an open device and of a locked one. Each noun's file registers its own beside its
// handlers.
func (s *Server) routes() {
	for _, m := range []*http.ServeMux{s.open, s.shut} {
		m.HandleFunc("POST /lang", on(sessionPages.setLang))
		m.HandleFunc("POST /lock", on(sessionPages.lockNow))
		m.HandleFunc("POST /cover", on(gatePages.cover))
		m.HandleFunc("GET /limits", on(sessionPages.limits))
	}
	s.gateRoutes(s.shut)
	o := s.open
	o.HandleFunc("GET /{$}", on(peoplePages.home))
	o.HandleFunc("GET /people", on(peoplePages.people))
	o.HandleFunc("POST /people", on(peoplePages.people))
	o.HandleFunc("GET /person/new", on(peoplePages.personNew))
	o.HandleFunc("POST /person/new", on(peoplePages.personCreate))
	o.HandleFunc("GET /person/{id}", on(peoplePages.person))
	o.HandleFunc("GET /person/{id}/amend", on(peoplePages.personAmend))
	o.HandleFunc("POST /person/{id}/amend", on(peoplePages.personAmendSave))
	o.HandleFunc("POST /person/{id}/consent", on(peoplePages.consent))
	o.HandleFunc("POST /person/{id}/settle", on(peoplePages.settle))
	o.HandleFunc("POST /person/{id}/code", on(peoplePages.recode))
	o.HandleFunc("GET /person/{id}/contact", on(peoplePages.contactNew))
	o.HandleFunc("POST /person/{id}/contact", on(peoplePages.contactCreate))
	o.HandleFunc("GET /contact/{id}", on(peoplePages.contactAmend))
	o.HandleFunc("POST /contact/{id}", on(peoplePages.contactAmendSave))
	o.HandleFunc("POST /contact/{id}/void", on(peoplePages.contactVoid))
	o.HandleFunc("POST /draft", on(peoplePages.draft))
	o.HandleFunc("POST /sync", on(sessionPages.startSync))
	o.HandleFunc("GET /sync", on(sessionPages.syncPage))
	o.HandleFunc("GET /settings", on(sessionPages.settings))
	o.HandleFunc("GET /pin", on(gatePages.pinPage))
	o.HandleFunc("POST /pin", on(gatePages.pinSave))
	o.HandleFunc("POST /withdraw/{id}", on(staffPages.withdraw))
	o.HandleFunc("/", on(sessionPages.notFound))
	s.directoryRoutes()
	s.emptyRoutes()
}

// DeskPages adds what a desk has beyond a phone. A phone's program does not carry them.
func (s *Server) DeskPages() {
	o := s.open
	o.HandleFunc("GET /contacts", on(peoplePages.contacts))
	o.HandleFunc("GET /overview", on(figurePages.overview))
	o.HandleFunc("GET /report", on(figurePages.report))
	o.HandleFunc("POST /report", on(figurePages.report))
	o.HandleFunc("POST /report.csv", on(figurePages.reportCSV))
	o.HandleFunc("GET /codebook.csv", on(figurePages.codebook))
	o.HandleFunc("GET /devices", on(staffPages.devices))
	o.HandleFunc("GET /enrol", on(staffPages.enrolPage))
	o.HandleFunc("POST /enrol/scan", on(staffPages.enrolScan))
	o.HandleFunc("POST /enrol/finish", on(staffPages.enrolFinish))
	o.HandleFunc("GET /enrol/done", on(staffPages.enrolDone))
	o.HandleFunc("POST /enrol/voice", on(staffPages.enrolVoice))
	s.staffRoutes()
	s.listingRoutes()
	s.doorRoutes()
	s.tend = (*session).maintain
}

// ServeHTTP serves the pages of an enrolled device that is open, the page of the short number while it is covered, a
// word of farewell once it is empty, and else the gate.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.Body != nil {
		// Bounded while it is read, before any handler believes a part of it.
		r.Body = &whole{r.Body, maxForm}
	}
	v := s.session()
	rep := v.rep
	s.mu.Lock()
	covered := s.pin.covered
	s.mu.Unlock() // before the replica is asked: it has a lock of its own
	r = r.WithContext(context.WithValue(r.Context(), inSession{}, v))
	if rep != nil && rep.Wiped() { // the office removed this device, and it has emptied itself
		v.goodbye(w, r, "gate.removed")
		return
	}
	open := rep != nil && rep.State() == replica.Enrolled
	switch {
	case open && covered:
		gatePages{v}.pinGate(w, r)
	case open:
		s.open.ServeHTTP(w, r)
	default:
		s.shut.ServeHTTP(w, r)
	}
}

// language is the code of the language that was chosen on this device.
var language = replica.NewSetting("lang", replica.OfNobody)

// printer is the language of a page: what was chosen on this device, or what the browser asks for.
func (s *session) printer(r *http.Request) *locale.Printer {
	s.mu.Lock()
	lang, rep := s.lang, s.rep
	s.mu.Unlock()
	if lang == "" && rep != nil {
		lang = rep.Value(language)
	}
	if lang != "" {
		return locale.New(lang)
	}
	return locale.New(locale.Match(r.Header.Get("Accept-Language")))
}

// setLang keeps the language that was chosen, and leads back to the page it was chosen on, never to another site.
func (s *session) setLang(w http.ResponseWriter, r *http.Request) {
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
		rep.SetValue(language, lang)
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

// notFound says that there is no such page, or not for this device.
func (s *session) notFound(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, http.StatusNotFound, "app.notFound", "", notice("app.notFound"))
}

// fail shows an error in the reader's words.
func (s *session) fail(w http.ResponseWriter, r *http.Request, err error) {
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

// form reads a form that was posted. What stands in the address is no part of it.
func form(r *http.Request) url.Values {
	r.ParseForm()
	return r.PostForm
}

// startSync begins a sync in the background and shows its progress.
func (s *session) startSync(w http.ResponseWriter, r *http.Request) {
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

// beginSync is BeginSync with the lock held.
func (s *Server) beginSync() {
	rep := s.rep
	if rep == nil || s.sync.running {
		s.sync.again = rep != nil
		return
	}
	s.sync = syncState{running: true, at: replica.Progress{Stage: replica.StageRoster}}
	go func() {
		// Ten minutes in all, whether or not the browser still waits.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		err := rep.Sync(ctx, func(p replica.Progress) { s.mu.Lock(); s.sync.at = p; s.mu.Unlock() })
		if err == nil && s.tend != nil {
			err = s.tend(s.session(), ctx, rep)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		again := s.sync.again && s.rep == rep && err == nil
		s.sync.running, s.sync.again, s.sync.err = false, false, err
		if again {
			s.beginSync()
		}
	}()
}

// syncPage shows how a sync stands, and asks for itself again while one runs.
func (s *session) syncPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	st := s.sync
	s.mu.Unlock()
	s.page(w, r, 200, "sync.now", "", syncView(st, syncError(st.err)))
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

// settingsPage is the page of settings.
type settingsPage struct {
	Storage Storage
	Unknown int // records of a later version
	Release release
}

// release is which program this is.
type release struct {
	Version string
	Digits  string // none where it is no release
	Pinned  string // a key of the locale: whether the programme has pinned it
}

// settings shows how the device stands, and leads to what a person does to it rarely.
func (s *session) settings(w http.ResponseWriter, r *http.Request) {
	var st Storage
	if s.Storage != nil {
		st = s.Storage()
	}
	s.page(w, r, 200, "settings.title", "settings", settingsView(settingsPage{st, s.state.Unknown(),
		release{s.Version, s.releaseDigits(), s.pinned()}}))
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
func (s *session) pinned() string {
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

// limits says plainly what this program cannot protect from.
func (s *session) limits(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, 200, "gate.limits", "", limitsView())
}

// lockNow locks the device and leads to the page that opens it.
func (s *session) lockNow(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	redirect(w, r, "/")
}
