package exchange

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"krama"
	"krama/casework"
)

// The lines. Keys are plain words, codes are the vocabulary's keys; the codebook explains each. A field that is absent
// is empty, except that nothing was left out.
type (
	// personLine is a registration after all corrections. By is empty where the roster does not name whose device wrote
	// it; Local is for what had not been sent.
	personLine struct {
		Kind       string   `json:"kind"`
		Person     string   `json:"person"`
		Code       string   `json:"code"`
		Registered string   `json:"registered"`
		Gender     string   `json:"gender"`
		Age        string   `json:"age"`
		Languages  []string `json:"languages"`
		Category   string   `json:"category"`
		District   string   `json:"district"`
		By         string   `json:"by,omitempty"`
		Record     string   `json:"record"`
		Local      bool     `json:"only_on_this_desk,omitempty"`
	}
	// contactLine is one meeting after all corrections. One that was entered by mistake is written and says so: it is
	// not to be counted. Code is empty while the person's registration has not come.
	contactLine struct {
		Kind      string         `json:"kind"`
		Person    string         `json:"person"`
		Code      string         `json:"code,omitempty"`
		Date      string         `json:"date"`
		District  string         `json:"district"`
		Place     string         `json:"place"`
		Topics    []string       `json:"topics,omitempty"`
		Given     map[string]int `json:"given,omitempty"`
		Test      string         `json:"test"`
		Services  []string       `json:"services,omitempty"`
		Safety    string         `json:"safety"`
		Next      string         `json:"next,omitempty"`
		Attendees int            `json:"attendees,omitempty"`
		Mistake   bool           `json:"entered_by_mistake,omitempty"`
		By        string         `json:"by,omitempty"`
		Record    string         `json:"record"`
		Local     bool           `json:"only_on_this_desk,omitempty"`
	}
	// consentLine is one thing a person said on one day. What she withdrew later is written, too.
	consentLine struct {
		Kind    string `json:"kind"`
		Person  string `json:"person"`
		Code    string `json:"code,omitempty"`
		Purpose string `json:"purpose"`
		Given   bool   `json:"given"`
		Date    string `json:"date"`
		Record  string `json:"record"`
	}
	// disputeLine is a field about which nobody has decided; the record's own line shows one value all the same. Of is
	// the kind of that record.
	disputeLine struct {
		Kind   string         `json:"kind"`
		Person string         `json:"person"`
		Code   string         `json:"code,omitempty"`
		Of     string         `json:"of"`
		Field  string         `json:"field"`
		Values []disputeValue `json:"values"`
		Record string         `json:"record"`
	}
	// disputeValue is a value that stands, and who said it. It is null for what the record itself says, and for what
	// this version cannot read.
	disputeValue struct {
		Value  any    `json:"value"`
		Date   string `json:"date,omitempty"`
		By     string `json:"by,omitempty"`
		Record string `json:"record"`
	}
	// staffLine is what a member is called in the programme. A label is not a name.
	staffLine struct {
		Kind   string `json:"kind"`
		Member string `json:"member"`
		Label  string `json:"label"`
	}
)

// lines writes everything, kind by kind.
func (x *Export) lines(w io.Writer, n Counts) error {
	var err error
	enc := json.NewEncoder(w)
	// The first error stays, and nothing is written after it.
	put := func(v any) bool {
		if err == nil {
			err = enc.Encode(v)
		}
		return err == nil
	}
	put(Info{"archive", lineVersion, x.Written.String(), x.Destroy.String(), x.Reason, x.Recipient, x.Version, n,
		x.State.Unknown()})
	if book, e := x.codebook(); err != nil || e != nil || !put(book) || !put(insideWords()) {
		return krama.Wrap("exchange.lines", cmp.Or(err, e))
	}
	// By id: the same programme gives the same lines, whatever order a map has.
	labels := x.State.Labels()
	for _, m := range slices.SortedFunc(maps.Keys(labels), func(a, b krama.MemberID) int {
		return bytes.Compare(a[:], b[:])
	}) {
		put(staffLine{"staff", m.String(), labels[m]})
	}
	// Once over all people for each kind, so that the lines of a kind stand together and one person is held at a time.
	codes, out := map[krama.SubjectID]krama.Code{}, map[krama.SubjectID]bool{}
	for _, each := range []func(*casework.Kept, func(any) bool){x.person, x.contacts, x.consents, x.disputes} {
		for k := range x.State.Everybody(x.Written) {
			if k.NoRecord {
				out[k.Subject] = true
				continue
			}
			// For referrals, which come later.
			codes[k.Subject] = k.Value.Code
			if each(k, put); err != nil {
				return krama.Wrap("exchange.lines", err)
			}
		}
	}
	x.door(codes, out, put)
	return krama.Wrap("exchange.lines", err)
}

// person writes who a person is.
func (x *Export) person(k *casework.Kept, put func(any) bool) {
	// Only later records of hers have come; they have lines, and she has none yet.
	if k.Record == (krama.RecordID{}) {
		return
	}
	p := &k.Value
	put(personLine{"person", k.Subject.String(), p.Code.String(), p.Registered.String(),
		krama.KeyOf(krama.Genders, p.Gender),
		krama.KeyOf(krama.AgeBands, p.Age),
		words(krama.Languages, p.Languages), krama.KeyOf(krama.Categories, p.Category), district(p.District),
		x.by(k.Author),
		k.Record.String(), k.Local})
}

// contacts writes a person's contacts.
func (x *Export) contacts(k *casework.Kept, put func(any) bool) {
	for i := range k.Contacts {
		c := &k.Contacts[i]
		if !put(contactLine{"contact", k.Subject.String(), k.Value.Code.String(), c.Date.String(), district(c.District),
			krama.KeyOf(krama.Places, c.Place),
			words(krama.Topics, c.Topics), given(c.Given), krama.KeyOf(krama.Tests, c.Test), words(krama.Services,
				c.Services),
			krama.KeyOf(krama.Safety, c.Safety),
			c.Next.String(), int(c.Attendees), c.Void, x.by(c.Author), c.Record.String(), c.Local}) {
			return
		}
	}
}

// consents writes what a person agreed to, and when she took it back.
func (x *Export) consents(k *casework.Kept, put func(any) bool) {
	for _, c := range k.Consents {
		if !put(consentLine{"consent", k.Subject.String(), k.Value.Code.String(), krama.KeyOf(krama.Purposes,
			c.Purpose),
			c.Given, c.Date.String(), c.Record.String()}) {
			return
		}
	}
}

// disputes writes fields of which two versions stand.
func (x *Export) disputes(k *casework.Kept, put func(any) bool) {
	for _, d := range k.Disputes {
		of, fields := "contact", contactFields
		if d.Target == k.Record {
			of, fields = "person", personFields
		}
		f := fields[d.Field]
		line := disputeLine{Kind: "dispute", Person: k.Subject.String(), Code: k.Value.Code.String(), Of: of,
			Field: f.name, Record: d.Target.String()}
		for _, h := range d.Heads {
			v := disputeValue{Date: h.Date.String(), Record: h.Record.String()}
			// What the record itself says stands in its own line, with its author.
			if h.Value != nil && f.show != nil {
				v.Value, v.By = f.show(h.Value), x.by(h.Author)
			}
			line.Values = append(line.Values, v)
		}
		if !put(line) {
			return
		}
	}
}

// given are the supplies that were given, by name.
func given(s krama.Supplies) map[string]int {
	var out map[string]int
	for _, t := range krama.Commodities {
		if n := s[t.Code]; n > 0 {
			if out == nil {
				out = map[string]int{}
			}
			out[t.Key] = int(n)
		}
	}
	return out
}

// amendable is a field that a change can name: the key it has in a line, and how its CBOR becomes what a line holds.
type amendable struct {
	name string
	show func(cbor.RawMessage) any
}

// as is a field that can be amended, and how its values are shown.
// A value that does not decode, as one of a later version, is shown as null.
func as[T any](name string, show func(T) any) amendable {
	return amendable{name, func(raw cbor.RawMessage) any {
		var v T
		if krama.DecodeValue(raw, &v) != nil {
			return nil
		}
		return show(v)
	}}
}

// oneOf is a field with a code of a list.
func oneOf(name string, list []krama.Term) amendable {
	return as(name, func(v uint8) any { return krama.KeyOf(list, v) })
}

// someOf is a field with several codes of a list.
func someOf(name string, list []krama.Term) amendable {
	return as(name, func(v krama.Set) any { return words(list, v) })
}

// onDay is a field with a day.
func onDay(name string) amendable { return as(name, func(d krama.Day) any { return d.String() }) }

// By the numbers that krama.Change.Field holds.
var (
	personFields = map[uint8]amendable{1: as("code", func(v krama.Code) any { return v.String() }), 2: oneOf("gender",
		krama.Genders), 3: oneOf("age", krama.AgeBands),
		4: someOf("languages", krama.Languages),
		5: oneOf("category", krama.Categories), 6: as("district", func(v uint16) any { return district(v) })}
	contactFields = map[uint8]amendable{1: onDay("date"), 2: as("district", func(v uint16) any { return district(v) }),
		3: oneOf("place", krama.Places),
		4: someOf("topics", krama.Topics), 5: as("given", func(v krama.Supplies) any { return given(v) }),
		6: oneOf("test", krama.Tests),
		7: someOf("services", krama.Services), 8: oneOf("safety", krama.Safety), 9: onDay("next"), 10: as("attendees",
			func(v uint16) any { return v }),
		11: as("entered_by_mistake", func(v bool) any { return v })}
)
