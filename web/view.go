package web

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"krama"
	"krama/casework"
	"krama/directory"
	"krama/office"
	"krama/replica"
	"krama/seal"
)

// What handlers fill in and templates show. A view fetches nothing and decides nothing.

// answeredAlarm is one as the page shows it.
type answeredAlarm struct {
	Day  krama.Day
	Text string
}

// auditLine is something that somebody read, changed or was refused.
type auditLine struct {
	// Who is filled in for the lines that are shown. What is "" where a later version wrote a code that this one lacks.
	Day    krama.Day
	Author krama.DeviceID
	What   string // a key of the locale
	Circle krama.CircleKind
	Who    string
}

// formState is what a form stands before: where it is sent, and what is to be said above it.
type formState struct {
	Action  string
	Drafted bool       // it was typed before and not sent
	Bad     bool       // something in it cannot be
	Wrong   wrong      // what, where that is known
	Correct bool       // it corrects a record
	Saved   string     // the page of what the same form kept before, with other content
	Code    krama.Code // hers, of a registration that was kept before
}

// contactRow is a contact and whose it is.
type contactRow struct {
	casework.Contact
	Code krama.Code
}

// month is one month's figures of the overview.
type month struct {
	First   krama.Day
	People  int
	Condoms int64
	Lube    int64
}

// overviewData is what the coordinator's first page shows. None of it leaves the desk.
type overviewData struct {
	People, Contacts, NotSeen int
	Months                    []month // oldest first
	Districts                 []districtCount
}

// districtCount is how many people were met in the last twelve months, by the district of the last contact.
type districtCount struct {
	Code   uint16
	People int
}

// deviceRow is a device as the devices page shows it.
type deviceRow struct {
	// Seen is by the device's own clock, 0 when it never wrote. Wiped is its own word that it is empty. Reason is why
	// it was removed.
	ID       krama.DeviceID
	Label    string
	Kind     string
	Roles    krama.Role
	Circles  []krama.CircleKind
	Verified seal.Verified
	Mine     bool
	Removed  bool
	Reason   seal.Reason
	Wiped    bool
	Cooling  bool // brought in by trustees, and not allowed to act yet
	Seen     krama.Day
	Long     bool // no sign for 90 days: a person should remove it
}

// devicesPage is the page of the programme's devices.
type devicesPage struct {
	Rows       []deviceRow
	Admins     int // who must sign what needs two
	Status     replica.Status
	Due        []replica.DueRotation
	RolledBack bool // the relay shows less, or another history: it may have been restored
	Recovery   office.Recovery
	Past       []answeredAlarm
}

// memberRow is a member with a label: somebody who can have a second device.
type memberRow struct {
	ID    krama.MemberID
	Label string
}

// enrolState is how far an enrolment has come. At most one is under way on a desk.
type enrolState struct {
	// It is made anew for every page. What an enrolment needs between two pages is in Server: invite and inviteAs.
	Code    string // QR-2, once QR-1 was scanned
	Trouble string
	Done    bool
	Voice   bool          // digits are being compared by voice
	Spoken  bool          // and are the same
	Left    time.Duration // of the code
	Safety  string        // this desk's digits
	Members []memberRow   // who may have a second device
}

// dirRow is a listing as staff see it.
type dirRow struct {
	Entry *directory.Entry
	View  directory.View
	Key   string
}

// checkLine is what somebody said of a listing, and who.
type checkLine struct {
	directory.Found
	Who string
}

// erasureRow is one erasure and its horizon.
type erasureRow struct {
	// Total is every device that had a key to her records: gone, waiting and lost.
	replica.Erasure
	Total   int
	Waiting []waitingDevice
	Lost    []waitingDevice
}

// waitingDevice is a device that still has a key which opens an old backup, and when it was seen last.
type waitingDevice struct {
	Name string
	Seen krama.Day // 0 when never
}

// erasuresPage is the page of erasures: done, waiting for a second word, and coming.
type erasuresPage struct {
	Rows     []erasureRow
	Waiting  []awaitedRow
	Soon     []office.Expiring
	Trustees bool // there are trustees, whose key opens nothing of the erased
	KeepDays int  // how long records are kept; 0 for ever
}

// awaitedRow is an erasure that waits for a second person's word.
type awaitedRow struct {
	replica.Awaited
	Who  string
	Path string
}

// choices is what can be tapped next: letters that narrow the list, or words.
type choices struct {
	Prefixes []string
	Words    []string
}

// inboxData is what the inbox shows.
type inboxData struct {
	Holds   bool // this desk holds an intake's circle
	Rows    []threadRow
	New     int
	Fresh   string    // the short ids of the new ones, one after another
	Waiting []waiting // at the relay, beyond what a day takes in
	Aside   bool
	Shut    []office.Unopened // what did not open
}

// waiting is how many reports to a circle wait at the relay.
type waiting struct {
	Circle krama.CircleKind
	N      int
}

// threadRow is one conversation, or several whose first words are the same to the letter: what a flood looks like.
type threadRow struct {
	*casework.Thread
	Key  string
	Same int
}

// threadPage is a conversation and what can be decided about it.
type threadPage struct {
	// Form is empty unless a decision was refused or an answer is being written.
	Thread   *casework.Thread
	Form     url.Values // as it was typed
	Trouble  string     // a key of the locale
	Over     int        // by how many letters the answer is too long
	Assigned string     // to whom, in words
	Who      map[krama.DeviceID]string
	Takers   []memberRow // who can read it
}

// incidentRow is an incident, and whether its conversation is still here.
type incidentRow struct {
	casework.Incident
	Here bool
}

// listingTrouble is why a listing's form could not be kept: a sentence and what it is about. The zero value is none.
type listingTrouble struct {
	key   string // of the sentence
	field string // the key of a field's name, or ""
	what  string // what was typed
	n     int
	to    string // the page to look at, or ""
}

// search is what a list of people is narrowed by.
type search struct {
	// District 0 is everywhere. Bad says that Text was as long as a code and is none.
	Text     string
	District uint16
	NotSeen  bool
	Due      bool // within three days or late, the latest first
	Bad      bool
}

// seenHead is what stood of a field when a form was opened.
type seenHead struct {
	// refused says that another value was shown, because this one cannot stand with the rest.
	heads   []krama.RecordID
	refused bool
}

// doorPage is the page of the public door.
type doorPage struct {
	// What would be published now, which is not always what the site shows.
	*directory.Door
	Trouble   string // a key of the locale
	At        string // what the field of the site's address holds: what is kept, or what was typed
	Published string // on which day; "" when the door is shut
	Readers   map[krama.CircleKind]string
	Found     string // a key of the locale: what this desk found at the public site, and when
	FoundOn   string
}

// readers are who can open what is reported to a circle, in words.
func (d *doorPage) readers(ctx context.Context, k krama.CircleKind) string {
	return cmp.Or(d.Readers[k], tr(ctx, "doorDesk.notHere"))
}

// referralLine is a referral and what it was to; nil when that is not here any more.
type referralLine struct {
	casework.Referral
	To *directory.Entry
}

// rightsRow is a text about rights in one language, and how far it can be believed.
type rightsRow struct {
	Topic, Lang, Title, State string
}

// settingsPage is the page of settings.
type settingsPage struct {
	Storage Storage
	Unknown int // records of a later version
	Release release
}

// release is which program this is.
type release struct {
	Version string
	Digits  string // none where it is no release
	Pinned  string // a key of the locale: whether the programme has pinned it
}

// deviceData is one device and what losing it would mean.
type deviceData struct {
	deviceRow
	office.Exposure
}

// logRow is one roster statement in the reader's words.
type logRow struct {
	seal.Logged
	Who, What string
	Kind      krama.CircleKind
	Known     bool // the circle is one this desk reads
}

// letterRow is a letter as the page shows it.
type letterRow struct {
	// Contacts, People and Other count what late work holds. Draft is of a letter that asks for a signature.
	ID       string
	Kind     seal.LetterKind
	From     string
	Day      krama.Day
	Contacts int
	People   int
	Other    int
	Draft    deedRow
}

// trustData is how recovery stands, and what was just done about it.
type trustData struct {
	// The cards are in this value and in the answer made of it, and nowhere else.
	office.Recovery
	Way     seal.Way // how the cards come to hold
	Cards   []cardText
	Trouble string
	Good    int // the share that was just shown
	Form    url.Values
}

// cardText is one trustee's card, as it is printed.
type cardText struct {
	X    int
	Text string
}
