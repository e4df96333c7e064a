package replica

import (
	"context"
	"crypto/ed25519"
	"io"

	"krama"
	"krama/seal"
)

// Found founds a programme at a relay: genesis, this device as the first admin's, and the circles every programme has.
// token is what the relay's steward gave. The replica must be Fresh. If it fails half-way, remove the folder and begin
// again: nobody else has seen anything of it.
func (r Admin) Found(ctx context.Context, relay, token string) error {
	const op = "replica.Found"
	if r.State() != Fresh {
		return krama.E(op, krama.Conflict, "this device belongs to a programme already")
	}
	req, err := r.request()
	if err != nil {
		return krama.Wrap(op, err)
	}
	g := &seal.Genesis{Device: req}
	for _, b := range [][]byte{g.Nonce[:], g.Founder[:]} {
		if _, err := io.ReadFull(r.Rand, b); err != nil {
			return krama.Wrap(op, err)
		}
	}
	// Void past place 1: a genesis is the first statement or none.
	st, err := seal.NewStatement(r.Rand, 1, g)
	if err != nil {
		return err
	}
	// The organisation is the hash of its genesis: who knows the id needs nobody's word for the first key.
	org := krama.OrgID(seal.Hash("org", st.Marshal()))
	ep, err := seal.NewEpoch(r.Rand, seal.Context{Org: org})
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.led.setOrg(org, relay)
	r.dial(relay)
	err = r.commit(tagged(tagOrg, org[:], []byte(relay)), epochEntry(ep))
	if err == nil {
		err = r.led.addEpoch(ep)
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	// The founding key follows from circle 0's first secret, which every phone will hold: it is replaced below
	// (doc/format.md, 1).
	control := ep.ControlKey()
	pub := control.Public().(ed25519.PublicKey)
	call := seal.FoundCall{Token: []byte(token), Control: pub, Site: seal.SiteOf(org)}
	if _, err := r.call(ctx, control, seal.PathFound, seal.ProgrammeID(pub), call.Marshal()); err != nil {
		return err
	}
	if err := r.createStream(ctx, ep); err != nil {
		return err
	}
	if err := r.speak(ctx, seal.EnvRoster, seal.Item{Kind: seal.KindStatement,
		Body: seal.StatementBody(st.Marshal())}); err != nil {
		return err
	}
	if err := r.founded(); err != nil {
		return err
	}
	if err := r.openEpoch(ctx, ep); err != nil {
		return err
	}
	// While this is the only device ever enrolled nothing waits. From the next on, what two must sign does
	// (doc/format.md, 5).
	if err := r.stateNow(ctx, &seal.DelaySet{}); err != nil {
		return err
	}
	for _, k := range krama.CircleKinds {
		if err := r.createCircle(ctx, k); err != nil {
			return err
		}
	}
	if err := r.tendControl(ctx); err != nil {
		return err
	}
	if err := r.nameMembers(ctx); err != nil {
		return err
	}
	if err := r.SetValue(lineNamed, "1"); err != nil { // its streams were made as what they are
		return err
	}
	return r.sync(ctx, nil)
}

// founded checks that the genesis was read back.
func (r Admin) founded() error {
	if r.State() != Enrolled {
		return krama.E("replica.Found", krama.Tampered, "the relay does not show what it took")
	}
	return nil
}

// createStream has the relay make the stream of an epoch.
func (r Admin) createStream(ctx context.Context, ep *seal.Epoch) error {
	r.mu.Lock()
	h := r.led.streams[ep.Circle].head
	r.mu.Unlock()
	return r.controlCall(ctx, seal.PathCreate, createCall(ep, h, nil).Marshal())
}

// retentionDays is how long a circle's records are kept, from the threat model's defaults; issue of dates is the
// office's.
var retentionDays = map[krama.CircleKind]uint32{krama.KindOutreach: 365, krama.KindClinical: 3650,
	krama.KindCasework: 730, krama.KindSafeguarding: 3650}

// createCircle makes a circle, its first epoch and its own record, which says what it is.
func (r Admin) createCircle(ctx context.Context, k krama.CircleKind) error {
	const op = "replica.createCircle"
	var id krama.CircleID
	if _, err := io.ReadFull(r.Rand, id[:]); err != nil {
		return krama.Wrap(op, err)
	}
	// Said first, because the stream's chain begins at this statement's envelope (doc/format.md, 1).
	if err := r.stateNow(ctx, &seal.CircleCreate{Circle: id, Recoverable: k != krama.KindSafeguarding,
		Keyring: k != krama.KindSafeguarding, History: true, RetentionDays: retentionDays[k],
		Readers: k.Writers(), Writers: k.Writers()}); err != nil {
		return err
	}
	r.mu.Lock()
	ep, err := seal.NewEpoch(r.Rand, seal.Context{Org: r.led.roster.Org, Circle: id})
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if err := r.openEpoch(ctx, ep); err != nil {
		return err
	}
	r.mu.Lock()
	// A kill before this leaves a circle in the roster whose secrets nobody has: the founder begins again (Found).
	err = r.commit(epochEntry(ep))
	if err == nil {
		err = r.led.addEpoch(ep)
	}
	r.led.kinds[id] = k
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if err := r.createStream(ctx, ep); err != nil {
		return err
	}
	rec, err := r.NewRecord()
	if err != nil {
		return err
	}
	return r.Write(k, krama.SubjectID{}, &krama.Record{ID: rec, Circle: &krama.Circle{Kind: k}})
}

// openEpoch states that an epoch is open, to this device alone.
func (r Admin) openEpoch(ctx context.Context, ep *seal.Epoch) error {
	me, _ := r.Device()
	return r.stateNow(ctx, &seal.EpochOpen{Circle: ep.Circle, Epoch: ep.Epoch, EC: ep.EC(), GC: ep.GC(),
		Devices: []krama.DeviceID{me}})
}
