package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	mrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"krama"
	"krama/journal"
	"krama/replica"
	"krama/seal"
)

// phone is a device over real HTTP whose traffic is counted.
type phone struct {
	// records counts contacts that were read back from the relay: those of others, and this device's own once they are
	// confirmed.
	*replica.Replica
	traffic *counting
	records int
}

// newPhone is a phone whose traffic is counted.
// As platform "desk" it is an office's device. Its files are in memory and its words of the cheapest sort: neither disk
// nor key derivation is measured.
func newPhone(platform string) (*phone, error) {
	p := &phone{traffic: &counting{next: &http.Transport{}}}
	c := replica.Config{Dir: &journal.MemDir{}, Rand: rand.Reader, Now: time.Now, Platform: platform,
		Office: platform == "desk", Cost: seal.CostFloor,
		Dial: func(u string) replica.Remote {
			return replica.HTTP{Client: &http.Client{Transport: p.traffic}, URL: u}
		},
		Feed: func(e replica.Event) {
			if e.Record != nil && e.Record.Contact != nil && !e.Local {
				p.records++
			}
		}}
	r, err := replica.Create(c, "a b c d")
	p.Replica = r
	return p, err
}

// enrol brings a phone into the desk's programme.
// n becomes the member's id, so each phone needs another.
func enrol(ctx context.Context, desk, p *phone, relay string, n byte) error {
	if err := p.Newcomer().Introduce(ctx, relay); err != nil {
		return err
	}
	inv, err := desk.Admin().Invite(ctx, p.Newcomer().Scan1().String())
	if err != nil {
		return err
	}
	if err := p.Newcomer().Accept(ctx, inv.Code.String()); err != nil {
		return err
	}
	if ok, err := desk.Admin().Enrol(ctx, inv, krama.MemberID{n}, krama.RoleOutreach); err != nil || !ok {
		return fmt.Errorf("not enrolled: %w", err)
	}
	_, err = p.Newcomer().Join(ctx, nil)
	return err
}

// side is what one sync cost.
type side struct {
	// Bytes with HTTP heads, and milliseconds by the wall. The names are those that peer.mjs prints.
	Up, Down, MS int64
	Requests     int
}

// measure syncs and tells what it cost.
func (p *phone) measure(ctx context.Context) (side, error) {
	t := p.traffic
	up, down, n := t.up, t.down, t.requests
	began := time.Now()
	err := p.Sync(ctx, nil)
	return side{t.up - up, t.down - down, time.Since(began).Milliseconds(), t.requests - n}, err
}

// syncBench types 1,000 contacts with 100 people on one phone, sends them, and pulls them with another; then does the
// same with the peer on the same documents.
func syncBench() error {
	dir, err := os.MkdirTemp("", "krama-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := startRelay(dir, 8803)
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
	a, err := newPhone("phone")
	if err != nil {
		return err
	}
	b, err := newPhone("phone")
	if err != nil {
		return err
	}
	for i, d := range []*phone{a, b} {
		if err := enrol(ctx, desk, d, p.url, byte(i+1)); err != nil {
			return err
		}
	}
	// Seeded, so that two runs send the same contacts but for ids and days.
	rnd := mrand.New(mrand.NewPCG(1, 2))
	day := krama.DayOf(time.Now())
	var people []krama.SubjectID
	for range 100 {
		s, _ := a.NewSubject()
		id, _ := a.NewRecord()
		code, _ := krama.NewCode(rand.Reader)
		if err := a.Write(krama.KindOutreach, s, &krama.Record{ID: id, Person: &krama.Person{Code: code, Gender: 1,
			Age: 4, Category: 1, District: 1002, Registered: day}}); err != nil {
			return err
		}
		people = append(people, s)
	}
	// People and their keys are sent and fetched before: what is measured is contacts.
	for _, d := range []*phone{a, b} {
		if err := d.Sync(ctx, nil); err != nil {
			return err
		}
	}
	// The same contacts, as the peer gets them.
	var docs []map[string]any
	for range 1000 {
		who := people[rnd.IntN(len(people))]
		id, _ := a.NewRecord()
		c := &krama.Contact{Date: day - krama.Day(rnd.IntN(30)), District: uint16(1001 + rnd.IntN(7)),
			Place: uint8(1 + rnd.IntN(7)), Test: uint8(rnd.IntN(5)), Safety: uint8(rnd.IntN(3))}
		for range rnd.IntN(4) {
			c.Topics = c.Topics.With(uint8(1 + rnd.IntN(10)))
		}
		if rnd.IntN(4) == 0 {
			c.Services = c.Services.With(uint8(1 + rnd.IntN(10)))
		}
		c.Given[krama.Condom], c.Given[krama.Lubricant] = uint16(10*rnd.IntN(6)), uint16(5*rnd.IntN(4))
		c.Next = c.Date + 28
		if err := a.Write(krama.KindOutreach, who, &krama.Record{ID: id, Contact: c}); err != nil {
			return err
		}
		docs = append(docs, document(id, who, c))
	}
	// One sync each: it reads the roster and every circle too, so they are in the figure.
	push, err := a.measure(ctx)
	if err != nil {
		return err
	}
	pull, err := b.measure(ctx)
	if err != nil {
		return err
	}
	// Both have read back all of it, or the figures are of less.
	if a.records != 1000 || b.records != 1000 || a.Status().Unsent != 0 {
		return fmt.Errorf("pushed %d, pulled %d of 1,000", a.records, b.records)
	}
	row("1,000 contacts pushed, all in", fmt.Sprintf("%.1f kB up, %.1f kB down, %d requests, %d ms", kb(push.Up),
		kb(push.Down), push.Requests, push.MS), "≤ 110 kB, ≤ 8 requests")
	row("1,000 contacts pulled, all in", fmt.Sprintf("%.1f kB up, %.1f kB down, %d requests, %d ms", kb(pull.Up),
		kb(pull.Down), pull.Requests, pull.MS), "≤ 110 kB, ≤ 8 requests")
	return peer(dir, docs, push, pull)
}

// kb is bytes in thousands.
func kb(n int64) float64 { return float64(n) / 1000 }

// document is the contact as a document database would hold it.
func document(id krama.RecordID, who krama.SubjectID, c *krama.Contact) map[string]any {
	// Words for codes: a document database has no closed lists.
	keys := func(list []krama.Term, s krama.Set) []string {
		out := []string{}
		for _, t := range list {
			if s.Has(t.Code) {
				out = append(out, t.Key)
			}
		}
		return out
	}
	one := func(list []krama.Term, code uint8) string {
		for _, t := range list {
			if t.Code == code {
				return t.Key
			}
		}
		return ""
	}
	given := map[string]int{}
	for i, n := range c.Given {
		if n > 0 {
			given[krama.Commodities[i].Key] = int(n)
		}
	}
	return map[string]any{"_id": id.String(), "type": "contact", "person": who.String(), "date": c.Date.String(),
		"district": c.District,
		"place":    one(krama.Places, c.Place), "topics": keys(krama.Topics, c.Topics), "services": keys(krama.Services,
			c.Services), "given": given,
		"test": one(krama.Tests, c.Test), "safety": one(krama.Safety, c.Safety), "next": c.Next.String()}
}

// peer runs PouchDB against a CouchDB-protocol server on the same documents and compares.
func peer(dir string, docs []map[string]any, push, pull side) error {
	b, err := json.Marshal(docs)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "docs.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return err
	}
	// Its client and server are two processes with a proxy between them, which counts every byte of HTTP.
	cmd := exec.Command("node", "peer.mjs", file)
	cmd.Dir, cmd.Stderr = "bench/peer", os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("the peer: %w", err)
	}
	var them struct {
		Peer       string
		Push, Pull side
	}
	if err := json.Unmarshal(out, &them); err != nil {
		return err
	}
	row(them.Peer+", the same documents",
		fmt.Sprintf("push %.0f kB up + %.0f kB down, %d requests, %d ms; pull %.0f + %.0f kB, %d requests, %d ms",
			kb(them.Push.Up), kb(them.Push.Down),
			them.Push.Requests, them.Push.MS, kb(them.Pull.Up), kb(them.Pull.Down), them.Pull.Requests,
			them.Pull.MS), "")
	// Of bytes both ways together. A side that took no time counts as one millisecond.
	ratio := func(a, b int64) float64 { return float64(a) / float64(max(1, b)) }
	row("bytes, peer ÷ Krama", fmt.Sprintf("push %.1f ×, pull %.1f ×", ratio(them.Push.Up+them.Push.Down,
		push.Up+push.Down), ratio(them.Pull.Up+them.Pull.Down, pull.Up+pull.Down)), "≥ 5 ×")
	row("time, peer ÷ Krama", fmt.Sprintf("push %.1f ×, pull %.1f ×", ratio(them.Push.MS, push.MS), ratio(them.Pull.MS,
		pull.MS)), "≥ 3 ×")
	return nil
}
