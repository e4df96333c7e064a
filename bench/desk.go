package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"time"

	"krama"
	"krama/casework"
	"krama/guide"
	"krama/journal"
	"krama/office"
	"krama/replica"
	"krama/seal"
)

// deskConfig is a desk on the disk, with the cheapest words: opening them is not what is measured.
func deskConfig(dir string) replica.Config {
	return replica.Config{Dir: journal.OSDir(dir), Rand: rand.Reader, Now: time.Now, Platform: "desk", Office: true,
		Cost: seal.CostFloor,
		Dial: func(u string) replica.Remote { return replica.HTTP{Client: &http.Client{}, URL: u} }}
}

// deskBench fills a desk with a million records through the relay, then unlocks it in a process of its own.
func deskBench() error {
	dir, err := os.MkdirTemp("", "krama-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := startRelay(filepath.Join(dir, "relay"), 8805)
	if err != nil {
		return err
	}
	defer p.stop()
	ctx := context.Background()
	c := deskConfig(filepath.Join(dir, "desk"))
	desk, err := replica.Create(c, "a b c d")
	if err != nil {
		return err
	}
	if err := desk.Admin().Found(ctx, p.url, p.token); err != nil {
		return err
	}
	// 33 contacts each, over nearly two years.
	const people, contacts = 30_000, 990_000
	rnd := mrand.New(mrand.NewPCG(1, 2))
	day := krama.DayOf(time.Now())
	write := desk.Write
	var who []krama.SubjectID
	for range people {
		s, _ := desk.NewSubject()
		who = append(who, s)
		code, _ := krama.NewCode(rand.Reader)
		id, _ := desk.NewRecord()
		recs := []*krama.Record{{ID: id, Person: &krama.Person{Code: code, Gender: 1, Age: uint8(1 + rnd.IntN(11)),
			Category: uint8(1 + rnd.IntN(6)), District: uint16(1001 + rnd.IntN(7)), Registered: day - 700}}}
		for range contacts / people {
			id, _ := desk.NewRecord()
			recs = append(recs, &krama.Record{ID: id, Contact: &krama.Contact{Date: day - krama.Day(rnd.IntN(700)),
				District: uint16(1001 + rnd.IntN(7)), Place: uint8(1 + rnd.IntN(7)),
				Topics: krama.Set(rnd.Uint64() & 0x7fe), Test: uint8(rnd.IntN(5)),
				Given: krama.Supplies{uint16(10 * rnd.IntN(6)), 0, uint16(rnd.IntN(20))}}})
		}
		if err := write(krama.KindOutreach, s, recs...); err != nil {
			return err
		}
		// Sent as it grows: no office has a million records in its outbox.
		if len(who)%1000 == 0 {
			if err := desk.Sync(ctx, nil); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "\rfilling: %d of %d people", len(who), people)
		}
	}
	fmt.Fprintln(os.Stderr)
	// With work unsent its journal would be another than an office's.
	if n := desk.Status().Unsent; n != 0 {
		return fmt.Errorf("%d unsent", n)
	}
	// For recoverBench: from here on the trustees' mailbox leads to every circle that can be recovered.
	cards, _, err := desk.Admin().SetTrustees(ctx, 2, 3)
	if err != nil {
		return err
	}
	desk.Close()
	// Stretching the words takes as long as it is set to take, so it is left out of the figure.
	vk, err := replica.OpenKey(c.Dir, "a b c d")
	if err != nil {
		return err
	}
	// A process of its own: its peak of memory has nothing of the filling. The journal was just written, so the disk is
	// warm.
	cmd := exec.Command(os.Args[0], "desk-load")
	cmd.Env = append(os.Environ(), "BENCH_DESK="+filepath.Join(dir, "desk"), "BENCH_KEY="+hex.EncodeToString(vk[:]))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	return recoverBench(ctx, filepath.Join(dir, "recovered"), cards[1:])
}

// deskLoad is the process that deskBench measures.
func deskLoad() error {
	key, err := hex.DecodeString(os.Getenv("BENCH_KEY"))
	if err != nil || len(key) != 32 {
		return errors.New("run: bench desk")
	}
	g, err := guide.Load()
	if err != nil {
		return err
	}
	st := casework.New()
	c := deskConfig(os.Getenv("BENCH_DESK"))
	c.Feed, c.Reset = office.Feed(st), st.Reset
	// For whoever looks for what takes the time: a file for a profile of the processor.
	if out := os.Getenv("BENCH_PROFILE"); out != "" {
		f, err := os.Create(out)
		if err != nil {
			return err
		}
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	began := time.Now()
	// Reading, opening and folding the whole journal, until a page could be shown.
	r, err := replica.Load(c, [32]byte(key))
	if err != nil {
		return err
	}
	unlock := time.Since(began)
	people, contacts := st.Counts()
	// From the middle of the seven hundred days that the contacts are spread over. No report that leaves has this
	// period; here it only counts.
	w := krama.Period{From: krama.DayOf(time.Now()) - 400, To: krama.DayOf(time.Now()) - 200}
	began = time.Now()
	rep := office.Compile(g, st, w, krama.DayOf(time.Now()))
	report := time.Since(began)
	row(fmt.Sprintf("desk, %d people and %d contacts: unlock and fold, key derivation apart", people, contacts),
		unlock.Round(10*time.Millisecond).String(), "≤ 3 s")
	row("desk, resident memory at its peak", fmt.Sprintf("%.0f MB (journal %d MB)", rss(os.Getpid(), "VmHWM"),
		r.Status().Bytes>>20), "≤ 1.2 GB")
	row(fmt.Sprintf("desk, report over 200 days (KP_PREV %d)", rep.KP.Total), report.Round(time.Millisecond).String(),
		"≤ 0.3 s")
	return nil
}
