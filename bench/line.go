package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"krama"
	"krama/bench/line"
	"krama/replica"
)

// lineBench has a phone send two megabytes, and another fetch four, over a line that is reset every 5,000 bytes, and
// compares what went over it with the same over a whole line.
func lineBench() error { return overLine(24_000, 0) }

// slowLineBench has two megabytes fetched over such a line at 500 bytes a second: an hour and a half.
func slowLineBench() error { return overLine(26_000, 500) }

// overLine measures a first sync over a slow line.
func overLine(records, rate int) error {
	dir, err := os.MkdirTemp("", "line")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := startRelay(dir, 8821)
	if err != nil {
		return err
	}
	defer p.stop()
	ctx := context.Background()
	desk, err := newPhone("desk")
	if err != nil {
		return err
	}
	if err := desk.Admin().Found(ctx, p.url, p.token); err != nil {
		return err
	}
	// The first sends over the bad line and the second over a whole one, then the third fetches over the bad line and
	// the fourth over a whole one. With a rate the first sends over a whole line, for the others to fetch, and the
	// second has nothing to do: sending over a slow line would take as long again.
	var phones []*phone
	for i := range 4 {
		ph, err := newPhone("phone")
		if err != nil {
			return err
		}
		if err := enrol(ctx, desk, ph, p.url, byte(i+1)); err != nil {
			return err
		}
		phones = append(phones, ph)
	}
	host := strings.TrimPrefix(p.url, "http://")
	// over has a phone sync until it comes through, over a line that is reset after some bytes (0: never) and carries
	// rate bytes a second (0: what it can).
	over := func(ph *phone, after int64, rate int) (bytes, resets int64, took time.Duration, err error) {
		l, err := line.New(host, after, rate)
		if err != nil {
			return 0, 0, 0, err
		}
		defer l.Close()
		// A connection for each call where they are reset, so that each call begins with all its bytes.
		ph.Turn(replica.HTTP{Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: after > 0}},
			URL: l.URL})
		began := time.Now()
		// Several times what it takes; a sync that never comes through ends with its last error.
		for range 4000 {
			if err = ph.Sync(ctx, nil); err == nil {
				break
			}
		}
		bytes, resets = l.Carried()
		return bytes, resets, time.Since(began), err
	}
	if err := fillPhone(phones[0], records); err != nil {
		return err
	}
	var up, resets, upWhole int64
	var took time.Duration
	if rate > 0 {
		_, _, _, err = over(phones[0], 0, 0)
	} else {
		up, resets, took, err = over(phones[0], 5000, 0)
		if err == nil {
			err = fillPhone(phones[1], records)
		}
		if err == nil {
			upWhole, _, _, err = over(phones[1], 0, 0) // it has fetched the first one's work as well
		}
	}
	if err != nil {
		return err
	}
	down, downResets, downTook, err := over(phones[2], 5000, rate)
	if err != nil {
		return err
	}
	// What the overhead is counted from: the same bytes and HTTP heads, each once.
	downWhole, _, _, err := over(phones[3], 0, 0)
	if err != nil {
		return err
	}
	at := ""
	if rate > 0 {
		at = fmt.Sprintf(" and carries %d bytes a second", rate)
	}
	row(fmt.Sprintf("fetching %.1f MB over a line that is reset every 5 kB%s (%d resets, %v)", float64(downWhole)/1e6,
		at, downResets, downTook.Round(time.Second)),
		fmt.Sprintf("converges, %.1f MB, overhead %.1f %%", float64(down)/1e6,
			100*(float64(down)/float64(downWhole)-1)), "≤ 20 %")
	if rate == 0 {
		// The second phone also fetched the first one's work, which is half of what the fourth has fetched.
		sent := upWhole - downWhole/2
		row(fmt.Sprintf("sending %.1f MB over it (%d resets, %v)", float64(sent)/1e6, resets, took.Round(time.Second)),
			fmt.Sprintf("converges, %.1f MB, overhead %.1f %%", float64(up)/1e6, 100*(float64(up)/float64(sent)-1)),
			"≤ 20 %")
	}
	return nil
}

// fillPhone types contacts about a hundred people.
func fillPhone(ph *phone, n int) error {
	var people []krama.SubjectID
	for range 100 {
		who, err := ph.NewSubject()
		if err != nil {
			return err
		}
		people = append(people, who)
	}
	// Two hundred contacts of one person in a write; some people get several writes.
	for i := 0; i < n; i += 200 {
		var recs []*krama.Record
		for range 200 {
			id, err := ph.NewRecord()
			if err != nil {
				return err
			}
			recs = append(recs, &krama.Record{ID: id, Contact: &krama.Contact{Date: krama.DayOf(time.Now()),
				District: 1002, Place: 1}})
		}
		if err := ph.Write(krama.KindOutreach, people[i/200%100], recs...); err != nil {
			return err
		}
	}
	return nil
}
