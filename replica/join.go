package replica

import (
	"context"
	"crypto/ed25519"

	"krama"
	"krama/seal"
)

// Join looks whether the office has enrolled this device, and if so reads the roster from genesis, checks it against
// what was scanned, and opens the keys. It returns false while there is nothing yet. A roster that does not lead to the
// scanned head, or does not list this device, is Tampered: nothing of it is kept.
func (r Newcomer) Join(ctx context.Context, progress func(Progress)) (bool, error) {
	const op = "replica.Join"
	if progress == nil {
		progress = func(Progress) {}
	}
	r.mu.Lock()
	if r.led.scan == nil {
		r.mu.Unlock()
		return false, krama.E(op, krama.NotAllowed, "scan the office's code first")
	}
	if r.led.state() == Enrolled {
		r.mu.Unlock()
		return true, nil
	}
	s, dev := *r.led.scan, r.led.dev
	r.dial(s.Relay)
	r.mu.Unlock()
	items, err := r.mailbox(ctx)
	if krama.KindOf(err) == krama.NotAllowed && err != nil {
		return false, nil // the relay does not know this device yet
	}
	if err != nil {
		return false, err
	}
	// The office may have rotated since it enrolled this device: then the wrap of the next epoch lies in the same
	// mailbox.
	follow := func(o seal.EpochOpen) *seal.Epoch {
		for _, wrap := range seal.FindWraps(items, dev.ID(), o.EC) {
			if ep, err := seal.OpenWrap(seal.Context{Org: s.Org, Epoch: o.Epoch}, dev.ID(), dev.KEM, wrap, o.EC,
				o.GC); err == nil {
				return ep
			}
		}
		return nil
	}
	var epochs []*seal.Epoch
	var roster *seal.Roster
	// The relay may have put anything there. A bootstrap is taken if the roster that it leads to confirms it.
	for _, it := range items {
		boot, e := seal.OpenBootstrap(s.Org, dev, it)
		if e != nil {
			continue
		}
		for _, wrap := range seal.FindWraps(items, dev.ID(), boot.EC) {
			ep, e := seal.OpenWrap(seal.Context{Org: s.Org, Epoch: boot.Epoch}, dev.ID(), dev.KEM, wrap,
				boot.EC, boot.GC)
			if e != nil {
				err = e
				continue
			}
			if list, ro, e := r.tryRoster(ctx, s.Org, orgEpochs(boot, ep), follow); e != nil {
				err = e
			} else {
				epochs, roster = list, ro
			}
		}
	}
	if roster == nil {
		return false, err
	}
	// The head on the office's screen: a roster that stops before it is old, and one that passes by it is another's.
	if s.Roster.N >= uint64(len(roster.Chain)) || roster.Chain[s.Roster.N] != s.Roster.H {
		return false, krama.E(op, krama.Tampered, "the relay shows another programme than the one scanned")
	}
	admin := false
	expect := r.Value(expected)
	// The key on the screen must be an admin's there; and where the code was read aloud, the groups that were typed
	// must be that key's.
	for _, d := range roster.Devices {
		if seal.SHA256(d.Request.SigPub) != s.AdminKey || roster.Members[d.Member].Roles&krama.RoleAdmin == 0 {
			continue
		}
		admin = true
		if all := digitsOf(seal.SafetyDigits(s.Org, d.Request.SigPub, seal.KemHash(d.KemPub))); expect != "" &&
			expect != all[len(all)-spoken:] {
			return false, krama.E(op, krama.Tampered, "the office's digits are not those that were read aloud")
		}
	}
	if !admin || !roster.Latest(krama.OrgCircle).Keyed[dev.ID()] {
		return false, krama.E(op, krama.Tampered, "the programme does not list this device")
	}
	// Only now is anything of the programme kept.
	if err := r.takeOrg(s.Org, s.Relay, epochs); err != nil {
		return false, err
	}
	return true, r.sync(ctx, progress)
}

// orgEpochs lists circle 0's secrets, oldest first.
func orgEpochs(b seal.Bootstrap, newest *seal.Epoch) (out []*seal.Epoch) {
	for i, es := range b.History {
		at := newest.Context
		at.Epoch = uint32(i)
		out = append(out, &seal.Epoch{Context: at, ES: es})
	}
	return append(out, newest)
}

// takeOrg makes the organisation this device's own.
func (r Newcomer) takeOrg(org krama.OrgID, relay string, epochs []*seal.Epoch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.led.setOrg(org, relay)
	r.dial(relay)
	entries := [][]byte{tagged(tagOrg, org[:], []byte(relay))}
	for _, e := range epochs {
		entries = append(entries, epochEntry(e))
	}
	if err := r.commit(entries...); err != nil {
		return err
	}
	for _, e := range epochs {
		if err := r.led.addEpoch(e); err != nil {
			return err
		}
	}
	return nil
}

// tryRoster reads the whole roster into a scratch one and checks it before anything of it is believed or kept. Where
// circle 0 was given new keys since the epochs were, follow finds the next: an office may rotate before a phone that it
// has enrolled comes. It returns all epochs with the roster.
func (r Newcomer) tryRoster(ctx context.Context, org krama.OrgID, epochs []*seal.Epoch,
	follow func(seal.EpochOpen) *seal.Epoch) ([]*seal.Epoch, *seal.Roster, error) {
	const op = "replica.Join"
	roster := seal.NewRoster(org)
	r.mu.Lock()
	c := r.caller(org)
	r.mu.Unlock()
	for i := 0; i < len(epochs); i++ {
		ep := epochs[i]
		for after := uint64(0); ; {
			answer, err := c.call(ctx, ep.StreamKey(), seal.PathList, ep.StreamID(), seal.ListCall{After: after,
				Max: pageBytes}.Marshal())
			if err != nil {
				return nil, nil, err
			}
			l, err := seal.ParseListing(answer)
			if err != nil {
				return nil, nil, krama.E(op, krama.Tampered, "the relay's answer is cut or garbled")
			}
			for _, wire := range l.Entries {
				after++
				if turned(roster, i) {
					continue // past the statement that opened the next epoch
				}
				env, v := ep.Open(wire)
				// Whatever is no statement moves the head alone. A refused statement moves it too, as on every device;
				// but a genesis that does not hold is the end, and so is what a later version has to read.
				if v != seal.Fine || env.Kind != seal.EnvRoster {
					roster.Advance(seal.EnvelopeID(wire))
				} else if err := roster.Apply(env); krama.KindOf(err) == krama.NotYet || (err != nil &&
					roster.At().N == 1) {
					return nil, nil, err
				}
			}
			if len(l.Entries) == 0 || after >= l.Head.N {
				break
			}
		}
		ring := roster.Circles[krama.OrgCircle]
		last := i == len(epochs)-1
		if last && turned(roster, i) {
			if next := follow(ring.Epochs[i+1].EpochOpen); next != nil {
				epochs, last = append(epochs, next), false
			}
		}
		// Each secret by its commitment, the newest with its keyring key's (doc/format.md, 1); and the roster must have
		// ended every epoch but the last.
		if ring == nil || len(ring.Epochs) <= i || turned(roster, i) == last || ring.Epochs[i].EC != ep.EC() ||
			(last && ep.KG != [32]byte{} && ring.Epochs[i].GC != ep.GC()) {
			return nil, nil, krama.E(op, krama.Tampered, "the roster does not lead to these keys")
		}
	}
	return epochs, roster, nil
}

// turned reports whether the roster has gone past an epoch of circle 0.
func turned(roster *seal.Roster, epoch int) bool {
	ring := roster.Circles[krama.OrgCircle]
	return ring != nil && len(ring.Epochs) > epoch+1
}

// Scan1 is what a Fresh device shows: QR-1.
func (r Newcomer) Scan1() seal.Scan1 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.led.dev == nil { // locked
		return seal.Scan1{}
	}
	return seal.Scan1{RequestHash: seal.SHA256(r.led.dev.Request().Marshal()),
		Drop: seal.DropID(r.dropKey().Public().(ed25519.PublicKey))}
}

// dropKey is the key of the drop into which a new device puts its request.
func (r Newcomer) dropKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(r.led.drop) }

// Introduce posts the enrolment request to the relay, so that whoever scans QR-1 can fetch it. A phone learns the
// relay's address only from QR-2, or from the origin it was installed from; either way nothing depends on it being
// true.
func (r Newcomer) Introduce(ctx context.Context, relay string) error {
	r.mu.Lock()
	r.dial(relay)
	b := r.led.dev.Request().Marshal()
	err := r.showCode()
	key := r.dropKey()
	r.mu.Unlock()
	if err != nil {
		return err
	}
	return r.dropPut(ctx, key, b)
}

// dropPut lays something for the office into a drop. Anybody may make drops, so each costs a proof of work, which is of
// a day by the relay's clock.
func (r Newcomer) dropPut(ctx context.Context, key ed25519.PrivateKey, item []byte) error {
	r.mu.Lock()
	line := r.line
	r.mu.Unlock()
	pub := key.Public().(ed25519.PublicKey)
	id := seal.DropID(pub)
	for try := 0; ; try++ {
		day := krama.DayOf(line.wall(r.Now()))
		proof, err := seal.CallWork(r.Rand, id, day)
		if err != nil {
			return err
		}
		put := seal.DropPutCall{ProofOfWork: seal.ProofOfWork{Pub: pub, Day: day, Proof: proof}, Item: item}
		_, err = r.call(ctx, key, seal.PathDropPut, id, put.Marshal())
		// The proof may be of another day than the relay's, whose clock is known since this refusal.
		if krama.KindOf(err) != krama.NotAllowed || err == nil || try > 0 || krama.DayOf(line.wall(r.Now())) == day {
			return err
		}
	}
}

// Accept takes QR-2: the organisation and its head, now known for certain. It posts the proof that this device holds
// its keys. Another programme's code on a device that was scanned already is Conflict.
func (r Newcomer) Accept(ctx context.Context, text string) error {
	const op = "replica.Accept"
	s, err := seal.ParseScan2(text)
	if err != nil {
		return err
	}
	r.mu.Lock()
	if r.led.scan != nil && r.led.scan.Org != s.Org {
		r.mu.Unlock()
		return krama.E(op, krama.Conflict, "this device was scanned for another programme")
	}
	r.mu.Unlock()
	r.mu.Lock()
	r.dial(s.Relay)
	proof := append(s.Secret[:], r.led.dev.Proof(s.Org, s.Secret)...)
	key, before := r.dropKey(), r.dropBefore
	r.mu.Unlock()
	// Before the scan is kept: a device that says that it was scanned has answered.
	if err := r.dropPut(ctx, key, proof); err != nil {
		return err
	}
	if before != nil { // the office may have scanned the code before this one
		if err := r.dropPut(ctx, ed25519.NewKeyFromSeed(before), proof); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.commit(tagged(tagScan, []byte(s.String()))); err != nil {
		return err
	}
	r.led.scan = &s
	return nil
}
