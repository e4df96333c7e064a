package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"krama"
	"krama/casework"
	"krama/office"
	"krama/replica"
	"krama/seal"
)

// keysBench measures a rotation with 200 devices and 5,000 people, what a phone pays for it, and an erasure until it
// has reached a phone that is on line.
func keysBench() error {
	dir, err := os.MkdirTemp("", "krama-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	relay, err := startRelay(filepath.Join(dir, "relay"), 8809)
	if err != nil {
		return err
	}
	defer relay.stop()
	ctx := context.Background()
	desk, err := newPhone("desk")
	if err != nil {
		return err
	}
	if err := desk.Admin().Found(ctx, relay.url, relay.token); err != nil {
		return err
	}
	// The desk is one of the devices; month is how many people come in between two rotations.
	const devices, people, month = 200, 5000, 100
	var phones []*phone
	for i := range devices - 1 {
		p, err := newPhone("phone")
		if err != nil {
			return err
		}
		if err := enrol(ctx, desk, p, relay.url, byte(i+1)); err != nil {
			return err
		}
		phones = append(phones, p)
		fmt.Fprintf(os.Stderr, "\renrolling: %d of %d devices", i+2, devices)
		<-time.After(150 * time.Millisecond) // a relay bounds how fast strangers knock
	}
	fmt.Fprintln(os.Stderr)
	day := krama.DayOf(time.Now())
	var who []krama.SubjectID
	// Written and not sent: whoever calls it syncs when all are in.
	register := func() error {
		s, _ := desk.NewSubject()
		code, _ := krama.NewCode(rand.Reader)
		id, _ := desk.NewRecord()
		who = append(who, s)
		return desk.Write(krama.KindOutreach, s, &krama.Record{ID: id, Person: &krama.Person{Code: code, Gender: 1,
			Age: 4, Category: 1, District: 1002, Registered: day}})
	}
	for range people - month {
		if err := register(); err != nil {
			return err
		}
	}
	// Two phones go on: one receives the rotations, the other the erasure. For the rest it matters only that they must
	// be given keys.
	for _, p := range append([]*phone{desk}, phones[0], phones[1]) {
		if err := p.Sync(ctx, nil); err != nil {
			return err
		}
	}
	circle := desk.Kinds()[krama.KindOutreach]
	// The first rotation writes everybody's key; the next, a month and a hundred new people later, what changed.
	for _, what := range []string{"the first with all of them", "a month and 100 people later"} {
		// All that the rotation sends, with HTTP heads: keyring pages, a wrap for each device, the close and the
		// opening.
		up := desk.traffic.up
		began := time.Now()
		if err := desk.Admin().Rotate(ctx, circle); err != nil {
			return err
		}
		took := time.Since(began)
		row(fmt.Sprintf("rotation, %d devices, %d people, %s: at the desk", devices, len(who), what),
			took.Round(10*time.Millisecond).String(), "≤ 2 s")
		row("rotation: sent by the desk, "+what, fmt.Sprintf("%d kB", (desk.traffic.up-up)/1000), "≤ 300 kB")
		// A whole sync and not the new keys alone, as a phone that opens in the morning has it.
		s, err := phones[0].measure(ctx)
		if err != nil {
			return err
		}
		row("rotation: received by a phone, a whole sync, "+what, fmt.Sprintf("%d kB in %d ms", s.Down/1000, s.MS),
			"≤ 260 kB")
		// The next month's people, sent before the next rotation. They are in no figure of bytes.
		for range month {
			if err := register(); err != nil {
				return err
			}
		}
		for _, p := range []*phone{desk, phones[0]} {
			if err := p.Sync(ctx, nil); err != nil {
				return err
			}
		}
	}

	began := time.Now()
	// The phone that is told met the relay last before the rotations: reading them is in the figure.
	if err := desk.Erasing().Shred(krama.KindOutreach, who[0], replica.ShredAsked); err != nil {
		return err
	}
	if err := desk.Sync(ctx, nil); err != nil {
		return err
	}
	if err := phones[1].Sync(ctx, nil); err != nil {
		return err
	}
	row("erasure: from the desk's tap to gone on a phone that is on line, file rewritten",
		time.Since(began).Round(10*time.Millisecond).String(), "≤ 5 s")
	return nil
}

// recoverBench brings back the programme that deskBench filled, on a new computer.
func recoverBench(ctx context.Context, dir string, cards []seal.Card) error {
	st := casework.New()
	c := deskConfig(dir)
	c.Feed, c.Reset = office.Feed(st), st.Reset
	r, err := replica.Create(c, "a b c d")
	if err != nil {
		return err
	}
	defer r.Close()
	began := time.Now()
	// Everything from the cards to the last contact read. The device and its vault were made before.
	if err := r.Newcomer().Recover(ctx, cards, "", true, nil); err != nil {
		return err
	}
	people, contacts := st.Counts()
	row(fmt.Sprintf("recovery by trustees, %d people and %d contacts", people, contacts),
		time.Since(began).Round(100*time.Millisecond).String(), "≤ 5 min")
	return nil
}
