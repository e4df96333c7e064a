package office

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	"krama"
	"krama/casework"
	"krama/replica"
	"krama/seal"
)

// TakeDaily bounds how many reports of one intake a desk takes in on a day, TakeCircle how many of all intakes of a
// circle, and fetchBytes what one meeting fetches of one: what is taken in goes to every colleague's computer and stays
// there. The rest waits at the relay, sealed, the oldest first.
const (
	TakeDaily  = 200
	TakeCircle = 2 * TakeDaily
	fetchBytes = 4 << 20
)

// fetchedOf is an intake's fetched.
func fetchedOf(id [16]byte) replica.Setting { return fetchedReports.Of(hex.EncodeToString(id[:4])) }

// fetchedReports is the family, by the beginning of an intake's id.
var fetchedReports = replica.NewSetting("reports.", replica.OfNobody)

// fetched is what this desk knows of an intake's reports at the relay.
type fetched struct {
	Waiting int       // there beyond what was taken in, when it was last looked
	Day     krama.Day // on which Taken were taken in
	Taken   int
	Sums    []string // of what is kept here and not yet forgotten there, in hexadecimal
}

// readFetched reads what String wrote. A day of zero is written as nothing, so parts are known by their form.
func readFetched(value string) (f fetched) {
	for i, x := range strings.Fields(value) {
		switch day, err := krama.ParseDay(x); {
		case len(x) == 64:
			f.Sums = append(f.Sums, x)
		case i == 0:
			f.Waiting, _ = strconv.Atoi(x)
		case err == nil:
			f.Day = day
		default:
			f.Taken, _ = strconv.Atoi(x)
		}
	}
	return f
}

// String is the value of a setting: three parts and then the sums, apart by spaces.
func (f fetched) String() string {
	return strings.Join(append([]string{strconv.Itoa(f.Waiting), f.Day.String(), strconv.Itoa(f.Taken)},
		f.Sums...), " ")
}

// FetchReports takes in what was reported, of the newest intakes first: a flood of one that is not offered any more
// must not keep others waiting. A report is kept here, then sent to colleagues, and only then forgotten by the relay.
func (o *Office) FetchReports(ctx context.Context) error {
	var errs []error
	list := o.Intakes()
	slices.Reverse(list)
	all := map[krama.CircleKind][]replica.Setting{} // what is known of each circle's
	for _, in := range list {
		if keys, err := o.Keys(in); err == nil {
			all[in.Circle] = append(all[in.Circle], fetchedOf(keys.ID()))
		}
	}
	for _, in := range list {
		errs = append(errs, o.fetchIntake(ctx, in, all[in.Circle])) // one that fails does not stop the others
	}
	return errors.Join(errs...)
}

// takenToday is how many reports of all intakes of a circle this desk has taken in on a day, by what it
// knows of them.
func (o *Office) takenToday(all []replica.Setting, today krama.Day) (n int) {
	for _, key := range all {
		if f := readFetched(o.Rep.Value(key)); f.Day == today {
			n += f.Taken
		}
	}
	return n
}

// fetchIntake takes in what was reported to one intake. all are the settings of its circle's intakes, which share a
// bound.
func (o *Office) fetchIntake(ctx context.Context, in casework.Intake, all []replica.Setting) error {
	o.taking.Lock()
	defer o.taking.Unlock()
	keys, err := o.Keys(in)
	if err != nil {
		return err
	}
	key := fetchedOf(keys.ID())
	f := readFetched(o.Rep.Value(key))
	// What the meeting before took in. It is forgotten there only when it is with colleagues: a desk that breaks down
	// in between loses nothing.
	if len(f.Sums) > 0 {
		if o.Rep.Status().Unsent > 0 {
			return nil // not with colleagues yet
		}
		var sums [][32]byte
		for _, h := range f.Sums {
			if b, err := hex.DecodeString(h); err == nil && len(b) == 32 {
				sums = append(sums, [32]byte(b))
			}
		}
		if err := o.Rep.Reports().DropReports(ctx, in.Circle, keys, 0, sums...); err != nil {
			return err
		}
	}
	today := krama.DayOf(o.Now())
	if f.Day != today {
		f.Day, f.Taken = today, 0
	}
	f.Sums = nil
	// Its own bound for the day, and what its circle's leaves.
	most := min(TakeDaily, f.Taken+max(0, TakeCircle-o.takenToday(all, today)))
	// Answer by answer. After each, what was taken in is made durable, so that a cut meeting goes on from there.
	for size, after := 0, int64(0); f.Taken < most && size < fetchBytes; {
		list, waiting, err := o.Rep.Reports().FetchReports(ctx, in.Circle, keys, after)
		if err != nil {
			return err
		}
		var shut []krama.RecordID // of this answer: they are kept before the relay may forget them
		for _, x := range list[:min(len(list), most-f.Taken)] {
			opened, err := o.takeReport(in, keys, x)
			if err != nil {
				return err
			}
			// It does not open. That it came is kept, and staff are shown how many did.
			if id := ReportRecord(x.Sealed, 0); !opened && !o.State.Took(id) {
				shut = append(shut, id)
			}
			sum := sha256.Sum256(x.Sealed)
			f.Sums, f.Taken = append(f.Sums, hex.EncodeToString(sum[:])), f.Taken+1
			after, size, waiting = x.K, size+len(x.Sealed), waiting-1
		}
		if err := o.keepTaken(in, krama.TakenUnopened, shut); err != nil {
			return err
		}
		f.Waiting = max(0, waiting)
		if err := o.Rep.SetValue(key, f.String()); err != nil {
			return err
		}
		if len(list) == 0 || waiting <= 0 {
			return nil
		}
	}
	return o.Rep.SetValue(key, f.String())
}

// ReportRecord is the id of the record of a part of a report: the report's own, so that two desks that fetch it keep
// one.
func ReportRecord(sealed []byte, part int) krama.RecordID {
	h := seal.Hash("report record", sealed, []byte{byte(part)})
	return krama.RecordID(h[:16])
}

// keepTaken keeps what became of an intake's reports. Its ids follow from what it says: two desks that say it keep one.
// Where the intake's seed is destroyed there is nothing left to keep.
func (o *Office) keepTaken(in casework.Intake, what uint8, reports []krama.RecordID) error {
	for ids := range slices.Chunk(reports, krama.MaxTaken) {
		b := []byte{what}
		for _, id := range ids {
			b = append(b, id[:]...)
		}
		h := seal.Hash("report taken", b)
		err := o.Rep.Write(in.Circle, in.Subject, &krama.Record{ID: krama.RecordID(h[:16]),
			Taken: &krama.Taken{What: what, Day: o.RelayDay(), Reports: ids}})
		if err != nil && krama.KindOf(err) != krama.NotFound {
			return err
		}
	}
	return nil
}

// threadOf names the conversation that a report belongs to: one of its circle with who has these keys.
func threadOf(k krama.CircleKind, from casework.Sender) krama.ThreadID {
	h := seal.Hash("thread", []byte{byte(k)}, from.KEM, from.Auth[:], from.Mailbox[:])
	return krama.ThreadID(h[:16])
}

// Waiting is how many reports to a circle wait at the relay beyond what was taken in, when it was last looked.
func (o *Office) Waiting(k krama.CircleKind) (n int) {
	for _, in := range o.Intakes() {
		if keys, err := o.Keys(in); err == nil && in.Circle == k {
			n += readFetched(o.Rep.Value(fetchedOf(keys.ID()))).Waiting
		}
	}
	return n
}

// Forget has the relay forget what waits there beyond what was fetched, unread: a flood.
func (o *Office) Forget(ctx context.Context) (failed error) {
	if o.Rep.Status().Unsent > 0 { // what was fetched is with colleagues before the relay forgets it
		if err := o.Rep.Sync(ctx, nil); err != nil {
			return err
		}
		if o.Rep.Status().Unsent > 0 {
			return krama.E("office.Forget", krama.Conflict, "something is not sent yet")
		}
	}
	o.taking.Lock()
	defer o.taking.Unlock()
	for _, in := range o.Intakes() {
		keys, err := o.Keys(in)
		if err == nil {
			// Up to a place that no report ever has.
			err = o.Rep.Reports().DropReports(ctx, in.Circle, keys, 1<<62)
		}
		if err == nil {
			f := readFetched(o.Rep.Value(fetchedOf(keys.ID())))
			f.Waiting = 0
			err = o.Rep.SetValue(fetchedOf(keys.ID()), f.String())
		}
		failed = cmp.Or(failed, err)
	}
	return failed
}

// takeReport opens one report and keeps it. One that says nothing is left out; one that was taken in before, and may be
// erased since, is not taken in again. It reports whether it opened.
func (o *Office) takeReport(in casework.Intake, keys *seal.IntakeKeys, x replica.Incoming) (opened bool, err error) {
	m, err := seal.OpenReport(keys, o.Rep.Site(), x.Sealed)
	if err != nil {
		return false, nil
	}
	if m.Mailbox == ([16]byte{}) || strings.TrimSpace(m.Text) == "" {
		return true, nil
	}
	if o.State.Ended(ReportRecord(x.Sealed, 0)) {
		return true, nil // its conversation is erased
	}
	// What a stranger sent is brought into the vocabulary, so that a record can hold it.
	topic := m.Topic
	if !krama.Known(krama.ReportTopics, topic) {
		topic = krama.ReportTopics[0].Code
	}
	place := m.Place
	if _, ok := o.Guide.District(place); !ok { // a stranger's number
		place = 0
	}
	// Who writes again with the same keys goes on with her conversation, under its subject.
	id := threadOf(in.Circle, casework.Sender{KEM: m.KEM, Auth: m.Auth, Mailbox: m.Mailbox})
	var who krama.SubjectID
	if t := o.State.Thread(id); t != nil && t.Circle == in.Circle {
		who = t.Subjects[0]
	} else if who, err = o.Rep.NewSubject(); err != nil {
		return true, err
	}
	var recs []*krama.Record
	// A message may be longer than a record. Each part's id follows from the sealed bytes: two desks keep one.
	for i, part := range parts(krama.Lines(m.Text), krama.MaxReportPart) {
		rid := ReportRecord(x.Sealed, i)
		if o.State.Took(rid) {
			continue
		}
		rec := &krama.Report{Thread: id, Mailbox: m.Mailbox, Auth: m.Auth, Intake: keys.ID(),
			Day: min(max(x.Day, in.From-1), o.RelayDay()+1), Topic: topic, Part: uint8(i), Text: part, Place: place}
		if rec.N = uint32(x.K); i == 0 {
			rec.KEM = m.KEM
		} else {
			rec.Of = ReportRecord(x.Sealed, 0)
		}
		recs = append(recs, &krama.Record{ID: rid, Report: rec})
	}
	if len(recs) == 0 {
		return true, nil
	}
	return true, o.Rep.Write(in.Circle, who, recs...)
}

// parts cuts a text into pieces of at most max bytes, at letters' ends.
func parts(s string, max int) (out []string) {
	for len(s) > max {
		cut := max
		// Back to where a letter begins.
		for cut > 0 && s[cut]&0xc0 == 0x80 {
			cut--
		}
		out, s = append(out, s[:cut]), s[cut:]
	}
	return append(out, s)
}
