package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"krama"
	"krama/guide"
	"krama/relay"
	"krama/replica"
	"krama/web/door"
	"krama/web/site"
)

// The relay and the public site can run as two processes, with memory and connections of their own: then a flood of the
// site, which anybody may visit, is no flood of the relay, which devices need.

// The values of --only. Without it both run in one process.
const (
	partRelay = "relay"
	partSite  = "site"
)

// What a site needs of its relay, by Relay's own methods in one process and by a SiteCaller from another. loadDoor is
// NotFound while nothing is published.
type (
	loadDoor   = func(context.Context) ([]byte, error)
	answerSlip = func(context.Context, krama.SlipCode, uint8) error
)

// siteFlags are the flags of a public site that runs apart from its relay.
type siteFlags struct {
	// As they were given to serve. Only relay may be empty yet, and is refused then.
	data, listen, relay, exit string
	drafts                    bool
}

// siteKey reads the key that a site signs with, or makes it where the relay runs.
func siteKey(dir string, make bool) (ed25519.PrivateKey, error) {
	path := filepath.Join(dir, "site-key")
	seed, err := os.ReadFile(path)
	// The relay makes it and never the site: a relay takes the calls of one key, and it must know which.
	if errors.Is(err, os.ErrNotExist) && make {
		seed = append(seed, newSeed()...)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		err = os.WriteFile(path, seed, 0o600)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, hint{krama.E("serve", krama.NotFound, "there is no site-key in the folder"),
			"start the relay with --only relay once; its folder has the file"}
	}
	// A file that was cut while it was copied: with another key every call of the site would be refused.
	if err == nil && len(seed) != ed25519.SeedSize {
		err = krama.E("serve", krama.Invalid, "the file site-key")
	}
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// newSeed draws a key's seed.
func newSeed() []byte {
	b := make([]byte, ed25519.SeedSize)
	rand.Read(b)
	return b
}

// serveRelay runs the relay without a site. A door is tried all the same before it is kept.
func serveRelay(ctx context.Context, e *env, r *relay.Relay, pages *door.Config, data, listen string) error {
	key, err := siteKey(data, true)
	if err != nil {
		return err
	}
	r.SiteKey = key.Public().(ed25519.PublicKey)
	tried := *pages
	// No file is served here. A name of the usual length stands for each, because what is tried is the size of a page.
	tried.Asset = func(name string) string { return "/app/a/0123456789abcdef-" + name }
	r.CheckDoor = door.Checker(tried).Check
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Fprintln(e.err, "relay: http://"+l.Addr().String())
	fmt.Fprintln(e.err, "stop with Ctrl-C")
	return serveAll(ctx, listener{newCrowd(l, relayCrowd), r})
}

// lookEvery is how often a site that runs apart asks what is published.
const lookEvery = time.Minute

// lookForDoor tells when something else is published than before. A relay that is not heard leaves the pages as they
// are.
func lookForDoor(ctx context.Context, caller *replica.SiteCaller, told chan<- struct{}) {
	// Zero, so that the first answer tells in any case: the site may have begun while the relay was away.
	var last [32]byte
	for tick := time.NewTicker(lookEvery); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		b, err := caller.Door(ctx)
		if sum := sha256.Sum256(b); err == nil && sum != last {
			last = sum
			told <- struct{}{}
		}
	}
}

// serveSite runs the public site of a relay that runs elsewhere.
func serveSite(ctx context.Context, e *env, f siteFlags) error {
	// The site asks there itself, and sends phones and those who report there.
	if f.relay == "" {
		return hint{krama.E("serve", krama.Invalid, "--only site needs --relay"),
			"give the relay's address as phones reach it"}
	}
	key, err := siteKey(f.data, false)
	if err != nil {
		return err
	}
	g, err := guide.Load()
	if err != nil {
		return err
	}
	caller := replica.NewSiteCaller(replica.HTTP{Client: &http.Client{Timeout: time.Minute}, URL: f.relay}, key,
		rand.Reader, time.Now)
	pages, err := publicDoor(caller.Door, caller.AnswerSlip, g, f.exit)
	if err != nil {
		return err
	}
	// The last good door is kept by the relay's process alone, in its own folder.
	pages.Drafts, pages.Audio, pages.Tell = f.drafts, filepath.Join(f.data, "audio"), tellPages(e)
	s, err := site.New(site.Config{Relay: f.relay, Version: version, Door: pages})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	told := make(chan struct{}, 1)
	go s.Door().Keep(ctx, told, tellPages(e))
	go lookForDoor(ctx, caller, told)
	fmt.Fprintln(e.err, "site: http://"+l.Addr().String()+"/")
	fmt.Fprintln(e.err, "stop with Ctrl-C")
	return serveAll(ctx, listener{newCrowd(l, siteCrowd), s})
}
