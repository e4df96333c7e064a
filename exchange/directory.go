package exchange

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"krama"
	"krama/directory"
	"krama/exchange/hsds"
	"krama/guide"
)

// hsdsTables are the tables that a directory of ours fills, with their columns.
var hsdsTables = []hsds.Kind{hsds.Organization, hsds.Service, hsds.Location, hsds.ServiceAtLocation, hsds.Address,
	hsds.Phone, hsds.Schedule, hsds.Language,
	hsds.CostOption, hsds.RequiredDocument, hsds.ServiceArea, hsds.Accessibility, hsds.Taxonomy, hsds.TaxonomyTerm,
	hsds.Attribute}

// english prints the English words of a code: an exchange format has one language.
type english func(key string) string

// HSDS writes the views of one tier as an HSDS 3.0 package. Whoever made the views decided what is in them; a listing
// without a published address is a virtual location. Nobody's name and no shelter's place can be in it.
func HSDS(views []directory.View, g *guide.Guide, made krama.Day, en func(key string) string) *hsds.Tables {
	b := &hsdsBuilder{t: &hsds.Tables{}, rows: map[hsds.Kind]*hsds.Table{}, g: g, en: en, made: made,
		seen: map[string]bool{}}
	// A table is there, with its columns, also where no listing has anything for it: a reader finds what it looks for.
	for _, k := range hsdsTables {
		x := &hsds.Table{Name: hsds.TableOf(k), Columns: hsds.Columns(k)}
		b.rows[k] = x
		b.t.Tables = append(b.t.Tables, x)
	}
	b.taxonomy()
	for _, v := range views {
		b.listing(v)
	}
	b.t.Describe()
	return b.t
}

// hsdsBuilder gathers rows, view by view. rows are t's tables by their kind. made dates what nobody verified.
type hsdsBuilder struct {
	t    *hsds.Tables
	rows map[hsds.Kind]*hsds.Table
	g    *guide.Guide
	en   english
	made krama.Day
	seen map[string]bool // organisations
}

// add puts a row into its kind's table, without what is empty: CSV cannot tell an empty text from an absent one, so the
// JSON that is made of the same rows does not either.
func (b *hsdsBuilder) add(k hsds.Kind, o hsds.Object) {
	for name, v := range o {
		if v == "" || v == nil {
			delete(o, name)
		}
	}
	b.rows[k].Rows = append(b.rows[k].Rows, o)
}

// uuid names a thing by what it is: the same at every export. It is a UUID of version 8, whose bits are the maker's
// own.
func uuid(parts ...string) string {
	h := sha256.Sum256([]byte("krama hsds\x00" + strings.Join(parts, "\x00")))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// needs names the taxonomy of needs in the ids of what belongs to it.
const needs = "needs"

// taxonomy writes the needs as terms. Their codes are the vocabulary's keys, by which FromHSDS knows them again.
func (b *hsdsBuilder) taxonomy() {
	b.add(hsds.Taxonomy, hsds.Object{"id": uuid(needs), "name": "Needs",
		"description": "What a person needs, in her own words", "version": "1"})
	for _, n := range krama.Needs {
		b.add(hsds.TaxonomyTerm, hsds.Object{"id": uuid(needs, n.Key), "code": n.Key, "name": b.en("need." + n.Key),
			"description": b.en("need." + n.Key), "taxonomy": "Needs", "language": "en", "taxonomy_id": uuid(needs)})
	}
}

// list is the English words of a set's codes on one line, "" for an empty set. Codes of a later version have no word
// here and are left out.
func (b *hsdsBuilder) list(prefix string, list []krama.Term, s krama.Set) string {
	out := krama.KeysOf(list, s)
	for i, key := range out {
		out[i] = b.en(prefix + "." + key)
	}
	return strings.Join(out, ", ")
}

// hsdsDays are the days as byday has them, in the order of krama.Hours: Monday is the first.
var hsdsDays = []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

// listing writes one view as a service with its organization, its location and what hangs on them. All ids but the
// organization's follow from the listing's key: whoever reads two exports finds the same service in both.
func (b *hsdsBuilder) listing(v directory.View) {
	key := fmt.Sprintf("%x", v.Key)
	// A listing has no more of its organization than the name. Two that write it alike are of one.
	orgName := v.Org.In("en")
	org := uuid("organization", orgName)
	if !b.seen[org] {
		b.seen[org] = true
		b.add(hsds.Organization, hsds.Object{"id": org, "name": orgName, "description": b.term("operator",
			krama.Operators, v.Operator)})
	}
	// What nobody verified has no day of its own: last_modified is then the day before the export.
	service := ServiceID(v.Key)
	o := hsds.Object{"id": service, "organization_id": org, "name": v.Name.In("en"),
		"description": orText(v.About.In("en"), v.Name.In("en")), "status": "active",
		"eligibility_description": b.list("welcome", krama.Welcomes, v.Welcome), "fees_description": b.term("cost",
			krama.Costs, v.Cost),
		"application_process": v.Asked.In("en"), "last_modified": max(v.Verified, b.made-1).String() + "T00:00:00Z"}
	// Without an English name the Khmer one stands as the name already.
	if v.Name.KM != v.Name.In("en") {
		o["alternate_name"] = v.Name.KM
	}
	if v.Verified != 0 {
		o["assured_date"] = v.Verified.String()
		o["last_modified"] = v.Verified.String() + "T00:00:00Z"
	}
	switch {
	// There is one alert. That it is the police is what must be seen first.
	case v.Operator == krama.OperatorPolice:
		o["alert"] = b.en("door.isPolice")
	case v.Status != directory.Fresh:
		o["alert"] = "Not verified. Source: " + v.Source
	}
	b.add(hsds.Service, o)

	// Every service has a location. It is virtual where this tier may not see the address and where there is no
	// address: the file does not tell which.
	location := uuid("location", key)
	kind := "virtual"
	if !v.Address.Empty() {
		kind = "physical"
		// The specification requires a town and a postal code. Listings have neither.
		place := b.area(v.Districts)
		b.add(hsds.Address, hsds.Object{"id": uuid("address", key), "location_id": location,
			"address_1": v.Address.In("en"), "city": place, "state_province": b.g.Province.EN,
			"postal_code": "unknown", "country": "KH", "address_type": "physical"})
	}
	b.add(hsds.Location, hsds.Object{"id": location, "location_type": kind, "name": v.Name.In("en")})
	b.add(hsds.ServiceAtLocation, hsds.Object{"id": uuid("service_at_location", key), "service_id": service,
		"location_id": location})
	for i, p := range v.Phones {
		b.add(hsds.Phone, hsds.Object{"id": uuid("phone", key, fmt.Sprint(i)), "service_id": service,
			"number": p.Number, "type": map[uint8]string{krama.UseCall: "voice", krama.UseMessage: "text"}[p.Use]})
	}
	// A day's end, 24:00, is written as 00:00; FromHSDS reads that as the end of the day.
	for i, h := range v.Hours {
		var days []string
		for d := range 7 {
			if h.Days.Has(uint8(d + 1)) {
				days = append(days, hsdsDays[d])
			}
		}
		b.add(hsds.Schedule, hsds.Object{"id": uuid("schedule", key, fmt.Sprint(i)), "service_id": service,
			"freq": "WEEKLY", "wkst": "MO", "byday": strings.Join(days, ","),
			"opens_at": krama.Clock(h.Open), "closes_at": krama.Clock(h.Close % (24 * 60)),
			"timezone": json.Number("7")})
	}
	for _, l := range krama.Languages {
		if v.Languages.Has(l.Code) {
			b.add(hsds.Language, hsds.Object{"id": uuid("language", key, l.Key), "service_id": service,
				"name": b.en("language." + l.Key), "code": code639(l.Key)})
		}
	}
	// Free is an amount. Of what costs something nobody has asked how much; fees_description has the word.
	if v.Cost == 1 {
		b.add(hsds.CostOption, hsds.Object{"id": uuid("cost", key), "service_id": service, "option": b.en("cost.free"),
			"amount": json.Number("0"), "currency": "KHR"})
	}
	if !v.Bring.Empty() {
		b.add(hsds.RequiredDocument, hsds.Object{"id": uuid("document", key), "service_id": service,
			"document": v.Bring.In("en")})
	}
	// A listing without districts serves everywhere, and gives no area. krama.Elsewhere has no code: as a name alone it
	// comes back as what it is.
	for _, d := range v.Districts {
		area := hsds.Object{"id": uuid("area", key, fmt.Sprint(d)), "service_id": service,
			"extent": fmt.Sprintf("KH-%d", d), "extent_type": ncdd}
		if d == krama.Elsewhere {
			area = hsds.Object{"id": area["id"], "service_id": service, "name": "another area"}
		} else if x, ok := b.g.District(d); ok {
			area["name"] = x.EN
		}
		b.add(hsds.ServiceArea, area)
	}
	for _, a := range krama.Accesses {
		if v.Access.Has(a.Code) {
			b.add(hsds.Accessibility, hsds.Object{"id": uuid("accessibility", key, a.Key), "location_id": location,
				"description": b.en("access." + a.Key)})
		}
	}
	for _, n := range krama.Needs {
		if v.Needs.Has(n.Code) {
			b.add(hsds.Attribute, hsds.Object{"id": uuid("attribute", key, n.Key), "link_id": service,
				"link_entity": "service", "taxonomy_term_id": uuid(needs, n.Key)})
		}
	}
}

// term is the English word of a code, "" for one outside its list.
func (b *hsdsBuilder) term(prefix string, list []krama.Term, code uint8) string {
	for _, t := range list {
		if t.Code == code {
			return b.en(prefix + "." + t.Key)
		}
	}
	return ""
}

// area is the town of an address: the district's name where the listing serves just one, else the province's.
func (b *hsdsBuilder) area(districts []uint16) string {
	if len(districts) == 1 {
		if d, ok := b.g.District(districts[0]); ok {
			return d.EN
		}
	}
	return b.g.Province.EN
}

// orText is a, or b where a is empty.
func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// code639 is a language's code of two letters, or "": longer keys are the vocabulary's own, and another program could
// take one for the code of another language.
func code639(key string) string {
	if len(key) == 2 {
		return key
	}
	return ""
}

// ServiceID is the id that a listing's service has in what HSDS writes.
func ServiceID(k krama.ListingID) string { return uuid("service", fmt.Sprintf("%x", k)) }
