package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"krama"
	"krama/directory"
)

// listingForm fills the form from a listing and its guarded part.
func listingForm(e *directory.Entry) url.Values {
	f := url.Values{"kind": {itoa(int(e.Kind))}, "operator": {itoa(int(e.Operator))}, "police": {itoa(int(e.Police))},
		"cost": {itoa(int(e.Cost))}, "source": {e.Source}, "shown": {itoa(int(e.Shown))}}
	for name, x := range map[string]krama.Words{"org": e.Org, "name": e.Name, "about": e.About, "bring": e.Bring,
		"asked": e.Asked, "address": e.Address} {
		f.Set(name+"-km", x.KM)
		f.Set(name+"-en", x.EN)
		f.Set(name+"-vi", x.VI)
	}
	for name, set := range map[string]krama.Set{"need": e.Needs, "language": e.Languages, "welcome": e.Welcome,
		"access": e.Access} {
		for _, c := range set.Codes() {
			f.Add(name, itoa(int(c)))
		}
	}
	for _, d := range e.Districts {
		f.Add("district", itoa(int(d)))
	}
	// Numbers of both parts stand in one list of the form, each with whom it is for. readListing parts them again.
	phones := slices.Clone(e.Phones)
	if e.Guarded != nil {
		phones = append(phones, e.Guarded.Phones...)
		at := "guarded" // beside an address that others may know
		// A shelter's address is in the guarded part alone, and the form shows it where an address is looked for.
		if e.Address.Empty() {
			at = "address"
			if !e.Guarded.Address.Empty() {
				f.Set("shown", "3")
			}
		}
		for lang, x := range map[string]string{"km": e.Guarded.Address.KM, "en": e.Guarded.Address.EN,
			"vi": e.Guarded.Address.VI} {
			if x != "" {
				f.Set(at+"-"+lang, x)
			}
		}
	}
	for i, p := range phones {
		f.Set("phone"+itoa(i), p.Number)
		f.Set("use"+itoa(i), itoa(int(p.Use)))
		f.Set("tier"+itoa(i), itoa(int(p.Tier)))
	}
	n := 0
	// What goes past midnight is kept as two spans and is one row here, as it was typed.
	for _, h := range krama.Nights(e.Hours) {
		// All seven days, bits 1 to 7, from midnight to midnight.
		if h.Open == 0 && h.Close == 1440 && h.Days == 0xfe {
			f.Set("always", "yes")
			continue
		}
		row := formRow(n)
		for _, d := range h.Days.Codes() {
			f.Add("day"+row, itoa(int(d)))
		}
		f.Set("open"+row, krama.Clock(h.Open))
		f.Set("close"+row, krama.Clock(h.Close))
		n++
	}
	if e.Public {
		f.Set("public", "yes")
	}
	if e.Closed {
		f.Set("closed", "yes")
	}
	return f
}

// minutes reads a time as minutes since midnight. What lies behind 24:00 is left to Validate.
func minutes(s string) (uint16, bool) {
	h, m, ok := strings.Cut(s, ":")
	a, err1 := strconv.ParseUint(h, 10, 8)
	b, err2 := strconv.ParseUint(m, 10, 8)
	return uint16(a*60 + b), ok && err1 == nil && err2 == nil && a < 25 && b < 60
}

// formRow names the fields of the n-th set of hours in the form.
func formRow(n int) string {
	if n == 0 {
		return ""
	}
	return itoa(n)
}

// formPhones and formHours are how many numbers and sets of hours the form shows: all there are and one more, four
// numbers at least.
func formPhones(f url.Values) int {
	// Counted up to the last row with a number: a gap before it stays where it was typed.
	n := 0
	for i := range 2 * krama.MaxPhones {
		if f.Get("phone"+itoa(i)) != "" {
			n = i + 1
		}
	}
	return min(max(4, n+1), 2*krama.MaxPhones)
}

func formHours(f url.Values) int {
	// Behind the last row that has days stands one empty row.
	n := 0
	for i := range krama.MaxHours {
		if len(f["day"+formRow(i)]) > 0 {
			n = i + 1
		}
	}
	return min(n+1, krama.MaxHours)
}

// readListing reads the form into the part that every phone may hold and the part that only named staff may.
func readListing(f url.Values) (l krama.Listing, g krama.Guarded) {
	code := func(name string) uint8 { n, _ := strconv.ParseUint(f.Get(name), 10, 8); return uint8(n) }
	set := func(name string) krama.Set { return readSet(f[name]) }
	words := func(name string) krama.Words {
		in := func(lang string) string { return krama.Line(f.Get(name + "-" + lang)) }
		return krama.Words{EN: in("en"), KM: in("km"), VI: in("vi")}
	}
	l = krama.Listing{Kind: code("kind"), Org: words("org"), Name: words("name"), About: words("about"),
		Operator: code("operator"), Needs: set("need"), Languages: set("language"),
		Welcome: set("welcome"), Cost: code("cost"), Bring: words("bring"), Asked: words("asked"),
		Access: set("access"), Police: code("police"), Source: krama.Line(f.Get("source")),
		Public: f.Get("public") == "yes", Closed: f.Get("closed") == "yes"}
	// The two answers have to agree, whatever was ticked: nobody is sent to the police unawares.
	if l.Operator == krama.OperatorPolice {
		l.Police = krama.PoliceIs
	} else if l.Police == krama.PoliceIs {
		l.Police = krama.PoliceUnknown
	}
	for _, v := range f["district"] {
		if n, err := strconv.ParseUint(v, 10, 16); err == nil && n != 0 {
			l.Districts = append(l.Districts, uint16(n))
		}
	}
	g.Address = words("guarded")
	if a := words("address"); !a.Empty() {
		// An address of a shelter, or for named staff, or without a choice goes into the guarded part: of two mistakes
		// this one endangers nobody.
		if tier := krama.Tier(code("shown")); l.Kind == krama.KindShelter || tier == krama.TierNamed || tier == 0 {
			g.Address = a
		} else {
			l.Address, l.Shown = a, tier
		}
	}
	for i := range 2 * krama.MaxPhones {
		// Digits of any script, and one space where any were typed or a dash stood.
		p := krama.Phone{Number: strings.Join(strings.Fields(strings.ReplaceAll(krama.Plain(f.Get("phone"+itoa(i))),
			"-", " ")), " "), Use: code("use" + itoa(i)), Tier: krama.Tier(code("tier" + itoa(i)))}
		switch {
		case p.Number == "":
		case p.Tier == krama.TierNamed:
			g.Phones = append(g.Phones, p)
		default:
			l.Phones = append(l.Phones, p)
		}
	}
	if f.Get("always") == "yes" {
		l.Hours = append(l.Hours, krama.Hours{Days: 0xfe, Open: 0, Close: 1440})
	}
	for i := range krama.MaxHours {
		row := formRow(i)
		// A row without days is none. Where it has times, whyNot asks for the days.
		days := set("day" + row)
		if days == 0 {
			continue
		}
		open, ok1 := minutes(f.Get("open" + row))
		shut, ok2 := minutes(f.Get("close" + row))
		if !ok1 || !ok2 {
			shut = open // refused by Validate
		}
		l.Hours = append(l.Hours, krama.Spans(days, open, shut)...)
	}
	return l, g
}

// sameListing reports whether a form says what stands already: then nothing is written.
func sameListing(e *directory.Entry, l krama.Listing, g krama.Guarded) bool {
	// Saving what is shipped makes it the programme's own, and saving one of two versions settles them: both are
	// written.
	if e.Starter || len(e.Others) > 0 || len(e.Guards) > 1 {
		return false
	}
	// As forms: what a form does not show, such as which version is replaced, is no difference.
	f, is := listingForm(e), &directory.Entry{Listing: l, Guarded: &g}
	return f.Encode() == listingForm(is).Encode()
}

// sameAsKept finds a listing that says just what a new one does.
func (s listingPages) sameAsKept(l krama.Listing, g krama.Guarded) *directory.Entry {
	for _, e := range s.state.Listings() {
		if e.Name == l.Name && e.Org == l.Org && sameListing(e, l, g) {
			return e
		}
	}
	return nil
}
