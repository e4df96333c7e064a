package directory

import (
	"cmp"
	"slices"

	"krama"
	"krama/seal"
)

// Door is what a programme shows the world: the public part of its directory, its reviewed pages about rights, and the
// intakes one can report to. It goes to the relay in clear, because it is for everybody; nothing else of a programme
// does.
type Door struct {
	Version  uint8      `cbor:"1,keyasint"` // 1
	Made     krama.Day  `cbor:"2,keyasint"`
	Site     [16]byte   `cbor:"3,keyasint"` // what receipts are bound to
	Demo     bool       `cbor:"4,keyasint,omitempty"`
	Listings []Shown    `cbor:"5,keyasint"`
	Intakes  []Intake   `cbor:"6,keyasint"`
	Rights   []Reviewed `cbor:"7,keyasint"`
}

// Shown is a listing in a door: its public part, and what its freshness is worked out from on the day somebody looks.
type Shown struct {
	Listing  krama.Listing `cbor:"1,keyasint"`
	Verified krama.Day     `cbor:"2,keyasint,omitempty"`
	Doubt    krama.Day     `cbor:"3,keyasint,omitempty"`
}

// Intake is one intake as a door offers it. Past ones stay listed, not offered, while answers signed with their keys
// may come.
type Intake struct {
	Circle krama.CircleKind `cbor:"1,keyasint"`
	ID     [16]byte         `cbor:"2,keyasint"`
	Kem    []byte           `cbor:"3,keyasint"`
	Sig    []byte           `cbor:"4,keyasint"`
	From   krama.Day        `cbor:"5,keyasint"`
	Until  krama.Day        `cbor:"6,keyasint"`
	// seal.IntakePlace of its stream; without it the id commits to no key, and it is not offered
	Place []byte `cbor:"7,keyasint,omitempty"`
}

// Reviewed is a page about rights that somebody has reviewed.
type Reviewed struct {
	Topic  string    `cbor:"1,keyasint"`
	Lang   string    `cbor:"2,keyasint"`
	Body   string    `cbor:"3,keyasint"`
	Source string    `cbor:"4,keyasint"`
	By     string    `cbor:"5,keyasint"`
	On     krama.Day `cbor:"6,keyasint"`
}

// MaxDoor bounds an encoded door, in bytes.
const MaxDoor = seal.MaxDoor

// MaxListings is how many listings a door may have, and how many another directory may bring.
const MaxListings = 1000

// PartError says which part of a door is too large for a page, so that whoever publishes can mend it. With none of
// need, listing and topic it is the whole.
type PartError struct {
	Need    uint8           // the answers to a need
	Listing krama.ListingID // one listing's own page
	Topic   string          // a text about rights
	Lang    string
}

// Error names no part: whoever publishes is told by the fields, in her language.
func (e *PartError) Error() string { return "a part of the door is too large for a page" }

// NewDoor makes the door of a day: of each entry what the public may see. Hidden entries are left out.
func NewDoor(entries []*Entry, today krama.Day, site [16]byte) *Door {
	d := &Door{Version: 1, Made: today, Site: site}
	for _, e := range entries {
		e = e.at(today)
		if v, ok := e.For(krama.TierPublic, today); ok {
			d.Listings = append(d.Listings, Shown{v.Listing, e.Verified, e.doubt()})
		}
	}
	return d
}

// Encode returns the door's bytes; more than MaxListings or MaxDoor is TooLarge.
func (d *Door) Encode() ([]byte, error) {
	b, err := krama.EncodeValue(d)
	if err == nil && (len(b) > MaxDoor || len(d.Listings) > MaxListings) {
		err = &krama.Error{Op: "directory.Door", Kind: krama.TooLarge, Err: &PartError{}}
	}
	return b, krama.Wrap("directory.Door", err)
}

// DecodeDoor reads a door and cuts every listing down to its public part again: what a broken desk published too much
// of is not shown for it. A listing that breaks a rule is left out. A later version is NotYet.
func DecodeDoor(b []byte) (*Door, error) {
	const op = "directory.DecodeDoor"
	if len(b) > MaxDoor {
		return nil, krama.E(op, krama.TooLarge, "the door is larger than the relay keeps")
	}
	d := new(Door)
	if err := krama.DecodeValue(b, d); err != nil {
		return nil, krama.E(op, krama.Invalid, "not a door")
	}
	if d.Version != 1 {
		return nil, krama.E(op, krama.NotYet, "a door of a later version")
	}
	kept := d.Listings[:0]
	for _, s := range d.Listings {
		s.Listing = cut(s.Listing, krama.TierPublic)
		if s.Listing.Validate() == nil && s.Listing.Public && !s.Listing.Closed {
			kept = append(kept, s)
		}
	}
	d.Listings = kept
	for _, in := range d.Intakes {
		if _, err := seal.SigKey(in.Sig); err != nil || len(in.Kem) != 1216 || in.From > in.Until {
			return nil, krama.E(op, krama.Invalid, "an intake")
		}
		// One of the first version has no place. It is listed for its answers, and Offered leaves it out.
		if len(in.Place) > 0 && !seal.IntakeFits(in.ID, in.Sig, in.Place, in.Kem) {
			return nil, krama.E(op, krama.Invalid, "an intake's id is not of its keys")
		}
	}
	return d, nil
}

// Views are the door's listings as they stand on a day, hidden ones left out.
func (d *Door) Views(today krama.Day) (out []View) {
	for _, s := range d.Listings {
		st := statusOf(s.Verified, s.Doubt, false, today)
		if st == Hidden {
			continue
		}
		out = append(out, View{s.Listing, s.Verified, st, krama.TierPublic})
	}
	slices.SortStableFunc(out, func(a, b View) int { return cmp.Compare(a.Status, b.Status) })
	return out
}

// Offered are the intakes that take reports on a day, one a circle, the newest where two overlap. None whose id commits
// to no key: whoever serves the pages could put another key under it.
func (d *Door) Offered(today krama.Day) (out []Intake) {
	for _, in := range d.Intakes {
		if in.From > today+1 || in.Until < today || len(in.Place) == 0 {
			continue
		}
		if i := slices.IndexFunc(out, func(o Intake) bool { return o.Circle == in.Circle }); i < 0 {
			out = append(out, in)
		} else if out[i].From < in.From || out[i].From == in.From && out[i].Until < in.Until {
			out[i] = in
		}
	}
	return out
}
