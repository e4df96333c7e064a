package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"math"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"krama"
	"krama/relay"
	"krama/relay/sqlite"
	"krama/seal"
)

// doorBench asks a running demo's public pages as fast as they come, and looks whether a receipt can be told from none
// by time.
func doorBench() error {
	dir, err := os.MkdirTemp("", "krama-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	const port = 8821
	cmd := exec.Command("./krama", "demo", "--small", "--data", filepath.Join(dir, "demo"), "--port", fmt.Sprint(port))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	var head []byte
	for buf := make([]byte, 4096); !bytes.Contains(head, []byte("ready in")); {
		n, err := out.Read(buf)
		if err != nil {
			return fmt.Errorf("the demo did not start: %w", err)
		}
		head = append(head, buf[:n]...)
	}
	// Read on, or a full pipe would hold the demo up.
	go io.Copy(io.Discard, out)
	if err := findHelp(fmt.Sprintf("http://localhost:%d/", port+1)); err != nil {
		return err
	}
	return receiptTiming(dir)
}

// findHelp sends need after need over 16 connections for ten seconds.
func findHelp(url string) error {
	const clients, long = 16, 10 * time.Second
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}}
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var wg sync.WaitGroup
	end := time.Now().Add(long)
	for c := range clients {
		wg.Go(func() {
			var mine []time.Duration
			for i := c; time.Now().Before(end); i++ {
				// Every need and district in turn, in Khmer: ten characters, as a page sends them.
				req, _ := http.NewRequest("POST", url, strings.NewReader(fmt.Sprintf("q=an%02d%04dkm", 1+i%8,
					1001+i%7)))
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				// It comes packed and is not unpacked here: what is measured is the server.
				req.Header.Set("Accept-Encoding", "gzip")
				began := time.Now()
				res, err := client.Do(req)
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				if err != nil || res.StatusCode != 200 {
					mu.Lock()
					failed = fmt.Errorf("find help: %v", err)
					mu.Unlock()
					return
				}
				mine = append(mine, time.Since(began))
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
	slices.Sort(took)
	row(fmt.Sprintf("find-help pages, %d connections, both ends on these cores", clients),
		fmt.Sprintf("%.0f requests/s, p50 %.1f ms, p99 %.1f ms", float64(len(took))/long.Seconds(),
			ms(took[len(took)/2]), ms(took[len(took)*99/100])), "≥ 3,000 requests/s, p99 ≤ 20 ms")
	return nil
}

// ms is a duration in milliseconds.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// receiptTiming asks for answers with a receipt that has three and with one that nobody ever had, in random order over
// HTTP, and compares the times by Welch's t. 4.5 is where a difference counts as one in such tests.
func receiptTiming(dir string) error {
	ctx := context.Background()
	store, err := sqlite.Open(filepath.Join(dir, "timing.db"), 0)
	if err != nil {
		return err
	}
	defer store.Close()
	var tick atomic.Int64 // a second a call, so that the limit on calls does not bind
	base := time.Now()
	now := func() time.Time { return base.Add(time.Duration(tick.Load()) * time.Second) }
	// In this process, so that its clock can be moved; calls go over HTTP all the same.
	r := relay.New(store, "token", relay.DefaultLimits, now)
	srv := httptest.NewServer(r)
	defer srv.Close()
	// The first has answers, the second never had one.
	var who [2]*seal.Receipt
	for i := range who {
		if who[i], err = seal.OpenReceipt(fmt.Sprint(i), [16]byte{1}); err != nil {
			return err
		}
	}
	pub := func(x *seal.Receipt) []byte { return x.Auth.Public().(ed25519.PublicKey) }
	p := relay.Programme{ID: [16]byte{1}, Control: make([]byte, 32), Site: [16]byte{1}}
	if err := store.AddProgramme(ctx, p); err != nil {
		return err
	}
	// As many as one look gives, straight into the store. They must outlast the relay's clock, which runs a second a
	// call.
	for range seal.Replies {
		item := append(bytes.Clone(pub(who[0])), make([]byte, seal.ReplySize)...)
		rand.Read(item[32:])
		box := relay.Box{Programme: p.ID, Keep: relay.Answers, ID: who[0].Mailbox}
		err := store.PutItems(ctx, []relay.Item{{Box: box, Owner: [16]byte(item), Body: item}},
			base.Add(1e6*time.Second), relay.Bound{Room: 1 << 20})
		if err != nil {
			return err
		}
	}
	var times [2][]float64
	for range 3000 { // under the random while they show a difference of 0.8 ms
		// In random order, so that what else the machine does falls on both alike.
		i := mrand.IntN(2)
		tick.Add(1)
		// Before the clock is read: signature and proof of work are the caller's time.
		call, err := who[i].Look(rand.Reader, r.Session(), p.Site, krama.DayOf(now()))
		if err != nil {
			return err
		}
		began := time.Now()
		res, err := http.Post(srv.URL+seal.PathReply, "text/plain", bytes.NewReader(call))
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 || n != seal.Replies*seal.ReplySize {
			return fmt.Errorf("reply: %d, %d bytes, %v", res.StatusCode, n, err)
		}
		times[i] = append(times[i], ms(time.Since(began)))
	}
	// Welch's t, because the two need not vary alike.
	m0, v0 := moments(times[0])
	m1, v1 := moments(times[1])
	t := (m0 - m1) / math.Sqrt(v0/float64(len(times[0]))+v1/float64(len(times[1])))
	row(fmt.Sprintf("looking for an answer, with and without one, %d calls", len(times[0])+len(times[1])),
		fmt.Sprintf("%.2f and %.2f ms, Welch's t %.1f", m0, m1, t), "the same: abs(t) < 4.5")
	return nil
}

// moments are mean and variance, without the slowest twentieth: a busy machine's pauses tell nothing of receipts.
func moments(x []float64) (mean, variance float64) {
	slices.Sort(x)
	x = x[:len(x)*19/20]
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, variance
}
