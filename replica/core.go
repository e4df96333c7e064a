package replica

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"krama"
	"krama/journal"
	"krama/seal"
)

// core is the device's memory and files under one lock. Its rooms, in rooms.go, stand on it. Locks are taken in this
// order: rotating or syncing, never both; then speaking; then mu. A host's own lock is taken behind mu: a host that
// holds its own does not ask the device.
type core struct {
	// The host's, and not changed while the device is open: it is read without a lock.
	Config
	mu      sync.Mutex // guards the fields from led on
	syncing sync.Mutex // one sync at a time, or a change of the vault's locks
	// speaking is held while this device writes into circle 0, from the choice of a place to the reading back: a sync
	// and what a person does meanwhile would take the same place, and each be a copy's work to the other. Taken after
	// syncing and before mu.
	speaking sync.Mutex
	// rotating is held while this device opens epochs: a sync in the background and an act of the office do it one
	// after the other, or one would find the circle half way into the other's. It is taken before speaking and mu,
	// never with them held.
	rotating sync.Mutex

	led ledger // what this device believes

	// The device's files, under the vault's key.
	j      *journal.Journal // nil while the device is locked
	file   journal.File
	report journal.Report // of the journal's opening
	vk     [32]byte       // the vault's key
	gen    uint64         // of the journal
	frozen *frozen        // the part of the journal that stays as it is; nil when there is none
	lock   *Lock          // what the vault was opened with; nil while that is not known
	wiped  bool           // the vault is destroyed

	// The relay this device turned to.
	remote Remote // nil before there is one
	line   *link  // what was heard of that relay

	// A new device's code: when it was shown, and the seed of the drop of the code before it.
	shown      time.Time
	dropBefore []byte

	// What this process remembers beside the ledger. After a restart it is found out again.
	metWith seal.Head                 // circle 0's head at the relay at a look that found nothing to trim
	drawnAt map[krama.CircleID]int    // how many erasures were known when the secrets in opening were drawn
	tried   map[krama.CircleID]int    // how many were erased for good when a look for bodies to drop found no batch
	told    map[subject]bool          // whose erasure this process has told in circle 0
	shut    map[krama.CircleID]uint32 // by circle, the epoch to open next, since the relay has refused an append
	emptied time.Time                 // when the boxes of all recent epochs were last looked into
	unshown bool                      // in this sync the relay took an append and does not list it
	typed   uint32                    // when the newest record was typed here, as Record.Written says it
}

// hold locks mu and returns nil, and the caller unlocks it. Where the vault is shut it returns errLocked, with mu
// unlocked.
func (r *core) hold() error {
	r.mu.Lock()
	if r.j == nil {
		r.mu.Unlock()
		return errLocked
	}
	return nil
}

// request is what this device asks to be let in with. A device that was locked meanwhile has none: errLocked. It takes
// the lock.
func (r *core) request() (*seal.Request, error) {
	if err := r.hold(); err != nil {
		return nil, err
	}
	defer r.mu.Unlock()
	return r.led.dev.Request(), nil
}

// commit writes what the ledger owes and then entries, in one commit: an alarm that is owed stands before the entry
// that says it was answered. Called with mu held.
func (r *core) commit(entries ...[]byte) error {
	if r.j == nil {
		return errLocked
	}
	// In one commit: a kill leaves all of it or nothing. What is owed stays owed when the commit fails.
	err := r.j.Commit(slices.Concat(r.led.owed, entries)...)
	if err == nil {
		r.led.owed = nil
	}
	return hostError("replica.commit", err)
}

// flush is commit where there may be nothing to write.
func (r *core) flush(entries ...[]byte) error {
	if len(entries)+len(r.led.owed) == 0 {
		return nil
	}
	return r.commit(entries...)
}

// stopped reports whether an alarm forbids sending.
func (r *core) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.led.halted()
}

// raise records an alarm and makes it durable. Called with mu held.
func (r *core) raise(a Alarm) error {
	r.led.alarm(a)
	return r.flush()
}

// reconsider begins a circle's open epoch anew if the roster now names an author who was stepped over, or now reaches
// the place that an author claimed. It takes mu.
func (r *core) reconsider() error {
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	for c, st := range r.led.streams {
		if c == krama.OrgCircle {
			continue
		}
		again := false
		// Who was no author when her envelopes came was stepped over (doc/format.md, 2, check 4). The roster may have
		// named her since.
		for d := range st.strangers {
			_, known := r.led.roster.Author(c, st.epoch.Epoch, d)
			again = again || known
		}
		entries := r.led.reached(c, st)
		if len(entries) > 0 || again {
			// The journal says it first, and in the same commit which alarms it answers: a restart begins the epoch
			// anew just so, whether or not the relay was asked again by then.
			p := place{c, st.epoch.Epoch}
			if err := r.commit(append(entries, tagged(tagAgain, c[:], u32(p.epoch)))...); err != nil {
				return err
			}
			r.led.judgeAgain(p)
		}
	}
	return nil
}

// Copied reports whether this device has found that another copy of it has written, and therefore writes nothing more.
func (r *core) Copied() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.led.copied() }

// noteSaid makes a try durable before it is sent. Called with the lock held.
func (r *core) noteSaid(seq uint64, wire []byte) error {
	at, tries := strconv.FormatUint(seq, 10), strings.Fields(r.led.values.of(said))
	// The list is of one place among this device's envelopes. At the next place it begins anew: by then it is decided
	// which try stands at the one before.
	if len(tries) == 0 || tries[0] != at {
		tries = []string{at}
	}
	return r.set(said, strings.Join(append(tries, shortID(seal.EnvelopeID(wire))), " "))
}

// sealing returns the key that an item about a subject is sealed with.
func (r *core) sealing(c krama.CircleID, s krama.SubjectID) (seal.SubjectKey, bool) {
	k, ok := r.led.keys[c][s]
	// Her key is destroyed, and a close has thrown the erasure out: it must be said again. Any key will do, because an
	// erasure that does not open counts by its envelope's signature (doc/format.md, 2).
	if !ok && r.led.thrown(c, s) {
		return seal.Hash("thrown erasure", r.vk[:], s[:]), true
	}
	return k, ok
}

// keepOrphans makes the orphans durable on their own: the rewritten journal leaves out what they came from.
func (r *core) keepOrphans() error {
	var entries [][]byte
	for _, o := range r.led.orphans {
		entries = append(entries, orphanEntry(o))
	}
	if len(entries) == 0 {
		return nil
	}
	return r.commit(entries...)
}

// refeed reads the journal anew if what is shown is not what counts any more. Called with the lock held.
func (r *core) refeed() error {
	if !r.led.reshow {
		return nil
	}
	if err := r.reload(); err != nil {
		return err
	}
	return r.keepOrphans()
}

// flush writes what has gathered, and makes the file when it is the first.
func (z *freezer) flush() error {
	if z.j == nil {
		name := frozenName(z.f.gen)
		// The name was another part's two generations ago, and a rewriting that was cut may have left a beginning under
		// it.
		if err := z.r.Dir.Remove(name); err != nil {
			return err
		}
		file, err := z.r.Dir.Open(name)
		if err != nil {
			return err
		}
		z.file = file
		// The file is new: an entry in it would be somebody else's.
		none := func([]byte, bool) error { return errEntry }
		if z.j, _, err = journal.Open(file, seal.Local{Key: z.f.key}, z.r.Rand, none); err != nil {
			return err
		}
	}
	err := z.j.Commit(z.batch...)
	z.batch, z.size = nil, 0
	return err
}

// errAhead says that an envelope was written by somebody who has seen roster statements we have not.
var errAhead = errors.New("replica: the roster must be read first")

// joined reports whether the device holds circle 0's keys.
func (r *core) joined() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.led.roster != nil && r.led.streams[krama.OrgCircle] != nil
}

// errLocked ends a sync whose device was locked meanwhile.
var errLocked = krama.E("replica", krama.NotAllowed, "locked")

// circles lists the content circles this device holds.
func (r *core) circles() (out []krama.CircleID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.led.streams {
		if c != krama.OrgCircle {
			out = append(out, c)
		}
	}
	return out
}
