package exchange

import (
	"bytes"

	"krama"
	"krama/casework"
	"krama/guide"
)

// An export ages out and says when.
const (
	// KeepDays is for whoever says nothing; MaxKeepDays is what a reader takes. No copy is for ever.
	KeepDays    = 90
	MaxKeepDays = 365
	MaxReason   = 200 // bytes, of reason and of recipient
)

// Export is what an archive is made of.
type Export struct {
	// State must stay as it is until the archive is written: the first line counts what follows, and a reader refuses a
	// file in which something else follows. Member is asked while State is locked for reading, and must not ask it.
	State     *casework.State
	Guide     *guide.Guide
	Member    func(krama.DeviceID) (krama.MemberID, bool) // whose device it is
	Written   krama.Day
	Destroy   krama.Day
	Reason    string // why a copy of the whole programme is made
	Recipient string // who will hold it
	Version   string // of the program
}

// Counts is how many lines of each kind an archive holds.
type Counts struct {
	// A reader compares these with the lines that it finds, and so does the page.
	People   int `json:"people"`
	Contacts int `json:"contacts"`
	Consents int `json:"consents"`
	Disputes int `json:"disputes"`
	Staff    int `json:"staff"`
	LeftOut  int `json:"left_out"` // people who said no to being recorded: nothing of theirs is written

	Listings  int `json:"listings"` // versions that stand
	Guarded   int `json:"guarded"`
	Checks    int `json:"checks"`
	Rights    int `json:"rights"`
	Referrals int `json:"referrals"`
	Reports   int `json:"reports"` // messages
	Acts      int `json:"acts"`
	Incidents int `json:"incidents"`
	Audits    int `json:"audits"`
}

// countsOf makes counts of the number of lines of each kind.
func countsOf(lines map[string]int, leftOut int) Counts {
	// In the order of the fields. A kind that is not here is compared with nothing.
	return Counts{lines["person"], lines["contact"], lines["consent"], lines["dispute"], lines["staff"], leftOut,
		lines["listing"], lines["guarded"],
		lines["check"], lines["rights"], lines["referral"], lines["report"], lines["act"], lines["incident"],
		lines["audit"]}
}

// Count looks at what would be written.
// By today it is decided which word of a person's counts; Write takes the day of writing.
func Count(st *casework.State, today krama.Day) (n Counts) {
	// What lines leaves out is left out here, or no reader would take the file.
	out := map[krama.SubjectID]bool{}
	for k := range st.Everybody(today) {
		if k.NoRecord {
			n.LeftOut++
			out[k.Subject] = true
			continue
		}
		// Of somebody whose registration has not come there is no person line, but there are lines of her contacts.
		if k.Record != (krama.RecordID{}) {
			n.People++
		}
		n.Contacts += len(k.Contacts)
		n.Consents += len(k.Consents)
		n.Disputes += len(k.Disputes)
	}
	n.Staff = len(st.Labels())
	for _, e := range st.Listings() {
		n.Listings += 1 + len(e.Others)
		n.Guarded += len(e.Guards)
		n.Checks += len(e.Checks)
	}
	n.Rights, n.Audits = len(st.Rights()), len(st.Audits())
	for _, r := range st.Referrals(krama.SubjectID{}) {
		n.Referrals += not(out[r.Subject])
	}
	for _, t := range st.Threads() {
		if !anyOf(out, t.Subjects) {
			n.Reports += len(t.Messages)
			n.Acts += len(t.Acts)
		}
	}
	for _, i := range st.Incidents() {
		n.Incidents += not(out[i.Subject])
	}
	return n
}

// not is 1 for false.
func not(b bool) int {
	if b {
		return 0
	}
	return 1
}

// validate refuses an export that does not say why and for whom.
func (x *Export) validate() error {
	const op = "exchange.Export"
	for _, s := range []string{x.Reason, x.Recipient} {
		if len(s) == 0 || len(s) > MaxReason {
			return krama.E(op, krama.Invalid, "reason and recipient have 1 to 200 bytes each")
		}
	}
	if x.Written <= 0 || x.Destroy <= x.Written || x.Destroy > x.Written+MaxKeepDays {
		return krama.E(op, krama.Invalid, "a copy is kept 1 to 365 days")
	}
	return nil
}

// Info is an archive's first line.
type Info struct {
	// Reason and Recipient are inside the seal, in the words of whoever wrote the archive.
	Kind      string `json:"kind"`
	Version   int    `json:"version"`
	Written   string `json:"written"`
	Destroy   string `json:"destroy_after"`
	Reason    string `json:"reason"`
	Recipient string `json:"recipient"`
	Program   string `json:"program"`
	Counts    Counts `json:"counts"`
	Later     int    `json:"records_of_a_later_version,omitempty"` // kept by the programme, not understood, not written
}

// lineVersion is the version of the lines. Since 2 they hold the directory, referrals, reports and what follows from
// them.
// A reader takes this version and those before it.
const lineVersion = 2

// maxLine bounds a line; the codebook is the longest by far.
const maxLine = 1 << 20

// inside gives an error found after opening its kind; an opener's own error keeps its.
func inside(err error) error {
	if krama.KindOf(err) != krama.Internal {
		return err
	}
	return krama.E("exchange.Read", krama.Tampered, "what is inside is not in its form")
}

// kindOf reads the kind, which is the first thing in every line.
// It is "" for a line that begins otherwise.
func kindOf(b []byte) string {
	b, ok := bytes.CutPrefix(b, []byte(`{"kind":"`))
	i := bytes.IndexByte(b, '"')
	if !ok || i < 0 {
		return ""
	}
	return string(b[:i])
}
