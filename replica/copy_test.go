package replica

import (
	"bytes"
	"context"
	"testing"

	"krama"
	"krama/seal"
)

// image is a copy of a device's whole file store, as a backup of the phone or a forensic image keeps it.
func (w *world) image(d *device) *device {
	w.t.Helper()
	c := &device{dir: copyDir(d.dir), wire: &wire{h: w.relay}}
	c.cfg = d.cfg
	c.cfg.Dir, c.cfg.Dial = c.dir, func(string) Remote { return c.wire }
	c.cfg.Feed, c.cfg.Reset = func(e Event) { c.events = append(c.events, e) }, func() { c.events = nil }
	return c
}

// TestA32OlderCopyRefuses: an image of a phone that has written since is started. It finds what it did not write, seals
// nothing, keeps what is typed, says so, and hands it over when it is removed.
func TestA32OlderCopyRefuses(t *testing.T) {
	for name, meanwhile := range map[string]func(w *world, a *device, s krama.SubjectID){
		"a record": func(w *world, a *device, s krama.SubjectID) { w.contact(a, s); w.sync(a) },
		"a statement": func(w *world, a *device, _ krama.SubjectID) {
			w.now = w.now.Add(rekeyEvery + day)
			w.sync(
				w.desk, a)
		},
		"both, and a rotation": func(w *world, a *device, s krama.SubjectID) {
			w.contact(a, s)
			w.sync(a)
			w.must(w.desk.Admin().Rotate(context.Background(), w.outreach(w.desk)))
			w.contact(a, s)
			w.sync(a)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSmallWorld(t)
			ctx := context.Background()
			a := w.phone()
			s := w.person(a)
			w.sync(a, w.desk)
			a.dir.Crash()
			old := w.image(a)
			meanwhile(w, a, s)
			w.sync(w.desk)
			w.noAlarm(a, w.desk)
			r, err := Unlock(old.cfg, words)
			w.must(err)
			old.Replica = r
			w.contact(old, s)
			before := w.heads(w.stream(a, krama.KindOutreach))
			for typed := range 2 {
				if err := old.Sync(ctx, nil); err != nil {
					t.Fatal(err)
				}
				if !old.has(AlarmCopied) || !old.Copied() || old.Status().Unsent != typed+1 ||
					len(old.led.sealed) != 0 {
					t.Errorf("alarms %v, unsent %d, sealed %d", old.Status().Alarms, old.Status().Unsent,
						len(old.led.sealed))
				}
				w.contact(old, s)
				w.again(old)
				if n := old.Status().Unsent; n != typed+2 {
					t.Errorf("%d unsent after a restart, want %d", n, typed+2)
				}
				if err := old.Admin().Travel(ctx); err == nil {
					t.Error("it says a statement")
				}
				old.mu.Lock()
				w.must(old.tidy())
				old.mu.Unlock()
			}
			if w.heads(w.stream(a, krama.KindOutreach)) != before {
				t.Error("the older copy has written")
			}
			w.sync(w.desk, a)
			w.noAlarm(w.desk, a)
			w.must(w.desk.Admin().RemoveDevice(ctx, a.led.dev.ID(), seal.ReasonCloned, nil))
			if err := old.Sync(ctx, nil); !old.Wiped() {
				t.Fatalf("the removed copy: %v", err)
			}
			w.sync(w.desk)
			if m := w.desk.Admin().Mail(); len(m) == 0 {
				t.Error("what was typed on it did not come to the admins")
			}
		})
	}
}

// TestA32CutStatement: the line is cut after the relay took a statement, and the device restarts. It is its own.
func TestA32CutStatement(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	w.sync(w.desk, a)
	w.now = w.now.Add(rekeyEvery + day)
	a.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if c, e := seal.ParseCall(call); path == seal.PathPart || path == seal.PathAppend && e == nil &&
			bytes.Equal(c.Principal[:], w.orgStream(a)) {
			return nil, krama.E("test", krama.Offline, "")
		}
		return answer, err
	}
	if err := a.Sync(context.Background(), nil); krama.KindOf(err) != krama.Offline {
		t.Fatalf("a cut statement: %v", err)
	}
	a.wire.twist = nil
	w.again(a)
	w.contact(a, w.person(a))
	w.sync(a, w.desk, a)
	if a.Copied() || a.Status().Unsent != 0 {
		t.Errorf("alarms %v, unsent %d", a.Status().Alarms, a.Status().Unsent)
	}
}

func (w *world) orgStream(d *device) []byte { id := w.stream(d, krama.KindOrg); return id[:] }

// TestA32ReadAgain: what is read again from the start is the device's own.
func TestA32ReadAgain(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	w.contact(a, w.person(a))
	w.sync(a, w.desk)
	c := w.outreach(a)
	for range 2 {
		a.mu.Lock()
		w.must(a.commit(tagged(tagAgain, c[:])))
		a.mu.Unlock()
		w.again(a)
		w.sync(a)
		a.mu.Lock()
		w.must(a.tidy())
		a.mu.Unlock()
		w.again(a)
	}
	w.sync(a)
	w.noAlarm(a)
}
