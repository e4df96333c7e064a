package web

import (
	"cmp"
	"slices"

	"krama"
	"krama/casework"
	"krama/replica"
	"krama/web/http"
)

// audited keeps that this desk read something today, or was refused it, once a day for each thing and circle. What cannot be kept is
// not shown: it answers with the trouble, and reports false.
func (s *Server) audited(w http.ResponseWriter, r *http.Request, what uint8, t krama.ThreadID, circles ...krama.CircleKind) bool {
	s.saving.Lock()
	defer s.saving.Unlock()
	me, _ := s.rep.Device()
	today := s.relayDay(s.rep)
	for _, k := range circles {
		if _, holds := s.rep.Kinds()[k]; !holds || slices.ContainsFunc(s.state.Audits(), func(a casework.Audit) bool {
			return a.Author == me && a.What == what && a.Thread == t && a.Circle == k && a.Day == today
		}) {
			continue
		}
		if err := s.writeNew(k, krama.SubjectID{}, &krama.Record{Audit: &krama.Audit{What: what, Day: today, Thread: t}}); err != nil {
			s.fail(w, r, err)
			return false
		}
	}
	return true
}

// BestCircle is the one of a device's circles that a refusal is written into, or none: the line says that somebody there asked for what
// its circles do not hold, and nothing of whom or what about, so that the outreach circle may have it if there is no better one.
func BestCircle(rep *replica.Replica) []krama.CircleKind {
	for _, k := range []krama.CircleKind{krama.KindSafeguarding, krama.KindCasework, krama.KindOutreach} {
		if _, ok := rep.Kinds()[k]; ok {
			return []krama.CircleKind{k}
		}
	}
	return nil
}

// auditLine is something that somebody read, changed or was refused.
type auditLine struct {
	Day    krama.Day
	Author krama.DeviceID
	What   string // a key of the locale
	Circle krama.CircleKind
}

// auditLines are what was read and what was done, the newest first.
func (s *Server) auditLines() (out []auditLine) {
	key := func(prefix string, list []krama.Term, code uint8) string {
		for _, t := range list {
			if t.Code == code {
				return prefix + "." + t.Key
			}
		}
		return ""
	}
	for _, a := range s.state.Audits() {
		out = append(out, auditLine{a.Day, a.Author, key("audit", krama.Audits, a.What), a.Circle})
	}
	aside := map[krama.RecordID]bool{}
	for _, t := range s.state.Threads() {
		for _, a := range t.Acts {
			if a.What == krama.ActAside && aside[a.Record] {
				continue // one act about many
			}
			aside[a.Record] = true
			out = append(out, auditLine{a.Day, a.Author, key("act", krama.Acts, a.What), t.Circle})
		}
	}
	slices.SortStableFunc(out, func(a, b auditLine) int { return -cmp.Compare(a.Day, b.Day) })
	return out
}

func (s *Server) auditPage(w http.ResponseWriter, r *http.Request) {
	list := s.auditLines()
	s.page(w, r, 200, "audit.title", "inbox", auditView(s, list[:min(400, len(list))]))
}
