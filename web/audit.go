package web

import (
	"cmp"
	"slices"

	"krama"
	"krama/web/http"
)

// audit keeps that this desk read something today, once a day for each thing.
func (s *Server) audit(what uint8, t krama.ThreadID, circles ...krama.CircleKind) {
	me, _ := s.rep.Device()
	for _, a := range s.state.Audits() {
		if a.Author == me && a.What == what && a.Thread == t && a.Day == s.today() {
			return
		}
	}
	for _, k := range circles {
		if _, ok := s.rep.Kinds()[k]; ok {
			s.writeNew(k, krama.SubjectID{}, &krama.Record{Audit: &krama.Audit{What: what, Day: s.today(), Thread: t}})
		}
	}
}

// refused keeps that somebody at this desk asked for what its circles do not hold. It is written where it can be: into the
// outreach circle, if there is no better one. It says that somebody asked, and nothing of whom or what about.
func (s *Server) refused() {
	for _, k := range []krama.CircleKind{krama.KindSafeguarding, krama.KindCasework, krama.KindOutreach} {
		if _, ok := s.rep.Kinds()[k]; ok {
			s.audit(krama.AuditRefused, krama.ThreadID{}, k)
			return
		}
	}
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
