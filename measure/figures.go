package measure

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strconv"

	"krama"
	"krama/guide"
	"krama/locale"
)

// Figures are what a programme shows outside for a period. Everything in them is under disclosure control.
// KP is not: it is the count as it was made, small numbers too. A page takes from it which window was left out, and
// nothing else of it may leave.
type Figures struct {
	Period krama.Period
	KP     *KPPrev
	Groups []uint8 // reporting categories, rows of Table
	Table  Table   // groups and total, by testing services and total, suppressed
	Given  *Distributed
	Places []uint16
	Left   []Cell // reached but not counted, suppressed: no offer, only offer, recent, no category
}

// Cover hides of a period's counts what must be hidden.
func Cover(g *guide.Guide, p krama.Period, kp *KPPrev, n Counts) *Figures {
	r := &Figures{Period: p, KP: kp}
	var rows [][]int
	// Each group of the rule has a row, also where nobody was met.
	for _, c := range g.KPPrev.Categories {
		x := n.Cross[c]
		r.Groups, rows = append(r.Groups, c), append(rows, x[:])
	}
	r.Table = NewTable(rows).Suppress()
	// A table of one row: these are people as well.
	r.Left = NewTable([][]int{n.Left[:]}).Suppress()[0]
	r.Given = n.Given.Cover()
	for d := range r.Given.ByPlace {
		r.Places = append(r.Places, d)
	}
	slices.Sort(r.Places)
	return r
}

// Text is a cell's text: a number, or one mark for all that are hidden. Two marks, for a small one and for one that
// protects it, would give the small one away: of "small" and "not small" that are six together one is 1.
func (c Cell) Text(mark string) string {
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

// CSV writes figures in long form: one row a number. It holds no cell that a spreadsheet would run.
func (r *Figures) CSV(g *guide.Guide, demo bool) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	row := func(f ...string) { w.Write(f) }
	row("indicator", "version", "from", "to", "place", "group", "disaggregate", "value", "data")
	data := "programme"
	if demo {
		data = "DEMO"
	}
	// KH-10 is the province, as Codebook says.
	from, to := r.Period.From.String(), r.Period.To.String()
	for i := range r.Table {
		group := "total"
		if i < len(r.Groups) {
			group = krama.KeyOf(krama.Categories, r.Groups[i])
		}
		for j, c := range r.Table[i] {
			if j == 0 { // outreach records hold no status: nothing is known, which is not zero
				row(g.KPPrev.Indicator, g.KPPrev.Version, from, to, "KH-10", group, testingKeys[j], "", data)
				continue
			}
			row(g.KPPrev.Indicator, g.KPPrev.Version, from, to, "KH-10", group, testingKeys[j], c.Text("*"), data)
		}
	}
	for _, t := range krama.Commodities {
		row("DISTRIBUTED", "1", from, to, "KH-10", "total", t.Key, pieces(r.Given.Pieces[t.Code],
			r.Given.Hidden[t.Code], "*"), data)
	}
	for _, d := range r.Places {
		for _, t := range krama.Commodities {
			row("DISTRIBUTED", "1", from, to, strconv.Itoa(int(d)), "total", t.Key, pieces(r.Given.ByPlace[d][t.Code],
				r.Given.HiddenAt[d][t.Code], "*"), data)
		}
	}
	w.Flush()
	return b.Bytes(), krama.Wrap("measure.CSV", w.Error())
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
		{"value", "*", "Hidden: it stands for one to four people, or would give away another that does",
			"disclosure control"},
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
	return b.Bytes(), krama.Wrap("measure.Codebook", w.Error())
}

// testingKeys name the columns of the table in exports.
var testingKeys = []string{"known_positive", "newly_tested_or_referred", "declined", "total"}
