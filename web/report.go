package web

import (
	"krama"
	"krama/locale"
	"krama/measure"
	"krama/web/http"
)

// period is the one that was asked for, the latest that is over when none was.
func (s figurePages) period(r *http.Request) (krama.Period, bool) {
	f := posted(r)
	// The rule's latest window that is over: the numbers of one that is not still grow.
	if !f.Has("from") {
		return measure.Closed(&s.Guide.KPPrev, s.today(), 1)[0], true
	}
	from, err := krama.ParseDay(f.Get("from"))
	p := measure.Window(&s.Guide.KPPrev, from)
	// The form of the file names both ends. They must be those of one window, and of one that is over: with periods of
	// anybody's choice two files would give away by difference who was met on a day.
	to, err2 := p.To, error(nil)
	if f.Has("to") {
		to, err2 = krama.ParseDay(f.Get("to"))
	}
	return p, err == nil && err2 == nil && p == krama.Period{From: from, To: to} && measure.Offered(&s.Guide.KPPrev,
		p, s.today())
}

// report shows the figures of a period as they may leave.
func (s figurePages) report(w http.ResponseWriter, r *http.Request) {
	p, ok := s.period(r)
	if !ok {
		p = measure.Closed(&s.Guide.KPPrev, s.today(), 1)[0]
	}
	// Looking releases nothing: the page may be drawn as often as it likes.
	rep, err := s.office.Released(p, s.today(), false)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.page(w, r, 200, "report.title", "report", reportView(rep, !ok))
}

// reportCSV gives the figures as a file. What leaves is remembered, so that a later file does not give away by
// difference what this one withheld.
func (s figurePages) reportCSV(w http.ResponseWriter, r *http.Request) {
	p, ok := s.period(r)
	if !ok {
		s.fail(w, r, krama.E("web.reportCSV", krama.Invalid, "period"))
		return
	}
	// Remembered before the file is given: one that could not be remembered does not leave.
	rep, err := s.office.Released(p, s.today(), true)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	b, err := rep.CSV(s.Guide, s.Demo)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="report-`+p.From.String()+`-`+p.To.String()+`.csv"`)
	w.Write(b)
}

// codebook gives the meaning of every column as a file.
func (s figurePages) codebook(w http.ResponseWriter, r *http.Request) {
	// In English, as the columns of the file are.
	b, err := measure.Codebook(s.Guide, locale.New("en"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="codebook.csv"`)
	w.Write(b)
}
