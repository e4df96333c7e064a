package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"krama"
	"krama/directory/starter"
	"krama/guide"
	"krama/guide/rights"
	"krama/relay"
	"krama/relay/sqlite"
	"krama/web/door"
	"krama/web/site"
)

var serveCommand = command{"serve", "run the relay and the phone's site", `Usage: krama serve --data DIR --listen ADDR [--domain NAME]

Runs the blind relay and, on another origin, the site that phones install from.

  --data DIR      where the relay keeps its file (made if missing)
  --listen ADDR   address and port of the relay; the site takes the next port
  --domain NAME   serve https on ports 443 and 80 instead, with certificates
                  obtained automatically: the site at NAME, the relay at relay.NAME
  --relay URL     the relay's address as phones reach it, if a proxy stands before it
  --exit URL      where "Leave now" leads (default: an encyclopedia)
  --drafts        show texts about rights that nobody has reviewed, under a banner

The site's first page is for everybody: finding help, rights, reporting. What it shows is published
from the desk; recordings in DIR/audio (1.mp3 to 8.mp3, one a need) are offered beside the words.

At first start it prints a founding token; "krama new" needs it. It stays in DIR/token.
`, nil}

func serve(ctx context.Context, e *env, args []string) error {
	f := e.flags(serveCommand)
	data, listen, domain, public := f.String("data", "", ""), f.String("listen", "127.0.0.1:8701", ""), f.String("domain", "", ""), f.String("relay", "", "")
	exit, drafts := f.String("exit", defaultExit, ""), f.Bool("drafts", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	if *data == "" {
		f.Usage()
		return errUsage
	}
	token, fresh, err := foundingToken(*data)
	if err != nil {
		return err
	}
	store, err := sqlite.Open(filepath.Join(*data, "relay.db"), 0)
	if err != nil {
		return err
	}
	defer store.Close()
	r := relay.New(store, token, relay.DefaultLimits, time.Now)
	go sweep(ctx, store)
	g, err := guide.Load()
	if err != nil {
		return err
	}
	pages, err := publicDoor(r, g, *exit)
	if err != nil {
		return err
	}
	pages.Drafts, pages.Audio = *drafts, filepath.Join(*data, "audio")
	if fresh {
		fmt.Fprintln(e.err, "founding token:", token)
	}
	if *domain != "" {
		return serveDomain(ctx, e, r, pages, *data, *domain)
	}
	host, port, err := net.SplitHostPort(*listen)
	n, err2 := strconv.Atoi(port)
	if err != nil || err2 != nil {
		return hint{krama.E("serve", krama.Invalid, "--listen is HOST:PORT"), "for example --listen 127.0.0.1:8701"}
	}
	rl, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	address := "http://" + rl.Addr().String()
	if *public != "" {
		address = *public
	}
	if n == 0 {
		n = -1
	}
	sl, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(n+1)))
	if err != nil {
		return err
	}
	s, err := site.New(site.Config{Relay: address, Version: version, Door: pages})
	if err != nil {
		return err
	}
	keepDoor(ctx, e, r, s)
	fmt.Fprintln(e.err, "relay:", address)
	fmt.Fprintln(e.err, "site: ", "http://"+sl.Addr().String()+"/")
	fmt.Fprintln(e.err, "stop with Ctrl-C")
	return serveAll(ctx, listener{rl, r}, listener{sl, s})
}

// defaultExit is a page that many people have open.
const defaultExit = "https://km.wikipedia.org/"

// publicDoor is what the public pages of a relay's programme are made of.
func publicDoor(r *relay.Relay, g *guide.Guide, exit string) (*door.Config, error) {
	if u, err := url.Parse(exit); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, hint{krama.E("serve", krama.Invalid, "--exit"), "for example --exit https://www.example.org/"}
	}
	s, err := starter.Load()
	if err != nil {
		return nil, err
	}
	texts, err := rights.Load()
	if err != nil {
		return nil, err
	}
	return &door.Config{Guide: g, Starter: s, Rights: texts, Load: r.Door, Answer: r.AnswerSlip, Exit: exit, Now: time.Now}, nil
}

// keepDoor makes the public pages anew when the programme publishes and when the day changes.
func keepDoor(ctx context.Context, e *env, r *relay.Relay, s *site.Site) {
	told := make(chan struct{}, 1)
	r.OnDoor = func() {
		select {
		case told <- struct{}{}:
		default:
		}
	}
	go s.Door().Keep(ctx, told, func(err error) { fmt.Fprintln(e.err, "public pages:", err) })
}

// foundingToken reads or makes the relay's founding token.
func foundingToken(dir string) (token string, fresh bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", false, err
	}
	path := filepath.Join(dir, "token")
	b, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(b)), false, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", false, err
	}
	var raw [20]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", false, err
	}
	token = base32.StdEncoding.EncodeToString(raw[:])
	return token, true, os.WriteFile(path, []byte(token+"\n"), 0o600)
}

func sweep(ctx context.Context, s *sqlite.Store) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Hour):
			s.Sweep(ctx, time.Now())
		}
	}
}

type listener struct {
	net.Listener
	http.Handler
}

// server bounds every connection; it logs nothing, because what a server logs about a caller is her address.
func server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, WriteTimeout: 5 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: quiet}
}

func serveAll(ctx context.Context, ls ...listener) error {
	errs := make(chan error, len(ls))
	var servers []*http.Server
	for _, l := range ls {
		s := server(l.Handler)
		servers = append(servers, s)
		go func() { errs <- s.Serve(l.Listener) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	stop, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, s := range servers {
		s.Shutdown(stop)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// serveDomain serves both origins over https with automatic certificates.
func serveDomain(ctx context.Context, e *env, r *relay.Relay, public *door.Config, data, domain string) error {
	relayHost := "relay." + domain
	s, err := site.New(site.Config{Relay: "https://" + relayHost, Version: version, Door: public})
	if err != nil {
		return err
	}
	keepDoor(ctx, e, r, s)
	m := &autocert.Manager{Prompt: autocert.AcceptTOS, HostPolicy: autocert.HostWhitelist(domain, relayHost), Cache: autocert.DirCache(filepath.Join(data, "certificates"))}
	both := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		switch host, _, _ := strings.Cut(req.Host, ":"); host {
		case relayHost:
			r.ServeHTTP(w, req)
		case domain:
			s.ServeHTTP(w, req)
		default:
			http.Error(w, "", http.StatusMisdirectedRequest)
		}
	})
	plain, err := net.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	secure := m.Listener()
	fmt.Fprintln(e.err, "site:  https://"+domain+"/")
	fmt.Fprintln(e.err, "relay: https://"+relayHost)
	return serveAll(ctx, listener{plain, m.HTTPHandler(nil)}, listener{secure, both})
}
