package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"krama"
	"krama/guide"
	"krama/journal"
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
  --only PART     run the relay or the site alone: "relay", or "site", which takes the
                  relay's address from --relay and DIR/site-key from the relay's folder;
                  then a flood of the site does not reach the relay's memory

The site's first page is for everybody: finding help, rights, reporting. What it shows is published
from the desk; recordings in DIR/audio (1.mp3 to 8.mp3, one a need) are offered beside the words.

At first start it prints a founding token; "krama new" needs it. It stays in DIR/token.
`, nil}

// serve runs `krama serve`: the relay, and the public site beside it or without it.
func serve(ctx context.Context, e *env, args []string) (err error) {
	f := e.flags(serveCommand)
	data, listen, domain, public := f.String("data", "", ""), f.String("listen", "127.0.0.1:8701", ""),
		f.String("domain", "", ""), f.String("relay", "", "")
	exit, drafts, only := f.String("exit", defaultExit, ""), f.Bool("drafts", false, ""), f.String("only", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	limitMemory(serveMemory)
	noCore()
	if err := lacks(f, "data"); err != nil {
		return err
	}
	// Before the folder is touched: a call that is refused for one of these leaves nothing behind.
	switch {
	case *only != "" && *only != partRelay && *only != partSite:
		return hint{krama.E("serve", krama.Invalid, "--only is relay or site"), "for example --only relay"}
	case *only != "" && *domain != "":
		return hint{krama.E("serve", krama.Invalid, "--only and --domain"),
			"with --only, let a proxy keep the certificates, and use --listen"}
	case *domain != "" && strings.ContainsAny(*domain, ":/"):
		return hint{krama.E("serve", krama.Invalid, "--domain is a name, not an address"),
			"write it without https://, for example --domain help.example"}
	case *public != "" && relayAddress("serve", *public) != nil:
		return relayAddress("serve", *public)
	case *only == partSite:
		return serveSite(ctx, e, siteFlags{*data, *listen, *public, *exit, *drafts})
	}
	token, fresh, err := foundingToken(*data)
	if err != nil {
		return err
	}
	// two relays over one store would each keep budgets and limits of their own
	alone, err := journal.OSDir(*data).Open("serving")
	if errors.Is(err, journal.ErrBusy) {
		return hint{krama.E("serve", krama.Conflict, "krama serve works with this folder already"),
			"stop the other one first, or give this one another --data"}
	}
	if err != nil {
		return err
	}
	defer alone.Close()
	// 0 sets no bound on the file: a programme's quota does (relay.Limits).
	store, err := sqlite.Open(filepath.Join(*data, "relay.db"), 0)
	if err != nil {
		return err
	}
	defer store.Close()
	// A disk that failed ends the service as a signal does, with another cause, which decides what is said at the end.
	ctx, fail := context.WithCancelCause(ctx)
	defer func() {
		if context.Cause(ctx) == errDisk { // it ended for that, whatever else was said
			err = hint{errDisk, "check the disk and its cable, run krama check --data " + *data +
				", and start again; restore a backup if that finds damage"}
		}
		fail(nil)
	}()
	go func() {
		select {
		case <-store.Lost():
			fail(errDisk)
		case <-ctx.Done():
		}
	}()
	r := relay.New(store, token, relay.DefaultLimits, time.Now)
	go sweep(ctx, store)
	g, err := guide.Load()
	if err != nil {
		return err
	}
	pages, err := publicDoor(r.Door, r.AnswerSlip, g, *exit)
	if err != nil {
		return err
	}
	// door.last is for a start at which no pages come of what the programme has published.
	pages.Drafts, pages.Audio, pages.Last = *drafts, filepath.Join(*data, "audio"), filepath.Join(*data, "door.last")
	pages.Tell = tellPages(e)
	// Shown once. Afterwards it is in the folder, for who may read there.
	if fresh {
		fmt.Fprintln(e.err, "founding token:", token)
	}
	if *domain != "" {
		return serveDomain(ctx, e, r, pages, *data, *domain)
	}
	if *only == partRelay {
		return serveRelay(ctx, e, r, pages, *data, *listen)
	}
	host, port, err := net.SplitHostPort(*listen)
	n, err2 := strconv.Atoi(port)
	if err != nil || err2 != nil || n < 0 || n+1 > maxPort { // the site takes the next one
		return hint{krama.E("serve", krama.Invalid, "--listen is HOST:PORT"), "for example --listen 127.0.0.1:8701"}
	}
	// Both addresses are taken before either is served: a site without its relay would send phones to nobody.
	rl, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	address := "http://" + rl.Addr().String()
	if *public != "" {
		address = *public
	}
	// Port 0 is any that is free; the site's is to be one too, and not port 1.
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
	return serveAll(ctx, listener{newCrowd(rl, relayCrowd), r}, listener{newCrowd(sl, siteCrowd), s})
}

// errDisk ends a relay whose disk did not keep what it was given: what follows would be acknowledged and lost.
var errDisk = krama.E("serve", krama.Internal, "the disk failed to keep what it was given; nothing more is taken")

// maxPort is the highest port there is.
const maxPort = 65535

// keepDoor makes the public pages anew when the programme publishes and when the day changes. The relay refuses a door
// that gives none.
func keepDoor(ctx context.Context, e *env, r *relay.Relay, s *site.Site) {
	// One word waits at most: pages are made of what is published by then, however often it was told.
	told := make(chan struct{}, 1)
	r.OnDoor = func() {
		select {
		case told <- struct{}{}:
		default:
		}
	}
	r.CheckDoor = s.Door().Check
	go s.Door().Keep(ctx, told, tellPages(e))
}

// foundingToken reads or makes the relay's founding token.
func foundingToken(dir string) (token string, fresh bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", false, err
	}
	path := filepath.Join(dir, "token")
	b, err := os.ReadFile(path)
	if err == nil {
		os.Chmod(path, 0o600) // it may have been copied here; a disk without rights refuses
		return strings.TrimSpace(string(b)), false, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", false, err
	}
	// 160 bits: whoever guessed it could found programmes on this relay and fill its disk.
	var raw [20]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", false, err
	}
	token = base32.StdEncoding.EncodeToString(raw[:])
	return token, true, os.WriteFile(path, []byte(token+"\n"), 0o600)
}

// sweep has the store forget what has expired, each hour.
// What fails is tried again an hour later.
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

// server bounds every connection; it logs nothing, because what a server logs about a caller is her address.
func server(h http.Handler) *http.Server {
	// A call to the relay sets deadlines of its own, by its size; these hold until its head was read, and for the site.
	// The windows of HTTP/2 are small because each connection may fill all of its own.
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute,
		WriteTimeout: 5 * time.Minute,
		IdleTimeout:  2 * time.Minute, MaxHeaderBytes: 8 << 10, ErrorLog: quiet, ConnContext: seated,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 16, MaxReceiveBufferPerConnection: 256 << 10,
			MaxReceiveBufferPerStream: 64 << 10}}
}

// serveDomain serves both origins over https with automatic certificates.
func serveDomain(ctx context.Context, e *env, r *relay.Relay, public *door.Config, data, domain string) error {
	relayHost := "relay." + domain
	s, err := site.New(site.Config{Relay: "https://" + relayHost, Version: version, Door: public})
	if err != nil {
		return err
	}
	keepDoor(ctx, e, r, s)
	// For these two names alone: whoever leads another one here would have certificates asked for until the authority
	// gives out no more. They are kept in the folder, because authorities bound how many a name gets in a week.
	m := &autocert.Manager{Prompt: autocert.AcceptTOS, HostPolicy: autocert.HostWhitelist(domain, relayHost),
		Cache: autocert.DirCache(filepath.Join(data, "certificates"))}
	both := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		// Two years: a browser that was here once does not begin in the clear again.
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
	// Port 80 shows the authority that the names lead here, and sends everybody else to https.
	plain, err := net.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	inner, err := net.Listen("tcp", ":443")
	if err != nil {
		return err
	}
	// The crowd lies below TLS, so that a handshake which does not end takes a place that is counted.
	secure := tls.NewListener(newCrowd(inner, relayCrowd+siteCrowd), m.TLSConfig())
	fmt.Fprintln(e.err, "site:  https://"+domain+"/")
	fmt.Fprintln(e.err, "relay: https://"+relayHost)
	return serveAll(ctx, listener{newCrowd(plain, siteCrowd), m.HTTPHandler(nil)}, listener{secure, both})
}
