package web

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

var qr1Pattern = regexp.MustCompile(`data-code="([A-Z2-7]+)"`)

// TestA29CodesOnBothScreens looks at both screens while their codes grow old, and begins again.
func TestA29CodesOnBothScreens(t *testing.T) {
	g := newRig(t)
	g.tap(g.words())
	_, page, _ := g.ask(g.phone, "GET", "/join")
	g.want(page, `data-left="600"`)
	g.want(page, `<span data-min="10">This code works for 10 more minutes.</span>`)
	g.want(page, `<span data-min="1" hidden>This code works for 1 more minute.</span>`)
	g.want(page, `method="post" action="/join/new" data-auto="601">`)
	first := qr1Pattern.FindStringSubmatch(page)[1]

	_, page, _ = g.ask(g.desk, "POST", "/enrol/scan", "code", first, "label", "Far 1", "role", "4")
	g.want(page, `<span data-min="10">This code works for 10 more minutes.</span>`)
	g.ms.Add((9*time.Minute + 30*time.Second).Milliseconds())
	_, page, _ = g.ask(g.phone, "GET", "/join")
	g.want(page, `<span data-min="1">This code works for 1 more minute.</span>`)
	g.want(page, first)
	_, page, _ = g.ask(g.phone, "POST", "/join/new") // somebody looked over a shoulder
	if strings.Contains(page, first) {
		t.Error("the same code after asking for another")
	}
	g.ms.Add((time.Minute).Milliseconds())
	_, page, _ = g.ask(g.desk, "POST", "/enrol/finish")
	g.want(page, "Start over")
	if strings.Contains(page, `action="/enrol/finish"`) {
		t.Error("the desk goes on with a code that is over")
	}
	second := ""
	for range 2 { // drawn again, it draws another by itself
		_, page, _ = g.ask(g.phone, "GET", "/join")
		if now := qr1Pattern.FindStringSubmatch(page)[1]; now == second {
			t.Error("a phone shows a code for longer than ten minutes")
		} else {
			second = now
		}
		g.ms.Add((11 * time.Minute).Milliseconds())
	}
}
