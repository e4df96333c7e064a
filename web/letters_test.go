//go:build !js

package web

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"krama/office"

	"krama"
)

// TestWhatStaffTypedStays: an answer that is too long, or that cannot be sent, is in the page that says so, whole; so
// are the boxes of an incident that is refused. A message that came after the page was shown is not answered by it.
func TestWhatStaffTypedStays(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	g.report(1, "1", "something happened")
	g.tendTwice()
	th := g.desk.state.Threads()[0]
	path := "/thread/" + hexID(th.ID)
	long := strings.Repeat("ខ្", 450)
	if krama.Letters(long) != 900 {
		t.Fatal(krama.Letters(long))
	}
	code, page, _ := g.ask(g.desk, "POST", path, "do", "answer", "text", long)
	g.want(page, "too long by 100 letters")
	if code != 422 || !strings.Contains(page, long) {
		t.Errorf("%d, and the text is not in the page", code)
	}
	fits := strings.Repeat("ខ្", 400)
	if code, page, _ = g.ask(g.desk, "POST", path, "do", "answer", "text", fits); code != 200 {
		t.Errorf("800 Khmer letters: %d %.600s", code, page)
	}
	for syncing(g.desk) {
		time.Sleep(time.Millisecond)
	}
	code, page, _ = g.ask(g.desk, "POST", path, "do", "incident", "what", "11", "by", "3")
	if code != 422 || !strings.Contains(page, `value="11" checked`) || !strings.Contains(page,
		"<details class=\"card\" open>") {
		t.Errorf("a refused incident: %d, its boxes are empty", code)
	}
	// She writes again while the page is open.
	_, page, _ = g.ask(g.desk, "GET", path)
	had := regexp.MustCompile(`name="had" value="(\d+)"`).FindStringSubmatch(page)[1]
	if had != "1" {
		t.Fatalf("the page was shown with %s messages", had)
	}
	again := *g.desk.state.Thread(th.ID)
	id, _ := g.office.NewRecord()
	her := again.Senders[0]
	second := &krama.Report{Thread: th.ID, Auth: her.Auth, KEM: her.KEM, Mailbox: her.Mailbox, Intake: again.Intake,
		Day: g.desk.today(), Topic: 1, Text: "please hurry", N: 9}
	if err := g.office.Write(th.Circle, th.Subjects[0], &krama.Record{ID: id, Report: second}); err != nil {
		t.Fatal(err)
	}
	g.syncOffice()
	if n := len(g.desk.state.Thread(th.ID).Messages); n != 2 {
		t.Fatalf("%d messages", n)
	}
	g.ask(g.desk, "POST", path, "do", "close", "had", had)
	for syncing(g.desk) {
		time.Sleep(time.Millisecond)
	}
	g.syncOffice()
	if st := g.desk.state.Thread(th.ID).State(); st != 1 {
		t.Errorf("her second message is closed unread: state %d", st)
	}
}

// TestAnswersGoToHer: a colleague writes a report of her conversation with keys of his own, dated before hers. Answers
// are sealed to hers.
func TestAnswersGoToHer(t *testing.T) {
	g := newRig(t)
	g.ask(g.desk, "POST", "/door")
	mine := g.report(1, "1", "something happened")
	g.tendTwice()
	th := g.desk.state.Threads()[0]
	her := th.Senders[0]
	id, _ := g.office.NewRecord()
	his := &krama.Report{Thread: th.ID, Auth: [32]byte{1}, KEM: make([]byte, 1216), Mailbox: [16]byte{1},
		Intake: th.Intake, Day: g.desk.today() - 9, Topic: 1, Text: "x"}
	if err := g.office.Write(th.Circle, th.Subjects[0], &krama.Record{ID: id, Report: his}); err != nil {
		t.Fatal(err)
	}
	th = g.desk.state.Thread(th.ID)
	if len(th.Senders) != 2 || th.Senders[0].Mailbox == her.Mailbox {
		t.Fatal("his report does not come first: the test proves nothing")
	}
	if code, page, _ := g.ask(g.desk, "POST", "/thread/"+hexID(th.ID), "do", "answer", "text",
		"We believe you"); code != 200 {
		t.Fatalf("%d %.700s", code, page)
	}
	for syncing(g.desk) {
		time.Sleep(time.Millisecond)
	}
	if got := g.answers(mine); got != "We believe you" {
		t.Errorf("she reads %q", got)
	}
	// Under the id of her first record he writes other words: hers stay.
	rec := th.Reports[0].Record
	for _, r := range th.Reports {
		if r.Record != id {
			rec = r.Record
		}
	}
	lie := &krama.Report{Thread: th.ID, Intake: th.Intake, Day: g.desk.today() - 30, Topic: 1, Text: "nothing happened"}
	if err := g.office.Write(th.Circle, th.Subjects[0], &krama.Record{ID: rec, Report: lie}); err != nil {
		t.Fatal(err)
	}
	var all string
	for _, m := range g.desk.state.Thread(th.ID).Messages {
		all += m.Text + "|"
	}
	if !strings.Contains(all, "something happened") {
		t.Errorf("her words are gone: %s", all)
	}
}

// TestLabelsInLetters: Khmer labels are whole, too long ones are said to be, and two people of one label are told
// apart.
func TestLabelsInLetters(t *testing.T) {
	g := newRig(t)
	words := g.words()
	page := g.tap(words)
	qr1 := qrOf(page)
	long := strings.Repeat("ខ", 41)
	_, page, _ = g.ask(g.desk, "POST", "/enrol/scan", "code", qr1, "label", long, "role", itoa(int(krama.RoleOutreach)))
	g.want(page, "40 letters fit")
	g.want(page, long)
	name := "អ្នកចុះផ្សព្វផ្សាយ ១"
	id := krama.MemberID{1}
	other := krama.MemberID{2}
	for _, m := range []krama.MemberID{id, other} {
		if err := office.WriteLabel(g.desk.rep, m, name); err != nil {
			t.Fatal(err)
		}
	}
	g.syncOffice()
	if got := g.desk.state.Label(id); got != name {
		t.Errorf("the label is %q", got)
	}
	if a, b := g.desk.session().memberName(id), g.desk.session().memberName(other); a == b ||
		!strings.HasPrefix(a, name) ||
		!strings.HasPrefix(b, name) {
		t.Errorf("two members are called %q and %q", a, b)
	}
}

// TestKhmerDigitsEverywhere: numbers of a contact, the search and a listing's telephone are read in Khmer digits and
// with what a keyboard leaves in between.
func TestKhmerDigitsEverywhere(t *testing.T) {
	g := newRig(t)
	g.setUp()
	who := g.register()
	code, page, _ := g.ask(g.phone, "POST", who+"/contact", with(contactForm1, "given-condom", "\u200b១២")...)
	if code != 200 || !strings.Contains(page, "Condoms 12") {
		t.Errorf("%d %.700s", code, page)
	}
	id, _ := krama.ParseSubjectID(strings.TrimPrefix(who, "/person/"))
	c := string(g.phone.state.Code(id))
	khmer := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '០' + r - '0'
		}
		return r
	}, c)
	for _, typed := range []string{khmer, "\u200b" + khmer, "\u2011" + khmer} {
		if _, _, at := g.ask(g.phone, "POST", "/people", "q", typed); at != who {
			t.Errorf("%q leads to %s", typed, at)
		}
	}
}
