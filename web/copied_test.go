//go:build !js

package web

import (
	"context"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/casework"
	"krama/journal"
	"krama/office"
	"krama/replica"
	"krama/seal"
)

// between has something happen after a device has read the stream and before what it sends arrives; send sends it
// meanwhile.
type between struct {
	replica.Remote
	then func(send func())
}

func (b *between) Call(ctx context.Context, path string, body []byte) (answer []byte, now time.Time, err error) {
	if then := b.then; path == seal.PathAppend && then != nil {
		b.then = nil
		sent := false
		then(func() {
			sent = true
			answer, now, err = b.Remote.Call(ctx, path, body)
		})
		if sent {
			return answer, now, err
		}
	}
	return b.Remote.Call(ctx, path, body)
}

// twins are a phone and its clone: each has sent a contact of its own in the same place of the stream, and the phone
// another before it heard of the clone. The office has read all of it.
func (g *rig) twins() krama.DeviceID {
	g.t.Helper()
	ctx := g.t.Context()
	words := strings.Join(g.setUp(), " ")
	who, err := krama.ParseSubjectID(strings.TrimPrefix(g.register(), "/person/"))
	if err != nil {
		g.t.Fatal(err)
	}
	g.syncPhone()
	vk, err := replica.OpenKey(g.dir, words)
	if err != nil {
		g.t.Fatal(err)
	}
	clone := &journal.MemDir{}
	for _, name := range []string{"keys", "vault", "journal", "journal-a", "journal-b"} {
		if f := g.dir.File(name); f != nil {
			to, _ := clone.Open(name)
			if _, err := to.WriteAt(f.Data, 0); err != nil {
				g.t.Fatal(err)
			}
			to.Close()
		}
	}
	line := &between{Remote: direct{g}}
	st := casework.New()
	c := g.config(Phone, clone, func(string) replica.Remote { return line }).Replica
	c.Feed, c.Reset = office.Feed(st), st.Reset
	twin, err := replica.Load(c, vk)
	if err != nil {
		g.t.Fatal(err)
	}
	contact := func(r *replica.Replica) {
		id, _ := r.NewRecord()
		rec := &krama.Record{ID: id, Contact: &krama.Contact{Date: g.phone.today(), District: 1002, Place: 1}}
		if err := r.Write(krama.KindOutreach, who, rec); err != nil {
			g.t.Fatal(err)
		}
	}
	contact(g.phone.rep)
	contact(twin)
	line.then = func(send func()) {
		g.syncPhone()
		contact(g.phone.rep)
		g.phone.rep.Turn(&between{direct{g}, func(func()) { send() }})
		g.syncPhone()
	}
	if err := twin.Sync(ctx, nil); err != nil {
		g.t.Fatal(err)
	}
	g.syncOffice()
	id, _ := g.phone.rep.Device()
	return id
}

// TestA32Buttons: the office is told that a device was copied, on its page and on every other; it removes the device
// or believes it with one tap, and what was kept back stays away or comes.
func TestA32Buttons(t *testing.T) {
	for _, how := range []string{"trust", "remove"} {
		t.Run(how, func(t *testing.T) {
			g := newRig(t)
			id := g.twins()
			if _, copied := g.office.Admin().Suspended()[id]; !copied {
				t.Fatalf("nothing is kept back: %v", g.office.Status().Alarms)
			}
			_, before := g.desk.state.Counts()
			_, page, _ := g.ask(g.desk, "GET", "/device/"+id.String())
			for _, want := range []string{"This device has been copied", "/device/" + id.String() + "/" + how} {
				g.want(page, want)
			}
			_, page, _ = g.ask(g.desk, "GET", "/people")
			g.want(page, `class="alarm"`)
			if how == "trust" {
				g.ask(g.desk, "POST", "/device/"+id.String()+"/trust")
			} else {
				g.ask(g.desk, "POST", "/device/"+id.String()+"/remove", "reason", itoa(int(seal.ReasonCloned)))
			}
			page, _ = g.job()
			if strings.Contains(page, `role="alert"`) {
				t.Fatalf("refused: %.1500s", page)
			}
			g.syncOffice()
			_, page, _ = g.ask(g.desk, "GET", "/device/"+id.String())
			if strings.Contains(page, "This device has been copied") {
				t.Error("it is still asked about")
			}
			if _, got := g.desk.state.Counts(); (got > before) != (how == "trust") {
				t.Errorf("%d contacts, before %d", got, before)
			}
		})
	}
}
