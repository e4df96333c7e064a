package office

import (
	"slices"

	"krama"
	"krama/casework"
	"krama/replica"
)

// Audited keeps that this desk read something today, or was refused it, once a day for each thing and circle. It is the
// one access check: what cannot be kept must not be shown.
func (o *Office) Audited(what uint8, t krama.ThreadID, circles ...krama.CircleKind) error {
	// From the look to the line: two pages at once would each find no line and write one.
	o.auditing.Lock()
	defer o.auditing.Unlock()
	me, _ := o.Rep.Device()
	// A desk whose clock is wrong must not date its reading where nobody looks.
	today := o.RelayDay()
	for _, k := range circles {
		if _, holds := o.Rep.Kinds()[k]; !holds || slices.ContainsFunc(o.State.Audits(), func(a casework.Audit) bool {
			return a.Author == me && a.What == what && a.Thread == t && a.Circle == k && a.Day == today
		}) {
			continue
		}
		if err := WriteNew(o.Rep, k, krama.SubjectID{}, &krama.Record{Audit: &krama.Audit{What: what, Day: today,
			Thread: t}}); err != nil {
			return err
		}
	}
	return nil
}

// BestCircle is the one of a device's circles that a refusal is written into, or none: the line says that somebody
// there asked for what its circles do not hold, and nothing of whom or what about, so that the outreach circle may have
// it if there is no better one.
func BestCircle(rep *replica.Replica) []krama.CircleKind {
	for _, k := range []krama.CircleKind{krama.KindSafeguarding, krama.KindCasework, krama.KindOutreach} {
		if _, ok := rep.Kinds()[k]; ok {
			return []krama.CircleKind{k}
		}
	}
	return nil
}
