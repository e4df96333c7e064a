//go:build !js && !light

package web

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"krama"
	"krama/directory"
	"krama/office"
	"krama/relay"
	"krama/replica"
	"krama/seal"
)

func removeFile(path string) error { return os.Remove(path) }

// watched is what was measured: the first and the newest of each, and the largest.
type watched struct {
	first, last, most map[string]float64
	order             []string
}

// note keeps a measurement. limit, when not 0, is what it may not pass.
func (l *life) note(name string, value, limit float64) {
	w := &l.watched
	if w.first == nil {
		w.first, w.last, w.most = map[string]float64{}, map[string]float64{}, map[string]float64{}
	}
	if _, ok := w.first[name]; !ok {
		w.first[name] = value
		w.order = append(w.order, name)
	}
	w.last[name], w.most[name] = value, max(w.most[name], value)
	if limit > 0 && value > limit && !l.mute[name] {
		l.mute[name] = true // once
		l.t.Errorf("day %d: %s: %.0f, more than %.0f", l.day, name, value, limit)
	}
}

// excused reports whether a day's events explain that a meeting fails.
func (l *life) excused(h *handset, err error) bool {
	return l.day-l.restore < 7 // until the office has repaired what its relay lost
}

// settled looks at a device that has met the relay: nothing waits longer than its owner was away and a week; no alarm
// but what explains itself.
func (l *life) settled(h *handset) {
	l.t.Helper()
	st := h.rep.Status()
	switch {
	case st.Unsent == 0:
		h.unsent, h.wasAway = -1, 0
	case h.unsent < 0:
		h.unsent, h.wasAway = l.day, 0
	case l.day-h.unsent-h.wasAway > 7+h.rhythm && !l.mute[h.name]:
		l.mute[h.name] = true
		l.t.Errorf("day %d: %s: %d unsent since day %d", l.day, h.name, st.Unsent, h.unsent)
	}
	l.alarms(h.name, st, h.ahead != 0)
}

func (l *life) alarms(name string, st replica.Status, clock bool) {
	l.t.Helper()
	for _, a := range st.Alarms {
		switch {
		case a.Mended:
		case a.What == replica.AlarmFrozen && (clock || l.closed >= 3): // the office is closed, or this clock is wrong
		case l.day-l.restore < 10: // the relay forgot a week, and phones meet it in their own rhythm
		case !l.mute[name+string(a.What)]:
			l.mute[name+string(a.What)] = true
			l.t.Errorf("day %d: %s: alarm %s of circle %s, epoch %d, place %d, by %s", l.day, name, a.What, a.Circle,
				a.Epoch, a.N, a.Author)
			l.office.Roster(func(ro *seal.Roster) {
				for _, x := range ro.Log[max(0, len(ro.Log)-12):] {
					l.t.Logf("%s refused %v, by %s, circle %s, epoch %d, of %s", x.Type, x.Refused, x.Author, x.Circle,
						x.Epoch, x.Device)
				}
			})
		}
	}
}

// departures is how often somebody left a circle that takes reports.
func (l *life) departures() (n int) {
	circles := l.office.Kinds()
	l.office.Roster(func(ro *seal.Roster) {
		for _, k := range office.IntakeCircles {
			epochs := ro.Circles[circles[k]].Epochs
			for i := range epochs[1:] {
				for d := range epochs[i].Keyed {
					if !epochs[i+1].Keyed[d] {
						n++
						break
					}
				}
			}
		}
	})
	return n
}

// watchDay is what must hold on every day.
func (l *life) watchDay() {
	l.t.Helper()
	if !l.isOpen() {
		return
	}
	l.alarms("office", l.office.Status(), false)
	d, b := l.door()
	if d.Made != l.desk.today() {
		l.t.Errorf("day %d: the door is of %s", l.day, d.Made)
	}
	l.note("door: bytes", float64(len(b)), 20_000)
	l.note("door: largest allowed", directory.MaxDoor, 0)
	// An intake is held from three weeks before its month to 60 days after, and as long as the office is closed then:
	// at most five of each circle; and one more for each time that somebody left who could read it.
	held := office.IntakeBefore + office.IntakeDays + office.IntakeKeep + 14 + 2
	l.parted = append(l.parted, l.departures())
	intakes := float64(len(office.IntakeCircles)*5 + l.parted[len(l.parted)-1] - l.parted[max(0, len(l.parted)-1-held)])
	l.note("door: intakes listed", float64(len(d.Intakes)), intakes)
	l.note("office: intakes held", float64(len(l.desk.state.Intakes())), intakes)
	l.note("office: conversations", float64(len(l.desk.state.Threads())), 3*office.ThreadKeep+60)
	// what ended while the office was closed for two weeks and a weekend, and in the week that an erasure waits, at
	// three reports a day
	l.note("office: erasures that wait for a second word", float64(len(l.office.Erasing().Awaiting())), 3*(14+2+7))
	l.note("office: letters to decide", float64(len(l.office.Admin().Mail())), 2)
	l.note("office: circles due after its day", float64(len(l.office.Admin().Due())), 0)
}

// watchMonth counts everything that could grow.
func (l *life) watchMonth() {
	l.t.Helper()
	months := float64(l.day)/30 + 2
	staff := float64(l.counts["members left"] + l.counts["phones lost"] + l.counts["role changes"] +
		2*l.counts["admins changed"] + l.counts["repairs"])
	var devices, here, epochs0 int
	kinds := l.office.Kinds()
	l.office.Roster(func(ro *seal.Roster) {
		for k, c := range kinds {
			asked := 0.0
			if k == krama.KindOutreach {
				asked = float64(l.counts["erasures asked for"])
			}
			l.note(fmt.Sprintf("epochs of circle %d", k), float64(len(ro.Circles[c].Epochs)), months+staff+asked)
			if k == krama.KindOrg {
				epochs0 = len(ro.Circles[c].Epochs)
			}
			l.note(fmt.Sprintf("keyring pages of circle %d", k), float64(len(ro.Latest(c).Pages)), 32)
		}
		devices = len(ro.Devices)
		for _, d := range ro.Devices {
			if d.Removed == 0 {
				here++
			}
		}
		l.note("roster: statements and beats", float64(ro.At().N), 0)
	})
	l.note("roster: devices ever (the relay's most is 8192)", float64(devices), float64(10+l.counts["enrolled"]))
	l.note("bootstrap of a new device: bytes", float64(1204+32*epochs0), 8<<10)
	l.watchRelay()
	old := l.phones[7] // never replaced
	st := old.rep.Status()
	people, contacts := old.st.Counts()
	l.note("phone 7: people", float64(people), 0)
	l.note("phone 7: contacts", float64(contacts), 0)
	l.note("phone 7: journal bytes", float64(st.Bytes), 0)
	l.note("phone 7: journal bytes per record typed so far", float64(st.Bytes)/float64(max(1, l.counts["records"])), 0)
	if l.day >= old.away && old.ahead == 0 && l.day-l.restore > 10 {
		l.watchIdle(old)
		l.watchLoad(old)
	}
	for name, root := range map[string]any{"phone": old.rep, "office": l.office, "second": l.second.rep} {
		for path, n := range sizes(root, "journal.Journal", "journal.MemDir", "journal.MemFile", "replica.Config",
			"replica.counted", "web.counted") {
			l.note(name+" "+strings.TrimPrefix(path, "Replica."), float64(n), l.room(path))
		}
	}
	for path, n := range sizes(l.desk.state) {
		l.note("desk "+path, float64(n), l.room(path))
	}
	for path, n := range sizes(l.handler, "sqlite.Store") {
		l.note("relay "+path, float64(n), l.room(path))
	}
}

// grows names what may grow with what was lived: what is kept of records, of the roster's statements and epochs, and of
// erasures. All else that a device, a desk or the relay holds in memory is bounded by a constant.
var grows = regexp.MustCompile(
	`^State\.(audits|byCode|contactAt|contacts|people|personAt|referrals|seen|threads|incidents|taken|ended)|` +
		`^Replica\.(told|frozen\.)|` +
		`^Replica\.led\.(keys|notices|noticed|shreds|shredded|values|roster\.|streams|seen|letters|done|rewraps)|` +
		`^Relay\.open`) // at most the streams there are

// room is how much may be at a path. The unit is an entry that somebody made; names and keys have their bytes.
func (l *life) room(path string) float64 {
	if strings.HasSuffix(path, "outbox[].item.Body") {
		// bytes, of the few items that wait when a day ends; how many wait is bounded by the path of the outbox
		return 64 << 10
	}
	if !grows.MatchString(path) {
		return 700
	}
	lived := 0
	for _, n := range l.counts {
		lived += n
	}
	unit := 4.0
	for _, bytes := range []string{"Kem", "KEM", "Pub", "Text", "Code", "Type", "Back", "values[]", "Access",
		"Sig", "body"} {
		if strings.Contains(path, bytes) {
			unit = 160
		}
	}
	return 3000 + unit*float64(lived)
}

// watchRelay counts what the relay keeps: bytes of each sort, rows of each table.
func (l *life) watchRelay() {
	l.t.Helper()
	ctx := l.t.Context()
	p, err := l.sq.Named(ctx, l.office.Site())
	l.must(err)
	for k, name := range map[relay.Keep]string{relay.Content: "content", relay.Roster: "roster", relay.Pages: "pages",
		relay.Mail: "mail", relay.Trust: "trust",
		relay.Left: "left", relay.Answers: "answers", relay.Slips: "slips", relay.Peppers: "peppers",
		relay.Inbox: "inbox", relay.Published: "published"} {
		n, err := l.sq.Used(ctx, p.ID, k)
		l.must(err)
		l.note("relay bytes: "+name, float64(n), float64(relay.DefaultLimits.Room(k))/10)
	}
	drops, err := l.sq.Used(ctx, [16]byte{}, relay.Drops)
	l.must(err)
	l.note("relay bytes: drops", float64(drops), 64<<10)
	db, err := sql.Open("sqlite", "file:"+l.file()+"?mode=ro")
	l.must(err)
	defer db.Close()
	rows, err := db.Query("SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'sqlite%'")
	l.must(err)
	var names []string
	for rows.Next() {
		var s string
		l.must(rows.Scan(&s))
		names = append(names, s)
	}
	l.must(rows.Err())
	for _, s := range names {
		var n int
		l.must(db.QueryRow("SELECT count(*) FROM " + s).Scan(&n))
		l.note("relay rows: "+s, float64(n), 0)
	}
	var most int
	l.must(db.QueryRow("SELECT coalesce(max(n), 0) FROM (SELECT count(*) n FROM item WHERE keep=? GROUP BY box)",
		relay.Mail).Scan(&most))
	l.note("relay: items in the fullest mailbox", float64(most), float64(relay.DefaultLimits.BoxItems)/2)
}

// watchIdle is what a meeting costs a phone that has nothing to say and nothing to hear.
func (l *life) watchIdle(h *handset) {
	l.t.Helper()
	l.must(h.rep.Sync(l.t.Context(), nil))
	*h.line = counted{l: l}
	began := time.Now()
	l.must(h.rep.Sync(l.t.Context(), nil))
	l.note("idle meeting: calls", float64(h.line.calls), 40)
	l.note("idle meeting: bytes up", float64(h.line.up), 0)
	l.note("idle meeting: bytes down", float64(h.line.down), 0)
	l.note("idle meeting: microseconds", float64(time.Since(began).Microseconds()), 0)
}

// watchLoad closes a phone and opens it again.
func (l *life) watchLoad(h *handset) {
	l.t.Helper()
	h.rep.Close()
	h.disk.Crash()
	h.st.Reset()
	began := time.Now()
	rep, err := replica.Unlock(h.cfg, "a b c d")
	l.must(err)
	h.rep = rep
	l.note("phone 7: milliseconds to open", float64(time.Since(began).Milliseconds()), 0)
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	l.note("heap of everything in megabytes", float64(m.HeapAlloc)/1e6, 0)
}

// report says what was lived and what was measured.
func (l *life) report(days int, took time.Duration) {
	for _, k := range slices.Sorted(maps.Keys(l.counts)) {
		l.t.Logf("%6d %s", l.counts[k], k)
	}
	slices.Sort(l.watched.order)
	for _, k := range l.watched.order {
		l.t.Logf("%10.0f %10.0f %10.0f  %s", l.watched.first[k], l.watched.last[k], l.watched.most[k], k)
	}
	what := fmt.Sprintf("%d simulated days", days)
	if days == 1826 {
		what = "five simulated years"
	}
	l.t.Logf("| %s | %.0f s | ≤ 300 s |", what, took.Seconds())
}
