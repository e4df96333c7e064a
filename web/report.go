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

// Compile counts a period.
func Compile(g *guide.Guide, st *casework.State, p krama.Period) *Report {
	r := &Report{Period: p}
	r.KP = measure.Count(&g.KPPrev, p, func(yield func(*measure.Reached)) {
		var one measure.Reached
		st.EachPerson(func(who *krama.Person, counted bool, contacts []krama.Contact) {
			if counted {
				one = measure.Reached{Category: who.Category, Contacts: contacts}
				yield(&one)
			}
		})
	})
	var rows [][]int
	for _, c := range g.KPPrev.Categories {
		x := r.KP.Cross[c]
		r.Groups, rows = append(r.Groups, c), append(rows, x[:])
	}
	r.Table = measure.NewTable(rows).Suppress()
	left := measure.NewTable([][]int{{r.KP.NoOffer, r.KP.OnlyOffer, r.KP.Recent, r.KP.NoCategory}}).Suppress()
	r.Left = left[0]
	r.Given = measure.Distribution(p, func(yield func(*krama.Contact)) {
		st.EachContact(func(c *casework.Contact) { yield(&c.Contact) })
	})
	for d := range r.Given.ByPlace {
		r.Places = append(r.Places, d)
	}
	slices.Sort(r.Places)
	return r
}

func (s *Server) period(r *http.Request) (krama.Period, bool) {
	f := form(r)
	if !f.Has("from") {
		w := measure.Window(&s.Guide.KPPrev, s.today())
		return w, true
	}
	from, err1 := krama.ParseDay(f.Get("from"))
	to, err2 := krama.ParseDay(f.Get("to"))
	return krama.Period{From: from, To: to}, err1 == nil && err2 == nil && from <= to && to-from < 3660
}

func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	p, ok := s.period(r)
	if !ok {
		p = measure.Window(&s.Guide.KPPrev, s.today())
	}
	s.page(w, r, 200, "report.title", "report", reportView(s, Compile(s.Guide, s.state, p), !ok))
}

func (s *Server) reportCSV(w http.ResponseWriter, r *http.Request) {
	p, ok := s.period(r)
	if !ok {
		s.fail(w, r, krama.E("web.reportCSV", krama.Invalid, "period"))
		return
	}
	b, err := CSV(s.Guide, Compile(s.Guide, s.state, p), s.Demo)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="report-`+p.From.String()+`-`+p.To.String()+`.csv"`)
	w.Write(b)
}

// shown is a cell's text in a report: a number, "<5", or "*" for one that is hidden to protect another.
func shown(c measure.Cell, also string) string {
	switch {
	case !c.Hidden:
		return strconv.Itoa(c.N)
	case c.N > 0 && c.N < 5:
		return "<5"
	}
	return also
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
		row("DISTRIBUTED", "1", from, to, "KH-10", "total", t.Key, strconv.FormatInt(r.Given.Pieces[t.Code], 10), data)
	}
	for _, d := range r.Places {
		for _, t := range krama.Commodities {
			row("DISTRIBUTED", "1", from, to, strconv.Itoa(int(d)), "total", t.Key, strconv.FormatInt(r.Given.ByPlace[d][t.Code], 10), data)
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
		{"value", "<5", "A count of 1 to 4, hidden", "disclosure control"},
		{"value", "", "Not known: outreach records hold no HIV status", ""},
		{"value", "*", "Hidden because it would give a hidden count away", "disclosure control"},
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
