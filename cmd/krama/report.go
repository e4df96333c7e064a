package main

import (
	"context"
	"time"

	"krama"
	"krama/guide"
	"krama/locale"
	"krama/measure"
)

var reportCommand = command{"report", "write a report as CSV", `Usage: krama report --from YYYY-MM-DD --to YYYY-MM-DD [--data DIR] [--codebook]

Unlocks the desk with four words from standard input and writes KP_PREV and commodities of the
period, both days included, as CSV on standard output. The period is a reporting half-year that is
over: October to March or April to September. Counts of 1 to 4 are hidden; what came in late since
an earlier report of the same period counts once it is five people or more.

  --codebook   write what the columns and codes mean instead; needs no words
`, nil}

// writeReport runs `krama report`.
func writeReport(ctx context.Context, e *env, args []string) error {
	f := e.flags(reportCommand)
	from, to, data, book := f.String("from", "", ""), f.String("to", "", ""), f.String("data", "", ""),
		f.Bool("codebook", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	g, err := guide.Load()
	if err != nil {
		return err
	}
	// Before a desk is unlocked: the codebook holds nothing of a programme.
	if *book {
		b, err := measure.Codebook(g, locale.New("en"))
		if err == nil {
			_, err = e.out.Write(b)
		}
		return err
	}
	a, err1 := krama.ParseDay(*from)
	b, err2 := krama.ParseDay(*to)
	if err1 != nil || err2 != nil || a > b {
		return hint{krama.E("report", krama.Invalid, "the period"), "for example --from 2026-04-01 --to 2026-09-30"}
	}
	r, st, err := openDesk(e, *data)
	if err != nil {
		return err
	}
	defer r.Close()
	// It leaves now, so what it says is kept, here and on other admins' desks: a later report of the same period must
	// not give somebody away by its difference.
	rep, err := deskOffice(g, r, st).Released(krama.Period{From: a, To: b}, krama.DayOf(time.Now()), true)
	if err != nil {
		// The newest window that is over, so that the hint can be typed as it stands.
		last := measure.Closed(&g.KPPrev, krama.DayOf(time.Now()), 1)[0]
		return hint{err, "only whole reporting half-years that are over leave, for example --from " +
			last.From.String() + " --to " + last.To.String()}
	}
	out, err := rep.CSV(g, false)
	if err == nil {
		_, err = e.out.Write(out)
	}
	return err
}
