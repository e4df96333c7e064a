package krama

import "encoding/hex"

// Identifiers. All but OrgID and DeviceID are random; none is ever derived from a name, a phone number or a birthday.
type (
	OrgID     [32]byte // hash of the genesis statement
	CircleID  [16]byte // a circle of devices that share keys; zero is the org circle, whose stream is the roster
	SubjectID [16]byte // a person, in one circle
	MemberID  [16]byte // a member of staff
	DeviceID  [16]byte // hash of a device's signing key and enrolment nonce
	RecordID  [16]byte // a record, minted where it was typed
)

// OrgCircle is circle 0.
var OrgCircle CircleID

func (id OrgID) String() string     { return hex.EncodeToString(id[:]) }
func (id CircleID) String() string  { return hex.EncodeToString(id[:]) }
func (id SubjectID) String() string { return hex.EncodeToString(id[:]) }
func (id MemberID) String() string  { return hex.EncodeToString(id[:]) }
func (id DeviceID) String() string  { return hex.EncodeToString(id[:]) }
func (id RecordID) String() string  { return hex.EncodeToString(id[:]) }

// ParseSubjectID reads the 32 hexadecimal digits that String writes.
func ParseSubjectID(s string) (SubjectID, error) {
	id, err := parse16(s)
	return SubjectID(id), err
}

// ParseRecordID reads the 32 hexadecimal digits that String writes.
func ParseRecordID(s string) (RecordID, error) {
	id, err := parse16(s)
	return RecordID(id), err
}

func parse16(s string) (id [16]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 16 {
		return id, E("krama.ParseID", Invalid, "an id is 32 hexadecimal digits")
	}
	return [16]byte(b), nil
}
