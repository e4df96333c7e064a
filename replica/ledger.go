package replica

import (
	"crypto/hpke"
	"time"

	"krama"
	"krama/seal"
)

// ledger is what a device believes: everything that its journal tells, folded in the journal's order. It is a pure
// state machine. It takes no lock, makes no call and writes no file: what it finds and must not lose it owes as
// entries, and whoever holds it commits them. The same entries in the same order make the same ledger, so opening a
// device repeats what its syncs have done.
//
// Whoever uses one holds the lock of its Replica.
type ledger struct {
	host     *Config // of whoever holds it: its clock, where what counts is shown, and whether it is an office's
	*voids           // what of the journal counts no more
	outgoing         // what was typed here and is not read back yet

	// Who this device is. From the journal's first entries; nil, or zero, before it has them.
	dev      *seal.Device
	rekeys   []hpke.PrivateKey // KEM keys made since; the roster says which holds
	drop     []byte            // seed of the enrolment drop's key
	scan     *seal.Scan2       // what the office showed
	relay    string            // address of the programme's relay
	controls [][32]byte        // seeds of the programme's control keys, the newest last; admins' devices only

	// What was verified. Only fold, and what it calls, adds to it.
	roster    *seal.Roster
	streams   map[krama.CircleID]*stream
	keys      map[krama.CircleID]map[krama.SubjectID]seal.SubjectKey
	kinds     map[krama.CircleID]krama.CircleKind
	seen      map[krama.DeviceID]uint64 // newest time an author gave, in milliseconds
	heartbeat time.Time                 // newest seen
	// by admins' desks: the place in circle 0 of the newest word that shows how far each has read
	vouched map[krama.DeviceID]uint64
	alarms  alarmList
	newer   bool // the roster speaks a later version

	// Secrets that came before, or beside, the part of the roster that says what they are.
	waiting []*seal.Epoch                  // keys whose circle the roster does not show yet
	early   map[place]keyring              // the same of subject keys
	opening map[krama.CircleID]*seal.Epoch // secrets of epochs this device is opening
	rewraps map[rewrap]bool

	// Who was erased, or may be.
	shreds   []Shred
	shredded map[subject]bool
	await    map[subject]*awaited // erasures that wait for a second word
	notices  []notice             // words in circle 0 that somebody was erased
	noticed  map[subject]bool     // whom they hide until their circle is read

	// What came beside the streams, and this device's own.
	letters  []*Mail
	done     map[[32]byte]bool // letters that were decided
	orphans  map[[32]byte]orphan
	values   settings
	lastSync time.Time

	// How the holder is to go on.
	loaded bool     // the journal was read to its end: from here on, what changes is new
	owed   [][]byte // entries that go with the next commit
	reshow bool     // what is shown is not what counts any more: the journal is read anew before the sync ends
	untidy bool     // the journal holds what must be destroyed
}

// newLedger is what a device believes before its journal is read: nothing.
func newLedger(c *Config, v *voids) ledger {
	return ledger{host: c, voids: v,
		streams: map[krama.CircleID]*stream{},
		keys:    map[krama.CircleID]map[krama.SubjectID]seal.SubjectKey{},
		kinds:   map[krama.CircleID]krama.CircleKind{krama.OrgCircle: krama.KindOrg},
		seen:    map[krama.DeviceID]uint64{}, vouched: map[krama.DeviceID]uint64{},
		early: map[place]keyring{}, opening: map[krama.CircleID]*seal.Epoch{}, rewraps: map[rewrap]bool{},
		outgoing: outgoing{wrote: map[krama.CircleID]uint64{}},
		shredded: map[subject]bool{}, await: map[subject]*awaited{}, noticed: map[subject]bool{},
		done: map[[32]byte]bool{}, orphans: map[[32]byte]orphan{}, values: settings{}}
}

// alarmList is what does not fit, and what of it was answered. It only grows.
type alarmList []Alarm

// take folds an envelope of the journal in, if it counts and stands in its place.
func (l *ledger) take(e *entry) error {
	p := place{e.circle, e.epoch}
	// Of a reading that a later one has replaced nothing is shown. What this device wrote in it, and what colleagues
	// wrote there that a relay lost, is noted all the same.
	if l.passed[p] < l.left[p].n {
		l.lost(e, cut{repair: l.left[p].repair})
		return nil
	}
	// Past its signed end an epoch holds nothing that counts (doc/format.md, 5). What is ours there is in the outbox
	// still.
	if c, ok := l.cuts[p]; ok && e.n > c.n {
		l.lost(e, c)
		return nil
	}
	// What circle 0 lost by a trim holds no records: of it only this device's sequence is noted.
	if e.circle == krama.OrgCircle && l.trims[e.epoch].void(e.n) {
		l.lost(e, cut{repair: true})
		return nil
	}
	st := l.streams[e.circle]
	if st == nil || e.epoch != st.epoch.Epoch || e.n != st.head.N+1 || st.closed {
		return nil // behind damage: the relay is asked again
	}
	return l.apply(st, e)
}

// whole ends the reading of a journal.
func (l *ledger) whole() {
	// Before loaded is set: until then carryOut leaves drafts and letters alone, and settleWaiting takes everybody
	// erased out of them in one pass.
	l.settleWaiting()
	l.loaded = true
	// What the voids leave out is still in the file.
	l.untidy = l.untidy || len(l.left)+len(l.cuts)+len(l.trims) > 0
	l.heed()
}

// voids is what of a journal counts no more, as its readings found out one after the other: an entry far behind may say
// that what stands before it is void, and then reading begins again. It outlives each of those readings; the file that
// is written anew leaves out what is void, and begins with none.
type voids struct {
	cuts   map[place]cut       // where signed closes fell behind what was read
	left   map[place]readings  // of an epoch's stream, those that count no more
	passed map[place]int       // how often an epoch's stream was begun anew, as far as the journal was read
	trims  map[uint32]*trimmed // what of circle 0's epochs counts no more
}

// newVoids is nothing void.
func newVoids() *voids {
	return &voids{cuts: map[place]cut{}, left: map[place]readings{}, passed: map[place]int{},
		trims: map[uint32]*trimmed{}}
}

// take takes note of what stopped a reading.
func (v *voids) take(e errCut) {
	switch {
	case e.trim:
		v.trimAt(e.epoch, e.n)
	case e.left > 0:
		v.left[e.place] = readings{e.left, v.left[e.place].repair || e.repair}
	default:
		v.cuts[e.place] = e.cut
	}
}

// rewind goes back to the journal's beginning.
func (v *voids) rewind() {
	v.passed = map[place]int{}
	for _, t := range v.trims {
		t.past = 0
	}
}

// subject names a person in one circle.
type subject struct {
	circle krama.CircleID
	id     krama.SubjectID
}

// place names one epoch of a circle.
type place struct {
	circle krama.CircleID
	epoch  uint32
}

// cut says that envelopes of an epoch past n are void. Repair tells that a relay had lost them.
type cut struct {
	n      uint64
	repair bool
}

// readings says that an epoch's stream was read anew: what the first n readings of it showed is left out. Repair tells
// that one of them was of another history than the one that was signed.
type readings struct {
	n      int
	repair bool
}

// errCut stops reading a journal: a close lies behind what was read.
type errCut struct {
	place
	cut
	left int  // how many readings of the epoch are left out; 0 when it is a place in the one that counts
	trim bool // it is a place of circle 0, and reading goes on behind it
}

func (errCut) Error() string { return "replica: a signed close lies behind what was read" }

// state is State with the lock held.
func (l *ledger) state() State {
	switch {
	case l.dev == nil: // locked
		return Fresh
	case l.roster != nil && l.streams[krama.OrgCircle] != nil && l.roster.Devices[l.dev.ID()] != nil:
		if l.roster.Devices[l.dev.ID()].Removed != 0 {
			return Removed
		}
		return Enrolled
	case l.scan != nil:
		return Scanned
	}
	return Fresh
}

// rolesLocked is Device with the lock held.
func (l *ledger) rolesLocked() (krama.DeviceID, krama.Role) {
	if l.dev == nil {
		return krama.DeviceID{}, 0
	}
	id := l.dev.ID()
	if l.roster == nil || l.roster.Devices[id] == nil {
		return id, 0
	}
	return id, l.roster.Members[l.roster.Devices[id].Member].Roles
}
