//go:build !js && !light

package web

import (
	"fmt"
	"time"

	"krama"
	"krama/relay/sqlite"
	"krama/replica"
	"krama/seal"
)

// steward is what whoever runs the relay does: a restart each month, once a year a machine that broke, and a backup
// each week, of which those are made here that the broken one may need.
func (l *life) steward() {
	l.t.Helper()
	ctx := l.t.Context()
	switch {
	case l.day%365 == 170: // the older of the two: a week old or more
		l.must(l.sq.Close())
		l.stores++
		_, err := sqlite.Restore(ctx, l.backups[0], l.file(), func(string, int64, int64) {})
		l.must(err)
		l.open(l.file())
		l.restore = l.day
		l.counts["relay restored from a backup"]++
	case l.day%30 == 12:
		l.must(l.sq.Close())
		l.open(l.file())
		l.counts["relay restarts"]++
	}
	if year := l.day % 365; l.day%7 == 3 && year > 140 && year < 170 {
		name := fmt.Sprintf("%s/backup-%d", l.dir, l.day)
		_, err := sqlite.Backup(ctx, l.file(), name, 0, func(string, int64, int64) {})
		l.must(err)
		if l.backups = append(l.backups, name); len(l.backups) > 2 {
			l.must(removeFile(l.backups[0]))
			l.backups = l.backups[1:]
		}
	}
	l.must(l.sq.Sweep(ctx, l.clock()))
}

// staffEvents is what happens to staff and their phones, on open days only where the office has a part in it.
func (l *life) staffEvents() {
	l.t.Helper()
	year := l.day % 365
	for _, h := range l.phones { // clocks and journeys need no office
		switch {
		case h == l.phones[3] && year == 120:
			h.ahead = aDay * 365
			if l.day/365%2 == 1 {
				h.ahead = -h.ahead
			}
			l.counts["clocks wrong by a year"]++
		case h == l.phones[3] && year == 140:
			h.ahead = 0
		case h == l.phones[5] && l.day%730 == 30:
			h.away = l.day + 122
			l.counts["away for four months"]++
		case h == l.phones[6] && l.day%120 == 20:
			h.away = l.day + 21
			l.counts["away for three weeks"]++
		}
	}
	l.pass(time.Minute)
	ctx := l.t.Context()
	switch {
	case l.day%105 == 43: // somebody leaves, somebody comes
		at := l.pick()
		old := l.phones[at]
		if err := l.office.Admin().RemoveMember(ctx, old.member, nil); err != nil {
			l.t.Logf("%s %+v %+v", old.name, err, l.office.Status())
			l.must(err)
		}
		l.counts["members left"]++
		l.replace(at, krama.MemberID{})
	case l.day%182 == 64: // a phone is lost
		at := l.pick()
		old := l.phones[at]
		l.must(l.office.Admin().RemoveDevice(ctx, old.rep.Status().Device, seal.ReasonLost, nil))
		l.counts["phones lost"]++
		l.replace(at, old.member)
		l.gone = l.gone[:len(l.gone)-1] // it meets nobody any more
	case l.day%154 == 85: // roles change
		h := l.phones[l.pick()]
		h.roles ^= krama.RoleNurse
		l.must(l.office.Admin().SetRoles(ctx, h.member, h.roles, nil))
		l.counts["role changes"]++
	case l.day%900 == 155:
		l.newSecond()
	case l.day == 162:
		l.trustees()
	}
	for _, h := range l.gone {
		if h.rep.State() != replica.Enrolled {
			continue
		}
		h.rep.Sync(ctx, nil)
		if !h.rep.Wiped() {
			l.t.Errorf("day %d: %s was removed and is not empty", l.day, h.name)
		}
	}
	l.gone = nil
}

// pick is a phone of somebody who is here.
func (l *life) pick() int {
	for {
		at := l.rnd.IntN(len(l.phones))
		if h := l.phones[at]; l.day >= h.away && h.ahead == 0 && at < 5 && h.unsent < 0 {
			return at
		}
	}
}

// replace gives a place in the programme a new phone, of the same member or of a new one.
func (l *life) replace(at int, member krama.MemberID) {
	l.t.Helper()
	old := l.phones[at]
	h := l.newPhone(old.name)
	h.rhythm, h.member = old.rhythm, member
	l.must(l.enrol(h, old.roles))
	l.phones[at] = h
	l.gone = append(l.gone, old)
}

// newSecond changes the second admin: the new one comes with the old one's word, and the old one goes with hers.
func (l *life) newSecond() {
	l.t.Helper()
	old := l.second
	h := l.newDesk("second desk")
	l.must(l.enrol(h, krama.RoleAdmin))
	l.second = h
	l.must(l.office.Admin().RemoveMember(l.t.Context(), old.member, nil))
	l.cosign()
	l.gone = append(l.gone, old)
	l.counts["admins changed"]++
}
