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
	"slices"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/casework"
	"krama/office"
	"krama/seal"
)

// report writes to one of the door's intakes as a browser does.
func (g *rig) report(to int, digits, text string) *seal.Receipt {
	g.t.Helper()
	d, _ := g.door()
	r, err := seal.OpenReceipt(digits, d.Site)
	if err != nil {
		g.t.Fatal(err)
	}
	g.reportAs(r, to, text)
	return r
}

// reportAs is report with any keys.
func (g *rig) reportAs(r *seal.Receipt, to int, text string) {
	g.t.Helper()
	d, _ := g.door()
	in := d.Offered(g.desk.today())[to]
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
}

// waiting counts what the relay still keeps for an intake.
func (g *rig) waiting() (n int) {
	g.t.Helper()
	for _, in := range g.desk.state.Intakes() {
		keys, err := g.desk.session().office.Keys(in)
		if err != nil {
			g.t.Fatal(err)
		}
		_, w, err := g.office.Reports().FetchReports(g.t.Context(), in.Circle, keys, 0)
		if err != nil {
			g.t.Fatal(err)
		}
		n += w
	}
	return n
}

// TestReportsAreNeverLost: the network ends at every call in turn while reports are taken in; each is there once in the
// end, and the relay forgets none before it was sent to colleagues.
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

// answers is what her browser shows of what lies in a reporter's mailbox.
func (g *rig) answers(r *seal.Receipt) (read string) {
	g.t.Helper()
	d, _ := g.door()
	hello := httptest.NewRecorder()
	g.relay.ServeHTTP(hello, httptest.NewRequest("POST", seal.PathHello, nil))
	at, err := seal.ParseSession(hello.Body.Bytes())
	if err != nil {
		g.t.Fatal(err)
	}
	call, err := r.Look(rand.Reader, at, d.Site, g.desk.today())
	if err != nil {
		g.t.Fatal(err)
	}
	w := httptest.NewRecorder()
	g.relay.ServeHTTP(w, httptest.NewRequest("POST", seal.PathReply, bytes.NewReader(call)))
	var sigs []ed25519.PublicKey
	for _, in := range d.Intakes {
		sigs = append(sigs, in.Sig)
	}
	for b := w.Body.Bytes(); len(b) >= seal.ReplySize; b = b[seal.ReplySize:] {
		if x, err := seal.OpenReply(r, d.Site, sigs, b[:seal.ReplySize]); err == nil {
			read += x.Text
		}
	}
	return read
}

// TestAnswerAndIncident: an answer opens with her receipt; an incident is kept only with her yes; reading leaves a
// line; what a stranger wrote cannot break the page.
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
	read := g.answers(r)
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

// TestFloodIsClearedInOneAct: hundreds of reports cost one act; a real one among them is set aside with them and not
// deleted; what a reporter writes after that brings her back.
func TestFloodIsClearedInOneAct(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	for i := range 40 {
		g.report(0, fmt.Sprint(i), "spam spam spam")
	}
	g.report(0, "real", "please help")
	g.tendTwice()
	_, page, _ := g.ask(g.desk, "GET", "/inbox")
	g.want(page, "and 39 with the same words")
	g.want(page, "Set aside 41 untouched")
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

// TestIntakesRollOver: keys of the next month are drawn before the old ones end, the old ones stay listed for answers,
// and are destroyed 60 days after; a clock a year ahead destroys nothing.
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
	for _, in := range first {
		if !slices.ContainsFunc(g.desk.state.Intakes(), func(o casework.Intake) bool { return o.Record == in.Record }) {
			t.Fatal("a wrong clock destroyed keys")
		}
	}
	g.desk.Now, g.office.Now = real, real
	day(26)
	g.tendTwice()
	d, _ := g.door()
	if len(g.desk.state.Intakes()) != 4 || len(d.Offered(g.desk.today())) != 2 || len(d.Intakes) != 4 {
		t.Fatalf("%d here, %d offered, %d listed", len(g.desk.state.Intakes()), len(d.Offered(g.desk.today())),
			len(d.Intakes))
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
	in := &krama.Intake{From: from, Until: until, Stream: stream, Version: krama.IntakeBound}
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

// TestForeignIntake: an intake that a colleague wrote, of a stream that is nobody's or another circle's, is not
// offered, stops no report, and gives nobody outside the circle anything.
func TestForeignIntake(t *testing.T) {
	g := newRig(t)
	g.setUp()
	g.ask(g.desk, "POST", "/door")
	g.report(0, "1", "first")
	g.report(1, "2", "second")
	g.keepIntake(g.desk.today()-40, g.desk.today()+10, seal.StreamID{})
	outreach, _ := g.office.Reports().Stream(krama.KindOutreach)
	bad := g.keepIntake(g.desk.today(), g.desk.today()+60, outreach)
	g.tendTwice()
	if n := len(g.desk.state.Threads()); n != 2 {
		t.Errorf("%d conversations, want 2", n)
	}
	g.ask(g.desk, "POST", "/door")
	keys, err := seal.OpenIntake(bad.Seed, bad.Stream, true)
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
	if list, n, err := g.phone.rep.Reports().FetchReports(t.Context(), krama.KindOutreach, keys, 0); n > 0 ||
		len(list) > 0 {
		t.Errorf("somebody outside the circle fetches %d reports: %v", n, err)
	}
}

// TestConversationOfASlowClock: what a computer dealt with whose clock was a year slow is not erased by one whose clock
// is right.
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
	if end := office.ThreadEnds(th[0]); end != g.desk.today()+office.ThreadKeep {
		t.Errorf("it ends on %s", end)
	}
}

// TestIntakeOfNobody: an intake without a subject, whose time is over, written by a colleague, stops nothing.
func TestIntakeOfNobody(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	out, _ := g.office.Reports().Stream(krama.KindCasework)
	in := &krama.Intake{From: g.desk.today() - 100, Until: g.desk.today() - 90, Stream: out}
	rand.Read(in.Seed[:])
	id, _ := g.office.NewRecord()
	if err := g.office.Write(krama.KindCasework, krama.SubjectID{}, &krama.Record{ID: id, Intake: in}); err != nil {
		t.Fatal(err)
	}
	g.syncOffice()
	for range 3 {
		g.desk.Tend(t.Context())
		g.syncOffice()
	}
	g.ms.Add(40 * 24 * time.Hour.Milliseconds())
	for range 3 {
		g.desk.Tend(t.Context())
		g.syncOffice()
	}
	d, _ := g.door()
	if n := len(d.Offered(g.desk.today())); n != 2 {
		t.Errorf("40 days later %d intakes are offered, made %v", n, d.Made)
	}
}

// TestRelayDatesNothingBack: a relay that says once that it is another day has no conversation erased.
func TestRelayDatesNothingBack(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	g.report(0, "1", "help me")
	g.tendTwice()
	th := g.desk.state.Threads()
	if len(th) != 1 {
		t.Fatalf("%d", len(th))
	}
	// 59 days later it is still not dealt with; staff read it then
	for range 6 {
		g.ms.Add(10 * 24 * time.Hour.Milliseconds())
		g.tendTwice()
	}
	ms := g.ms.Load()
	clock := g.desk.Now
	honest := func() time.Time { return time.UnixMilli(ms) }
	g.desk.Now, g.office.Now = honest, honest
	g.ms.Store(ms - 100*24*time.Hour.Milliseconds()) // only the relay reads this one now
	g.office.Sync(t.Context(), nil)
	g.ask(g.desk, "POST", "/thread/"+hexID(th[0].ID), "do", "close")
	for syncing(g.desk) {
		runtimeYield()
	}
	g.ms.Store(ms)
	g.desk.Now, g.office.Now = clock, clock
	g.tendTwice()
	th = g.desk.state.Threads()
	if len(th) != 1 {
		t.Fatal("erased at once: the relay said for one meeting that it was 100 days ago")
	}
}

// TestIntakeOfSomebody: an intake whose time is over, written under a conversation's subject, does not take the
// conversation with it.
func TestIntakeOfSomebody(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	g.report(0, "1", "help me")
	g.tendTwice()
	th := g.desk.state.Threads()
	out, _ := g.office.Reports().Stream(krama.KindCasework)
	in := &krama.Intake{From: g.desk.today() - 100, Until: g.desk.today() - 90, Stream: out}
	rand.Read(in.Seed[:])
	id, _ := g.office.NewRecord()
	if err := g.office.Write(krama.KindCasework, th[0].Subjects[0], &krama.Record{ID: id, Intake: in}); err != nil {
		t.Fatal(err)
	}
	g.syncOffice()
	g.tendTwice()
	if n := len(g.desk.state.Threads()); n != 1 {
		t.Errorf("%d conversations: the office's own desk erased an unanswered one", n)
	}
}

// TestIntakeLeftBehind: a colleague leaves an intake of coming months behind; once she has left it is not offered. A
// change of keys alone, after which nobody is away, draws nothing.
func TestIntakeLeftBehind(t *testing.T) {
	g := newRig(t)
	g.setUpAs(krama.RoleCaseWorker)
	g.ask(g.desk, "POST", "/door")
	stream, _ := g.office.Reports().Stream(krama.KindCasework)
	in := g.keepIntake(g.desk.today()+20, g.desk.today()+80, stream)
	g.tendTwice()
	held := len(g.desk.state.Intakes())
	if err := g.office.Admin().Rotate(t.Context(), g.office.Kinds()[krama.KindCasework]); err != nil {
		t.Fatal(err)
	}
	g.tendTwice()
	if n := len(g.desk.state.Intakes()); n != held {
		t.Errorf("a change of keys drew %d intakes", n-held)
	}
	before, _ := g.door()
	if err := g.office.Admin().RemoveDevice(t.Context(), g.phoneID(), 1, nil); err != nil {
		t.Fatal(err)
	}
	g.tendTwice()
	now, _ := g.door()
	for _, o := range now.Offered(g.desk.today()) {
		if o.Circle != krama.KindCasework {
			continue
		}
		for _, b := range before.Intakes {
			if o.ID == b.ID {
				t.Error("the intake that she may have the seed of is still offered")
			}
		}
	}
	g.ms.Add(21 * 24 * time.Hour.Milliseconds())
	g.tendTwice()
	d, _ := g.door()
	for _, o := range d.Offered(g.desk.today()) {
		if o.From == in.From && o.Until == in.Until {
			t.Errorf("what is offered after she left is hers, from %v to %v", o.From, o.Until)
		}
	}
}
