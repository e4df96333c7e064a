package replica

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// erasure complete while a lost phone of an earlier epoch holds her key.
func TestHostileHorizonEarlierEpoch(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	// lost with her key, never seen again
	w.must(w.desk.Admin().RemoveDevice(ctx, b.led.dev.ID(), seal.ReasonLost, nil))
	w.sync(a, w.desk)
	w.must(w.desk.Erasing().Shred(krama.KindOutreach, s, ShredDanger))
	w.sync(w.desk, a)
	w.must(w.desk.Admin().Maintain(ctx))
	w.sync(a, w.desk, a, w.desk, a, w.desk)
	e := w.desk.Erasing().Erasures()
	_, still := b.led.keys[w.outreach(b)][s]
	if e[0].Complete() && still {
		t.Errorf("complete, lost %v, while a lost phone has her key", e[0].Lost)
	}
}

// role taken away: unsent work is stuck.
func TestHostileRolesStuck(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a := w.enrol(w.device("phone"), krama.RoleOutreach)
	s := w.person(a)
	w.sync(a, w.desk)
	w.contact(a, s)
	w.must(w.desk.Admin().SetRoles(ctx, krama.MemberID{w.n}, krama.RoleSteward, nil))
	for range 3 {
		w.sync(a, w.desk)
	}
	if a.Status().Unsent > 0 && len(w.desk.Admin().Mail()) == 0 && len(w.desk.all()) == 1 {
		t.Error("stuck")
	}
}

// cross-circle shred.
func TestHostileShredCrossCircle(t *testing.T) {
	w := newWorld(t)
	a := w.enrol(w.device("phone"), krama.RoleOutreach)
	n := w.enrol(w.device("phone"), krama.RoleNurse)
	s, _ := n.NewSubject()
	id, _ := n.NewRecord()
	w.must(n.Write(krama.KindClinical, s, &krama.Record{ID: id, Consent: &krama.Consent{Purpose: 1,
		Date: krama.DayOf(w.now)}}))
	w.sync(n, w.desk, a)
	c := w.outreach(a)
	a.mu.Lock()
	a.led.keys[c][s] = seal.SubjectKey{1}
	w.must(a.sealOne(c, []seal.Item{{Subject: s, Kind: seal.KindShred, Body: []byte{1}}}))
	a.mu.Unlock()
	w.sync(a, n)
	id, _ = n.NewRecord()
	err := n.Write(krama.KindClinical, s, &krama.Record{ID: id, Consent: &krama.Consent{Purpose: 1,
		Date: krama.DayOf(w.now)}})
	if err != nil {
		t.Error("an outreach worker erased somebody in the clinical circle:", err)
	}
}

// recovery retried after a cut.
func TestHostileRecoverRetry(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	cards := w.trustees(2, 3)
	d := w.device("desk")
	d.wire.gate = func(path string) error {
		if path == seal.PathAppend || path == seal.PathPart {
			return krama.E("t", krama.Offline, "")
		}
		return nil
	}
	if err := d.Newcomer().Recover(ctx, cards[:2], "relay", true, nil); krama.KindOf(err) != krama.Offline {
		t.Errorf("the first try was not cut: %v", err)
	}
	d.wire.gate = nil
	if err := d.Newcomer().Recover(ctx, cards[:2], "relay", true, nil); err != nil {
		t.Error("a second try:", err, d.State())
	}
}

// leave ignores what a relay confirmed and the close does not cover.
func TestHostileLeaveUnsettled(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	back := w.stream(a, krama.KindOutreach)
	now, _ := w.store.Stream(ctx, back)
	w.contact(a, s)
	w.sync(a)
	// the relay is restored from yesterday's backup before anybody else read it
	w.must(w.store.Rewind(ctx, back, now.Head))
	w.must(w.desk.Admin().RemoveDevice(ctx, a.led.dev.ID(), seal.ReasonLeft, nil))
	err := a.Sync(ctx, nil)
	w.sync(w.desk, b, w.desk)
	has, _ := HasVault(a.dir)
	if !has && len(w.desk.Admin().Mail()) == 0 && len(w.desk.all()) == 1 {
		t.Error("LOST: wiped, never inside a close, no letter", err)
	}
}

// an erasure that a restored relay lost is never said again.
func TestHostileShredLostByRestore(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.contact(a, s)
	w.sync(a, b, w.desk)
	id := w.stream(a, krama.KindOutreach)
	now, _ := w.store.Stream(ctx, id)
	w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredDanger))
	w.sync(a)
	w.must(w.store.Rewind(ctx, id, now.Head))
	w.must(w.desk.Admin().Rotate(ctx, w.outreach(w.desk)))
	for range 3 {
		a.Sync(ctx, nil)
		w.sync(b, w.desk)
	}
	c := w.outreach(b)
	if _, ok := b.led.keys[c][s]; ok {
		t.Error("the erasure was accepted and confirmed, and never happens")
	}
}

// a letter with one unreadable record among good ones is filed and all are lost.
func TestHostileOneBadItem(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	s := w.person(a)
	w.sync(a, w.desk)
	c := w.outreach(a)
	me := a.led.dev.ID()
	w.contact(a, s)
	good := a.led.outbox[0].item
	w.must(w.desk.Admin().RemoveDevice(ctx, me, seal.ReasonTaken, nil))
	w.must(handLate(w, a, seal.Frame(c[:], me[:], s[:], []byte{1}, good.Body, c[:], me[:], s[:], []byte{1},
		[]byte{0xff})))
	w.sync(w.desk)
	if err := w.desk.Admin().AcceptLate(w.desk.Admin().Mail()[0].ID); err == nil || len(w.desk.Admin().Mail()) != 1 {
		t.Errorf("a letter with something unreadable was filed: %v", err)
	}
	if w.desk.Status().Unsent == 0 {
		t.Error("accepted and nothing kept")
	}
}

// an admin not in the circle accepts.
func TestHostileAcceptOutsideCircle(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	s := w.person(a)
	w.sync(a, w.desk)
	w.contact(a, s)
	w.must(w.desk.Admin().RemoveDevice(ctx, a.led.dev.ID(), seal.ReasonLeft, nil))
	a.Sync(ctx, nil)
	w.sync(w.desk)
	c := w.outreach(w.desk)
	st := w.desk.led.streams[c]
	delete(w.desk.led.streams, c) // as for an admin who waits for her grant
	if err := w.desk.Admin().AcceptLate(w.desk.Admin().Mail()[0].ID); err == nil {
		t.Error("accepted by somebody who is not in the circle")
	}
	w.desk.led.streams[c] = st
	if w.desk.Status().Unsent == 0 && len(w.desk.Admin().Mail()) == 0 {
		t.Error("accepted, filed, nothing kept")
	}
}

// a draft that the roster refuses.
// a page that was uploaded in a failed try of the rotation opens with the new epoch's KG.
func TestHostileStalePageOfFailedTry(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	s := w.person(a)
	w.person(a)
	w.sync(a, w.desk)
	sk, pages := a.led.keys[w.outreach(a)][s], map[[32]byte][]byte{}
	done := false
	w.desk.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if path == seal.PathBlobPut {
			c, _ := seal.ParseCall(call)
			it, _ := seal.ParseFrame(c.Payload, 1)
			pages[seal.Hash("blob", it[0])] = bytes.Clone(it[0])
		}
		return answer, err
	}
	w.desk.wire.gate = func(path string) error {
		if path == seal.PathClose && !done { // a colleague erases somebody while the office rotates
			done = true
			w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredDanger))
			w.sync(a)
		}
		return nil
	}
	w.must(w.desk.Admin().Rotate(ctx, w.outreach(w.desk)))
	w.desk.wire.gate = nil
	for range 4 {
		w.sync(a, w.desk)
	}
	e := w.desk.Erasing().Erasures()
	ep := a.led.streams[w.outreach(a)].epoch
	if len(pages) < 4 || opensWith(pages, ep, sk) {
		t.Errorf("her key opens from one of %d blobs with the present KG; complete: %v", len(pages), e[0].Complete())
	}
}

// an alarm that stops uploads is mended by a restart.
func TestHostileAlarmMendedByTidy(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	w.sync(a)
	c := w.outreach(a)
	a.mu.Lock()
	w.must(a.raise(Alarm{What: AlarmRollback, Circle: c, N: 5}))
	a.led.alarms.mended(place{c, 0})
	w.must(a.raise(Alarm{What: AlarmFork, Circle: c, N: 9}))
	w.must(a.tidy())
	a.mu.Unlock()
	if !a.stopped() {
		t.Fatal("not stopped")
	}
	w.again(a)
	if !a.stopped() {
		t.Error("after a restart the fork no longer stops sending")
	}
}

// garbage under the right reference hides the true wrap.
func TestHostileGarbageWrap(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a := w.phone()
	n := w.enrol(w.device("phone"), krama.RoleSteward)
	w.sync(a, n, w.desk)
	c := w.outreach(a)
	box := n.led.dev.Mailbox()
	w.steals(a) // without it the relay takes nothing from her
	w.must(a.Admin().putBoxes(ctx, []seal.BoxPut{{Box: box, Item: seal.BoxItem(n.led.dev.ID(),
		a.led.roster.Latest(c).EC,
		make([]byte, seal.WrapSize))}}))
	w.must(w.desk.Admin().SetRoles(ctx, krama.MemberID{w.n}, krama.RoleOutreach, nil))
	for range 3 {
		w.sync(n, w.desk)
		w.must(w.desk.Admin().Maintain(ctx))
	}
	if n.led.streams[c] == nil {
		t.Error("a colleague's garbage keeps the device out of the circle", n.Status().Alarms)
	}
}

func TestHostileRecoveryBlocked(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	w.contact(a, w.person(a))
	w.sync(a, w.desk)
	cards := w.trustees(2, 3)
	w.sync(a)
	ts := a.led.roster.Trustees
	box := seal.Mailbox(ts.ID(), seal.KemHash(ts.KemPub))
	boot, err := seal.SealBootstrap(a.led.roster.Org, ts.ID(), ts.KemPub, seal.Bootstrap{})
	w.must(err)
	w.steals(a)
	w.must(a.Admin().putBoxes(ctx, []seal.BoxPut{{Box: box, Item: boot}}))
	d := w.device("desk")
	if err := d.Newcomer().Recover(ctx, cards[:2], "relay", true, nil); err != nil {
		t.Error("a phone's one box/put stops recovery:", err)
	}
}

// trustees' mailbox emptied by a phone with the control key: the office never puts it back
// a coordinator or phone (not admin) shreds; void shred by a removed device with the relay destroys unsent work
// Two admins; the second's mailbox is full: the removed phone cannot hand over to the first either.
func TestHostileOneFullBoxStopsLeave(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	b := w.enrol(w.device("desk"), krama.RoleAdmin)
	s := w.person(a)
	w.sync(a, b, w.desk)
	w.contact(a, s)
	w.must(w.desk.Admin().RemoveDevice(ctx, a.led.dev.ID(), seal.ReasonLost, nil))
	box := b.led.dev.Mailbox()
	for i := range 512 {
		if w.desk.Admin().putBoxes(ctx, []seal.BoxPut{{Box: box, Item: []byte(fmt.Sprint(i))}}) != nil {
			break
		}
		w.now = w.now.Add(time.Second)
	}
	a.Sync(ctx, nil)
	w.sync(w.desk)
	if len(w.desk.Admin().Mail()) == 0 {
		t.Error("nothing reached the first admin")
	}
}

// After a removal: what the removed phone can still do to mailboxes.
func TestHostileAfterRemovalBoxes(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	w.sync(a, b, w.desk)
	w.must(w.desk.Admin().RemoveDevice(ctx, a.led.dev.ID(), seal.ReasonTaken, nil))
	w.sync(b, w.desk)
	box := b.led.dev.Mailbox()
	for i := range 512 {
		if err := a.Admin().putBoxes(ctx, []seal.BoxPut{{Box: box, Item: []byte(fmt.Sprint(i))}}); err != nil {
			break
		}
		w.now = w.now.Add(time.Second)
	}
	if err := w.desk.Admin().Rotate(ctx, w.outreach(w.desk)); err != nil {
		t.Error("a removed phone stops every later rotation:", err)
	}
}

// the retry of Join between two pages of the roster is the same fault as in Recover: takeOrg twice.
func TestHostileJoinRetry(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	d := w.device("phone")
	w.must(d.Newcomer().Introduce(ctx, "relay"))
	inv, err := w.desk.Admin().Invite(ctx, d.Newcomer().Scan1().String())
	w.must(err)
	w.must(d.Newcomer().Accept(ctx, inv.Code.String()))
	_, err = w.desk.Admin().Enrol(ctx, inv, krama.MemberID{9}, krama.RoleOutreach)
	w.must(err)
	// a roster of more than one page: the relay gives one envelope at a time, and the network ends after three
	n, armed := 0, false
	d.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if path != seal.PathList || err != nil {
			return answer, err
		}
		c, _ := seal.ParseCall(call)
		lc, _ := seal.ParseList(c.Payload)
		l, _ := seal.ParseListing(answer)
		if lc.After == 0 {
			armed = d.led.roster != nil // the second reading, after tryRoster
		}
		if len(l.Entries) > 1 {
			l.Entries = l.Entries[:1]
		}
		if armed {
			if n++; n == 4 {
				return nil, krama.E("t", krama.Offline, "")
			}
		}
		return l.Marshal(), nil
	}
	ok, err := d.Newcomer().Join(ctx, nil)
	d.wire.twist = nil
	ok, err = d.Newcomer().Join(ctx, nil)
	if d.State() != Enrolled {
		t.Error("the second try:", ok, err, d.State())
	}
	w.again(d)
	ok, err = d.Newcomer().Join(ctx, nil)
}

// Two relay views: an admin whose own unsent erasure... a subject key of a colleague that arrives after the ring.
// An offer of orphans that were erased.
func TestHostileOrphanOfErased(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	rec, _ := a.NewRecord()
	body, _ := (&krama.Record{ID: rec, Contact: &krama.Contact{Date: krama.DayOf(w.now), Place: 1}}).Encode()
	b.mu.Lock()
	b.led.addOrphan(orphan{circle: w.outreach(b), author: a.led.dev.ID(), day: krama.DayOf(w.now),
		item: seal.Item{Subject: s,
			Kind: seal.KindRecord, Body: body}})
	w.must(b.keepOrphans())
	b.mu.Unlock()
	w.must(w.desk.Erasing().Shred(krama.KindOutreach, s, ShredDanger))
	w.sync(w.desk, b)
	w.now = w.now.Add(8 * 24 * time.Hour)
	w.sync(b, w.desk)
	for _, m := range w.desk.Admin().Mail() {
		for _, l := range lateOf(m) {
			if l.Item.Subject == s {
				t.Error("a week after her erasure a phone mails her contact to the office")
			}
		}
	}
	_ = ctx
}

// A phone whose clock is 200 days behind, and a desk whose clock is 100 days ahead, empty nobody's phone.
func TestHostileClocksRemoveNobody(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	a.Now = func() time.Time { return w.now.Add(-200 * 24 * time.Hour) }
	w.contact(a, w.person(a))
	w.contact(b, w.person(b))
	w.sync(a, b, w.desk)
	w.must(w.desk.Admin().Maintain(ctx))
	w.desk.Now = func() time.Time { return w.now.Add(100 * 24 * time.Hour) }
	w.sync(w.desk)
	w.must(w.desk.Admin().Maintain(ctx))
	for i, d := range []*device{a, b} {
		d.Sync(ctx, nil)
		if has, _ := HasVault(d.dir); !has {
			t.Errorf("phone %d was emptied because a clock is wrong", i)
		}
	}
}
