package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"krama"
	"krama/bench/flood"
	"krama/directory"
	"krama/replica"
	"krama/seal"
)

// Floods run one after the other against one relay and site, so that what one leaves behind is there for the next.
// floodDevices work beside the flood, which sends floodRate requests a second over floodConns connections. A flood that
// holds connections open has floodHeld of them, for which relay and site have places (cmd/krama/crowd.go).
const (
	floodDevices = 20
	floodConns   = 64
	floodHeld    = 400
	floodRate    = 1000
)

// floodBench floods the built program with everything of the list while 20 devices write and sync, and reporters
// report. KRAMA_FLOOD is the seconds of each flood; without it all together take ten minutes.
func floodBench() error {
	each := 10 * time.Minute / time.Duration(len(flood.Kinds))
	if s, err := strconv.Atoi(os.Getenv("KRAMA_FLOOD")); err == nil && s > 0 {
		each = time.Duration(s) * time.Second
	}
	dir, err := os.MkdirTemp("", "flood")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := startRelay(dir, 8811)
	if err != nil {
		return err
	}
	defer p.stop()
	ctx := context.Background()
	town, err := settle(ctx, p)
	if err != nil {
		return err
	}
	kinds := flood.Kinds
	if len(os.Args) > 2 { // bench flood A7: those of that name
		kinds = slices.DeleteFunc(slices.Clone(kinds), func(k flood.Kind) bool {
			return !strings.Contains(k.Name, os.Args[2])
		})
	}
	if len(kinds) == 0 {
		return errors.New("no flood of that name")
	}
	for _, k := range kinds {
		if err := town.under(ctx, k, each, p.cmd.Process.Pid); err != nil {
			return fmt.Errorf("%s: %w", k.Name, err)
		}
	}
	// One process is both, and the peak is over all floods.
	row(fmt.Sprintf("relay and site, resident memory at its peak, %d floods of %v", len(kinds),
		each.Round(time.Second)),
		fmt.Sprintf("%.0f MB", rss(p.cmd.Process.Pid, "VmHWM")), "≤ 200 MB")
	return nil
}

// town is a programme that goes on with its work: an office, its devices, and an intake that is open.
type town struct {
	// target is what the flooder knows, and all of it. people has whom each of phones writes about, in the same order;
	// site is the programme's short name.
	target flood.Target
	phones []*phone
	people []krama.SubjectID
	site   [16]byte
	intake *seal.IntakeKeys
	remote replica.HTTP
}

// settle founds the programme that is to be flooded.
func settle(ctx context.Context, p *relayProcess) (*town, error) {
	desk, err := newPhone("desk")
	if err != nil {
		return nil, err
	}
	if err := desk.Admin().Found(ctx, p.url, p.token); err != nil {
		return nil, err
	}
	t := &town{site: desk.Site(), remote: replica.HTTP{Client: &http.Client{Timeout: time.Minute}, URL: p.url}}
	for i := range floodDevices {
		ph, err := newPhone("phone")
		if err != nil {
			return nil, err
		}
		if err := enrol(ctx, desk, ph, p.url, byte(i+1)); err != nil {
			return nil, err
		}
		who, err := ph.NewSubject()
		if err != nil {
			return nil, err
		}
		t.phones, t.people = append(t.phones, ph), append(t.people, who)
	}
	stream, _ := desk.Reports().Stream(krama.KindCasework)
	// Any seed will do: nobody opens what is reported here.
	if t.intake, err = seal.OpenIntake([32]byte{1}, stream, true); err != nil {
		return nil, err
	}
	// Without listings; publishing it tells the relay which intake is open.
	door, err := directory.NewDoor(nil, krama.DayOf(time.Now()), t.site).Encode()
	if err != nil {
		return nil, err
	}
	if err := desk.Reports().Publish(ctx, door, [][16]byte{t.intake.ID()}); err != nil {
		return nil, err
	}
	outreach, _ := desk.Reports().Stream(krama.KindOutreach)
	device, _ := t.phones[0].Device()
	t.target = flood.Target{Relay: p.url, Site: "http://127.0.0.1:8812", Programme: t.site, Stream: outreach,
		Device: device}
	t.target.Program, err = programAt(t.target.Site)
	return t, err
}

// programAt finds the address of the phone's program in the phone's page.
func programAt(site string) (string, error) {
	res, err := http.Get(site + "/app/")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	m := regexp.MustCompile(`/app/a/[^"]*\.wasm`).Find(b)
	if err == nil && m == nil {
		err = fmt.Errorf("the page of the phone names no program")
	}
	return string(m), err
}

// under is one flood, and the town beside it.
func (t *town) under(ctx context.Context, k flood.Kind, each time.Duration, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	conns := floodConns
	if k.Held {
		conns = floodHeld
	}
	// mu owns what devices and reporter count.
	var mu sync.Mutex
	var took []time.Duration
	var failed, reported, accepted int
	var last error
	var wg sync.WaitGroup
	var flooded flood.Result
	var floodErr error
	wg.Go(func() { flooded, floodErr = flood.Run(ctx, t.target, k, conns, floodRate, t.intake.ID()) })
	for i, ph := range t.phones {
		wg.Go(func() {
			for ctx.Err() == nil {
				// Typing is not in the time, the sync is. One that fails counts with the time until it failed.
				err := t.work(ph, t.people[i])
				began := time.Now()
				if err == nil {
					// Without the flood's end: a sync that began in it is counted whole.
					err = ph.Sync(context.Background(), nil)
				}
				mu.Lock()
				took = append(took, time.Since(began))
				if err != nil {
					failed, last = failed+1, err
				}
				mu.Unlock()
				pause(ctx, time.Second)
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			// Somebody who did her work, beside those who did not.
			err := t.report()
			mu.Lock()
			reported++
			if err == nil {
				accepted++
			}
			mu.Unlock()
			pause(ctx, 500*time.Millisecond)
		}
	})
	wg.Wait()
	if floodErr != nil {
		return floodErr
	}
	// Whole syncs and not calls: a person waits for all of it.
	slices.Sort(took)
	row(fmt.Sprintf("%s: %d in %v, answered %v", k.Name, flooded.Sent, each.Round(time.Second), flooded.Status),
		fmt.Sprintf(
			"%d syncs of %d devices, p50 %.0f ms, p99 %.0f ms, %d failed; reports with a proof %d of %d; %.0f MB",
			len(took), len(t.phones),
			ms(took[len(took)/2]), ms(took[len(took)*99/100]), failed, accepted, reported,
			rss(pid, "VmRSS")), "p99 ≤ 2 s; ≥ 95 %")
	if last != nil {
		fmt.Fprintln(os.Stderr, k.Name+": a sync failed:", last)
	}
	return nil
}

// pause waits, or not when the measurement ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// work types one contact.
func (t *town) work(ph *phone, who krama.SubjectID) error {
	id, err := ph.NewRecord()
	if err != nil {
		return err
	}
	return ph.Write(krama.KindOutreach, who, &krama.Record{ID: id,
		Contact: &krama.Contact{Date: krama.DayOf(time.Now()), District: 1002, Place: 1}})
}

// report sends one report with a proof of work, over a connection of its own.
func (t *town) report() error {
	day := krama.DayOf(time.Now())
	proof, err := seal.Work(rand.Reader, t.site, day)
	if err != nil {
		return err
	}
	// As large as a sealed report of the smaller size, and as random to the relay.
	body := make([]byte, 4<<10+1136)
	rand.Read(body)
	head := seal.ReportHead{Site: t.site, Intake: t.intake.ID(), Day: day, Proof: proof, Size: len(body)}
	all := append(head.Marshal(), body...)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	res, err := client.Post(t.target.Relay+seal.PathReport, "text/plain", bytes.NewReader(all))
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}
