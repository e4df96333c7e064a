package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"krama"
	"krama/casework"
	"krama/directory/starter"
	"krama/guide"
	"krama/guide/rights"
	"krama/journal"
	"krama/office"
	"krama/replica"
	"krama/web"
	"krama/web/door"
	"krama/web/site"
)

// quiet is where servers log to: a line about a caller would hold her address.
var quiet = log.New(io.Discard, "", 0)

var deskCommand = command{"desk", "open the office desk in the browser", `Usage: krama desk [--data DIR] [--listen ADDR] [--no-browser]

Opens this computer's desk: people, contacts, overview, report, devices. The pages are served
to this computer alone; the address that opens them works once.

  --data DIR      the desk's folder (default: krama/desk in your configuration folder)
  --listen ADDR   loopback address and port (default: a free port at a random loopback address)
  --no-browser    print the address instead of opening it
  --app ADDR      also serve the phone's program, for phones on the office's network
  --relay URL     with --app: the relay those phones use
  --cert, --key   with --app: certificate and key files; phones need https
`, nil}

// deskDir is where a desk's files lie.
func deskDir(flagValue string) (string, error) {
	if flagValue != "" {
		return flagValue, nil
	}
	base, err := os.UserConfigDir()
	return filepath.Join(base, "krama", "desk"), err
}

// aDesk refuses a folder in which no desk is, or that this user may not look into, before anything is asked.
func aDesk(op, dir string) error {
	_, err := os.Stat(filepath.Join(dir, "vault"))
	if errors.Is(err, fs.ErrNotExist) {
		return hint{krama.E(op, krama.NotFound, "no desk is in this folder"),
			"found a programme with: krama new --relay URL --token TOKEN, or look at --data"}
	}
	if err != nil {
		return hint{krama.Wrap(op, err), usual(err)}
	}
	return mayRead(op, filepath.Join(dir, "vault"))
}

// dial turns to a relay over HTTP.
func dial(u string) replica.Remote {
	return replica.HTTP{Client: &http.Client{Timeout: 2 * time.Minute}, URL: u}
}

// deskReplica is how a desk opens its device.
func deskReplica(dir string) replica.Config {
	return replica.Config{Dir: journal.OSDir(dir), Rand: rand.Reader, Now: time.Now, Dial: dial, Platform: "desk",
		Office: true}
}

// deskServer builds the desk's pages.
func deskServer(g *guide.Guide, c replica.Config, demo bool) *web.Server {
	// Where this build has no program for phones there is no release to show, and the desk works all the same.
	release := ""
	if h, err := site.PhoneRelease(); err == nil {
		release = hex.EncodeToString(h[:])
	}
	s := web.New(web.Config{Host: web.Desk, Release: release, Replica: c, Guide: g, Rand: rand.Reader, Now: time.Now,
		Demo: demo, Version: version,
		Assets: func(name string) string { return "/static/" + name }})
	if texts, err := rights.Load(); err == nil { // shipped and tested: it cannot fail in a program that was released
		for _, t := range texts {
			s.Rights = append(s.Rights, web.RightsDraft{Topic: t.Topic, Title: t.Title, Body: t.Body, Source: t.Source})
		}
	}
	s.CheckDoor, s.Visit = doorCheck(g, demo), visitSite
	if s.Starter, _ = starter.Load(); demo {
		s.Starter = nil // everything in a demo is invented
	}
	s.DeskPages()
	return s
}

// deskOffice is the office of a desk that a command has opened: without pages.
func deskOffice(g *guide.Guide, r *replica.Replica, st *casework.State) *office.Office {
	c := office.Config{Guide: g, Rand: rand.Reader, Now: time.Now, CheckDoor: doorCheck(g, false), Visit: visitSite}
	if texts, err := rights.Load(); err == nil { // shipped and tested: it cannot fail in a program that was released
		for _, t := range texts {
			c.Topics = append(c.Topics, t.Topic)
		}
	}
	return office.New(c, r, st)
}

// doorCheck has a desk try what it is about to publish, as the site will: it can say in words which page is too large.
// What a site is configured with otherwise, such as a longer address of its relay, changes a page by a few bytes; the
// relay looks again.
func doorCheck(g *guide.Guide, demo bool) func([]byte) error {
	return func(b []byte) error {
		c, err := publicDoor(nil, nil, g, defaultExit)
		if err != nil {
			return err
		}
		// An address and names of the usual length, and drafts shown, which makes pages as large as a site can have
		// them.
		c.Relay, c.Drafts, c.Demo = "https://relay.example.org", true, demo
		c.Asset = func(name string) string { return "/app/a/0123456789abcdef-" + name }
		return door.Checker(*c).Check(b)
	}
}

// desk runs `krama desk`: the office's pages for a browser on this computer, or for this one behind a name of its own.
func desk(ctx context.Context, e *env, args []string) error {
	f := e.flags(deskCommand)
	data, listen, noBrowser := f.String("data", "", ""), f.String("listen", "", ""), f.Bool("no-browser", false, "")
	app, relayURL, cert, key := f.String("app", "", ""), f.String("relay", "", ""), f.String("cert", "", ""),
		f.String("key", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	limitMemory(deskMemory)
	// Before anything secret is in memory.
	noCore()
	dir, err := deskDir(*data)
	if err != nil {
		return err
	}
	if err := aDesk("desk", dir); err != nil {
		return err
	}
	g, err := guide.Load()
	if err != nil {
		return err
	}
	if *listen == "" {
		if *listen, err = lonelyHost(); err != nil {
			return err
		}
	}
	// A name is refused: it is looked up anew each time, and may lead to another address tomorrow.
	if host, _, err := net.SplitHostPort(*listen); err != nil || net.ParseIP(host) == nil ||
		!net.ParseIP(host).IsLoopback() {
		return hint{krama.E("desk", krama.Invalid, "--listen"),
			"the desk is for this computer alone: use an address such as 127.0.0.1:0"}
	}
	ls, before, err := inherited() // of the desk that was locked and whose place this one takes
	if err != nil {
		return err
	}
	// A desk that takes another's place has that one's listeners: the browser's next request waits meanwhile and does
	// not fail.
	if before == nil {
		if ls, err = listenAll(*listen, *app); err != nil {
			return err
		}
	}
	s := deskServer(g, deskReplica(dir), false)
	// The journal is closed whichever way the service ends.
	defer s.Lock()
	guard, err := newGuard(s, ls[0].Addr().String(), before)
	if err != nil {
		return err
	}
	all := []listener{{ls[0], http.NewCrossOriginProtection().Handler(guard)}}
	if *app != "" && len(ls) > 1 {
		phones, err := appListener(ls[1], *relayURL, *cert, *key)
		if err != nil {
			return err
		}
		all = append(all, phones)
	}
	// After a lock nothing is said and no browser opened: the page that locked it is still there, with its cookie.
	if before != nil {
		web.Speak(s, before.lang)
	} else {
		fmt.Fprintln(e.err, "desk:", guard.address())
		if len(all) > 1 {
			fmt.Fprintln(e.err, "phones:", ls[1].Addr())
		}
		fmt.Fprintln(e.err, "stop with Ctrl-C")
		if !*noBrowser {
			openBrowser(guard.address())
		}
	}
	ctx, ended := relocking(ctx, e, s, guard, ls)
	go keepSyncing(ctx, s)
	return ended(serveAll(ctx, all...))
}

// listenAll opens the desk's address and, when there is one, that of the phones.
func listenAll(desk, app string) ([]net.Listener, error) {
	l, err := net.Listen("tcp", desk)
	if err != nil || app == "" {
		return []net.Listener{l}, err
	}
	a, err := net.Listen("tcp", app)
	if err != nil {
		l.Close()
	}
	return []net.Listener{l, a}, err
}

// appListener serves the phone's program from the office, so that it comes from a machine the programme holds in its
// hands.
func appListener(l net.Listener, relay, cert, key string) (listener, error) {
	if relay == "" {
		return listener{}, hint{krama.E("desk", krama.Invalid, "--app needs --relay"),
			"for example --relay https://relay.help.example"}
	}
	s, err := site.New(site.Config{Relay: relay, Version: version})
	if err != nil {
		return listener{}, err
	}
	// Without one it is plain HTTP, for a proxy in front that has the certificate: phones run the program from https
	// only.
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return listener{}, hint{krama.E("desk", krama.Invalid, "the certificate or key cannot be read"),
				"give both --cert and --key, as PEM files"}
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	}
	return listener{l, s}, nil
}

// lonelyHost is a loopback address nobody can guess, where the system has more than one: Linux and Windows answer at
// every 127.x.y.z, macOS at 127.0.0.1 alone. Cookies belong to a host, not to its port: at 127.0.0.1 a server of
// another user of this computer could be sent ours, by a page of its own that is open in this browser.
func lonelyHost() (string, error) {
	var b [3]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	// The last number is 1 to 254: 0 and 255 can mean a whole network.
	host := fmt.Sprintf("127.%d.%d.%d:0", b[0], b[1], 1+b[2]%254)
	l, err := net.Listen("tcp", host)
	if err != nil {
		return "127.0.0.1:0", nil
	}
	return host, l.Close()
}

// deskSync is how often an open desk meets the relay by itself.
const deskSync = 10 * time.Minute

// keepSyncing has a desk meet its relay while it is open, so that a report does not wait for somebody to press a
// button.
func keepSyncing(ctx context.Context, s *web.Server) {
	tick := time.NewTicker(deskSync)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.BeginSync()
		}
	}
}

// guard lets one browser of this computer in. Against other users of the computer: a secret in the first address, good
// once, then a cookie. Against other web pages: SameSite, and refusal of cross-origin posts. Against DNS rebinding:
// only our own host name is answered.
// host is name or number with the port, as the browser shows it. name is the cookie's and has the port in it, because a
// browser sends the cookies of a host to all its ports. mu owns ticket, which is "" once it was used.
type guard struct {
	next   http.Handler
	host   string
	cookie string
	name   string

	mu     sync.Mutex
	ticket string
}

// protect has a desk answer only to whoever opened it.
func protect(next http.Handler, host string) (http.Handler, string, error) {
	g, err := newGuard(next, host, nil)
	if err != nil {
		return nil, "", err
	}
	return http.NewCrossOriginProtection().Handler(g), g.address(), nil
}

// newGuard makes a guard with new secrets, or with those of the desk before.
func newGuard(next http.Handler, host string, before *session) (*guard, error) {
	_, port, _ := net.SplitHostPort(host)
	g := &guard{next: next, host: host, name: "krama-" + port}
	if before != nil {
		g.ticket, g.cookie = before.ticket, before.cookie
		return g, nil
	}
	var raw [48]byte
	_, err := rand.Read(raw[:])
	g.ticket, g.cookie = hex.EncodeToString(raw[:24]), hex.EncodeToString(raw[24:])
	return g, err
}

// address is what lets a browser in, once.
func (g *guard) address() string { return "http://" + g.host + "/open?t=" + g.ticket }

// session is what the guard of the next process needs.
func (g *guard) session(lang string) session {
	g.mu.Lock()
	defer g.mu.Unlock()
	return session{g.cookie, g.ticket, lang}
}

// ServeHTTP implements http.Handler. The heads are set first, so that refusals have them too.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "+
			"font-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "geolocation=(), microphone=(), camera=(self)")
	// A name that somebody turned to this computer after his page was loaded (DNS rebinding).
	if r.Host != g.host {
		http.Error(w, "", http.StatusMisdirectedRequest)
		return
	}
	if r.URL.Path == "/open" {
		// Compared and used up under one lock: of two that come with it at once, one is let in.
		g.mu.Lock()
		ok := g.ticket != "" && subtle.ConstantTimeCompare([]byte(r.URL.Query().Get("t")), []byte(g.ticket)) == 1
		if ok {
			g.ticket = ""
		}
		g.mu.Unlock()
		if !ok {
			http.Error(w, "This address works once. Start the desk again.", http.StatusForbidden)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: g.name, Value: g.cookie, Path: "/", HttpOnly: true,
			SameSite: http.SameSiteStrictMode})
		// A page, not a redirect: a Strict cookie is not sent on a redirect that another program's window began.
		h.Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w,
			`<!DOCTYPE html><title>Krama</title><meta http-equiv="refresh" content="0;url=/"><a href="/">Krama</a>`)
		return
	}
	c, err := r.Cookie(g.name)
	if err != nil || subtle.ConstantTimeCompare([]byte(c.Value), []byte(g.cookie)) != 1 {
		http.Error(w, "Open the desk from the program.", http.StatusForbidden)
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/static/"); ok {
		static(w, r, name)
		return
	}
	g.next.ServeHTTP(w, r)
}

// static gives a page's style and script.
func static(w http.ResponseWriter, r *http.Request, name string) {
	b, err := web.Static.ReadFile("static/" + name)
	if err != nil || strings.Contains(name, "/") {
		http.NotFound(w, r)
		return
	}
	if name == "desk.js" { // the camera's script after its settings
		scan, _ := web.Static.ReadFile("static/scan.js")
		b = append(append([]byte(nil), b...), scan...)
	}
	http.ServeContent(w, r, name, time.Time{}, strings.NewReader(string(b)))
}

// openBrowser shows an address in the browser of this computer. Where that fails, the address was printed.
func openBrowser(u string) {
	name, args := "xdg-open", []string{u}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", u}
	}
	// Others may read the address in the system's list of processes; whoever comes later than this browser finds it
	// used.
	exec.Command(name, args...).Start()
}

// askWords reads four words from standard input.
func askWords(e *env) (string, error) {
	fmt.Fprint(e.err, "four words: ")
	line, err := bufio.NewReader(e.in).ReadString('\n')
	if err != nil && line == "" {
		return "", hint{krama.E("words", krama.Invalid, "no words were given"),
			"type the four words of this desk, or pipe them in"}
	}
	line = strings.TrimPrefix(line, "\ufeff") // what some editors begin a file with
	// Capitals and spaces count for nothing: the words are typed from memory.
	return strings.Join(strings.Fields(strings.ToLower(line)), " "), nil
}

// openDesk unlocks a desk's folder with words from standard input.
func openDesk(e *env, data string) (*replica.Replica, *casework.State, error) {
	dir, err := deskDir(data)
	if err == nil {
		err = aDesk("desk", dir)
	}
	if err != nil {
		return nil, nil, err
	}
	// After the folder was looked at: nobody types words for a desk that is not there.
	words, err := askWords(e)
	if err != nil {
		return nil, nil, err
	}
	st := casework.New()
	shipped, err := starter.Load()
	if err != nil {
		return nil, nil, err
	}
	st.Starter(shipped)
	c := deskReplica(dir)
	c.Feed, c.Reset = office.Feed(st), st.Reset
	// What the journal holds goes through the feed here: st is complete when it returns.
	r, err := replica.Unlock(c, words)
	switch krama.KindOf(err) {
	case krama.CannotDecrypt:
		return nil, nil, hint{err, "these are not the words of this desk; nothing was lost"}
	case krama.Conflict:
		return nil, nil, hint{err, "close the desk that is open, then try again"}
	case krama.NotFound:
		return nil, nil, hint{err, "found a programme with: krama new --relay URL --token TOKEN"}
	}
	return r, st, err
}
