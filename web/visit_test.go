//go:build !js

package web

import (
	"bytes"
	"context"
	"crypto/hpke"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/guide"
	"krama/office"
	"krama/relay"
	"krama/seal"
	"krama/web/door"
)

// site serves the public pages over the rig's relay, and has the desk look at them. Each page goes through twist.
func (g *rig) site(twist func([]byte) []byte) (refresh func()) {
	g.t.Helper()
	kb, err := guide.Load()
	if err != nil {
		g.t.Fatal(err)
	}
	r := g.relay.(*relay.Relay)
	d, err := door.New(g.t.Context(), door.Config{Guide: kb, Load: r.Door, Now: g.desk.Now,
		Relay: "https://relay.example", Exit: "https://example.org/",
		Asset: func(n string) string { return "/app/a/" + n }})
	if err != nil {
		g.t.Fatal(err)
	}
	g.desk.Visit = func(_ context.Context, site string, form url.Values, _ string) ([]byte, error) {
		q := httptest.NewRequest("POST", site, strings.NewReader(form.Encode()))
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, q)
		if b := twist(w.Body.Bytes()); b != nil && w.Code == http.StatusOK {
			return b, nil
		}
		return nil, krama.E("test", krama.Offline, "")
	}
	g.desk.Use(g.office, g.desk.state)
	return func() {
		if err := d.Refresh(g.t.Context()); err != nil {
			g.t.Fatal(err)
		}
	}
}

// TestA22SiteIsLookedAt: the desk compares what a visitor gets with its own: a swapped key, a swapped intake or one
// that is missing stands on every page until it is right again; a site that is away, from the third day on.
func TestA22SiteIsLookedAt(t *testing.T) {
	g := newRig(t)
	twist := func(b []byte) []byte { return b }
	g.ask(g.desk, "POST", "/door")
	refresh := g.site(func(b []byte) []byte { return twist(b) })
	_, page, _ := g.ask(g.desk, "POST", "/door/site", "site", "javascript:alert(1)")
	g.want(page, "not a site")
	g.want(page, `value="javascript:alert(1)"`) // what was typed is not lost
	_, page, _ = g.ask(g.desk, "POST", "/door/site", "site", " https://door.example/en?x ")
	g.want(page, `value="https://door.example/"`)
	day := func() string {
		t.Helper()
		g.ms.Add(24 * time.Hour.Milliseconds())
		g.tendTwice()
		refresh()
		_, page, _ := g.ask(g.desk, "GET", "/people")
		return page
	}
	quiet := func(when string) {
		t.Helper()
		if p := day(); strings.Contains(p, `class="alarm"`) {
			t.Fatalf("%s: an alarm\n%.800s", when, p[strings.Index(p, `class="alarm"`):])
		}
	}
	for range 8 { // keys of the next month are drawn and published meanwhile
		for range 3 {
			g.ms.Add(24 * time.Hour.Milliseconds())
			g.tendTwice()
		}
		refresh() // as it does by itself when the day changes
		quiet("an honest site")
	}
	_, page, _ = g.ask(g.desk, "GET", "/door")
	g.want(page, "it is what you published")
	d, _ := g.door()
	kem, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	in := d.Offered(g.desk.today())[0]
	other := in
	other.Kem = kem.PublicKey().Bytes()
	h := seal.KemHash(other.Kem)
	other.ID = seal.BoundIntakeID(other.Sig, other.Place, h[:])
	hx := func(id [16]byte) []byte { return []byte(hexID(krama.ThreadID(id))) }
	for what, t1 := range map[string]func([]byte) []byte{
		"a swapped key": func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(b64(in.Kem)),
				[]byte(b64(other.Kem)))
		},
		"a swapped key under its own id": func(b []byte) []byte {
			return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte(b64(in.Kem)), []byte(b64(other.Kem))), hx(in.ID),
				hx(other.ID))
		},
		"one that is missing": func(b []byte) []byte {
			return bytes.Replace(b, []byte(`name="to"`),
				[]byte(`name="no"`), 1)
		},
		"another beside them": func(b []byte) []byte {
			return bytes.Replace(b, []byte(`<select`), []byte(`<input type="radio" name="to" value="`+
				string(hx(other.ID))+`"><select`), 1)
		},
	} {
		twist = t1
		if !strings.Contains(day(), "keys for reports that are not yours") {
			t.Errorf("%s is not said", what)
		}
		if _, page, _ := g.ask(g.desk, "GET", "/inbox"); !strings.Contains(page, "not yours") {
			t.Errorf("%s: not on every page", what)
		}
		twist = func(b []byte) []byte { return b }
		quiet("right again after " + what)
	}
	g.ms.Add(60 * 24 * time.Hour.Milliseconds()) // nobody was at the office, and no keys are offered
	refresh()
	quiet("after a holiday")
	quiet("the day after it")
	twist = func([]byte) []byte { return nil }
	for range siteAwayDays {
		quiet("away for less than three days")
	}
	g.want(day(), "has not answered since")
	twist = func([]byte) []byte { return []byte("<html>parked</html>") }
	g.want(day(), "has not answered since")
	twist = func(b []byte) []byte { return b }
	quiet("there again")
}

// TestA22WhatDoesNotOpenIsShown: reports that do not open are counted by intake and day, on every desk, until somebody
// sets them aside; the relay giving them again adds none.
func TestA22WhatDoesNotOpenIsShown(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	d, _ := g.door()
	offered := d.Offered(g.desk.today())
	kem, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	var sealed [][]byte
	for range 3 { // as a page with a swapped key has it
		w, err := seal.SealReport(kem.PublicKey().Bytes(), d.Site, offered[0].ID, quickReceipt(t),
			seal.Message{Topic: 2, Text: "nobody reads this"})
		if err != nil {
			t.Fatal(err)
		}
		sealed = append(sealed, w)
	}
	give := func() {
		for _, w := range sealed {
			if err := g.store.PutReport(t.Context(), offered[0].ID, g.desk.today(), w, 100, 1<<30); err != nil {
				t.Fatal(err)
			}
		}
		g.tendTwice()
	}
	give()
	_, page, _ := g.ask(g.desk, "GET", "/inbox")
	g.want(page, "Reports that do not open")
	g.want(page, "3 reports to")
	give()
	g.restartOffice()
	give()
	_, page, _ = g.ask(g.desk, "GET", "/inbox")
	g.want(page, "3 reports to")
	day := g.desk.today().String()
	g.ask(g.desk, "POST", "/inbox/unopened", "day", "nonsense")
	_, page, _ = g.ask(g.desk, "POST", "/inbox/unopened", "day", day)
	if strings.Contains(page, "do not open") {
		t.Error("set aside, and still there")
	}
	g.restartOffice()
	give()
	if _, page, _ = g.ask(g.desk, "GET", "/inbox"); strings.Contains(page, "do not open") {
		t.Error("there again after a restart")
	}
	for _, in := range g.desk.state.Intakes() {
		if !g.desk.state.Alone(in.Subject) {
			t.Error("the intake's keys are not destroyed in time: something else lies under their subject")
		}
	}
	if n := g.waiting(); n != 0 {
		t.Errorf("the relay still keeps %d", n)
	}
}

// TestA22OldIntakes: an intake that was drawn by the first version keeps its id, is listed for answers and fetched, and
// is not offered: a new one is drawn at the next meeting.
func TestA22OldIntakes(t *testing.T) {
	g := newRig(t)
	var old [2]*seal.IntakeKeys
	for i, k := range office.IntakeCircles {
		stream, _ := g.office.Reports().Stream(k)
		in := &krama.Intake{Seed: [32]byte{byte(i + 1)}, From: g.desk.today() - 5, Until: g.desk.today() + 26,
			Stream: stream}
		who, _ := g.office.NewSubject()
		id, _ := g.office.NewRecord()
		if err := g.office.Write(k, who, &krama.Record{ID: id, Intake: in}); err != nil {
			t.Fatal(err)
		}
		var err error
		if old[i], err = seal.OpenIntake(in.Seed, stream, false); err != nil {
			t.Fatal(err)
		}
	}
	g.syncOffice()
	g.ask(g.desk, "POST", "/door")
	d, _ := g.door()
	if len(d.Intakes) != 4 || len(d.Offered(g.desk.today())) != 2 {
		t.Fatalf("%d intakes listed, %d offered", len(d.Intakes), len(d.Offered(g.desk.today())))
	}
	for _, in := range d.Offered(g.desk.today()) {
		if in.ID == old[0].ID() || in.ID == old[1].ID() {
			t.Error("one whose id commits to no key is offered")
		}
	}
	r := quickReceipt(t)
	w, err := seal.SealReport(old[0].KEM.PublicKey().Bytes(), d.Site, old[0].ID(), r, seal.Message{Topic: 1,
		Text: "from a page of last week"})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.store.PutReport(t.Context(), old[0].ID(), g.desk.today(), w, 100, 1<<30); err != nil {
		t.Fatal(err)
	}
	g.tendTwice()
	th := g.desk.state.Threads()
	if len(th) != 1 {
		t.Fatalf("%d conversations", len(th))
	}
	_, page, _ := g.ask(g.desk, "POST", "/thread/"+hexID(th[0].ID), "do", "answer", "text", "We read it")
	g.want(page, "answered")
	if got := g.answers(r); got != "We read it" {
		t.Errorf("she reads %q", got)
	}
}
