package web

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"krama"
)

// wrong says which field of a form does not fit, and why: the keys of the sentence and of the field's label, what was
// typed, and a bound. The zero value names none.
type wrong struct {
	key, field, typed string
	n                 int
}

// contactWrong finds the field of a contact that does not fit.
func contactWrong(f url.Values, today krama.Day) wrong {
	// It looks for what readContact and Validate refuse and a person can have typed. What was chosen from a list fits.
	at := f.Get("date")
	date, err := krama.ParseDay(at)
	if err != nil {
		return wrong{"wrong.date", "contact.date", at, 0}
	}
	if date < krama.Date(2000, 1, 1) { // as records say it
		return wrong{"wrong.past", "contact.date", at, 0}
	}
	if date > today {
		return wrong{"wrong.ahead", "contact.date", at, 0}
	}
	// As it was typed, after Plain: digits of any script are numbers.
	number := func(name, label string, most int) wrong {
		in := strings.TrimSpace(krama.Plain(f.Get(name)))
		n, err := strconv.Atoi(in)
		switch {
		case in == "":
		case err != nil || n < 0:
			return wrong{"wrong.number", label, in, 0}
		case n > most:
			return wrong{"wrong.much", label, in, most}
		}
		return wrong{}
	}
	for _, t := range krama.Commodities {
		if w := number("given-"+t.Key, "commodity."+t.Key, krama.MaxPieces); w.key != "" {
			return w
		}
	}
	if w := number("group", "contact.group", krama.MaxGroup); w.key != "" {
		return w
	}
	// A number of days is chosen and cannot be wrong; a day is typed.
	if until := f.Get("until"); until != "" {
		switch next, err := krama.ParseDay(until); {
		case err != nil:
			return wrong{"wrong.date", "contact.next", until, 0}
		case next <= date:
			return wrong{"wrong.before", "contact.next", until, 0}
		case next > date+krama.MaxAhead:
			return wrong{"wrong.far", "contact.next", until, krama.MaxAhead}
		}
	}
	return wrong{}
}

// personWrong finds what is not chosen in a registration.
func personWrong(f url.Values) wrong {
	// Languages may be left out. One is told at a time.
	for _, name := range []string{"gender", "age", "category", "district"} {
		if f.Get(name) == "" {
			return wrong{"wrong.choose", "person." + name, "", 0}
		}
	}
	return wrong{}
}

// wrongText is the sentence, or otherwise's where no field is named.
func wrongText(ctx context.Context, w wrong, otherwise string) string {
	if w.key == "" {
		return tr(ctx, otherwise)
	}
	return tr(ctx, w.key, "field", tr(ctx, w.field), "what", w.typed, "n", w.n) + " " + tr(ctx, "wrong.kept")
}
