// Package web is the pages: one http.Handler that the desk serves natively and the phone runs inside its worker. It
// parses, calls, builds a view and renders; it decides nothing that a record or a key does not.
package web

import (
	"context"
	"io"
	"net/url"
	"sync"
	"time"

	"krama"
	"krama/casework"
	"krama/guide"
	"krama/locale"
	"krama/office"
	"krama/replica"
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
	Replica  replica.Config // Dir is the first vault's; Dir, Feed and Reset are set at each opening (replicaConfig)
	Relay    string         // the relay a new phone introduces itself to
	Guide    *guide.Guide
	Rand     io.Reader
	Now      func() time.Time
	Demo     bool
	Version  string
	Release  string                   // 64 hexadecimal digits of the phone's files, or ""
	Assets   func(name string) string // URL of an asset by its plain name
	OnLocked func()                   // Lock ends with it: the phone ends its worker, a desk has its process replaced
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

	mu       sync.Mutex // guards everything below; not held when the device is asked: its sync calls back and takes it
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

// session is what one request or one sync works with: the device as it was unlocked when it began. It belongs to one
// goroutine. rep, office and state are its own, hide Server's and need no lock; once the device is locked, its rep
// answers with errors. Replica returns what is open now. What stands below Server's mu is reached with mu.
type session struct {
	*Server
	held
}

// Types that part handlers by what their pages are about. They hold only the session; sessionPages' handlers are its
// methods.
type (
	sessionPages struct{ *session } // language, lock, sync, settings
	gatePages    struct{ *session } // before a device is open, its locks, its end, and the erasure of a person
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

// session takes what is unlocked now. A request keeps it to its end, though the device may be locked meanwhile.
func (s *Server) session() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &session{s, s.held}
}

// inSession is the key of a request's session in its context.
type inSession struct{}

// Use takes an unlocked replica and its folded state: from the gate's pages, or from the demo, which unlocks by itself.
// Of a device that was open before only the office is closed: its replica the caller has closed.
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

// let drops what was unlocked, with mu held. lang, slot, sync, job and inviteAs stay until the process ends (OnLocked).
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

// Lang returns the language that was chosen on this server's pages, or "". With Speak it carries the language from a
// desk that was locked to the process that takes its place.
func Lang(s *Server) string { s.mu.Lock(); defer s.mu.Unlock(); return s.lang }

// Speak makes pages begin in a language that Lang returned.
func Speak(s *Server, lang string) { s.mu.Lock(); s.lang = lang; s.mu.Unlock() }

// Replica returns the unlocked replica, or nil.
func (s *Server) Replica() *replica.Replica { return s.session().rep }

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

// gate is what the pages before unlocking remember between two taps. It lives in memory only.
type gate struct {
	// Server's mu guards all of it, and it is forgotten when a device is opened or locked. tapped are the words given
	// so far, prefix the letters that narrow the list for the next one.
	chosen []string // drawn for a new device
	tapped []string
	prefix string
	wrong  string // the sentence about the words before, or ""

	// An unlocking that waits for a passkey, and the change of locks that waits for the words.
	locks []lockAt       // whose words were given, and which wait for a passkey
	given time.Time      // when
	want  *replica.Locks // what an open device asks the words for
}

// once is what became of the form that was sent last: of a double tap, or a Back and the same form again, the second
// only leads where the first did. Forms that carry the id of the page they stood on (formOnce) are held to it; any
// later form with an id takes its place.
type once struct {
	// Server's mu guards which one is the last. to is written by its own request and read after done is closed.
	form [32]byte
	to   string        // where it led; "" until that is known, and after if it led nowhere
	done chan struct{} // closed when it is known
}

// today is the day of this device's clock, where the programme is.
func (s *Server) today() krama.Day { return krama.DayOf(s.Now()) }

// pin is the quick number: a screen lock over keys that are in memory already. It is not key material and dies with the
// worker.
type pin struct {
	// Server's mu guards it. tries counts wrong numbers since the last right one. Without digits there is no quick
	// number.
	digits   string
	tries    int
	covered  bool
	unlocked time.Time // when the words were last given
}

// job is one long act of the office, done in the background while its page shows how far it is.
type job struct {
	// Server's mu guards it. It stays when it is over, so that its page can say what came of it.
	running     bool
	title       string
	next        string // where to go when it is done
	done, total int
	err         error
}
