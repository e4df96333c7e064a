// Package flood is what somebody without a key can throw at a relay and its public site, for the test of the built
// program and for the benchmark. It sends to this machine alone, from a bounded number of connections, for a bounded
// time.
package flood

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"krama"
	"krama/seal"
)

// Target is what is flooded: addresses of a relay and its site on this machine, and what a stranger can know of a
// programme.
type Target struct {
	Relay, Site string
	Programme   [16]byte      // its short name, which every reporter's page tells
	Stream      seal.StreamID // a stream whose key the flooder does not have
	Device      krama.DeviceID
	Program     string // path of the phone's program at the site
}

// Kind is one flood.
type Kind struct {
	// once makes one request of the kind; without a path it is a GET of the site's first page. It is nil where
	// connections are held.
	Name string
	Held bool // connections are held open instead of making calls
	once func(*flooder) (path string, body []byte)
}

// Kinds are the floods of the list, by the attack's number.
var Kinds = []Kind{
	// Signed with another key than the device's: the relay has to look the device up to refuse it.
	{"A6 unsigned looks into mailboxes", false, func(f *flooder) (string, []byte) {
		return seal.PathBoxGet, f.call(f.key, seal.PathBoxGet, [16]byte(f.Device), f.mailbox())
	}},
	// The id fits the key and the signature is good. It is refused because no programme has named such a device.
	{"A6 looks signed by keys of one's own", false, func(f *flooder) (string, []byte) {
		id := seal.DeviceID(f.pub(), [16]byte{})
		return seal.PathBoxGet, f.call(f.key, seal.PathBoxGet, [16]byte(id), f.mailbox())
	}},
	// As large as a report; the proof comes first on the line, so the rest need not be read.
	{"A7 reports without work", false, func(f *flooder) (string, []byte) {
		body := make([]byte, 4<<10+1136)
		unpaid := f.unpaid()
		head := seal.ReportHead{Site: f.Programme, Intake: f.intake, Day: unpaid.Day, Proof: unpaid.Proof,
			Size: len(body)}
		return seal.PathReport, append(head.Marshal(), body...)
	}},
	// A new device is not known either, and makes drops: the work alone tells her from a flood.
	{"A8 drops without work", false, func(f *flooder) (string, []byte) {
		id := seal.DropID(f.pub())
		put := seal.DropPutCall{ProofOfWork: f.unpaid(), Item: []byte("request")}
		return seal.PathDropPut, f.call(f.key, seal.PathDropPut, id, put.Marshal())
	}},
	{"A8 looks for answers without work", false, func(f *flooder) (string, []byte) {
		var box [16]byte
		rand.Read(box[:])
		return seal.PathReply, f.call(f.key, seal.PathReply, box, seal.ReplyCall{ProofOfWork: f.unpaid()}.Marshal())
	}},
	// To a stream that is there. The head is refused, and 60 kB behind it need not be read.
	{"appends signed by nobody", false, func(f *flooder) (string, []byte) {
		return seal.PathAppend, f.call(f.key, seal.PathAppend, f.Stream,
			seal.AppendCall{Envelopes: [][]byte{make([]byte, 60<<10)}}.Marshal())
	}},
	// What every visitor asks for: it is answered, from pages that were made beforehand.
	{"public pages", false, func(f *flooder) (string, []byte) { return "", nil }},
	// Two megabytes packed and several plain: who does not read them must not have the site hold them for her alone.
	{"A9 the phone's program without Brotli, answers not read", true, nil},
	{"A10 the last byte of 4 MiB held back", true, nil},
}

// Result is what a flood came to.
type Result struct {
	// Sent are requests that were tried, or connections that were opened. Status counts what requests came to, 0 for
	// those without an answer; it is nil where connections were held.
	Sent   int64
	Status map[int]int64
}

// flooder is somebody without a key of the programme.
type flooder struct {
	// at is the relay's session and heard when it was asked for. Anybody may ask, and a call without it would be
	// refused for that alone.
	Target
	key    ed25519.PrivateKey
	at     seal.Session
	heard  time.Time
	intake [16]byte
}

// pub is her public key.
func (f *flooder) pub() ed25519.PublicKey { return f.key.Public().(ed25519.PublicKey) }

// call signs a call with a key of hers.
func (f *flooder) call(key ed25519.PrivateKey, path string, who [16]byte, payload []byte) []byte {
	at := f.at
	at.MS += uint64(time.Since(f.heard).Milliseconds())
	b, err := seal.NewCall(rand.Reader, key, path, at, f.Programme, who, payload)
	if err != nil {
		panic(err) // the system has no randomness
	}
	return b
}

// mailbox asks for a mailbox under a key that nobody knows.
func (f *flooder) mailbox() []byte { return seal.BoxGetCall{Pub: f.pub()}.Marshal() }

// unpaid is a proof of work that is none.
func (f *flooder) unpaid() seal.ProofOfWork {
	p := seal.ProofOfWork{Pub: f.pub(), Day: krama.DayOf(time.Now())}
	rand.Read(p.Proof[:])
	return p
}

// Run floods a target with rate requests a second from conns connections until ctx ends; a held kind holds that many
// open. intake is an open intake, which the public page tells.
func Run(ctx context.Context, t Target, k Kind, conns int, rate float64, intake [16]byte) (Result, error) {
	// So that nobody floods somebody else's relay with it.
	if !strings.HasPrefix(t.Relay, "http://127.") {
		return Result{}, fmt.Errorf("flood: %s is not this machine", t.Relay)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Result{}, err
	}
	res, err := http.Post(t.Relay+seal.PathHello, "text/plain", nil)
	if err != nil {
		return Result{}, err
	}
	b, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return Result{}, err
	}
	at, err := seal.ParseSession(b)
	if err != nil {
		return Result{}, err
	}
	f := &flooder{t, key, at, time.Now(), intake}
	if k.Held {
		return f.hold(ctx, k, conns)
	}
	var sent atomic.Int64
	var mu sync.Mutex
	status := map[int]int64{}
	// Connections are bounded and used again: one for each request would run this machine out of ports.
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns},
		Timeout: 30 * time.Second}
	// Turns wait here for a connection. When as many wait as there are connections, no more are given: slow answers
	// lower the rate.
	turn := make(chan struct{}, conns)
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() {
			for range turn {
				code := f.one(ctx, client, k)
				sent.Add(1)
				mu.Lock()
				status[code]++
				mu.Unlock()
			}
		})
	}
	// Each tick gives as many as are due by then, so that a late tick lowers no rate.
	for tick, began, n := time.NewTicker(5*time.Millisecond), time.Now(), 0.0; ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		for due := rate * time.Since(began).Seconds(); n < due && ctx.Err() == nil; n++ {
			select {
			case turn <- struct{}{}:
			case <-ctx.Done():
			}
		}
	}
	close(turn)
	wg.Wait()
	return Result{sent.Load(), status}, nil
}

// one makes one attempt, and returns the status of the answer; 0 when there was none.
func (f *flooder) one(ctx context.Context, client *http.Client, k Kind) int {
	path, body := k.once(f)
	method, url := "POST", f.Relay+path
	if path == "" {
		method, url = "GET", f.Site+"/"
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "text/plain")
	res, err := client.Do(req)
	if err != nil {
		return 0
	}
	// To its end, so that the next request goes over the same connection.
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	return res.StatusCode
}

// hold opens connections and holds them: answers that are not read, or calls whose last byte does not come.
func (f *flooder) hold(ctx context.Context, k Kind, conns int) (Result, error) {
	// A well-made head before nearly 4 MiB, as much as a call may bring; its key is not the stream's.
	body := f.call(f.key, seal.PathAppend, f.Stream, make([]byte, 4<<20-1024))
	host, request := strings.TrimPrefix(f.Relay, "http://"),
		fmt.Sprintf("POST %s HTTP/1.1\r\nHost: relay\r\nContent-Length: %d\r\n\r\n", seal.PathAppend, len(body))
	if strings.HasPrefix(k.Name, "A9") {
		host, request, body = strings.TrimPrefix(f.Site, "http://"), "GET "+f.Program+" HTTP/1.1\r\nHost: site\r\n\r\n",
			[]byte("x")
	}
	var sent atomic.Int64
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() {
			for ctx.Err() == nil { // who is let go comes again
				c, err := net.Dial("tcp", host)
				if err != nil {
					return
				}
				stop := context.AfterFunc(ctx, func() { c.Close() })
				io.WriteString(c, request)
				// It waits where the relay does not read, until somebody closes the connection.
				c.Write(body[:len(body)-1])
				sent.Add(1)
				select {
				case <-ctx.Done():
				case <-time.After(2 * time.Second):
				}
				stop()
				c.Close()
			}
		})
	}
	wg.Wait()
	return Result{Sent: sent.Load()}, nil
}
