//go:build !js && !light

package web

import (
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"time"

	"krama"
	"krama/casework"
	"krama/replica"
	"krama/seal"
)

// openOffice is the desk's morning: it meets the relay, staff answer and close what came.
func (l *life) openOffice() {
	l.t.Helper()
	if l.day%7 == 0 {
		l.restartOffice()
		l.counts["desk restarts"]++
	}
	l.officeMeets()
	for i, th := range l.desk.state.Threads() {
		if th.State() != casework.ThreadNew {
			continue
		}
		if i%3 == 0 {
			if code, page, _ := l.ask(l.desk, "POST", "/thread/"+hexID(th.ID), "do", "answer", "text",
				"We can help"); code != 200 {
				l.t.Errorf("day %d: answering: %d %.300s", l.day, code, page)
			}
			for syncing(l.desk) { // an answer is sent in the background, and the office's daily work with it
				time.Sleep(time.Millisecond)
			}
			l.counts["answers"]++
		}
		act := &krama.Act{Threads: []krama.ThreadID{th.ID}, What: krama.ActClose, Day: l.desk.today(),
			Messages: uint16(len(th.Messages))}
		l.must(l.desk.session().writeNew(th.Circle, th.Subjects[0], &krama.Record{Act: act}))
		l.counts["conversations closed"]++
	}
}

// officeMeets is one meeting of the office's desk with the relay, and what it does after it.
func (l *life) officeMeets() {
	l.t.Helper()
	l.deskMeets("office", l.office, l.desk)
}

func (l *life) deskMeets(name string, rep *replica.Replica, s *Server) {
	l.t.Helper()
	l.pass(10 * time.Minute)
	err := rep.Sync(l.t.Context(), nil)
	l.counts["meetings of desks"]++
	if s.session().rolledBack() && l.day-l.restore < 14 {
		l.must(rep.Admin().Repair(l.t.Context(), nil))
		l.counts["repairs"]++
		err = rep.Sync(l.t.Context(), nil)
	}
	switch n := rep.Status().Unsent; {
	case n == 0:
		l.waits[name] = 0
	case l.waits[name] == 0: // the other desk may have closed an epoch just now
		l.waits[name] = l.day
	case l.day-l.waits[name] > 21: // closed for two weeks, and a week
		l.t.Errorf("day %d: %s: %d unsent since day %d", l.day, name, n, l.waits[name])
	}
	err = errors.Join(err, s.Tend(l.t.Context()))
	if krama.KindOf(err) == krama.NotAllowed && err != nil {
		// the other desk opened an epoch in between, by itself: the next meeting mends it
		l.counts["meetings of desks that another crossed"]++
		err = errors.Join(rep.Sync(l.t.Context(), nil), s.Tend(l.t.Context()))
	}
	if err != nil {
		l.t.Errorf("day %d: %s: %v", l.day, name, err)
	}
	l.sign(rep)
}

func (l *life) deskDay(h *handset) {
	l.t.Helper()
	l.deskMeets(h.name, h.rep, h.desk)
	h.lastSync = l.day
	l.settled(h)
}

// public is what people report on a day, at hours when nobody is in the office too.
func (l *life) public() {
	l.t.Helper()
	l.pass(time.Minute)
	d, _ := l.door()
	offered := d.Offered(l.desk.today())
	if len(offered) != 2 {
		l.t.Errorf("day %d: the door of %s offers %d intakes", l.day, d.Made, len(offered))
		return
	}
	if l.reporters == nil {
		l.reporters = make(chan [][seal.WorkSize]byte, 30)
		go l.reportersWork(d.Site, l.desk.today(), l.day)
	}
	for i, proof := range <-l.reporters {
		l.codes++
		if code := l.reportWith(d, i%2, fmt.Sprint("what happened ", l.codes), proof); code != 200 {
			l.t.Errorf("day %d: a report is answered %d", l.day, code)
		}
		l.counts["reports"]++
	}
}

// reportersWork makes the proofs of each day's reports, some days ahead: other people's phones work beside the
// programme's own.
func (l *life) reportersWork(site [16]byte, today krama.Day, day int) {
	rnd := mrand.New(mrand.NewPCG(9, 4))
	for ; ; today, day = today+1, day+1 {
		n := rnd.IntN(4)
		if day%5 == 0 {
			n = max(1, n)
		}
		proofs := make([][seal.WorkSize]byte, n)
		for i := range proofs {
			proofs[i] = worked(l.t, site, today)
		}
		select {
		case l.reporters <- proofs:
		case <-l.t.Context().Done():
			return
		}
	}
}
