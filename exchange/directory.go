package exchange

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"krama"
	"krama/directory"
	"krama/exchange/hsds"
	"krama/guide"
)

// hsdsTables are the tables that a directory of ours fills, with their columns.
var hsdsTables = []hsds.Kind{hsds.Organization, hsds.Service, hsds.Location, hsds.ServiceAtLocation, hsds.Address, hsds.Phone, hsds.Schedule, hsds.Language,
	hsds.CostOption, hsds.RequiredDocument, hsds.ServiceArea, hsds.Accessibility, hsds.Taxonomy, hsds.TaxonomyTerm, hsds.Attribute}

// english prints the English words of a code: an exchange format has one language.
type english func(key string) string

// HSDS writes the views of one tier as an HSDS 3.0 package. Whoever made the views decided what is in them; a listing without a
// published address is a virtual location. Nobody's name and no shelter's place can be in it.
func HSDS(views []directory.View, g *guide.Guide, made krama.Day, en func(key string) string) *hsds.Tables {
	b := &hsdsBuilder{t: &hsds.Tables{}, rows: map[hsds.Kind]*hsds.Table{}, g: g, en: en, made: made, seen: map[string]bool{}}
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

type hsdsBuilder struct {
	t    *hsds.Tables
	rows map[hsds.Kind]*hsds.Table
	g    *guide.Guide
	en   english
	made krama.Day
	seen map[string]bool // organisations
}

func (b *hsdsBuilder) add(k hsds.Kind, o hsds.Object) {
	for name, v := range o {
		if v == "" || v == nil {
			delete(o, name)
		}
	}
	b.rows[k].Rows = append(b.rows[k].Rows, o)
}

// uuid names a thing by what it is: the same at every export. It is a UUID of version 8, whose bits are the maker's own.
func uuid(parts ...string) string {
	h := sha256.Sum256([]byte("krama hsds\x00" + strings.Join(parts, "\x00")))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

const needs = "needs"

func (b *hsdsBuilder) taxonomy() {
	b.add(hsds.Taxonomy, hsds.Object{"id": uuid(needs), "name": "Needs", "description": "What a person needs, in her own words", "version": "1"})
	for _, n := range krama.Needs {
		b.add(hsds.TaxonomyTerm, hsds.Object{"id": uuid(needs, n.Key), "code": n.Key, "name": b.en("need." + n.Key), "description": b.en("need." + n.Key), "taxonomy": "Needs", "language": "en", "taxonomy_id": uuid(needs)})
	}
}

func (b *hsdsBuilder) list(prefix string, list []krama.Term, s krama.Set) string {
	var out []string
	for _, t := range list {
		if s.Has(t.Code) {
			out = append(out, b.en(prefix+"."+t.Key))
		}
	}
	return strings.Join(out, ", ")
}

var hsdsDays = []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

func (b *hsdsBuilder) listing(v directory.View) {
	key := fmt.Sprintf("%x", v.Key)
	orgName := v.Org.In("en")
	org := uuid("organization", orgName)
	if !b.seen[org] {
		b.seen[org] = true
		b.add(hsds.Organization, hsds.Object{"id": org, "name": orgName, "description": b.term("operator", krama.Operators, v.Operator)})
	}
	service := ServiceID(v.Key)
	o := hsds.Object{"id": service, "organization_id": org, "name": v.Name.In("en"), "description": orText(v.About.In("en"), v.Name.In("en")), "status": "active",
		"eligibility_description": b.list("welcome", krama.Welcomes, v.Welcome), "fees_description": b.term("cost", krama.Costs, v.Cost),
		"application_process": v.Asked.In("en"), "last_modified": max(v.Verified, b.made-1).String() + "T00:00:00Z"}
	if v.Name.KM != v.Name.In("en") {
		o["alternate_name"] = v.Name.KM
	}
	if v.Verified != 0 {
		o["assured_date"] = v.Verified.String()
		o["last_modified"] = v.Verified.String() + "T00:00:00Z"
	}
	switch {
	case v.Operator == krama.OperatorPolice:
		o["alert"] = b.en("door.isPolice")
	case v.Status != directory.Fresh:
		o["alert"] = "Not verified. Source: " + v.Source
	}
	b.add(hsds.Service, o)

	location := uuid("location", key)
	kind := "virtual"
	if !v.Address.Empty() {
		kind = "physical"
		place := b.area(v.Districts)
		b.add(hsds.Address, hsds.Object{"id": uuid("address", key), "location_id": location, "address_1": v.Address.In("en"), "city": place, "state_province": b.g.Province.EN,
			"postal_code": "unknown", "country": "KH", "address_type": "physical"})
	}
	b.add(hsds.Location, hsds.Object{"id": location, "location_type": kind, "name": v.Name.In("en")})
	b.add(hsds.ServiceAtLocation, hsds.Object{"id": uuid("service_at_location", key), "service_id": service, "location_id": location})
	for i, p := range v.Phones {
		b.add(hsds.Phone, hsds.Object{"id": uuid("phone", key, fmt.Sprint(i)), "service_id": service, "number": p.Number, "type": map[uint8]string{krama.UseCall: "voice", krama.UseMessage: "text"}[p.Use]})
	}
	for i, h := range v.Hours {
		var days []string
		for d := range 7 {
			if h.Days.Has(uint8(d + 1)) {
				days = append(days, hsdsDays[d])
			}
		}
		b.add(hsds.Schedule, hsds.Object{"id": uuid("schedule", key, fmt.Sprint(i)), "service_id": service, "freq": "WEEKLY", "wkst": "MO", "byday": strings.Join(days, ","),
			"opens_at": hhmm(h.Open), "closes_at": hhmm(h.Close), "timezone": json.Number("7")})
	}
	for _, l := range krama.Languages {
		if v.Languages.Has(l.Code) {
			b.add(hsds.Language, hsds.Object{"id": uuid("language", key, l.Key), "service_id": service, "name": b.en("language." + l.Key), "code": code639(l.Key)})
		}
	}
	if v.Cost == 1 {
		b.add(hsds.CostOption, hsds.Object{"id": uuid("cost", key), "service_id": service, "option": b.en("cost.free"), "amount": json.Number("0"), "currency": "KHR"})
	}
	if !v.Bring.Empty() {
		b.add(hsds.RequiredDocument, hsds.Object{"id": uuid("document", key), "service_id": service, "document": v.Bring.In("en")})
	}
	for _, d := range v.Districts {
		if x, ok := b.g.District(d); ok {
			b.add(hsds.ServiceArea, hsds.Object{"id": uuid("area", key, fmt.Sprint(d)), "service_id": service, "name": x.EN, "extent": fmt.Sprintf("KH-%d", d), "extent_type": ncdd})
		}
	}
	for _, a := range krama.Accesses {
		if v.Access.Has(a.Code) {
			b.add(hsds.Accessibility, hsds.Object{"id": uuid("accessibility", key, a.Key), "location_id": location, "description": b.en("access." + a.Key)})
		}
	}
	for _, n := range krama.Needs {
		if v.Needs.Has(n.Code) {
			b.add(hsds.Attribute, hsds.Object{"id": uuid("attribute", key, n.Key), "link_id": service, "link_entity": "service", "taxonomy_term_id": uuid(needs, n.Key)})
		}
	}
}

func (b *hsdsBuilder) term(prefix string, list []krama.Term, code uint8) string {
	for _, t := range list {
		if t.Code == code {
			return b.en(prefix + "." + t.Key)
		}
	}
	return ""
}

func (b *hsdsBuilder) area(districts []uint16) string {
	if len(districts) == 1 {
		if d, ok := b.g.District(districts[0]); ok {
			return d.EN
		}
	}
	return b.g.Province.EN
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func hhmm(m uint16) string { return fmt.Sprintf("%02d:%02d", m/60%24, m%60) }

func code639(key string) string {
	if len(key) == 2 {
		return key
	}
	return ""
}

// Import is what another directory brings.
type Import struct {
	Listings []krama.Listing
	IDs      []string       // of the services they were made of
	Refused  int            // services that cannot be listings: without a name, for one
	Lost     map[string]int // what this directory has no place for, or does not believe: a table, or a table's column, and how many
}

// ServiceID is the id that a listing's service has in what HSDS writes.
func ServiceID(k krama.ListingID) string { return uuid("service", fmt.Sprintf("%x", k)) }

// MaxImport bounds the services of one import: every phone of the programme will hold them.
const MaxImport = 1000

// FromHSDS reads services of an HSDS package as listings for staff to verify: nothing of it is public, and nothing of it is taken
// for verified. A service gives the same key at every reading. Numbers come for partners only until somebody decides. Addresses
// are not taken at all: HSDS has no word for a shelter, and every phone would hold where it is.
//
// More than MaxImport services are TooLarge.
func FromHSDS(t *hsds.Tables, source string) (*Import, error) {
	if x := t.Table(hsds.Service); x != nil && len(x.Rows) > MaxImport {
		return nil, krama.E("exchange.FromHSDS", krama.TooLarge, fmt.Sprintf("more than %d services", MaxImport))
	}
	services, err := t.Full(hsds.Service)
	if err != nil {
		return nil, krama.Wrap("exchange.FromHSDS", err)
	}
	in := &hsdsReader{Import: Import{Lost: map[string]int{}}, taken: map[hsds.Kind]int{}}
	for _, s := range services {
		before := maps.Clone(in.taken)
		l := in.listing(s, source)
		if l.Validate() != nil {
			in.Refused++
			in.taken = before
			continue
		}
		in.Listings, in.IDs = append(in.Listings, l), append(in.IDs, str(s["id"]))
	}
	in.count(t)
	return &in.Import, nil
}

type hsdsReader struct {
	Import
	taken map[hsds.Kind]int // rows
}

func (in *hsdsReader) listing(s hsds.Object, source string) krama.Listing {
	h := sha256.Sum256([]byte("krama hsds listing\x00" + str(s["id"])))
	l := krama.Listing{Key: krama.ListingID(h[:16]), Kind: krama.KindService, Operator: krama.OpOther, Name: in.words(s["name"], krama.MaxName), About: in.words(s["description"], krama.MaxAbout),
		Org: in.words(s["name"], krama.MaxName), Asked: in.words(s["application_process"], krama.MaxName), Source: clip(source, krama.MaxSource), Closed: str(s["status"]) != "active"}
	if o, ok := s["organization"].(hsds.Object); ok && str(o["name"]) != "" {
		l.Org = in.words(o["name"], krama.MaxName)
	}
	for _, p := range objects(s["phones"]) {
		number := strings.Map(func(r rune) rune {
			if strings.ContainsRune("()-./", r) {
				return ' '
			}
			return r
		}, str(p["number"]))
		number = strings.Join(strings.Fields(number), " ")
		use := krama.UseCall
		if str(p["type"]) == "text" {
			use = krama.UseMessage
		}
		if krama.ValidNumber(number) && len(l.Phones) < krama.MaxPhones {
			l.Phones = append(l.Phones, krama.Phone{Number: number, Use: use, Tier: krama.TierPartner})
			in.taken[hsds.Phone]++
		}
	}
	for _, a := range objects(s["attributes"]) {
		term, _ := a["taxonomy_term"].(hsds.Object)
		for _, n := range krama.Needs {
			if str(term["code"]) == n.Key {
				l.Needs = l.Needs.With(n.Code)
				in.taken[hsds.Attribute]++
			}
		}
	}
	for _, x := range objects(s["languages"]) {
		for _, k := range krama.Languages {
			if str(x["code"]) == k.Key {
				l.Languages = l.Languages.With(k.Code)
				in.taken[hsds.Language]++
			}
		}
	}
	for _, x := range objects(s["schedules"]) {
		if h, ok := hsdsHours(x); ok && len(l.Hours)+len(h) <= krama.MaxHours {
			l.Hours = append(l.Hours, h...)
			in.taken[hsds.Schedule]++
		}
	}
	for _, x := range objects(s["service_areas"]) {
		code, ok := strings.CutPrefix(str(x["extent"]), "KH-")
		n, err := strconv.ParseUint(code, 10, 16)
		if ok && err == nil && n > 0 && str(x["extent_type"]) == ncdd && len(l.Districts) < 32 {
			l.Districts = append(l.Districts, uint16(n))
			in.taken[hsds.ServiceArea]++
		}
	}
	if list := objects(s["required_documents"]); len(list) > 0 {
		l.Bring = in.words(list[0]["document"], krama.MaxName)
		in.taken[hsds.RequiredDocument]++
	}
	return l
}

// ncdd is how an area of ours says what its code is.
const ncdd = "NCDD code"

// hsdsHours reads a schedule that is the same every week. Times with an offset, in themselves or in the schedule's timezone, are
// converted to Indochina time; a time that is not understood whole is none.
func hsdsHours(x hsds.Object) (out []krama.Hours, ok bool) {
	var days krama.Set
	for d := range strings.SplitSeq(str(x["byday"]), ",") {
		if i := slices.Index(hsdsDays, d); i >= 0 {
			days = days.With(uint8(i + 1))
		} else {
			return nil, false // the second Monday of a month, for one
		}
	}
	zone := 7 * 60
	v := str(x["timezone"])
	if n, ok := x["timezone"].(json.Number); ok {
		v = n.String()
	}
	if v != "" {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || n < -12 || n > 14 {
			return nil, false
		}
		zone = int(n * 60)
	}
	open, ok1 := hsdsTime(str(x["opens_at"]), zone)
	shut, ok2 := hsdsTime(str(x["closes_at"]), zone)
	const day = 24 * 60
	for ; open < 0; open += day {
		days = days.Shift(6)
	}
	for ; open >= day; open -= day {
		days = days.Shift(1)
	}
	if shut = (shut%day + day) % day; shut == 0 {
		shut = day
	}
	return krama.Spans(days, uint16(open), uint16(shut)), ok1 && ok2 && days != 0 && open != shut && str(x["freq"]) == "WEEKLY"
}

// hsdsTime reads a time of day as minutes since midnight in Indochina, below 0 or above a day where it is another day there. zone is
// its offset in minutes where it says none itself.
func hsdsTime(s string, zone int) (minutes int, ok bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	for _, layout := range []string{"15:04", "15:04:05", "15:04Z07:00", "15:04:05Z07:00", "3:04 PM", "3:04PM", "3:04:05 PM"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		if strings.Contains(layout, "Z07") {
			_, seconds := t.Zone()
			zone = seconds / 60
		}
		return t.Hour()*60 + t.Minute() + 7*60 - zone, true
	}
	return 0, false
}

// count works out what was left behind. A table that only links others, or only names what attributes point to, is none.
func (in *hsdsReader) count(t *hsds.Tables) {
	lose := func(what string, n int) {
		if n > 0 {
			in.Lost[what] += n
		}
	}
	columns := func(x *hsds.Table, k hsds.Kind, taken ...string) {
		for _, r := range x.Rows {
			for c, v := range r {
				switch {
				case slices.Contains(taken, c) || v == nil || v == "":
				case slices.Contains(hsds.Columns(k), c):
					lose(x.Name+"."+c, 1)
				default:
					lose(x.Name+", columns of its own", 1)
				}
			}
		}
	}
	for _, x := range t.Tables {
		switch x.Name {
		case hsds.TableOf(hsds.Service):
			columns(x, hsds.Service, "id", "organization_id", "name", "description", "status", "application_process")
		case hsds.TableOf(hsds.Organization):
			columns(x, hsds.Organization, "id", "name")
		case hsds.TableOf(hsds.ServiceAtLocation), hsds.TableOf(hsds.Taxonomy), hsds.TableOf(hsds.TaxonomyTerm), "meta_table_descriptions":
		default:
			n := len(x.Rows)
			for k, taken := range in.taken {
				if hsds.TableOf(k) == x.Name {
					n -= taken
				}
			}
			lose(x.Name, n)
		}
	}
}

func str(v any) string { s, _ := v.(string); return s }

func objects(v any) (out []hsds.Object) {
	list, _ := v.([]any)
	for _, x := range list {
		if o, ok := x.(hsds.Object); ok {
			out = append(out, o)
		}
	}
	return out
}

// words takes a text of unknown language as English, on one line and without what would reorder or hide it.
func (in *hsdsReader) words(v any, max int) krama.Words {
	raw := str(v)
	text := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r == unicode.ReplacementChar, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return ' '
		}
		return r
	}, clip(raw, 16*max))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > max || len(raw) > 16*max {
		in.Lost["ends of long texts"]++
	}
	return krama.Words{EN: clip(text, max)}
}

// clip shortens at a letter's end.
func clip(s string, max int) string {
	if len(s) <= max {
		return s
	}
	cut := max
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return strings.TrimSpace(s[:cut])
}
