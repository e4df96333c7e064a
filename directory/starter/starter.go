// Package starter is the directory that a new programme begins with: what is published about Kratie, each with its
// source. Only what a source was found for is public, marked as not verified; the rest is for staff to verify.
package starter

import (
	_ "embed"
	"encoding/json"

	"krama"
	"krama/seal"
)

//go:embed kratie.json
var raw []byte

type entry struct {
	ID        string      `json:"id"`
	Kind      string      `json:"kind"`
	Org       krama.Words `json:"org"`
	Name      krama.Words `json:"name"`
	About     krama.Words `json:"about"`
	Operator  string      `json:"operator"`
	Needs     []string    `json:"needs"`
	Districts []uint16    `json:"districts"`
	Languages []string    `json:"languages"`
	Welcome   []string    `json:"welcome"`
	Cost      string      `json:"cost"`
	Always    bool        `json:"always"`
	Phones    []struct{ Number, Use string }
	Source    string `json:"source"`
	Public    bool   `json:"public"`
}

// Load returns the starter listings, the same keys every time.
func Load() ([]krama.Listing, error) {
	var in []entry
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, krama.Wrap("starter.Load", err)
	}
	var out []krama.Listing
	for _, e := range in {
		h := seal.Hash("starter listing", []byte(e.ID))
		l := krama.Listing{Key: krama.ListingID(h[:16]), Kind: krama.CodeOf(krama.ListingKinds, e.Kind), Org: e.Org,
			Name: e.Name, About: e.About,
			Operator: krama.CodeOf(krama.Operators, e.Operator), Needs: set(krama.Needs, e.Needs),
			Districts: e.Districts,
			Languages: set(krama.Languages, e.Languages),
			Welcome:   set(krama.Welcomes, e.Welcome), Cost: krama.CodeOf(krama.Costs, e.Cost), Source: e.Source,
			Public: e.Public}
		if l.Operator == krama.OperatorPolice {
			l.Police = krama.PoliceIs
		}
		if e.Always {
			l.Hours = []krama.Hours{{Days: 0xfe, Open: 0, Close: 1440}}
		}
		for _, p := range e.Phones {
			l.Phones = append(l.Phones, krama.Phone{Number: p.Number, Use: krama.CodeOf(krama.PhoneUses, p.Use),
				Tier: krama.TierPublic})
		}
		if err := l.Validate(); err != nil {
			return nil, krama.Wrap("starter "+e.ID, err)
		}
		out = append(out, l)
	}
	return out, nil
}

func set(list []krama.Term, keys []string) (s krama.Set) {
	for _, k := range keys {
		s = s.With(krama.CodeOf(list, k))
	}
	return s
}
