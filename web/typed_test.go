package web

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestQuickNumber(t *testing.T) {
	g := newRig(t)
	words := g.setUp()
	_, page, _ := g.ask(g.phone, "POST", "/pin", "pin", "12ab")
	g.want(page, "Six digits, please")
	g.ask(g.phone, "POST", "/pin", "pin", "១២៣456") // Khmer digits are digits
	path := g.register()
	g.ask(g.phone, "POST", "/cover")
	for _, p := range []string{"/", path, "/people", "/settings", "/person/new"} {
		_, page, _ = g.ask(g.phone, "GET", p)
		if !strings.Contains(page, "Quick number") || strings.Contains(page, "nav class") || strings.Contains(page,
			"data-unsent") {
			t.Errorf("%s shows through the cover", p)
		}
	}
	for i := range 4 {
		_, page, _ = g.ask(g.phone, "POST", "/pin/enter", "pin", "000000")
		if i < 4 && g.locked != 0 {
			t.Fatal("locked too early")
		}
	}
	g.want(page, "1 try left")
	_, page, _ = g.ask(g.phone, "POST", "/pin/enter", "pin", "123456")
	g.want(page, "Who is due")
	g.ask(g.phone, "POST", "/cover")
	for range 5 {
		g.ask(g.phone, "POST", "/pin/enter", "pin", "000000")
	}
	if g.locked != 1 || g.phone.Replica() != nil {
		t.Fatal("five wrong numbers did not lock")
	}
	g.dir.Crash()
	g.tap(words)
	g.ask(g.phone, "POST", "/pin", "pin", "123456")
	g.ms.Add((8*time.Hour + time.Minute).Milliseconds())
	g.ask(g.phone, "POST", "/cover")
	if g.locked != 2 {
		t.Error("after eight hours the number still opens")
	}
	g.dir.Crash()
	g.tap(words)
	g.ask(g.phone, "POST", "/pin", "pin", "123456")
	g.ask(g.phone, "POST", "/cover")
	g.ms.Add((8*time.Hour + time.Minute).Milliseconds()) // behind the cover
	if _, page, _ = g.ask(g.phone, "POST", "/pin/enter", "pin", "123456"); g.locked != 3 || strings.Contains(page,
		"Who is due") {
		t.Error("after eight hours behind the cover the number still opens")
	}
	g.dir.Crash()
	g.tap(words)
	g.ask(g.phone, "POST", "/cover")
	if g.locked != 4 {
		t.Error("without a number the cover must lock")
	}
}

func TestDraftSurvivesLocking(t *testing.T) {
	g := newRig(t)
	words := g.setUp()
	path := g.register()
	g.ask(g.phone, "POST", "/draft", append([]string{"draft-of", path + "/contact", "given-lubricant", "77"},
		contactForm1...)...)
	g.restart()
	g.tap(words)
	_, page, _ := g.ask(g.phone, "GET", path+"/contact")
	g.want(page, `value="77"`)
	g.want(page, "Continued from where you stopped")
	g.ask(g.phone, "POST", path+"/contact", contactForm1...)
	if _, page, _ = g.ask(g.phone, "GET", path+"/contact"); strings.Contains(page, `value="77"`) {
		t.Error("the draft outlived its contact")
	}
	if code, _, _ := g.ask(g.phone, "POST", "/draft", "draft-of", "/lang", "x", "y"); code != 404 {
		t.Errorf("a draft of anything: %d", code)
	}
}

// TestSentTwice sends each form twice, as a double tap does.
func TestSentTwice(t *testing.T) {
	g := newRig(t)
	g.setUp()
	_, page, _ := g.ask(g.phone, "GET", "/person/new")
	sid := regexp.MustCompile(`name="sid" value="(\w+)"`).FindStringSubmatch(page)[1]
	for range 2 {
		g.ask(g.phone, "POST", "/person/new", append([]string{"sid", sid}, person...)...)
	}
	path := "/person/" + sid
	_, page, _ = g.ask(g.phone, "GET", path+"/contact")
	rid := regexp.MustCompile(`name="rid" value="(\w+)"`).FindStringSubmatch(page)[1]
	for range 2 {
		_, page, _ = g.ask(g.phone, "POST", path+"/contact", append([]string{"rid", rid}, contactForm1...)...)
	}
	people, contacts := g.phone.state.Counts()
	if people != 1 || contacts != 1 {
		t.Errorf("%d people and %d contacts, want 1 and 1", people, contacts)
	}
}

// TestEnrolmentGoesOn loses the relay in the middle of the office's last step, forgets the invitation, and begins
// again.
func TestEnrolmentGoesOn(t *testing.T) {
	for lose := 3; lose < 9; lose++ {
		g := newRig(t)
		words := g.words()
		page := g.tap(words)
		qr1 := qrOf(page)
		_, page, _ = g.ask(g.desk, "POST", "/enrol/scan", "code", qr1, "role", "4")
		g.ask(g.phone, "POST", "/join/scan", "code", qrOf(page))
		g.calls.Store(0)
		g.cutAt.Store(int32(lose))
		g.ask(g.desk, "POST", "/enrol/finish")
		g.cutAt.Store(0)
		g.ask(g.desk, "GET", "/enrol") // forgets the invitation
		_, page, _ = g.ask(g.phone, "GET", "/join")
		_, page, _ = g.ask(g.desk, "POST", "/enrol/scan", "code", qrOf(page), "role", "4")
		g.ask(g.phone, "POST", "/join/scan", "code", qrOf(page))
		g.ask(g.desk, "POST", "/enrol/finish")
		_, page, _ = g.ask(g.phone, "POST", "/join/check")
		if !strings.Contains(page, "Quick number") {
			t.Errorf("cut at call %d: the phone never joins", lose)
		}
	}
}
