//go:build !js

package web

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"encoding/binary"
	"net/http/httptest"
	"testing"
	"time"

	"krama"
	"krama/casework"
	"krama/directory"
	"krama/office"
	"krama/replica"
	"krama/seal"
)

// quickReceipt is a receipt that no digits lead to: drawing one from digits takes a tenth of a second.
func quickReceipt(t testing.TB) *seal.Receipt {
	t.Helper()
	r := &seal.Receipt{}
	rand.Read(r.Mailbox[:])
	_, sig, err1 := ed25519.GenerateKey(rand.Reader)
	kem, err2 := hpke.MLKEM768X25519().GenerateKey()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	r.Auth, r.KEM = sig, kem
	return r
}

// restartOffice closes the office's desk and opens it again: what it knows is what it has on disk.
func (g *rig) restartOffice() {
	g.t.Helper()
	c := g.desk.Config.Replica
	g.office.Close()
	g.safe.Crash()
	st := casework.New()
	c.Feed, c.Reset = office.Feed(st), st.Reset
	var err error
	if g.office, err = replica.Unlock(c, "a b c d"); err != nil {
		g.t.Fatal(err)
	}
	g.desk.Use(g.office, st)
}

// reportNow writes to one of the intakes that the door offers, as somebody whom nobody knows; it returns what the relay
// answers.
func (g *rig) reportNow(to int, text string) int {
	g.t.Helper()
	d, _ := g.door()
	return g.reportWith(d, to, text, worked(g.t, d.Site, g.desk.today()))
}

// worked is the proof of a report on a day.
func worked(t *testing.T, site [16]byte, day krama.Day) [seal.WorkSize]byte {
	proof, err := seal.Work(rand.Reader, site, day)
	if err != nil {
		t.Error(err)
	}
	return proof
}

// reportWith is reportNow with a proof that was made before.
func (g *rig) reportWith(d *directory.Door, to int, text string, proof [seal.WorkSize]byte) int {
	g.t.Helper()
	offered := d.Offered(g.desk.today())
	if len(offered) <= to {
		return 0
	}
	in := offered[to]
	w, err := seal.SealReport(in.Kem, d.Site, in.ID, quickReceipt(g.t), seal.Message{Topic: 2, Text: text})
	if err != nil {
		g.t.Fatal(err)
	}
	body := seal.Frame(d.Site[:], in.ID[:], binary.BigEndian.AppendUint32(nil, uint32(g.desk.today())), proof[:], w)
	rec := httptest.NewRecorder()
	g.relay.ServeHTTP(rec, httptest.NewRequest("POST", seal.PathReport, bytes.NewReader(body)))
	return rec.Code
}

// officeDay is one day of an office: somebody reports, the desk meets the relay twice, staff close what came. Its clock
// then stands a day later. It tells whether an intake of each circle was open, and what failed.
func (g *rig) officeDay(n int) (open bool, failed error) {
	g.t.Helper()
	code := g.reportNow(n%2, "what happened today")
	for range 2 {
		if err := g.office.Sync(g.t.Context(), nil); err != nil && failed == nil {
			failed = err
		}
		if err := g.desk.Tend(g.t.Context()); err != nil && failed == nil {
			failed = err
		}
	}
	for _, th := range g.desk.state.Threads() {
		if th.State() != casework.ThreadNew {
			continue
		}
		act := &krama.Act{Threads: []krama.ThreadID{th.ID}, What: krama.ActClose, Day: g.desk.today(),
			Messages: uint16(len(th.Messages))}
		if err := g.desk.session().writeNew(th.Circle, th.Subjects[0], &krama.Record{Act: act}); err != nil &&
			failed == nil {
			failed = err
		}
	}
	g.ms.Add(24 * time.Hour.Milliseconds())
	return code == 200, failed
}

// doorChain is how long each link of the chain from an erasure to the door has become.
func (g *rig) doorChain() (epochs, held, listed, size int) {
	for _, k := range office.IntakeCircles {
		c := g.office.Kinds()[k]
		g.office.Roster(func(ro *seal.Roster) { epochs = max(epochs, len(ro.Circles[c].Epochs)) })
	}
	d, b := g.door()
	return epochs, len(g.desk.state.Intakes()), len(d.Intakes), len(b)
}

// TestA16OneReportADay: one report a day that staff close, for 150 days: every day it can be published and reported,
// and nothing of what an erasure leads to grows with the days but one epoch a month.
func TestA16OneReportADay(t *testing.T) {
	const days = 150
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	for n := range days {
		open, err := g.officeDay(n)
		if err != nil || !open {
			t.Fatalf("day %d: an intake is open %v, %v", n, open, err)
		}
		if d, _ := g.door(); d.Made < g.desk.today()-2 || len(d.Offered(g.desk.today())) != 2 {
			t.Fatalf("day %d: the door is of %s and offers %d intakes", n, d.Made, len(d.Offered(g.desk.today())))
		} else if k := len(d.Offered(d.Made + 18)); k != 2 { // two weeks and two weekends
			t.Fatalf("day %d: if the office closes now, the door offers %d intakes 18 days later", n, k)
		}
	}
	epochs, held, listed, size := g.doorChain()
	t.Logf("after %d days: %d epochs, %d intakes held, %d in the door, %d bytes", days, epochs, held, listed, size)
	if epochs > days/30+2 || held > 2*5 || listed > 2*5 || size > 20_000 {
		t.Errorf("after %d days: %d epochs, %d intakes held, %d in the door, %d bytes", days, epochs, held,
			listed, size)
	}
	if n := len(g.desk.state.Threads()); n > office.ThreadKeep+3 {
		t.Errorf("%d conversations are kept", n)
	}
}

// TestA16DoorIsBounded: however many intakes a colleague writes, the door lists office.IntakesListed of a circle, and
// what is offered is among them.
func TestA16DoorIsBounded(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	stream, _ := g.office.Reports().Stream(krama.KindCasework)
	for i := range 80 {
		g.ms.Add(time.Minute.Milliseconds()) // a meeting each
		g.keepIntake(g.desk.today()-krama.Day(i%50), g.desk.today()+10, stream)
		if i < office.IntakesListed { // and of days to come, which end last
			g.keepIntake(g.desk.today()+5, g.desk.today()+40, stream)
		}
	}
	if err := g.desk.OpenDoor(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, b := g.door()
	if len(d.Intakes) > 2*office.IntakesListed || len(d.Offered(g.desk.today())) != 2 || len(b) > 60_000 {
		t.Errorf("%d intakes in the door, %d offered, %d bytes", len(d.Intakes), len(d.Offered(g.desk.today())), len(b))
	}
}

// TestA16AnswerAfterTheKeysWent: who waited until the keys she wrote to were destroyed still gets an answer that her
// browser takes.
func TestA16AnswerAfterTheKeysWent(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	r := g.report(0, "1", "is anybody there?")
	g.tendTwice()
	for range 130 / 5 {
		g.ms.Add(5 * 24 * time.Hour.Milliseconds())
		g.tendTwice()
	}
	_, page, _ := g.ask(g.desk, "POST", "/thread/"+hexID(g.desk.state.Threads()[0].ID), "do", "answer", "text",
		"Yes, we are")
	g.want(page, "answered")
	if got := g.answers(r); got != "Yes, we are" {
		t.Errorf("she reads %q", got)
	}
}
