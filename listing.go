package krama

import (
	"strconv"
	"strings"
)

// ListingID names a listing over all its versions.
type ListingID [16]byte

// Words is one short text in the languages of the product. Where a language is missing the reader is shown another one.
type Words struct {
	EN string `cbor:"1,keyasint,omitempty" json:"en"`
	KM string `cbor:"2,keyasint,omitempty" json:"km"`
	VI string `cbor:"3,keyasint,omitempty" json:"vi"`
}

// In returns the text in a language, or in the first one that has it: Khmer, English, Vietnamese.
func (w Words) In(lang string) string {
	for _, s := range []string{map[string]string{"en": w.EN, "km": w.KM, "vi": w.VI}[lang], w.KM, w.EN, w.VI} {
		if s != "" {
			return s
		}
	}
	return ""
}

// Empty reports whether no language has a text.
func (w Words) Empty() bool { return w == Words{} }

// Blank reports whether no language has anything that can be seen.
func (w Words) Blank() bool {
	return strings.TrimSpace(Plain(w.EN+w.KM+w.VI)) == ""
}

func (w Words) fits(max int) bool {
	for _, s := range []string{w.EN, w.KM, w.VI} {
		if Letters(s) > max || strings.ContainsFunc(s, func(r rune) bool {
			return r < ' ' && r != '\n' || r == 0xfffd
		}) {
			return false
		}
	}
	return true
}

// Tier says who may see a field of a listing. The zero value is the narrowest that a field without one can mean:
// nobody.
type Tier uint8

// Tiers, widest first.
const (
	TierPublic  Tier = 1 // anybody
	TierPartner Tier = 2 // the programme's staff, and partner organisations it chooses
	TierNamed   Tier = 3 // named staff: who holds the safeguarding circle
)

// Listing is one version of one service, hotline or shelter as the directory tells of it. Nothing in it is about a
// person who is supported. It lives in the outreach circle, so every phone of the programme may hold it: what only
// named staff may know is in Guarded, which lives in the safeguarding circle. What follows a version replaces it; two
// that replace the same one both stand until somebody decides.
type Listing struct {
	Key       ListingID  `cbor:"1,keyasint"`
	Replaces  []RecordID `cbor:"2,keyasint,omitempty"`
	Kind      uint8      `cbor:"3,keyasint"` // ListingKinds
	Org       Words      `cbor:"4,keyasint"`
	Name      Words      `cbor:"5,keyasint"`
	About     Words      `cbor:"6,keyasint,omitempty"`
	Operator  uint8      `cbor:"7,keyasint"`            // Operators
	Needs     Set        `cbor:"8,keyasint"`            // Needs it answers
	Districts []uint16   `cbor:"9,keyasint,omitempty"`  // NCDD codes it serves; none: everywhere
	Languages Set        `cbor:"10,keyasint,omitempty"` // Languages
	Welcome   Set        `cbor:"11,keyasint,omitempty"` // Welcomes; empty: not known
	Cost      uint8      `cbor:"12,keyasint,omitempty"` // Costs
	Bring     Words      `cbor:"13,keyasint,omitempty"` // what to bring
	Asked     Words      `cbor:"14,keyasint,omitempty"` // what one will be asked
	Access    Set        `cbor:"15,keyasint,omitempty"` // Accesses
	Police    uint8      `cbor:"16,keyasint,omitempty"` // PoliceTies
	Hours     []Hours    `cbor:"17,keyasint,omitempty"`
	Phones    []Phone    `cbor:"18,keyasint,omitempty"` // public and partner
	Address   Words      `cbor:"19,keyasint,omitempty"`
	Shown     Tier       `cbor:"20,keyasint,omitempty"` // of Address
	// where it comes from; shown to staff, and to anybody while unverified
	Source   string `cbor:"22,keyasint"`
	Public   bool   `cbor:"23,keyasint,omitempty"` // may be published at all
	Closed   bool   `cbor:"24,keyasint,omitempty"`
	Invented bool   `cbor:"25,keyasint,omitempty"` // of the demo
}

// Guarded is what only named staff may know of a listing: a shelter's address, a direct number. It lives in the
// safeguarding circle alone; a raid that opens a peer's phone does not find it.
type Guarded struct {
	Key      ListingID  `cbor:"1,keyasint"`
	Replaces []RecordID `cbor:"2,keyasint,omitempty"`
	Phones   []Phone    `cbor:"3,keyasint,omitempty"`
	Address  Words      `cbor:"4,keyasint,omitempty"`
}

// Phone is a number of a service, never of a person who is supported.
type Phone struct {
	Number string `cbor:"1,keyasint"` // digits, spaces and a leading +
	Use    uint8  `cbor:"2,keyasint"` // PhoneUses
	Tier   Tier   `cbor:"3,keyasint"`
}

// Elsewhere stands among a listing's districts for an area that no code is known of: it serves that, not everywhere.
const Elsewhere uint16 = 65535

// Hours are opening times on some days of the week: minutes since midnight, Indochina time. A service that never closes
// has all days from 0 to 1440.
type Hours struct {
	Days  Set    `cbor:"1,keyasint"` // 1 Monday to 7 Sunday
	Open  uint16 `cbor:"2,keyasint"`
	Close uint16 `cbor:"3,keyasint"`
}

// Always reports whether the service never closes.
func (h Hours) Always() bool { return h.Days == 0xfe && h.Open == 0 && h.Close == 24*60 }

// Runs are the days in runs as people say them, from the first to the last of each: Monday to Friday is one. Two days
// in a row are two runs.
func (h Hours) Runs() (out [][2]uint8) {
	for i := uint8(1); i <= 7; i++ {
		if !h.Days.Has(i) {
			continue
		}
		j := i
		for j < 7 && h.Days.Has(j+1) {
			j++
		}
		if j > i+1 {
			out = append(out, [2]uint8{i, j})
			i = j
		} else {
			out = append(out, [2]uint8{i, i})
		}
	}
	return out
}

// Clock is minutes since midnight as a clock shows them: 07:30. The day's end is 24:00.
func Clock(m uint16) string {
	two := func(n uint16) string { return strconv.Itoa(int(n/10)) + strconv.Itoa(int(n%10)) }
	return two(m/60) + ":" + two(m%60)
}

// Spans are opening times as they are kept: what goes past midnight is two, the second on the days after. Closing at
// the minute of opening is none, and refused by Validate.
func Spans(days Set, open, shut uint16) []Hours {
	if shut > open || shut == open {
		return []Hours{{Days: days, Open: open, Close: shut}}
	}
	out := []Hours{{Days: days, Open: open, Close: 24 * 60}}
	if shut > 0 {
		out = append(out, Hours{Days: days.Shift(1), Open: 0, Close: shut})
	}
	return out
}

// Nights are opening times as people say them: a span that ends at midnight and the one that goes on from there, on the
// days after, are one whose end lies before its beginning; one that ends at midnight alone ends at 0.
func Nights(hours []Hours) (out []Hours) {
	used := map[int]bool{}
	for i, h := range hours {
		if h.Close == 24*60 && h.Open > 0 {
			h.Close = 0
			for j, n := range hours {
				if !used[j] && j != i && n.Open == 0 && n.Days == h.Days.Shift(1) && n.Close <= h.Open {
					h.Close, used[j] = n.Close, true
					break
				}
			}
			used[i] = true
			out = append(out, h)
		}
	}
	for i, h := range hours {
		if !used[i] {
			out = append(out, h)
		}
	}
	return out
}

// Shift are the days of the week, 1 to 7, that come n days after those of the set, Monday after Sunday.
func (s Set) Shift(n uint8) (out Set) {
	for _, d := range s.Codes() {
		out = out.With((d-1+n)%7 + 1)
	}
	return out
}

// Check is somebody's word about a listing on a day. Its author is the record's; nobody's name is in it.
type Check struct {
	Key  ListingID `cbor:"1,keyasint"`
	Day  Day       `cbor:"2,keyasint"`
	Says uint8     `cbor:"3,keyasint"` // Checks
	// checks of the same day that its author knew of, so that it answers them
	Seen []RecordID `cbor:"4,keyasint,omitempty"`
}

// RightsText is one of the programme's own pages about rights and law, in one language. A version replaces what it
// names.
type RightsText struct {
	Topic    string     `cbor:"1,keyasint"` // of guide/rights
	Lang     string     `cbor:"2,keyasint"`
	Replaces []RecordID `cbor:"3,keyasint,omitempty"`
	Body     string     `cbor:"4,keyasint"`
	Source   string     `cbor:"5,keyasint"`
	// an office or a profession, such as "a lawyer of the Bar"; it is published
	ReviewedBy string `cbor:"6,keyasint,omitempty"`
	ReviewedOn Day    `cbor:"7,keyasint,omitempty"` // 0: a draft
}

// Codes that rules name.
const (
	KindService, KindHotline, KindShelter                                    uint8 = 1, 2, 3
	OperatorNGO, OperatorHealth, OperatorGovernment, OperatorPolice, OpOther uint8 = 1, 2, 3, 4, 5
	NeedHurt, NeedTest, NeedLeave, NeedPapers                                uint8 = 1, 2, 3, 4
	NeedControlled, NeedPolice, NeedMoney, NeedChild                         uint8 = 5, 6, 7, 8
	UseCall, UseMessage                                                      uint8 = 1, 2
	CheckTrue, CheckChanged, CheckWrong, CheckDoubt                          uint8 = 1, 2, 3, 4
	PoliceUnknown, PoliceNever, PoliceIfAsked, PoliceLaw, PoliceIs           uint8 = 0, 1, 2, 3, 4
)

// The closed lists of the directory. Order is the order on screen.
var (
	ListingKinds = []Term{{KindService, "service"}, {KindHotline, "hotline"}, {KindShelter, "shelter"}}

	// Operators: who runs a service. The police are always named as such.
	Operators = []Term{{OperatorNGO, "ngo"}, {OperatorHealth, "health"}, {OperatorGovernment, "government"},
		{OperatorPolice, "police"}, {OpOther, "other"}}

	// Needs, as a person would say them.
	Needs = []Term{{NeedHurt, "hurt"}, {NeedTest, "test"}, {NeedLeave, "leave"}, {NeedPapers, "papers"},
		{NeedControlled, "controlled"},
		{NeedPolice, "police"}, {NeedMoney, "money"}, {NeedChild, "child"}}

	// Welcomes: who a service says is welcome.
	Welcomes = []Term{{1, "women"}, {2, "men"}, {3, "trans"}, {4, "migrants"}, {5, "under-18"}, {6, "with-children"},
		{7, "no-papers"}, {8, "drugs"}}

	// Costs of a service to who comes.
	Costs = []Term{{0, "unknown"}, {1, "free"}, {2, "some"}, {3, "fee"}}

	// Accesses for people with disabilities, and ways in for people who cannot come.
	Accesses = []Term{{1, "step-free"}, {2, "sign"}, {3, "visits"}, {4, "transport"}, {5, "by-phone"}}

	// PoliceTies: whether going there brings in the police.
	PoliceTies = []Term{{PoliceUnknown, "unknown"}, {PoliceNever, "never"}, {PoliceIfAsked, "if-asked"},
		{PoliceLaw, "law"}, {PoliceIs, "is"}}

	// PhoneUses: a call leaves a trace in the phone's call log, a message in its messages.
	PhoneUses = []Term{{UseCall, "call"}, {UseMessage, "message"}}

	// Checks: what a verification call or a worker in the field found.
	Checks = []Term{{CheckTrue, "true"}, {CheckChanged, "changed"}, {CheckWrong, "wrong"}, {CheckDoubt, "doubt"}}
)

// Bounds of a listing, in letters (Letters) and in pieces. The first versions took them for bytes.
const (
	MaxName   = 150
	MaxAbout  = 450
	MaxSource = 200
	MaxPhones = 6
	MaxHours  = 7
	MaxPage   = 3000
)

// Validate checks a listing. A shelter's address, and whatever is for named staff, is refused: it belongs in Guarded.
func (l *Listing) Validate() error {
	const op = "krama.Listing"
	switch {
	case l.Key == ListingID{}:
		return E(op, Invalid, "a listing has a key")
	case l.Name.Blank() || l.Org.Blank():
		return E(op, Invalid, "a listing has a name and an organisation")
	case !l.Name.fits(MaxName) || !l.Org.fits(MaxName) || !l.Address.fits(MaxName) || !l.About.fits(MaxAbout) ||
		!l.Bring.fits(MaxName) || !l.Asked.fits(MaxName) || Letters(l.Source) > MaxSource:
		return E(op, Invalid, "a text is too long, or is not plain text")
	case !Known(ListingKinds, l.Kind) || !Known(Operators, l.Operator) || !KnownSet(Needs, l.Needs) ||
		!KnownSet(Languages, l.Languages) ||
		!KnownSet(Welcomes, l.Welcome) || !Known(Costs, l.Cost) || !KnownSet(Accesses, l.Access) ||
		!Known(PoliceTies, l.Police):
		return E(op, Invalid, "a value outside its list")
	case (l.Operator == OperatorPolice) != (l.Police == PoliceIs):
		return E(op, Invalid, "the police are named as the police")
	case len(l.Districts) > 32 || len(l.Replaces) > 32 || len(l.Hours) > MaxHours:
		return E(op, Invalid, "too many districts, hours or versions")
	case l.Kind == KindShelter && (!l.Address.Empty() || l.Shown != 0):
		return E(op, NotAllowed, "a shelter's address is for named staff")
	case l.Address.Empty() != (l.Shown == 0) || l.Shown > TierPartner:
		return E(op, Invalid, "an address has a tier that the outreach circle may hold")
	}
	for _, h := range l.Hours {
		if h.Days == 0 || h.Days&^0xfe != 0 || h.Open >= h.Close || h.Close > 24*60 {
			return E(op, Invalid, "hours")
		}
	}
	return validPhones(op, l.Phones, TierPublic, TierPartner)
}

// Validate checks the guarded part of a listing: everything in it is for named staff.
func (g *Guarded) Validate() error {
	const op = "krama.Guarded"
	if g.Key == (ListingID{}) || !g.Address.fits(MaxAbout) || len(g.Replaces) > 32 {
		return E(op, Invalid, "key or address")
	}
	return validPhones(op, g.Phones, TierNamed, TierNamed)
}

func validPhones(op string, ps []Phone, from, to Tier) error {
	if len(ps) > MaxPhones {
		return E(op, Invalid, "too many numbers")
	}
	for _, p := range ps {
		if p.Tier < from || p.Tier > to {
			return E(op, NotAllowed, "a number's tier is not this circle's")
		}
		if !Known(PhoneUses, p.Use) || !ValidNumber(p.Number) {
			return E(op, Invalid, "a number is digits and spaces")
		}
	}
	return nil
}

// ValidNumber reports whether s can be a telephone number: 3 to 15 digits, spaces, a leading plus.
func ValidNumber(s string) bool {
	digits := 0
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r == ' ' || r == '+' && i == 0:
		default:
			return false
		}
	}
	return digits >= 3 && digits <= 15 && strings.TrimSpace(s) == s
}

func (t *RightsText) validate() error {
	if t.Topic == "" || len(t.Topic) > 20 || len(t.Lang) != 2 || len(t.Body) == 0 || Letters(t.Body) > MaxPage ||
		Letters(t.Source) > MaxSource || Letters(t.ReviewedBy) > MaxName ||
		len(t.Replaces) > 32 || t.ReviewedOn != 0 && (!plausible(t.ReviewedOn) || t.ReviewedBy == "") {
		return E("krama.RightsText", Invalid, "topic, language, length, or a review without its day or author")
	}
	return nil
}

func (c *Check) validate() error {
	if c.Key == (ListingID{}) || !plausible(c.Day) || !Known(Checks, c.Says) || len(c.Seen) > 64 {
		return E("krama.Check", Invalid, "listing, day, what it says, or what it answers")
	}
	return nil
}
