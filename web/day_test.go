//go:build !js

package web

import (
	"strings"
	"testing"

	"krama"
	"krama/casework"
)

// A day at the desk and on a phone found these.

// TestAnAnswerOutlivesAssigning: what is being written stays when a report is assigned or closed, on another page and
// behind a lock, until it is sent; who is erased takes it along.
func TestAnAnswerOutlivesAssigning(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	g.report(0, "77", "He took my papers")
	g.tendTwice()
	th := g.desk.state.Threads()[0]
	path := "/thread/" + hexID(th.ID)
	me := g.desk.session().office.Readers(th.Circle)[0]
	_, page, _ := g.ask(g.desk, "POST", path, "do", "assign", "member", me.String(), "text", "We can")
	g.want(page, ">We can</textarea>")
	_, page, _ = g.ask(g.desk, "POST", path, "do", "close", "text", "We can help")
	g.want(page, ">We can help</textarea>")
	if code, _, _ := g.ask(g.desk, "POST", "/draft", "draft-of", path, "text", "We can help you"); code != 204 {
		t.Errorf("a draft: %d", code)
	}
	_, page, _ = g.ask(g.desk, "GET", path)
	g.want(page, ">We can help you</textarea>")
	if _, page, _ = g.ask(g.desk, "POST", path, "do", "answer", "text", "We can help you"); strings.Contains(page,
		"We can help you</textarea>") {
		t.Error("what was sent is a draft still")
	}
	g.ask(g.desk, "POST", "/draft", "draft-of", path, "text", "and more")
	key := g.desk.session().draftKey(path)
	if err := g.office.Erasing().Shred(th.Circle, th.Subjects[0], 1); err != nil {
		t.Fatal(err)
	}
	g.tendTwice()
	if got := g.office.Value(key); got != "" {
		t.Errorf("of who was erased stays %q", got)
	}
}

// TestOnlyReadersTakeAReport: a report is given to nobody who cannot read it, nobody is chosen for her, and she who
// sits at the desk is on the list.
func TestOnlyReadersTakeAReport(t *testing.T) {
	g := newRig(t)
	g.setUp() // an outreach worker's phone
	g.ask(g.desk, "POST", "/door")
	g.report(1, "77", "He took my papers")
	g.tendTwice()
	th := g.desk.state.Threads()[0]
	path := "/thread/" + hexID(th.ID)
	_, page, _ := g.ask(g.desk, "GET", path)
	for _, m := range g.desk.session().members() {
		if strings.Contains(page, m.ID.String()) {
			t.Errorf("%s is offered, and cannot read it", m.Label)
		}
		code, page, _ := g.ask(g.desk, "POST", path, "do", "assign", "member", m.ID.String())
		if code != 422 || !strings.Contains(page, "somebody who can read it") {
			t.Errorf("assigned to %s: %d", m.Label, code)
		}
	}
	g.want(page, "This device</option>")
	if code, _, _ := g.ask(g.desk, "POST", path, "do", "assign", "member", ""); code != 422 {
		t.Errorf("assigned to nobody: %d", code)
	}
	if g.desk.state.Thread(th.ID).Assigned() != (krama.MemberID{}) {
		t.Error("it is somebody's")
	}
}

// TestAssigningOpensNothingAgain: an answered or closed conversation keeps its end when somebody takes it or an
// incident is kept of it.
func TestAssigningOpensNothingAgain(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	g.report(1, "77", "He took my papers")
	g.tendTwice()
	th := g.desk.state.Threads()[0]
	path := "/thread/" + hexID(th.ID)
	me := g.desk.session().office.Readers(th.Circle)[0].String()
	g.ask(g.desk, "POST", path, "do", "assign", "member", me)
	for _, c := range []struct {
		do   string
		want uint8
	}{{"answer", casework.ThreadAnswered}, {"close", casework.ThreadClosed}} {
		if st := g.desk.state.Thread(th.ID).State(); c.do == "answer" && st != casework.ThreadOpen {
			t.Errorf("new and assigned: %d", st)
		}
		g.ask(g.desk, "POST", path, "do", c.do, "text", "We can help")
		g.ask(g.desk, "POST", path, "do", "assign", "member", me)
		g.ask(g.desk, "POST", path, "do", "incident", "what", "1", "consent", "yes")
		if st := g.desk.state.Thread(th.ID).State(); st != c.want {
			t.Errorf("after %s, assigning and an incident: %d, want %d", c.do, st, c.want)
		}
	}
	g.ask(g.desk, "POST", path, "do", "aside")
	g.ask(g.desk, "POST", path, "do", "assign", "member", me)
	if st := g.desk.state.Thread(th.ID).State(); st != casework.ThreadOpen {
		t.Errorf("taken from what was set aside: %d", st)
	}
	g.report(1, "77", "He came again")
	g.tendTwice()
	if st := g.desk.state.Thread(th.ID).State(); st != casework.ThreadOpen {
		t.Errorf("after her next message: %d", st)
	}
}

// TestReferralOfYesterday: a day that is over brings the form back with its services, and a slip can still be made.
func TestReferralOfYesterday(t *testing.T) {
	g := newRig(t)
	g.setUp()
	who := g.register()
	_, _, listing := g.ask(g.desk, "POST", "/listing/new", "kind", "1", "operator", "1", "name-en", "Small Clinic",
		"org-en", "Group", "need", "2", "public", "yes", "phone0", "000 222", "use0", "1", "tier0", "1")
	g.ask(g.desk, "POST", listing+"/check", "says", "1")
	g.syncOffice()
	if err := g.phone.rep.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	key, today := strings.TrimPrefix(listing, "/listing/"), g.desk.today()
	for _, day := range []krama.Day{today - 1, today + 366} {
		code, page, _ := g.ask(g.phone, "POST", who+"/refer", "need", "2", "rid", krama.RecordID{9}.String(),
			"listing", key, "for", day.String())
		if code != 422 || !strings.Contains(page, "That day is over") || !strings.Contains(page, `name="for"`) {
			t.Errorf("for %s: %d\n%.600s", day, code, page)
		}
	}
	code, _, at := g.ask(g.phone, "POST", who+"/refer", "need", "2", "rid", krama.RecordID{9}.String(), "listing", key,
		"for", (today + 3).String())
	if code != 200 || !strings.HasPrefix(at, "/slip/") {
		t.Errorf("three days ahead: %d at %s", code, at)
	}
}

// TestWhatWasChosenStays: after a wrong code a form shows what was chosen in it, not its first choice.
func TestWhatWasChosenStays(t *testing.T) {
	g := newRig(t)
	nurse := itoa(int(krama.RoleNurse))
	_, page, _ := g.ask(g.desk, "POST", "/enrol/scan", "code", "no code", "label", "Nurse 2", "role", nurse)
	g.want(page, `name="role" value="`+nurse+`" checked`)
	g.setUp()
	who := g.register()
	_, page, _ = g.ask(g.phone, "POST", who+"/erase", "why", "danger", "code", "K7-3MQ-9")
	g.want(page, `value="danger" checked`)
}

// TestSentAfterLocking: a form that comes when the device was locked meanwhile says that nothing was kept, and shows
// nothing of it.
func TestSentAfterLocking(t *testing.T) {
	g := newRig(t)
	g.desk.Lock()
	code, page, _ := g.ask(g.desk, "POST", "/thread/00", "do", "answer", "text", "We can help")
	if code != 409 || !strings.Contains(page, "nothing of it was kept") || strings.Contains(page, "We can help") {
		t.Errorf("%d\n%.600s", code, page)
	}
}

// TestMistakesDoNotCount: a contact that was entered by mistake is not among those that are counted.
func TestMistakesDoNotCount(t *testing.T) {
	g := newRig(t)
	g.setUp()
	who := g.register()
	_, before := g.phone.state.Counts()
	_, page, _ := g.ask(g.phone, "GET", who+"/contact")
	if page == "" {
		t.Fatal("no form")
	}
	s, _ := krama.ParseSubjectID(strings.TrimPrefix(who, "/person/"))
	rec, _ := g.phone.rep.NewRecord()
	c := &krama.Contact{Date: g.phone.today(), District: 1002, Place: 1, Test: 2, Safety: 1}
	if err := g.phone.rep.Write(krama.KindOutreach, s, &krama.Record{ID: rec, Contact: c}); err != nil {
		t.Fatal(err)
	}
	if _, n := g.phone.state.Counts(); n != before+1 {
		t.Fatalf("%d, want %d", n, before+1)
	}
	g.ask(g.phone, "POST", "/contact/"+rec.String()+"/void", "sure", "yes")
	if _, n := g.phone.state.Counts(); n != before {
		t.Errorf("%d after the mistake was taken off, want %d", n, before)
	}
}

// TestEverybodyDueIsReached: who is due and does not fit on the first page is a tap away, the latest first.
func TestEverybodyDueIsReached(t *testing.T) {
	g := newRig(t)
	g.setUp()
	today := g.phone.today()
	for i := range shownDue + 2 {
		who := g.register()
		s, _ := krama.ParseSubjectID(strings.TrimPrefix(who, "/person/"))
		rec, _ := g.phone.rep.NewRecord()
		c := &krama.Contact{Date: today - 20, District: 1002, Place: 1, Test: 2, Safety: 1,
			Next: today - krama.Day(1+i)}
		if err := g.phone.rep.Write(krama.KindOutreach, s, &krama.Record{ID: rec, Contact: c}); err != nil {
			t.Fatal(err)
		}
	}
	_, page, _ := g.ask(g.phone, "GET", "/")
	g.want(page, `name="seen" value="due"`)
	_, page, _ = g.ask(g.phone, "POST", "/people", "seen", "due")
	if n := strings.Count(page, `href="/person/`) - 1; n != shownDue+2 { // one leads to a new person
		t.Errorf("%d people are listed, want %d", n, shownDue+2)
	}
}
