package replica

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"krama"
	"krama/relay"
	"krama/seal"
)

func (w *world) outreach(d *device) krama.CircleID {
	w.t.Helper()
	c, ok := d.led.circle(krama.KindOutreach)
	if !ok {
		w.t.Fatal("no outreach circle")
	}
	return c
}

// again ends a device's process and starts it anew.
func (w *world) again(d *device) {
	w.t.Helper()
	d.Close()
	d.dir.Crash()
	d.events = nil
	d.cfg.Reset = func() { d.events = nil }
	r, err := Unlock(d.cfg, words)
	w.must(err)
	d.Replica = r
}

func (w *world) noAlarm(ds ...*device) {
	w.t.Helper()
	for i, d := range ds {
		if a := d.Status().Alarms; len(a) > 0 {
			w.t.Errorf("device %d raises %v", i, a)
		}
	}
}

// have checks that every device shows exactly these records.
func (w *world) have(want []krama.RecordID, ds ...*device) {
	w.t.Helper()
	for i, d := range ds {
		got := map[krama.RecordID]int{}
		for _, id := range d.records() {
			got[id]++
		}
		for _, id := range want {
			if got[id] == 0 {
				w.t.Errorf("device %d lacks record %v", i, id)
			}
		}
		if len(got) != len(want) {
			w.t.Errorf("device %d shows %d records, want %d", i, len(got), len(want))
		}
	}
}

func (d *device) all() (out []krama.RecordID) {
	seen, gone := map[krama.RecordID]bool{}, map[krama.SubjectID]bool{}
	for _, e := range d.events {
		if e.Record == nil {
			gone[e.Subject] = true
		}
	}
	for _, e := range d.events {
		if e.Record != nil && e.Record.Circle == nil && !seen[e.Record.ID] && !gone[e.Subject] {
			seen[e.Record.ID] = true
			out = append(out, e.Record.ID)
		}
	}
	return out
}

func TestRotation(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	c := w.outreach(w.desk)
	for range 3 {
		for _, circle := range []krama.CircleID{krama.OrgCircle, c} {
			w.must(w.desk.Admin().Rotate(ctx, circle))
			w.contact(b, s)
		}
		w.sync(b)
	}
	w.contact(a, s)
	w.sync(a, b, w.desk, a, b, w.desk)
	w.noAlarm(a, b, w.desk)
	want := a.all()
	if len(want) != 8 {
		t.Fatalf("%d records, want 8", len(want))
	}
	w.have(want, a, b, w.desk)
	if e := a.led.streams[c].epoch.Epoch; e != 3 {
		t.Errorf("the phone is in epoch %d", e)
	}
	for _, d := range []*device{a, b, w.desk} {
		for e, ep := range d.led.streams[c].known {
			if e < 3 && ep.KG != [32]byte{} {
				t.Errorf("the keyring key of epoch %d is still here", e)
			}
		}
		w.again(d)
		w.sync(d)
	}
	w.have(want, a, b, w.desk)
	w.noAlarm(a, b, w.desk)
	late := w.phone() // who joins now reads history
	w.sync(late)
	w.have(want, late)
	w.noAlarm(late)
	w.contact(late, s)
	w.sync(late, a, b, w.desk)
	w.have(late.all(), a, b, w.desk)
}

// TestRotationCutAnywhere loses the relay's answer, or the call itself, at every step of a rotation, then goes on.
func TestRotationCutAnywhere(t *testing.T) {
	ctx := context.Background()
	first := newWorld(t)
	enrolled := first.phone()
	s := first.person(enrolled)
	first.sync(enrolled, first.desk)
	for _, circle := range []string{"org", "outreach"} {
		for _, before := range []bool{true, false} {
			for n := 1; ; n++ {
				w, ds := first.clone(t, enrolled)
				a := ds[0]
				c := krama.OrgCircle
				if circle == "outreach" {
					c = w.outreach(w.desk)
				}
				calls := 0
				cut := krama.E("test", krama.Offline, "")
				real := w.desk.wire.h
				w.desk.wire.gate = func(path string) error {
					if calls++; calls == n && before {
						return cut
					}
					return nil
				}
				w.desk.wire.twist = func(_ string, _, answer []byte, err error) ([]byte, error) {
					if calls == n && !before {
						return nil, cut
					}
					return answer, err
				}
				err := w.desk.Admin().Rotate(ctx, c)
				w.desk.wire.gate, w.desk.wire.twist, w.desk.wire.h = nil, nil, real
				if err == nil && calls < n {
					break
				}
				w.again(w.desk)
				w.contact(a, s)
				a.Sync(ctx, nil) // may have to wait
				w.sync(w.desk)
				w.must(w.desk.Admin().Rotate(ctx, c))
				w.contact(a, s)
				w.sync(a, w.desk, a, w.desk)
				w.noAlarm(a, w.desk)
				if len(a.all()) != 3 {
					t.Fatalf("%s, cut at call %d: the phone has %d records", circle, n, len(a.all()))
				}
				w.have(a.all(), a, w.desk)
				if t.Failed() {
					t.Fatalf("%s, call %d, before %v", circle, n, before)
				}
			}
		}
	}
}

func TestRemovedDevice(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	away := []*device{w.phone(), w.phone(), w.phone()}
	thief := w.phone()
	s := w.person(away[0])
	w.sync(append(away, thief, w.desk)...)
	for _, d := range away { // three phones away with work, and the removed one's too
		w.contact(d, s)
		w.contact(d, s)
	}
	late := w.contact(thief, s)
	old := w.stream(thief, krama.KindOutreach)
	oldEpoch := thief.led.streams[w.outreach(thief)].epoch
	w.must(w.desk.Admin().RemoveDevice(ctx, thief.led.dev.ID(), seal.ReasonTaken, nil))
	w.sync(w.desk)
	if due := w.desk.Admin().Due(); len(due) != 0 {
		t.Errorf("still due: %v", due)
	}
	// The taken phone reads nothing new and adds nothing, even where the relay helps: its key opens no door, and what
	// it signs into the old stream is past the signed end.
	if _, err := thief.call(ctx, oldEpoch.StreamKey(), seal.PathList, old,
		seal.ListCall{Max: 1 << 20}.Marshal()); krama.KindOf(err) != krama.NotAllowed {
		t.Errorf("the removed device lists its old stream: %v", err)
	}
	thief.mu.Lock()
	wire, err := oldEpoch.Seal(thief.Rand, thief.led.dev, thief.led.header(w.outreach(thief), seal.EnvContent),
		[]seal.Item{{Kind: seal.KindCircleRecord, Body: []byte{0xa0}}}, nil)
	thief.mu.Unlock()
	w.must(err)
	if _, err := w.store.Append(ctx, old, nil, [][]byte{wire}, 1<<40); krama.KindOf(err) != krama.Conflict {
		t.Errorf("a closed stream took an envelope: %v", err)
	}
	w.sync(away...)
	w.sync(w.desk)
	w.sync(away...)
	w.noAlarm(append(away, w.desk)...)
	if n := len(w.desk.all()); n != 7 {
		t.Errorf("the office has %d records, want 7", n)
	}
	w.have(w.desk.all(), append(away, w.desk)...)

	// At its next contact it hands over its unsent work and empties itself.
	if err := thief.Sync(ctx, nil); err == nil || !thief.Wiped() {
		t.Fatalf("the removed device goes on: %v", err)
	}
	if has, _ := HasVault(thief.dir); has {
		t.Error("the vault is still there")
	}
	w.sync(w.desk)
	if len(w.desk.Admin().WipedDevices()) != 1 {
		t.Error("the office does not know that it is empty")
	}
	mail := w.desk.Admin().Mail()
	if len(mail) != 1 {
		t.Fatalf("quarantine: %d letters", len(mail))
	}
	if items, whole := mail[0].Late(); !whole || len(items) != 1 || items[0].Record.ID != late {
		t.Fatalf("quarantine: %d items, whole %v", len(items), whole)
	}
	if slices.Contains(w.desk.all(), late) {
		t.Error("late work is on the screen before anybody accepted it")
	}
	w.again(w.desk)
	w.must(w.desk.Admin().AcceptLate(w.desk.Admin().Mail()[0].ID))
	w.sync(w.desk, away[0], w.desk)
	if !slices.Contains(away[0].all(), late) || len(w.desk.Admin().Mail()) != 0 {
		t.Error("accepted work did not arrive")
	}
}

func TestRemovedMemberCannotBeForgotten(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	var m krama.MemberID
	w.desk.Roster(func(ro *seal.Roster) { m = ro.Devices[b.led.dev.ID()].Member })
	// Only the statement gets through: everybody sees that a rotation is due, and the office's next sync does it.
	w.must(w.desk.meeting().state(ctx, func() (bool, seal.Deed) {
		return !w.desk.led.roster.Members[m].Removed, &seal.MemberRemove{Member: m}
	}))
	w.sync(a)
	var due []krama.CircleID
	a.Roster(func(ro *seal.Roster) { due = ro.Due() })
	if len(due) != 2 || due[0] != krama.OrgCircle {
		t.Errorf("a colleague's phone computes %d circles as due, want 2", len(due))
	}
	w.must(w.desk.Admin().Maintain(ctx))
	w.contact(a, s)
	w.sync(a, w.desk, a)
	w.noAlarm(a, w.desk)
	if b.Sync(ctx, nil) == nil || !b.Wiped() {
		t.Error("the removed member's phone goes on")
	}
}

func TestRekey(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a := w.phone()
	s := w.person(a)
	w.sync(a, w.desk)
	first := a.led.dev.KEM.PublicKey().Bytes()
	w.now = w.now.Add(31 * 24 * time.Hour)
	w.must(w.desk.Admin().Rotate(ctx, w.outreach(w.desk))) // wrapped to the old key
	w.sync(a)
	if !bytes.Equal(a.led.dev.KEM.PublicKey().Bytes(), first) {
		t.Fatal("the old key goes before an admin has read of the new one")
	}
	w.sync(w.desk, a)
	if bytes.Equal(a.led.dev.KEM.PublicKey().Bytes(), first) {
		t.Fatal("after 31 days the device has its old key")
	}
	var listed []byte
	a.Roster(func(ro *seal.Roster) { listed = ro.Devices[a.led.dev.ID()].KemPub })
	if !bytes.Equal(listed, a.led.dev.KEM.PublicKey().Bytes()) {
		t.Error("the roster has another key")
	}
	w.again(a)
	if bytes.Equal(a.led.dev.KEM.PublicKey().Bytes(), first) || len(a.led.rekeys) != 0 {
		t.Error("the old key came back with a restart")
	}
	w.sync(w.desk)
	w.must(w.desk.Admin().Rotate(ctx, w.outreach(w.desk))) // wrapped to the new one
	w.contact(a, s)
	w.sync(a, w.desk)
	w.have(a.all(), w.desk)
	w.noAlarm(a, w.desk)
}

// TestMissingWrap: a wrap that the relay lost is asked for and given again.
func TestMissingWrap(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a := w.phone()
	s := w.person(a)
	w.sync(a, w.desk)
	w.must(w.desk.Admin().Rotate(ctx, w.outreach(w.desk)))
	box := a.led.dev.Mailbox()
	w.setBox(relay.Mail, box)
	w.contact(a, s)
	a.Sync(ctx, nil)
	if a.Status().Unsent != 1 || !a.Status().Waiting {
		t.Errorf("unsent %d, waiting %v", a.Status().Unsent, a.Status().Waiting)
	}
	w.sync(w.desk)
	w.must(w.desk.Admin().Maintain(ctx))
	w.sync(a, w.desk)
	w.have(a.all(), w.desk)
	w.noAlarm(a, w.desk)
}

func TestTravel(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	w.person(a)
	w.must(a.Admin().Travel(context.Background()))
	if has, _ := HasVault(a.dir); has || !a.Wiped() {
		t.Error("the phone still has something to give up")
	}
	w.sync(w.desk)
	if len(w.desk.all()) != 1 || len(w.desk.Admin().Mail()) != 0 {
		t.Error("what was typed before the journey did not arrive")
	}
	w.must(w.desk.Admin().Maintain(context.Background()))
	w.noAlarm(w.desk)
}

// TestTwoAdminsSign: with two admins, what two must sign is drafted by one and said by the other.
func TestTwoAdminsSign(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	second := w.enrol(w.device("desk"), krama.RoleCoordinator)
	var m krama.MemberID
	w.desk.Roster(func(ro *seal.Roster) { m = ro.Devices[second.led.dev.ID()].Member })
	w.must(w.desk.Admin().SetRoles(ctx, m, krama.RoleCoordinator|krama.RoleAdmin, nil))
	w.tomorrow()
	w.sync(second, w.desk)
	alone := &seal.MemberRole{Member: m, Roles: krama.RoleCoordinator}
	if err := w.desk.meeting().state(ctx, func() (bool, seal.Deed) { return true, alone }); krama.KindOf(
		err) != krama.NotAllowed {
		t.Errorf("one admin took the other's role away: %v", err)
	}
	w.must(w.desk.Admin().SetRoles(ctx, m, krama.RoleCoordinator, nil)) // asks her, and so far she has not signed
	if _, roles := second.Device(); roles&krama.RoleAdmin == 0 {
		t.Error("one admin took the other's role away by asking")
	}
	a := w.phone()
	var am krama.MemberID
	w.desk.Roster(func(ro *seal.Roster) { am = ro.Devices[a.led.dev.ID()].Member })
	w.must(w.desk.Admin().Draft(ctx, &seal.MemberRole{Member: am, Roles: krama.RoleSafeguarding}))
	w.sync(second)
	draft := func(is func(seal.Deed) bool) [32]byte {
		t.Helper()
		for _, m := range second.Admin().Mail() {
			if st, ok := m.Statement(); ok && is(st.Deed) {
				return m.ID
			}
		}
		t.Fatal("no such draft")
		return [32]byte{}
	}
	roleOf := func(of krama.MemberID) func(seal.Deed) bool {
		return func(d seal.Deed) bool { r, ok := d.(*seal.MemberRole); return ok && r.Member == of }
	}
	w.must(second.Admin().Decline(draft(roleOf(m))))
	// Her own way into the safeguarding circle waits for her signature too.
	w.must(second.Admin().Cosign(ctx, draft(func(d seal.Deed) bool { _, ok := d.(*seal.EpochGrant); return ok })))
	change := draft(roleOf(am))
	w.sync(w.desk) // other statements come between
	w.must(w.desk.Admin().Rotate(ctx, w.outreach(w.desk)))
	w.must(second.Admin().Cosign(ctx, change))
	w.sync(w.desk, second)
	var roles krama.Role
	w.desk.Roster(func(ro *seal.Roster) { roles = ro.Members[am].Roles })
	if roles != krama.RoleSafeguarding || len(second.Admin().Mail()) != 0 {
		t.Errorf("roles %v after both signed", roles)
	}
	// A second device of an admin needs both too.
	x := w.device("desk")
	w.must(x.Newcomer().Introduce(ctx, "relay"))
	inv, err := w.desk.Admin().Invite(ctx, x.Newcomer().Scan1().String())
	w.must(err)
	w.must(x.Newcomer().Accept(ctx, inv.Code.String()))
	if _, err := w.desk.Admin().Enrol(ctx, inv, m, 0); err != ErrSecond {
		t.Fatalf("an admin's device with one signature: %v", err)
	}
	w.sync(second)
	w.must(second.Admin().Cosign(ctx, draft(func(d seal.Deed) bool { _, ok := d.(*seal.DeviceAdd); return ok })))
	if ok, err := w.desk.Admin().Enrol(ctx, inv, m, 0); err != nil || !ok {
		t.Fatalf("after both signed: %v %v", ok, err)
	}
	if ok, err := x.Newcomer().Join(ctx, nil); err != nil || !ok {
		t.Fatalf("join: %v %v", ok, err)
	}
}

// TestSyncBesideRotation: a sync and rotations run at once on one device, as when a person removes somebody while the
// open desk meets the relay; neither fails, and nothing is taken for a lie.
func TestSyncBesideRotation(t *testing.T) {
	w := newWorld(t)
	a := w.phone()
	s := w.person(a)
	w.sync(a, w.desk)
	done := make(chan error, 1)
	go func() {
		var err error
		for range 12 {
			err = errors.Join(err, w.desk.Sync(t.Context(), nil))
		}
		done <- err
	}()
	for range 6 {
		w.contact(a, s)
		w.sync(a)
		w.must(w.desk.Admin().Rotate(t.Context(), w.outreach(w.desk)))
	}
	w.must(<-done)
	w.sync(w.desk, a, w.desk)
	w.have(a.all(), a, w.desk)
	w.noAlarm(a, w.desk)
}

// TestRotationsOneAfterTheOther: the office's daily work runs in the background, at every sync, while a person removes
// a phone. None fails for the other, and what is due is done once.
func TestRotationsOneAfterTheOther(t *testing.T) {
	w := newSmallWorld(t)
	a, lost := w.phone(), w.phone()
	c := w.outreach(w.desk)
	w.contact(a, w.person(a))
	w.sync(a, lost, w.desk)
	for try := range 5 {
		before := w.desk.led.roster.Latest(c).Epoch
		w.now = w.now.Add(rotateEvery + time.Hour)
		w.sync(a, w.desk)
		done := make(chan error, 3)
		for range 2 {
			go func() { done <- w.desk.Admin().Maintain(t.Context()) }()
		}
		go func() {
			if try == 0 {
				done <- w.desk.Admin().RemoveDevice(t.Context(), lost.led.dev.ID(), seal.ReasonLost, nil)
			} else {
				done <- w.desk.Admin().Maintain(t.Context())
			}
		}()
		for range 3 {
			if err := <-done; err != nil {
				t.Errorf("try %d: %v", try, err)
			}
		}
		w.sync(a, w.desk)
		if n := w.desk.led.roster.Latest(c).Epoch - before; n != 1 && (try > 0 || n != 2) {
			// the removal may come after a rotation, and forces one
			t.Errorf("try %d: %d epochs were opened", try, n)
		}
	}
}
