package web

import (
	"context"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"rsc.io/qr"

	"krama"
	"krama/casework"
	"krama/directory"
	"krama/locale"
	"krama/seal"
	"krama/seal/words"
)

// QR draws text as an SVG image with a quiet zone.
func QR(text string) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		code, err := qr.Encode(text, qr.M)
		if err != nil {
			return err
		}
		// Four modules of white on each side, which readers need.
		n := strconv.Itoa(code.Size + 8)
		var b strings.Builder
		b.WriteString(`<svg class="qr" viewBox="0 0 ` + n + ` ` + n + `" role="img" aria-label="QR" data-qr="` +
			templ.EscapeString(text) + `" shape-rendering="crispEdges"><rect width="` + n + `" height="` + n +
			`" fill="#fff"></rect><path fill="#000" d="`)
		// Dark on white in dark mode too: not every reader takes it the other way round.
		for y := range code.Size {
			for x := range code.Size {
				if code.Black(x, y) {
					b.WriteString("M" + strconv.Itoa(x+4) + " " + strconv.Itoa(y+4) + "h1v1h-1z")
				}
			}
		}
		b.WriteString(`"></path></svg>`)
		_, err = io.WriteString(w, b.String())
		return err
	})
}

// roleNames names roles, one behind the other.
func roleNames(ctx context.Context, roles krama.Role) string {
	var out []string
	for _, r := range roleList(roles) {
		out = append(out, tr(ctx, "role."+strconv.Itoa(int(r))))
	}
	return strings.Join(out, ", ")
}

// date writes a day the way people here do: 31/03/2026.
func date(d krama.Day) string {
	if d == 0 {
		return "–"
	}
	return d.Time().Format("02/01/2006")
}

// monthName writes a month the way people here do.
func monthName(d krama.Day) string { return d.Time().Format("01/2006") }

// when writes the time of the last sync.
func when(ctx context.Context, t, now time.Time) string {
	if t.IsZero() {
		return tr(ctx, "sync.never")
	}
	// In the programme's time, whatever the computer is set to.
	t, now = t.In(krama.Indochina), now.In(krama.Indochina)
	if t.Format("2006-01-02") == now.Format("2006-01-02") {
		return tr(ctx, "sync.today", "time", t.Format("15:04"))
	}
	return t.Format("02/01/2006 15:04")
}

// dueText says how a due day stands to today.
func dueText(ctx context.Context, next, today krama.Day) string {
	switch {
	case next == today:
		return tr(ctx, "home.dueToday")
	case next < today:
		return tr(ctx, "home.dueLate", "n", int(today-next))
	}
	return tr(ctx, "home.dueIn", "n", int(next-today))
}

// district names a district of the guide.
func district(ctx context.Context, code uint16) string {
	if d, ok := fr(ctx).Guide.District(code); ok {
		return d.Name(fr(ctx).Lang)
	}
	return tr(ctx, "person.outside")
}

// term prints a code of a closed list.
func term(ctx context.Context, prefix string, list []krama.Term, code uint8) string {
	return tr(ctx, prefix+"."+krama.KeyOf(list, code))
}

// option is one choice of a question.
type option struct {
	Value string
	Label string
	On    bool
}

// options turns a closed list into choices, those of f under name chosen.
func options(ctx context.Context, prefix string, list []krama.Term, f url.Values, name string) []option {
	var out []option
	for _, t := range list {
		v := strconv.Itoa(int(t.Code))
		out = append(out, option{v, tr(ctx, prefix+"."+t.Key), slices.Contains(f[name], v)})
	}
	return out
}

// districtOptions are the districts as choices, and elsewhere.
func districtOptions(ctx context.Context, f url.Values, name string) []option {
	var out []option
	for _, d := range fr(ctx).Guide.Province.Districts {
		v := strconv.Itoa(int(d.Code))
		out = append(out, option{v, d.Name(fr(ctx).Lang), f.Get(name) == v})
	}
	return append(out, option{"0", tr(ctx, "person.outside"), f.Get(name) == "0"})
}

// nextOptions are when to meet again, as choices.
func nextOptions(ctx context.Context, f url.Values) []option {
	var out []option
	for _, n := range nextChoices {
		v := strconv.Itoa(n)
		out = append(out, option{v, tr(ctx, "contact.next."+v), f.Get("next") == v && f.Get("until") == ""})
	}
	return out
}

// num writes a number with its thousands apart.
func num(n int64) string { return locale.Number(n) }

// summary is one line about a contact.
func summary(ctx context.Context, c *casework.Contact) string {
	parts := []string{term(ctx, "place", krama.Places, c.Place)}
	for i, n := range c.Given {
		if n > 0 {
			parts = append(parts, tr(ctx, "commodity."+krama.Commodities[i].Key)+" "+strconv.Itoa(int(n)))
		}
	}
	if c.Test != krama.TestNotOffered {
		parts = append(parts, tr(ctx, "contact.test")+": "+term(ctx, "test", krama.Tests, c.Test))
	}
	if c.Attendees > 0 {
		parts = append(parts, tr(ctx, "contact.groupOf", "n", int(c.Attendees)))
	}
	return strings.Join(parts, " · ")
}

// fieldLabel names an amended field for a dispute.
func fieldLabel(ctx context.Context, v *casework.View, d casework.Dispute) string {
	// The numbers are those of a record's fields. They mean other fields in a contact than in a registration.
	if d.Target == v.Record {
		return tr(ctx, map[uint8]string{1: "person.code", 2: "person.gender", 3: "person.age", 4: "person.languages",
			5: "person.category", 6: "person.district"}[d.Field])
	}
	return tr(ctx, map[uint8]string{1: "contact.date", 2: "contact.district", 3: "contact.place", 4: "contact.topics",
		5: "contact.given", 6: "contact.test",
		7: "contact.services", 8: "contact.safety", 9: "contact.next", 10: "contact.group",
		11: "contact.void"}[d.Field])
}

// correction is the page that corrects the record of a dispute.
func correction(v *casework.View, d casework.Dispute) string {
	if d.Target == v.Record {
		return "/person/" + v.Subject.String() + "/amend"
	}
	return "/contact/" + d.Target.String()
}

// cue tells two people of one code apart without a word about who they are.
func cue(ctx context.Context, v *casework.View) string {
	at := district(ctx, v.Value.District)
	if v.Last == 0 {
		return tr(ctx, "person.cueNever", "district", at, "registered", date(v.Value.Registered))
	}
	return tr(ctx, "person.cue", "last", date(v.Last), "district", at, "registered", date(v.Value.Registered))
}

// headText prints one standing value of a disputed field.
func headText(ctx context.Context, v *casework.View, d casework.Dispute, h casework.Head) string {
	var n uint8
	var set krama.Set
	var place uint16
	var day krama.Day
	person := d.Target == v.Record
	code := func(prefix string, list []krama.Term) string {
		if krama.DecodeValue(h.Value, &n) != nil {
			return "–"
		}
		return term(ctx, prefix, list, n)
	}
	many := func(prefix string, list []krama.Term) string {
		if krama.DecodeValue(h.Value, &set) != nil {
			return "–"
		}
		var out []string
		for _, c := range set.Codes() {
			out = append(out, term(ctx, prefix, list, c))
		}
		return strings.Join(out, ", ")
	}
	// Cases of a registration stand before those of a contact, whose fields have the same numbers.
	switch {
	case person && d.Field == 1:
		var c krama.Code
		if krama.DecodeValue(h.Value, &c) == nil {
			return c.String()
		}
	case person && d.Field == 2:
		return code("gender", krama.Genders)
	case person && d.Field == 3:
		return code("age", krama.AgeBands)
	case person && d.Field == 4:
		return many("language", krama.Languages)
	case person && d.Field == 5:
		return code("category", krama.Categories)
	case person && d.Field == 6, !person && d.Field == 2:
		if krama.DecodeValue(h.Value, &place) == nil {
			return district(ctx, place)
		}
	case d.Field == 3:
		return code("place", krama.Places)
	case d.Field == 4:
		return many("topic", krama.Topics)
	case d.Field == 6:
		return code("test", krama.Tests)
	case d.Field == 7:
		return many("service", krama.Services)
	case d.Field == 8:
		return code("safety", krama.Safety)
	case d.Field == 1, d.Field == 9:
		if krama.DecodeValue(h.Value, &day) == nil {
			return date(day)
		}
	case d.Field == 5:
		var g krama.Supplies
		if krama.DecodeValue(h.Value, &g) == nil {
			var out []string
			for i, n := range g {
				if n > 0 {
					out = append(out, tr(ctx, "commodity."+krama.Commodities[i].Key)+" "+strconv.Itoa(int(n)))
				}
			}
			return strings.Join(out, ", ")
		}
	case d.Field == 10:
		var k uint16
		if krama.DecodeValue(h.Value, &k) == nil {
			return strconv.Itoa(int(k))
		}
	}
	return "–"
}

// bytesText writes a size, rounded up.
func bytesText(n int64) string {
	switch {
	case n >= 10<<20:
		return strconv.FormatInt(n>>20, 10) + " MB"
	case n >= 1<<20:
		return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MB"
	}
	return strconv.FormatInt((n+1023)/1024, 10) + " kB"
}

// momentText writes a time given in milliseconds.
func momentText(ms uint64) string {
	return time.UnixMilli(int64(ms)).In(krama.Indochina).Format("02/01/2006 15:04")
}

// orElse is v, or other where that is empty.
func orElse(v, other string) string {
	if v == "" {
		return other
	}
	return v
}

// nextChoices are days until the next contact; 28 is offered first (contacts at least every three months, most
// monthly).
var nextChoices = []int{0, 7, 14, 28, 84}

// minutesLeft is a while in whole minutes, a begun one counted.
func minutesLeft(d time.Duration) int { return max(0, int((d+time.Minute-1)/time.Minute)) }

// listingName is what a referral was to, in words.
func listingName(e *directory.Entry, lang string) string {
	if e != nil {
		return e.Name.In(lang)
	}
	return "–"
}

// given is pieces for a page.
func given(n int64, hidden bool) string {
	if hidden {
		return "∗"
	}
	return num(n)
}

// wordCount is how many words a device is opened with.
const wordCount = words.Vault

// shownDue is how many due people the first page lists.
const shownDue = 8

// shownPeople bounds a list: a phone draws hundreds of rows slowly and nobody reads them.
const shownPeople = 60

// notSeenDays is when somebody counts as not seen: the programme's quarter.
const notSeenDays = 90

// told are the outcomes that staff hear of by themselves.
var told = []uint8{krama.OutcomeDone, krama.OutcomeCouldNot, krama.OutcomeWithdrawn}

// shownPeriods is how many periods the page offers.
const shownPeriods = 8

// removeReasons are those a person chooses from; the others the program gives by itself.
var removeReasons = []seal.Reason{seal.ReasonLost, seal.ReasonTaken, seal.ReasonLeft, seal.ReasonReplaced,
	seal.ReasonCloned}

// allRoles are the roles in the order of the page that gives them.
var allRoles = []krama.Role{krama.RoleOutreach, krama.RoleNurse, krama.RoleCaseWorker, krama.RoleSafeguarding,
	krama.RoleCoordinator, krama.RoleSteward, krama.RoleAdmin}
