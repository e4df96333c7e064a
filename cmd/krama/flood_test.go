package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/bench/flood"
	"krama/directory"
	"krama/journal"
	"krama/replica"
	"krama/seal"
)

// founded is a programme at a relay, with one desk over HTTP and an intake that is open.
func founded(t *testing.T, relay, token string) (*replica.Replica, *seal.IntakeKeys) {
	t.Helper()
	c := replica.Config{Dir: &journal.MemDir{}, Rand: rand.Reader, Now: time.Now, Platform: "desk", Office: true,
		Cost: seal.CostFloor,
		Dial: func(u string) replica.Remote {
			return replica.HTTP{Client: &http.Client{Timeout: time.Minute}, URL: u}
		}}
	desk, err := replica.Create(c, "a b c d")
	if err != nil {
		t.Fatal(err)
	}
	if err := desk.Admin().Found(t.Context(), relay, token); err != nil {
		t.Fatal(err)
	}
	stream, _ := desk.Reports().Stream(krama.KindCasework)
	keys, err := seal.OpenIntake([32]byte{1}, stream, true)
	if err != nil {
		t.Fatal(err)
	}
	publishDoor(t, desk, keys)
	return desk, keys
}

// publishDoor publishes a door with one invented listing.
func publishDoor(t *testing.T, desk *replica.Replica, keys *seal.IntakeKeys) {
	t.Helper()
	d := directory.NewDoor(nil, krama.DayOf(time.Now()), desk.Site())
	door, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := desk.Reports().Publish(t.Context(), door, [][16]byte{keys.ID()}); err != nil {
		t.Fatal(err)
	}
}

// residentMB is a process's resident memory at its peak.
func residentMB(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		t.Skip("no /proc here")
	}
	kb, _ := strconv.Atoi(string(regexp.MustCompile(`VmHWM:\s*(\d+)`).FindSubmatch(b)[1]))
	return kb / 1024
}

// TestFloodsOfTheBuiltProgram (A6 to A10): the program as it is built is flooded with each thing that needs no key; a
// device writes and syncs meanwhile, who reports with a proof of work is heard, and memory stays below 200 MB.
func TestFloodsOfTheBuiltProgram(t *testing.T) {
	port := freePort(t)
	s, site := startServe(t, t.TempDir(), port), fmt.Sprintf("http://127.0.0.1:%d", port+1)
	desk, keys := founded(t, s.url, s.token)
	res, err := http.Get(site + "/app/")
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	page.ReadFrom(res.Body)
	res.Body.Close()
	stream, _ := desk.Reports().Stream(krama.KindOutreach)
	device, _ := desk.Device()
	target := flood.Target{Relay: s.url, Site: site, Programme: desk.Site(), Stream: stream, Device: device,
		Program: regexp.MustCompile(`/app/a/[^"]*\.wasm`).FindString(page.String())}
	if target.Program == "" {
		t.Fatal("the phone's page names no program")
	}
	who, _ := desk.NewSubject()
	for _, k := range flood.Kinds {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		conns := 64
		if k.Held {
			conns = 400
		}
		done := make(chan flood.Result, 1)
		go func() {
			r, err := flood.Run(ctx, target, k, conns, 1000, keys.ID())
			if err != nil {
				t.Error(err)
			}
			done <- r
		}()
		for range 3 {
			id, _ := desk.NewRecord()
			rec := &krama.Record{ID: id, Contact: &krama.Contact{Date: krama.DayOf(time.Now()),
				District: 1002, Place: 1}}
			if err := desk.Write(krama.KindOutreach, who, rec); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := desk.Sync(t.Context(), nil); err != nil || desk.Status().Unsent > 0 {
				t.Errorf("%s: sync: %v after %v, %d unsent", k.Name, err, time.Since(began), desk.Status().Unsent)
			}
			day := krama.DayOf(time.Now())
			proof, _ := seal.Work(rand.Reader, desk.Site(), day)
			name, in, body := desk.Site(), keys.ID(), make([]byte, 4<<10+1136)
			rand.Read(body)
			res, err := http.Post(s.url+seal.PathReport, "text/plain", bytes.NewReader(seal.Frame(name[:], in[:],
				binary.BigEndian.AppendUint32(nil, uint32(day)), proof[:], body)))
			if err != nil {
				t.Errorf("%s: a report: %v", k.Name, err)
				continue
			}
			if res.Body.Close(); res.StatusCode != 200 {
				t.Errorf("%s: a report: %d", k.Name, res.StatusCode)
			}
		}
		r := <-done
		cancel()
		if r.Sent < 50 {
			t.Errorf("%s: only %d came: the test proves nothing", k.Name, r.Sent)
		}
	}
	if mb := residentMB(t, s.cmd.Process.Pid); mb > 200 {
		t.Errorf("%d MB at the peak", mb)
	}
}

// TestA12TwoProcesses: relay and site run apart, each with memory of its own. What the programme publishes comes to the
// site, what a service says of a slip goes to the relay, and nobody but the site's key asks or says it.
func TestA12TwoProcesses(t *testing.T) {
	dir := t.TempDir()
	port := freePort(t) // asked once: asked twice before anybody listens, it says the same port
	at, beside := fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", port+1)
	relayProcess := startPart(t, "serve", "--data", dir, "--listen", at, "--only", "relay")
	startPart(t, "serve", "--data", dir, "--listen", beside, "--only", "site", "--relay", "http://"+at)
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil {
		t.Fatal(err)
	}
	desk, _ := founded(t, "http://"+at, strings.TrimSpace(string(token)))
	if mb := residentMB(t, relayProcess); mb > 120 {
		t.Errorf("the relay alone has %d MB", mb)
	}
	code, err := krama.NewSlipCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.PostForm("http://"+beside+"/slip", url.Values{"c": {string(code)},
		"a": {strconv.Itoa(int(krama.OutcomeAccepted))}, "l": {"en"}})
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.StatusCode != 200 {
		t.Fatalf("the slip's form: %d", res.StatusCode)
	}
	answers, err := desk.Reports().SlipAnswers(t.Context(), []krama.SlipCode{code})
	if err != nil || len(answers) != 1 || len(answers[0]) != 1 || answers[0][0].What != krama.OutcomeAccepted {
		t.Errorf("the desk reads %v, %v", answers, err)
	}
	key, err := siteKey(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	remote := replica.HTTP{Client: http.DefaultClient, URL: "http://" + at}
	if b, err := replica.NewSiteCaller(remote, key, rand.Reader, time.Now).Door(t.Context()); err != nil ||
		len(b) == 0 {
		t.Errorf("the site's key reads the door: %d bytes, %v", len(b), err)
	}
	other, _ := siteKey(t.TempDir(), true)
	stranger := replica.NewSiteCaller(remote, other, rand.Reader, time.Now)
	if _, err := stranger.Door(t.Context()); krama.KindOf(err) != krama.NotAllowed || err == nil {
		t.Errorf("another key reads the door: %v", err)
	}
	if err := stranger.AnswerSlip(t.Context(), code, krama.OutcomeDone); krama.KindOf(err) != krama.NotAllowed ||
		err == nil {
		t.Errorf("another key answers a slip: %v", err)
	}
	if _, err := siteKey(t.TempDir(), false); err == nil {
		t.Error("a site without its key starts")
	}
}
