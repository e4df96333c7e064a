package door

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"krama"
	"krama/directory"
	"krama/locale"
)

// text is a page about rights in one language.
type text struct {
	Topic, Title, Source, By string
	Body                     []string
	On                       krama.Day // 0: a draft
}

// view is everything the pages of one language show.
type view struct {
	// A view is made for one building of pages and thrown away. all is what is being built.
	*Door
	p        *locale.Printer
	all      *pages
	listings []directory.View
	texts    []text
	intakes  []directory.Intake
}

// view gathers what the pages of a language show: what the door says of today, and of texts about rights those that
// somebody has reviewed.
func (d *Door) view(p *pages, lang string) *view {
	v := &view{Door: d, p: locale.New(lang), all: p, listings: p.door.Views(p.today), intakes: p.door.Offered(p.today)}
	for _, t := range d.Rights {
		// In the order of the shipped topics; what a door has beyond them is not shown.
		x := text{Topic: t.Topic, Title: t.Title.In(lang)}
		for _, r := range p.door.Rights {
			if r.Topic == t.Topic && r.Lang == lang && r.On > 0 && r.On <= p.today+1 {
				x.Body, x.Source, x.By, x.On = strings.Split(r.Body, "\n"), r.Source, r.By, r.On
			}
		}
		if x.On == 0 && d.Drafts {
			x.Body, x.Source = strings.Split(t.Body.In(lang), "\n"), t.Source
		}
		// A topic without a text has no page and no line in the index.
		if len(x.Body) > 0 {
			v.texts = append(v.texts, x)
		}
	}
	return v
}

// places are the districts that can be chosen, everywhere first.
func (v *view) places() []uint16 {
	out := []uint16{0}
	for _, d := range v.Guide.Province.Districts {
		out = append(out, uint16(d.Code))
	}
	return out
}

// t is a sentence in the view's language.
func (v *view) t(k string, args ...any) string { return v.p.T(k, args...) }

// q is the name of a page in the view's language, as a button sends it.
func (v *view) q(page string, n int, place uint16) string {
	return key{page, n, place, v.p.Lang}.String()
}

// place names a district, or says that it is everywhere.
func (v *view) place(code uint16) string {
	if d, ok := v.Guide.District(code); ok {
		return d.Name(v.p.Lang)
	}
	return v.t("door.anywhere")
}

// index is a listing's number among the pages about the police.
func (v *view) index(l directory.View) int {
	for i := range v.listings {
		if v.listings[i].Key == l.Key {
			return i + 1
		}
	}
	return 0
}

// terms names the codes of a set in words.
func (v *view) terms(prefix string, list []krama.Term, s krama.Set) string {
	out := krama.KeysOf(list, s)
	for i, key := range out {
		out[i] = v.t(prefix + "." + key)
	}
	return strings.Join(out, ", ")
}

// term names one code, "" where this version does not know it.
func (v *view) term(prefix string, list []krama.Term, code uint8) string {
	if !krama.Known(list, code) {
		return ""
	}
	return v.t(prefix + "." + krama.KeyOf(list, code))
}

// date writes a day the way people here do: 31/03/2026.
func date(d krama.Day) string { return d.Time().Format("02/01/2006") }

// status says how far a listing can be believed. Of one that nobody has verified the source is told.
func (v *view) status(l directory.View) string {
	switch l.Status {
	case directory.Fresh:
		return v.t("door.verified", "date", date(l.Verified))
	case directory.Doubted:
		return v.t("door.doubted")
	case directory.Stale:
		return v.t("door.stale", "date", date(l.Verified))
	}
	return v.t("door.unverified", "source", l.Source)
}

// hours are opening times in words, a line for each set of days.
func (v *view) hours(l directory.View) []string {
	var out []string
	for _, h := range l.Hours {
		if h.Always() {
			return []string{v.t("door.always")}
		}
		var days []string
		for _, run := range h.Runs() {
			day := v.t("door.day." + strconv.Itoa(int(run[0])))
			if run[1] > run[0] {
				day += "–" + v.t("door.day."+strconv.Itoa(int(run[1])))
			}
			days = append(days, day)
		}
		out = append(out, strings.Join(days, ", ")+" "+krama.Clock(h.Open)+"–"+krama.Clock(h.Close))
	}
	return out
}

// tel is what a phone dials.
func tel(number string) string {
	return strings.NewReplacer(" ", "").Replace(number)
}

// dial is what a number does when it is tapped: a call or a message, as the service wants to be reached.
func dial(p krama.Phone) templ.SafeURL {
	if p.Use == krama.UseMessage {
		return templ.SafeURL("sms:" + tel(p.Number))
	}
	return templ.SafeURL("tel:" + tel(p.Number))
}

// police reports whether the police run a service: their pages say so before any number.
func (v *view) police(l directory.View) bool { return l.Operator == krama.OperatorPolice }

// believed reports whether one of the listings is verified.
func (v *view) believed(ls []directory.View) bool { return directory.Believed(ls) }

// answers are the few listings for a need in a place.
func (v *view) answers(need krama.Term, place uint16) []directory.View {
	return directory.Answers(v.listings, need.Code, place)
}

// differs reports whether a district has other answers than the whole province.
func (v *view) differs(need krama.Term, place uint16) bool {
	a, b := v.answers(need, 0), v.answers(need, place)
	if len(a) != len(b) {
		return true
	}
	for i := range a {
		if a[i].Key != b[i].Key {
			return true
		}
	}
	return false
}

// circleName tells whoever reports who will read it.
func (v *view) circleName(k krama.CircleKind) string {
	return v.t("door.intake." + cmp.Or(map[krama.CircleKind]string{krama.KindSafeguarding: "safeguarding"}[k],
		"casework"))
}

// style is the one style sheet, inside the page: a file of its own would cost a slow line one more wait.
func style() templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "<style>"+css+"</style>")
		return err
	})
}

// slipPattern has a browser without script hold back what cannot be a slip's code: words, names, numbers of another
// length. Whether the check character fits is found by the page's script, and else here.
const slipPattern = `[\-\s\u200b-\u200f\u2010-\u2015\u2060\ufeff]*([0-9០-៩A-TV-Za-tv-z][\-\s\u200b-\u200f\u2010-\u2015\u2060\ufeff]*){12}`

// The forms in which a page carries ids and keys to its scripts.
func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
func hx(b []byte) string  { return hex.EncodeToString(b) }
func itoa(n int) string   { return strconv.Itoa(n) }
