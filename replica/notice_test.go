package replica

import (
	"context"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// TestA27ErasedFirst: a phone that was away shows an erased person no more as soon as it has read circle 0, whatever is
// cut then.
func TestA27ErasedFirst(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s, other := w.person(a), w.person(a)
	w.sync(a, b, w.desk)
	for range 20 { // while she is away
		w.contact(a, other)
		w.sync(a)
	}
	w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
	w.sync(a, w.desk)
	if !b.shows(s) {
		t.Fatal("she is not on the phone: the test proves nothing")
	}
	id := w.stream(b, krama.KindOutreach)
	asked := false
	b.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if c, e := seal.ParseCall(call); e == nil && path == seal.PathList && c.Principal == id {
			asked = true
			return nil, krama.E("test", krama.Offline, "")
		}
		return answer, err
	}
	for range 2 {
		if err := b.Sync(ctx, nil); krama.KindOf(err) != krama.Offline || !asked {
			t.Fatalf("a cut sync: %v", err)
		}
		if b.shows(s) || !b.shows(other) {
			t.Errorf("before the circle was read: she is shown %v, another %v", b.shows(s), b.shows(other))
		}
		if _, key := b.led.keys[w.outreach(b)][s]; !key {
			t.Error("a notice has destroyed something")
		}
		w.again(b)
	}
	b.wire.twist = nil
	w.sync(b)
	if _, key := b.led.keys[w.outreach(b)][s]; key || b.shows(s) || len(b.all()) != 21 {
		t.Errorf("key %v, shown %v, %d records want 21", key, b.shows(s), len(b.all()))
	}
	w.again(b)
	w.sync(b)
	if b.shows(s) {
		t.Error("she is back after a restart")
	}
	w.noAlarm(a, b, w.desk)
}

// TestA27LyingNotice: a colleague who knows her key says that she is erased, and does not erase her. She is hidden for
// one sync; what was written about her meanwhile is there after it. Nobody else can say the token again.
func TestA27LyingNotice(t *testing.T) {
	w := newSmallWorld(t)
	a, b, c := w.phone(), w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, c, w.desk)
	k := c.led.keys[w.outreach(c)][s]
	token := k.EraseToken(c.led.dev.ID())
	say := func(d *device, token seal.EraseToken) {
		d.mu.Lock()
		w.must(d.sealOne(krama.OrgCircle, []seal.Item{{Kind: seal.KindErased, Body: token[:]}}))
		d.mu.Unlock()
		w.sync(d)
	}
	say(c, token)
	w.contact(a, s)
	w.sync(a)
	hidden := false
	b.wire.gate = func(path string) error { hidden = hidden || !b.shows(s); return nil }
	w.sync(b)
	b.wire.gate = nil
	if !hidden {
		t.Error("the notice did not hide her: the test proves nothing")
	}
	for i := range 3 {
		if !b.shows(s) || len(b.all()) != 2 {
			t.Errorf("%d: she is shown %v, %d records want 2", i, b.shows(s), len(b.all()))
		}
		switch i {
		case 0:
			w.again(b)
		case 1: // said again by her, and by somebody who has only read it
			say(c, token)
			say(a, token)
			b.wire.gate = func(path string) error {
				if !b.shows(s) {
					t.Error("a token that was said again hides her")
				}
				return nil
			}
			w.sync(b)
		}
	}
	w.noAlarm(a, b, c, w.desk)
}

// TestA27BeforeOtherWork: thousands of typed records do not delay an erasure, and the notice goes before everything.
func TestA27BeforeOtherWork(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	s, other := w.person(a), w.person(a)
	w.sync(a, w.desk)
	fresh := w.person(a) // somebody nobody knows yet is erased as well
	for range 3000 {
		w.contact(a, other)
	}
	w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredAsked))
	w.must(a.Erasing().Shred(krama.KindOutreach, fresh, ShredAsked))
	org, id := w.stream(a, krama.KindOrg), w.stream(a, krama.KindOutreach)
	appends, listed := 0, 0
	a.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		c, e := seal.ParseCall(call)
		switch {
		case e != nil:
		case path == seal.PathPart: // the line stays down: it does not go in pieces either
			return nil, krama.E("test", krama.Offline, "")
		case path == seal.PathList && c.Principal == id:
			listed++
		case path == seal.PathAppend && c.Principal == org && (appends > 0 || listed > 0):
			t.Error("the notice was not first")
		case path == seal.PathAppend && c.Principal == id:
			appends++
			ap, _ := seal.ParseAppend(c.Payload)
			env, _ := a.led.streams[w.outreach(a)].epoch.Open(ap.Envelopes[0])
			kinds := map[seal.ItemKind]int{}
			for i := range 3 {
				_, k := env.Peek(i)
				kinds[k]++
			}
			if kinds[seal.KindShred] != 2 {
				t.Errorf("the first envelope begins with %v", kinds)
			}
			return nil, krama.E("test", krama.Offline, "")
		}
		return answer, err
	}
	if err := a.Sync(ctx, nil); krama.KindOf(err) != krama.Offline || appends != 1 {
		t.Fatalf("%v, %d appends", err, appends)
	}
	a.wire.twist = nil
	w.sync(w.desk)
	if len(w.desk.Erasing().Erasures()) != 2 || w.desk.shows(s) {
		t.Errorf("%d erasures at the office, shown %v", len(w.desk.Erasing().Erasures()), w.desk.shows(s))
	}
	w.sync(a, w.desk)
	if len(w.desk.all()) != 3001 {
		t.Errorf("%d records, want 3001", len(w.desk.all()))
	}
	w.now = w.now.Add(time.Minute)
	w.noAlarm(a, w.desk)
}
