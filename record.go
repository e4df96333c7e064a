//go:build !report

package krama

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Record is the body of one sealed item: deterministic CBOR with small integer keys. Exactly one part is set; a record
// of a later version has none that this version knows, and is kept and passed on untouched.
type Record struct {
	ID      RecordID `cbor:"1,keyasint"`
	Person  *Person  `cbor:"2,keyasint,omitempty"`
	Contact *Contact `cbor:"3,keyasint,omitempty"`
	Consent *Consent `cbor:"4,keyasint,omitempty"`
	Amend   *Amend   `cbor:"5,keyasint,omitempty"`
	Circle  *Circle  `cbor:"6,keyasint,omitempty"`
	Staff   *Staff   `cbor:"7,keyasint,omitempty"`
	Trust   *Trust   `cbor:"8,keyasint,omitempty"`

	Listing    *Listing    `cbor:"9,keyasint,omitempty"`
	Guarded    *Guarded    `cbor:"10,keyasint,omitempty"`
	Check      *Check      `cbor:"11,keyasint,omitempty"`
	RightsText *RightsText `cbor:"12,keyasint,omitempty"`
	Intake     *Intake     `cbor:"13,keyasint,omitempty"`
	Report     *Report     `cbor:"14,keyasint,omitempty"`
	Act        *Act        `cbor:"15,keyasint,omitempty"`
	Referral   *Referral   `cbor:"16,keyasint,omitempty"`
	Outcome    *Outcome    `cbor:"17,keyasint,omitempty"`
	Incident   *Incident   `cbor:"18,keyasint,omitempty"`
	Audit      *Audit      `cbor:"19,keyasint,omitempty"`
	Taken      *Taken      `cbor:"20,keyasint,omitempty"`
	Released   *Released   `cbor:"22,keyasint,omitempty"`

	// Written is when it was typed, in seconds since 1970 by its author's clock; 0 in records of the first versions,
	// and in those whose id follows from what they say. It orders what is dated with one day and nothing else: a clock
	// may be wrong. It tells a reader no more than the envelope's time does.
	Written uint32 `cbor:"21,keyasint,omitempty"`
}

// Later reports whether a record is of a later version: none of its parts is known.
func (r *Record) Later() bool {
	return r.Person == nil && r.Contact == nil && r.Consent == nil && r.Amend == nil && r.Circle == nil &&
		r.Staff == nil && r.Trust == nil &&
		r.Listing == nil && r.Guarded == nil && r.Check == nil && r.RightsText == nil && r.Intake == nil &&
		r.Report == nil && r.Act == nil &&
		r.Referral == nil && r.Outcome == nil && r.Incident == nil && r.Audit == nil && r.Taken == nil &&
		r.Released == nil
}

// Person is the registration of a person. There is no name, phone number, address, earnings or client in it, and no
// free text: who reads it without a key to her face learns that somebody exists.
type Person struct {
	Code       Code   `cbor:"1,keyasint"`
	Gender     uint8  `cbor:"2,keyasint"` // Genders
	Age        uint8  `cbor:"3,keyasint"` // AgeBands, on Registered
	Languages  Set    `cbor:"4,keyasint"` // Languages
	Category   uint8  `cbor:"5,keyasint"` // Categories
	District   uint16 `cbor:"6,keyasint"` // NCDD district code; 0 outside the programme's area
	Registered Day    `cbor:"7,keyasint"`
}

// Contact is one meeting with one person.
type Contact struct {
	Date      Day      `cbor:"1,keyasint"`
	District  uint16   `cbor:"2,keyasint"` // NCDD district code, never finer
	Place     uint8    `cbor:"3,keyasint"` // Places
	Topics    Set      `cbor:"4,keyasint,omitempty"`
	Given     Supplies `cbor:"5,keyasint"`
	Test      uint8    `cbor:"6,keyasint,omitempty"` // Tests
	Services  Set      `cbor:"7,keyasint,omitempty"`
	Safety    uint8    `cbor:"8,keyasint,omitempty"`  // Safety
	Next      Day      `cbor:"9,keyasint,omitempty"`  // next contact due; 0 when none was agreed
	Attendees uint16   `cbor:"10,keyasint,omitempty"` // people in the group session; 0 for a talk of two
	Void      bool     `cbor:"11,keyasint,omitempty"` // set only by amendment: entered by mistake
}

// Supplies are pieces given, by commodity code.
type Supplies [5]uint16

// Supplies64 adds up Supplies.
type Supplies64 [5]int64

// Consent is what a person said about one purpose on one day. Withdrawing is a new record with Given false. It replaces
// what its author had before her, as an amendment does: of one day, too, the last word counts.
type Consent struct {
	Purpose  uint8      `cbor:"1,keyasint"` // Purposes
	Given    bool       `cbor:"2,keyasint"`
	Date     Day        `cbor:"3,keyasint"`
	Replaces []RecordID `cbor:"4,keyasint,omitempty"` // 32 at most; none in records of the first version
}

// Amend changes fields of an earlier registration or contact. Nothing is edited: a value stands until a later record
// says that it replaces it, so two people who correct one field at the same time leave two values, and the screen asks.
type Amend struct {
	Target  RecordID `cbor:"1,keyasint"`
	Date    Day      `cbor:"2,keyasint"`
	Changes []Change `cbor:"3,keyasint"`
}

// Change is a new value of one field. Field is the CBOR key of the field in its part; Value is its CBOR; Replaces are
// the records whose value of this field its author had before her.
type Change struct {
	Field    uint8           `cbor:"1,keyasint"`
	Value    cbor.RawMessage `cbor:"2,keyasint"`
	Replaces []RecordID      `cbor:"3,keyasint"`
}

// Circle says inside a circle what the circle is for.
type Circle struct {
	Kind CircleKind `cbor:"1,keyasint"`
}

// Staff gives a member a label inside a circle, such as "Outreach 3". A label is not a name.
type Staff struct {
	Member MemberID `cbor:"1,keyasint"`
	Label  string   `cbor:"2,keyasint"`
}

// Trust is a dated word about recovery: that a trustee showed that she still holds share X of a set, or, with X 0, that
// an admin accepts that losing every device loses everything. It names nobody.
type Trust struct {
	Set [4]byte `cbor:"1,keyasint"`
	X   uint8   `cbor:"2,keyasint"`
	Day Day     `cbor:"3,keyasint"`
}

// MaxReplaces bounds how many earlier values one value replaces.
const MaxReplaces = 32

// MaxStaffLabel bounds Staff.Label, in letters. The first versions took 40 bytes.
const MaxStaffLabel = 40

// MaxRecord bounds a record, in bytes: a listing whose texts are all as long as they may be in three scripts fits, and
// a page about rights in the longest of them. The first versions took 4,096.
const MaxRecord = 12 << 10

var (
	encMode = must(cbor.CoreDetEncOptions().EncMode())
	decMode = must(cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 8, MaxArrayElements: 1024,
		MaxMapPairs: 64, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Encode returns the record's bytes. It validates first, so that nothing is sealed that a reader would refuse.
func (r *Record) Encode() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	b, err := encMode.Marshal(r)
	if err == nil && len(b) > MaxRecord { // no reader would take it
		err = E("krama.Record", TooLarge, fmt.Sprintf("more than %d bytes", MaxRecord))
	}
	return b, err
}

// DecodeRecord reads and validates a record. A record whose parts this version does not know decodes without error and
// has none set.
func DecodeRecord(b []byte) (*Record, error) {
	if len(b) > MaxRecord {
		return nil, E("krama.DecodeRecord", TooLarge, fmt.Sprintf("more than %d bytes", MaxRecord))
	}
	r := new(Record)
	if err := decMode.Unmarshal(b, r); err != nil {
		return nil, E("krama.DecodeRecord", Invalid, "not a record")
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return r, nil
}

// EncodeValue returns the CBOR of a field's value, for Change.Value.
func EncodeValue(v any) (cbor.RawMessage, error) { return encMode.Marshal(v) }

// DecodeValue reads Change.Value into v.
func DecodeValue(b cbor.RawMessage, v any) error { return decMode.Unmarshal(b, v) }

// Validate checks a record against the vocabulary. Codes that a later version may add are refused here: a version
// writes only what it knows, and newer forms come under new keys.
func (r *Record) Validate() error {
	parts := 0
	for _, set := range []bool{r.Person != nil, r.Contact != nil, r.Consent != nil, r.Amend != nil, r.Circle != nil,
		r.Staff != nil, r.Trust != nil,
		r.Listing != nil, r.Guarded != nil, r.Check != nil, r.RightsText != nil, r.Intake != nil, r.Report != nil,
		r.Act != nil, r.Referral != nil,
		r.Outcome != nil, r.Incident != nil, r.Audit != nil, r.Taken != nil, r.Released != nil} {
		if set {
			parts++
		}
	}
	if parts > 1 || r.ID == (RecordID{}) {
		return E("krama.Record", Invalid, "a record has an id and one part")
	}
	switch {
	case r.Person != nil:
		return r.Person.Validate()
	case r.Contact != nil:
		return r.Contact.Validate()
	case r.Consent != nil:
		if !Known(Purposes, r.Consent.Purpose) || !plausible(r.Consent.Date) || len(r.Consent.Replaces) > MaxReplaces {
			return E("krama.Consent", Invalid, "purpose, date or what it replaces")
		}
	case r.Amend != nil:
		if len(r.Amend.Changes) == 0 || len(r.Amend.Changes) > 16 || !plausible(r.Amend.Date) {
			return E("krama.Amend", Invalid, "an amendment changes 1 to 16 fields")
		}
		for _, c := range r.Amend.Changes {
			if c.Field == 0 || len(c.Replaces) == 0 || len(c.Replaces) > MaxReplaces {
				return E("krama.Amend", Invalid, "a change is of a field and replaces 1 to 32 values")
			}
		}
	case r.Trust != nil:
		if !plausible(r.Trust.Day) {
			return E("krama.Trust", Invalid, "date")
		}
	case r.Listing != nil:
		return r.Listing.Validate()
	case r.Guarded != nil:
		return r.Guarded.Validate()
	case r.Check != nil:
		return r.Check.validate()
	case r.RightsText != nil:
		return r.RightsText.validate()
	case r.Intake != nil:
		return r.Intake.validate()
	case r.Report != nil:
		return r.Report.validate()
	case r.Act != nil:
		return r.Act.validate()
	case r.Referral != nil:
		return r.Referral.validate()
	case r.Outcome != nil:
		return r.Outcome.validate()
	case r.Incident != nil:
		return r.Incident.validate()
	case r.Audit != nil:
		return r.Audit.validate()
	case r.Taken != nil:
		return r.Taken.validate()
	case r.Released != nil:
		return r.Released.validate()
	case r.Staff != nil:
		if len(r.Staff.Label) == 0 || Letters(r.Staff.Label) > MaxStaffLabel {
			return E("krama.Staff", Invalid, "a label has 1 to 40 letters")
		}
	}
	return nil
}

// Validate checks a registration.
func (p *Person) Validate() error {
	const op = "krama.Person"
	if c, err := ParseCode(string(p.Code)); err != nil || c != p.Code {
		return E(op, Invalid, "code")
	}
	if !Known(Genders, p.Gender) || !Known(AgeBands, p.Age) || !Known(Categories, p.Category) || !KnownSet(Languages,
		p.Languages) {
		return E(op, Invalid, "a value outside its list")
	}
	if !plausible(p.Registered) {
		return E(op, Invalid, "date")
	}
	return nil
}

// Bounds of a contact: pieces of one commodity to one person, people in a group, and days until the next.
const (
	MaxPieces = 2000
	MaxGroup  = 500
	MaxAhead  = 730
)

// Validate checks a contact.
func (c *Contact) Validate() error {
	const op = "krama.Contact"
	if !plausible(c.Date) || (c.Next != 0 && (c.Next <= c.Date || c.Next > c.Date+MaxAhead)) {
		return E(op, Invalid, "date")
	}
	if !Known(Places, c.Place) || !Known(Tests, c.Test) || !Known(Safety, c.Safety) || !KnownSet(Topics, c.Topics) ||
		!KnownSet(Services, c.Services) {
		return E(op, Invalid, "a value outside its list")
	}
	for _, n := range c.Given {
		if n > MaxPieces {
			return E(op, Invalid, "more than 2,000 pieces to one person")
		}
	}
	if c.Attendees > MaxGroup {
		return E(op, Invalid, "more than 500 in a group")
	}
	return nil
}
