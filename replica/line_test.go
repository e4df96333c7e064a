//go:build !js

package replica

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"krama"
	"krama/bench/line"
	"krama/seal"
)

// TestA19BreakingLine: over a line that is reset every 5,000 bytes a phone fetches and sends everything, real HTTP over
// real connections, and little goes over it twice.
func TestA19BreakingLine(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b, c, d := w.phone(), w.phone(), w.phone(), w.phone()
	srv := httptest.NewServer(w.relay)
	defer srv.Close()
	over := func(d *device, after int64) int64 {
		t.Helper()
		l, err := line.New(strings.TrimPrefix(srv.URL, "http://"), after, 0)
		w.must(err)
		defer l.Close()
		d.Turn(HTTP{Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, URL: l.URL})
		for try := 0; ; try++ {
			if err = d.Sync(ctx, nil); err == nil {
				break
			}
			if krama.KindOf(err) != krama.Offline || try > 200 {
				t.Fatalf("try %d: %v", try, err)
			}
		}
		if n := d.Status().Unsent; n != 0 {
			t.Fatalf("%d unsent", n)
		}
		bytes, _ := l.Carried()
		return bytes
	}
	fill := func(d *device) {
		s := w.person(d)
		for range 2000 {
			w.contact(d, s)
		}
	}
	fill(a)
	sent := over(a, 5000)
	fill(b)
	whole := over(b, 0)
	if sent > whole { // b fetched a's work too, about as much as it sent
		t.Errorf("sending took %d bytes; sending and fetching over a whole line %d", sent, whole)
	}
	fetched, clean := over(c, 5000), over(d, 0)
	if fetched > clean*12/10 {
		t.Errorf("fetching took %d bytes, over a whole line %d: more than a fifth twice", fetched, clean)
	}
	if len(c.all()) != len(d.all()) || len(c.all()) < 4000 {
		t.Errorf("%d and %d records", len(c.all()), len(d.all()))
	}
	w.noAlarm(a, b, c, d)
}

// TestA19CutAnywhere: a page that ends after any byte is taken as far as it came; nothing is taken twice or in pieces
// of two.
func TestA19CutAnywhere(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(b)
	for range 3 {
		w.contact(a, s)
		w.sync(a)
	}
	cuts := 0
	b.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if path == seal.PathList && err == nil && len(answer) > 200 {
			cuts++
			return answer[:100+cuts%97], krama.E("test", krama.Offline, "")
		}
		return answer, err
	}
	for try := 0; b.Sync(context.Background(), nil) != nil; try++ {
		if try > 2000 {
			t.Fatal("it never ends")
		}
	}
	w.have(a.all(), b)
	if cuts < 20 {
		t.Errorf("%d cuts: the test proves nothing", cuts)
	}
	w.noAlarm(a, b)
}
