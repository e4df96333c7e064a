package web

import (
	"slices"
	"strconv"

	"krama"
	"krama/replica"
	"krama/seal"
	"krama/web/http"
)

// erasuresPage lists erasures: how far each has come, which wait for a second word, and which are due.
func (s staffPages) erasuresPage(w http.ResponseWriter, r *http.Request) {
	var rows []erasureRow
	list := s.rep.Erasing().Erasures()
	// Names only: Roster holds the replica's lock, which Seen takes, so the days follow below.
	s.rep.Roster(func(ro *seal.Roster) {
		for _, e := range list {
			row := erasureRow{Erasure: e, Total: e.Gone + len(e.Waiting) + len(e.Lost)}
			for _, d := range e.Waiting {
				row.Waiting = append(row.Waiting, waitingDevice{Name: s.deviceName(ro, d)})
			}
			for _, d := range e.Lost {
				row.Lost = append(row.Lost, waitingDevice{Name: s.deviceName(ro, d)})
			}
			rows = append(rows, row)
		}
	})
	for i, e := range list {
		for j, d := range e.Waiting {
			if t := s.rep.Erasing().Seen(d); !t.IsZero() {
				rows[i].Waiting[j].Seen = krama.DayOf(t)
			}
		}
	}
	s.page(w, r, 200, "erase.list", "devices", erasuresView(erasuresPage{rows, s.awaitedRows(),
		s.office.Expiries(), s.recovery().Set, int(s.office.KeepDays())}))
}

// awaitedRows are the erasures that wait for a second member's word.
func (s staffPages) awaitedRows() (out []awaitedRow) {
	list := s.rep.Erasing().Awaiting()
	s.rep.Roster(func(ro *seal.Roster) {
		for _, a := range list {
			// A subject is one circle's. The same id in another circle would be another erasure.
			path := "/erasures/" + strconv.Itoa(int(a.Kind)) + "/" + a.Subject.String()
			out = append(out, awaitedRow{a, s.deviceName(ro, a.Author), path})
		}
	})
	return out
}

// erasureDecide confirms an erasure that waits, or takes it back.
func (s staffPages) erasureDecide(w http.ResponseWriter, r *http.Request) {
	kind, err := strconv.Atoi(r.PathValue("circle"))
	who, err2 := krama.ParseSubjectID(r.PathValue("id"))
	if err != nil || err2 != nil {
		s.notFound(w, r)
		return
	}
	// What this device may say is read from the list that the page drew its buttons from, and once more by the replica.
	list := s.rep.Erasing().Awaiting()
	at := slices.IndexFunc(list, func(a replica.Awaited) bool { return int(a.Kind) == kind && a.Subject == who })
	switch do := posted(r).Get("do"); {
	case at < 0: // answered meanwhile
	case do == "confirm" && list[at].Confirm:
		err = s.erase(list[at].Kind, who, list[at].Reason)
	case do == "back" && list[at].Back:
		err = s.takeBack(list[at].Kind, who)
	default:
		s.notFound(w, r)
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/erasures")
}
