package replica

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"strings"

	"krama"
	"krama/seal"
)

// Scan1 is what a Fresh device shows: QR-1.
func (r *Replica) Scan1() seal.Scan1 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dev == nil { // locked
		return seal.Scan1{}
	}
	return seal.Scan1{RequestHash: seal.SHA256(r.dev.Request().Marshal()), Drop: seal.DropID(r.dropKey().Public().(ed25519.PublicKey))}
}

func (r *Replica) dropKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(r.drop) }

// Introduce posts the enrolment request to the relay, so that whoever scans QR-1 can fetch it. A phone learns the relay's
// address only from QR-2, or from the origin it was installed from; either way nothing depends on it being true.
func (r *Replica) Introduce(ctx context.Context, relay string) error {
	r.mu.Lock()
	r.remote = r.Dial(relay)
	b := r.dev.Request().Marshal()
	r.mu.Unlock()
	return r.dropPut(ctx, b)
}

func (r *Replica) dropPut(ctx context.Context, item []byte) error {
	r.mu.Lock()
	key := r.dropKey()
	r.mu.Unlock()
	pub := key.Public().(ed25519.PublicKey)
	_, err := r.call(ctx, key, seal.PathDropPut, seal.DropID(pub), seal.Frame(pub, item))
	return err
}

// Accept takes QR-2: the organisation and its head, now known for certain. It posts the proof that this device holds its
// keys. Another programme's code on a device that was scanned already is Conflict.
func (r *Replica) Accept(ctx context.Context, text string) error {
	const op = "replica.Accept"
	s, err := seal.ParseScan2(text)
	if err != nil {
		return err
	}
	r.mu.Lock()
	if r.scan != nil && r.scan.Org != s.Org {
		r.mu.Unlock()
		return krama.E(op, krama.Conflict, "this device was scanned for another programme")
	}
	r.mu.Unlock()
	r.mu.Lock()
	r.remote = r.Dial(s.Relay)
	pop := r.dev.Proof(s.Org, s.Secret)
	r.mu.Unlock()
	if err := r.dropPut(ctx, append(s.Secret[:], pop...)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.commit(tagged(tagScan, []byte(s.String()))); err != nil {
		return err
	}
	r.scan = &s
	return nil
}

// Safety returns this device's digits, to be read aloud when two screens cannot be scanned. They name the organisation
// too, so there are none before its code is known.
func (r *Replica) Safety() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dev == nil {
		return ""
	}
	org := krama.OrgID{}
	switch {
	case r.roster != nil:
		org = r.roster.Org
	case r.scan != nil:
		org = r.scan.Org
	default:
		return ""
	}
	return seal.SafetyDigits(org, r.dev.SigPub(), seal.KemHash(r.kems()[0].PublicKey().Bytes()))
}

// Expect tells a new device the last groups of the office's digits, as a voice read them. Join then refuses an office with
// others.
func (r *Replica) Expect(groups string) error { return r.SetValue(expectKey, digitsOf(groups)) }

const expectKey = ".expect"

// digitsOf keeps the digits of what was typed.
func digitsOf(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, s)
}

// spoken is how many digits the other side must type: the last two groups of five.
const spoken = 10

// Spoken checks the last groups of a new device's digits, as a voice read them, and makes the invitation one by voice.
// Other digits are Tampered: the code was changed on the way.
func (inv *Invitation) Spoken(groups string) error {
	all := digitsOf(seal.SafetyDigits(inv.Code.Org, inv.Request.SigPub, seal.KemHash(inv.Request.KemPub)))
	if got := digitsOf(groups); len(got) != spoken || got != all[len(all)-spoken:] {
		return krama.E("replica.Spoken", krama.Tampered, "the digits are not those of the device whose code was given")
	}
	inv.ByVoice = true
	return nil
}

// Join looks whether the office has enrolled this device, and if so reads the roster from genesis, checks it against what
// was scanned, and opens the keys. It returns false while there is nothing yet. A roster that does not lead to the scanned
// head, or does not list this device, is Tampered: nothing of it is kept.
func (r *Replica) Join(ctx context.Context, progress func(Progress)) (bool, error) {
	const op = "replica.Join"
	if progress == nil {
		progress = func(Progress) {}
	}
	r.mu.Lock()
	if r.scan == nil {
		r.mu.Unlock()
		return false, krama.E(op, krama.NotAllowed, "scan the office's code first")
	}
	if r.state() == Enrolled {
		r.mu.Unlock()
		return true, nil
	}
	s, dev := *r.scan, r.dev
	r.remote = r.Dial(s.Relay)
	r.mu.Unlock()
	items, err := r.mailbox(ctx)
	if err != nil {
		return false, err
	}
	var epochs []*seal.Epoch
	var roster *seal.Roster
	for _, it := range items {
		boot, e := seal.OpenBootstrap(s.Org, dev, it)
		if e != nil {
			continue
		}
		for _, wrap := range seal.FindWraps(items, dev.ID(), boot.EC) {
			ep, e := seal.OpenWrap(seal.Context{Org: s.Org, Epoch: boot.Epoch}, dev.ID(), dev.KEM, wrap, boot.EC, boot.GC)
			if e != nil {
				err = e
				continue
			}
			list := orgEpochs(boot, ep)
			if ro, e := r.tryRoster(ctx, s.Org, list); e != nil {
				err = e
			} else {
				epochs, roster = list, ro
			}
		}
	}
	if roster == nil {
		return false, err
	}
	if s.Roster.N >= uint64(len(roster.Chain)) || roster.Chain[s.Roster.N] != s.Roster.H {
		return false, krama.E(op, krama.Tampered, "the relay shows another programme than the one scanned")
	}
	admin := false
	expect := r.Value(expectKey)
	for _, d := range roster.Devices {
		if seal.SHA256(d.Request.SigPub) != s.AdminKey || roster.Members[d.Member].Roles&krama.RoleAdmin == 0 {
			continue
		}
		admin = true
		if all := digitsOf(seal.SafetyDigits(s.Org, d.Request.SigPub, seal.KemHash(d.KemPub))); expect != "" && expect != all[len(all)-spoken:] {
			return false, krama.E(op, krama.Tampered, "the office's digits are not those that were read aloud")
		}
	}
	if !admin || !roster.Latest(krama.OrgCircle).Keyed[dev.ID()] {
		return false, krama.E(op, krama.Tampered, "the programme does not list this device")
	}
	if err := r.takeOrg(s.Org, s.Relay, epochs); err != nil {
		return false, err
	}
	return true, r.Sync(ctx, progress)
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
func (r *Replica) takeOrg(org krama.OrgID, relay string, epochs []*seal.Epoch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.setOrg(org, relay)
	entries := [][]byte{tagged(tagOrg, org[:], []byte(relay))}
	for _, e := range epochs {
		entries = append(entries, epochEntry(e))
	}
	if err := r.commit(entries...); err != nil {
		return err
	}
	for _, e := range epochs {
		if err := r.addEpoch(e); err != nil {
			return err
		}
	}
	return nil
}

// tryRoster reads the whole roster into a scratch one and checks it before anything of it is believed or kept.
func (r *Replica) tryRoster(ctx context.Context, org krama.OrgID, epochs []*seal.Epoch) (*seal.Roster, error) {
	const op = "replica.Join"
	roster := seal.NewRoster(org)
	for i, ep := range epochs {
		for after := uint64(0); ; {
			answer, err := r.call(ctx, ep.StreamKey(), seal.PathList, ep.StreamID(), seal.ListCall{After: after, Max: pageBytes}.Marshal())
			if err != nil {
				return nil, err
			}
			l, err := seal.ParseListing(answer)
			if err != nil {
				return nil, krama.E(op, krama.Tampered, "the relay's answer is cut or garbled")
			}
			for _, wire := range l.Entries {
				after++
				if turned(roster, i) {
					continue // past the statement that opened the next epoch
				}
				env, v := ep.Open(wire)
				if v != seal.Fine || env.Kind != seal.EnvRoster {
					roster.Advance(seal.EnvelopeID(wire))
				} else if err := roster.Apply(env); krama.KindOf(err) == krama.NotYet || (err != nil && roster.At().N == 1) {
					return nil, err
				}
			}
			if len(l.Entries) == 0 || after >= l.Head.N {
				break
			}
		}
		ring := roster.Circles[krama.OrgCircle]
		last := i == len(epochs)-1
		if ring == nil || len(ring.Epochs) <= i || turned(roster, i) == last || ring.Epochs[i].EC != ep.EC() || (last && ep.KG != [32]byte{} && ring.Epochs[i].GC != ep.GC()) {
			return nil, krama.E(op, krama.Tampered, "the roster does not lead to these keys")
		}
	}
	return roster, nil
}

// turned reports whether the roster has gone past an epoch of circle 0.
func turned(roster *seal.Roster, epoch int) bool {
	ring := roster.Circles[krama.OrgCircle]
	return ring != nil && len(ring.Epochs) > epoch+1
}

// Invitation is the office's half of an enrolment in progress. It lives in memory only.
type Invitation struct {
	Request *seal.Request
	Drop    [16]byte
	Code    seal.Scan2
	drafted bool // a second admin has been asked to sign
	ByVoice bool // digits were compared by voice: weaker than two scans, and written so in the roster
}

// Invite reads a new device's QR-1 and fetches its request. A relay that swapped the request is Tampered.
func (r *Replica) Invite(ctx context.Context, text string) (*Invitation, error) {
	const op = "replica.Invite"
	s, err := seal.ParseScan1(text)
	if err != nil {
		return nil, err
	}
	if _, roles := r.Device(); roles&krama.RoleAdmin == 0 {
		return nil, krama.E(op, krama.NotAllowed, "only an admin enrols devices")
	}
	if err := r.readRoster(ctx, nothing); err != nil {
		return nil, err
	}
	items, err := r.dropGet(ctx, s.Drop)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, krama.E(op, krama.NotFound, "the new device has not reached the relay yet")
	}
	for _, it := range items {
		if seal.SHA256(it) != s.RequestHash {
			continue
		}
		req, err := seal.ParseRequest(it)
		if err != nil {
			return nil, err
		}
		inv := &Invitation{Request: req, Drop: s.Drop}
		r.mu.Lock()
		defer r.mu.Unlock()
		inv.Code = seal.Scan2{Org: r.roster.Org, Roster: r.roster.At(), AdminKey: seal.SHA256(r.dev.SigPub()), Relay: r.relay}
		if _, err := io.ReadFull(r.Rand, inv.Code.Secret[:]); err != nil {
			return nil, krama.Wrap(op, err)
		}
		return inv, nil
	}
	return nil, krama.E(op, krama.Tampered, "what lies at the relay is not what was scanned")
}

func (r *Replica) dropGet(ctx context.Context, drop [16]byte) ([][]byte, error) {
	answer, err := r.streamCall(ctx, krama.OrgCircle, seal.PathDropGet, seal.Frame(drop[:]))
	if err != nil {
		return nil, err
	}
	items, err := seal.ParseFrame(answer, 1024)
	if err != nil {
		return nil, krama.E("replica.dropGet", krama.Tampered, "the relay's answer is cut or garbled")
	}
	return items, nil
}

// ErrSecond says that a second admin must sign before an enrolment goes on.
var ErrSecond = krama.E("replica.Enrol", krama.NotAllowed, "a second admin must sign first")

// ErrDay says that an enrolment was announced and goes on by itself, from this desk, when its day has come.
var ErrDay = krama.E("replica.Enrol", krama.NotAllowed, "announced: it goes on a day later")

// Enrol finishes an invitation once the new device has proved that it scanned our code: it adds the member if she is new,
// the device, its grants for every circle its roles open and this device administers, and posts the keys. It returns
// false while the proof is not there. Repeating after a failure goes on where it stopped.
func (r *Replica) Enrol(ctx context.Context, inv *Invitation, member krama.MemberID, roles krama.Role) (bool, error) {
	const op = "replica.Enrol"
	items, err := r.dropGet(ctx, inv.Drop)
	if err != nil {
		return false, err
	}
	var pop []byte
	for _, it := range items {
		if len(it) == 32+ed25519.SignatureSize && [32]byte(it[:32]) == inv.Code.Secret &&
			seal.CheckProof(inv.Code.Org, inv.Request, inv.Code.Secret, it[32:]) {
			pop = it[32:]
		}
	}
	if pop == nil {
		return false, nil
	}
	id := inv.Request.ID()
	if err := r.readRoster(ctx, nothing); err != nil {
		return false, err
	}
	for range 8 { // another admin may be first at any of these: read again, do what is still missing
		err = r.enrolSteps(ctx, inv, member, roles, id, pop)
		if krama.KindOf(err) != krama.Conflict {
			break
		}
		if err := r.readRoster(ctx, nothing); err != nil {
			return false, err
		}
	}
	if errors.Is(err, ErrSecond) || errors.Is(err, ErrDay) {
		return false, err
	}
	return err == nil, krama.Wrap(op, err)
}

func (r *Replica) enrolSteps(ctx context.Context, inv *Invitation, member krama.MemberID, roles krama.Role, id krama.DeviceID, pop []byte) error {
	r.mu.Lock()
	if d := r.roster.Devices[id]; d != nil { // an enrolment that was cut goes on
		member = d.Member
	}
	newMember, newDevice := r.roster.Members[member] == nil, r.roster.Devices[id] == nil
	r.mu.Unlock()
	ahead := false // the member waits for her day, and the device with her
	if newMember {
		way, err := r.bring(ctx, func(s *seal.Statement) { s.MemberAdd = &seal.MemberAdd{Member: member, Roles: roles} }, r.statement)
		if err != nil {
			return err
		}
		if way == seal.BySecond {
			return ErrSecond
		}
		ahead = way == seal.AfterDay
	}
	verified := seal.ByScan
	if inv.ByVoice {
		verified = seal.ByVoice
	}
	if newDevice {
		add := func(s *seal.Statement) {
			s.DeviceAdd = &seal.DeviceAdd{Member: member, Device: inv.Request, Algorithm: 1, Verified: verified, Secret: inv.Code.Secret, Proof: pop}
		}
		if inv.drafted {
			return ErrSecond
		}
		way, err := seal.AfterDay, error(nil)
		if ahead {
			err = r.announce(ctx, add)
		} else {
			way, err = r.bring(ctx, add, r.statement)
		}
		switch {
		case err != nil:
			return err
		case way == seal.BySecond: // an admin's device: the other admin must sign, and this goes on when she has
			inv.drafted = true
			return ErrSecond
		case way == seal.AfterDay:
			if !ahead && !inv.ByVoice { // a new admin will be the second who can sign for her circles
				r.mu.Lock()
				roles = r.roster.Members[member].Roles
				r.mu.Unlock()
				err = r.announceGrants(ctx, id, roles)
			}
			return cmp.Or(err, ErrDay)
		}
	}
	r.mu.Lock()
	if r.roster.Devices[id] == nil || r.roster.Members[member] == nil {
		r.mu.Unlock()
		return krama.E("replica.Enrol", krama.NotAllowed, "the roster refused the device")
	}
	r.mu.Unlock()
	if err := r.grant(ctx, id); err != nil {
		return err
	}
	return r.putBootstrap(ctx, id) // last: the new device begins when it finds this
}

// openTo lists the grants that a member's roles ask for, for a device of hers: of circles that this device administers and
// that one is not in. Called with the lock held.
func (r *Replica) openTo(id krama.DeviceID, roles krama.Role) (out []*seal.EpochGrant) {
	for c, st := range r.streams {
		ring, latest := r.roster.Circles[c], r.roster.Latest(c)
		if latest == nil || st.known[latest.Epoch] == nil || latest.Keyed[id] || (c != krama.OrgCircle && roles&ring.Readers == 0) {
			continue
		}
		out = append(out, &seal.EpochGrant{Circle: c, Epoch: latest.Epoch, Device: id})
	}
	return out
}

// grant keys a device for every circle that its member's roles open and this device administers, and gives it the keys.
// Where a second admin or a day must be waited for, the keys follow then.
func (r *Replica) grant(ctx context.Context, id krama.DeviceID) error {
	r.mu.Lock()
	dev := r.roster.Devices[id]
	grants := r.openTo(id, r.roster.Members[dev.Member].Roles)
	r.mu.Unlock()
	for _, g := range grants {
		r.mu.Lock()
		refused := r.roster.Refuses(&seal.Statement{EpochGrant: g}, r.dev.ID()) // safeguarding's, to a device that nobody scanned
		r.mu.Unlock()
		if refused != nil {
			continue
		}
		if _, err := r.bring(ctx, func(s *seal.Statement) { s.EpochGrant = g }, r.statement); err != nil {
			return err
		}
	}
	r.mu.Lock()
	var give []*seal.Epoch
	for c, st := range r.streams {
		if e := r.roster.Latest(c); e != nil && e.Keyed[id] && st.known[e.Epoch] != nil {
			give = append(give, st.known[e.Epoch])
		}
	}
	r.mu.Unlock()
	var pairs [][]byte
	for _, ep := range give {
		wrap, err := ep.Wrap(id, dev.KemPub)
		if err != nil {
			return err
		}
		box := seal.Mailbox(id, seal.KemHash(dev.KemPub))
		pairs = append(pairs, box[:], seal.BoxItem(id, ep.EC(), wrap))
	}
	return r.putWraps(ctx, pairs)
}

// putBootstrap gives a device the way to the roster.
func (r *Replica) putBootstrap(ctx context.Context, id krama.DeviceID) error {
	r.mu.Lock()
	if r.j == nil {
		r.mu.Unlock()
		return errLocked
	}
	boot, err := seal.SealBootstrap(r.roster.Org, id, r.roster.Devices[id].KemPub, r.bootstrap())
	box := seal.Mailbox(id, seal.KemHash(r.roster.Devices[id].KemPub))
	r.mu.Unlock()
	if err != nil {
		return err
	}
	return r.putBoxes(ctx, [][]byte{box[:], boot})
}

func (r *Replica) bootstrap() seal.Bootstrap {
	st := r.streams[krama.OrgCircle]
	b := seal.Bootstrap{Epoch: st.epoch.Epoch, EC: st.epoch.EC(), GC: st.epoch.GC()}
	for e := range st.epoch.Epoch {
		b.History = append(b.History, st.known[e].ES)
	}
	return b
}
