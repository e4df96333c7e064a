//go:build !js

package web

import (
	"fmt"
	"testing"
	"time"

	"krama"
	"krama/office"
	"krama/seal"
)

// TestA13FloodWaitsAtTheRelay: of a flood a desk takes in so many a day, the oldest first; the rest waits, and staff
// are told how many and why; the other intake is served meanwhile; what opens and what does not counts alike.
func TestA13FloodWaitsAtTheRelay(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	d, _ := g.door()
	offered := d.Offered(g.desk.today())
	put := func(to int, text string) {
		t.Helper()
		in := offered[to]
		w, err := seal.SealReport(in.Kem, d.Site, in.ID, quickReceipt(t), seal.Message{Topic: 2, Text: text})
		if err == nil {
			err = g.store.PutReport(t.Context(), in.ID, g.desk.today(), w, 20_000, 1<<40)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put(0, "the first, and real")
	const flood = 2*office.TakeDaily + 50
	for i := range flood {
		if put(0, fmt.Sprintf("spam %d", i)); i%10 == 0 { // and some that nobody can open
			junk := make([]byte, 4096+1136)
			junk[0], junk[1] = byte(i), byte(i>>8)
			if err := g.store.PutReport(t.Context(), offered[0].ID, g.desk.today(), junk, 20_000, 1<<40); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(1, "about a colleague")
	count := func(k krama.CircleKind) (n int) {
		for _, th := range g.desk.state.Threads() {
			if th.Circle == k {
				n++
			}
		}
		return n
	}
	for range 3 {
		g.tendTwice()
	}
	first := count(krama.KindCasework)
	if first >= office.TakeDaily || first < office.TakeDaily*8/10 || count(krama.KindSafeguarding) != 1 {
		t.Errorf("%d taken in of the flood on one day, %d of the other intake", first, count(krama.KindSafeguarding))
	}
	found := false
	for _, th := range g.desk.state.Threads() {
		found = found || th.Messages[0].Text == "the first, and real"
	}
	if !found {
		t.Error("the oldest was not taken first")
	}
	_, page, _ := g.ask(g.desk, "GET", "/inbox")
	g.want(page, fmt.Sprintf("%d more wait at the relay (Casework)", flood+1+flood/10-office.TakeDaily))
	g.want(page, "at most 200 a day")
	g.want(page, "Reports that do not open")
	if n := g.waiting(); n != flood+1+flood/10-office.TakeDaily {
		t.Errorf("%d wait at the relay", n)
	}
	g.restartOffice()
	g.tendTwice()
	if n := count(krama.KindCasework); n != first {
		t.Errorf("a restart takes in %d more on the same day", n-first)
	}
	for range 3 {
		g.ms.Add(24 * time.Hour.Milliseconds())
		g.tendTwice()
	}
	if n := g.waiting(); n != 0 || count(krama.KindCasework) != flood+1 {
		t.Errorf("three days later %d wait and %d are here", n, count(krama.KindCasework))
	}
}

// TestA13FloodOverOldIntakes: intakes that are not offered any more still take reports; a flood over all of them is
// bounded for the circle, and the one that is offered comes first.
func TestA13FloodOverOldIntakes(t *testing.T) {
	g := newRig(t)
	stream, _ := g.office.Reports().Stream(krama.KindCasework)
	for i := range 4 {
		g.keepIntake(g.desk.today()-krama.Day(20+i), g.desk.today()-2, stream)
	}
	g.ask(g.desk, "POST", "/door")
	d, _ := g.door()
	for _, in := range d.Intakes {
		for i := range office.TakeDaily + 20 {
			junk := make([]byte, 4096+1136)
			junk[0], junk[1] = byte(i), byte(i>>8)
			copy(junk[2:], in.ID[:])
			if err := g.store.PutReport(t.Context(), in.ID, g.desk.today(), junk, 20_000, 1<<40); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3 {
		g.tendTwice()
	}
	now := d.Offered(g.desk.today())
	taken := map[krama.CircleKind]int{}
	for _, in := range g.desk.state.Intakes() {
		n := 0
		for _, ids := range g.desk.state.Unopened(in.Subject) {
			n += len(ids)
		}
		taken[in.Circle] += n
		if keys, err := g.desk.session().office.Keys(in); err == nil && keys.ID() == now[0].ID &&
			n != office.TakeDaily {
			t.Errorf("%d of the intake that is offered", n)
		}
	}
	if taken[krama.KindCasework] != office.TakeCircle || taken[krama.KindSafeguarding] != office.TakeDaily {
		t.Errorf("taken in on one day: %v", taken)
	}
}
