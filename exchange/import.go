package exchange

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"krama"
	"krama/directory"
	"krama/exchange/hsds"
	"krama/guide"
)

// Import is what another directory brings.
type Import struct {
	Services []Imported
	Left     []Left         // values that were not understood whole, or that a listing has no place for
	Lost     map[string]int // tables and columns that this directory has nothing for, and how many values they held
}

// Imported is one service as a listing. Before is the key that it had when ids of all directories were taken for one
// list.
type Imported struct {
	Listing krama.Listing
	ID      string
	Before  krama.ListingID
}

// Left is a value that was left behind, in the words of the file, cut and safe to print.
type Left struct {
	Service string // its name, or its id where it has none
	What    string // "phone", "hours", "area", "status", "name", "service", "text"
	Value   string
}

// MaxImport bounds the services of one import: every phone of the programme will hold them.
const MaxImport = directory.MaxListings

// FromHSDS reads services of an HSDS package as listings for staff to verify: nothing of it is public, and nothing of
// it is taken for verified. A service gives the same key at every reading. Numbers come for partners only until
// somebody decides. Addresses are not taken at all: HSDS has no word for a shelter, and every phone would hold where it
// is. What is not understood whole is left behind, and said.
//
// owner names whose directory it is, and is needed where services have ids of their own that are no UUIDs: the first of
// one directory is not the first of another. Without it such a package is Invalid; more than MaxImport services are
// TooLarge.
func FromHSDS(t *hsds.Tables, g *guide.Guide, owner, source string) (*Import, error) {
	const op = "exchange.FromHSDS"
	if x := t.Table(hsds.Service); x != nil && len(x.Rows) > MaxImport {
		return nil, krama.E(op, krama.TooLarge, fmt.Sprintf("more than %d services", MaxImport))
	}
	services, err := t.Full(hsds.Service)
	if err != nil {
		return nil, krama.Wrap(op, err)
	}
	in := &hsdsReader{Import: Import{Lost: map[string]int{}}, g: g, taken: map[hsds.Kind]int{}}
	for _, s := range services {
		id := str(s["id"])
		l := in.listing(s, source)
		switch {
		case isUUID.MatchString(id):
			l.Key = hsdsKey("krama hsds listing", id)
		case owner == "":
			return nil, krama.E(op, krama.Invalid,
				"its services have ids of their own, which another directory may have too")
		default:
			l.Key = hsdsKey("krama hsds listing of", owner, id)
		}
		if err := l.Validate(); err != nil {
			in.left(s, "service", "not taken: no name, or something that does not fit")
			continue
		}
		in.Services = append(in.Services, Imported{l, id, hsdsKey("krama hsds listing", id)})
	}
	// Last: what is lost is what the services above did not take.
	in.count(t)
	return &in.Import, nil
}

// isUUID is the form of id that two directories do not share by chance.
var isUUID = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// hsdsKey is the id of a listing that came from elsewhere: the same each time it comes.
func hsdsKey(parts ...string) krama.ListingID {
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return krama.ListingID(h[:16])
}

// hsdsReader reads another system's services into listings, and takes down what it cannot take.
type hsdsReader struct {
	Import
	g     *guide.Guide
	taken map[hsds.Kind]int // rows that were taken, or named in Left
}

// left takes down that a value has no place here.
func (in *hsdsReader) left(s hsds.Object, what, value string) {
	name := plainLine(str(s["name"]), 60)
	if name == "" {
		name = plainLine(str(s["id"]), 60)
	}
	in.Left = append(in.Left, Left{name, what, plainLine(value, 120)})
}

// listing makes a listing of a service. It is unverified, whatever the other system says.
func (in *hsdsReader) listing(s hsds.Object, source string) krama.Listing {
	text := func(what string, v any, max int) krama.Words { return in.words(s, what, v, max) }
	l := krama.Listing{Kind: krama.KindService, Operator: krama.OpOther, Name: text("name", s["name"], krama.MaxName),
		About: text("description", s["description"], krama.MaxAbout),
		Asked: text("application_process", s["application_process"], krama.MaxName), Source: krama.Clip(source,
			krama.MaxSource)}
	l.Org = l.Name
	if o, ok := s["organization"].(hsds.Object); ok && str(o["name"]) != "" {
		l.Org = text("organization", o["name"], krama.MaxName)
	}
	switch status := strings.ToLower(strings.TrimSpace(str(s["status"]))); status {
	case "active":
	case "inactive", "defunct", "temporarily closed":
		l.Closed = true
		in.left(s, "status", str(s["status"])+": among the closed ones on the desk")
	case "":
		in.left(s, "status", "none: taken as open, to be verified")
	default:
		in.left(s, "status", str(s["status"])+": not a word of HSDS; taken as open, to be verified")
	}
	for _, p := range objects(s["phones"]) {
		in.taken[hsds.Phone]++
		in.phone(s, p, &l)
	}
	for _, a := range objects(s["attributes"]) {
		term, _ := a["taxonomy_term"].(hsds.Object)
		// Terms of other taxonomies are counted among what is lost.
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
		in.taken[hsds.Schedule]++
		if h, ok := hsdsHours(x); ok && len(l.Hours)+len(h) <= krama.MaxHours {
			l.Hours = append(l.Hours, h...)
			if note := orText(str(x["notes"]), str(x["description"])); note != "" {
				in.left(s, "hours", "said beside them: "+note)
			}
		} else {
			in.left(s, "hours", strings.Join(strings.Fields(strings.Join([]string{str(x["byday"]), str(x["opens_at"]),
				str(x["closes_at"]), str(x["freq"]), str(x["description"])}, " ")), " "))
		}
	}
	in.areas(s, &l)
	if list := objects(s["required_documents"]); len(list) > 0 {
		in.taken[hsds.RequiredDocument]++
		l.Bring = text("required_documents", list[0]["document"], krama.MaxName)
	}
	return l
}

// phone takes the numbers that one row holds.
func (in *hsdsReader) phone(s, p hsds.Object, l *krama.Listing) {
	said := str(p["number"])
	use := krama.UseCall
	switch kind := strings.ToLower(strings.TrimSpace(str(p["type"]))); kind {
	case "", "voice", "cell":
	case "text", "sms":
		use = krama.UseMessage
	default: // a fax, a pager, a textphone: nobody could be told to call it
		in.left(s, "phone", said+" ("+kind+")")
		return
	}
	numbers, rest, ok := hsdsNumbers(said)
	if !ok {
		in.left(s, "phone", said)
		return
	}
	for _, n := range numbers {
		x := krama.Phone{Number: n, Use: use, Tier: krama.TierPartner}
		if slices.Contains(l.Phones, x) {
			continue
		}
		if len(l.Phones) == krama.MaxPhones {
			in.left(s, "phone", n+": a listing has no more")
			continue
		}
		l.Phones = append(l.Phones, x)
	}
	if ext := str(p["extension"]); ext != "" {
		rest = "extension " + ext
	}
	for _, beside := range []string{rest, str(p["description"])} {
		if beside != "" {
			in.left(s, "phone", numbers[0]+": said beside it: "+beside)
		}
	}
}

// 00 goes for + before Cambodia's own code alone: other prefixes that begin so have carriers' digits in them.
var (
	doubleZero = regexp.MustCompile(`^00 ?855 ?`)
	trunkZero  = regexp.MustCompile(`^(\+\d{1,3}) ?\(0\)`)
	extension  = regexp.MustCompile(`(?i)[ ,;]*\b(ext|extension|x)[. :]*([0-9]{1,6})$`)
	between    = regexp.MustCompile(`(?i) */ +| +/ *| *[,;\n] *| +or +`)
	joined     = regexp.MustCompile(`^\+?[0-9][0-9 ]*$`)
)

// hsdsNumbers reads the telephone numbers that a text is. rest is an extension in it. A text that is anything else
// beside is not understood.
func hsdsNumbers(said string) (numbers []string, rest string, ok bool) {
	text := strings.TrimSpace(krama.Plain(said))
	if m := extension.FindStringSubmatchIndex(text); m != nil {
		rest, text = "extension "+text[m[4]:m[5]], strings.TrimSpace(text[:m[0]])
	}
	for _, n := range between.Split(text, -1) {
		n = doubleZero.ReplaceAllString(n, "+855 ")
		n = trunkZero.ReplaceAllString(n, "$1 ")
		n = strings.Join(strings.Fields(strings.NewReplacer("(", " ", ")", " ", "-", " ", ".", " ").Replace(n)), " ")
		if !joined.MatchString(n) || !krama.ValidNumber(n) {
			return nil, "", false
		}
		numbers = append(numbers, n)
	}
	for _, n := range numbers[1:] { // "…117, 118" says how the first one may end, not whom to call
		if countDigits(n) < 6 && countDigits(numbers[0]) >= 6 {
			return nil, "", false
		}
	}
	return numbers, rest, true
}

// countDigits counts digits of our own script.
func countDigits(s string) (n int) {
	for _, r := range s {
		if r >= '0' && r <= '9' {
			n++
		}
	}
	return n
}

// areas takes the places that a service says it serves. A place that this directory has no code for is not everywhere:
// the listing serves krama.Elsewhere, and the words stand where staff verify.
func (in *hsdsReader) areas(s hsds.Object, l *krama.Listing) {
	everywhere, other, elsewhere := false, false, ""
	for _, x := range objects(s["service_areas"]) {
		in.taken[hsds.ServiceArea]++
		codes, ok := in.area(x)
		switch {
		case !ok || len(l.Districts)+len(codes) > 31:
			said := orText(str(x["name"]), str(x["extent"]))
			other, elsewhere = true, orText(elsewhere, said)
			in.left(s, "area", orText(orText(said, str(x["description"])), "an area without a name"))
			continue
		case len(codes) == 0:
			everywhere = true
		}
		for _, c := range codes {
			if !slices.Contains(l.Districts, c) {
				l.Districts = append(l.Districts, c)
			}
		}
		if note := str(x["description"]); note != "" {
			in.left(s, "area", "said beside it: "+note)
		}
	}
	if everywhere {
		l.Districts = nil
		return
	}
	if other {
		l.Districts = append(l.Districts, krama.Elsewhere)
		if about := strings.TrimSpace(l.About.EN + " (Area: " + plainLine(elsewhere, 60) + ")"); elsewhere != "" &&
			krama.Letters(about) <= krama.MaxAbout {
			l.About.EN = about
		}
	}
}

// area reads one area as codes; none is the whole country.
func (in *hsdsReader) area(x hsds.Object) (codes []uint16, ok bool) {
	extent, kind := strings.TrimSpace(str(x["extent"])), strings.ToLower(str(x["extent_type"]))
	number, has := strings.CutPrefix(extent, "KH-")
	n, err := strconv.ParseUint(number, 10, 16)
	switch {
	case has && err == nil && n > 0 && kind == strings.ToLower(ncdd) && n < uint64(krama.Elsewhere):
		return []uint16{uint16(n)}, true
	case has && err == nil && strings.Contains(kind, "3166-2") && n == uint64(in.g.Province.Code):
		return in.province(), true
	case extent == "KH" && strings.Contains(kind, "3166"):
		return nil, true
	case extent != "" && !strings.EqualFold(extent, str(x["name"])):
		return nil, false // a name beside a code that is not understood may be of something wider
	}
	name := fold(str(x["name"]))
	switch name {
	case "cambodia", "kingdom of cambodia", "kampuchea", "កម្ពុជា":
		return nil, true
	case "":
		return nil, false
	case fold(in.g.Province.EN), fold(in.g.Province.KM), fold(in.g.Province.EN + " province"):
		return in.province(), true
	}
	for _, d := range in.g.Province.Districts {
		if name == fold(d.EN) || name == fold(d.KM) {
			return []uint16{uint16(d.Code)}, true
		}
	}
	return nil, false
}

// province are the codes of all its districts.
func (in *hsdsReader) province() (codes []uint16) {
	for _, d := range in.g.Province.Districts {
		codes = append(codes, uint16(d.Code))
	}
	return codes
}

// fold makes two spellings of a name one.
func fold(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(krama.Plain(s)), " "))
}

// hsdsHours reads a schedule that is the same every week. Times with an offset, in themselves or in the schedule's
// timezone, are converted to Indochina time; a time that is not understood whole is none.
func hsdsHours(x hsds.Object) (out []krama.Hours, ok bool) {
	var days krama.Set
	for d := range strings.SplitSeq(strings.ToUpper(str(x["byday"])), ",") {
		if i := slices.Index(hsdsDays, strings.TrimSpace(d)); i >= 0 {
			days = days.With(uint8(i + 1))
		} else {
			return nil, false // the second Monday of a month, for one
		}
	}
	for _, c := range []string{"byweekno", "bymonthday", "byyearday", "until", "count", "valid_to"} {
		if str(x[c]) != "" {
			return nil, false // not all weeks
		}
	}
	if every := str(x["interval"]); every != "" && every != "1" {
		return nil, false
	}
	zone := 7 * 60
	if v := str(x["timezone"]); v != "" {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || !(n >= -12 && n <= 14) { // NaN is neither
			return nil, false
		}
		zone = int(n * 60)
	}
	open, ok1 := hsdsTime(str(x["opens_at"]), zone)
	shut, ok2 := hsdsTime(str(x["closes_at"]), zone)
	if !ok1 || !ok2 {
		return nil, false
	}
	const day = 24 * 60
	if shut-open == day-1 { // how a day of 24 hours is written
		shut++
	}
	whole := shut-open == day
	// In Indochina it may be the day before or after: the days of the week go along.
	for ; open < 0; open += day {
		days = days.Shift(6)
	}
	for ; open >= day; open -= day {
		days = days.Shift(1)
	}
	if shut = (shut%day + day) % day; shut == 0 {
		shut = day
	}
	ok = days != 0 && (open != shut || whole) && strings.EqualFold(str(x["freq"]), "WEEKLY")
	if whole && open == 0 {
		return krama.Spans(days, 0, day), ok
	}
	return krama.Spans(days, uint16(open), uint16(shut)), ok
}

// hsdsTime reads a time of day as minutes since midnight in Indochina, below 0 or above a day where it is another day
// there. zone is its offset in minutes where it says none itself.
func hsdsTime(s string, zone int) (minutes int, ok bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	for _, layout := range []string{"15:04", "15:04:05", "15:04Z07:00", "15:04:05Z07:00", "3:04 PM", "3:04PM",
		"3:04:05 PM"} {
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

// count works out what was left behind by tables and columns. A table that only links others, or only names what
// attributes point to, is none.
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
		case hsds.TableOf(hsds.ServiceAtLocation), hsds.TableOf(hsds.Taxonomy), hsds.TableOf(hsds.TaxonomyTerm),
			"meta_table_descriptions":
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

// str is a value that is a text or a number; anything else is none.
func str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// objects are the objects of a list; what is none is passed over.
func objects(v any) (out []hsds.Object) {
	list, _ := v.([]any)
	for _, x := range list {
		if o, ok := x.(hsds.Object); ok {
			out = append(out, o)
		}
	}
	return out
}

// plainLine is a text on one line, cut at max letters; of a text of any length little is looked at.
func plainLine(s string, max int) string {
	return krama.Clip(krama.Line(krama.Clip(s, 16*max)), max)
}

// words takes a text of unknown language as English.
func (in *hsdsReader) words(s hsds.Object, what string, v any, max int) krama.Words {
	switch v.(type) {
	case nil, string, json.Number:
	default:
		in.left(s, "text", what+" is not a text")
		return krama.Words{}
	}
	raw := str(v)
	text := plainLine(raw, 16*max)
	if krama.Letters(text) > max || krama.Letters(raw) > 16*max {
		in.left(s, "text", what+" is cut after "+strconv.Itoa(max)+" letters")
	}
	return krama.Words{EN: krama.Clip(text, max)}
}
