//go:build !js

package web

import (
	"crypto/ed25519"
	"crypto/hpke"
	"slices"
	"strings"
	"testing"

	"krama"
	"krama/casework"
	"krama/journal"
	"krama/seal"
)

// TestReportIsForgottenAfterColleaguesHaveIt: what only this desk has is still at the relay, however often the desk
// tends; the disk that it lies on may be lost tonight.
func TestReportIsForgottenAfterColleaguesHaveIt(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	g.report(0, "1", "help me")
	g.syncOffice()
	for range 3 {
		if err := g.desk.session().office.FetchReports(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(g.desk.state.Threads()) != 1 || g.office.Status().Unsent == 0 {
			t.Fatal("it is not here alone: the test proves nothing")
		}
		if n := g.waiting(); n != 1 {
			t.Fatalf("nobody else has it, and the relay keeps %d", n)
		}
	}
	g.tendTwice()
	if n := g.waiting(); n != 0 {
		t.Errorf("colleagues have it, and the relay keeps %d", n)
	}
}

// TestThreadIsItsReporters: who knows another's mailbox cannot write into her conversation, nor have its answers sealed
// to a key of her own: a conversation is of all three keys.
func TestThreadIsItsReporters(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	her := g.report(1, "1", "he took my papers")
	g.tendTwice()
	kem, err := hpke.MLKEM768X25519().NewPrivateKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for name, thief := range map[string]*seal.Receipt{
		"another KEM key":       {Mailbox: her.Mailbox, Auth: her.Auth, KEM: kem},
		"another key of access": {Mailbox: her.Mailbox, Auth: ed25519.NewKeyFromSeed(make([]byte, 32)), KEM: her.KEM},
		"another mailbox":       {Mailbox: [16]byte{1}, Auth: her.Auth, KEM: her.KEM},
	} {
		before := len(g.desk.state.Threads())
		g.reportAs(thief, 1, "it was nothing")
		g.tendTwice()
		threads := g.desk.state.Threads()
		if len(threads) != before+1 {
			t.Errorf("%s: %d conversations, want %d", name, len(threads), before+1)
		}
		for _, th := range threads {
			if len(th.Messages) != 1 {
				t.Errorf("%s: a stranger's words stand in her conversation", name)
			}
		}
	}
	before := len(g.desk.state.Threads())
	g.report(1, "1", "are you there?")
	g.tendTwice()
	if n := len(g.desk.state.Threads()); n != before {
		t.Errorf("she herself: %d conversations, want %d", n, before)
	}
	g.report(0, "1", "the same receipt, to the other circle")
	g.tendTwice()
	if n := len(g.desk.state.Threads()); n != before+1 {
		t.Errorf("to another circle: %d conversations, want %d", n, before+1)
	}
}

// TestReadingLeavesALine: looking at a conversation, at the list or at incidents, without doing anything, leaves a
// signed line, and one whose line cannot be kept is not shown.
func TestReadingLeavesALine(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	g.report(1, "1", "he took my papers")
	g.tendTwice()
	th := g.desk.state.Threads()[0]
	lines := func(what uint8, id krama.ThreadID) (n int) {
		for _, a := range g.desk.state.Audits() {
			if a.What == what && a.Thread == id && a.Circle == th.Circle {
				n++
			}
		}
		return n
	}
	for name, tc := range map[string]struct {
		path string
		what uint8
		id   krama.ThreadID
	}{"a conversation": {"/thread/" + hexID(th.ID), krama.AuditRead, th.ID}, "the list": {"/inbox", krama.AuditList,
		krama.ThreadID{}}, "incidents": {"/incidents", krama.AuditIncidents, krama.ThreadID{}}} {
		before := lines(tc.what, tc.id)
		for range 2 {
			if status, _, _ := g.ask(g.desk, "GET", tc.path); status != 200 {
				t.Fatalf("%s: %d", name, status)
			}
		}
		if n := lines(tc.what, tc.id); before != 0 || n != 1 {
			t.Errorf("%s: %d lines before, %d after two looks, want 0 and 1", name, before, n)
		}
	}
	me, _ := g.office.Device()
	if !slices.ContainsFunc(g.desk.state.Audits(), func(a casework.Audit) bool {
		return a.Author == me && a.What == krama.AuditRead
	}) {
		t.Error("the line does not say who")
	}
	g.syncOffice()
	g.ms.Add(24 * 3600 * 1000)
	g.office.Dir.(*journal.MemDir).Fault = func(string, int) error { return journal.ErrFull }
	for _, path := range []string{"/thread/" + hexID(th.ID), "/inbox"} {
		if _, page, _ := g.ask(g.desk, "GET", path); strings.Contains(page, "he took my papers") {
			t.Errorf("%s: no line can be kept, and it is shown", path)
		}
	}
}
