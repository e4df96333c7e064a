package site

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// TestA9PlainProgramUnread asks for the phone's programs without Brotli a hundred times, does not read the answers, and
// weighs the server: what it holds and what it ever made.
func TestA9PlainProgramUnread(t *testing.T) {
	s, err := New(Config{Relay: "https://relay.example", Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	var begun sync.WaitGroup
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(&telling{w, sync.OnceFunc(begun.Done)}, r)
	}))
	defer srv.Close()
	weigh := func() (m runtime.MemStats) {
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m
	}
	before := weigh()
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	const budget = 30 << 20
	size := map[string]int64{}
	for range 50 {
		for _, name := range []string{"krama.wasm", "report.wasm"} {
			c, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
			begun.Add(1)
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", s.names[name])
		}
	}
	begun.Wait() // all have their answer in hand
	after := weigh()
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > budget {
		t.Errorf("a hundred answers that nobody reads hold %d MiB, want less than 30", held>>20)
	}
	if made := after.TotalAlloc - before.TotalAlloc; made > 3*budget {
		// the decoder's own windows twice for each program, once
		t.Errorf("a hundred answers made %d MiB, want each program unpacked once", made>>20)
	}
	for i, c := range open[:4] { // and they are whole
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		name := []string{"krama.wasm", "report.wasm"}[i%2]
		if size[name] == 0 {
			size[name] = n
		}
		if err != nil || n != size[name] || n < int64(len(s.files[s.names[name]].br())) ||
			res.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}

// telling says when an answer's bytes are given to the server.
type telling struct {
	http.ResponseWriter
	tell func()
}

func (w *telling) Write(b []byte) (int, error) {
	w.tell()
	return w.ResponseWriter.Write(b)
}

// TestA9UnpackedOnce checks that everybody shares one copy.
func TestA9UnpackedOnce(t *testing.T) {
	want := strings.Repeat("program ", 1000)
	get := unpacked(compress([]byte(want)))
	a, err := get()
	if err != nil || string(a) != want {
		t.Fatalf("got %d bytes, %v", len(a), err)
	}
	if b, _ := get(); &a[0] != &b[0] {
		t.Error("a second copy")
	}
	if _, err := unpacked([]byte("not packed"))(); err == nil {
		t.Error("what is not packed was unpacked")
	}
}
