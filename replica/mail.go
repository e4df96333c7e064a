package replica

import (
	"context"
	"errors"
	"slices"

	"krama"
	"krama/seal"
)

// Late is one item of work that came by letter.
type Late struct {
	Circle krama.CircleID
	Author krama.DeviceID
	Item   seal.Item
	Record *krama.Record // nil for keys and for what this version does not know
}

// Late reads the items of a letter of late work: records and subjects' keys, nothing else. whole tells that every item
// is one that this version understands; what it does not is left in the letter.
func (m *Mail) Late() (out []Late, whole bool) {
	it, err := seal.ParseFrame(m.body, 1<<12)
	if err != nil || m.Kind != seal.LetterLate || len(it)%5 != 0 {
		return nil, false
	}
	whole = true
	// Five parts each (doc/format.md, 7). What has another shape is stepped over: it must not take the rest of the work
	// with it.
	for i := 0; i < len(it); i += 5 {
		if len(it[i]) != 16 || len(it[i+1]) != 16 || len(it[i+2]) != 16 || len(it[i+3]) != 1 {
			whole = false
			continue
		}
		l := Late{krama.CircleID(it[i]), krama.DeviceID(it[i+1]), seal.Item{Subject: krama.SubjectID(it[i+2]),
			Kind: seal.ItemKind(it[i+3][0]), Body: it[i+4]}, nil}
		about := l.Item.Subject != krama.SubjectID{}
		var bad error
		switch l.Item.Kind {
		case seal.KindRecord, seal.KindCircleRecord:
			l.Record, bad = krama.DecodeRecord(l.Item.Body)
			if bad == nil && about != (l.Item.Kind == seal.KindRecord) {
				bad = errEntry
			}
		case seal.KindSubjectKey:
			if !about || len(l.Item.Body) != 32 {
				bad = errEntry
			}
		case seal.KindShred, seal.KindUnshred:
			continue // an erasure is a person's own act: it is not handed over
		default:
			bad = errEntry
		}
		if bad != nil {
			whole = false
			continue
		}
		out = append(out, l)
	}
	return out, whole
}

// Statement reads the statement of a draft.
func (m *Mail) Statement() (*seal.Statement, bool) {
	d, err := seal.ParseDraft(m.body)
	if err != nil || m.Kind != seal.LetterDraft {
		return nil, false
	}
	st, err := seal.ParseStatement(d.Statement)
	return st, err == nil
}

// Mail lists the letters that wait for a decision.
func (r Admin) Mail() (out []*Mail) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.led.letters {
		if m.wanted() {
			out = append(out, m)
		}
	}
	return out
}

// WipedDevices lists the removed devices that said they are empty.
func (r Admin) WipedDevices() map[krama.DeviceID]krama.Day {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[krama.DeviceID]krama.Day{}
	for _, m := range r.led.letters {
		if m.Kind == seal.LetterWiped {
			out[m.From] = m.Day
		}
	}
	return out
}

// post sends letters to every other admin's device.
func (r Admin) post(ctx context.Context, k seal.LetterKind, bodies ...[]byte) error {
	r.mu.Lock()
	var to []krama.DeviceID
	if r.led.dev != nil {
		for _, d := range r.adminDevices() {
			if d != r.led.dev.ID() {
				to = append(to, d)
			}
		}
	}
	r.mu.Unlock()
	if len(to) == 0 && len(bodies) > 0 {
		return krama.E("replica.post", krama.NotFound, "no admin to write to")
	}
	return r.postTo(ctx, to, k, bodies...)
}

// postTo seals letters to devices and puts them into their mailboxes.
func (r Admin) postTo(ctx context.Context, to []krama.DeviceID, k seal.LetterKind, bodies ...[]byte) error {
	r.mu.Lock()
	var puts []seal.BoxPut
	var err error
	for _, d := range to {
		for _, b := range bodies {
			// A locked device writes to nobody; after an error nothing is sent to anybody.
			if r.led.dev == nil || err != nil {
				break
			}
			pub := r.led.roster.Devices[d].KemPub
			var w []byte
			if w, err = seal.SealLetter(r.led.roster.Org, r.led.dev, d, pub, k, b); err == nil {
				puts = append(puts, seal.BoxPut{Box: seal.Mailbox(d, seal.KemHash(pub)), Item: w})
			}
		}
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	return r.putBoxes(ctx, puts)
}

// AcceptLate writes the work of a letter in this device's name, under the records' own ids, and files the letter. What
// arrived in another way meanwhile is the same record and counts once.
func (r Admin) AcceptLate(id [32]byte) error {
	const op = "replica.AcceptLate"
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.led.letter(id)
	if r.j == nil || m == nil || m.Kind != seal.LetterLate {
		return krama.E(op, krama.NotFound, "")
	}
	var entries [][]byte
	var items []*pending
	late, whole := m.Late()
	for _, l := range late {
		// The letter may be older than the erasure.
		if r.led.shredded[subject{l.Circle, l.Item.Subject}] {
			continue // erased since
		}
		st := r.led.streams[l.Circle]
		if st == nil || !r.led.roster.MayWrite(l.Circle, st.epoch.Epoch, r.led.dev.ID(), seal.KindRecord) {
			whole = false // another admin may
			continue
		}
		if _, ok := r.led.keys[l.Circle][l.Item.Subject]; ok && l.Item.Kind == seal.KindSubjectKey {
			continue
		}
		if slices.ContainsFunc(r.led.outbox, func(p *pending) bool { return p.is(l.Circle, l.Item) }) {
			continue // taken at an earlier try
		}
		items = append(items, &pending{l.Circle, l.Item})
		entries = append(entries, pendingEntry(l.Circle, l.Item))
	}
	// In the commit of its last item: a kill can neither lose work nor have it accepted twice.
	if whole {
		entries = append(entries, tagged(tagLetterDo, id[:]))
	}
	if len(entries) > 0 {
		if err := r.commit(entries...); err != nil {
			return err
		}
	}
	for _, p := range items {
		if err := r.led.queue(p.circle, p.item); err != nil {
			return err
		}
	}
	if !whole { // what could not be taken stays in the letter, for another admin or a later version
		return krama.E(op, krama.NotAllowed, "not all of it can be written on this desk")
	}
	r.led.untidy = r.led.decide(id) || r.led.untidy
	return nil
}

// Decline files a letter without acting on it.
func (r Admin) Decline(id [32]byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.j == nil || r.led.letter(id) == nil {
		return krama.E("replica.Decline", krama.NotFound, "")
	}
	if err := r.commit(tagged(tagLetterDo, id[:])); err != nil {
		return err
	}
	r.led.untidy = r.led.decide(id) || r.led.untidy
	return nil
}

// draftLives is how many roster positions a draft waits for its second signature.
// Past that its statement is void (doc/format.md, 5): what an admin forgot to sign must not come true in a year.
const draftLives = 500

// Draft signs a statement as the first of two and sends it to the other admins' devices.
func (r Admin) Draft(ctx context.Context, deed seal.Deed) error {
	if err := r.hold(); err != nil {
		return err
	}
	st, err := seal.NewStatement(r.Rand, r.led.roster.At().N+draftLives, deed)
	if err != nil {
		r.mu.Unlock()
		return err
	}
	raw, me := st.Marshal(), r.led.dev.ID()
	body := seal.Draft{Statement: raw, By: me, Sig: seal.Cosign(r.led.dev.Sig, r.led.roster.Org, raw)}.Marshal()
	r.mu.Unlock()
	return r.post(ctx, seal.LetterDraft, body)
}

// Cosign adds the second signature to a draft by saying its statement with the first one attached.
func (r Admin) Cosign(ctx context.Context, id [32]byte) error {
	const op = "replica.Cosign"
	r.mu.Lock()
	m := r.led.letter(id)
	r.mu.Unlock()
	if m == nil || m.Kind != seal.LetterDraft {
		return krama.E(op, krama.NotFound, "")
	}
	d, err := seal.ParseDraft(m.body)
	if err != nil {
		return err
	}
	body := seal.StatementBody(d.Statement, seal.Cosignature{Device: d.By, Sig: d.Sig})
	for range 16 {
		if err = r.readRoster(ctx, nothing); err != nil {
			return err
		}
		moot := func() bool {
			st, ok := m.Statement()
			if !ok {
				return false
			}
			// One of the two may lack what the other has. Refused to both, it would only be an alarm on every device.
			mine, hers := r.led.roster.Refuses(st.Deed, r.led.dev.ID()), r.led.roster.Refuses(st.Deed, d.By)
			return r.led.roster.Late(st) || mine != nil && hers != nil
		}
		err = r.speakUnless(ctx, seal.EnvRoster, seal.Item{Kind: seal.KindStatement, Body: body}, moot)
		if errors.Is(err, errMoot) {
			return krama.E(op, krama.NotAllowed, "the list of devices has moved on: it must be asked for again")
		}
		if krama.KindOf(err) != krama.Conflict {
			break
		}
	}
	if err != nil {
		return krama.Wrap(op, err)
	}
	r.mu.Lock()
	refused := false
	if n := len(r.led.roster.Log); n > 0 && r.led.dev != nil { // another's may be read back behind ours
		last := r.led.roster.Log[n-1]
		refused = last.Refused && last.Author == r.led.dev.ID()
	}
	r.mu.Unlock()
	if refused {
		return krama.E(op, krama.NotAllowed, "the list of devices has moved on: it must be asked for again")
	}
	if st, ok := m.Statement(); ok {
		if err := r.grantAll(ctx, r.opensTo(st.Deed)); err != nil {
			return krama.Wrap(op, err)
		}
	}
	return r.Decline(id)
}

// opensTo lists the devices that may be owed keys once a statement is said.
func (r Admin) opensTo(deed seal.Deed) (devices []krama.DeviceID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// No other statement brings a device, or opens a circle to one, without the keys in the same step.
	switch d := deed.(type) {
	case *seal.EpochGrant:
		devices = append(devices, d.Device)
	case *seal.DeviceAdd:
		devices = append(devices, d.Device.ID())
	case *seal.MemberRole:
		devices = devicesOf(r.led.roster, d.Member)
	}
	return devices
}

// grantAll gives devices the keys that their members' roles open, and the way to the roster to those nobody has heard
// of yet.
func (r Admin) grantAll(ctx context.Context, devices []krama.DeviceID) error {
	for _, d := range devices {
		r.mu.Lock()
		there := r.led.roster.Devices[d] != nil && r.led.roster.Devices[d].Removed == 0
		fresh := r.led.seen[d] == 0
		r.mu.Unlock()
		if !there {
			continue
		}
		if err := r.grant(ctx, d); err != nil {
			return err
		}
		if fresh {
			if err := r.putBootstrap(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}
