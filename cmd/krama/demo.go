package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"krama"
	"krama/casework"
	"krama/demo"
	"krama/directory"
	"krama/guide"
	"krama/journal"
	"krama/office"
	"krama/relay"
	"krama/relay/sqlite"
	"krama/replica"
	"krama/web"
	"krama/web/site"
)

var demoCommand = command{"demo", "start everything with an invented programme", `Usage: krama demo [--data DIR] [--port N]

Starts a relay, the site with the phone's program, and an unlocked desk, each on its own origin on
this computer, with an invented programme of 600 people and two years of work. Nothing in it is real.

  --data DIR   keep it in DIR and go on there next time (default: a temporary folder, removed at the end)
  --port N     first of three ports (default 8701)
`, nil}

// demoRun runs `krama demo`: a relay, a desk and a phone's page for an invented programme, in one process.
func demoRun(ctx context.Context, e *env, args []string) error {
	f := e.flags(demoCommand)
	data, port := f.String("data", "", ""), f.Int("port", 8701, "")
	small, contacts := f.Bool("small", false, ""), f.Int("contacts", 0, "") // for tests and benchmarks
	if err := parse(f, args); err != nil {
		return err
	}
	if *port < 1 || *port+2 > maxPort {
		return hint{krama.E("demo", krama.Invalid, "--port and the two after it are no ports"),
			"for example --port 8080"}
	}
	began := time.Now()
	dir := *data
	if dir == "" {
		tmp, err := os.MkdirTemp("", "krama-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		dir = tmp
	}
	g, err := guide.Load()
	if err != nil {
		return err
	}
	// All three before the data is made: a port that is taken is told at once.
	var ls [3]net.Listener
	for i := range ls {
		if ls[i], err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(*port+i))); err != nil {
			other := *port + 100
			if other+2 > maxPort {
				other = *port - 100
			}
			return hint{err, fmt.Sprintf("is another demo running? try: krama demo --port %d", other)}
		}
		defer ls[i].Close()
	}
	// localhost, not 127.0.0.1: three origins of one site, which browsers take for secure.
	at := func(i int) string { return "http://localhost:" + strconv.Itoa(*port+i) }
	token, _, err := foundingToken(dir)
	if err != nil {
		return err
	}
	store, err := sqlite.Open(filepath.Join(dir, "relay.db"), 0)
	if err != nil {
		return err
	}
	defer store.Close()
	limits := relay.DefaultLimits
	limits.Rate, limits.Burst = 1000, 5000 // twelve devices' two years arrive at once
	r := relay.New(store, token, limits, time.Now)
	public, err := publicDoor(r.Door, r.AnswerSlip, g, defaultExit)
	if err != nil {
		return err
	}
	public.Drafts, public.Demo, public.Audio, public.Last = true, true, filepath.Join(dir, "audio"), filepath.Join(dir,
		"door.last")
	public.Tell = tellPages(e)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	// The relay first and by itself: the programme is made over HTTP, like any other. No crowd bounds these
	// connections, which come from this computer alone.
	go func() { failed <- serveAll(serving, listener{ls[0], r}) }()
	p, err := demoProgramme(ctx, e, g, dir, at(0), token, demoSize(*small, *contacts))
	if err != nil {
		return err
	}
	d := deskServer(g, p.Config, true)
	d.Use(p.Desk, p.State)
	defer d.Lock()
	if err := demoDoor(ctx, r, d, at(0)); err != nil {
		return err
	}
	office := &demoOffice{ctx: ctx, desk: p.Desk}
	s, err := site.New(site.Config{Relay: at(0), Demo: true, Version: version, Office: office, Door: public})
	if err != nil {
		return err
	}
	keepDoor(serving, e, r, s)
	// Guarded as an office's desk is: what is shown is what an office gets.
	guard, open, err := protect(d, "localhost:"+strconv.Itoa(*port+2))
	if err != nil {
		return err
	}
	people, total := p.State.Counts()
	fmt.Fprintf(e.out, `
DEMO: %d invented people, %d contacts. Nothing here is real.

  public  %s/        what anybody sees: finding help, rights, reporting
  phone   %s/demo    enrol this browser as an outreach worker's phone
  desk    %s
  relay   %s         stores sealed bytes; there is nothing to see
  data    %s
  words   %s         open the desk again if you lock it

ready in %.1f s; stop with Ctrl-C
`, people, total, at(1), at(1), open, at(0), dir, p.Words, time.Since(began).Seconds())
	go func() { failed <- serveAll(serving, listener{ls[1], s}, listener{ls[2], guard}) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return err
}

// demoDoor opens the public pages, and has invented people report, unless that was done when the data was made.
func demoDoor(ctx context.Context, r *relay.Relay, d *web.Server, relayURL string) error {
	// A folder that was kept has it from its first run.
	if _, err := r.Door(ctx); err == nil {
		return nil
	}
	if err := d.OpenDoor(ctx); err != nil {
		return err
	}
	b, err := r.Door(ctx)
	if err != nil {
		return err
	}
	door, err := directory.DecodeDoor(b)
	if err != nil {
		return err
	}
	if err := demo.Reports(ctx, dial(relayURL), door, time.Now()); err != nil {
		return err
	}
	// The desk fetches the reports at once, so that its inbox can be looked at.
	return d.Tend(ctx)
}

// demoSize is how much is invented.
func demoSize(small bool, contacts int) demo.Size {
	// small is for tests and for the benchmark of the public pages, contacts for a measurement by that number, with
	// about thirty a person.
	switch {
	case small:
		return demo.Size{People: 40, Staff: 2, Months: 12, Contacts: 400, Tests: 240}
	case contacts > 0:
		return demo.Size{People: max(1, contacts/30), Staff: 2, Months: 24, Contacts: contacts,
			Tests: contacts * 6 / 10}
	}
	return demo.Full
}

// demoProgramme makes the programme, or opens the one that is there.
func demoProgramme(ctx context.Context, e *env, g *guide.Guide, dir, relayURL, token string,
	size demo.Size) (*demo.Programme, error) {
	desk := journal.OSDir(filepath.Join(dir, "desk"))
	wordsFile := filepath.Join(dir, "DEMO-words") // a demo's words lie in the open: nothing in it is real
	if b, err := os.ReadFile(wordsFile); err == nil {
		st := casework.New()
		c := deskReplica(string(desk))
		c.Feed, c.Reset = office.Feed(st), st.Reset
		r, err := replica.Unlock(c, string(b))
		return &demo.Programme{Desk: r, State: st, Config: c, Words: string(b)}, err
	}
	// One seed for every demo, so that the people are the same at each; keys and words are not.
	p, err := demo.Make(ctx, g, desk, dial, relayURL, token, size, 20260301, time.Now(), func(s string) {
		fmt.Fprintln(e.err, s)
	})
	if err != nil {
		return nil, err
	}
	// Last: a folder that has a vault and no such file was cut while it was made. replica.Create refuses it, and it is
	// removed by hand.
	return p, os.WriteFile(wordsFile, []byte(p.Words), 0o600)
}

// demoOffice is the office's half of an enrolment on the demo's start page, by the real protocol.
// ctx is the demo's. mu owns inv, the phone that was scanned last and not finished, or nil, and n, how many have come
// in.
type demoOffice struct {
	ctx  context.Context
	desk *replica.Replica

	mu  sync.Mutex
	inv *replica.Invitation
	n   int
}

// Scan implements site.Office.
func (o *demoOffice) Scan(code string) (string, error) {
	inv, err := o.desk.Admin().Invite(o.ctx, code)
	if err != nil {
		return "", err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inv = inv
	return inv.Code.String(), nil
}

// Finish implements site.Office.
func (o *demoOffice) Finish() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.inv == nil {
		return krama.E("demo.Finish", krama.Invalid, "nothing was scanned")
	}
	// A member for each phone, as an office has it.
	var m krama.MemberID
	if _, err := rand.Read(m[:]); err != nil {
		return err
	}
	ok, err := o.desk.Admin().Enrol(o.ctx, o.inv, m, krama.RoleOutreach)
	if err != nil {
		return err
	}
	if !ok {
		return krama.E("demo.Finish", krama.NotFound, "the phone has not answered")
	}
	o.inv = nil
	o.n++
	if err := office.WriteLabel(o.desk, m, fmt.Sprintf("You %d", o.n)); err != nil {
		return err
	}
	// The label is on its way before the phone meets the relay again.
	return o.desk.Sync(o.ctx, nil)
}
