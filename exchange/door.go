package exchange

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"slices"

	"krama"
	"krama/casework"
	"krama/directory"
)

// The lines of what is not about a registered person: the directory, rights, reports and what was done about them, and
// the referrals that are. An intake's secret, the keys and mailboxes of who reported, and the codes of slips have no
// field here: each lets its holder read or write in somebody's name.
type (
	// listingLine is one version of a listing. Address is never a shelter's: where that is stands in a guardedLine.
	// Verified is by the listing's checks, whichever version they saw. By whom is not written.
	listingLine struct {
		Kind      string       `json:"kind"`
		Listing   string       `json:"listing"`
		Type      string       `json:"type"`
		Name      krama.Words  `json:"name"`
		Org       krama.Words  `json:"org"`
		About     *krama.Words `json:"about,omitempty"`
		Operator  string       `json:"operator"`
		Needs     []string     `json:"needs,omitempty"`
		Districts []string     `json:"districts,omitempty"`
		Languages []string     `json:"languages,omitempty"`
		Welcome   []string     `json:"welcome,omitempty"`
		Cost      string       `json:"cost"`
		Bring     *krama.Words `json:"bring,omitempty"`
		Asked     *krama.Words `json:"asked,omitempty"`
		Access    []string     `json:"access,omitempty"`
		Police    string       `json:"police"`
		Hours     []hoursPart  `json:"hours,omitempty"`
		Phones    []phonePart  `json:"phones,omitempty"`
		Address   *krama.Words `json:"address,omitempty"`
		Tier      string       `json:"address_for,omitempty"`
		Source    string       `json:"source,omitempty"`
		Verified  string       `json:"verified,omitempty"`
		Public    bool         `json:"public,omitempty"`
		Closed    bool         `json:"closed,omitempty"`
		Starter   bool         `json:"shipped,omitempty"`
		Invented  bool         `json:"invented,omitempty"`
		Record    string       `json:"record,omitempty"`
	}
	// hoursPart is opening times on some days, 1 Monday to 7 Sunday, as HH:MM in UTC+7. The day's end is 24:00.
	hoursPart struct {
		Days  []int  `json:"days"`
		Open  string `json:"open"`
		Close string `json:"close"`
	}
	// phonePart is a number of a service, never of a person.
	phonePart struct {
		Number string `json:"number"`
		Use    string `json:"use"`
		Tier   string `json:"for"`
	}
	// guardedLine is what named staff alone may know, such as where a shelter is: whoever reads it finds who hides
	// there. It is written only where the desk held the safeguarding circle.
	guardedLine struct {
		Kind    string       `json:"kind"`
		Listing string       `json:"listing"`
		Name    krama.Words  `json:"name"`
		Phones  []phonePart  `json:"phones,omitempty"`
		Address *krama.Words `json:"address,omitempty"`
		Record  string       `json:"record"`
	}
	// checkLine is one word about a listing. By is the id of a member, never a name, here and below.
	checkLine struct {
		Kind    string      `json:"kind"`
		Listing string      `json:"listing"`
		Name    krama.Words `json:"name"`
		Date    string      `json:"date"`
		Says    string      `json:"says"`
		By      string      `json:"by,omitempty"`
		Record  string      `json:"record"`
	}
	// rightsLine is a text that stands. Without ReviewedOn it is a draft, which was never published.
	rightsLine struct {
		Kind       string `json:"kind"`
		Topic      string `json:"topic"`
		Language   string `json:"language"`
		Body       string `json:"body"`
		Source     string `json:"source,omitempty"`
		ReviewedBy string `json:"reviewed_by,omitempty"`
		ReviewedOn string `json:"reviewed_on,omitempty"`
		Record     string `json:"record"`
	}
	// referralLine says that a person was sent to a service, and so what she needed. The code of her slip is not in it:
	// with that anybody could answer for the service. Name is absent where the listing had not reached this desk.
	referralLine struct {
		Kind     string        `json:"kind"`
		Person   string        `json:"person"`
		Code     string        `json:"code,omitempty"`
		Listing  string        `json:"listing"`
		Name     *krama.Words  `json:"name,omitempty"`
		Date     string        `json:"date"`
		For      string        `json:"for,omitempty"`
		Outcomes []outcomePart `json:"outcomes,omitempty"`
		By       string        `json:"by,omitempty"`
		Record   string        `json:"record"`
	}
	// outcomePart is one thing that was said of a referral.
	outcomePart struct {
		Date    string `json:"date"`
		Outcome string `json:"outcome"`
	}
	// reportLine is one message of somebody who reported: a stranger's words, which may show who she is. Number counts
	// the messages of a conversation, from 1.
	reportLine struct {
		Kind     string `json:"kind"`
		Thread   string `json:"thread"`
		Circle   string `json:"circle"`
		Number   int    `json:"number"`
		Date     string `json:"date"`
		Topic    string `json:"topic"`
		District string `json:"district,omitempty"`
		Text     string `json:"text"`
	}
	// actLine is what staff did about a conversation. After is how many of her messages were there before; Text is an
	// answer, as it was sent.
	actLine struct {
		Kind     string `json:"kind"`
		Thread   string `json:"thread"`
		Date     string `json:"date"`
		What     string `json:"what"`
		After    int    `json:"after"`
		Member   string `json:"member,omitempty"`
		Text     string `json:"text,omitempty"`
		Incident string `json:"incident,omitempty"`
		By       string `json:"by,omitempty"`
		Record   string `json:"record"`
	}
	// incidentLine is what was done to somebody, kept with her consent. The subject it is written under is left out: it
	// would lead nowhere in the archive.
	incidentLine struct {
		Kind     string   `json:"kind"`
		Date     string   `json:"date"`
		District string   `json:"district,omitempty"`
		What     []string `json:"what"`
		DoneBy   []string `json:"done_by,omitempty"`
		Wants    []string `json:"wants,omitempty"`
		Thread   string   `json:"thread,omitempty"`
		By       string   `json:"by,omitempty"`
		Record   string   `json:"record"`
	}
	// auditLine is one line of who read what. It has no record's id: nothing else in an archive points at one.
	auditLine struct {
		Kind   string `json:"kind"`
		Date   string `json:"date"`
		What   string `json:"what"`
		Circle string `json:"circle"`
		Thread string `json:"thread,omitempty"`
		By     string `json:"by,omitempty"`
	}
)

// Words of codes that the vocabulary has no keys for.
var (
	// They stand in archives that were written: a key never changes its meaning.
	tiers = []krama.Term{{Code: uint8(krama.TierPublic), Key: "anybody"}, {Code: uint8(krama.TierPartner),
		Key: "partners"}, {Code: uint8(krama.TierNamed), Key: "named-staff"}}
	circles = []krama.Term{{Code: uint8(krama.KindOutreach), Key: "outreach"}, {Code: uint8(krama.KindClinical),
		Key: "clinical"}, {Code: uint8(krama.KindCasework), Key: "casework"},
		{Code: uint8(krama.KindSafeguarding), Key: "safeguarding"}}
)

// door yields what is not about a registered person, as lines, kind by kind. codes are the people who may be written,
// with their codes; out are those who may not.
func (x *Export) door(codes map[krama.SubjectID]krama.Code, out map[krama.SubjectID]bool, put func(any) bool) {
	st := x.State
	entries := st.Listings()
	// put does nothing after an error. Only loops that may be long look at what it says.
	names := map[krama.ListingID]krama.Words{}
	for _, e := range entries {
		names[e.Key] = e.Name
		if !put(x.listing(e, &e.Listing, e.Record)) {
			return
		}
		for i, l := range e.Others {
			put(x.listing(e, l, e.Heads[i+1]))
		}
	}
	for _, e := range entries {
		// Of these, too, every version that stands: two people changed it at once and nobody has decided.
		for i, g := range e.Guards {
			put(guardedLine{"guarded", key(g.Key), e.Name, phones(g.Phones), some(g.Address), e.GuardAt[i].String()})
		}
	}
	for _, e := range entries {
		for _, c := range e.Checks {
			put(checkLine{"check", key(c.Key), e.Name, c.Day.String(), krama.KeyOf(krama.Checks, c.Says),
				x.by(c.Author),
				c.Record.String()})
		}
	}
	for _, t := range st.Rights() {
		put(rightsLine{"rights", t.Topic, t.Lang, t.Body, t.Source, t.ReviewedBy, t.ReviewedOn.String(),
			t.Record.String()})
	}
	// A referral is its person's: of somebody who said no to a record nothing says that she was sent anywhere.
	for _, r := range st.Referrals(krama.SubjectID{}) {
		if out[r.Subject] {
			continue
		}
		line := referralLine{Kind: "referral", Person: r.Subject.String(), Code: codes[r.Subject].String(),
			Listing: key(r.Listing), Date: r.Day.String(), For: r.For.String(),
			By: x.by(r.Author), Record: r.Record.String()}
		if n, ok := names[r.Listing]; ok {
			line.Name = &n
		}
		for _, o := range r.Outcomes {
			line.Outcomes = append(line.Outcomes, outcomePart{o.Day.String(), krama.KeyOf(krama.Outcomes, o.What)})
		}
		put(line)
	}
	// A conversation has a subject of its own. Where a colleague wrote it under a person's, it goes with that person.
	threads := slices.DeleteFunc(st.Threads(), func(t *casework.Thread) bool { return anyOf(out, t.Subjects) })
	for _, t := range threads {
		for i, m := range t.Messages {
			if !put(reportLine{"report", key(t.ID), krama.KeyOf(circles, uint8(t.Circle)), i + 1, m.Day.String(),
				krama.KeyOf(krama.ReportTopics, m.Topic), said(m.Place), m.Text}) {
				return
			}
		}
	}
	for _, t := range threads {
		// All messages stand before the first act: the page gathers lines of one kind in blocks.
		for _, a := range t.Acts {
			line := actLine{Kind: "act", Thread: key(t.ID), Date: a.Day.String(), What: krama.KeyOf(krama.Acts, a.What),
				After: a.After, Text: a.Text, By: x.by(a.Author), Record: a.Record.String()}
			if a.Member != (krama.MemberID{}) {
				line.Member = a.Member.String()
			}
			if a.Incident != (krama.RecordID{}) {
				line.Incident = a.Incident.String()
			}
			put(line)
		}
	}
	for _, i := range st.Incidents() {
		if !out[i.Subject] {
			put(incidentLine{"incident", i.Day.String(), said(i.District), words(krama.IncidentKinds, i.What),
				words(krama.Perpetrators, i.By), words(krama.Wants, i.Wants),
				keyOrNot(i.Thread), x.by(i.Author), i.Record.String()})
		}
	}
	// The lines have no records' ids, so their order does not follow from ids either.
	audits := st.Audits()
	slices.SortStableFunc(audits, func(a, b casework.Audit) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Circle, b.Circle), cmp.Compare(a.What, b.What),
			bytes.Compare(a.Thread[:], b.Thread[:]), bytes.Compare(a.Author[:], b.Author[:]))
	})
	for _, a := range audits {
		put(auditLine{"audit", a.Day.String(), krama.KeyOf(krama.Audits, a.What), krama.KeyOf(circles, uint8(a.Circle)),
			keyOrNot(a.Thread), x.by(a.Author)})
	}
}

// listing is one version that stands; what named staff alone may know of it has lines of its own.
func (x *Export) listing(e *directory.Entry, l *krama.Listing, at krama.RecordID) listingLine {
	line := listingLine{Kind: "listing", Listing: key(l.Key), Type: krama.KeyOf(krama.ListingKinds, l.Kind),
		Name: l.Name,
		Org:  l.Org, About: some(l.About), Operator: krama.KeyOf(krama.Operators, l.Operator),
		Needs: words(krama.Needs, l.Needs), Languages: words(krama.Languages, l.Languages),
		Welcome: words(krama.Welcomes, l.Welcome), Cost: krama.KeyOf(krama.Costs, l.Cost), Bring: some(l.Bring),
		Asked: some(l.Asked), Access: words(krama.Accesses, l.Access), Police: krama.KeyOf(krama.PoliceTies, l.Police),
		Phones: phones(l.Phones), Address: some(l.Address), Source: l.Source,
		Verified: e.Verified.String(), Public: l.Public, Closed: l.Closed, Starter: e.Starter, Invented: l.Invented}
	for _, d := range l.Districts {
		line.Districts = append(line.Districts, district(d))
	}
	for _, h := range l.Hours {
		p := hoursPart{Open: krama.Clock(h.Open), Close: krama.Clock(h.Close)}
		for _, d := range h.Days.Codes() {
			p.Days = append(p.Days, int(d))
		}
		line.Hours = append(line.Hours, p)
	}
	// Without an address there is nobody it is for.
	if l.Shown != 0 {
		line.Tier = krama.KeyOf(tiers, uint8(l.Shown))
	}
	// A shipped listing came with the program, and no record says it.
	if !e.Starter {
		line.Record = at.String()
	}
	return line
}

// phones are a listing's numbers as the interface gives them.
func phones(list []krama.Phone) (out []phonePart) {
	for _, p := range list {
		out = append(out, phonePart{p.Number, krama.KeyOf(krama.PhoneUses, p.Use), krama.KeyOf(tiers, uint8(p.Tier))})
	}
	return out
}

// key is an id in hexadecimal.
func key[T ~[16]byte](id T) string { return hex.EncodeToString(id[:]) }

// keyOrNot is key, or "" for none.
func keyOrNot(id krama.ThreadID) string {
	if id == (krama.ThreadID{}) {
		return ""
	}
	return key(id)
}

// some is a text that is there, or nothing.
func some(w krama.Words) *krama.Words {
	if w.Empty() {
		return nil
	}
	return &w
}

// said is a district that may not have been said.
func said(code uint16) string {
	if code == 0 {
		return ""
	}
	return district(code)
}
