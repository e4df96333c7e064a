package web

import (
	"slices"

	"krama"
	"krama/locale"
	"krama/replica"
	"krama/seal"
)

// alarmText is an alarm's sentence: what it means and what is to be done. An alarm that rests on what one device says
// names it.
func (s *session) alarmText(p *locale.Printer, a replica.Alarm, stopped bool) string {
	key := "alarm." + string(a.What)
	if !a.ByAuthor() || stopped {
		return p.T(key)
	}
	name := a.Author.String()[:8]
	if rep := s.Replica(); rep != nil && s.state != nil {
		rep.Roster(func(ro *seal.Roster) { name = s.deviceName(ro, a.Author) })
	}
	return p.T(key+".claim", "device", name)
}

// alarmLines are the sentences that stand on every page, each once.
func (s *session) alarmLines(p *locale.Printer, st replica.Status) (out []string) {
	for _, a := range st.Alarms {
		if a.Mended {
			continue
		}
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

// answeredAlarm is one as the page shows it.
type answeredAlarm struct {
	Day  krama.Day
	Text string
}
