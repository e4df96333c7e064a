package exchange

import (
	"encoding/json"
	"strconv"

	"krama"
	"krama/guide"
	"krama/locale"
)

// codebook says what every kind, field and code of an archive means, in plain English; codes also in the product's
// other languages.
type codebook struct {
	// About, Notes and Records lie in page/codebook.json; Codes and Sources are filled in from this version's lists.
	Kind    string                `json:"kind"`
	About   string                `json:"about"`
	Notes   []string              `json:"notes"`
	Records []recordMeaning       `json:"records"`
	Codes   map[string][]codeWord `json:"codes"`
	Sources []source              `json:"sources"`
}

// recordMeaning is what a kind of line means.
type recordMeaning struct {
	Kind   string         `json:"kind"`
	Means  string         `json:"means"`
	Fields []fieldMeaning `json:"fields"`
}

// fieldMeaning is what a field of it means.
type fieldMeaning struct {
	Name  string `json:"name"`
	Means string `json:"means"`
	Codes string `json:"codes,omitempty"` // the list in codebook.Codes
}

// codeWord is a code and its words.
type codeWord struct {
	Code string `json:"code"`
	EN   string `json:"en"`
	KM   string `json:"km"`
	VI   string `json:"vi"`
}

// source is where a list comes from and who has checked it.
type source struct {
	Codes      string `json:"codes"`
	Source     string `json:"source"`
	Version    string `json:"version"`
	VerifiedBy string `json:"verified_by"`
	VerifiedOn string `json:"verified_on,omitempty"`
}

// unverified says so: nothing that nobody checked is shown as fact.
const unverified = "nobody yet"

// sourceOf tells where a list of codes is from, and that nobody has verified it where nobody has.
func sourceOf(codes string, p guide.Provenance) source {
	s := source{codes, p.Source, p.Version, p.VerifiedBy, p.VerifiedOn}
	if s.VerifiedBy == "" {
		s.VerifiedBy = unverified
	}
	return s
}

// codebook makes the second line of an archive: whoever opens it without Krama has nothing else to read it by. An error
// means a program that was built wrong, because the file is embedded.
func (x *Export) codebook() (*codebook, error) {
	c := &codebook{Codes: map[string][]codeWord{}}
	b, err := files.ReadFile("page/codebook.json")
	if err == nil {
		err = json.Unmarshal(b, c)
	}
	if err != nil {
		return nil, krama.Wrap("exchange.codebook", err)
	}
	// Every line begins with its kind; it is the struct's first field for that reason.
	c.Kind = "codebook"
	en, km, vi := locale.New("en"), locale.New("km"), locale.New("vi")
	say := func(code, key string) codeWord { return codeWord{code, en.T(key), km.T(key), vi.T(key)} }
	// The name of a list is what a field of codebook.json names under codes, and the beginning of its words' keys in
	// the catalogues.
	for name, list := range map[string][]krama.Term{"gender": krama.Genders, "age": krama.AgeBands,
		"language": krama.Languages, "category": krama.Categories,
		"place": krama.Places, "topic": krama.Topics, "service": krama.Services, "test": krama.Tests,
		"safety":  krama.Safety,
		"purpose": krama.Purposes, "commodity": krama.Commodities, "listingKind": krama.ListingKinds,
		"operator": krama.Operators, "need": krama.Needs,
		"welcome": krama.Welcomes, "cost": krama.Costs, "access": krama.Accesses, "police": krama.PoliceTies,
		"use": krama.PhoneUses, "check": krama.Checks,
		"outcome": krama.Outcomes, "reportTopic": krama.ReportTopics, "act": krama.Acts,
		"incident": krama.IncidentKinds, "perpetrator": krama.Perpetrators,
		"want": krama.Wants, "audit": krama.Audits} {
		for _, t := range list {
			c.Codes[name] = append(c.Codes[name], say(t.Key, name+"."+t.Key))
		}
	}
	// Districts are the guide's. A district of a record that is not among them is shown by its number.
	for _, d := range x.Guide.Province.Districts {
		c.Codes["district"] = append(c.Codes["district"], codeWord{strconv.Itoa(int(d.Code)), d.Name("en"),
			d.Name("km"), d.Name("vi")})
	}
	c.Codes["district"] = append(c.Codes["district"], say(outside, "person.outside"))
	// The words of these have numbers in the catalogues, where others have keys.
	for name, list := range map[string][]krama.Term{"tier": tiers, "circle": circles} {
		for _, t := range list {
			c.Codes[name] = append(c.Codes[name], say(t.Key, name+"."+strconv.Itoa(int(t.Code))))
		}
	}
	for d := 1; d <= 7; d++ {
		c.Codes["weekday"] = append(c.Codes["weekday"], say(strconv.Itoa(d), "door.day."+strconv.Itoa(d)))
	}
	c.Codes["given"] = []codeWord{say("true", "app.yes"), say("false", "app.no")}
	// Of these lists the guide says where they come from and who has checked them.
	c.Sources = []source{sourceOf("district", x.Guide.Province.Provenance), sourceOf("category",
		x.Guide.KPPrev.Provenance), sourceOf("service", x.Guide.KPPrev.Provenance)}
	return c, nil
}
