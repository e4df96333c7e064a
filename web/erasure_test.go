package web

import (
	"crypto/rand"
	"regexp"
	"strings"
	"testing"

	"krama"
	"krama/replica"
)

// TestA28ErasuresPage: what goes beyond a member's bound stands on the office's page; one is confirmed there and one
// taken back.
func TestA28ErasuresPage(t *testing.T) {
	g := newRig(t)
	g.setUp()
	rep := g.phone.rep
	var who []krama.SubjectID
	for range 7 {
		s, err := rep.NewSubject()
		if err != nil {
			t.Fatal(err)
		}
		id, _ := rep.NewRecord()
		code, err := krama.NewCode(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		p := &krama.Person{Code: code, Gender: 1, Age: 4, Category: 1, District: 1002,
			Registered: krama.DayOf(g.desk.Now())}
		if err := rep.Write(krama.KindOutreach, s, &krama.Record{ID: id, Person: p}); err != nil {
			t.Fatal(err)
		}
		who = append(who, s)
	}
	g.syncPhone()
	g.syncOffice()
	for _, s := range who {
		if err := rep.Erasing().Shred(krama.KindOutreach, s, replica.ShredDanger); err != nil {
			t.Fatal(err)
		}
	}
	g.syncPhone()
	g.syncOffice()
	if n, _ := g.desk.state.Counts(); n != 0 {
		t.Errorf("%d people are on the screen", n)
	}
	_, page, _ := g.ask(g.desk, "GET", "/erasures")
	g.want(page, "Erasures that wait")
	forms := regexp.MustCompile(`action="(/erasures/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(forms) != 2 || strings.Contains(page, "mono") {
		t.Fatalf("%d wait, want 2; and nobody is named", len(forms))
	}
	if status, _, _ := g.ask(g.desk, "POST", forms[0][1], "do", "no"); status != 404 {
		t.Errorf("an unknown answer: %d", status)
	}
	g.ask(g.desk, "POST", forms[0][1], "do", "back")
	g.ask(g.desk, "POST", forms[1][1], "do", "confirm")
	g.openDay(0)
	g.syncOffice()
	g.syncPhone()
	if n, _ := g.desk.state.Counts(); n != 1 || len(g.office.Erasing().Awaiting()) != 0 ||
		len(rep.Erasing().Awaiting()) != 0 {
		t.Errorf("%d people, %d and %d wait; want 1, 0, 0", n, len(g.office.Erasing().Awaiting()),
			len(rep.Erasing().Awaiting()))
	}
	if n, _ := g.phone.state.Counts(); n != 1 {
		t.Errorf("the phone shows %d people, want 1", n)
	}
	g.syncOffice()
	_, page, _ = g.ask(g.phone, "GET", "/erasures")
	if strings.Contains(page, "/erasures/1/") {
		t.Error("the phone still shows one")
	}
}
