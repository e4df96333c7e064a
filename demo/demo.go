// Package demo makes an invented programme, the same for the same seed, and takes it through the real path: enrolled
// devices, sealed envelopes, a relay. No person, place of work or member of staff in it is real.
package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"time"

	"krama"
	"krama/casework"
	"krama/guide"
	"krama/journal"
	"krama/office"
	"krama/replica"
	"krama/seal"
	"krama/seal/words"
)

// Size is how much is invented.
type Size struct {
	// Staff have a device each, beside the office's desk. A month is thirty days. Contacts may come out a few more or
	// less. Tests are contacts with an offer of a test: as many as asked for, where there are so many contacts.
	People, Staff, Months, Contacts, Tests int
}

// Full is the demo programme: 600 people (500 women, 40 men, 60 transgender people), 12 staff devices, two years.
var Full = Size{People: 600, Staff: 12, Months: 24, Contacts: 20000, Tests: 12000}

// Programme is the invented programme, running.
type Programme struct {
	// Desk is the office's device, unlocked; whoever has the Programme closes it. State is what its records say and
	// follows it. Config opens the same folder again, with Words.
	Desk   *replica.Replica
	State  *casework.State
	Config replica.Config
	Words  string
}

// Make founds a programme at a relay and fills it. deskDir keeps the office's device; staff devices live in memory and
// are forgotten. say reports progress.
func Make(ctx context.Context, g *guide.Guide, deskDir journal.Dir, dial func(string) replica.Remote, relay,
	token string, size Size, seed uint64, now time.Time, say func(string)) (*Programme, error) {
	st := casework.New()
	words, err := words.Draw(rand.Reader, words.Vault)
	if err != nil {
		return nil, err
	}
	p := &Programme{State: st, Words: words[0] + " " + words[1] + " " + words[2] + " " + words[3]}
	p.Config = replica.Config{Dir: deskDir, Rand: rand.Reader, Now: time.Now, Dial: dial, Feed: office.Feed(st),
		Reset: st.Reset, Platform: "desk", Office: true}
	if p.Desk, err = replica.Create(p.Config, p.Words); err != nil {
		return nil, err
	}
	if err := p.Desk.Admin().Found(ctx, relay, token); err != nil {
		return nil, err
	}
	// Before anybody else is in: trustees that an only admin chooses hold at once then, and a day later afterwards.
	if err := trustees(ctx, p.Desk, krama.DayOf(now)); err != nil {
		return nil, err
	}
	// What is invented follows the seed. Keys, words, and ids of devices and records are random, as everywhere.
	inv := &inventor{rnd: mrand.New(mrand.NewPCG(seed, 1)), g: g, size: size, today: krama.DayOf(now)}
	inv.people()
	inv.contacts()
	for i := range size.Staff {
		say(fmt.Sprintf("device %d of %d: enrolling and sending", i+1, size.Staff))
		if err := inv.device(ctx, p, i, relay, dial); err != nil {
			return nil, fmt.Errorf("demo device %d: %w", i+1, err)
		}
	}
	if err := Directory(p, krama.DayOf(now)); err != nil {
		return nil, err
	}
	say("the office reads everything back")
	return p, p.Desk.Sync(ctx, nil)
}

// trustees sets up recovery with invented trustees, two of whom have shown their cards. The cards are thrown away.
func trustees(ctx context.Context, desk *replica.Replica, today krama.Day) error {
	cards, _, err := desk.Admin().SetTrustees(ctx, 2, 3)
	if err != nil {
		return err
	}
	// Two are enough, so recovery is ready, and the page shows one whose card was never seen.
	for _, c := range cards[:2] {
		id, err := desk.NewRecord()
		if err != nil {
			return err
		}
		rec := &krama.Record{ID: id, Trust: &krama.Trust{Set: c.Share.Set, X: c.Share.X, Day: today}}
		if err := desk.Write(krama.KindOutreach, krama.SubjectID{}, rec); err != nil {
			return err
		}
	}
	return nil
}

// person is an invented person and who looks after her.
type person struct {
	// staff is the number of the device that types her records, from 0.
	subject  krama.SubjectID
	record   krama.Person
	staff    int
	contacts []krama.Contact
	consents []krama.Consent
}

// inventor makes up a programme; the same seed makes the same one.
type inventor struct {
	// Everything is drawn from rnd in one order: a draw more makes other people from there on.
	rnd   *mrand.Rand
	g     *guide.Guide
	size  Size
	today krama.Day
	all   []*person
}

// weighted draws an index by weights.
func (v *inventor) weighted(w ...int) int {
	sum := 0
	for _, x := range w {
		sum += x
	}
	n := v.rnd.IntN(sum)
	for i, x := range w {
		if n < x {
			return i
		}
		n -= x
	}
	return 0
}

// chance is true so many times of a hundred.
func (v *inventor) chance(percent int) bool { return v.rnd.IntN(100) < percent }

// reader gives krama.NewCode the seeded source: a demo's codes are the same every time.
type reader struct{ *mrand.Rand }

// Read implements io.Reader. It never fails.
func (r reader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return len(b), nil
}

// people invents who is met. Mean age and shares follow the published surveys of entertainment workers (IBBS 2016: mean
// 26, SD 6); districts follow where a provincial town and its roads are.
func (v *inventor) people() {
	// The programme's first day.
	first := v.today - krama.Day(v.size.Months*30)
	seen := map[krama.Code]bool{}
	for i := range v.size.People {
		p := &person{staff: i % v.size.Staff}
		reader{v.rnd}.Read(p.subject[:])
		code, _ := krama.NewCode(reader{v.rnd})
		for seen[code] {
			code, _ = krama.NewCode(reader{v.rnd})
		}
		seen[code] = true
		r := krama.Person{Code: code, Gender: 1, Category: 1}
		// In shares of six hundred, so that a smaller programme has about the same groups.
		switch share := i * 600 / v.size.People; {
		case share%15 == 7: // 40 of 600
			r.Gender, r.Category = 2, 2
			if v.chance(30) {
				r.Category = 6
			}
		case share%10 == 3: // 60 of 600
			r.Gender, r.Category = 3, 3
		default:
			if v.chance(2) {
				r.Category = 4
			}
		}
		// About one in eleven is under 18, for whom pages say other things; nobody is under 15.
		age := int(26 + 6*v.rnd.NormFloat64())
		r.Age = band(max(15, age))
		r.Languages = krama.Set(0).With(1)
		if v.chance(12) {
			r.Languages = krama.Set(0).With(2)
			if v.chance(60) {
				r.Languages = r.Languages.With(1)
			}
		}
		// In the order of guide/data/kratie.json: the second is the provincial town.
		r.District = uint16(v.g.Province.Districts[v.weighted(15, 42, 8, 6, 18, 8, 3)].Code)
		// Over the first four fifths of the time, and a good third of them in the first month: a programme begins with
		// the people it knows.
		r.Registered = first + krama.Day(v.rnd.IntN(v.size.Months*30*4/5))
		if v.chance(35) {
			r.Registered = first + krama.Day(v.rnd.IntN(30))
		}
		p.record = r
		// Each purpose is answered for itself; sharing is what most often gets a no.
		for _, t := range krama.Purposes {
			given := v.chance(90)
			if t.Code == krama.PurposeShare {
				given = v.chance(55)
			}
			p.consents = append(p.consents, krama.Consent{Purpose: t.Code, Given: given, Date: r.Registered})
		}
		// A few take back after three months that they are counted.
		if v.chance(2) {
			p.consents = append(p.consents, krama.Consent{Purpose: krama.PurposeCount, Given: false, Date: min(v.today,
				r.Registered+90)})
		}
		v.all = append(v.all, p)
	}
}

// band is the age band of an age.
func band(age int) uint8 {
	switch {
	case age < 15:
		return 1
	case age < 18:
		return 2
	case age < 20:
		return 3
	case age >= 50:
		return 10
	}
	// From 20 on a band is five years (krama.AgeBands).
	return uint8(4 + (age-20)/5)
}

// contacts invents meetings about once a month while somebody is around, and offers of a test in the share asked for.
func (v *inventor) contacts() {
	// Contacts are shared out by how long each person was around. spans has the days of each, weight those of all.
	weight := 0
	spans := make([]int, len(v.all))
	for i, p := range v.all {
		end := v.today
		if v.chance(25) { // moved on: people come and go
			end = p.record.Registered + krama.Day(30+v.rnd.IntN(300))
		}
		spans[i] = int(min(end, v.today) - p.record.Registered)
		weight += max(1, spans[i])
	}
	for i, p := range v.all {
		n := max(1, (v.size.Contacts*max(1, spans[i])+weight/2)/weight)
		at := p.record.Registered
		step := max(1, spans[i]/n)
		for k := range n {
			// Evenly over her days, each moved by up to half the way to the next.
			off := (2*k+1)*spans[i]/(2*n) + v.rnd.IntN(step) - step/2
			d := at + krama.Day(min(max(0, off), max(0, spans[i])))
			p.contacts = append(p.contacts, v.contact(p, d, k == n-1))
		}
	}
	v.offerTests()
}

// contact makes up a contact on a day.
func (v *inventor) contact(p *person, d krama.Day, last bool) krama.Contact {
	c := krama.Contact{Date: d, District: p.record.District, Place: uint8(1 + v.weighted(58, 12, 8, 12, 5, 4, 1))}
	// By the packet: condoms by ten, lubricant by five.
	if v.chance(88) {
		c.Given[krama.Condom] = uint16(10 * (1 + v.weighted(3, 5, 3, 2, 1)))
	}
	if v.chance(62) {
		c.Given[krama.Lubricant] = uint16(5 * (1 + v.weighted(4, 4, 2)))
	}
	if v.chance(6) {
		c.Given[krama.InternalCondom] = uint16(3 + v.rnd.IntN(6))
	}
	if v.chance(30) {
		c.Given[krama.Leaflet] = 1
	}
	for _, t := range krama.Topics {
		if v.chance(24) {
			c.Topics = c.Topics.With(t.Code)
		}
	}
	for _, t := range krama.Services {
		if v.chance(8) {
			c.Services = c.Services.With(t.Code)
		}
	}
	c.Safety = [...]uint8{krama.SafeNotAsked, krama.SafeYes, krama.SafeNo, krama.SafeHelp,
		krama.SafeUnsaid}[v.weighted(20, 68, 7, 2, 3)]
	if v.chance(4) {
		c.Attendees = uint16(3 + v.rnd.IntN(20))
	}
	// Of a last contact one in five says no day for the next, as of somebody who leaves.
	if !last || v.chance(80) {
		c.Next = d + krama.Day([...]int{14, 28, 28, 84}[v.weighted(2, 6, 4, 1)])
	}
	return c
}

// offerTests spreads exactly the asked number of offers over the contacts.
func (v *inventor) offerTests() {
	var all []*krama.Contact
	for _, p := range v.all {
		for i := range p.contacts {
			all = append(all, &p.contacts[i])
		}
	}
	for _, i := range v.rnd.Perm(len(all))[:min(v.size.Tests, len(all))] {
		c := all[i]
		c.Test = [...]uint8{krama.TestAccepted, krama.TestDeclined, krama.TestReferred,
			krama.TestOffered}[v.weighted(52, 18, 20, 10)]
		if c.Test == krama.TestAccepted && v.chance(15) {
			c.Given[krama.SelfTest] = 1
		}
	}
}

// roles of the twelve devices: eight outreach workers, a nurse, a case worker, two coordinators.
func role(i int) (krama.Role, string) {
	switch i {
	case 8:
		return krama.RoleNurse, "Nurse 1"
	case 9:
		return krama.RoleCaseWorker, "Case worker 1"
	case 10, 11:
		return krama.RoleCoordinator, fmt.Sprintf("Coordinator %d", i-9)
	}
	return krama.RoleOutreach, fmt.Sprintf("Outreach %d", i+1)
}

// device enrols one member's device by both halves of the protocol, types her people and contacts, and sends them.
func (v *inventor) device(ctx context.Context, p *Programme, i int, relay string,
	dial func(string) replica.Remote) error {
	// In memory and under the cheapest words: the device is forgotten once its work is sent.
	dev, err := replica.Create(replica.Config{Dir: &journal.MemDir{}, Rand: rand.Reader, Now: time.Now, Dial: dial,
		Platform: "phone", Cost: seal.CostFloor}, p.Words)
	if err != nil {
		return err
	}
	defer dev.Close()
	if err := dev.Newcomer().Introduce(ctx, relay); err != nil {
		return err
	}
	// Each side gets as text what a camera would read from the other's screen.
	invite, err := p.Desk.Admin().Invite(ctx, dev.Newcomer().Scan1().String())
	if err != nil {
		return err
	}
	if err := dev.Newcomer().Accept(ctx, invite.Code.String()); err != nil {
		return err
	}
	var member krama.MemberID
	if _, err := rand.Read(member[:]); err != nil {
		return err
	}
	roles, label := role(i)
	if ok, err := p.Desk.Admin().Enrol(ctx, invite, member, roles); err != nil || !ok {
		return fmt.Errorf("the office did not enrol it: %w", err)
	}
	if err := office.WriteLabel(p.Desk, member, label); err != nil {
		return err
	}
	if ok, err := dev.Newcomer().Join(ctx, nil); err != nil || !ok {
		return fmt.Errorf("it did not join: %w", err)
	}
	// She types alone, without the relay, and sends everything at the end: months of work come in one sync.
	for _, who := range v.all {
		if who.staff != i {
			continue
		}
		recs := []*krama.Record{{Person: &who.record}}
		for k := range who.consents {
			recs = append(recs, &krama.Record{Consent: &who.consents[k]})
		}
		for k := range who.contacts {
			recs = append(recs, &krama.Record{Contact: &who.contacts[k]})
		}
		for _, r := range recs {
			if r.ID, err = dev.NewRecord(); err != nil {
				return err
			}
		}
		if err := dev.Write(krama.KindOutreach, who.subject, recs...); err != nil {
			return err
		}
	}
	return dev.Sync(ctx, nil)
}
