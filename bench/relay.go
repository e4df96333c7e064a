package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"time"

	"krama"
	"krama/replica"
	"krama/seal"
)

// relayProcess is `krama serve` on a fresh folder.
type relayProcess struct {
	// token is its founding token; start is the time from starting the process to its first answer.
	cmd   *exec.Cmd
	url   string
	token string
	start time.Duration
}

// startRelay starts the program itself as a relay, and waits until it answers.
func startRelay(dir string, port int) (*relayProcess, error) {
	began := time.Now()
	p := &relayProcess{url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	// The site comes with it, at the next port.
	p.cmd = exec.Command("./krama", "serve", "--data", dir, "--listen", fmt.Sprintf("127.0.0.1:%d", port))
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	// Every five milliseconds, and start is as exact as that.
	for time.Since(began) < 10*time.Second {
		res, err := http.Get(p.url + "/")
		if err == nil {
			res.Body.Close()
			p.start = time.Since(began)
			b, err := os.ReadFile(filepath.Join(dir, "token"))
			p.token = strings.TrimSpace(string(b))
			return p, err
		}
		<-time.After(5 * time.Millisecond)
	}
	return nil, errors.New("the relay did not start")
}

// stop kills it, as a power cut does.
func (p *relayProcess) stop() { p.cmd.Process.Kill(); p.cmd.Wait() }

// relayBench has 50 clients append durable envelopes of 20 records for ten seconds, each to a stream of its own.
func relayBench() error {
	dir, err := os.MkdirTemp("", "krama-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := startRelay(dir, 8801)
	if err != nil {
		return err
	}
	defer p.stop()
	// Fifty phones do not share the relay's cores: what stands for them is to take as little of them as it can.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	const clients, seconds, records = 50, 10, 20
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	remote := replica.HTTP{Client: client, URL: p.url}
	ctx := context.Background()
	_, control, _ := ed25519.GenerateKey(rand.Reader)
	pub := control.Public().(ed25519.PublicKey)
	clock, err := hear(ctx, remote)
	if err != nil {
		return err
	}
	site := [16]byte{1}
	// The protocol by hand and no devices with journals: those would take more of these cores than the relay.
	call := func(key ed25519.PrivateKey, path string, who [16]byte, payload []byte) error {
		b, err := seal.NewCall(rand.Reader, key, path, clock.now(), site, who, payload)
		if err != nil {
			return err
		}
		_, _, err = remote.Call(ctx, path, b)
		return err
	}
	found := seal.FoundCall{Token: []byte(p.token), Control: pub, Site: site}
	if err := call(control, seal.PathFound, seal.ProgrammeID(pub), found.Marshal()); err != nil {
		return err
	}
	// One author and one person for all envelopes: the relay sees neither.
	dev, _ := seal.NewDevice(rand.Reader, "bench")
	var body [45]byte
	var items []seal.Item
	subject := krama.SubjectID{1}
	for range records {
		items = append(items, seal.Item{Subject: subject, Kind: seal.KindRecord, Body: body[:]})
	}
	keys := func(krama.SubjectID) (seal.SubjectKey, bool) { return seal.SubjectKey{1}, true }
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var wg sync.WaitGroup
	end := time.Now().Add(seconds * time.Second)
	began := time.Now()
	// A client begins when its stream is there, while others' are being made; that is in the ten seconds.
	for i := range clients {
		e, _ := seal.NewEpoch(rand.Reader, seal.Context{Org: krama.OrgID{byte(i)}})
		id, h0 := e.StreamID(), seal.Start(e.Context, [32]byte{})
		create := seal.CreateCall{ID: id, Access: e.StreamKey().Public().(ed25519.PublicKey), Start: h0.H}
		if err := call(control, seal.PathCreate, seal.ProgrammeID(pub), create.Marshal()); err != nil {
			return err
		}
		wg.Go(func() {
			// Put together at the end: a lock at each call would be in its time.
			var mine []time.Duration
			for seq := uint64(1); time.Now().Before(end); seq++ {
				// Sealing is not in a call's time. It is in the rate, because it takes of the same cores.
				wire, err := e.Seal(rand.Reader, dev, seal.Header{Author: dev.ID(), Kind: seal.EnvContent, Seq: seq,
					Head: h0}, items, keys)
				if err == nil {
					t := time.Now()
					err = call(e.StreamKey(), seal.PathAppend, id, seal.AppendCall{Envelopes: [][]byte{wire}}.Marshal())
					mine = append(mine, time.Since(t))
				}
				if err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
			}
			mu.Lock()
			took = append(took, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	// Over all streams, from making the first to the last answer.
	rate := float64(len(took)) / time.Since(began).Seconds()
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	row("relay, durable appends, 50 clients, 20-record envelopes",
		fmt.Sprintf("%.0f envelopes/s (%.0f records/s), p50 %v, p99 %v", rate, rate*records,
			took[len(took)/2].Round(time.Millisecond),
			took[len(took)*99/100].Round(time.Millisecond)), "≥ 800 envelopes/s")
	row("relay, resident memory at its peak", fmt.Sprintf("%.0f MB", rss(p.cmd.Process.Pid, "VmHWM")), "≤ 150 MB")
	row("relay, start to first answer", p.start.Round(time.Millisecond).String(), "≤ 1 s")
	return nil
}

// counting counts what travels: request and answer bytes with their HTTP heads, and requests.
type counting struct {
	// mu owns the counts; they are read while no call is under way. What lies below HTTP is not in them.
	next     http.RoundTripper
	mu       sync.Mutex
	up, down int64
	requests int
}

// RoundTrip implements http.RoundTripper.
func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	var head bytes.Buffer
	// Some 25 bytes a request are missing: what the transport adds by itself (Accept-Encoding), and the digits of the
	// body's length.
	clone := r.Clone(r.Context())
	clone.Body = nil
	clone.Write(&head)
	up := int64(head.Len()) + max(0, r.ContentLength)
	res, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var back bytes.Buffer
	fmt.Fprintf(&back, "%s %s\r\n", res.Proto, res.Status)
	res.Header.Write(&back)
	c.mu.Lock()
	c.up, c.down, c.requests = c.up+up, c.down+int64(back.Len())+2+max(0, res.ContentLength), c.requests+1
	c.mu.Unlock()
	return res, nil
}

// session is a relay's session as it was heard.
type session struct {
	// at is when it was heard, by this process's clock.
	seal.Session
	at time.Time
}

// hear asks a relay for its session.
func hear(ctx context.Context, remote replica.Remote) (session, error) {
	b, _, err := remote.Call(ctx, seal.PathHello, nil)
	if err != nil {
		return session{}, err
	}
	s, err := seal.ParseSession(b)
	return session{s, time.Now()}, err
}

// now is the session as it is by now.
func (s session) now() seal.Session {
	return seal.Session{Boot: s.Boot, MS: s.MS + uint64(time.Since(s.at).Milliseconds())}
}
