package web

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"

	"krama"
	"krama/casework"
	"krama/locale"
	"krama/office"
	"krama/seal"
)

// hexID is a conversation's id as addresses have it.
func hexID(id krama.ThreadID) string { return hex.EncodeToString(id[:]) }

// published is the day on which this desk last published, or "".
func (s *session) published() string {
	// The value is a hash of what was published, and the day.
	_, day, _ := strings.Cut(s.rep.Value(office.DoorState), " ")
	if d, err := krama.ParseDay(day); err == nil {
		return date(d)
	}
	return ""
}

// readersOf names who can open what is reported to a circle; "" where this desk does not hold it.
func (s *session) readersOf(k krama.CircleKind) string {
	var out []string
	c, ok := s.rep.Kinds()[k]
	if !ok {
		return ""
	}
	s.rep.Roster(func(ro *seal.Roster) {
		// Until the next epoch opens a removed device is still listed as keyed: it is not named among the readers.
		if e := ro.Latest(c); e != nil {
			for d := range e.Keyed {
				if name := s.deviceName(ro, d); !slices.Contains(out, name) && ro.Devices[d].Removed == 0 {
					out = append(out, name)
				}
			}
		}
	})
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// takers are the members who can read a conversation. One without a label is this desk's own, or is told by her id.
func (s *session) takers(p *locale.Printer, t *casework.Thread) (out []memberRow) {
	own := krama.MemberID{}
	me, _ := s.rep.Device()
	s.rep.Roster(func(ro *seal.Roster) {
		if d := ro.Devices[me]; d != nil {
			own = d.Member
		}
	})
	for _, m := range s.office.Readers(t.Circle) {
		// Two members of one label are told apart by memberName.
		row := memberRow{m, s.memberName(m)}
		if m == own && s.state.Label(m) == "" {
			row.Label = p.T("devices.this")
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b memberRow) int { return cmp.Compare(a.Label, b.Label) })
	return out
}

// rightsTitle is a topic's title, or the topic itself where this desk ships no text about it.
func (s *session) rightsTitle(topic, lang string) string {
	for _, t := range s.Rights {
		if t.Topic == topic {
			return t.Title.In(lang)
		}
	}
	return topic
}

// rightsState is how far a text can be believed: reviewed, by whom and when; the programme's own draft; or the shipped
// one.
func (s *session) rightsState(p *locale.Printer, topic, lang string) string {
	t, ids, ok := s.rightsText(topic, lang)
	switch {
	case !ok:
		return ""
	case t.ReviewedOn != 0:
		return p.T("door.reviewed", "by", t.ReviewedBy, "date", date(t.ReviewedOn))
	case len(ids) > 0:
		return p.T("rightsDesk.ownDraft")
	}
	return p.T("rightsDesk.draft")
}

// rightsText is the text as it stands: the programme's own, or the shipped draft.
func (s *session) rightsText(topic, lang string) (own *krama.RightsText, ids []krama.RecordID, ok bool) {
	for _, t := range s.Rights {
		if t.Topic == topic && slices.Contains([]string{"km", "vi", "en"}, lang) {
			// Of several that stand the one that was reviewed last is shown, and saving replaces them all.
			texts, ids := s.state.RightsTexts(topic, lang)
			if len(texts) > 0 {
				return texts[0], ids, true
			}
			return &krama.RightsText{Topic: topic, Lang: lang, Body: t.Body.In(lang), Source: t.Source}, nil, true
		}
	}
	return nil, nil, false
}
