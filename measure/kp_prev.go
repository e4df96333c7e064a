// Package measure counts: indicators by the guide's rules, and disclosure control for whatever leaves a programme.
package measure

import (
	"krama"
	"krama/guide"
)

// Testing is the testing-services disaggregate: exactly one per counted person.
type Testing uint8

// Values of Testing.
const (
	KnownPositive Testing = iota
	NewlyTested           // newly tested and/or referred
	Declined
)

// Reached is a person as KP_PREV sees her. KnownPositive is the day her status was known, from a clinical circle, or 0:
// outreach records hold no status. LastNegative is the day of her last negative test, or 0.
type Reached struct {
	Category      uint8
	KnownPositive krama.Day
	LastNegative  krama.Day
	Contacts      []krama.Contact
}

// People calls yield with everybody who may be counted.
type People func(yield func(*Reached))

// KPPrev is the indicator for one period.
type KPPrev struct {
	Period     krama.Period
	Before     krama.Period // earlier window of the fiscal year whose people are left out; empty when there is none
	Total      int
	ByCategory map[uint8]int // krama.Categories
	ByTesting  [3]int
	Cross      map[uint8][3]int
	// Reached but not counted, by reason.
	NoOffer    int // no HIV test offered or referred, and status not known
	OnlyOffer  int // nothing beside the test
	Recent     int // last negative test still valid and no offer: fits none of the values
	NoCategory int // no reporting category chosen
}

// Count counts KP_PREV (MER 2.6.1): people reached with prevention made for them, once a fiscal year. When the period
// is the second half of the rule's fiscal year, people counted in the first are left out, so that the two halves add
// up.
func Count(rule *guide.Rule, period krama.Period, people People) *KPPrev {
	k := &KPPrev{Period: period, Before: Earlier(rule, period), ByCategory: map[uint8]int{}, Cross: map[uint8][3]int{}}
	counts := map[uint8]bool{}
	for _, c := range rule.Categories {
		counts[c] = true
	}
	people(func(p *Reached) {
		v, reached, why := judge(rule, p, period)
		if !reached {
			return
		}
		// One reason a person: without a category it is that one, whatever was offered to her.
		if !counts[p.Category] {
			k.NoCategory++
			return
		}
		switch why {
		case noOffer:
			k.NoOffer++
			return
		case onlyOffer:
			k.OnlyOffer++
			return
		case recent:
			k.Recent++
			return
		}
		// Judged by what is known today: a record that came late may move her into the window before, and out of this
		// one.
		if k.Before.To != 0 {
			if _, was, why := judge(rule, p, k.Before); was && why == counted {
				return
			}
		}
		k.Total++
		k.ByCategory[p.Category]++
		k.ByTesting[v]++
		x := k.Cross[p.Category]
		x[v]++
		k.Cross[p.Category] = x
	})
	return k
}

// reason is why somebody who was reached is not counted; counted where she is.
type reason uint8

const (
	counted reason = iota
	noOffer
	onlyOffer
	recent
)

// judge applies the rule to one person and window. reached is false when nothing happened in the window.
func judge(rule *guide.Rule, p *Reached, w krama.Period) (v Testing, reached bool, why reason) {
	var first krama.Day
	var offered, taken, other bool
	for i := range p.Contacts {
		c := &p.Contacts[i]
		// In a larger group nobody was met for herself, by the rule.
		if !w.Contains(c.Date) || c.Attendees > rule.SmallGroupMax {
			continue
		}
		reached = true
		if first == 0 || c.Date < first {
			first = c.Date
		}
		switch c.Test {
		case krama.TestOffered, krama.TestAccepted, krama.TestReferred:
			offered, taken = true, true
		case krama.TestDeclined:
			offered = true
		}
		// A self-test kit is testing, not another intervention.
		other = other || c.Topics != 0 || c.Services != 0 || c.Given[krama.Condom] > 0 ||
			c.Given[krama.InternalCondom] > 0 ||
			c.Given[krama.Lubricant] > 0 || c.Given[krama.Leaflet] > 0
		if c.Given[krama.SelfTest] > 0 {
			offered, taken = true, true
		}
	}
	if !reached {
		return 0, false, 0
	}
	// No caller says so of anybody yet: outreach records hold no status.
	if p.KnownPositive != 0 && p.KnownPositive < w.From {
		if other {
			return KnownPositive, true, counted
		}
		return 0, true, onlyOffer
	}
	switch {
	case !offered && p.LastNegative != 0 && p.LastNegative.AddMonths(rule.RetestMonths) >= first:
		return 0, true, recent
	case !offered:
		return 0, true, noOffer
	case !other:
		return 0, true, onlyOffer
	case taken:
		return NewlyTested, true, counted
	}
	return Declined, true, counted
}

// Earlier returns the earlier windows of the fiscal year when the period is exactly one of the rule's windows and not
// the first; otherwise an empty period.
func Earlier(rule *guide.Rule, p krama.Period) krama.Period {
	start := fiscalYear(rule, p.From)
	if w := Window(rule, p.From); p == w && p.From != start {
		return krama.Period{From: start, To: p.From - 1}
	}
	return krama.Period{}
}

// fiscalYear returns the first day of the fiscal year that contains d.
func fiscalYear(rule *guide.Rule, d krama.Day) krama.Day {
	y, m, _ := d.Time().Date()
	if m < rule.FiscalYearStart {
		y--
	}
	return krama.Date(y, rule.FiscalYearStart, 1)
}

// Window returns the reporting window of the rule that contains d.
func Window(rule *guide.Rule, d krama.Day) krama.Period {
	at := fiscalYear(rule, d)
	for at.AddMonths(rule.WindowMonths) <= d {
		at = at.AddMonths(rule.WindowMonths)
	}
	return krama.Period{From: at, To: at.AddMonths(rule.WindowMonths) - 1}
}
