//go:build !js

package web

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/directory"
	"krama/relay"
)

var shelter = []string{"kind", "3", "operator", "1", "name-en", "House of Reeds", "org-en", "Invented group", "need",
	"1", "public", "yes", "cost", "1", "police", "1",
	"address-en", "behind the blue gate", "shown", "1", "phone0", "000 111", "use0", "1", "tier0", "1", "phone1",
	"000 999", "use1", "1", "tier1", "3", "source", "invented"}

// door reads what the relay publishes.
func (g *rig) door() (*directory.Door, []byte) {
	g.t.Helper()
	b, err := g.relay.(*relay.Relay).Door(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	d, err := directory.DecodeDoor(b)
	if err != nil {
		g.t.Fatal(err)
	}
	return d, b
}

// tendTwice is what two meetings with the relay do: the second drops what the first took in and sent.
func (g *rig) tendTwice() {
	g.t.Helper()
	for range 2 {
		g.syncOffice()
		if err := g.desk.Tend(g.t.Context()); err != nil {
			g.t.Fatal(err)
		}
		g.syncOffice()
	}
}

// TestShelterStaysWithNamedStaff: a form that would publish a shelter's address puts it where only named staff hold the
// key; the phone, the door and its bytes never see it.
func TestShelterStaysWithNamedStaff(t *testing.T) {
	g := newRig(t)
	g.setUp()
	_, page, path := g.ask(g.desk, "POST", "/listing/new", shelter...)
	g.want(page, "behind the blue gate")
	g.want(page, "named staff only")
	g.ask(g.desk, "POST", path+"/check", "says", "1")
	_, page, _ = g.ask(g.desk, "POST", "/door")
	g.want(page, "Published on")
	d, raw := g.door()
	if len(d.Listings) != 1 || len(d.Offered(g.desk.today())) != 2 {
		t.Fatalf("got %d listings, %d intakes", len(d.Listings), len(d.Offered(g.desk.today())))
	}
	g.phone.rep.Sync(t.Context(), nil)
	_, list, _ := g.ask(g.phone, "GET", "/directory")
	g.want(list, "House of Reeds")
	_, one, _ := g.ask(g.phone, "GET", path)
	for where, text := range map[string]string{"door": string(raw), "phone": list + one} {
		for _, secret := range []string{"blue gate", "000 999"} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s holds %q", where, secret)
			}
		}
	}
	_, page, _ = g.ask(g.desk, "POST", path+"/edit", append([]string{"name-en", ""}, shelter[6:]...)...)
	g.want(page, `role="alert"`)
	_, page, _ = g.ask(g.desk, "GET", path+"/edit")
	g.want(page, "behind the blue gate")
}

// TestSlipComesBack: a worker without a network makes a slip; the service answers; the desk asks and shows it; "could
// not" puts the listing on the week's list. Sent twice, the form is one slip.
func TestSlipComesBack(t *testing.T) {
	g := newRig(t)
	g.setUp()
	_, _, listing := g.ask(g.desk, "POST", "/listing/new", "kind", "1", "operator", "1", "name-en", "Small Clinic",
		"org-en", "Group", "need", "2", "public", "yes", "phone0", "000 222", "use0", "1", "tier0", "1")
	g.ask(g.desk, "POST", listing+"/check", "says", "1")
	g.syncOffice()
	g.phone.rep.Sync(t.Context(), nil)
	who := g.register()
	g.cut.Store(true)
	_, page, _ := g.ask(g.phone, "POST", who+"/refer", "need", "2")
	g.want(page, "Small Clinic")
	rid := regexp.MustCompile(`name="rid" value="([0-9a-f]{32})"`).FindStringSubmatch(page)[1]
	key := strings.TrimPrefix(listing, "/listing/")
	_, page, slip := g.ask(g.phone, "POST", who+"/refer", "rid", rid, "listing", key)
	code, err := krama.ParseSlipCode(regexp.MustCompile(`digits mono">([0-9A-Z-]+)<`).FindStringSubmatch(page)[1])
	if err != nil {
		t.Fatal(err)
	}
	if _, _, again := g.ask(g.phone, "POST", who+"/refer", "rid", rid, "listing", key); again != slip {
		t.Error("a form sent twice is two slips")
	}
	her, _ := krama.ParseSubjectID(strings.TrimPrefix(who, "/person/"))
	if printed, _, _ := strings.Cut(page[strings.Index(page, "slip\">"):], "noprint"); strings.Contains(printed,
		g.phone.state.Code(her).String()) || strings.Contains(printed, her.String()) {
		t.Error("the slip names her")
	}
	if err := g.relay.(*relay.Relay).AnswerSlip(t.Context(), code, krama.OutcomeAccepted); err != nil {
		// before the phone was on line
		t.Fatal(err)
	}
	g.cut.Store(false)
	g.phone.rep.Sync(t.Context(), nil)
	g.tendTwice()
	_, page, _ = g.ask(g.desk, "GET", who)
	g.want(page, "accepted")
	if err := g.relay.(*relay.Relay).AnswerSlip(t.Context(), code, krama.OutcomeCouldNot); err != nil {
		t.Fatal(err)
	}
	g.tendTwice()
	_, page, _ = g.ask(g.desk, "GET", who)
	g.want(page, "could not help")
	_, page, _ = g.ask(g.desk, "GET", "/directory")
	g.want(page, "In doubt")
	g.phone.rep.Sync(t.Context(), nil)
	_, page, _ = g.ask(g.phone, "GET", who)
	g.want(page, "could not help")
	if n := len(g.desk.state.Referrals(krama.SubjectID{})[0].Outcomes); n != 2 {
		t.Errorf("%d outcomes, want 2", n)
	}

	// Another one, of which she tells the worker herself.
	_, page, _ = g.ask(g.phone, "POST", who+"/refer", "need", "2")
	rid = regexp.MustCompile(`name="rid" value="([0-9a-f]{32})"`).FindStringSubmatch(page)[1]
	_, page, slip = g.ask(g.phone, "POST", who+"/refer", "rid", rid, "listing", key)
	g.want(page, "what became of it")
	if status, _, _ := g.ask(g.phone, "POST", slip, "what", "1"); status != 404 {
		t.Errorf("staff say for a service that it accepted: %d", status)
	}
	for range 2 { // tapped twice
		_, page, _ = g.ask(g.phone, "POST", slip, "what", "4")
	}
	g.want(page, "withdrawn")
	_, page, _ = g.ask(g.phone, "GET", slip)
	if strings.Contains(page, "what became of it") {
		t.Error("a slip that is settled still asks")
	}
	if n := len(g.phone.state.Referrals(her)[0].Outcomes) + len(g.phone.state.Referrals(her)[1].Outcomes); n != 3 {
		t.Errorf("%d outcomes of two slips, want 3", n)
	}
}

// TestConversationsEnd: 60 days after staff have dealt with it a conversation is erased; one in which somebody waits is
// not; a wrong clock erases nothing. An incident outlives its conversation until her yes is taken back. A restored
// relay's door is published again within a day.
func TestConversationsEnd(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	g.report(1, "1", "closed soon")
	g.report(0, "2", "nobody has looked at this")
	g.tendTwice()
	var path string
	for _, th := range g.desk.state.Threads() {
		if th.Messages[0].Text == "closed soon" {
			path = "/thread/" + hexID(th.ID)
		}
	}
	g.ask(g.desk, "POST", path, "do", "incident", "what", "11", "by", "3", "consent", "yes")
	_, page, _ := g.ask(g.desk, "POST", path, "do", "close")
	g.want(page, "erased by itself on")
	_, page, _ = g.ask(g.desk, "GET", "/incidents")
	g.want(page, "papers kept by others")
	if d, _ := g.desk.Guide.District(1002); true { // what she told
		g.want(page, d.Name("en"))
	}
	g.want(page, path)
	erase := regexp.MustCompile(`action="(/incidents/[0-9a-f]+/erase)"`).FindStringSubmatch(page)[1]
	day := func(n int) { g.ms.Add(int64(n) * 24 * time.Hour.Milliseconds()) }
	for syncing(g.desk) {
		time.Sleep(time.Millisecond)
	}
	real := g.desk.Now
	g.desk.Now = func() time.Time { return real().Add(365 * 24 * time.Hour) }
	g.office.Now = g.desk.Now
	g.syncOffice()
	g.desk.Tend(t.Context())
	g.desk.Now, g.office.Now = real, real
	day(59)
	g.tendTwice()
	if n := len(g.desk.state.Threads()); n != 2 {
		t.Fatalf("%d conversations after 59 days, want 2", n)
	}
	day(1)
	g.relay.(*relay.Relay).Door(t.Context())
	g.tendTwice()
	if d, _ := g.door(); d.Made != g.desk.today() {
		t.Errorf("the door is of %s", d.Made)
	}
	left := g.desk.state.Threads()
	if len(left) != 1 || left[0].Messages[0].Text != "nobody has looked at this" {
		t.Fatalf("%d conversations are left after 60 days", len(left))
	}
	if status, _, _ := g.ask(g.desk, "GET", path); status != 404 {
		t.Error("the erased one still has a page")
	}
	_, page, _ = g.ask(g.desk, "GET", "/incidents")
	g.want(page, "papers kept by others")
	if strings.Contains(page, path) {
		t.Error("the incident leads to a conversation that is gone")
	}
	_, page, _ = g.ask(g.desk, "POST", erase)
	g.want(page, `role="alert"`)
	if len(g.desk.state.Incidents()) != 1 {
		t.Fatal("erased without being sure")
	}
	_, page, _ = g.ask(g.desk, "POST", erase, "sure", "yes")
	g.want(page, "Nothing here")
	_, page, _ = g.ask(g.desk, "GET", "/erasures")
	g.want(page, "erased")
}

// TestRefusalLeavesALine: who asks for reports or incidents at a computer that does not hold them leaves a line that
// colleagues see, one a day.
func TestRefusalLeavesALine(t *testing.T) {
	g := newRig(t)
	g.setUp()
	g.phone.doorRoutes() // a desk that holds the outreach circle alone
	g.ask(g.phone, "GET", "/inbox")
	if n := len(g.phone.state.Audits()); n != 1 {
		t.Errorf("asking for reports left %d lines, want 1", n)
	}
	for range 2 {
		_, page, _ := g.ask(g.phone, "GET", "/inbox")
		g.want(page, "holds neither")
		_, page, _ = g.ask(g.phone, "GET", "/incidents")
		g.want(page, "does not hold")
	}
	g.phone.rep.Sync(t.Context(), nil)
	g.syncOffice()
	_, page, _ := g.ask(g.desk, "GET", "/audit")
	if n := strings.Count(page, "asked for what this computer does not hold"); n != 1 {
		t.Errorf("%d lines of being refused, want 1\n%.900s", n, page)
	}
}
