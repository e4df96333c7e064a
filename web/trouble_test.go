//go:build !js

package web

import (
	"strings"
	"testing"

	"krama"
	"krama/directory"
	"krama/guide"
	"krama/guide/rights"
	"krama/relay"
	"krama/web/door"
)

// TestA17DeskIsToldWhy: a door that no pages can be made of is refused by the relay; the desk says which part is too
// large, on every page, until it is mended; the door of before stays.
func TestA17DeskIsToldWhy(t *testing.T) {
	g := newRig(t)
	kb, err1 := guide.Load()
	texts, err2 := rights.Load()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for _, x := range texts {
		g.desk.Rights = append(g.desk.Rights, RightsDraft{Topic: x.Topic, Title: x.Title, Body: x.Body,
			Source: x.Source})
	}
	g.desk.Use(g.office, g.desk.state)
	site := door.Checker(door.Config{Guide: kb, Rights: texts, Now: g.desk.Now, Relay: "https://relay.example",
		Asset: func(n string) string { return "/app/a/" + n }})
	r := g.relay.(*relay.Relay)
	r.CheckDoor = site.Check
	_, page, _ := g.ask(g.desk, "POST", "/door")
	g.want(page, "Published on")
	d, before := g.door()

	// What no form takes, from a broken desk.
	d.Rights = []directory.Reviewed{{Topic: texts[0].Topic, Lang: "en", Body: strings.Join(g.desk.words, " "),
		Source: "test", By: "nobody", On: d.Made}}
	bad, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.office.Reports().Publish(t.Context(), bad, nil); krama.KindOf(err) != krama.TooLarge {
		t.Errorf("the relay takes a door without pages: %v", err)
	}
	if err := g.office.Reports().Publish(t.Context(), []byte("no door"), nil); krama.KindOf(err) != krama.Invalid {
		t.Errorf("the relay takes what is no door: %v", err)
	}
	same := func() {
		t.Helper()
		if _, now := g.door(); string(now) != string(before) {
			t.Error("the door of before is gone")
		}
	}
	same()

	// In words, whichever part it is, and again after the desk's own look and the relay's.
	large := func(p *directory.PartError) func([]byte) error {
		return func([]byte) error { return &krama.Error{Op: "test", Kind: krama.TooLarge, Err: p} }
	}
	for want, desk := range map[string]*directory.PartError{"The page &#34;A test, or my health&#34; has become": {
		Need: krama.NeedTest}, "The listing": {Listing: krama.ListingID{1}},
		"The text about rights": {Topic: texts[0].Topic}, "All of it together": {}} {
		g.desk.CheckDoor = large(desk)
		g.desk.Use(g.office, g.desk.state)
		g.syncOffice()
		g.ms.Add(24 * 3600 * 1000)
		if err := g.desk.Tend(t.Context()); krama.KindOf(err) != krama.TooLarge {
			t.Errorf("%s: %v", want, err)
		}
		for _, lang := range []string{"km", "vi", "en"} {
			g.ask(g.desk, "POST", "/lang", "lang", lang)
			_, page, _ = g.ask(g.desk, "GET", "/people")
			g.want(page, `class="alarm"`)
		}
		g.want(page, "could not be published")
		g.want(page, want)
		same()
	}
	g.desk.CheckDoor, r.CheckDoor = nil, large(nil)
	g.desk.Use(g.office, g.desk.state)
	_, page, _ = g.ask(g.desk, "POST", "/door") // the relay alone finds it: it tells no part
	g.want(page, "All of it together")
	r.CheckDoor = site.Check
	_, page, _ = g.ask(g.desk, "POST", "/door")
	g.want(page, "Published on")
	if strings.Contains(page, "could not be published") {
		t.Error("it is mended, and still said")
	}
}
