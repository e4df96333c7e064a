package replica

import (
	"slices"
	"time"

	"krama"
	"krama/seal"
)

// State tells how far the device has come.
func (r *core) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.led.state()
}

// Status is what a screen says about the device.
type Status struct {
	State    State
	Device   krama.DeviceID
	Unsent   int // records that are only on this device
	LastSync time.Time
	Alarms   []Alarm
	Stopped  bool // alarms forbid sending
	Newer    bool // a later version of the program is needed
	Relay    string
	Bytes    int64 // of the journal
	Torn     bool  // an unfinished last write was dropped at opening
	Streams  map[krama.CircleKind]uint64
	Waiting  bool // a circle is being rotated and its new keys have not come
	Mail     int  // letters a person must look at
	// Recovering is when a device that trustees brought in may act; zero when there is none. Until then any admin can
	// refuse it by removing it.
	Recovering time.Time
	Announced  []Announcement // what a lone admin will do, oldest first
}

// Status returns the device's state.
func (r *core) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil {
		return Status{}
	}
	s := Status{State: r.led.state(), Device: r.led.dev.ID(), LastSync: r.led.lastSync, Newer: r.led.newer,
		Relay: r.led.relay,
		Bytes: r.j.Size(),
		Torn:  r.report.Torn > 0, Streams: map[krama.CircleKind]uint64{}}
	if r.frozen != nil {
		s.Bytes += r.frozen.size
	}
	// Keys are announced with records and are no work of their own; an erasure that a colleague was first with waits
	// for nobody.
	for _, p := range r.led.outbox {
		if p.item.Kind != seal.KindSubjectKey && !r.led.said(p) {
			s.Unsent++
		}
	}
	s.Stopped = r.led.halted()
	s.Alarms = slices.Clone(r.led.alarms)
	// In the copy alone: that an author was removed follows from the roster, and the journal has no word of it.
	for i := range s.Alarms {
		s.Alarms[i].Mended = r.led.answered(&s.Alarms[i])
	}
	for _, m := range r.led.letters {
		if m.wanted() {
			s.Mail++
		}
	}
	if r.led.roster != nil {
		for _, d := range r.led.roster.Devices {
			if d.Recovered && d.Removed == 0 && d.CoolOff > uint64(r.Now().UnixMilli()) {
				s.Recovering = time.UnixMilli(int64(d.CoolOff))
			}
		}
	}
	s.Announced = r.announcements()
	for c, st := range r.led.streams {
		if k, ok := r.led.kinds[c]; ok {
			s.Streams[k] = st.head.N
		}
		s.Waiting = s.Waiting || st.closed
		// A gap is an alarm while it lasts and is nowhere written down.
		for id, a := range st.authors {
			if len(a.held) > 0 {
				s.Alarms = append(s.Alarms, Alarm{What: AlarmGap, Circle: c, Author: id})
			}
		}
	}
	if s.State == Enrolled && !r.led.heartbeat.IsZero() && r.led.lastSync.Sub(r.led.heartbeat) > freeze {
		s.Alarms = append(s.Alarms, Alarm{What: AlarmFrozen})
	}
	return s
}

// freeze is how long an online device waits for the office's heartbeat before it says so.
const freeze = 72 * time.Hour

// Roster calls f with the roster under the replica's lock; f must keep nothing.
func (r *Replica) Roster(f func(*seal.Roster)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.led.roster != nil {
		f(r.led.roster)
	}
}

// Device returns this device's id and its member's roles.
func (r *core) Device() (krama.DeviceID, krama.Role) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.led.rolesLocked()
}

// Kinds returns the circles this device reads, by kind.
func (r *Replica) Kinds() map[krama.CircleKind]krama.CircleID {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[krama.CircleKind]krama.CircleID{}
	for c, k := range r.led.kinds {
		if r.led.streams[c] != nil {
			out[k] = c
		}
	}
	return out
}

// announcements lists them, oldest first. Called with the lock held.
func (r *core) announcements() (out []Announcement) {
	if r.led.roster != nil {
		for _, a := range r.led.roster.Announcements() {
			out = append(out, Announcement{a.Deed, a.What.Plain(), a.Author, time.UnixMilli(int64(a.After))})
		}
	}
	return out
}

// Site is what receipts of this programme are bound to: a hash of the organisation, so that it is the same on every
// desk.
func (r *core) Site() (site [16]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.led.roster != nil {
		site = seal.SiteOf(r.led.roster.Org)
	}
	return site
}

// Suspended lists the devices that this one keeps back until an admin decides, with what proves that each was copied.
func (r Admin) Suspended() map[krama.DeviceID][][32]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.led.doubted()
}

// Announcement is what a lone admin's device will say when its day has come, unless an admin's device withdraws it.
type Announcement struct {
	ID     [32]byte
	What   seal.Logged
	Author krama.DeviceID
	After  time.Time // by its author's clock
}
