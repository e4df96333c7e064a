package web

import (
	"context"
	"testing"
	"time"

	"krama/office"
)

func TestHostileClockErasesEverybody(t *testing.T) {
	g := newRig(t)
	g.setUp()
	g.register()
	g.phone.rep.Sync(t.Context(), nil)
	g.syncOffice()
	g.desk.session().maintain(context.Background(), g.office)
	n, _ := g.desk.state.Counts()
	real := g.ms.Load()
	bad := time.UnixMilli(real).Add(800 * 24 * time.Hour)
	g.desk.Now = func() time.Time { return bad }
	g.office.Now = g.desk.Now
	g.syncOffice()
	for range 2 { // and when all notices are a month old, by that clock
		g.desk.session().maintain(context.Background(), g.office)
		g.syncOffice()
		if m, _ := g.desk.state.Counts(); m < n {
			t.Error("a wrong clock on the desk erased everybody, with no look at the list")
		}
		bad = bad.Add((office.AnnounceDays + 2) * 24 * time.Hour)
		g.syncOffice()
	}
}

func TestHostileLockWhileTending(t *testing.T) {
	g := newRig(t)
	g.setUp()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("in the sync's goroutine this ends the desk's process: %v", p)
		}
	}()
	rep := g.office
	g.desk.Lock() // between the end of Sync and the tending that follows it in the same goroutine
	g.desk.session().maintain(t.Context(), rep)
}

// A person registered today by a phone whose clock is a year behind is erased at the office's next sync.
func TestHostilePhoneClockErases(t *testing.T) {
	g := newRig(t)
	g.setUp()
	old := g.phone.Now
	g.phone.Now = func() time.Time { return old().Add(-400 * 24 * time.Hour) }
	g.register()
	if err := g.phone.rep.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	g.syncOffice()
	n, _ := g.desk.state.Counts()
	if err := g.desk.session().maintain(t.Context(), g.office); err != nil {
		t.Fatal(err)
	}
	g.syncOffice()
	m, _ := g.desk.state.Counts()
	if n == 0 || m < n {
		t.Errorf("registered today, erased today, announced to nobody: %d of %d are here", m, n)
	}
}
