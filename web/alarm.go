package web

import (
	"slices"

	"krama/locale"
	"krama/replica"
	"krama/seal"
)

// alarmText is an alarm's sentence: what it means and what is to be done. An alarm that rests on what one device says
// names it.
func (s *session) alarmText(p *locale.Printer, a replica.Alarm, stopped bool) string {
	// The catalogue has a sentence for each AlarmKind, and one more for each that can rest on one device's word.
	key := "alarm." + string(a.What)
	// When two members' claims do not fit, sending has stopped: the sentence is about the relay then, and names nobody.
	if !a.ByAuthor() || stopped {
		return p.T(key)
	}
	name := a.Author.String()[:8]
	// The beginning of its id stands where this device was locked while the page was made.
	if rep := s.Replica(); rep != nil && s.state != nil {
		rep.Roster(func(ro *seal.Roster) { name = s.deviceName(ro, a.Author) })
	}
	return p.T(key+".claim", "device", name)
}

// alarmLines are the sentences that stand on every page, each once.
func (s *session) alarmLines(p *locale.Printer, st replica.Status) (out []string) {
	for _, a := range st.Alarms {
		// The page of devices lists what was answered; here it would hide what still needs somebody.
		if a.Mended {
			continue
		}
		// Two circles can raise one alarm each. A reader does the same for both, so one sentence is enough.
		if line := s.alarmText(p, a, st.Stopped); !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return out
}

// answered lists the alarms that a later look or an admin's signature has answered, each sentence of a day once.
func (s *session) answered(p *locale.Printer, all []replica.Alarm) (out []answeredAlarm) {
	for _, a := range all {
		if line := (answeredAlarm{a.Day, s.alarmText(p, a, false)}); a.Mended && !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return out
}
