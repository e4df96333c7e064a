package replica

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/seal"
)

// The published attacks of doc/threat-model.md that a relay makes, alone or with a member who lends it her keys. Those
// that need no relay are in package seal; doc/threat-model.md has the table. Each says which check stops it: without
// that check it passes.

// tell appends a roster statement in d's name, as a member whom the relay helps could, whatever her program would
// refuse.
func (w *world) tell(d *device, body []byte) {
	w.t.Helper()
	w.inject(d, krama.OrgCircle, d.led.header(krama.OrgCircle, seal.EnvRoster), seal.Item{Kind: seal.KindStatement,
		Body: body})
}

func (w *world) body(d *device, deed seal.Deed) []byte {
	w.t.Helper()
	st, err := seal.NewStatement(d.Rand, 1<<40, deed)
	w.must(err)
	return seal.StatementBody(st.Marshal())
}

// lists answers PathList for one stream by what tell makes of it, and the rest truthfully.
func (d *device) lists(id seal.StreamID, twist func(after uint64, l *seal.Listing)) {
	d.wire.twist = liar{id, twist}.answer
}

// TestAttackServerSubstitutesPublicKey swaps a public key wherever the relay carries one. Stopped by the scanned hash
// of the request (Invite), by the proof made with the scanned secret (Enrol), by the genesis hash that is the
// organisation's id and the scanned head behind it (Join), and by the rule that a device changes only its own key
// (Roster.fold).
func TestAttackServerSubstitutesPublicKey(t *testing.T) {
	ctx := context.Background()
	w := newSmallWorld(t)
	phone, thief := w.device("phone"), w.device("phone")
	w.must(phone.Newcomer().Introduce(ctx, "relay"))
	drop := func(items ...[]byte) {
		w.desk.wire.twist = func(path string, _, answer []byte, err error) ([]byte, error) {
			if path == seal.PathDropGet {
				return heldOf(items...), nil
			}
			return answer, err
		}
	}
	drop(thief.led.dev.Request().Marshal())
	if _, err := w.desk.Admin().Invite(ctx, phone.Newcomer().Scan1().String()); krama.KindOf(err) != krama.Tampered {
		t.Errorf("the relay's own request: %v", err)
	}
	w.desk.wire.twist = nil
	inv, err := w.desk.Admin().Invite(ctx, phone.Newcomer().Scan1().String())
	w.must(err)
	w.must(phone.Newcomer().Accept(ctx, inv.Code.String()))
	s := inv.Code.Secret
	drop(append(s[:], thief.led.dev.Proof(inv.Code.Org, s)...)) // even if the second screen was photographed
	if ok, err := w.desk.Admin().Enrol(ctx, inv, krama.MemberID{1}, krama.RoleOutreach); ok || err != nil {
		t.Errorf("the thief's proof for the phone's request: %v %v", ok, err)
	}
	w.desk.wire.twist = nil

	// The relay saw the phone's public key in the drop, and gives it an organisation of its own making under the true
	// id.
	ep := &seal.Epoch{Context: seal.Context{Org: inv.Code.Org}, ES: [32]byte{1}, KG: [32]byte{2}}
	pub, id := phone.led.dev.KEM.PublicKey().Bytes(), phone.led.dev.ID()
	boot, err := seal.SealBootstrap(inv.Code.Org, id, pub, seal.Bootstrap{EC: ep.EC(), GC: ep.GC()})
	w.must(err)
	wrap, err := ep.Wrap(id, pub)
	w.must(err)
	st, _ := seal.NewStatement(thief.Rand, 1, &seal.Genesis{Founder: krama.MemberID{9},
		Device: thief.led.dev.Request()})
	start := seal.Start(ep.Context, inv.Code.Org)
	first, err := ep.Seal(thief.Rand, thief.led.dev, seal.Header{Author: thief.led.dev.ID(),
		Kind: seal.EnvRoster, Seq: 1,
		Head: start, Roster: start},
		[]seal.Item{{Kind: seal.KindStatement, Body: seal.StatementBody(st.Marshal())}}, nil)
	w.must(err)
	phone.wire.twist = func(path string, _, answer []byte, err error) ([]byte, error) {
		switch path {
		case seal.PathBoxGet:
			return heldOf(seal.BoxItem(id, ep.EC(), wrap), boot), nil
		case seal.PathList:
			return seal.Listing{Head: start.Link(seal.EnvelopeID(first)), Entries: [][]byte{first}}.Marshal(), nil
		}
		return answer, err
	}
	if ok, err := phone.Newcomer().Join(ctx, nil); ok || krama.KindOf(err) != krama.Tampered {
		t.Errorf("joined the relay's organisation: %v %v", ok, err)
	}
	phone.wire.twist = nil
	if ok, err := w.desk.Admin().Enrol(ctx, inv, krama.MemberID{1}, krama.RoleOutreach); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := phone.Newcomer().Join(ctx, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}

	// A colleague, with the relay's help, announces her key as the phone's new one: the next wraps would be hers to
	// open.
	insider := w.phone()
	mine, err := seal.NewKEM(insider.Rand)
	w.must(err)
	for _, by := range []*device{insider, w.desk} { // not even an admin
		w.tell(by, w.body(by, &seal.DeviceRekey{Device: id, KemPub: mine.PublicKey().Bytes()}))
		w.sync(insider, w.desk)
		if got := w.desk.led.roster.Devices[id].KemPub; !bytes.Equal(got, pub) {
			t.Error("somebody replaced the phone's key")
		}
	}
	if !w.desk.has(AlarmUnauthorised) {
		t.Error("nobody is told that somebody tried")
	}
}

// TestAttackServerInjectsMember: a worker lends the relay her keys, and it makes members, admins and devices of its
// own. Stopped by Roster.fold (only an admin's signature changes the roster) and Roster.Author; what the ghost then
// writes, by steps 4 and 5 of admit.
func TestAttackServerInjectsMember(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	insider := w.phone()
	w.sync(w.desk, insider)
	c := w.outreach(insider)
	me, member := insider.led.dev.ID(), insider.led.roster.Devices[insider.led.dev.ID()].Member
	ghost, err := seal.NewDevice(insider.Rand, "ghost")
	w.must(err)
	secret := [32]byte{3}
	bodies := [][]byte{
		w.body(insider, &seal.MemberAdd{Member: krama.MemberID{0x66}, Roles: krama.RoleOutreach}),
		w.body(insider, &seal.MemberRole{Member: member, Roles: krama.RoleAdmin}),
		// a second device for herself, properly proved
		w.body(insider, &seal.DeviceAdd{Member: member, Device: ghost.Request(), Algorithm: 1, Verified: seal.ByScan,
			Secret: secret,
			Proof:  ghost.Proof(insider.led.roster.Org, secret)}),
		w.body(insider, &seal.EpochGrant{Circle: c, Device: ghost.ID()}),
	}
	say := func(name string, by *seal.Device, author krama.DeviceID) {
		for _, body := range bodies {
			st := insider.led.streams[krama.OrgCircle]
			h := insider.led.header(krama.OrgCircle, seal.EnvRoster)
			if author != me {
				h.Author, h.Seq, h.Prev = author, 1, [32]byte{}
				if a := st.authors[author]; a != nil {
					h.Seq, h.Prev = a.last()
					h.Seq++
				}
			}
			wire, err := st.epoch.Seal(insider.Rand, by, h, []seal.Item{{Kind: seal.KindStatement, Body: body}}, nil)
			w.must(err)
			_, err = w.store.Append(ctx, st.epoch.StreamID(), nil, [][]byte{wire}, 1<<40)
			w.must(err)
			w.sync(insider, w.desk)
		}
		ro := w.desk.led.roster
		if len(ro.Members) != 2 || len(ro.Devices) != 2 || ro.Members[member].Roles != krama.RoleOutreach ||
			ro.Latest(c).Keyed[ghost.ID()] {
			t.Fatalf("%s: the roster has %d members and %d devices", name, len(ro.Members), len(ro.Devices))
		}
	}
	say("signed by a worker", insider.led.dev, me)
	say("signed by the ghost itself", ghost, ghost.ID())
	say("in the admin's name, signed by the ghost", ghost, w.desk.led.dev.ID())
	if !w.desk.has(AlarmUnauthorised) || !w.desk.has(AlarmForged) {
		t.Errorf("alarms %v", w.desk.Status().Alarms)
	}
	// The worker gave the ghost the circle's keys too: what it writes is on nobody's screen, and the next epoch is not
	// for it.
	shown := w.desk.shown()
	st := insider.led.streams[c]
	rec, _ := insider.NewRecord()
	b, err := (&krama.Record{ID: rec, Staff: &krama.Staff{Member: krama.MemberID{0x66}, Label: "ghost"}}).Encode()
	w.must(err)
	wire, err := st.epoch.Seal(insider.Rand, ghost, seal.Header{Author: ghost.ID(), Kind: seal.EnvContent, Seq: 1,
		Head: st.head, Roster: insider.led.roster.At()},
		[]seal.Item{{Kind: seal.KindCircleRecord, Body: b}}, nil)
	w.must(err)
	_, err = w.store.Append(ctx, st.epoch.StreamID(), nil, [][]byte{wire}, 1<<40)
	w.must(err)
	w.sync(w.desk)
	if w.desk.shown() != shown {
		t.Error("what the ghost wrote is shown")
	}
	w.must(w.desk.Admin().Rotate(ctx, c))
	if items := w.box(relay.Mail, ghost.Mailbox()); len(items) != 0 {
		t.Error("the ghost was given keys")
	}
}

// TestAttackServerSwapsKeyMaterial: the relay, which an insider told the commitments, answers with wraps and keyring
// pages of its own. Stopped by OpenWrap's context and commitments (in package seal), and by the pages' hashes and root
// in the roster (fetchRing).
func TestAttackServerSwapsKeyMaterial(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	c := w.outreach(a)
	w.must(w.desk.Admin().Rotate(ctx, c))
	ep := w.desk.led.streams[c].epoch
	mine := &seal.Epoch{Context: ep.Context, ES: [32]byte{1}, KG: [32]byte{2}}
	id, pub := a.led.dev.ID(), a.led.dev.KEM.PublicKey().Bytes()
	wrap, err := mine.Wrap(id, pub)
	w.must(err)
	a.wire.twist = func(path string, _, answer []byte, err error) ([]byte, error) {
		if path == seal.PathBoxGet {
			return heldOf(seal.BoxItem(id, ep.EC(), wrap)), nil
		}
		return answer, err
	}
	a.Sync(ctx, nil)
	if a.led.streams[c].known[1] != nil || !a.has(AlarmTampered) {
		t.Errorf("the relay's epoch was taken: alarms %v", a.Status().Alarms)
	}
	// A page that opens, with another key for her: what is written about her next would be the relay's to read.
	false1, err := ep.SealPage(0, [32]byte{7}, keyring{s: {6}}, 64)
	w.must(err)
	empty, err := ep.SealPage(0, [32]byte{7}, keyring{}, 64)
	w.must(err)
	a.wire.twist = nil
	for name, tc := range map[string]struct {
		d    *device
		page []byte
	}{"another key": {a, false1}, "nobody in it": {b, empty}} {
		b, page := tc.d, tc.page
		b.wire.twist = func(path string, _, answer []byte, err error) ([]byte, error) {
			if path == seal.PathBlobGet {
				return page, nil
			}
			return answer, err
		}
		if err := b.Sync(ctx, nil); krama.KindOf(err) != krama.Tampered {
			t.Errorf("%s: %v", name, err)
		}
		if k := b.led.keys[c][s]; k != w.desk.led.keys[c][s] {
			t.Errorf("%s: the key was taken", name)
		}
		b.wire.twist = nil
		w.sync(b)
		if len(b.all()) != 1 {
			t.Errorf("%s: after the lie %d records", name, len(b.all()))
		}
	}
}

// TestAttackMalleableKeys: a colleague overwrites a person's key, so that what others write about her next is sealed
// under hers. Stopped by "the first key of a subject stands" (openItems).
func TestAttackMalleableKeys(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	c := w.outreach(a)
	key := w.desk.led.keys[c][s]
	w.inject(b, c, b.led.header(c, seal.EnvContent), seal.Item{Subject: s, Kind: seal.KindSubjectKey,
		Body: bytes.Repeat([]byte{6}, 32)})
	w.sync(w.desk, a)
	for i, d := range []*device{w.desk, a} {
		if d.led.keys[c][s] != key || !d.has(AlarmUnauthorised) {
			t.Errorf("device %d: the key was overwritten, or nobody is told: %v", i, d.Status().Alarms)
		}
		w.again(d)
		if d.led.keys[c][s] != key {
			t.Errorf("device %d: the key was overwritten by a restart", i)
		}
	}
	w.contact(a, s)
	w.sync(a, w.desk)
	w.have(a.all(), w.desk)
}

// TestAttackReattribution: a colleague with the circle's keys writes under another's name, between two of her own
// envelopes. Stopped by the signature (step 5 of admit), before anything is counted against the one who is named.
func TestAttackReattribution(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	c := w.outreach(a)
	h := a.led.header(c, seal.EnvContent)
	rec, _ := a.NewRecord()
	body, err := (&krama.Record{ID: rec, Staff: &krama.Staff{Member: krama.MemberID{1}, Label: "not hers"}}).Encode()
	w.must(err)
	// sealed and signed by b, in a's name and order
	w.inject(b, c, h, seal.Item{Kind: seal.KindCircleRecord, Body: body})
	w.contact(a, s)
	w.sync(a, w.desk)
	if slices.Contains(w.desk.all(), rec) || !w.desk.has(AlarmForged) || w.desk.has(AlarmEquivocation) {
		t.Errorf("alarms %v", w.desk.Status().Alarms)
	}
	if len(w.desk.all()) != 2 || a.Status().Unsent != 0 {
		t.Errorf("her own work: %d records at the desk, %d unsent", len(w.desk.all()), a.Status().Unsent)
	}
}

// TestAttackTypeConfusion carries what is valid in one place to another: an admin's true statement as content and in
// another circle, a record as a statement. Stopped by admit (no roster envelope outside circle 0) and openItems (no
// statement in content, nothing else in the roster).
func TestAttackTypeConfusion(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	w.sync(w.desk, a)
	c := w.outreach(w.desk)
	add := func() seal.Item {
		return seal.Item{Kind: seal.KindStatement, Body: w.body(w.desk, &seal.MemberAdd{Member: krama.MemberID{0x66},
			Roles: krama.RoleOutreach})}
	}
	rec, _ := a.NewRecord()
	body, err := (&krama.Record{ID: rec, Staff: &krama.Staff{Member: krama.MemberID{1}, Label: "x"}}).Encode()
	w.must(err)
	for name, tc := range map[string]struct {
		circle krama.CircleID
		kind   seal.EnvelopeKind
		item   seal.Item
	}{
		"a statement as content":                  {krama.OrgCircle, seal.EnvContent, add()},
		"a statement as another circle's content": {c, seal.EnvContent, add()},
		"a statement in another circle":           {c, seal.EnvRoster, add()},
		"a record in the roster": {krama.OrgCircle, seal.EnvContent,
			seal.Item{Kind: seal.KindCircleRecord, Body: body}},
		"a record as a statement": {krama.OrgCircle, seal.EnvRoster,
			seal.Item{Kind: seal.KindCircleRecord, Body: body}},
		"a record in a roster envelope of another": {c, seal.EnvRoster, seal.Item{Kind: seal.KindCircleRecord,
			Body: body}},
	} {
		w.inject(w.desk, tc.circle, w.desk.led.header(tc.circle, tc.kind), tc.item)
		w.sync(w.desk, a)
		for i, d := range []*device{w.desk, a} {
			if d.led.roster.Members[krama.MemberID{0x66}] != nil {
				t.Fatalf("%s: device %d has a new member", name, i)
			}
			if slices.Contains(d.all(), rec) {
				t.Fatalf("%s: device %d shows it", name, i)
			}
		}
		if w.desk.led.roster.At() != a.led.roster.At() ||
			w.desk.led.roster.Head != w.desk.led.streams[krama.OrgCircle].head {
			t.Fatalf("%s: the rosters part", name)
		}
	}
}

// TestAttackVerificationCodeConfusesIdentifiers shows the phone a true code with one part of another: everything on the
// second screen must agree with what the relay then gives. Stopped by Join's checks against the scan.
func TestAttackVerificationCodeConfusesIdentifiers(t *testing.T) {
	ctx := context.Background()
	w := newSmallWorld(t)
	worker := w.phone()
	for name, twist := range map[string]func(*seal.Scan2){
		"another history":                  func(s *seal.Scan2) { s.Roster.H[0] ^= 1 },
		"a history that is not there":      func(s *seal.Scan2) { s.Roster.N += 1000 },
		"another admin":                    func(s *seal.Scan2) { s.AdminKey[0] ^= 1 },
		"a worker in the admin's place":    func(s *seal.Scan2) { s.AdminKey = seal.SHA256(worker.led.dev.SigPub()) },
		"nothing (it must be possible)":    func(*seal.Scan2) {},
		"another programme with its proof": func(s *seal.Scan2) { s.Org[0] ^= 1 },
	} {
		phone := w.device("phone")
		w.must(phone.Newcomer().Introduce(ctx, "relay"))
		inv, err := w.desk.Admin().Invite(ctx, phone.Newcomer().Scan1().String())
		w.must(err)
		code := inv.Code
		twist(&code)
		w.must(phone.Newcomer().Accept(ctx, code.String()))
		w.n++
		enrolled, err := w.desk.Admin().Enrol(ctx, inv, krama.MemberID{w.n}, krama.RoleOutreach)
		w.must(err)
		joined := false
		if enrolled {
			joined, err = phone.Newcomer().Join(ctx, nil)
		}
		if want := code == inv.Code; joined != want || (!want && enrolled && krama.KindOf(err) != krama.Tampered) {
			t.Errorf("%s: enrolled %v, joined %v, %v", name, enrolled, joined, err)
		}
	}
}

// TestAttackOldPasswordOpensOldBlob: nothing that words open is ever at the relay, so there is no old copy to try old
// words on. Every byte that devices send is searched for the vault and for the words.
func TestAttackOldPasswordOpensOldBlob(t *testing.T) {
	w := newSmallWorld(t)
	var sent bytes.Buffer
	record := func(d *device) {
		h := d.wire.h
		d.wire.h = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			sent.WriteString(r.URL.Path)
			sent.Write(b)
			r.Body = io.NopCloser(bytes.NewReader(b))
			h.ServeHTTP(rw, r)
		})
	}
	record(w.desk)
	a := w.device("phone")
	record(a)
	w.enrol(a, krama.RoleOutreach)
	w.contact(a, w.person(a))
	w.sync(a, w.desk)
	w.trustees(2, 3)
	w.must(w.desk.Admin().RemoveDevice(context.Background(), a.led.dev.ID(), seal.ReasonLeft, nil))
	vault := bytes.Clone(a.dir.File(vaultFile).Data)
	if !bytes.Contains(sent.Bytes(), a.led.dev.Request().Marshal()) {
		t.Fatal("the enrolment request is not in what was recorded: the test proves nothing")
	}
	for name, b := range map[string][]byte{"words": []byte(words), "vault's salt": vault[10:26],
		"vault's check": vault[26:42], "sealed vault key": vault[42:58],
		"vault key": a.vk[:], "signing key": a.led.dev.Sig.Seed()} {
		if bytes.Contains(sent.Bytes(), b) {
			t.Errorf("the %s went to the relay", name)
		}
	}
}

// TestAttackRollbackReplayReorderFreezeFork does each to the access list itself, as published for other systems: a
// relay undoes a removal, repeats an old promotion, shows two devices two lists, or shows nothing more. Stopped by the
// chain (receive), by author order (step 8 of admit), by the predecessor in each statement (Roster.Apply) and by the
// heartbeat.
func TestAttackRollbackReplayReorderFreezeFork(t *testing.T) {
	ctx := context.Background()
	setup := func(t *testing.T) (w *world, a, other *device, org seal.StreamID) {
		w = newSmallWorld(t)
		a, other = w.phone(), w.phone()
		w.sync(a, other, w.desk)
		return w, a, other, w.stream(a, krama.KindOrg)
	}
	role := func(w *world, d *device, r krama.Role) {
		w.must(w.desk.Admin().SetRoles(ctx, w.desk.led.roster.Devices[d.led.dev.ID()].Member, r, nil))
	}
	t.Run("rollback", func(t *testing.T) {
		w, a, other, org := setup(t)
		before := a.led.roster.Head
		member := w.desk.led.roster.Devices[other.led.dev.ID()].Member
		w.tell(w.desk, w.body(w.desk, &seal.MemberRemove{Member: member}))
		w.sync(a)
		a.lists(org, func(after uint64, l *seal.Listing) { l.Head, l.Entries = before, nil })
		a.Sync(ctx, nil)
		if !a.has(AlarmRollback) || !a.led.roster.Members[member].Removed || !a.stopped() {
			t.Errorf("alarms %v", a.Status().Alarms)
		}
	})
	t.Run("replay", func(t *testing.T) {
		w, a, other, org := setup(t)
		member := w.desk.led.roster.Devices[other.led.dev.ID()].Member
		n := a.led.roster.At().N
		role(w, other, krama.RoleOutreach|krama.RoleNurse)
		role(w, other, krama.RoleOutreach)
		a.lists(org, func(after uint64, l *seal.Listing) {
			if len(l.Entries) > 1 {
				l.Entries = append(slices.Clone(l.Entries), l.Entries[0]) // the promotion once more
				l.Head.N++
			}
		})
		a.Sync(ctx, nil)
		if a.led.roster.Members[member].Roles != krama.RoleOutreach || !a.has(AlarmTampered) ||
			a.led.roster.At().N <= n {
			t.Errorf("roles %v, alarms %v", a.led.roster.Members[member].Roles, a.Status().Alarms)
		}
	})
	t.Run("reorder", func(t *testing.T) {
		w, a, other, org := setup(t)
		member := w.desk.led.roster.Devices[other.led.dev.ID()].Member
		role(w, other, krama.RoleOutreach|krama.RoleNurse)
		role(w, other, krama.RoleOutreach)
		a.lists(org, func(after uint64, l *seal.Listing) {
			if len(l.Entries) > 1 {
				l.Entries = slices.Clone(l.Entries)
				slices.Reverse(l.Entries)
			}
		})
		a.Sync(ctx, nil)
		if a.led.roster.Members[member].Roles != krama.RoleOutreach || len(a.Status().Alarms) == 0 {
			t.Errorf("roles %v, alarms %v", a.led.roster.Members[member].Roles, a.Status().Alarms)
		}
	})
	t.Run("freeze", func(t *testing.T) {
		w, a, other, org := setup(t)
		head, content := a.led.roster.Head, a.led.streams[w.outreach(a)]
		honest := liar{org, func(after uint64, l *seal.Listing) { l.Head, l.Entries = head, nil }}.answer
		a.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
			if krama.KindOf(err) == krama.NotAllowed && err != nil && path == seal.PathList {
				// the closed stream stays open to her
				return seal.Listing{Head: content.head}.Marshal(), nil
			}
			return honest(path, call, answer, err)
		}
		w.must(w.desk.Admin().RemoveDevice(ctx, other.led.dev.ID(), seal.ReasonTaken, nil))
		w.now = w.now.Add(71 * time.Hour)
		w.sync(a)
		if a.has(AlarmFrozen) {
			t.Error("frozen after 71 hours")
		}
		w.now = w.now.Add(2 * time.Hour)
		w.sync(w.desk) // writes its heartbeat
		w.sync(a)
		if !a.has(AlarmFrozen) {
			t.Errorf("alarms %v", a.Status().Alarms)
		}
	})
	t.Run("fork", func(t *testing.T) {
		w, a, other, org := setup(t)
		after0 := a.led.roster.Head.N
		// this one a is not to see, and the relay continues as if it had not been
		role(w, other, krama.RoleOutreach|krama.RoleNurse)
		role(w, other, krama.RoleOutreach)
		a.lists(org, func(after uint64, l *seal.Listing) {
			if after == after0 && len(l.Entries) > 1 {
				l.Entries = l.Entries[1:]
				l.Head = a.led.roster.Head // and its own count agrees with what it shows
				for _, e := range l.Entries {
					l.Head = l.Head.Link(seal.EnvelopeID(e))
				}
			}
		})
		a.Sync(ctx, nil)
		if !a.has(AlarmFork) {
			t.Errorf("alarms %v", a.Status().Alarms)
		}
		w.sync(other) // one admin's word could be her own lie: a second member's means the relay
		w.contact(other, w.person(other))
		w.sync(other)
		a.Sync(ctx, nil)
		if !a.stopped() {
			t.Errorf("two members have seen another roster, and it sends on: %v", a.Status().Alarms)
		}
	})
}

// TestAttackWithheldRotation: the removal reaches everybody, the rotation does not, because the relay drops every call
// that would carry it. Stopped by Roster.Due, which every device computes for itself, and by Maintain, which tries
// until it is done. What was typed meanwhile is not lost.
func TestAttackWithheldRotation(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, thief := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, thief, w.desk)
	c := w.outreach(a)
	appends := 0
	w.desk.wire.gate = func(path string) error {
		if path == seal.PathAppend {
			appends++
		}
		if appends > 1 || path == seal.PathBoxPut || path == seal.PathBlobPut || path == seal.PathClose ||
			path == seal.PathCreate {
			return krama.E("test", krama.Offline, "")
		}
		return nil
	}
	if w.desk.Admin().RemoveDevice(ctx, thief.led.dev.ID(), seal.ReasonTaken, nil) == nil {
		t.Fatal("the rotation went through: the test proves nothing")
	}
	w.sync(a)
	for i, d := range []*device{a, w.desk} {
		var due []krama.CircleID
		d.Roster(func(ro *seal.Roster) { due = ro.Due() })
		if !slices.Contains(due, c) || !slices.Contains(due, krama.OrgCircle) {
			t.Errorf("device %d does not see that the rotation is due: %v", i, due)
		}
	}
	for range 3 {
		if w.desk.Admin().Maintain(ctx) == nil {
			t.Error("the office believes that it is done")
		}
	}
	w.contact(a, s)
	w.sync(a)
	w.desk.wire.gate = nil
	w.must(w.desk.Admin().Maintain(ctx))
	if len(w.desk.Admin().Due()) != 0 {
		t.Errorf("still due: %v", w.desk.Admin().Due())
	}
	w.contact(a, s)
	w.sync(a, w.desk)
	if len(w.desk.all()) != 3 || a.led.streams[c].epoch.Epoch != 1 {
		t.Errorf("%d records at the desk, epoch %d", len(w.desk.all()), a.led.streams[c].epoch.Epoch)
	}
	w.noAlarm(a, w.desk)
}

// TestAttackRemovedMemberKeepsKey gives a removed phone the relay's whole store, and the relay's help to write. Stopped
// by the new epoch's secrets, which no old one leads to, by the signed end of the old stream (receive, settle), and by
// the control key that was handed over (controlCall).
func TestAttackRemovedMemberKeepsKey(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, away, thief := w.phone(), w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, away, thief, w.desk)
	c := w.outreach(a)
	old, oldOrg := thief.led.streams[c].epoch, thief.led.streams[krama.OrgCircle].epoch
	oldID := old.StreamID()
	boxes := w.box(relay.Mail, thief.led.dev.Mailbox())
	w.must(w.desk.Admin().RemoveDevice(ctx, thief.led.dev.ID(), seal.ReasonTaken, nil))
	secret := w.contact(a, s)
	w.sync(a, w.desk)

	// Reading: every envelope of both new streams, with every key the phone ever had, as epoch secret and under either
	// number.
	now, nowOrg := w.desk.led.streams[c].epoch, w.desk.led.streams[krama.OrgCircle].epoch
	tried := 0
	for _, ep := range []*seal.Epoch{now, nowOrg} {
		list, err := w.store.List(ctx, ep.StreamID(), 0, 1<<30)
		w.must(err)
		for _, e := range list {
			for _, k := range []*seal.Epoch{old, oldOrg} {
				for _, es := range [][32]byte{k.ES, k.KG} {
					tried++
					if _, v := (&seal.Epoch{Context: ep.Context, ES: es}).Open(e.Body); v == seal.Fine {
						t.Fatal("an old key opens what came after the removal")
					}
				}
			}
		}
	}
	if tried < 8 {
		t.Fatal("nothing was tried")
	}
	if len(w.box(relay.Mail, thief.led.dev.Mailbox())) > len(boxes) {
		t.Error("the removed phone was given keys")
	}
	for name, key := range map[string]ed25519.PrivateKey{"old stream": old.StreamKey(), "device": thief.led.dev.Sig} {
		if _, err := thief.call(ctx, key, seal.PathList, now.StreamID(),
			seal.ListCall{Max: 1 << 20}.Marshal()); krama.KindOf(err) != krama.NotAllowed || err == nil {
			t.Errorf("the new stream opens to the %s's key: %v", name, err)
		}
	}
	control := oldOrg.ControlKey()
	if _, err := thief.call(ctx, control, seal.PathControl, seal.ProgrammeID(control.Public().(ed25519.PublicKey)),
		seal.Frame(thief.led.dev.SigPub())); krama.KindOf(err) != krama.NotAllowed || err == nil {
		t.Errorf("the old control key still rules: %v", err)
	}

	// Writing: past the end of the old stream, and into the new one under the old key. The relay puts both in.
	late := w.past(thief, old, c)
	help := func(path string, call, answer []byte, err error) ([]byte, error) {
		cl, e := seal.ParseCall(call)
		if err != nil || e != nil || path != seal.PathList {
			return answer, err
		}
		if id := seal.StreamID(cl.Principal); id == oldID || id == now.StreamID() {
			l, _ := seal.ParseListing(answer)
			l.Entries = append(l.Entries, late)
			l.Head = l.Head.Link(seal.EnvelopeID(late))
			return l.Marshal(), nil
		}
		return answer, err
	}
	fresh := w.device("phone")
	for _, d := range []*device{a, away, fresh} {
		d.wire.twist = help
	}
	w.enrol(fresh, krama.RoleOutreach)
	for i, d := range []*device{a, away, fresh} {
		d.Sync(ctx, nil)
		for _, e := range d.events {
			if e.Author == thief.led.dev.ID() {
				t.Errorf("device %d shows what the removed phone wrote", i)
			}
		}
		if !slices.Contains(d.all(), secret) {
			t.Errorf("device %d lost the honest record", i)
		}
	}
}

// past seals a record of a removed phone under its old epoch.
func (w *world) past(thief *device, old *seal.Epoch, c krama.CircleID) []byte {
	w.t.Helper()
	id, _ := thief.NewRecord()
	body, err := (&krama.Record{ID: id, Staff: &krama.Staff{Member: krama.MemberID{1}, Label: "thief"}}).Encode()
	w.must(err)
	thief.mu.Lock()
	defer thief.mu.Unlock()
	wire, err := old.Seal(thief.Rand, thief.led.dev, thief.led.header(c, seal.EnvContent),
		[]seal.Item{{Kind: seal.KindCircleRecord, Body: body}}, nil)
	w.must(err)
	return wire
}

// TestAttackSizeSideChannel: what the relay stores for one contact is what it stores for a new person with her consent
// and five, for an erasure, and for a heartbeat. Stopped by wireSize in package seal and by one envelope a sync
// (sealOutbox).
func TestAttackSizeSideChannel(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	s := w.person(a)
	w.sync(a)
	id := w.stream(a, krama.KindOutreach)
	seen := map[int]bool{}
	last := func() {
		t.Helper()
		n := w.heads(id)
		for _, do := range []func(){
			func() { w.contact(a, s) },
			func() {
				p := w.person(a)
				for range 3 {
					w.contact(a, p)
				}
			},
			func() { w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredAsked)) },
		} {
			do()
			w.sync(a)
			list, err := w.store.List(ctx, id, n, 1<<20)
			w.must(err)
			if len(list) != 1 {
				t.Fatalf("one sync stored %d envelopes", len(list))
			}
			n++
			seen[len(list[0].Body)] = true
		}
	}
	last()
	org, err := w.store.List(ctx, w.stream(w.desk, krama.KindOrg), 0, 1<<30)
	w.must(err)
	if !seen[seal.MinEnvelope] || len(seen) != 1 {
		t.Errorf("sizes %v", seen)
	}
	for _, e := range org {
		if n := len(e.Body); n < seal.MinEnvelope || n != seal.Padme(n) {
			t.Errorf("a roster envelope of %d bytes, which is no size of the scale", n)
		}
	}
}

// TestAttackInstantReceipts: reading a colleague's work, the relay learns nothing more than that somebody read: no
// device writes, answers or fetches anything because of what it read. Stopped by there being no receipts: push sends
// only what was typed, and Write makes no call.
func TestAttackInstantReceipts(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk, a, b, w.desk)
	calls := map[*device][]string{}
	for _, d := range []*device{a, b, w.desk} {
		d.wire.gate = func(path string) error { calls[d] = append(calls[d], path); return nil }
	}
	w.sync(b, w.desk) // with nothing to read
	quiet := map[*device][]string{b: calls[b], w.desk: calls[w.desk]}
	clear(calls)
	w.contact(a, s)
	if len(calls[a]) != 0 {
		t.Errorf("typing made calls: %v", calls[a])
	}
	w.sync(a)
	if !slices.Contains(calls[a], seal.PathAppend) {
		t.Fatal("nothing was sent: the test proves nothing")
	}
	shown := b.shown()
	w.sync(b, w.desk)
	if b.shown() != shown+1 {
		t.Fatal("nothing was read: the test proves nothing")
	}
	for _, d := range []*device{b, w.desk} {
		if !slices.Equal(calls[d], quiet[d]) {
			t.Errorf("with a message to read: %v; without: %v", calls[d], quiet[d])
		}
	}
}
