// Package guide is versioned knowledge as data: places and indicator rules, each with its source, who verified it and
// when.
package guide

import (
	"embed"
	"time"

	"krama"
	"krama/shipped"
)

//go:embed data/*.json
var files embed.FS

// Provenance says where knowledge comes from. VerifiedBy is empty while nobody has checked it against its source.
type Provenance struct {
	Source     string `json:"source"`
	Version    string `json:"version"`
	ValidFrom  string `json:"validFrom"`
	VerifiedBy string `json:"verifiedBy"`
	VerifiedOn string `json:"verifiedOn"`
}

// Place is a place of the official gazetteer. Names are spelled in many ways; the code is the key.
type Place struct {
	Code uint32 `json:"code"`
	KM   string `json:"km"`
	EN   string `json:"en"`
}

// Province is a province's districts and communes. Records hold districts only; communes are for finding one's
// district.
type Province struct {
	Provenance
	Place
	Districts []District `json:"districts"`
}

// District is a district and its communes.
type District struct {
	Place
	Communes []Place `json:"communes"`
}

// Name returns the place's name in a language; Vietnamese readers know the Latin one.
func (p Place) Name(lang string) string {
	if lang == "km" {
		return p.KM
	}
	return p.EN
}

// Rule is how KP_PREV is counted.
type Rule struct {
	Provenance
	Indicator       string     `json:"indicator"`
	FiscalYearStart time.Month `json:"fiscalYearStart"` // month
	WindowMonths    int        `json:"windowMonths"`    // a reporting window
	SmallGroupMax   uint16     `json:"smallGroupMax"`   // attendees
	RetestMonths    int        `json:"retestMonths"`    // a negative test younger than this needs no new offer
	Categories      []uint8    `json:"categories"`      // reporting categories that count
}

// Guide is the knowledge this version ships with.
type Guide struct {
	Province Province
	KPPrev   Rule
}

// Load reads the embedded knowledge.
func Load() (*Guide, error) {
	province, err := read("data/kratie.json")
	if err != nil {
		return nil, err
	}
	rule, err := read("data/kp_prev.json")
	if err != nil {
		return nil, err
	}
	// Field by field and without encoding/json, which is too large for the phone's program (shipped). A test compares
	// the two.
	g := &Guide{Province{Provenance: provenance(province), Place: place(province)}, Rule{
		Provenance:      provenance(rule),
		Indicator:       rule.Text("indicator"),
		FiscalYearStart: time.Month(rule.Number("fiscalYearStart")),
		WindowMonths:    int(rule.Number("windowMonths")),
		SmallGroupMax:   uint16(rule.Number("smallGroupMax")),
		RetestMonths:    int(rule.Number("retestMonths")),
	}}
	for _, c := range rule.List("categories") {
		n, _ := c.(int64)
		g.KPPrev.Categories = append(g.KPPrev.Categories, uint8(n))
	}
	for _, d := range province.List("districts") {
		o, _ := d.(shipped.Object)
		district := District{Place: place(o)}
		for _, c := range o.List("communes") {
			o, _ := c.(shipped.Object)
			district.Communes = append(district.Communes, place(o))
		}
		g.Province.Districts = append(g.Province.Districts, district)
	}
	return g, nil
}

// read reads one of the embedded files. An error means a program that was built wrong.
func read(name string) (shipped.Object, error) {
	b, err := files.ReadFile(name)
	if err != nil {
		return nil, krama.Wrap("guide.Load "+name, err)
	}
	o, err := shipped.Read(b)
	return o, krama.Wrap("guide.Load "+name, err)
}

// provenance is what a file says of where it comes from.
func provenance(o shipped.Object) Provenance {
	return Provenance{o.Text("source"), o.Text("version"), o.Text("validFrom"), o.Text("verifiedBy"),
		o.Text("verifiedOn")}
}

// place is a place of a file, without what lies in it.
func place(o shipped.Object) Place {
	return Place{uint32(o.Number("code")), o.Text("km"), o.Text("en")}
}

// District returns a district by code; a code outside the province has none.
func (g *Guide) District(code uint16) (District, bool) {
	for _, d := range g.Province.Districts {
		if d.Code == uint32(code) {
			return d, true
		}
	}
	return District{}, false
}
