//go:build !js

package web

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/casework"
	"krama/directory"
	"krama/relay"
	"krama/seal"
)

var shelter = []string{"kind", "3", "operator", "1", "name-en", "House of Reeds", "org-en", "Invented group", "need", "1", "public", "yes", "cost", "1", "police", "1",
	"address-en", "behind the blue gate", "shown", "1", "phone0", "000 111", "use0", "1", "tier0", "1", "phone1", "000 999", "use1", "1", "tier1", "3", "source", "invented"}

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

// TestShelterStaysWithNamedStaff: a form that would publish a shelter's address puts it where only named staff hold the key; the
// phone, the door and its bytes never see it.
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

// TestSlipComesBack: a worker without a network makes a slip; the service answers; the desk asks and shows it; "could not" puts the
// listing on the week's list. Sent twice, the form is one slip.
func TestSlipComesBack(t *testing.T) {
	g := newRig(t)
	g.setUp()
	_, _, listing := g.ask(g.desk, "POST", "/listing/new", "kind", "1", "operator", "1", "name-en", "Small Clinic", "org-en", "Group", "need", "2", "public", "yes", "phone0", "000 222", "use0", "1", "tier0", "1")
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
	if printed, _, _ := strings.Cut(page[strings.Index(page, "slip\">"):], "noprint"); strings.Contains(printed, g.phone.state.Code(her).String()) || strings.Contains(printed, her.String()) {
		t.Error("the slip names her")
	}
	if err := g.relay.(*relay.Relay).AnswerSlip(t.Context(), code, krama.OutcomeAccepted); err != nil { // before the phone was on line
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
	g.want(page, "Somebody found this wrong")
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

// TestConversationsEnd: 60 days after staff have dealt with it a conversation is erased; one in which somebody waits is not; a
// wrong clock erases nothing. An incident outlives its conversation until her yes is taken back. A restored relay's door is
// published again within a day.
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

// TestRefusalLeavesALine: who asks for reports or incidents at a computer that does not hold them leaves a line that colleagues see,
// one a day.
func TestRefusalLeavesALine(t *testing.T) {
	g := newRig(t)
	g.setUp()
	g.phone.doorPages() // a desk that holds the outreach circle alone
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

// report writes to one of the door's intakes as a browser does.
func (g *rig) report(to int, digits, text string) *seal.Receipt {
	g.t.Helper()
	d, _ := g.door()
	in := d.Offered(g.desk.today())[to]
	r, err := seal.OpenReceipt(digits, d.Site)
	if err != nil {
		g.t.Fatal(err)
	}
	w, err := seal.SealReport(in.Kem, d.Site, in.ID, r, seal.Message{Topic: 2, Place: 1002, Text: text})
	if err != nil {
		g.t.Fatal(err)
	}
	proof, err := seal.Work(rand.Reader, d.Site, g.desk.today())
	if err != nil {
		g.t.Fatal(err)
	}
	body := seal.Frame(d.Site[:], in.ID[:], binary.BigEndian.AppendUint32(nil, uint32(g.desk.today())), proof[:], w)
	rec := httptest.NewRecorder()
	g.relay.ServeHTTP(rec, httptest.NewRequest("POST", seal.PathReport, bytes.NewReader(body)))
	if rec.Code != 200 {
		g.t.Fatalf("report: %d", rec.Code)
	}
	return r
}

// waiting counts what the relay still keeps for an intake.
func (g *rig) waiting() (n int) {
	g.t.Helper()
	for _, in := range g.desk.state.Intakes() {
		keys, err := seal.OpenIntake(in.Seed, in.Stream)
		if err != nil {
			g.t.Fatal(err)
		}
		_, w, err := g.office.FetchReports(g.t.Context(), in.Circle, keys, 0)
		if err != nil {
			g.t.Fatal(err)
		}
		n += w
	}
	return n
}

// TestReportsAreNeverLost: the network ends at every call in turn while reports are taken in; each is there once in the end, and the
// relay forgets none before it was sent to colleagues.
func TestReportsAreNeverLost(t *testing.T) {
	for cut := int32(1); cut <= 14; cut++ {
		g := newRig(t)
		if _, page, _ := g.ask(g.desk, "POST", "/door"); !strings.Contains(page, "Published on") {
			t.Fatalf("%.600s", page)
		}
		long := strings.Repeat("ឃ្លាវែង ", 300)
		g.report(0, "1", "first")
		g.report(1, "2", long)
		g.cutAt.Store(g.calls.Load() + cut)
		g.office.Sync(t.Context(), nil)
		g.desk.Tend(t.Context())
		if n := len(g.desk.state.Threads()); n < 2 && g.waiting2(t) < 2-n {
			t.Fatalf("cut at %d: %d here", cut, n)
		}
		g.cutAt.Store(0)
		g.tendTwice()
		threads := g.desk.state.Threads()
		if len(threads) != 2 || len(threads[0].Messages) != 1 || len(threads[1].Messages) != 1 {
			t.Fatalf("cut at %d: %d threads", cut, len(threads))
		}
		texts := threads[0].Messages[0].Text + threads[1].Messages[0].Text
		if !strings.Contains(texts, "first") || !strings.Contains(texts, long) {
			t.Fatalf("cut at %d: words are missing", cut)
		}
		if n := g.waiting(); n != 0 {
			t.Errorf("cut at %d: the relay still keeps %d", cut, n)
		}
	}
}

// waiting2 is waiting with the network on for the moment of looking.
func (g *rig) waiting2(t *testing.T) int {
	at := g.cutAt.Swap(0)
	defer g.cutAt.Store(at)
	return g.waiting()
}

// TestAnswerAndIncident: an answer opens with her receipt; an incident is kept only with her yes; reading leaves a line; what a
// stranger wrote cannot break the page.
func TestAnswerAndIncident(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	r := g.report(1, "77", "<script>alert(1)</script> \u202Eevil\u202C he took my papers")
	g.tendTwice()
	th := g.desk.state.Threads()[0]
	path := "/thread/" + hexID(th.ID)
	_, page, _ := g.ask(g.desk, "GET", path)
	g.want(page, "&lt;script&gt;")
	if strings.Contains(page, "\u202E") {
		t.Error("the page reorders what is read")
	}
	if th.Circle != krama.KindSafeguarding {
		t.Errorf("circle %d", th.Circle)
	}
	_, page, _ = g.ask(g.desk, "POST", path, "do", "answer", "text", "We can help")
	g.want(page, "answered")
	d, _ := g.door()
	pub := r.Auth.Public().(ed25519.PublicKey)
	call, err := seal.NewCall(rand.Reader, r.Auth, seal.PathReply, r.Mailbox, uint64(g.ms.Load()), seal.Frame(pub))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	g.relay.ServeHTTP(w, httptest.NewRequest("POST", seal.PathReply, bytes.NewReader(call)))
	var sigs []ed25519.PublicKey
	for _, in := range d.Intakes {
		sigs = append(sigs, in.Sig)
	}
	read := ""
	for b := w.Body.Bytes(); len(b) >= seal.ReplySize; b = b[seal.ReplySize:] {
		if x, err := seal.OpenReply(r, d.Site, sigs, b[:seal.ReplySize]); err == nil {
			read += x.Text
		}
	}
	if read != "We can help" {
		t.Errorf("she reads %q", read)
	}
	_, page, _ = g.ask(g.desk, "POST", path, "do", "incident", "what", "11", "by", "3")
	g.want(page, "Without her yes")
	if len(g.desk.state.Incidents()) != 0 {
		t.Fatal("kept without consent")
	}
	_, page, _ = g.ask(g.desk, "POST", path, "do", "incident", "what", "11", "by", "3", "consent", "yes")
	if len(g.desk.state.Incidents()) != 1 {
		t.Fatalf("not kept\n%.600s", page)
	}
	_, page, _ = g.ask(g.desk, "GET", "/audit")
	g.want(page, "read a conversation")
	if n := len(g.desk.state.Audits()); n > 4 {
		t.Errorf("%d lines for one day's reading", n)
	}
}

// TestFloodIsClearedInOneAct: hundreds of reports cost one act; a real one among them is set aside with them and not deleted; what a
// reporter writes after that brings her back.
func TestFloodIsClearedInOneAct(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	for i := range 120 {
		g.report(0, fmt.Sprint(i), "spam spam spam")
	}
	g.report(0, "real", "please help")
	g.tendTwice()
	_, page, _ := g.ask(g.desk, "GET", "/inbox")
	g.want(page, "and 119 with the same words")
	g.want(page, "Set aside 121 untouched")
	ids := regexp.MustCompile(`name="ids" value="([0-9a-f]+)"`).FindStringSubmatch(page)[1]
	g.report(0, "later", "I wrote while you were reading")
	g.tendTwice()
	_, page, _ = g.ask(g.desk, "POST", "/inbox/aside", "ids", ids)
	later := regexp.MustCompile(`/thread/([0-9a-f]{32})`).FindAllString(page, -1)
	if len(later) != 1 {
		t.Fatalf("%d conversations are left, want the one that came after the page was drawn", len(later))
	}
	g.ask(g.desk, "POST", later[0], "do", "close")
	_, page, _ = g.ask(g.desk, "GET", "/inbox")
	_, page, _ = g.ask(g.desk, "GET", "/inbox?aside=yes")
	g.want(page, "set aside")
	g.report(0, "real", "are you there?")
	g.tendTwice()
	_, page, _ = g.ask(g.desk, "GET", "/inbox")
	if strings.Contains(page, "Nothing here") {
		t.Error("somebody who writes again stays set aside")
	}
	open := 0
	for _, th := range g.desk.state.Threads() {
		if th.State() == casework.ThreadOpen {
			open++
		}
	}
	if open != 1 {
		t.Errorf("%d open, want 1", open)
	}
}

// TestIntakesRollOver: keys of the next month are drawn before the old ones end, the old ones stay listed for answers, and are
// destroyed 60 days after; a clock a year ahead destroys nothing.
func TestIntakesRollOver(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	first := g.desk.state.Intakes()
	if len(first) != 2 {
		t.Fatalf("%d intakes", len(first))
	}
	day := func(n int) { g.ms.Add(int64(n) * 24 * time.Hour.Milliseconds()) }
	real := g.desk.Now
	g.desk.Now = func() time.Time { return real().Add(365 * 24 * time.Hour) }
	g.office.Now = g.desk.Now
	g.syncOffice()
	g.desk.Tend(t.Context())
	if len(g.desk.state.Intakes()) < 2 {
		t.Fatal("a wrong clock destroyed keys")
	}
	g.desk.Now, g.office.Now = real, real
	day(26)
	g.tendTwice()
	d, _ := g.door()
	if len(g.desk.state.Intakes()) != 4 || len(d.Offered(g.desk.today())) != 2 || len(d.Intakes) != 4 {
		t.Fatalf("%d here, %d offered, %d listed", len(g.desk.state.Intakes()), len(d.Offered(g.desk.today())), len(d.Intakes))
	}
	day(80)
	g.tendTwice()
	for _, in := range g.desk.state.Intakes() {
		if in.Record == first[0].Record || in.Record == first[1].Record {
			t.Error("keys whose time is over are still here")
		}
	}
}

// keepIntake writes an intake into the casework circle, as any colleague there can.
func (g *rig) keepIntake(from, until krama.Day, stream seal.StreamID) *krama.Intake {
	g.t.Helper()
	in := &krama.Intake{From: from, Until: until, Stream: stream}
	rand.Read(in.Seed[:])
	who, err := g.office.NewSubject()
	if err != nil {
		g.t.Fatal(err)
	}
	id, err := g.office.NewRecord()
	if err == nil {
		err = g.office.Write(krama.KindCasework, who, &krama.Record{ID: id, Intake: in})
	}
	if err != nil {
		g.t.Fatal(err)
	}
	g.syncOffice()
	return in
}

// TestForeignIntake: an intake that a colleague wrote, of a stream that is nobody's or another circle's, is not offered, stops no
// report, and gives nobody outside the circle anything.
func TestForeignIntake(t *testing.T) {
	g := newRig(t)
	g.setUp()
	g.ask(g.desk, "POST", "/door")
	g.report(0, "1", "first")
	g.report(1, "2", "second")
	g.keepIntake(g.desk.today()-40, g.desk.today()+10, seal.StreamID{})
	outreach, _ := g.office.Stream(krama.KindOutreach)
	bad := g.keepIntake(g.desk.today(), g.desk.today()+60, outreach)
	g.tendTwice()
	if n := len(g.desk.state.Threads()); n != 2 {
		t.Errorf("%d conversations, want 2", n)
	}
	g.ask(g.desk, "POST", "/door")
	keys, err := seal.OpenIntake(bad.Seed, bad.Stream)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := g.door()
	for _, in := range d.Intakes {
		if in.ID == keys.ID() {
			t.Error("it is offered")
		}
	}
	g.report(0, "3", "about a colleague")
	g.phone.rep.Sync(t.Context(), nil)
	if list, n, err := g.phone.rep.FetchReports(t.Context(), krama.KindOutreach, keys, 0); n > 0 || len(list) > 0 {
		t.Errorf("somebody outside the circle fetches %d reports: %v", n, err)
	}
}

// TestConversationOfASlowClock: what a computer dealt with whose clock was a year slow is not erased by one whose clock is right.
func TestConversationOfASlowClock(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	g.report(0, "1", "help me")
	real := g.desk.Now
	slow := func() time.Time { return real().Add(-365 * 24 * time.Hour) }
	g.desk.Now, g.office.Now = slow, slow
	g.office.Sync(t.Context(), nil)
	g.desk.Tend(t.Context())
	th := g.desk.state.Threads()
	if len(th) != 1 {
		t.Fatalf("%d conversations", len(th))
	}
	g.ask(g.desk, "POST", "/thread/"+hexID(th[0].ID), "do", "close")
	for syncing(g.desk) {
		runtimeYield()
	}
	g.desk.Now, g.office.Now = real, real
	g.office.Sync(t.Context(), nil)
	g.tendTwice()
	th = g.desk.state.Threads()
	if len(th) != 1 {
		t.Fatal("erased on the day it was dealt with")
	}
	if end := threadEnds(th[0]); end != g.desk.today()+threadKeep {
		t.Errorf("it ends on %s", end)
	}
}
