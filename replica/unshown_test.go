package replica

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// dropper is a relay that answers every append to one stream as if it had taken it.
func dropper(w *world, id seal.StreamID) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		if c, err := seal.ParseCall(body); err == nil && req.URL.Path == seal.PathAppend && c.Principal == id {
			rw.Header().Set(seal.TimeHeader, strconv.FormatInt(w.now.UnixMilli(), 10))
			rw.Write(seal.Head{N: 1}.Marshal())
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		w.relay.ServeHTTP(rw, req)
	})
}

// TestA20AcceptedAndDropped: over HTTP, a relay answers 200 to what it drops. Nobody is told within a day, everybody on
// that device after it, whatever restarts, until it shows everything.
func TestA20AcceptedAndDropped(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	s := w.person(a)
	w.sync(a, w.desk)
	lie := dropper(w, w.stream(a, krama.KindOutreach))
	a.wire.h = lie
	w.contact(a, s)
	for h := range 24 {
		w.sync(a)
		if a.has(AlarmDropped) {
			t.Fatalf("told after %d hours", h)
		}
		if h%7 == 0 {
			w.again(a)
		}
		w.now = w.now.Add(time.Hour)
	}
	w.now = w.now.Add(time.Hour)
	w.sync(w.desk, a)
	if !a.has(AlarmDropped) || a.Status().Unsent != 1 {
		t.Fatalf("after 25 hours: alarms %v, unsent %d", a.Status().Alarms, a.Status().Unsent)
	}
	w.again(a)
	w.sync(a)
	if !a.has(AlarmDropped) || a.Status().Alarms[0].Mended {
		t.Fatalf("after a restart: %v", a.Status().Alarms)
	}
	a.wire.h = w.relay
	w.sync(a, w.desk)
	for range 2 {
		for _, al := range a.Status().Alarms {
			if !al.Mended {
				t.Errorf("everything was read back, and an alarm stands: %v", al)
			}
		}
		w.again(a)
	}
	if len(w.desk.all()) != 2 {
		t.Errorf("%d records, want 2", len(w.desk.all()))
	}
	a.wire.h = lie // and a second time
	w.contact(a, s)
	w.sync(a)
	w.now = w.now.Add(25 * time.Hour)
	w.sync(w.desk, a)
	if al := a.Status().Alarms; len(al) != 2 || al[1].Mended {
		t.Errorf("the second time: %v", al)
	}
}

// TestA20Clock: a clock that is set back, or ahead, neither hides it nor makes it up.
func TestA20Clock(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	s := w.person(a)
	w.sync(a)
	at := w.now
	a.Now = func() time.Time { return at }
	h := dropper(w, w.stream(a, krama.KindOutreach))
	a.wire.h = h
	w.contact(a, s)
	for _, step := range []time.Duration{0, 10 * time.Hour, -365 * day, 10 * time.Hour, -time.Hour} {
		at = at.Add(step)
		w.sync(a)
		if a.has(AlarmDropped) {
			t.Fatal("told too early")
		}
	}
	at = at.Add(5 * time.Hour)
	w.sync(a)
	if !a.has(AlarmDropped) {
		t.Error("a clock that was set back hides it")
	}
	b := w.phone() // nothing is kept back from her: a year's jump tells nothing
	b.Now = func() time.Time { return w.now.Add(365 * day) }
	w.contact(b, w.person(b))
	w.sync(b)
	if b.has(AlarmDropped) {
		t.Error("made up")
	}
}
