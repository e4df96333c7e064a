package office

import (
	"context"
	"slices"

	"krama"
	"krama/casework"
	"krama/seal"
)

// fetchSlips asks what services said of open slips, and keeps it. One that could not help puts its listing on the
// week's list.
func (o *Office) fetchSlips(ctx context.Context) error {
	var open []casework.Referral
	var codes []krama.SlipCode
	for _, r := range o.State.Referrals(krama.SubjectID{}) {
		// The relay keeps an answer for 120 days (slipKeep there). Who answers an older slip is not heard. What was
		// accepted may still be done.
		what := r.Outcome()
		if r.Day > o.today()-120 && what != krama.OutcomeDone && what != krama.OutcomeCouldNot &&
			what != krama.OutcomeWithdrawn {
			open, codes = append(open, r), append(codes, r.Code)
		}
	}
	if len(open) == 0 {
		return nil
	}
	answers, err := o.Rep.Reports().SlipAnswers(ctx, codes)
	if err != nil {
		return err
	}
	for i, list := range answers {
		for _, a := range list {
			// Whoever has the code can answer, and more than once: each word counts once. Only staff withdraw.
			if slices.ContainsFunc(open[i].Outcomes, func(said krama.Outcome) bool { return said.What == a.What }) ||
				a.What > krama.OutcomeCouldNot {
				continue
			}
			if err := o.KeepOutcome(open[i], a.What, min(max(a.Day, open[i].Day),
				max(o.RelayDay(), open[i].Day))); err != nil {
				return err
			}
		}
	}
	return nil
}

// KeepOutcome keeps what became of a referral. One that could not help puts its listing on the week's list. The ids
// follow from what is said: two devices that say it keep one.
func (o *Office) KeepOutcome(ref casework.Referral, what uint8, day krama.Day) error {
	h := seal.Hash("slip outcome", ref.Record[:], []byte{what})
	err := o.Rep.Write(krama.KindOutreach, ref.Subject, &krama.Record{ID: krama.RecordID(h[:16]),
		Outcome: &krama.Outcome{Referral: ref.Record, Day: day, What: what}})
	if err != nil || what != krama.OutcomeCouldNot {
		return err
	}
	// Under no subject: the doubt is about the listing, and stays when the person is erased.
	h = seal.Hash("slip doubt", ref.Record[:])
	return o.Rep.Write(krama.KindOutreach, krama.SubjectID{}, &krama.Record{ID: krama.RecordID(h[:16]),
		Check: &krama.Check{Key: ref.Listing, Day: day, Says: krama.CheckDoubt}})
}
