package replica

import (
	"crypto/hpke"
	"time"

	"krama"
	"krama/seal"
)

// ledger is what a device believes: everything that its journal tells, folded in the journal's order. It takes no lock,
// asks the relay nothing and writes no file: what it finds and must not lose it owes as entries, and whoever holds it
// commits them (core.commit). Of its host it asks the time, and it shows records through Feed. With the same voids the
// same entries make the same ledger, but for days that it takes from the clock: opening a device repeats its syncs.
//
// Whoever uses one holds mu of the core that it stands in. While a journal is read, loader.fold alone uses it.
type ledger struct {
	host     *Config // of whoever holds it: its clock, where what counts is shown, and whether it is an office's
	*voids           // what of the journal counts no more
	outgoing         // what was typed here and is not read back yet

	// Who this device is. dev is from the journal's first entries, nil before it has them; what follows comes as it is
	// made or given.
	dev      *seal.Device
	rekeys   []hpke.PrivateKey // KEM keys made after dev's, the newest last; the roster names the one that counts
	drop     []byte            // seed of the enrolment drop's key
	scan     *seal.Scan2       // what the office showed
	relay    string            // address of the programme's relay
	controls [][32]byte        // seeds of the programme's control keys, the newest last; admins' devices only

	// What was verified before it came into the journal (admit), or was made here: apply and fold take envelopes in,
	// addEpoch streams, takeRing and queue keys, setOrg the roster's beginning.
	roster    *seal.Roster
	streams   map[krama.CircleID]*stream
	keys      map[krama.CircleID]map[krama.SubjectID]seal.SubjectKey
	kinds     map[krama.CircleID]krama.CircleKind
	seen      map[krama.DeviceID]uint64 // newest time an author gave, in milliseconds
	heartbeat time.Time                 // of the newest heartbeat that was read, by its author's clock
	// by admins' desks: the newest place in circle 0 at which each showed that it had read everything before
	vouched map[krama.DeviceID]uint64
	alarms  alarmList

	// Secrets that came before, or beside, the part of the roster that says what they are.
	waiting []*seal.Epoch                  // keys whose circle the roster does not show yet
	early   map[place]keyring              // the same of subject keys
	opening map[krama.CircleID]*seal.Epoch // secrets of epochs this device is opening
	rewraps map[rewrap]bool                // wraps that did not come here; an office's, those that colleagues miss too

	// Who was erased, or may be.
	shreds   []Shred              // carried out, in the order they were met
	shredded map[subject]bool     // those, and whom this device erased and has not read back: they are not shown
	await    map[subject]*awaited // erasures that wait for a second word
	notices  []notice             // words in circle 0 that somebody was erased
	noticed  map[subject]bool     // whom they hide until their circle is read

	// What came beside the streams, and this device's own.
	mailbag  // letters to it
	orphans  map[[32]byte]orphan
	values   settings
	lastSync time.Time

	// How the holder is to go on.
	newer  bool     // the relay has a statement of a later version; the next sync after a start finds it again
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
	case l.dev == nil: // locked: every page leads to the gate, as on a new device
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
	Fresh    State = iota // keys made, QR-1 can be shown; a locked device says so too
	Scanned               // QR-2 was scanned; waiting for the office
	Enrolled              // the roster lists it and it holds its keys
	Removed               // the roster says that it is trusted no more
)
