package web

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strconv"

	"krama"
	"krama/casework"
	"krama/guide"
	"krama/locale"
	"krama/measure"
	"krama/replica"
	"krama/seal"
	"krama/web/http"
)

// Report is what a programme shows outside for a period. Everything in it is under disclosure control.
type Report struct {
	Period krama.Period
	KP     *measure.KPPrev
	Groups []uint8       // reporting categories, rows of Table
	Table  measure.Table // groups and total, by testing services and total, suppressed
	Given  *measure.Distributed
	Places []uint16
	Left   []measure.Cell // reached but not counted, suppressed: no offer, only offer, recent, no category
}

// count counts a period.
func count(g *guide.Guide, st *casework.State, p krama.Period, today krama.Day) (*measure.KPPrev, measure.Counts) {
	kp := measure.Count(&g.KPPrev, p, func(yield func(*measure.Reached)) {
		var one measure.Reached
		st.EachPerson(today, func(who *krama.Person, counted bool, contacts []krama.Contact) {
			if counted {
				one = measure.Reached{Category: who.Category, Contacts: contacts}
				yield(&one)
			}
		})
	})
	return kp, measure.Counts{Cross: kp.Cross, Left: [4]int{kp.NoOffer, kp.OnlyOffer, kp.Recent, kp.NoCategory},
		Given: measure.Distribution(p, func(yield func(krama.SubjectID, *krama.Contact)) {
			st.EachContact(func(c *casework.Contact) { yield(c.Subject, &c.Contact) })
		})}
}

// Compile counts a period as it may leave when nothing of it has left before.
func Compile(g *guide.Guide, st *casework.State, p krama.Period, today krama.Day) *Report {
	kp, c := count(g, st, p, today)
	return cover(g, p, kp, c)
}

// cover hides what must be hidden.
func cover(g *guide.Guide, p krama.Period, kp *measure.KPPrev, n measure.Counts) *Report {
	r := &Report{Period: p, KP: kp}
	var rows [][]int
	for _, c := range g.KPPrev.Categories {
		x := n.Cross[c]
		r.Groups, rows = append(r.Groups, c), append(rows, x[:])
	}
	r.Table = measure.NewTable(rows).Suppress()
	r.Left = measure.NewTable([][]int{n.Left[:]}).Suppress()[0]
	r.Given = n.Given.Cover()
	for d := range r.Given.ByPlace {
		r.Places = append(r.Places, d)
	}
	slices.Sort(r.Places)
	return r
}

// releasedKey holds what this desk released of a period last, whether others heed it or not.
func releasedKey(p krama.Period) string { return ".released/" + p.From.String() }

// Released compiles a period that is over as it may follow what this desk and admins' desks released of it before, and remembers it when it
// leaves now: here, and where this is an admin's desk on all others. Another period is Invalid. What a colleague released and this desk has
// not received yet it cannot heed.
func Released(g *guide.Guide, st *casework.State, rep *replica.Replica, p krama.Period, today krama.Day, leaves bool) (*Report, error) {
	const op = "web.Released"
	if !measure.Offered(&g.KPPrev, p, today) {
		return nil, krama.E(op, krama.Invalid, "the period")
	}
	kp, c := count(g, st, p, today)
	before := releases(st, rep, p)
	for _, old := range before {
		c = c.Hold(old)
	}
	if leaves {
		b, err := krama.EncodeValue(c)
		if err != nil {
			return nil, krama.Wrap(op, err)
		}
		if !slices.ContainsFunc(before, func(old measure.Counts) bool { return sameCounts(b, old) }) || rep.Value(releasedKey(p)) != string(b) {
			id, err := rep.NewRecord()
			if err == nil {
				err = rep.Write(krama.KindOutreach, krama.SubjectID{}, &krama.Record{ID: id, Released: &krama.Released{From: p.From, To: p.To, Counts: b}})
			}
			if kind := krama.KindOf(err); err != nil && kind != krama.NotAllowed && kind != krama.Invalid && kind != krama.TooLarge {
				return nil, err
			}
			// Last, so that a try that failed in between tells the others at the next.
			if err := rep.SetValue(releasedKey(p), string(b)); err != nil {
				return nil, err
			}
		}
	}
	return cover(g, p, kp, c), nil
}

// releases are what was released of a period last: by an admin's desk, as its record says, and by this one. What another writes, or what
// cannot be counts, rules nothing: it could move a report's numbers.
func releases(st *casework.State, rep *replica.Replica, p krama.Period) (out []measure.Counts) {
	take := func(b []byte) bool {
		var c measure.Counts
		if krama.DecodeValue(b, &c) != nil || !c.Sound() {
			return false
		}
		out = append(out, c)
		return true
	}
	for _, r := range st.Released(p) {
		admin := false
		rep.Roster(func(ro *seal.Roster) {
			if d := ro.Devices[r.Author]; d != nil { // also of one who has left since
				admin = ro.Members[d.Member] != nil && (ro.Members[d.Member].Roles|ro.Members[d.Member].Held)&krama.RoleAdmin != 0
			}
		})
		if admin && take(r.Counts) {
			break
		}
	}
	if v := rep.Value(releasedKey(p)); v != "" {
		take([]byte(v))
	}
	return out
}

func sameCounts(b []byte, c measure.Counts) bool {
	was, err := krama.EncodeValue(c)
	return err == nil && bytes.Equal(b, was)
}

// shownPeriods is how many periods the page offers.
const shownPeriods = 8

// period is the one that was asked for, the latest that is over when none was.
func (s *Server) period(r *http.Request) (krama.Period, bool) {
	f := form(r)
	if !f.Has("from") {
		return measure.Closed(&s.Guide.KPPrev, s.today(), 1)[0], true
	}
	from, err := krama.ParseDay(f.Get("from"))
	p := measure.Window(&s.Guide.KPPrev, from)
	to, err2 := p.To, error(nil)
	if f.Has("to") {
		to, err2 = krama.ParseDay(f.Get("to"))
	}
	return p, err == nil && err2 == nil && p == krama.Period{From: from, To: to} && measure.Offered(&s.Guide.KPPrev, p, s.today())
}

func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	p, ok := s.period(r)
	if !ok {
		p = measure.Closed(&s.Guide.KPPrev, s.today(), 1)[0]
	}
	rep, err := Released(s.Guide, s.state, s.rep, p, s.today(), false)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.page(w, r, 200, "report.title", "report", reportView(s, rep, !ok))
}

func (s *Server) reportCSV(w http.ResponseWriter, r *http.Request) {
	p, ok := s.period(r)
	if !ok {
		s.fail(w, r, krama.E("web.reportCSV", krama.Invalid, "period"))
		return
	}
	rep, err := Released(s.Guide, s.state, s.rep, p, s.today(), true)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	b, err := CSV(s.Guide, rep, s.Demo)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="report-`+p.From.String()+`-`+p.To.String()+`.csv"`)
	w.Write(b)
}

// shown is a cell's text in a report: a number, or one mark for all that are hidden. Two marks, for a small one and for one that protects
// it, would give the small one away: of "small" and "not small" that are six together one is 1.
func shown(c measure.Cell, mark string) string {
	if !c.Hidden {
		return strconv.Itoa(c.N)
	}
	return mark
}

// pieces is a number of pieces, or a mark for one that is hidden.
func pieces(n int64, hidden bool, mark string) string {
	if hidden {
		return mark
	}
	return strconv.FormatInt(n, 10)
}

// given is pieces for a page.
func given(n int64, hidden bool) string {
	if hidden {
		return "∗"
	}
	return num(n)
}

// testingKeys name the columns of the table in exports.
var testingKeys = []string{"known_positive", "newly_tested_or_referred", "declined", "total"}

// CSV writes a report in long form: one row a number. It holds no cell that a spreadsheet would run.
func CSV(g *guide.Guide, r *Report, demo bool) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	row := func(f ...string) { w.Write(f) }
	row("indicator", "version", "from", "to", "place", "group", "disaggregate", "value", "data")
	data := "programme"
	if demo {
		data = "DEMO"
	}
	from, to := r.Period.From.String(), r.Period.To.String()
	for i := range r.Table {
		group := "total"
		if i < len(r.Groups) {
			group = key(krama.Categories, r.Groups[i])
		}
		for j, c := range r.Table[i] {
			if j == 0 { // outreach records hold no status: nothing is known, which is not zero
				row(g.KPPrev.Indicator, g.KPPrev.Version, from, to, "KH-10", group, testingKeys[j], "", data)
				continue
			}
			row(g.KPPrev.Indicator, g.KPPrev.Version, from, to, "KH-10", group, testingKeys[j], shown(c, "*"), data)
		}
	}
	for _, t := range krama.Commodities {
		row("DISTRIBUTED", "1", from, to, "KH-10", "total", t.Key, pieces(r.Given.Pieces[t.Code], r.Given.Hidden[t.Code], "*"), data)
	}
	for _, d := range r.Places {
		for _, t := range krama.Commodities {
			row("DISTRIBUTED", "1", from, to, strconv.Itoa(int(d)), "total", t.Key, pieces(r.Given.ByPlace[d][t.Code], r.Given.HiddenAt[d][t.Code], "*"), data)
		}
	}
	w.Flush()
	return b.Bytes(), krama.Wrap("web.CSV", w.Error())
}

func key(list []krama.Term, code uint8) string {
	for _, t := range list {
		if t.Code == code {
			return t.Key
		}
	}
	return strconv.Itoa(int(code))
}

func (s *Server) codebook(w http.ResponseWriter, r *http.Request) {
	b, err := Codebook(s.Guide, locale.New("en"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="codebook.csv"`)
	w.Write(b)
}

// Codebook explains every column and code of CSV.
func Codebook(g *guide.Guide, p *locale.Printer) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{
		{"column", "value", "meaning", "source"},
		{"indicator", g.KPPrev.Indicator, p.T("report.kpprev"), g.KPPrev.Source + " " + g.KPPrev.Version},
		{"indicator", "DISTRIBUTED", "Pieces given by hand to people met in outreach", "programme"},
		{"from, to", "", "First and last local day of the period, both included, UTC+7", ""},
		{"place", "KH-10", "Kratie province", "ISO 3166-2"},
		{"value", "", "Not known: outreach records hold no HIV status", ""},
		{"value", "*", "Hidden: it stands for one to four people, or would give away another that does", "disclosure control"},
		{"data", "DEMO", "Invented data", ""},
	}
	for _, d := range g.Province.Districts {
		rows = append(rows, []string{"place", strconv.Itoa(int(d.Code)), d.EN, g.Province.Source})
	}
	for _, t := range krama.Categories {
		rows = append(rows, []string{"group", t.Key, p.T("category." + t.Key), g.KPPrev.Source})
	}
	for i, k := range testingKeys[:3] {
		rows = append(rows, []string{"disaggregate", k, p.T("report.testing." + strconv.Itoa(i)), g.KPPrev.Source})
	}
	for _, t := range krama.Commodities {
		rows = append(rows, []string{"disaggregate", t.Key, p.T("commodity." + t.Key), ""})
	}
	w.WriteAll(rows)
	return b.Bytes(), krama.Wrap("web.Codebook", w.Error())
}
