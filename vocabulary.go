package krama

import "strconv"

// Set is a set of small codes: bit i stands for code i. Codes are stable for ever; what a code means is in the lists
// below and its words are in the locale catalogues.
type Set uint64

// Has reports whether the set holds code c.
func (s Set) Has(c uint8) bool { return c < 64 && s>>c&1 == 1 }

// With returns the set with code c.
func (s Set) With(c uint8) Set { return s | 1<<c }

// Codes returns the codes of the set in rising order.
func (s Set) Codes() []uint8 {
	var out []uint8
	for c := range uint8(64) {
		if s.Has(c) {
			out = append(out, c)
		}
	}
	return out
}

// A term is one word of a closed list: its code on the wire and its key in the catalogues.
type Term struct {
	Code uint8
	Key  string
}

// KeyOf returns the key of a code in a closed list, or the code itself in digits where the list does not have it.
func KeyOf(list []Term, code uint8) string {
	for _, t := range list {
		if t.Code == code {
			return t.Key
		}
	}
	return strconv.Itoa(int(code))
}

// CodeOf returns the code of a key in a closed list; 0, which no list has, where the list does not have it.
func CodeOf(list []Term, key string) uint8 {
	for _, t := range list {
		if t.Key == key {
			return t.Code
		}
	}
	return 0
}

// KeysOf returns the keys of those terms of a list that a set has, in the list's order.
func KeysOf(list []Term, s Set) (out []string) {
	for _, t := range list {
		if s.Has(t.Code) {
			out = append(out, t.Key)
		}
	}
	return out
}

// The closed lists. A person chooses; nothing here is free text. Order is the order on screen.
var (
	// Genders, as she describes herself. GenderUnsaid is an answer, not a gap.
	Genders = []Term{{1, "woman"}, {2, "man"}, {3, "trans-woman"}, {4, "trans-man"}, {5, "another"}, {6, "unsaid"}}

	// AgeBands. Birthdays are never asked. Bands 1 and 2 are children: child protection, always.
	AgeBands = []Term{{1, "under-15"}, {2, "15-17"}, {3, "18-19"}, {4, "20-24"}, {5, "25-29"}, {6, "30-34"},
		{7, "35-39"},
		{8, "40-44"}, {9, "45-49"}, {10, "50-up"}, {11, "unknown"}}

	// Languages she is comfortable in.
	Languages = []Term{{1, "km"}, {2, "vi"}, {3, "en"}, {4, "lo"}, {5, "th"}, {6, "zh"}, {7, "bunong"}, {8, "kuy"},
		{9, "sign"}, {10, "other"}}

	// Categories for donor reports (MER 2.6.1, key population types), chosen with her; one at most. There is no value
	// for a male or trans sex worker in MER, so gender is asked apart and never derived from this.
	Categories = []Term{{1, "fsw"}, {2, "msm"}, {3, "tg"}, {4, "pwid"}, {5, "prison"}, {6, "none"}}

	// Places: kinds only. A named venue is never recorded.
	Places = []Term{{1, "entertainment"}, {2, "street"}, {3, "home"}, {4, "drop-in"}, {5, "clinic"}, {6, "phone"},
		{7, "other"}}

	// Topics of education.
	Topics = []Term{{1, "hiv"}, {2, "sti"}, {3, "condom"}, {4, "prep"}, {5, "family-planning"}, {6, "violence"},
		{7, "rights"},
		{8, "drugs-alcohol"}, {9, "mental-health"}, {10, "money"}}

	// Services offered or referred to, other than an HIV test (MER 2.6.1 KP_PREV list).
	Services = []Term{{1, "sti-screen"}, {2, "prep"}, {3, "art"}, {4, "tb"}, {5, "hepatitis"}, {6, "family-planning"},
		{7, "mental-health"}, {8, "legal"}, {9, "shelter"}, {10, "training"}}

	// Tests: what came of the conversation about an HIV test. Never a result.
	Tests = []Term{{TestNotOffered, "not-offered"}, {TestOffered, "offered"}, {TestAccepted, "accepted"},
		{TestDeclined, "declined"}, {TestReferred, "referred"}}

	// Safety: the answer to "are you safe?".
	Safety = []Term{{SafeNotAsked, "not-asked"}, {SafeYes, "yes"}, {SafeNo, "no"}, {SafeHelp, "help"},
		{SafeUnsaid, "unsaid"}}

	// Purposes a person can consent to, each apart.
	Purposes = []Term{{PurposeRecord, "record"}, {PurposeContact, "contact"}, {PurposeCount, "count"},
		{PurposeShare, "share"}}

	// Commodities given by hand. The code is the position in Supplies.
	Commodities = []Term{{Condom, "condom"}, {InternalCondom, "internal-condom"}, {Lubricant, "lubricant"},
		{SelfTest, "self-test"}, {Leaflet, "leaflet"}}
)

// Codes that rules name.
const (
	TestNotOffered, TestOffered, TestAccepted, TestDeclined, TestReferred uint8 = 0, 1, 2, 3, 4
	SafeNotAsked, SafeYes, SafeNo, SafeHelp, SafeUnsaid                   uint8 = 0, 1, 2, 3, 4
	PurposeRecord, PurposeContact, PurposeCount, PurposeShare             uint8 = 1, 2, 3, 4
	Condom, InternalCondom, Lubricant, SelfTest, Leaflet                  uint8 = 0, 1, 2, 3, 4
)

// Minor reports whether the age band is under 18.
func Minor(band uint8) bool { return band == 1 || band == 2 }

// Known reports whether code is in list.
func Known(list []Term, code uint8) bool {
	for _, t := range list {
		if t.Code == code {
			return true
		}
	}
	return false
}

// KnownSet reports whether every code of s is in list.
func KnownSet(list []Term, s Set) bool {
	for _, c := range s.Codes() {
		if !Known(list, c) {
			return false
		}
	}
	return true
}

// Role is a bit set of what a member of staff does.
type Role uint16

// Roles. Safeguarding is few, trusted and trained.
const (
	RoleAdmin Role = 1 << iota
	RoleSteward
	RoleOutreach
	RoleNurse
	RoleCaseWorker
	RoleSafeguarding
	RoleCoordinator
)

// CircleKind says what a circle is for. It travels only inside the circle.
type CircleKind uint8

// The circles every programme is founded with. KindOrg is the roster's own.
const (
	KindOrg CircleKind = iota
	KindOutreach
	KindClinical
	KindCasework
	KindSafeguarding
)

// CircleKinds are the content circles in the order they are founded.
var CircleKinds = []CircleKind{KindOutreach, KindClinical, KindCasework, KindSafeguarding}

// Writers are the roles that may write in a circle of kind k.
func (k CircleKind) Writers() Role {
	switch k {
	case KindOutreach:
		return RoleAdmin | RoleOutreach | RoleNurse | RoleCaseWorker | RoleCoordinator
	case KindClinical:
		return RoleAdmin | RoleNurse
	case KindCasework:
		return RoleAdmin | RoleCaseWorker
	case KindSafeguarding:
		return RoleAdmin | RoleSafeguarding
	}
	return RoleAdmin
}
