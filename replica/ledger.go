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
	mailbag  // letters to it
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
		mailbag: mailbag{done: map[[32]byte]bool{}}, orphans: map[[32]byte]orphan{}, values: settings{}}
}

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

// State is how far a device has come.
type State uint8

// States.
const (
	Fresh    State = iota // keys made, QR-1 can be shown
	Scanned               // QR-2 was scanned; waiting for the office
	Enrolled              // the roster lists it and it holds its keys
	Removed               // the roster says that it is trusted no more
)
