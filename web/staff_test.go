package web

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/replica"
	"krama/seal"
)

// job waits for the office's long act to end and returns the page that follows.
func (g *rig) job() (page, path string) {
	g.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		_, page, path = g.ask(g.desk, "GET", "/job")
		if path != "/job" {
			return page, path
		}
		if strings.Contains(page, `<p class="card warn" role="alert">`) {
			return page, path
		}
		runtimeYield()
	}
	g.t.Fatal("the act does not end")
	return "", ""
}

func runtimeYield() { <-time.After(time.Millisecond) }

func (g *rig) syncOffice() {
	g.t.Helper()
	if err := g.office.Sync(context.Background(), nil); err != nil {
		g.t.Fatal(err)
	}
}

func (g *rig) phoneID() (id krama.DeviceID) {
	me, _ := g.office.Device()
	g.office.Roster(func(ro *seal.Roster) {
		for d := range ro.Devices {
			if d != me && ro.Devices[d].Removed == 0 {
				id = d
			}
		}
	})
	return id
}

func TestFirstPersonNeedsRecovery(t *testing.T) {
	g := newBareRig(t)
	_, page, _ := g.ask(g.desk, "GET", "/person/new")
	g.want(page, "Before the first real person")
	_, page, _ = g.ask(g.desk, "POST", "/person/new", "gender", "1", "age", "4", "category", "1", "district", "1002",
		"consent-record", "yes")
	g.want(page, "Before the first real person")
	if n, _ := g.desk.state.Counts(); n != 0 {
		t.Fatal("a person was recorded without recovery")
	}
	_, page, _ = g.ask(g.desk, "POST", "/trustees", "n", "3", "k", "4")
	g.want(page, "not more than there are")
	_, page, _ = g.ask(g.desk, "POST", "/trustees", "n", "3", "k", "2")
	cards := regexp.MustCompile(`data-card="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(cards) != 3 {
		t.Fatalf("%d cards", len(cards))
	}
	_, page, _ = g.ask(g.desk, "GET", "/person/new")
	g.want(page, "Before the first real person") // set up is not drilled
	_, page, _ = g.ask(g.desk, "POST", "/trustees/drill", "card", "hello")
	g.want(page, "not the text of a card")
	for _, c := range []int{2, 2, 0} {
		_, page, _ = g.ask(g.desk, "POST", "/trustees/drill", "card", cards[c][1])
	}
	g.want(page, "Recovery is ready")
	_, page, _ = g.ask(g.desk, "GET", "/person/new")
	g.want(page, `name="gender"`)
	for _, c := range cards { // no card is kept anywhere
		for _, path := range []string{"/trustees", "/devices", "/roster", "/settings"} {
			if _, page, _ := g.ask(g.desk, "GET", path); strings.Contains(page, c[1][:40]) {
				t.Errorf("a card is on %s", path)
			}
		}
	}
}

func TestAcceptLoss(t *testing.T) {
	g := newBareRig(t)
	_, page, _ := g.ask(g.desk, "POST", "/trustees/accept", "typed", "yes")
	g.want(page, "not typed as it stands")
	_, page, _ = g.ask(g.desk, "POST", "/trustees/accept", "typed", "i accept  that everything may be lost")
	g.want(page, "an admin accepted")
	_, page, _ = g.ask(g.desk, "GET", "/person/new")
	g.want(page, `name="gender"`)
}

func TestLostPhone(t *testing.T) {
	g := newRig(t)
	g.setUp()
	path := g.register()
	g.ask(g.phone, "POST", path+"/contact", "date", g.phone.today().String(), "district", "1002", "place", "1", "test",
		"0", "safety", "2", "next", "28")
	g.ask(g.phone, "POST", path+"/contact", "date", g.phone.today().String(), "district", "1002", "place", "1", "test",
		"0", "safety", "1", "next", "28") // another of the same day, in which nothing was said of it
	if err := g.phone.rep.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	g.syncOffice()
	id := g.phoneID().String()
	_, page, _ := g.ask(g.desk, "GET", "/device/"+id)
	g.want(page, "1 person")
	g.want(page, "Remove this device now")
	// The phone types something more, far away.
	_, page, _ = g.ask(g.phone, "POST", path+"/contact", "date", g.phone.today().String(), "district", "1002", "place",
		"2", "test", "0", "safety", "0", "next", "28")
	began := time.Now()
	g.ask(g.desk, "POST", "/device/"+id+"/remove", "reason", "2")
	page, at := g.job()
	if at != "/device/"+id+"/after" {
		t.Fatalf("at %s: %.600s", at, page)
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("the exposure took %v", d)
	}
	g.want(page, "What to do now")
	g.want(page, "removed")
	g.want(page, "/person/") // who is not safe comes first
	if strings.Contains(page, "it said so itself") {
		t.Error("shown as empty before it said so")
	}
	_, page, _ = g.ask(g.desk, "GET", "/roster")
	g.want(page, "Device removed")
	// The phone meets the relay: it hands over and empties itself.
	g.phone.BeginSync()
	for syncing(g.phone) || !g.phone.Replica().Wiped() { // it says so after it is empty
		runtimeYield()
	}
	_, page, _ = g.ask(g.phone, "GET", "/")
	g.want(page, "The office removed this phone")
	_, page, _ = g.ask(g.phone, "GET", "/")
	g.want(page, "/setup")
	g.syncOffice()
	_, page, _ = g.ask(g.desk, "GET", "/devices")
	g.want(page, "it said so itself")
	g.want(page, "Waiting: 1")
	_, page, _ = g.ask(g.desk, "GET", "/mail")
	g.want(page, "1 contacts")
	letter := regexp.MustCompile(`action="(/mail/[0-9a-f]+)"`).FindStringSubmatch(page)[1]
	before, contacts := g.desk.state.Counts()
	_, page, _ = g.ask(g.desk, "POST", letter, "do", "accept")
	g.want(page, "Nothing waits")
	if p, c := g.desk.state.Counts(); p != before || c != contacts+1 {
		t.Errorf("accepted work: %d people, %d contacts", p, c)
	}
}

func syncing(s *Server) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sync.running
}

func TestEraseAPerson(t *testing.T) {
	g := newRig(t)
	g.setUp()
	path := g.register()
	_, page, _ := g.ask(g.phone, "GET", path+"/erase")
	code := regexp.MustCompile(`<span class="mono">([^<]+)</span>`).FindStringSubmatch(page)[1]
	_, page, _ = g.ask(g.phone, "POST", path+"/erase", "code", "K7-3MQ-9")
	g.want(page, "not her code")
	_, page, _ = g.ask(g.phone, "POST", path+"/erase", "code", strings.ToLower(code))
	g.want(page, "She is erased")
	if status, _, _ := g.ask(g.phone, "GET", path); status != 404 {
		t.Errorf("her page is still there: %d", status)
	}
	if err := g.phone.rep.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	g.syncOffice()
	_, page, _ = g.ask(g.desk, "GET", "/erasures")
	g.want(page, "changed within a day")
	if err := g.desk.session().maintain(t.Context(), g.office); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		g.phone.rep.Sync(t.Context(), nil)
		g.syncOffice()
	}
	_, page, _ = g.ask(g.desk, "GET", "/erasures")
	g.want(page, "Complete: no device")
	if strings.Contains(page, code) {
		t.Error("the list of erasures names her")
	}
}

func TestRetention(t *testing.T) {
	g := newRig(t)
	g.setUp()
	g.register()
	if err := g.phone.rep.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	g.syncOffice()
	_, page, _ := g.ask(g.desk, "GET", "/erasures")
	g.want(page, "Nobody in the coming month")
	g.ms.Add(int64(340 * 24 * time.Hour / time.Millisecond))
	_, page, _ = g.ask(g.desk, "GET", "/erasures")
	if strings.Contains(page, "Nobody in the coming month") {
		t.Error("not announced a month before")
	}
	if err := g.desk.session().office.Expire(); err != nil {
		t.Fatal(err)
	}
	if n, _ := g.desk.state.Counts(); n != 1 {
		t.Error("erased before its day")
	}
	g.ms.Add(int64(40 * 24 * time.Hour / time.Millisecond))
	if err := g.desk.session().office.Expire(); err != nil {
		t.Fatal(err)
	}
	if n, _ := g.desk.state.Counts(); n != 0 {
		t.Error("not erased on its day")
	}
}

func TestTravelPage(t *testing.T) {
	g := newRig(t)
	g.setUp()
	g.register()
	g.cut.Store(true)
	_, page, _ := g.ask(g.phone, "POST", "/travel")
	g.want(page, "No connection")
	if has, _ := replica.HasVault(g.dir); !has {
		t.Fatal("emptied without a connection")
	}
	g.cut.Store(false)
	_, page, _ = g.ask(g.phone, "POST", "/travel")
	g.want(page, "This phone is empty")
	if has, _ := replica.HasVault(g.dir); has {
		t.Fatal("the vault is still there")
	}
	g.syncOffice()
	if n, _ := g.desk.state.Counts(); n != 1 {
		t.Error("what was typed before the journey did not arrive")
	}
}

func TestPanicAndDuress(t *testing.T) {
	g := newRig(t)
	words := g.setUp()
	g.register()
	_, page, _ := g.ask(g.phone, "GET", "/duress")
	g.want(page, "no hidden second vault")
	_, page, _ = g.ask(g.phone, "POST", "/duress", "do", "on")
	var other []string
	for _, m := range regexp.MustCompile(`data-duress="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		other = append(other, m[1])
	}
	if len(other) != 4 {
		t.Fatalf("%d words", len(other))
	}
	g.restart()
	page = g.tap([]string{"abacus", "abdomen", "abdominal", "abide"})
	g.want(page, "tapper")
	if has, _ := replica.HasVault(g.dir); !has {
		t.Fatal("wrong words emptied the phone")
	}
	page = g.tap(words)
	g.want(page, "uick number")
	g.restart()
	page = g.tap(other)
	g.want(page, "data-leave")
	if has, _ := replica.HasVault(g.dir); has {
		t.Fatal("the words for an emergency did not empty the phone")
	}
	g.restart()
	_, page, _ = g.ask(g.phone, "GET", "/")
	g.want(page, "/setup")

	h := newRig(t)
	h.setUp()
	_, page, _ = h.ask(h.phone, "POST", "/panic")
	h.want(page, "data-leave data-all")
	if has, _ := replica.HasVault(h.dir); has || h.phone.Replica() != nil {
		t.Error("the phone is not empty")
	}
}

// TestTwoUsersOnePhone: two people share a phone. Each has her own words, nothing of one is seen by the other, and one
// can empty hers without touching the other's.
func TestTwoUsersOnePhone(t *testing.T) {
	g := newRig(t)
	first := g.setUp()
	path := g.register()
	g.restart()
	_, page, _ := g.ask(g.phone, "GET", "/")
	g.want(page, "Another person uses this phone")
	_, page, _ = g.ask(g.phone, "GET", "/setup")
	var second []string
	for _, m := range wordPattern.FindAllStringSubmatch(page, -1) {
		second = append(second, m[1])
	}
	g.ask(g.phone, "GET", "/setup/confirm")
	page = g.tap(second)
	g.want(page, "data-qr=")
	if g.phone.slot != 1 {
		t.Fatalf("slot %d", g.phone.slot)
	}
	g.restart()
	page = g.tap(first)
	g.want(page, "uick number")
	_, page, at := g.ask(g.phone, "GET", path)
	if at != path {
		t.Errorf("the first user's person is not there: %s", at)
	}
	code := regexp.MustCompile(`<span class="mono">([^<]+)</span>`).FindStringSubmatch(page)[1]
	g.restart()
	g.tap(second)
	if _, page, at = g.ask(g.phone, "GET", path); at == path || strings.Contains(page, code) {
		t.Error("the second user sees the first one's person")
	}
	g.restart()
	// Both try at once: each goes through the lock that her own words opened.
	hers, err := g.phone.openAny(t.Context(), strings.Join(second, " "))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.phone.openAny(t.Context(), strings.Join(first, " ")); err != nil {
		t.Fatal(err)
	}
	if err := g.phone.load(hers); err != nil || g.phone.at() != 1 {
		t.Errorf("the second user's lock led to place %d: %v", g.phone.at(), err)
	}
	gatePages{g.phone.session()}.leave(nobody(), nil, g.phone.at())
	g.restart()
	page = g.tap(first)
	g.want(page, "uick number")
}

// TestEnrolByVoice: both codes travel as text and the digits by voice. Digits of another device, or of another office,
// end it on the side that notices.
func TestEnrolByVoice(t *testing.T) {
	g := newRig(t)
	page := g.tap(g.words())
	digits := regexp.MustCompile(`data-safety[^>]*>([0-9 ]+)<`)
	_, page, _ = g.ask(g.desk, "POST", "/enrol/scan", "code", qrOf(page), "label", "Far 1", "role", "4")
	office := digits.FindStringSubmatch(page)[1]
	_, page, _ = g.ask(g.phone, "POST", "/join/scan", "code", qrOf(page))
	phone := digits.FindStringSubmatch(page)[1]
	_, page, _ = g.ask(g.desk, "POST", "/enrol/voice", "groups", "12345 67890")
	g.want(page, "not the same")
	_, page, _ = g.ask(g.desk, "POST", "/enrol/voice", "groups", phone[len(phone)-11:])
	g.want(page, "The digits are the same")
	_, page, _ = g.ask(g.desk, "POST", "/enrol/finish")
	g.want(page, "Enrolled")
	_, page, _ = g.ask(g.phone, "POST", "/join/voice", "groups", phone[len(phone)-11:]) // not the office's
	if g.phone.Replica().State() == replica.Enrolled {
		t.Fatal("the phone joined an office with other digits")
	}
	_, page, _ = g.ask(g.phone, "POST", "/join/voice", "groups", office[len(office)-11:])
	g.want(page, "Quick number")
	var verified seal.Verified
	g.office.Roster(func(ro *seal.Roster) { verified = ro.Devices[g.phoneID2(ro)].Verified })
	if verified != seal.ByVoice {
		t.Error("the roster does not say that it was by voice")
	}
}

func (g *rig) phoneID2(ro *seal.Roster) (id krama.DeviceID) {
	for d, dev := range ro.Devices {
		if dev.Request.Platform == "phone" {
			id = d
		}
	}
	return id
}
