package office

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"krama"
	"krama/casework"
	"krama/seal"
)

// Decision is what somebody decided about a conversation, as she saw it.
type Decision struct {
	What     uint8          // of krama.Acts
	Had      int            // how many messages she saw; what came since is not answered by it. 0 for all
	Text     string         // of an answer
	Member   krama.MemberID // to whom it is assigned
	Incident krama.Incident // what was done to her; its conversation, day and district are filled in here
}

// Why a decision is not kept. Nothing was written or sent.
var (
	ErrEmpty           = krama.E("office.Decide", krama.Invalid, "an answer without a word")
	ErrLong            = krama.E("office.Decide", krama.TooLarge, "an answer longer than krama.MaxAnswerLetters")
	ErrNotSafeguarding = krama.E("office.Decide", krama.NotAllowed, "this device does not hold the safeguarding circle")
	ErrNoConsent       = krama.E("office.Decide", krama.NotAllowed, "she has not said yes to keeping an incident")
	ErrNothing         = krama.E("office.Decide", krama.Invalid, "an incident in which nothing was done")
	ErrNobody          = krama.E("office.Decide", krama.Invalid, "nobody who can read it was chosen to take it")
)

// Decide keeps a decision about a conversation. An answer goes to the relay first: it is shown as given only when it
// is. An incident is kept in the safeguarding circle before the conversation leads to it. An answer that is the last
// word already changes nothing: Back drew its form anew, and it was sent again.
func (o *Office) Decide(ctx context.Context, t *casework.Thread, d Decision) (err error) {
	// Not before her last message, whatever a clock says: acts and messages are put in order by their days.
	act := &krama.Act{What: d.What, Threads: []krama.ThreadID{t.ID}, Day: max(o.today(), o.RelayDay(), t.Last()),
		Messages: uint16(len(t.Messages))}
	// What came while somebody read is not decided by this. It opens the conversation again.
	if d.Had > 0 {
		act.Messages = uint16(min(d.Had, len(t.Messages)))
	}
	switch d.What {
	case krama.ActAnswer:
		// First what would be said, then the relay, then the act: colleagues never see an answer that she cannot get.
		act.Text = strings.TrimSpace(d.Text)
		last := len(t.Acts) - 1
		switch {
		case act.Text == "":
			return ErrEmpty
		case krama.Letters(act.Text) > krama.MaxAnswerLetters:
			return ErrLong
		case last >= 0 && t.Acts[last].What == act.What && t.Acts[last].Text == act.Text &&
			t.Acts[last].Messages >= act.Messages:
			return nil
		}
		err = o.Answer(ctx, t, act.Text)
	case krama.ActAssign:
		// Whoever cannot read it would never find it on her list.
		if act.Member = d.Member; !slices.Contains(o.Readers(t.Circle), d.Member) {
			return ErrNobody
		}
	case krama.ActIncident:
		act.Incident, err = o.keepIncident(t, d.Incident)
	}
	if err != nil {
		return err
	}
	return WriteNew(o.Rep, t.Circle, t.Subjects[0], &krama.Record{Act: act})
}

// Readers are the members who can read a circle of this device's, by the roster: one of their devices has its newest
// key.
func (o *Office) Readers(k krama.CircleKind) (out []krama.MemberID) {
	c, holds := o.Rep.Kinds()[k]
	o.Rep.Roster(func(ro *seal.Roster) {
		e := ro.Latest(c)
		if !holds || e == nil {
			return
		}
		for id := range e.Keyed {
			// A removed device stays keyed until the next epoch is opened, and must not count.
			if d := ro.Devices[id]; d.Removed == 0 && !slices.Contains(out, d.Member) {
				out = append(out, d.Member)
			}
		}
	})
	return out
}

// keepIncident keeps what was done to her, under a subject of its own, if she said yes.
func (o *Office) keepIncident(t *casework.Thread, in krama.Incident) (id krama.RecordID, err error) {
	_, holds := o.Rep.Kinds()[krama.KindSafeguarding]
	switch {
	case !holds:
		return id, ErrNotSafeguarding
	case !in.Consent:
		return id, ErrNoConsent
	case in.What == 0:
		return id, ErrNothing
	}
	// These come from the conversation, whatever a form says.
	in.Thread, in.Day = t.ID, o.RelayDay()
	for _, m := range t.Messages {
		// The last one that she said; the form's where she said none in any message.
		in.District = cmp.Or(m.Place, in.District)
	}
	if id, err = o.Rep.NewRecord(); err != nil {
		return id, err
	}
	// Not the conversation's: that one ends by its day, and this one when she takes her yes back.
	who, err := o.Rep.NewSubject()
	if err != nil {
		return id, err
	}
	return id, o.Rep.Write(krama.KindSafeguarding, who, &krama.Record{ID: id, Incident: &in})
}
