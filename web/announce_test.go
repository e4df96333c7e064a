package web

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// openDay lets time pass and the desk meet the relay, as one that is left open does by itself.
func (g *rig) openDay(d time.Duration) {
	g.t.Helper()
	g.ms.Add(d.Milliseconds())
	g.desk.BeginSync()
	for {
		g.desk.mu.Lock()
		st := g.desk.sync
		g.desk.mu.Unlock()
		if !st.running {
			if st.err != nil {
				g.t.Fatal(st.err)
			}
			return
		}
		runtimeYield()
	}
}

func (g *rig) syncPhone() {
	g.t.Helper()
	if err := g.phone.rep.Sync(g.t.Context(), nil); err != nil {
		g.t.Fatal(err)
	}
}

// TestLoneAdminOnEveryPage: what the only admin announces stands on every page of desk and phone until it is done or
// taken back, with what, who and when.
func TestLoneAdminOnEveryPage(t *testing.T) {
	g := newRig(t)
	g.setUp()
	const title, button = "Announced by the only admin", "Take it back"
	id := g.phoneID().String()
	ask := func() {
		t.Helper()
		g.ask(g.desk, "POST", "/device/"+id+"/roles", "role", "4", "role", "32")
		page, at := g.job()
		if at != "/device/"+id {
			t.Fatalf("at %s: %.600s", at, page)
		}
		g.want(page, title)
		g.want(page, "This device will do this after 03/03/2026 10:01")
		g.want(page, button)
		g.syncPhone()
	}
	_, page, _ := g.ask(g.desk, "GET", "/devices")
	g.want(page, "announced on every device for a day")
	ask()
	for _, path := range []string{"/", "/people", "/settings"} {
		_, page, _ := g.ask(g.phone, "GET", path)
		for _, part := range []string{title, "Roles changed", "Outreach 1", "Safeguarding</span>", "not done yet",
			"will do this after 03/03/2026 10:01", "tell an admin"} {
			g.want(page, part)
		}
		if strings.Contains(page, button) {
			t.Error("a worker's phone offers to take it back")
		}
	}
	_, page, _ = g.ask(g.desk, "GET", "/roster")
	g.want(page, "Announced:")
	var takes []string
	for _, m := range regexp.MustCompile(`action="(/withdraw/[0-9a-f]{64})"`).FindAllStringSubmatch(page, -1) {
		takes = append(takes, m[1])
	}
	if len(takes) != 2 { // the role, and the way into the circle
		t.Fatalf("%d to take back", len(takes))
	}
	g.ask(g.phone, "POST", takes[0])
	g.syncPhone()
	_, page, _ = g.ask(g.phone, "GET", "/")
	g.want(page, title)
	for _, path := range takes {
		_, page, _ = g.ask(g.desk, "POST", path)
	}
	g.ask(g.desk, "POST", takes[0]) // the button was on another page still
	g.openDay(25 * time.Hour)
	g.syncPhone()
	for _, s := range []*Server{g.desk, g.phone} {
		if _, page, _ := g.ask(s, "GET", "/"); strings.Contains(page, title) {
			t.Error("taken back, and shown")
		}
	}
	_, page, _ = g.ask(g.desk, "GET", "/roster")
	g.want(page, "Withdrawn:")
	if _, roles := g.phone.rep.Device(); roles != krama.RoleOutreach {
		t.Error("taken back, and done")
	}

	g.ms.Add(-25 * time.Hour.Milliseconds()) // the first day's morning again, for the times above
	ask()
	g.openDay(23 * time.Hour)
	g.syncPhone()
	if _, roles := g.phone.rep.Device(); roles != krama.RoleOutreach {
		t.Error("done before its day")
	}
	g.openDay(2 * time.Hour)
	g.syncPhone()
	if _, roles := g.phone.rep.Device(); roles != krama.RoleOutreach|krama.RoleSafeguarding {
		t.Errorf("roles %v a day later", roles)
	}
	if _, page, _ := g.ask(g.phone, "GET", "/"); strings.Contains(page, title) {
		t.Error("done, and shown")
	}
}

// TestLoneAdminsTrustees shows the cards at once, and says that they hold in a day. A clock that cannot measure one is
// named.
func TestLoneAdminsTrustees(t *testing.T) {
	g := newRig(t)
	g.setUp()
	g.openDay(0) // nobody else looks at the clock that is turned
	right := g.office.Now
	g.office.Now = func() time.Time { return right().AddDate(1, 0, 0) }
	_, page, _ := g.ask(g.desk, "POST", "/trustees", "n", "3", "k", "2")
	g.want(page, "differ by more than an hour")
	g.office.Now = right
	_, page, _ = g.ask(g.desk, "POST", "/trustees", "n", "3", "k", "2")
	g.want(page, "They hold in a day")
	card := regexp.MustCompile(`data-card="([^"]+)"`).FindStringSubmatch(page)[1]
	set := func() (set bool) {
		g.office.Roster(func(ro *seal.Roster) { set = ro.Trustees != nil })
		return set
	}
	if set() {
		t.Fatal("they hold at once")
	}
	_, page, _ = g.ask(g.desk, "POST", "/trustees/drill", "card", card)
	g.want(page, "its day has not come")
	g.openDay(25 * time.Hour)
	if !set() {
		t.Fatal("they do not hold a day later")
	}
	_, page, _ = g.ask(g.desk, "POST", "/trustees/drill", "card", card)
	g.want(page, "Card 1")
}
