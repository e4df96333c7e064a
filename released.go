//go:build !report

package krama

// Released is what left the programme of one reporting period, as it was counted before anything was hidden, so that
// what any desk lets leave later can be held against it. It lives in the outreach circle, under no subject. Who reads
// it on a phone learns how many people of a group, and with what, were met in a half-year and district, small numbers
// too: what he can count from the contacts beside it, and, when those have been erased, what he could have. It names
// nobody. It rules only where an admin's desk wrote it.
type Released struct {
	From   Day    `cbor:"1,keyasint"`
	To     Day    `cbor:"2,keyasint"`
	Counts []byte `cbor:"3,keyasint"` // measure.Counts, deterministic CBOR, at most MaxCounts bytes
}

// MaxCounts bounds Released.Counts, in bytes.
const MaxCounts = 4096

func (r *Released) validate() error {
	if !plausible(r.From) || !plausible(r.To) || r.To < r.From || len(r.Counts) == 0 || len(r.Counts) > MaxCounts {
		return E("krama.Released", Invalid, "a period, or counts of 1 to 4,096 bytes")
	}
	return nil
}
