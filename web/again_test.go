//go:build !js

package web

import (
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

// newDesk enrols a case worker with a desk of her own.
func (g *rig) newDesk(id byte) *Server {
	g.t.Helper()
	ctx := g.t.Context()
	c := g.desk.Config
	c.Replica.Dir = &journal.MemDir{}
	st := casework.New()
	c.Replica.Feed, c.Replica.Reset = office.Feed(st), st.Reset
	rep, err := replica.Create(c.Replica, "e f g h")
	if err != nil {
		g.t.Fatal(err)
	}
	must := func(err error) {
		g.t.Helper()
		if err != nil {
			g.t.Fatal(err)
		}
	}
	must(rep.Newcomer().Introduce(ctx, "relay"))
	inv, err := g.office.Admin().Invite(ctx, rep.Newcomer().Scan1().String())
	must(err)
	must(rep.Newcomer().Accept(ctx, inv.Code.String()))
	_, err = g.office.Admin().Enrol(ctx, inv, krama.MemberID{id}, krama.RoleCaseWorker)
	if err == replica.ErrDay { // a lone admin's deed waits a day
		g.ms.Add((25 * time.Hour).Milliseconds())
		g.syncOffice()
		must(g.desk.Tend(ctx))
		g.syncOffice()
		err = nil
	}
	must(err)
	_, err = rep.Newcomer().Join(ctx, nil)
	must(err)
	must(rep.Sync(ctx, nil))
	g.syncOffice()
	must(g.desk.Tend(ctx))
	g.syncOffice()
	must(rep.Sync(ctx, nil))
	s := New(c)
	s.DeskPages()
	s.Use(rep, st)
	return s
}

// TestA23ErasedReportGivenAgain: a relay that gives an erased conversation's bytes again brings nothing back: not on
// the desk, not after its restart, not on a colleague's, not on one that joins later, and not in part when she has
// written again since. When the intake's seed is destroyed, what was kept for that goes with it.
func TestA23ErasedReportGivenAgain(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	second := g.newDesk(77)
	d, _ := g.door()
	in := d.Offered(g.desk.today())[0]
	her := quickReceipt(t)
	write := func(text string) []byte {
		w, err := seal.SealReport(in.Kem, d.Site, in.ID, her, seal.Message{Topic: 2, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	first, long := write("he hit me"), write(strings.Repeat("what he did, at length. ", 300))
	desks := []*Server{g.desk, second}
	meet := func() {
		t.Helper()
		for range 2 {
			for _, s := range desks {
				if err := s.rep.Sync(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				if err := s.Tend(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	give := func(list ...[]byte) {
		t.Helper()
		for _, w := range list {
			if err := g.store.PutReport(t.Context(), in.ID, g.desk.today(), w, 100, 1<<30); err != nil {
				t.Fatal(err)
			}
		}
		meet()
	}
	give(first, long)
	th := g.desk.state.Threads()
	if len(th) != 1 || len(th[0].Messages) != 2 {
		t.Fatalf("%d conversations", len(th))
	}
	g.ask(g.desk, "POST", "/thread/"+hexID(th[0].ID), "do", "close")
	for syncing(g.desk) {
		runtimeYield()
	}
	meet()
	for range office.ThreadKeep/4 + 1 {
		g.ms.Add(4 * 24 * time.Hour.Milliseconds())
		meet()
	}
	none := func(when string) {
		t.Helper()
		for i, s := range desks {
			if n := len(s.state.Threads()); n != 0 {
				t.Errorf("%s: desk %d shows %d conversations", when, i, n)
			}
		}
	}
	none("erased")
	give(first, long)
	none("given again")
	g.restartOffice()
	give(first, long)
	none("after a restart")
	desks = append(desks, g.newDesk(78))
	desks[0], desks[2] = desks[2], desks[0] // it meets the relay first
	give(first, long)
	none("on a desk that joined later")
	give(write("it is me again"))
	give(first, long)
	for i, s := range desks {
		th := s.state.Threads()
		if len(th) != 1 || len(th[0].Messages) != 1 || th[0].Messages[0].Text != "it is me again" {
			t.Errorf("desk %d: what she wrote since is not alone: %d conversations", i, len(th))
		}
	}
	for range (office.IntakeDays + office.IntakeKeep) / 4 {
		g.ms.Add(4 * 24 * time.Hour.Milliseconds())
		meet()
	}
	for _, s := range desks {
		for _, k := range s.state.Intakes() {
			if keys, err := s.office.Keys(k); err != nil || keys.ID() == in.ID {
				t.Error("the seed is not destroyed")
			}
		}
		if s.state.Ended(office.ReportRecord(first, 0)) {
			t.Error("what was kept of its reports outlives the seed")
		}
	}
}
