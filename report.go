package krama

import "io"

// ThreadID names a conversation with somebody who reported, in one circle: a hash of her keys, so that who knows her
// mailbox alone, as the relay does, cannot write in her name.
type ThreadID [16]byte

// Intake is the secret of one intake for about a month: whoever has it reads what was reported to it, if she is still
// in the circle. It is written under a subject of its own, so that it is erased like one when its time is over.
type Intake struct {
	Seed   [32]byte `cbor:"1,keyasint"`
	From   Day      `cbor:"2,keyasint"`
	Until  Day      `cbor:"3,keyasint"` // last day it is offered
	Stream [16]byte `cbor:"4,keyasint"` // the circle's, when it was drawn: its key fetches from the relay

	// Version is IntakeBound for one whose id commits to the key that reports are sealed to; 0 was the first version.
	Version uint8 `cbor:"5,keyasint,omitempty"`
}

// IntakeBound is the version of intakes that are drawn now.
const IntakeBound uint8 = 1

// Report is one message of somebody who reported, or one part of a long one. Nobody knows who she is, and nothing asks.
type Report struct {
	Thread  ThreadID `cbor:"1,keyasint"`
	Auth    [32]byte `cbor:"2,keyasint"`           // the key that fetches answers
	KEM     []byte   `cbor:"3,keyasint,omitempty"` // the key that answers are sealed to; in the first part only
	Intake  [16]byte `cbor:"4,keyasint"`
	Day     Day      `cbor:"5,keyasint"` // when the relay had it
	Topic   uint8    `cbor:"6,keyasint"` // ReportTopics
	Part    uint8    `cbor:"7,keyasint,omitempty"`
	Text    string   `cbor:"8,keyasint"`
	Place   uint16   `cbor:"9,keyasint,omitempty"` // district, if she said it
	Mailbox [16]byte `cbor:"10,keyasint"`          // where answers go
	// of a part: the first part's record; zero in those of the first version
	Of RecordID `cbor:"11,keyasint,omitempty"`
	// its number at the relay, which orders those of one day; 0 where not told
	N uint32 `cbor:"12,keyasint,omitempty"`
}

// Act is what staff did about a thread.
type Act struct {
	Threads  []ThreadID `cbor:"1,keyasint"` // one; only setting aside takes many at once
	What     uint8      `cbor:"2,keyasint"` // Acts
	Day      Day        `cbor:"3,keyasint"`
	Member   MemberID   `cbor:"4,keyasint,omitempty"` // to whom it was assigned
	Text     string     `cbor:"5,keyasint,omitempty"` // the answer
	Incident RecordID   `cbor:"6,keyasint,omitempty"`
	Messages uint16     `cbor:"7,keyasint,omitempty"` // of hers that its author had before her; 0 where not told
}

// Incident is something that was done to somebody, kept with her consent, in the safeguarding circle. It names nobody
// and no place finer than a district.
type Incident struct {
	Thread   ThreadID `cbor:"1,keyasint,omitempty"` // the report it came from
	Day      Day      `cbor:"2,keyasint"`           // when it was recorded
	District uint16   `cbor:"3,keyasint,omitempty"`
	What     Set      `cbor:"4,keyasint"` // IncidentKinds
	By       Set      `cbor:"5,keyasint"` // Perpetrators
	Wants    Set      `cbor:"6,keyasint,omitempty"`
	Consent  bool     `cbor:"7,keyasint"` // she said yes to its being kept; without it there is none
}

// Referral is a person sent to a service with a slip. The slip carries the code and nothing about her.
type Referral struct {
	Listing ListingID `cbor:"1,keyasint"`
	Day     Day       `cbor:"2,keyasint"`
	For     Day       `cbor:"3,keyasint,omitempty"` // when she is to go; 0: any day
	Code    SlipCode  `cbor:"4,keyasint"`
}

// Outcome is what became of a referral.
type Outcome struct {
	Referral RecordID `cbor:"1,keyasint"`
	Day      Day      `cbor:"2,keyasint"`
	What     uint8    `cbor:"3,keyasint"` // Outcomes
}

// Audit says that somebody read, or was refused, what lies in casework or safeguarding. Its author is the record's.
type Audit struct {
	What   uint8    `cbor:"1,keyasint"` // Audits
	Day    Day      `cbor:"2,keyasint"`
	Thread ThreadID `cbor:"3,keyasint,omitempty"`
}

// Taken says of reports of one intake what became of them, where no conversation says it: a relay that gives their
// bytes again brings nothing back, on no desk. It is written under the intake's own subject, and ends with its seed:
// after that nothing opens them.
type Taken struct {
	What    uint8      `cbor:"1,keyasint"` // Takens
	Day     Day        `cbor:"2,keyasint"`
	Reports []RecordID `cbor:"3,keyasint"` // each by the id of its first record, a hash of its sealed bytes
}

// Codes that rules name.
const (
	ActAssign, ActAnswer, ActClose, ActReopen, ActIncident, ActAside uint8 = 1, 2, 3, 4, 5, 6
	OutcomeAccepted, OutcomeDone, OutcomeCouldNot, OutcomeWithdrawn  uint8 = 1, 2, 3, 4
	AuditRead, AuditList, AuditExport, AuditRefused                  uint8 = 1, 2, 3, 4
	AuditPlace, AuditIncidents                                       uint8 = 5, 6
	TakenErased, TakenUnopened, TakenSeen                            uint8 = 1, 2, 3
)

// The closed lists of reports, incidents and referrals.
var (
	// ReportTopics guide who reports; the first is free text alone.
	ReportTopics = []Term{{1, "other"}, {2, "violence"}, {3, "police"}, {4, "held"}, {5, "staff"}, {6, "service"},
		{7, "child"}, {8, "work"}}
	Acts = []Term{{ActAssign, "assign"}, {ActAnswer, "answer"}, {ActClose, "close"}, {ActReopen, "reopen"},
		{ActIncident, "incident"}, {ActAside, "aside"}}
	// IncidentKinds follow what workers' groups record: violence of each sort, and violations by those with power.
	IncidentKinds = []Term{{1, "physical"}, {2, "sexual"}, {3, "emotional"}, {4, "economic"}, {5, "arrest"},
		{6, "bribe"}, {7, "raid"}, {8, "refused"}, {9, "held"}, {10, "debt"}, {11, "papers-kept"}}
	Perpetrators = []Term{{1, "client"}, {2, "partner"}, {3, "employer"}, {4, "broker"}, {5, "police"},
		{6, "official"}, {7, "health"}, {8, "family"}, {9, "stranger"}, {10, "unsaid"}}
	Wants = []Term{{1, "talk"}, {2, "care"}, {3, "safe-place"}, {4, "legal"}, {5, "complaint"}, {6, "warn"},
		{7, "nothing"}}
	Outcomes = []Term{{OutcomeAccepted, "accepted"}, {OutcomeDone, "done"}, {OutcomeCouldNot, "could-not"},
		{OutcomeWithdrawn, "withdrawn"}}
	Audits = []Term{{AuditRead, "read"}, {AuditList, "list"}, {AuditExport, "export"}, {AuditRefused, "refused"},
		{AuditPlace, "place"}, {AuditIncidents, "incidents"}}
	// Takens: erased with its conversation; did not open; did not open, and staff have seen that.
	Takens = []Term{{TakenErased, "erased"}, {TakenUnopened, "unopened"}, {TakenSeen, "seen"}}
)

// MaxReport bounds what one message may hold, MaxReportPart one record of it, MaxAnswer an answer, in bytes of UTF-8.
// Khmer takes three a letter.
const (
	MaxReport     = 12_000
	MaxReportPart = 2_000
	MaxAnswer     = 3 * MaxAnswerLetters

	MaxAnswerLetters = 800 // as a person is told
	MaxAside         = 200 // threads in one act
	MaxTaken         = 200 // reports in one record of what became of them
)

// SlipCode is what a slip carries: eleven random Crockford characters and one check character, 55 bits that mean
// nothing to anybody else. It is shown as K7M3-QX9P-2TDH.
type SlipCode string

// NewSlipCode draws a code.
func NewSlipCode(rand io.Reader) (SlipCode, error) {
	c, err := drawChecked(rand, 12)
	return SlipCode(c), Wrap("krama.NewSlipCode", err)
}

// ParseSlipCode reads what a person typed: any case, with or without dashes and spaces, O for 0 and I or L for 1. A
// code with one wrong character or two exchanged ones is Invalid.
func ParseSlipCode(s string) (SlipCode, error) {
	d, ok := crockfordDigits(s, 12)
	if !ok {
		return "", E("krama.ParseSlipCode", Invalid, "a slip's code has twelve characters")
	}
	c, ok := checked(d)
	if !ok {
		return "", E("krama.ParseSlipCode", Invalid, "the check character does not fit")
	}
	return SlipCode(c), nil
}

// String shows the code in its groups.
func (c SlipCode) String() string {
	if len(c) != 12 {
		return string(c)
	}
	return string(c[:4] + "-" + c[4:8] + "-" + c[8:])
}

func (i *Intake) validate() error {
	if !plausible(i.From) || !plausible(i.Until) || i.Until < i.From || i.Until > i.From+62 {
		return E("krama.Intake", Invalid, "an intake is offered for two months at most")
	}
	return nil
}

func (r *Report) validate() error {
	if r.Thread == (ThreadID{}) || !plausible(r.Day) || !Known(ReportTopics, r.Topic) || len(r.Text) > MaxReportPart ||
		len(r.KEM) != 0 && len(r.KEM) != 1216 {
		return E("krama.Report", Invalid, "thread, day, topic, length or key")
	}
	return nil
}

func (a *Act) validate() error {
	if !Known(Acts, a.What) || !plausible(a.Day) || len(a.Text) > MaxAnswer || len(a.Threads) == 0 ||
		len(a.Threads) > MaxAside || len(a.Threads) > 1 && a.What != ActAside {
		return E("krama.Act", Invalid, "what was done, day, length or number of threads")
	}
	return nil
}

func (i *Incident) validate() error {
	if !i.Consent {
		return E("krama.Incident", NotAllowed, "an incident is kept only with her consent")
	}
	if !plausible(i.Day) || i.What == 0 || !KnownSet(IncidentKinds, i.What) || !KnownSet(Perpetrators, i.By) ||
		!KnownSet(Wants, i.Wants) {
		return E("krama.Incident", Invalid, "day, or a value outside its list")
	}
	return nil
}

func (r *Referral) validate() error {
	c, err := ParseSlipCode(string(r.Code))
	if err != nil || c != r.Code || r.Listing == (ListingID{}) || !plausible(r.Day) || r.For != 0 && (r.For < r.Day ||
		r.For > r.Day+365) {
		return E("krama.Referral", Invalid, "code, listing or day")
	}
	return nil
}

func (o *Outcome) validate() error {
	if o.Referral == (RecordID{}) || !plausible(o.Day) || !Known(Outcomes, o.What) {
		return E("krama.Outcome", Invalid, "referral, day or outcome")
	}
	return nil
}

func (a *Audit) validate() error {
	if !Known(Audits, a.What) || !plausible(a.Day) {
		return E("krama.Audit", Invalid, "what was read, or day")
	}
	return nil
}

func (t *Taken) validate() error {
	if !Known(Takens, t.What) || !plausible(t.Day) || len(t.Reports) == 0 || len(t.Reports) > MaxTaken {
		return E("krama.Taken", Invalid, "what became of them, day, or number of reports")
	}
	return nil
}
