package relay_test

import (
	"bytes"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"krama/relay"
	"krama/seal"
)

// TestCallLengths: a call is as long as its head and its line say, and both say the same; otherwise nothing of it is
// read.
func TestCallLengths(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	for name, change := range map[string]func([]byte) []byte{
		"a byte more":   func(b []byte) []byte { return append(b, 0) },
		"a byte less":   func(b []byte) []byte { return b[:len(b)-1] },
		"the head only": func(b []byte) []byte { return b[:seal.CallHead] },
		"half a head":   func(b []byte) []byte { return b[:seal.CallHead/2] },
	} {
		if code, _ := g.post(seal.PathAppend, change(g.append(1))); code != 401 {
			t.Errorf("%s: %d", name, code)
		}
	}
}

// line is a connection to a relay that is used by hand.
func dial(t *testing.T, srv *httptest.Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func request(path string, size int) string {
	return "POST " + path + " HTTP/1.1\r\nHost: relay\r\nContent-Length: " + itoa(size) + "\r\n\r\n"
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// TestA10HeldBack: who announces four megabytes and holds back the last byte is answered after her first bytes, if
// nobody knows her.
func TestA10HeldBack(t *testing.T) {
	g := newRig(t, relay.DefaultLimits)
	srv := httptest.NewServer(g.relay)
	t.Cleanup(srv.Close) // after the connections: it waits for them
	stranger := g.call(keyOf(9), seal.PathAppend, g.id, make([]byte, 4<<20-1))
	c := dial(t, srv)
	io.WriteString(c, request(seal.PathAppend, len(stranger)))
	c.Write(stranger[:seal.CallHead])
	answer, err := io.ReadAll(c) // the relay closes: nothing more is read
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 401")) {
		t.Errorf("%q, %v", answer[:min(len(answer), 60)], err)
	}
}

// TestA10Flight: calls whose last byte is held back take no more than their programme's part of the relay's memory;
// others are told to come again, another programme's are heard, and when the held ones end there is room again.
func TestA10Flight(t *testing.T) {
	limit := relay.DefaultLimits
	limit.Flight, limit.Rate, limit.Burst = 8<<20, 1e6, 1e6
	g := newRig(t, limit)
	one := *g
	g.join(2)
	two := *g
	srv := httptest.NewServer(g.relay)
	t.Cleanup(srv.Close) // after the connections: it waits for them
	call := func(r *rig) []byte {
		return r.call(r.key, seal.PathAppend, r.id,
			seal.AppendCall{Envelopes: [][]byte{make([]byte, 60<<10)}}.Marshal())
	}
	var held []net.Conn
	for range 80 {
		b := call(&one)
		c := dial(t, srv)
		io.WriteString(c, request(seal.PathAppend, len(b)))
		c.Write(b[:len(b)-1])
		held = append(held, c)
	}
	deadline := time.Now().Add(8 * time.Second)
	for code := 200; code != 429; {
		if code, _ = one.post(seal.PathAppend, call(&one)); code != 429 && time.Now().After(deadline) {
			t.Fatalf("with 80 calls held back: %d", code)
		}
	}
	two.must(200, seal.PathAppend, call(&two))
	var wg sync.WaitGroup
	for _, c := range held {
		wg.Go(func() { c.Close() })
	}
	wg.Wait()
	for code := 429; code != 200; {
		if code, _ = one.post(seal.PathAppend, call(&one)); code != 200 && time.Now().After(deadline) {
			t.Fatalf("after they ended: %d", code)
		}
	}
}
