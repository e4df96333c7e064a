package replica

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"krama"
	"krama/journal"
	"krama/relay"
	"krama/relay/memory"
	"krama/seal"
)

// The model of the protocol's order, closes and removals, run over the real devices: an office and five phones write,
// meet the relay, lose the connection at any call, end at any write to their disk, are rotated and removed, in any
// order. In the end everybody shows the same records in the same order, each once, with nothing missing that an honest
// device typed, nothing injected, and no false alarm. The hostile relay also loses what it took, keeps it back, hides
// what is new, takes envelopes into closed streams and lets a removed device write on. With either relay one member's
// device may lie in her own name: claim a roster or a history that is not, or write with an old key. It must stop
// nobody.

// evil is a relay without rules. All devices share its streams; it shows each what it wants.
type evil struct {
	now     func() time.Time
	streams map[seal.StreamID]*evilStream
	boxes   map[[16]byte][][]byte
	blobs   map[[32]byte][]byte
	lose    bool // the next append is acknowledged and forgotten
	delay   bool // the next append is acknowledged and kept back
	late    []evilLate
}

type evilStream struct {
	start   seal.Head
	entries [][]byte
}

type evilLate struct {
	id   seal.StreamID
	envs [][]byte
}

// evilLine is one device's connection. hidden, when set for a stream, is how much of it the device is shown.
type evilLine struct {
	*evil
	hidden map[seal.StreamID]int
	calls  int
	cutAt  int // the connection is cut at this call; before or after the relay heard it
	before bool
}

// honestLine is a connection to the real relay that can be cut.
type honestLine struct {
	wire
	calls, cutAt int
	before       bool
}

func (l *honestLine) Call(ctx context.Context, path string, body []byte) ([]byte, time.Time, error) {
	l.calls++
	cut := krama.E("model", krama.Offline, "")
	if l.calls == l.cutAt && l.before {
		return nil, time.Time{}, cut
	}
	answer, now, err := l.wire.Call(ctx, path, body)
	if l.calls == l.cutAt {
		return nil, time.Time{}, cut
	}
	return answer, now, err
}

const modelPhones = 5

// template is the programme every schedule begins with: founded once, copied for each.
type template struct {
	dirs    []*journal.MemDir // the office's first
	vks     [][32]byte
	ids     []krama.DeviceID
	store   *memory.Store
	evil    *evil
	subject krama.SubjectID
	now     time.Time
}

func modelTemplate(t *testing.T, hostile bool) *template {
	kindsMu.Lock()
	all := krama.CircleKinds
	krama.CircleKinds = []krama.CircleKind{krama.KindOutreach}
	defer func() { krama.CircleKinds = all; kindsMu.Unlock() }()
	w := &world{t: t, now: time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC), store: memory.New()}
	clock := func() time.Time { return w.now }
	w.relay = relay.New(w.store, "token", relay.DefaultLimits, clock)
	tp := &template{now: w.now}
	ev := &evil{now: clock, streams: map[seal.StreamID]*evilStream{}, boxes: map[[16]byte][][]byte{},
		blobs: map[[32]byte][]byte{}}
	newDevice := func(platform string) *device {
		d := w.device(platform)
		if hostile {
			d.Replica.Dial = func(string) Remote { return &evilLine{evil: ev} }
		}
		return d
	}
	w.desk = newDevice("desk")
	w.desk.Office, w.desk.cfg.Office = true, true
	w.must(w.desk.Admin().Found(context.Background(), "relay", "token"))
	ds := []*device{w.desk}
	for range modelPhones {
		ds = append(ds, w.enrol(newDevice("phone"), krama.RoleOutreach))
	}
	tp.subject = w.person(ds[1])
	for range 2 {
		for _, d := range ds {
			w.must(d.Sync(context.Background(), nil))
		}
	}
	for _, d := range ds {
		tp.vks, tp.ids = append(tp.vks, d.vk), append(tp.ids, d.led.dev.ID())
		d.Close()
		tp.dirs = append(tp.dirs, copyDir(d.dir))
	}
	tp.store, tp.evil = w.store, ev
	return tp
}

func copyDir(d *journal.MemDir) *journal.MemDir {
	out := &journal.MemDir{}
	for _, n := range append(journalFiles(), keysFile, vaultFile) {
		if f := d.File(n); f != nil {
			g, _ := out.Open(n)
			g.WriteAt(f.Data, 0)
			g.Close()
		}
	}
	return out
}

// player is one device in a schedule.
type player struct {
	*Replica
	cfg    Config
	dir    *journal.MemDir
	vk     [32]byte
	events []Event
	evil   *evilLine
	honest *honestLine
	gone   bool // removed by the office
	rogue  bool // lies in its own name
	typed  []krama.RecordID
	dead   bool // emptied itself
}

func (p *player) cut(at int, before bool) {
	if p.evil != nil {
		p.evil.calls, p.evil.cutAt, p.evil.before = 0, at, before
	} else {
		p.honest.calls, p.honest.cutAt, p.honest.before = 0, at, before
	}
}

func (p *player) restart(t *rapid.T) {
	if p.Replica != nil {
		p.Replica.Close()
	}
	p.dir.Crash()
	p.dir.Fault = nil
	p.events = nil
	r, err := Load(p.cfg, p.vk)
	if err != nil {
		t.Fatalf("restart: %v", err)
	}
	p.Replica = r
}

func (p *player) sync(t *rapid.T) {
	p.Replica.Sync(context.Background(), nil)
	if p.Wiped() {
		p.dead = true
	}
}

// order is the confirmed records in their order, each once.
func (p *player) order(but map[krama.RecordID]bool) (out []krama.RecordID) {
	seen := maps.Clone(but)
	for _, e := range p.events {
		if e.Record != nil && e.Record.Contact != nil && !e.Local && !seen[e.Record.ID] {
			seen[e.Record.ID] = true
			out = append(out, e.Record.ID)
		}
	}
	return out
}

// lie writes one envelope that is truly signed and not true.
func (p *player) lie(t *rapid.T, c krama.CircleID) {
	how := rapid.IntRange(0, 4).Draw(t, "lie")
	if how == 4 {
		c = krama.OrgCircle
	}
	st := p.led.streams[c]
	if st == nil || p.led.state() != Enrolled {
		return
	}
	h, ep, it := p.led.header(c, seal.EnvContent), st.epoch, seal.Item{Kind: seal.KindHeartbeat}
	switch how {
	case 0:
		h.Roster.N += uint64(rapid.SampledFrom([]int{1, 2, 1000}).Draw(t, "ahead"))
	case 1, 4:
		h.Roster.H[0] ^= 1
	case 2:
		h.Head.H[0] ^= 1
	case 3:
		if ep = st.known[st.epoch.Epoch-1]; ep == nil {
			return
		}
	}
	wire, err := ep.Seal(rand.Reader, p.led.dev, h, []seal.Item{it}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.streamCall(context.Background(), c, seal.PathAppend, seal.AppendCall{Envelopes: [][]byte{wire}}.Marshal())
}

func model(t *testing.T, hostile bool) {
	tp := modelTemplate(t, hostile)
	rapid.Check(t, func(t *rapid.T) {
		now := tp.now
		clock := func() time.Time { return now }
		ev := tp.evil.clone()
		rl := relay.New(tp.store.Clone(), "token", relay.DefaultLimits, clock)
		ps := make([]*player, 1+modelPhones)
		for i := range ps {
			p := &player{dir: copyDir(tp.dirs[i]), vk: tp.vks[i]}
			var line Remote
			if hostile {
				p.evil = &evilLine{evil: ev, hidden: map[seal.StreamID]int{}}
				line = p.evil
			} else {
				p.honest = &honestLine{wire: wire{h: rl}}
				line = p.honest
			}
			p.cfg = Config{Dir: p.dir, Rand: rand.Reader, Now: clock, Platform: "model", Office: i == 0,
				Dial: func(string) Remote { return line },
				Feed: func(e Event) { p.events = append(p.events, e) }, Reset: func() { p.events = nil }}
			p.restart(t)
			ps[i] = p
		}
		desk := ps[0]
		outreach := func(p *player) krama.CircleID { c, _ := p.led.circle(krama.KindOutreach); return c }
		c := outreach(desk)
		must := map[krama.RecordID]bool{}   // typed by a device that was never removed
		mustnt := map[krama.RecordID]bool{} // typed by a removed device after the removal was done
		removed, done := 0, map[int]bool{}
		rogue := 0 // whose device lies; the office's does not
		var passing []krama.SubjectID
		// of people who were or will be erased: who shows them depends on when each device met the relay
		erased := map[krama.RecordID]bool{}
		steps := rapid.IntRange(4, 28).Draw(t, "steps")
		for range steps {
			i := rapid.IntRange(0, modelPhones).Draw(t, "who")
			p := ps[i]
			act := rapid.IntRange(0, 16).Draw(t, "act")
			if p.dead {
				continue
			}
			switch {
			case act <= 4:
				id, _ := p.NewRecord()
				if err := p.Write(krama.KindOutreach, tp.subject, &krama.Record{ID: id,
					Contact: &krama.Contact{Date: krama.DayOf(now), District: 1002, Place: 1}}); err == nil {
					p.typed = append(p.typed, id)
					if done[i] {
						mustnt[id] = true
					}
				}
			case act <= 7:
				p.sync(t)
			case act == 8: // the connection ends somewhere
				p.cut(rapid.IntRange(1, 9).Draw(t, "call"), rapid.Bool().Draw(t, "before"))
				p.sync(t)
				p.cut(0, false)
			case act == 9: // so does the device: at some write, with only what was flushed
				left := rapid.IntRange(0, 6).Draw(t, "writes")
				p.dir.Fault = func(op string, _ int) error {
					if left--; left < 0 {
						return fmt.Errorf("power cut")
					}
					return nil
				}
				p.sync(t)
				if !p.dead {
					p.restart(t)
				}
			case act == 10:
				p.restart(t)
			case act == 11 || act == 12:
				at := 0
				if rapid.Bool().Draw(t, "cut rotation") {
					at = rapid.IntRange(1, 12).Draw(t, "call")
				}
				desk.cut(at, rapid.Bool().Draw(t, "before"))
				desk.Admin().Rotate(context.Background(), []krama.CircleID{c,
					krama.OrgCircle}[rapid.IntRange(0, 1).Draw(t,
					"circle")])
				desk.cut(0, false)
			case act == 13 && i > 0 && removed < 2 && !p.gone:
				removed++
				p.gone = true
				if hostile && p.evil != nil { // it is not told, and goes on
					for id, s := range ev.streams {
						if st := p.led.streams[krama.OrgCircle]; st != nil && st.epoch.StreamID() == id {
							p.evil.hidden[id] = len(s.entries)
						}
					}
				}
				if desk.Admin().RemoveDevice(context.Background(), tp.ids[i], seal.ReasonTaken, nil) == nil {
					done[i] = true
				}
			case act == 16 && i > 0 && !p.gone && (rogue == 0 || rogue == i):
				rogue, p.rogue = i, true
				p.lie(t, c)
			case !hostile && act == 14: // somebody who will be erased
				s, _ := p.NewSubject()
				id, _ := p.NewRecord()
				if err := p.Write(krama.KindOutreach, s, &krama.Record{ID: id,
					Contact: &krama.Contact{Date: krama.DayOf(now), District: 1002, Place: 1}}); err == nil {
					p.sync(t) // in an envelope of her own
					passing = append(passing, s)
					erased[id] = true
				}
			case !hostile && act == 15: // she is, and the office has bodies dropped as if a month had passed
				for _, s := range passing {
					p.Erasing().Shred(krama.KindOutreach, s, ShredAsked)
				}
				if !desk.dead {
					desk.cut(rapid.IntRange(0, 12).Draw(t, "call"), rapid.Bool().Draw(t, "before"))
					desk.sync(t)
					desk.Admin().Rotate(context.Background(), c)
					if _, ids, ok := strings.Cut(desk.Value(buriedKey(c)), " "); ok {
						desk.SetValue(buriedKey(c), "2000-01-01 "+ids)
					}
					desk.tried = map[krama.CircleID]int{}
					desk.Admin().dropBodiesOf(context.Background(), c)
					desk.cut(0, false)
				}
			case hostile && act == 14:
				switch rapid.IntRange(0, 3).Draw(t, "evil") {
				case 0:
					ev.lose = true
				case 1:
					ev.delay = true
				case 2: // what is new is hidden from one device, the office included
					if st := p.led.streams[c]; st != nil {
						p.evil.hidden[st.epoch.StreamID()] = int(max(st.head.N, st.floor.N))
					}
				case 3:
					// so are statements of the roster from a phone, which reads what colleagues write who have seen
					// them
					if st := p.led.streams[krama.OrgCircle]; i > 0 && st != nil {
						p.evil.hidden[st.epoch.StreamID()] = int(st.head.N)
					}
				}
			case hostile && act == 15:
				switch {
				case len(ev.late) > 0:
					l := ev.late[0]
					ev.late = ev.late[1:]
					ev.streams[l.id].add(l.envs)
				case !p.gone:
					clear(p.evil.hidden)
				}
			}
		}
		// The relay mends its ways; everybody who is left meets it until nothing moves.
		ev.lose, ev.delay = false, false
		for _, l := range ev.late {
			ev.streams[l.id].add(l.envs)
		}
		for _, p := range ps {
			if p.evil != nil {
				clear(p.evil.hidden)
			}
		}
		if err := desk.Admin().Maintain(context.Background()); err != nil {
			desk.sync(t)
			if err := desk.Admin().Maintain(context.Background()); err != nil {
				t.Fatalf("the office cannot rotate what is due: %v", err)
			}
		}
		for range 4 {
			for _, p := range ps {
				if !p.gone && !p.rogue {
					if err := p.Replica.Sync(context.Background(), nil); err != nil {
						t.Fatalf("a last sync: %v", err)
					}
				}
			}
		}
		for i, p := range ps {
			if !p.gone && !p.rogue {
				for _, id := range p.typed {
					must[id] = true
				}
			}
			_ = i
		}
		want := desk.order(erased)
		for i, p := range ps {
			if p.gone || p.rogue {
				continue
			}
			got := p.order(erased)
			if !slices.Equal(got, want) {
				t.Fatalf("device %d shows %d records, the office %d, or in another order", i, len(got), len(want))
			}
			if n := p.Status().Unsent; n != 0 {
				t.Fatalf("device %d has %d unsent", i, n)
			}
			for _, a := range p.Status().Alarms {
				if hers := rogue > 0 && (a.Author == tp.ids[rogue] || a.What == AlarmTampered); !a.Mended && !hers {
					t.Fatalf("device %d raises a false alarm: %s", i, a.What)
				}
			}
		}
		has := map[krama.RecordID]bool{}
		for _, id := range want {
			has[id] = true
		}
		for id := range must {
			if !has[id] {
				t.Fatal("a record of an honest device is lost")
			}
		}
		for id := range mustnt {
			if has[id] {
				t.Fatal("a record was injected by a removed device")
			}
		}
		for i, p := range ps { // and a restart shows the same
			if p.gone || p.rogue {
				continue
			}
			p.restart(t)
			if !slices.Equal(p.order(erased), want) {
				t.Fatalf("device %d shows something else after a restart", i)
			}
			p.Close()
		}
	})
}

func TestModelHonest(t *testing.T)  { t.Parallel(); model(t, false) }
func TestModelHostile(t *testing.T) { t.Parallel(); model(t, true) }
