package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"krama/relay"
	"krama/relay/sqlite"
	"krama/replica"
	"krama/seal"
)

// backupBench copies a relay's store of 2 GB while 800 envelopes a second arrive over HTTP and some are read, and looks
// for the slowest request: before the copy, during it, and in the ten seconds after it, when what piled up is moved.
func backupBench() error {
	dir, err := os.MkdirTemp("", "krama-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "relay.db")
	// Straight into the store, before there is a relay: how it was filled is not measured.
	streams, err := fillStore(path, 2<<30)
	if err != nil {
		return err
	}
	p, err := startRelay(dir, 8811)
	if err != nil {
		return err
	}
	defer p.stop()
	l := &load{streams: streams, stop: make(chan struct{}), worst: map[string]time.Duration{}, served: map[string]int{}}
	l.remote = replica.HTTP{Client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * len(streams)}},
		URL: p.url}
	if l.clock, err = hear(context.Background(), l.remote); err != nil {
		return err
	}
	// Ten seconds without a copy, to hold the others against.
	l.enter("before")
	for i := range streams {
		l.wg.Go(func() { l.client(i) })
	}
	<-time.After(10 * time.Second)
	l.enter("during")
	// The whole command: it starts, copies, checks the copy and adds it up.
	began := time.Now()
	out, err := exec.Command("./krama", "backup", "--data", dir, "--to", filepath.Join(dir, "copy")).CombinedOutput()
	took := time.Since(began)
	if err != nil {
		return fmt.Errorf("backup: %w: %s", err, out)
	}
	// The copy holds one moment of the store, so what was written meanwhile could not be moved out of this file.
	wal, err := os.Stat(path + "-wal")
	if err != nil {
		return err
	}
	l.enter("after")
	<-time.After(10 * time.Second)
	close(l.stop)
	l.wg.Wait()
	// A client that stopped early would leave the relay more time for the others.
	if l.failed != nil {
		return l.failed
	}
	st, err := os.Stat(filepath.Join(dir, "copy"))
	if err != nil {
		return err
	}
	row(fmt.Sprintf("relay, slowest request while %.1f GB are copied in %v, %.0f requests/s",
		float64(st.Size())/(1<<30), took.Round(time.Second),
		float64(l.served["during"])/took.Seconds()), fmt.Sprintf("%v (before %v, in the 10 s after %v)",
		l.worst["during"].Round(time.Millisecond),
		l.worst["before"].Round(time.Millisecond), l.worst["after"].Round(time.Millisecond)), "< 1 s")
	row("relay, its -wal file after that, resident memory at its peak", fmt.Sprintf("%d MB, %.0f MB", wal.Size()>>20,
		rss(p.cmd.Process.Pid, "VmHWM")), "")
	return nil
}

// benchStream is a stream and the key to append to it.
type benchStream struct {
	id  seal.StreamID
	key ed25519.PrivateKey
}

// fillStore makes a store of 50 streams and about size bytes.
func fillStore(path string, size int64) ([]benchStream, error) {
	ctx := context.Background()
	store, err := sqlite.Open(path, 0)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	// Nobody signs with its control key here, so zeros do.
	p := relay.Programme{ID: [16]byte{1}, Control: make([]byte, 32), Site: [16]byte{1}}
	if err := store.AddProgramme(ctx, p); err != nil {
		return nil, err
	}
	streams := make([]benchStream, 50)
	errs := make(chan error, len(streams))
	for i := range streams {
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		s := benchStream{seal.StreamID{byte(i)}, key}
		streams[i] = s
		if err := store.CreateStream(ctx, relay.Stream{ID: s.id, Programme: p.ID, Access: pub}, nil); err != nil {
			return nil, err
		}
		go func() {
			for {
				// By the store's own file; what is in its -wal file comes on top.
				if st, err := os.Stat(path); err != nil || st.Size() >= size {
					errs <- err
					return
				}
				if _, err := store.Append(ctx, s.id, nil, envelopes(64), 1<<40); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	for range streams {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return streams, err
}

// envelopes returns random bytes of the sizes that a few and twenty records have.
// Random bytes stand for sealed ones: the relay reads neither, and no disk makes either smaller.
func envelopes(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = make([]byte, 1024+1280*(i%2))
		rand.Read(out[i])
	}
	return out
}

// load is 800 envelopes a second from one client a stream.
type load struct {
	// Set before the clients begin, and read by all of them.
	remote  replica.HTTP
	clock   session
	streams []benchStream
	stop    chan struct{}
	wg      sync.WaitGroup

	// mu owns what follows. worst is the slowest answer of each phase and served how many there were; failed is the
	// error that ended a client, and with it the measurement.
	mu     sync.Mutex
	phase  string
	worst  map[string]time.Duration
	served map[string]int
	failed error
}

// enter begins a phase, under whose name answers are counted.
func (l *load) enter(phase string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = phase
}

// client sends an envelope at its times and reads a page after every tenth. What is counted runs from the time at which
// a request was due, so that one slow answer does not hide those that had to wait behind it.
func (l *load) client(i int) {
	s := l.streams[i]
	// 800 a second over all clients, spread evenly: each begins at a moment of its own.
	every := time.Second * time.Duration(len(l.streams)) / 800
	due := time.Now().Add(every * time.Duration(i) / time.Duration(len(l.streams)))
	for n := 0; ; n++ {
		select {
		case <-l.stop:
			return
		case <-time.After(time.Until(due)):
		}
		head, err := l.call(s, seal.PathAppend, due, seal.AppendCall{Envelopes: envelopes(1 + n%2)[n%2:]}.Marshal())
		if err == nil && n%10 == 9 {
			var h seal.Head
			if h, err = seal.ParseHead(head); err == nil {
				// The last twenty envelopes. It is due when the append before it was answered.
				_, err = l.call(s, seal.PathList, time.Now(), seal.ListCall{After: h.N - 20, Max: 1 << 20}.Marshal())
			}
		}
		if err != nil {
			l.mu.Lock()
			l.failed = err
			l.mu.Unlock()
			return
		}
		due = due.Add(every)
	}
}

// call makes one call, and counts how long after it was due the answer came.
func (l *load) call(s benchStream, path string, due time.Time, payload []byte) ([]byte, error) {
	b, err := seal.NewCall(rand.Reader, s.key, path, l.clock.now(), [16]byte{1}, s.id, payload)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	// An answer counts in the phase in which its call began.
	phase := l.phase
	l.mu.Unlock()
	out, _, err := l.remote.Call(context.Background(), path, b)
	took := time.Since(due)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.worst[phase] = max(l.worst[phase], took)
	l.served[phase]++
	return out, err
}
