package web

import (
	"cmp"
	"slices"

	"krama"
	"krama/web/http"
)

// audited keeps that this desk read something today, or was refused it. What cannot be kept is not shown: it answers
// with the trouble, and reports false.
func (s *session) audited(w http.ResponseWriter, r *http.Request, what uint8, t krama.ThreadID,
	circles ...krama.CircleKind) bool {
	if err := s.office.Audited(what, t, circles...); err != nil {
		s.fail(w, r, err)
		return false
	}
	return true
}

// auditLines are what was read and what was done, the newest first.
func (s *session) auditLines() (out []auditLine) {
	// The catalogue has a sentence for each code of the closed list.
	key := func(prefix string, list []krama.Term, code uint8) string {
		for _, t := range list {
			if t.Code == code {
				return prefix + "." + t.Key
			}
		}
		return ""
	}
	for _, a := range s.state.Audits() {
		out = append(out, auditLine{a.Day, a.Author, key("audit", krama.Audits, a.What), a.Circle, ""})
	}
	// What staff did is kept in the conversations themselves, so both lists are read and put in one order.
	aside := map[krama.RecordID]bool{}
	for _, t := range s.state.Threads() {
		for _, a := range t.Acts {
			if a.What == krama.ActAside && aside[a.Record] {
				continue // one act about many
			}
			aside[a.Record] = true
			out = append(out, auditLine{a.Day, a.Author, key("act", krama.Acts, a.What), t.Circle, ""})
		}
	}
	slices.SortStableFunc(out, func(a, b auditLine) int { return -cmp.Compare(a.Day, b.Day) })
	return out
}

// auditPage shows the newest of what was read and done at this programme's desks.
func (s inboxPages) auditPage(w http.ResponseWriter, r *http.Request) {
	list := s.auditLines()
	// Older lines stay in the records; only the page ends here.
	list = list[:min(400, len(list))]
	for i := range list {
		list[i].Who = s.who(list[i].Author)
	}
	s.page(w, r, 200, "audit.title", "inbox", auditView(list))
}
