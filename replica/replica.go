// Package replica is one device: its vault, what it has typed and not yet sent, what it has verified, and how it meets
// the relay. It believes nothing the relay says that a key or the roster does not prove.
package replica

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"krama"
	"krama/journal"
	"krama/seal"
)

// Event is one record that entered the replica, in the order of its stream or, when Local, just typed here. A record
// that was typed here comes once more, not Local, when it is confirmed.
//
// An event without a record says that a subject was erased: everything of hers is to be forgotten.
type Event struct {
	Circle  krama.CircleKind
	Subject krama.SubjectID
	Record  *krama.Record
	Author  krama.DeviceID
	TimeMS  uint64
	Local   bool
}

// Config is what a replica needs from its host.
type Config struct {
	Dir      journal.Dir
	Rand     io.Reader
	Now      func() time.Time
	Dial     func(relayURL string) Remote
	Feed     func(Event) // called with the replica's lock held
	Reset    func()      // called before everything is fed again: what was fed is to be forgotten
	Platform string      // in the enrolment request: "phone", "desk"
	Office   bool        // writes the daily heartbeat
	Cost     seal.Cost   // of the vault; zero for the default, stepping down when memory is short
}

// Files of a device.
const (
	vaultFile = "vault"
	keysFile  = "keys"
)

// Replica is an unlocked device. It is safe for concurrent use.
type Replica struct {
	Config
	mu      sync.Mutex // everything below
	syncing sync.Mutex // one sync at a time
	// speaking is held while this device writes into circle 0, from the choice of a place to the reading back: a sync
	// and what a person does meanwhile would take the same place, and each be a copy's work to the other. Taken after
	// syncing and before mu.
	speaking sync.Mutex
	// rotating is held while this device opens epochs: a sync in the background and an act of the office do it one
	// after the other, or one would find the circle half way into the other's. It is taken before speaking and mu,
	// never with them held.
	rotating sync.Mutex

	j      *journal.Journal
	file   journal.File
	report journal.Report
	vk     [32]byte
	gen    uint64 // of the journal
	loaded bool

	dev    *seal.Device
	rekeys []hpke.PrivateKey // KEM keys made since; the roster says which holds
	drop   []byte            // seed of the enrolment drop's key
	// A new device's code: when it was shown, and the drop of the code before it. Guarded by mu.
	shown      time.Time
	dropBefore []byte
	scan       *seal.Scan2
	relay      string
	remote     Remote
	line       *link // what was heard of that relay

	roster  *seal.Roster
	streams map[krama.CircleID]*stream
	keys    map[krama.CircleID]map[krama.SubjectID]seal.SubjectKey
	kinds   map[krama.CircleID]krama.CircleKind
	cuts    map[place]cut       // where signed closes fell behind what was read
	left    map[place]readings  // of an epoch's stream, those that count no more
	passed  map[place]int       // how often an epoch's stream was begun anew, as far as the journal was read
	trims   map[uint32]*trimmed // what of circle 0's epochs counts no more
	// the relay's head of circle 0 at the last look for a trim that found none; of whoever syncs
	metWith seal.Head

	waiting []*seal.Epoch                  // keys whose circle the roster does not show yet
	early   map[place]keyring              // the same of subject keys
	opening map[krama.CircleID]*seal.Epoch // secrets of epochs this device is opening
	drawnAt map[krama.CircleID]int         // how many erasures were known when they were drawn
	// how many people were erased for good at the last look for bodies to drop that found no batch
	tried    map[krama.CircleID]int
	outbox   []*pending
	sealed   []*sealedEnvelope
	alarms   []Alarm
	values   map[string]string
	letters  []*Mail
	controls [][32]byte        // seeds of the programme's control keys, the newest last; admins' devices only
	done     map[[32]byte]bool // letters that were decided
	emptied  time.Time         // by this process: when the boxes of all recent epochs were last looked into
	orphans  map[[32]byte]orphan
	shreds   []Shred
	shredded map[subject]bool
	typed    uint32               // when the newest record was typed here, as Record.Written says it
	await    map[subject]*awaited // erasures that wait for a second word
	notices  []notice             // words in circle 0 that somebody was erased
	noticed  map[subject]bool     // whom they hide until their circle is read
	told     map[subject]bool     // whose erasure this process has told in circle 0
	also     [][]byte             // entries to commit with the page that is being taken
	// what is shown is not what counts any more: the journal is read anew before the sync ends
	reshow    bool
	rewraps   map[rewrap]bool
	shut      map[krama.CircleID]uint32 // epoch whose opening is awaited, by circles that the relay has closed already
	seen      map[krama.DeviceID]uint64 // newest time an author gave, in milliseconds
	wrote     map[krama.CircleID]uint64 // highest sequence that this copy of the device is known to have written
	lastSync  time.Time
	heartbeat time.Time // newest seen
	// by admins' desks: the place in circle 0 of the newest word that shows how far each has read
	vouched map[krama.DeviceID]uint64
	newer   bool    // the roster speaks a later version
	unshown bool    // in this sync the relay took what it does not show
	frozen  *frozen // the part of the journal that stays as it is; nil when there is none
	untidy  bool    // the journal holds what must be destroyed
	wiped   bool    // the vault is destroyed
	lock    *Lock   // what the vault was opened with; nil while that is not known
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

// stream is one circle's stream as this device verified it, epoch after epoch.
type stream struct {
	epoch *seal.Epoch            // being read
	known map[uint32]*seal.Epoch // secrets of epochs, with KG for the newest only
	rings map[uint32]keyring     // keyrings that came with an epoch
	// of known epochs, as they were asked for: deriving one costs more than a day's other questions
	ids       map[uint32]seal.StreamID
	closed    bool   // read to its signed end; the next epoch's secrets are not here
	base      uint64 // for circle 0: the roster position before this epoch's first
	head      seal.Head
	chain     [][32]byte // chain[n] is H_n
	authors   map[krama.DeviceID]*author
	floor     seal.Head                   // while the epoch is read again: how far it was read before
	looked    uint64                      // envelopes up to here were listed before the last look at the roster
	cut       []byte                      // of the next envelope, as far as it came before the line broke
	cutAt     uint64                      // the place before it
	cutSize   int                         // how long that envelope is
	strangers map[krama.DeviceID]bool     // authors of refused envelopes that the roster did not know
	pending   []*entry                    // envelopes with an item whose subject key is not here yet
	ledger    ledger                      // who erased how many
	begun     ledger                      // as it was when the epoch began
	proofs    map[krama.DeviceID][]proof  // of authors that were copied
	kept      map[krama.DeviceID][]*entry // what they wrote after that, until an admin decides
	touched   map[krama.SubjectID]uint64  // when somebody last wrote about a subject, in milliseconds
}

type keyring = map[krama.SubjectID]seal.SubjectKey

type author struct {
	ids  [][32]byte // envelope ids by sequence, from 1, over all epochs
	base int        // how many of them are from earlier epochs
	held map[uint64]*entry
}

func (a *author) last() (seq uint64, id [32]byte) {
	if n := len(a.ids); n > 0 {
		return uint64(n), a.ids[n-1]
	}
	return 0, id
}

// pending is one item typed here and not yet read back from the relay.
type pending struct {
	circle krama.CircleID
	item   seal.Item
}

func (p *pending) is(c krama.CircleID, it seal.Item) bool {
	return p.circle == c && p.item.Subject == it.Subject && p.item.Kind == it.Kind && bytes.Equal(p.item.Body, it.Body)
}

func contentOf(c krama.CircleID, it seal.Item) [32]byte {
	return sha256.Sum256(seal.Frame(c[:], it.Subject[:], []byte{byte(it.Kind)}, it.Body))
}

// sealedEnvelope is an envelope that may have been sent. It is sent again with the same bytes until it is read back.
type sealedEnvelope struct {
	circle krama.CircleID
	id     [32]byte
	seq    uint64
	wire   []byte
}

// hostError gives errors of the host's files a kind.
func hostError(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrFull):
		return &krama.Error{Op: op, Kind: krama.Full, Err: err}
	case errors.Is(err, journal.ErrBusy):
		return &krama.Error{Op: op, Kind: krama.Conflict, Err: err}
	case errors.Is(err, journal.ErrNewer):
		return &krama.Error{Op: op, Kind: krama.NotYet, Err: err}
	case errors.Is(err, journal.ErrNot):
		return &krama.Error{Op: op, Kind: krama.Tampered, Err: err}
	}
	return krama.Wrap(op, err)
}

func newReplica(c Config) *Replica {
	r := &Replica{Config: c, cuts: map[place]cut{}, left: map[place]readings{}, trims: map[uint32]*trimmed{},
		lock: &Lock{dir: c.Dir}, line: &link{}}
	r.clear()
	return r
}

// clear forgets everything that the journal tells.
func (r *Replica) clear() {
	r.dev, r.rekeys, r.drop, r.dropBefore, r.scan, r.roster = nil, nil, nil, nil, nil, nil
	r.streams, r.keys = map[krama.CircleID]*stream{}, map[krama.CircleID]map[krama.SubjectID]seal.SubjectKey{}
	r.kinds = map[krama.CircleID]krama.CircleKind{krama.OrgCircle: krama.KindOrg}
	r.waiting, r.opening, r.outbox, r.sealed, r.alarms, r.letters, r.shreds = nil, map[krama.CircleID]*seal.Epoch{},
		nil, nil, nil, nil, nil
	r.values, r.orphans, r.shredded = map[string]string{}, map[[32]byte]orphan{}, map[subject]bool{}
	r.notices, r.noticed, r.told = nil, map[subject]bool{}, map[subject]bool{}
	r.await, r.also, r.reshow = map[subject]*awaited{}, nil, false
	r.controls = nil
	r.drawnAt, r.tried = map[krama.CircleID]int{}, map[krama.CircleID]int{}
	r.done, r.shut = map[[32]byte]bool{}, map[krama.CircleID]uint32{}
	r.passed = map[place]int{}
	for _, t := range r.trims {
		t.past = 0
	}
	r.frozen, r.early = nil, map[place]keyring{}
	r.rewraps, r.seen, r.wrote = map[rewrap]bool{}, map[krama.DeviceID]uint64{}, map[krama.CircleID]uint64{}
	r.lastSync, r.heartbeat, r.vouched, r.newer, r.untidy, r.loaded = time.Time{}, time.Time{},
		map[krama.DeviceID]uint64{}, false, false, false
}

// Create makes a new device with its own keys, locked by words. An existing vault is Conflict.
func Create(c Config, words string) (*Replica, error) {
	const op = "replica.Create"
	if has, err := HasVault(c.Dir); err != nil {
		return nil, err
	} else if has {
		return nil, krama.E(op, krama.Conflict, "this device has a vault already")
	}
	var vk [32]byte
	if _, err := io.ReadFull(c.Rand, vk[:]); err != nil {
		return nil, krama.Wrap(op, err)
	}
	var drop [32]byte
	if _, err := io.ReadFull(c.Rand, drop[:]); err != nil {
		return nil, krama.Wrap(op, err)
	}
	dev, err := seal.NewDevice(c.Rand, c.Platform)
	if err != nil {
		return nil, err
	}
	for _, f := range append([]string{keysFile, nextFile, leaseFile, passkeyFile, fieldFile}, journalFiles()...) {
		if err := c.Dir.Remove(f); err != nil {
			return nil, hostError(op, err)
		}
	}
	r := newReplica(c)
	if err := r.newKeys(vk); err != nil {
		return nil, err
	}
	if err := r.openJournal(vk); err != nil {
		return nil, err
	}
	d, err := dev.Marshal()
	if err != nil {
		return nil, err
	}
	// The journal first: a vault without a journal would unlock nothing.
	if err := r.commit(tagged(tagDevice, d, drop[:])); err != nil {
		r.Close()
		return nil, err
	}
	if err := writeVault(c, words, vk); err != nil {
		r.Close()
		return nil, err
	}
	r.dev, r.drop = dev, drop[:]
	return r, nil
}

// Unlock opens the device with its words and loads everything into memory. Wrong words are CannotDecrypt; a vault or
// journal that was changed is Tampered; a device another process or tab holds is Conflict.
func Unlock(c Config, words string) (*Replica, error) {
	vk, err := OpenKey(c.Dir, words)
	if err != nil {
		return nil, err
	}
	return Load(c, vk)
}

// Load opens the journal with the vault's key: the fast half of Unlock.
func Load(c Config, vk [32]byte) (*Replica, error) {
	r := newReplica(c)
	if err := r.openJournal(vk); err != nil {
		r.Close()
		return nil, err
	}
	if r.dev == nil {
		r.Close()
		return nil, krama.E("replica.Unlock", krama.Tampered, "the device's keys are gone")
	}
	return r, nil
}

func (r *Replica) openJournal(vk [32]byte) error {
	const op = "replica.open"
	r.vk = vk
	gen, key, err := r.readKeys(vk)
	if err != nil {
		return err
	}
	r.gen = gen
	f, err := r.Dir.Open(journalName(gen))
	if err != nil {
		return hostError(op, err)
	}
	if n, err := f.Size(); gen == 0 && err == nil && n == 0 {
		f.Close()
		return krama.E(op, krama.Tampered, "the journal's key cannot be read")
	}
	if err := r.read(f, key); err != nil {
		f.Close()
		return hostError(op, err)
	}
	if r.report.Damaged > 0 && !slices.ContainsFunc(r.alarms, func(a Alarm) bool { return a.What == AlarmDamaged }) {
		return r.raise(Alarm{What: AlarmDamaged})
	}
	if r.dev == nil {
		return nil // new, or not the journal that this device had: what lies beside it stays
	}
	return r.removeOldJournals()
}

// read folds the journal in f into the state. Where a signed close turns out to lie behind what was read and fed, it
// begins again and leaves out what is void.
func (r *Replica) read(f journal.File, key [32]byte) error {
	for {
		l := newLoader(r)
		j, rep, err := journal.Open(f, seal.Local{Key: key}, r.Rand, l.take)
		failed := l.finish()
		var again errCut
		if errors.As(failed, &again) {
			if again.trim {
				r.trimAt(again.epoch, again.n)
			} else if again.left > 0 {
				r.left[again.place] = readings{again.left, r.left[again.place].repair || again.repair}
			} else {
				r.cuts[again.place] = again.cut
			}
			r.clear()
			if r.Reset != nil {
				r.Reset()
			}
			continue
		}
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		if r.frozen != nil && r.frozen.bad {
			rep.Damaged++
		}
		r.j, r.file, r.report = j, f, rep
		break
	}
	r.settleWaiting()
	r.loaded = true
	r.untidy = r.untidy || len(r.left)+len(r.cuts)+len(r.trims) > 0
	r.heed()
	if r.report.Commits > 0 && r.dev == nil {
		r.j = nil
		return krama.E("replica.open", krama.Tampered, "the device's keys are gone")
	}
	for _, p := range r.outbox {
		if err := r.show(p.circle, p.item); err != nil {
			return err
		}
	}
	return nil
}

// reload reads the journal anew.
func (r *Replica) reload() error {
	_, key, err := r.readKeys(r.vk)
	if err != nil {
		return err
	}
	relay, remote, line := r.relay, r.remote, r.line
	r.clear()
	if r.Reset != nil {
		r.Reset()
	}
	if err = r.read(r.file, key); err != nil && r.j != nil {
		r.j.Close() // what is in memory is not the whole: nothing may be written from it
	}
	r.relay, r.remote, r.line = relay, remote, line
	return err
}

// Close locks the device: keys are forgotten as far as the language allows.
func (r *Replica) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil {
		return nil
	}
	err := r.j.Close()
	r.j, r.dev, r.rekeys, r.streams, r.keys, r.opening, r.vk, r.lock = nil, nil, nil, nil, nil, nil, [32]byte{}, nil
	r.frozen, r.early, r.waiting = nil, nil, nil
	return err
}

// hold takes the lock of a device that is open; of a locked one it does not, and says so. Who holds it gives mu back.
func (r *Replica) hold() error {
	r.mu.Lock()
	if r.j == nil {
		r.mu.Unlock()
		return errLocked
	}
	return nil
}

func (r *Replica) commit(entries ...[]byte) error {
	if r.j == nil {
		return krama.E("replica", krama.NotAllowed, "locked")
	}
	return hostError("replica.commit", r.j.Commit(entries...))
}

// Value returns a setting or draft of the device.
func (r *Replica) Value(key string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.values[key]
}

// SetValue keeps a setting or draft of the device, durable when it returns. Nothing of it leaves the device.
func (r *Replica) SetValue(key, value string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.values[key] == value {
		return nil
	}
	if err := r.commit(tagged(tagValue, []byte(key), []byte(value))); err != nil {
		return err
	}
	r.values[key] = value
	return nil
}
